"""Files from elsewhere run nothing and write nothing beside their place; the code has no way in which they could."""
import ast
import io
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import nbformat
import pytest
import torch
import yaml
from conftest import ROOT, call, contents, make_voc, photo
from execnb.nbio import read_nb

from dqsstn.backbones import create_net, lite0_weights, load_weights
from dqsstn.files import InputError
from dqsstn.formats import yolo_items
from dqsstn.voc import voc_items


MARKER = "somebody-was-here"

class Malicious:
    "Makes a folder when it is unpickled"
    def __reduce__(self): return os.mkdir, (MARKER,)

def state(): return create_net("small_cnn", 10).state_dict()

def with_pickle(value, path):
    with open(path, "wb") as file: pickle.dump(value, file, protocol=2)

WAYS = {
    "torch.save": lambda path: torch.save(Malicious(), path),
    "torch.save, old format": lambda path: torch.save(Malicious(), path, _use_new_zipfile_serialization=False),
    "pickle": lambda path: with_pickle(Malicious(), path),
    "one value of a state dict": lambda path: torch.save(state() | {"head.bias": Malicious()}, path),
    "beside a state dict": lambda path: torch.save(dict(state_dict=state(), epoch=Malicious()), path,
                                                   _use_new_zipfile_serialization=False),
    "pickled state dict": lambda path: with_pickle(state() | {"head.bias": Malicious()}, path),
}
every_way = pytest.mark.parametrize("way", WAYS)
every_suffix = pytest.mark.parametrize("suffix", [".pth", ".safetensors", ""])

def refused(function, *args, **kwargs):
    with pytest.raises(InputError) as e: function(*args, **kwargs)
    assert "\n" not in str(e.value) and not Path(MARKER).exists()
    return str(e.value)

@every_way
def test_the_files_are_malicious(folder, way):
    WAYS[way]("evil.pth")
    try: torch.load("evil.pth", weights_only=False)
    except Exception: assert way.startswith("pickle")  # not torch's, but by then it has run
    assert Path(MARKER).is_dir()

@every_way
@every_suffix
def test_weights_run_nothing(folder, way, suffix):
    path = Path(f"evil{suffix}")
    WAYS[way](path)
    for message in (refused(create_net, "small_cnn", 10, weights=path),
                    refused(load_weights, create_net("small_cnn", 10), path),
                    refused(lite0_weights, path)): assert path.name in message

@every_suffix
def test_command_line_runs_nothing(folder, suffix):
    make_voc("voc", n=2)
    WAYS["torch.save"](f"evil{suffix}")
    before = contents()
    outcome = call(f"train --voc voc --years 2007 --out new --config demo --set weights=evil{suffix}", code=2)
    assert outcome.stderr.count("\n") == 1 and f"evil{suffix}" in outcome.stderr and contents() == before

@pytest.mark.parametrize("name", ["q_net", "classifier_agent"])
def test_run_folder_runs_nothing(run, folder, name):
    shutil.copytree(run, "run")
    WAYS["torch.save"](f"run/{name}.safetensors")
    photo().save("x.png")
    before = contents()
    for line in ("predict run x.png", "evaluate run --sample"):
        outcome = call(line, code=2)
        assert outcome.stderr.count("\n") == 1 and f"{name}.safetensors" in outcome.stderr and contents() == before

@pytest.mark.parametrize("text", [
    f"names: !!python/object/apply:os.mkdir [{MARKER}]", f"names: [cat, !!python/object/apply:os.mkdir [{MARKER}]]",
    f"!!python/object/new:os.mkdir [{MARKER}]"])
