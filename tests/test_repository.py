"""The repository agrees with itself: versions, requirements, constraints, metadata, README, and notebooks as committed."""
import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from contextlib import suppress
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
import yaml
from execnb.nbio import nb2str, read_nb
from nbdev.clean import clean_nb
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import dqsstn

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = configparser.ConfigParser()
SETTINGS.read(ROOT/"settings.ini")
SETTINGS = SETTINGS["DEFAULT"]
PROJECT = tomllib.loads((ROOT/"pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT/"CITATION.cff").read_text())
NOTEBOOKS = sorted((ROOT/"nbs").glob("*.ipynb"))
MODULES = sorted(p for p in (ROOT/"dqsstn").glob("*.py") if not p.name.startswith("_"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
every_module = pytest.mark.parametrize("path", MODULES, ids=lambda p: p.name)

def export(folder):
    "Export the notebooks of a folder, as `make export` does"
    code = "from nbdev.doclinks import nbdev_export; nbdev_export()"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)

def stale_modules(folder):
    "The files of a folder's package that are not what its notebooks export; the two that no notebook writes are left alone"
    with tempfile.TemporaryDirectory() as tmp:
        fresh = Path(tmp)
        shutil.copy(folder/"settings.ini", fresh)
        shutil.copytree(folder/"nbs", fresh/"nbs", ignore=lambda _, names: [n for n in names if not n.endswith(".ipynb")])
        (fresh/"dqsstn").mkdir()
        for name in ("__init__.py", "__main__.py"): shutil.copy(folder/"dqsstn"/name, fresh/"dqsstn")
        export(fresh)
        exported, committed = ({p.name: p.read_text() for p in (top/"dqsstn").glob("*.py")} for top in (fresh, folder))
    return sorted(name for name in exported | committed if exported.get(name) != committed.get(name))

def test_package_is_what_the_notebooks_export(): assert stale_modules(ROOT) == [], "run `make export`"

def test_ruff():
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "nbs", "dqsstn", "tests", "scripts"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

def requirements(): return [Requirement(r) for r in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]]

def pins(name):
    "Distribution → exact version of a constraints file"
    lines = [line for line in (ROOT/name).read_text().splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(n): Version(v) for n, v in (line.split("==") for line in lines)}

def test_versions_agree():
    assert SETTINGS["version"] == dqsstn.__version__ == CITATION["version"]
    assert re.search(r"^## (\S+)", (ROOT/"CHANGELOG.md").read_text(), re.M)[1] == dqsstn.__version__

def test_metadata_agrees():
    assert [{"name": SETTINGS["author"], "email": SETTINGS["author_email"]}] == PROJECT["authors"]
    assert CITATION["authors"] == [{"name": SETTINGS["author"]}]
    assert SETTINGS["description"] == PROJECT["description"] == CITATION["abstract"].rstrip(".")
    assert SETTINGS["keywords"].split() == PROJECT["keywords"]
    assert SETTINGS["lib_name"] == PROJECT["name"] == CITATION["title"]
    assert PROJECT["license"] == CITATION["license"] == "Apache-2.0" and SETTINGS["license"] == "apache2"
    assert PROJECT["requires-python"] == f">={SETTINGS['min_python']}"
    assert SETTINGS["git_url"] == PROJECT["urls"]["Repository"] == CITATION["repository-code"]
    assert SETTINGS["doc_host"] + SETTINGS["doc_baseurl"] == PROJECT["urls"]["Homepage"] == CITATION["url"]

def test_requirements_agree():
    assert SETTINGS["requirements"].split() == PROJECT["dependencies"]
    assert SETTINGS["dev_requirements"].split() == PROJECT["optional-dependencies"]["dev"]
    assert SETTINGS["console_scripts"] == " ".join(f"{k}={v}" for k, v in PROJECT["scripts"].items())

def test_constraints_satisfy_the_ranges():
    exact, lowest = pins("constraints.txt"), pins("constraints-lowest.txt")
    for r in requirements():
        name = canonicalize_name(r.name)
        assert exact[name] in r.specifier and lowest[name] in r.specifier, r
    for r in requirements():
        floors = [Version(s.version) for s in r.specifier if s.operator == ">="]
        assert all(lowest[canonicalize_name(r.name)] == f for f in floors), r

def test_package_imports_what_it_requires():
    trees = [ast.parse(p.read_text()) for p in (ROOT/"dqsstn").glob("*.py")]
    imports = [n for tree in trees for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom)) and not getattr(n, "level", 0)]
    names = {n.split(".")[0] for i in imports for n in ([a.name for a in i.names] if isinstance(i, ast.Import) else [i.module])}
    names -= {*sys.stdlib_module_names, "dqsstn"}
    distributions = packages_distributions()
    used = {canonicalize_name(d) for n in names for d in distributions[n]}
    declared, optional = ({canonicalize_name(Requirement(r).name) for r in named} for named in (
        PROJECT["dependencies"], [r for extra, named in PROJECT["optional-dependencies"].items() if extra != "dev" for r in named]))
    assert used - optional == declared

