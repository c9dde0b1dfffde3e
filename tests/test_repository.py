"""The repository agrees with itself: versions, requirements, metadata, README, modules, and notebooks as committed."""
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
    "The files of a folder's package that its notebooks do not export; the two that no notebook writes are left alone"
    with tempfile.TemporaryDirectory() as tmp:
        fresh = Path(tmp)
        shutil.copy(folder/"settings.ini", fresh)
        def others(_, names): return [name for name in names if not name.endswith(".ipynb")]
        shutil.copytree(folder/"nbs", fresh/"nbs", ignore=others)
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

def requirements():
    return [Requirement(r) for r in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]]

def named(requirements): return {canonicalize_name(Requirement(r).name) for r in requirements}

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

def imported(tree):
    "The modules of other packages that a module imports, anywhere in it"
    nodes = list(ast.walk(tree))
    plain = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    return plain | {n.module for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}

def test_package_imports_what_it_requires():
    trees = [ast.parse(path.read_text()) for path in (ROOT/"dqsstn").glob("*.py")]
    names = {name.split(".")[0] for tree in trees for name in imported(tree)}
    names -= {*sys.stdlib_module_names, "dqsstn"}
    distributions = packages_distributions()
    used = {canonicalize_name(d) for n in names for d in distributions[n]}
    extras = [rs for extra, rs in PROJECT["optional-dependencies"].items() if extra != "dev"]
    assert used - named(r for rs in extras for r in rs) == named(PROJECT["dependencies"])

CONTRIBUTING = (ROOT/"CONTRIBUTING.md").read_text()
CHAIN = tuple(re.findall(r"^\| `(\w+)` \|", CONTRIBUTING, re.M))  # the modules of its table, from left to right
LATE = {("config", "rewards")}  # imported only to look up a reward that an extension has registered

def siblings(path):
    "The modules of the package that a module imports, anywhere in it"
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom): continue
        whole = "." * node.level + (node.module or "")  # `.env`, `dqsstn.env`; `.` or `dqsstn` if the names are modules
        inside = re.fullmatch(r"(?:dqsstn)?(?:\.(\w*))?", whole)
        if inside: found |= {inside[1]} if inside[1] else {name.name for name in node.names}
    return found

def test_modules_form_a_chain():
    assert sorted(CHAIN) == [path.stem for path in MODULES]
    order, wrong = {name: k for k, name in enumerate(CHAIN)}, []
    for path in MODULES:
        later = [m for m in siblings(path) & order.keys() if order[m] >= order[path.stem]]
        wrong += [f"{path.stem} imports {m}, which is not to its left" for m in later if (path.stem, m) not in LATE]
    assert not wrong, "\n".join(wrong)

@every_module
def test_module_has_one_subject(path):
    code = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("# %%")]
    assert len(code) <= 500, "divide it"

@pytest.mark.parametrize("module", ["dqsstn", "dqsstn.config", "dqsstn.cli"])
def test_import_loads_no_torch(module):
    heavy = {"torch", "fastai", "matplotlib", "pandas"}
    code = f"import sys, {module}; sys.exit(' '.join({heavy} & sys.modules.keys()))"
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
        methods = [m for m in getattr(node, "body", []) if getattr(m, "name", "") == "__init__"]
        functions = [node] if isinstance(node, ast.FunctionDef) else methods
        arguments = [a for f in functions for a in [*f.args.args, *f.args.kwonlyargs] if a.arg not in ("self", "cls")]
        missing += [f"{node.name}: {a.arg} has no docment" for a in arguments if "#" not in lines[a.lineno - 1]]
        missing += [f"{node.name}: {a.arg} has no type" for a in arguments if a.annotation is None]
    assert not missing, "\n".join(missing)

@every_notebook
def test_public_names_have_an_assertion(path):
    cells = [c for c in read_nb(path).cells if c.cell_type == "code"]
    exported = [re.search(r"^#\|\s*export\b", c.source, re.M) for c in cells]
    code = "\n".join(c.source for c, e in zip(cells, exported) if e)
    check = re.compile(r"\b(assert|test_\w+|expect_fail|check_env)\b")
    checks = [c.source for c, e in zip(cells, exported) if not e and check.search(c.source)]
    names = [n.name for n in public(ast.parse(code))]
    untested = [n for n in names if not any(re.search(rf"\b{n}\b", c) for c in checks)]
    assert not untested, "no assertion in a cell that uses " + ", ".join(untested)

@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.name != "index.ipynb"], ids=lambda p: p.name)
def test_first_cell_is_title_and_description(path):
    "nbdev makes the page's title of it, and drops what else it says"
    assert re.fullmatch(r"# [^\n]+\n+> [^\n]+", nbformat.read(path, 4).cells[0].source)

@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.name != "index.ipynb"], ids=lambda p: p.name)
def test_colab_installs_what_the_page_imports(path):
    sources = [c.source for c in read_nb(path).cells if c.cell_type == "code"]
    install, = [s for s in sources if "/content" in s]
    modules = {name for s in sources for name in imported(ast.parse(re.sub(r"^\s*!.*$", "", s, flags=re.M)))}
    roots = {"tensorboard" if name.endswith("tensorboard") else name.split(".")[0] for name in modules}
    roots -= {*sys.stdlib_module_names, "dqsstn", "IPython"}
    distributions = packages_distributions()  # which looks through all that is installed
    needed = {canonicalize_name(d) for n in roots for d in distributions[n]} - named(PROJECT["dependencies"])
    words = set(re.split(r"[\s'\[\],]+", install))
    extras = [rs for extra, rs in PROJECT["optional-dependencies"].items() if extra in words]
    brought = named(r for rs in extras for r in rs)
    assert needed - brought - words <= {"huggingface-hub"}  # which timm brings

def test_no_large_files():
    command = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode: pytest.skip("not a git repository")
    sizes = {}
    for name in filter(None, listed.stdout.split("\0")):
        with suppress(FileNotFoundError): sizes[name] = (ROOT/name).stat().st_size  # another test may have removed it
    limits = {name: 2.5e6 if name.startswith("dqsstn/model/") else 2**20 for name in sizes}
    assert [name for name, size in sizes.items() if size > limits[name]] == []
