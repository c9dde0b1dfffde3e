# One command per job: `make help` lists them.
# Each makes what it needs in .venv first; `make test PY=python` uses an environment of your own instead.
VENV := .venv
PY := $(VENV)/bin/python
CONSTRAINTS := constraints.txt
JOBS := 2
PYTEST := $(PY) -m pytest -q -n $(JOBS) --cov --durations 20
ENV := $(if $(filter file,$(origin PY)),$(VENV)/.development)

.PHONY: help demo test test-all soak gpu-test lab notebooks export docs clean

help:  ## list the targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / {printf "%-12s%s\n", $$1, $$2}' Makefile

demo: $(VENV)/.library  ## the main job on the built-in sample, into demo-run/ (an earlier one is replaced); then a photo
	rm -rf demo-run
	$(VENV)/bin/dqsstn demo --out demo-run

test: $(ENV)  ## export, ruff, notebooks and tests: what a commit must pass
	$(PYTEST)

test-all: $(ENV)  ## test, and what is slow (with DQSSTN_VOC set, also what needs the photos)
	$(PYTEST) --flags "slow $(if $(DQSSTN_VOC),data)"

soak: $(ENV)  ## kill a small training at 25 random moments, resume it each time, compare bit by bit
	$(PY) scripts/soak.py --kills 25

gpu-test: $(ENV)  ## test, and the cells and tests flagged gpu
	$(PYTEST) --flags gpu

lab: $(ENV)  ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab --notebook-dir nbs

notebooks: $(ENV)  ## execute all notebooks, store their outputs, make README.md
	$(PY) scripts/run_notebooks.py
	$(PY) scripts/readme.py

export: $(ENV)  ## write dqsstn/ and README.md from the notebooks
	$(PY) -c "from nbdev.doclinks import nbdev_export; nbdev_export()"
	$(PY) scripts/stubs.py
	$(PY) scripts/readme.py

docs: $(ENV)  ## make the site in _docs/: with Quarto where it is installed, otherwise a preview of the same pages
	$(PY) scripts/docs.py

clean:  ## remove what the other targets made, but for .venv
	rm -rf _proc _docs nbs/nbdev.yml demo-run dist build *.egg-info .pytest_cache .ruff_cache .hypothesis nbs/.hypothesis

$(VENV)/bin/python:
	@found=; for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$p; break; fi; done; \
	if [ -z "$$found" ]; then echo "No Python 3.11 or newer was found: name one with 'make $(MAKECMDGOALS) PYTHON=/path/to/python3'"; exit 2; fi; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/.development: EXTRA := [dev]
$(VENV)/.library: EXTRA := [weights]
$(VENV)/.library $(VENV)/.development: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	@echo "Installing into $(VENV): about two minutes, and up to 7 GB"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".$(EXTRA)"
	@touch $@