@pytest.mark.parametrize("module", ["dqsstn", "dqsstn.config", "dqsstn.cli"])
def test_import_loads_no_torch(module):
    code = f"import sys, {module}; sys.exit(' '.join({{'torch', 'fastai', 'matplotlib', 'pandas'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stderr.strip() == ""

def test_readme_is_made_from_the_index():
    sys.path.insert(0, str(ROOT/"scripts"))
    from readme import readme
    text, pictures = readme(nbformat.read(ROOT/"nbs"/"index.ipynb", 4))
    assert (ROOT/"README.md").read_text() == text
    for path, data in pictures.items(): assert (ROOT/path).read_bytes() == data
    targets = re.findall(r"\]\(([^()\s:#]+)\)", text)
    assert [t for t in targets if not (ROOT/t).exists()] == []

@every_notebook
def test_notebook_is_committed_executed_and_clean(path):
    nb = read_nb(path)
    text = nb2str(nb)
    assert path.read_text() == text
    clean_nb(nb)
    assert nb2str(nb) == text
    outputs = [o for c in nb.cells for o in c.get("outputs", [])]
    assert outputs
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert nb.metadata["kernelspec"]["name"] == "python3"  # which every installation of JupyterLab has
    shown = json.dumps(outputs)
    assert "application/vnd.jupyter.widget" not in shown and "widgets" not in nb.metadata  # dead without its kernel
    assert re.findall(r"(?:/root/|/tmp/|/home/|/Users/|site-packages|ipykernel_)[^\s\"']{0,40}", shown) == []
    assert r"\u001b" not in shown

def public(tree):
    "The public functions and classes of a module; methods that @patch adds are among the functions"
    return [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_")]

@every_module
def test_public_names_have_docments(path):
    text = path.read_text()
    lines, missing = text.splitlines(), []
    for node in public(ast.parse(text)):
        if not ast.get_docstring(node): missing.append(f"{node.name}: no docstring")
        functions = [node] if isinstance(node, ast.FunctionDef) else [m for m in node.body if getattr(m, "name", "") == "__init__"]
        arguments = [a for f in functions for a in [*f.args.args, *f.args.kwonlyargs] if a.arg not in ("self", "cls")]
        missing += [f"{node.name}: {a.arg} has no docment" for a in arguments if "#" not in lines[a.lineno - 1]]
        missing += [f"{node.name}: {a.arg} has no type" for a in arguments if a.annotation is None]
    assert not missing, "\n".join(missing)

@every_notebook
def test_public_names_have_an_assertion(path):
    cells = [c for c in read_nb(path).cells if c.cell_type == "code"]
    exported = [re.search(r"^#\|\s*export\b", c.source, re.M) for c in cells]
    code = "\n".join(c.source for c, e in zip(cells, exported) if e)
    checks = [c.source for c, e in zip(cells, exported) if not e and re.search(r"\b(assert|test_\w+|expect_fail|check_env)\b", c.source)]
    names = [n.name for n in public(ast.parse(code))]
    untested = [n for n in names if not any(re.search(rf"\b{n}\b", c) for c in checks)]
    assert not untested, "no assertion in a cell that uses " + ", ".join(untested)

@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.name != "index.ipynb"], ids=lambda p: p.name)
def test_colab_installs_what_the_page_imports(path):
    sources = [c.source for c in read_nb(path).cells if c.cell_type == "code"]
    install, = [s for s in sources if "/content" in s]
    trees = [ast.parse(re.sub(r"^\s*!.*$", "", s, flags=re.M)) for s in sources]
    imports = [n for tree in trees for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    modules = {n for i in imports for n in ([a.name for a in i.names] if isinstance(i, ast.Import) else [i.module])}
    roots = {"tensorboard" if n.endswith("tensorboard") else n.split(".")[0] for n in modules} - {*sys.stdlib_module_names, "dqsstn", "IPython"}
    needed = {canonicalize_name(d) for n in roots for d in packages_distributions()[n]} - {canonicalize_name(Requirement(r).name) for r in PROJECT["dependencies"]}
    named = set(re.split(r"[\s'\[\],]+", install))
    brought = {canonicalize_name(Requirement(r).name) for extra, rs in PROJECT["optional-dependencies"].items() if extra in named for r in rs}
    assert needed - brought - named <= {"huggingface-hub"}  # which timm brings

def test_no_large_files():
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode: pytest.skip("not a git repository")
    sizes = {}
    for name in filter(None, listed.stdout.split("\0")):
        with suppress(FileNotFoundError): sizes[name] = (ROOT/name).stat().st_size  # another test may have removed it
    assert [name for name, size in sizes.items() if size > 2**20] == []
