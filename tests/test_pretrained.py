"""The model that ships: its files, its answers, and the commands that use it when no run is named."""
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, call

from dqsstn import pretrained
from dqsstn.files import InputError
from dqsstn.pretrained import MODEL, SHIPPED, cat_scene, check_model, load_pretrained, write_model
from dqsstn.runs import ANSWERS, load_run, predict, save_run

@pytest.fixture
def scene(folder):
    cat_scene().save("cat.png")
    return "cat.png"

def test_model_is_small_and_complete():
    check_model()
    files = {file.name: file.stat().st_size for file in MODEL.iterdir()}
    assert files["q_net.safetensors"] <= 2.5e6 and sum(files.values()) <= 3e6
    assert {"README.md", "config.json", "provenance.json", "SHA256SUMS"} <= files.keys()
    listed = {line.split("  ")[1] for line in (MODEL/"SHA256SUMS").read_text().splitlines()}
    assert listed == files.keys() - {"SHA256SUMS"}

def test_model_says_where_it_comes_from():
    run = load_pretrained("cpu")
    about, card = run.provenance, (MODEL/"README.md").read_text()
    assert about["n_images"] == sum(about["photos"].values()) and set(about["photos"]) <= set(run.classes)
    assert about["command"].startswith("dqsstn train --config tuned --voc ") and "/" not in about["command"]
    assert set(run.seen.values()) == {""} and run.answer == max(ANSWERS, key=about["validation_top1"].get)
    unseen = set(run.classes) - set(about["photos"])
    assert unseen and all(name in card.split("It cannot name ")[1].split(":")[0] for name in unseen)
    for words in ("Apache-2.0", "Bias", str(about["n_images"])): assert words in card

def test_python_and_command_agree(scene):
    found = json.loads(call(f"predict {scene} --json -").stdout)
    assert found == predict(load_pretrained("cpu"), [scene])[0]
    one, = found
    assert one[one["answer"]]["label"] == "cat"
    outcome = call(f"predict {scene} --filmstrip films")
    assert "cat" in outcome.stdout and f"answer: by {one['answer'].replace('_', ' ')}" in outcome.stdout
    assert Path("films/cat.png").is_file()

def test_commands_need_no_network(scene):
    "In a process that cannot open a connection"
    program = """
import socket, sys
def refuse(*args, **kwargs): raise OSError("no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from dqsstn.cli import main
sys.exit(main())
"""
    words = [sys.executable, "-c", program, "predict", scene, "--json", "-"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["average"]["label"] == "cat"

def test_without_a_run_or_photos(run, folder):
    assert call(["predict", str(run)], code=2).stderr == f"dqsstn: {run}: is a run; name photos after it\n"
    assert "missing.jpg" in call("predict missing.jpg", code=2).stderr
    assert "nowhere: not a run folder" in call("predict nowhere cat.jpg", code=2).stderr

def test_demo_goes_without_the_weights(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    tiny = "pretrain_epochs=1,epochs=1,classifier_epochs=1,horizon=2,view_size=32,source_size=48"
    outcome = call(f"demo --n-train 60 --n-test 30 --out demo --set {tiny}")
    assert "without a look at a real photo" in outcome.stderr and "pip install 'dqsstn[weights]'" in outcome.stderr
    assert not Path("demo/figures/cat.png").exists()

def test_demo_ends_with_a_cat(folder):
    tiny = "pretrain_epochs=1,epochs=1,classifier_epochs=1,horizon=2,view_size=32,source_size=48"
    outcome = call(f"demo --n-train 60 --n-test 30 --out demo --set {tiny}")
    assert "demo/figures/cat.png: the model that comes with dqsstn looks at" in outcome.stdout
    assert Path("demo/figures/cat.png").is_file() and Path("demo/figures/cat.jpg").is_file()

@pytest.mark.parametrize("name", ["q_net.safetensors", "config.json", "SHA256SUMS"])
def test_damaged_model(folder, monkeypatch, name):
    copied = Path(shutil.copytree(MODEL, "model"))
    monkeypatch.setattr(pretrained, "MODEL", copied)
    file = copied/name
    if name == "SHA256SUMS": file.unlink()
    else: file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="install dqsstn again"): check_model(copied)

def test_written_again_it_is_the_same(folder):
    run = load_pretrained("cpu")
    out = write_model(run, None, Path("model"))
    for file in ("q_net.safetensors", *(f"classifier_{policy}.safetensors" for policy in SHIPPED)):
        assert (out/file).read_bytes() == (MODEL/file).read_bytes()

def test_half_precision_keeps_the_answers(scene):
    run, rng = load_pretrained("cpu"), torch.Generator().manual_seed(0)
    with torch.no_grad():  # weights that half precision rounds
        for value in run.q_net.parameters(): value += 1e-5 * torch.randn(value.shape, generator=rng)
    save_run(run, "full")
    half = write_model(run, None, Path("half"))
    assert (half/"q_net.safetensors").stat().st_size < 0.6 * Path("full/q_net.safetensors").stat().st_size
    before, after = (predict(load_run(path, "cpu", SHIPPED), [scene])[0][0] for path in ("full", half))
    assert before["actions"] == after["actions"]
    for way in ANSWERS:
        assert before[way]["label"] == after[way]["label"]
        assert before[way]["probability"] == pytest.approx(after[way]["probability"], abs=0.01)

def test_script(folder, monkeypatch):
    "scripts/ship.py replaces the model by that of a run"
    original = MODEL
    monkeypatch.setattr(pretrained, "MODEL", Path("model"))
    script = runpy.run_path(str(ROOT/"scripts"/"ship.py"))
    Path("results.json").write_text("null")
    script["main"](original, "results.json")
    check_model(Path("model"))
    assert (Path("model")/"q_net.safetensors").read_bytes() == (original/"q_net.safetensors").read_bytes()