def test_class_names_run_nothing(folder, text):
    for sub in ("images/train", "labels/train"): Path("yolo", sub).mkdir(parents=True)
    photo().save("yolo/images/train/a.jpg")
    Path("yolo/labels/train/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    Path("yolo/data.yaml").write_text(text)
    assert "data.yaml" in refused(yolo_items, "yolo")

@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_write_nowhere_else(folder, monkeypatch, kind):
    monkeypatch.setenv("DQSSTN_CACHE", "cache")
    make_voc("voc", n=2)
    names = ["../evil", "VOCdevkit/../../../evil", "VOCdevkit/VOC2007/../../../evil", f"{folder}/evil",
             f"VOCdevkit/{folder}/evil", "VOCdevkit/..\\..\\..\\evil"]
    if kind == "zip":
        with zipfile.ZipFile("devkit.zip", "w") as archive:
            for path in Path("voc").rglob("*.*"): archive.write(path, path.relative_to("voc"))
            for name in names: archive.writestr(name, "evil")
    else:
        with tarfile.open("devkit.tar", "w") as archive:
            for path in Path("voc").iterdir(): archive.add(path, path.name)
            link = tarfile.TarInfo("VOCdevkit/VOC2007/link")
            link.type, link.linkname = tarfile.SYMTYPE, str(folder)
            archive.addfile(link)
            for name in [*names, "VOCdevkit/VOC2007/link/evil"]:
                info = tarfile.TarInfo(name)
                info.size = 4
                archive.addfile(info, io.BytesIO(b"evil"))
    outside = contents("..")
    assert f"devkit.{kind}" in refused(voc_items, f"devkit.{kind}", "train", (2007,))
    new = [Path(path) for path in contents("..").keys() - outside.keys()]
    assert all(path == Path("..", folder.name, "cache") for path in new)  # an empty folder

def sources():
    "Every file and every notebook cell that runs: name → code"
    for path in [*ROOT.glob("dqsstn/*.py"), *ROOT.glob("scripts/*.py")]: yield path.name, path.read_text()
    for path in ROOT.glob("nbs/*.ipynb"):
        for cell in read_nb(path).cells:
            if cell.cell_type == "code":
                yield f"{path.name} {cell.id}", re.sub(r"^\s*!.*$", "", cell.source, flags=re.M)  # a line for the shell

UNSAFE = {"load_learner", "joblib", "dill", "cloudpickle", "allow_pickle", "add_safe_globals",
          "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"}

UNPICKLING = ("torch.load(f)", "torch.load(f, weights_only=False)", "np.load(f, allow_pickle=True)",
              "from fastai.learner import load_learner", "import joblib",
              "os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'")

def unsafe(code):
    "What ruff's security rules do not know: torch.load without weights_only=True, and what unpickles under other names"
    for node in ast.walk(ast.parse(code)):
        names = {getattr(node, field, None) for field in ("id", "attr", "arg", "name", "module")}
        loads = isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
        if loads and "weights_only=True" not in [ast.unparse(k) for k in node.keywords]: yield ast.unparse(node)
        if isinstance(node, ast.Constant) and node.value in UNSAFE: yield node.value
        yield from names & UNSAFE

def test_nothing_unpickles():
    assert [(name, found) for name, code in sources() for found in unsafe(code)] == []
    assert sum("torch.load(" in code for _, code in sources()) > 1  # it looks where there is something to see
    for code in UNPICKLING: assert list(unsafe(code)), code

DANGEROUS = {
    "eval(x)": "S307", "exec(x)": "S102", "os.system(x)": "S605", "subprocess.run(x, shell=True)": "S602",
    "pickle.load(x)": "S301", "yaml.load(x)": "S506", "pd.read_pickle(x)": "S301",
    "tarfile.open(x).extractall()": "S202", "hashlib.md5(x)": "S324", "requests.get(x, verify=False)": "S501"}

@pytest.mark.parametrize("name", ["dqsstn/x.py", "scripts/x.py", "nbs/x.ipynb"])
def test_ruff_refuses(name):
    imports = "import hashlib, os, pickle, subprocess, tarfile\nimport pandas as pd\nimport requests, yaml\n"
    code = imports + "def f(x):\n" + "".join(f"    {call}\n" for call in DANGEROUS)
    if name.endswith("ipynb"):
        code = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]))
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--stdin-filename", name, "-"]
    found = subprocess.run(command, input=code, cwd=ROOT, capture_output=True, text=True).stdout
    assert {rule for rule in DANGEROUS.values() if rule in found} == {*DANGEROUS.values()}

def test_no_address_without_encryption():
    patterns = ("*.md", "*.toml", "*.ini", "*.cff", "*.yml", "Makefile", "dqsstn/*.py", "scripts/*.py",
                ".github/workflows/*")
    texts = {path.name: path.read_text() for pattern in patterns for path in ROOT.glob(pattern)}
    for path in ROOT.glob("nbs/*.ipynb"):
        texts |= {f"{path.name} {cell.id}": cell.source for cell in read_nb(path).cells}
    assert [name for name, text in texts.items() if "http://" in text] == []
    assert sum("https://" in text for text in texts.values()) > 5

@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*")), ids=lambda p: p.name)
def test_workflows(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"]["contents"] == "read"
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    rules = [line for line in (ROOT/"Makefile").read_text().splitlines() if ":" in line]
    targets = {line.split(":")[0] for line in rules if not line.startswith(("\t", "#"))}
    for step in steps:
        if "uses" in step: assert "@v" in step["uses"]
        elif step["run"].startswith("make "): assert step["run"].split()[1] in targets
    if path.name == "test.yaml":
        audit = next(shlex.split(step["run"]) for step in steps if "pip_audit" in step.get("run", ""))
        audited = ROOT/audit[-1]
        assert all("==" in line for line in audited.read_text().splitlines() if not line.startswith("#"))
