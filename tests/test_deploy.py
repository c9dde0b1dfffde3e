"""A run as one ONNX file: it says what the run folder says, whatever the configuration, and is whole or not there."""
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, call, photo
from PIL import Image
from torch import nn

import dqsstn.learner
from dqsstn import deploy
from dqsstn.config import CONFIGS, override
from dqsstn.files import InputError
from dqsstn.data import bank_from_photos
from dqsstn.deploy import (
    OUTPUTS, WholeEpisode, check_photos, differences, export_onnx, load_onnx, open_onnx, predict_onnx,
)
from dqsstn.backbones import create_net
from dqsstn.learner import make_env
from dqsstn.runs import ANSWERS, Run, load_run, predict

class Standardized(nn.Module):
    "A network of random weights, whose outputs over views have mean 0 and deviation 1: its best action changes"
    def __init__(self, net, views):
        super().__init__()
        self.net = net.eval()
        with torch.no_grad(): outputs = net(views)
        self.register_buffer("mean", outputs.mean(0))
        self.register_buffer("std", outputs.std(0))
    def forward(self, view): return (self.net(view) - self.mean) / self.std

def random_run(settings, photos):
    "A run of random weights that takes all kinds of actions on `photos`"
    config = override(CONFIGS["demo"], [f"{settings},device=cpu"])
    torch.manual_seed(0)
    nets = [create_net(config.arch, n, dueling=config.dueling and n == 6) for n in (6, 5, 5)]
    env = make_env(bank_from_photos(photos, config.source_size, config.resize), config)
    start = env.reset(range(len(photos)))
    zoomed = env.step(start, torch.full_like(start.index, env.actions.index("zoom_in")))
    views = torch.cat([env.render(start), env.render(zoomed)])
    q_net, baseline, classifier = (Standardized(net, views) for net in nets)
    classifiers, classes = dict(baseline=baseline, agent=classifier), ("ant", "bee", "cat", "dog", "eel")
    return Run(config, classes, q_net, classifiers, 0, dict(data="photos"), pd.DataFrame(), {})

@pytest.fixture
def photos(folder):
    "Photos of several shapes"
    sizes = [(96, 64), (64, 96), (70, 70), (200, 50), (40, 33)]
    for seed, size in enumerate(sizes): photo(seed, size).save(f"{seed}.png")
    return [f"{seed}.png" for seed in range(len(sizes))]

def agree(one, other):
    "Whether two predictions are the same, but for the last digit of a probability"
    for a, b in zip(one, other, strict=True):
        assert {k: a[k] for k in ("image", "window", "actions")} == {k: b[k] for k in ("image", "window", "actions")}
        for seen in ANSWERS:
            assert a[seen]["label"] == b[seen]["label"]
            assert a[seen]["probability"] == pytest.approx(b[seen]["probability"], abs=1.01e-4)

@pytest.mark.parametrize("settings", [
    "arch=small_cnn,dueling=true,source_size=48,view_size=40,horizon=3,move_px=20,zoom_factor=0.6,resize=letterbox",
    *(pytest.param(settings, marks=pytest.mark.slow) for settings in (
        "arch=small_cnn,horizon=10",
        "arch=small_cnn,source_size=33,view_size=32,horizon=1,move_px=1",
        "arch=resnet18,source_size=64,view_size=64,horizon=3,dueling=true",
        "arch=tf_efficientnet_lite0,source_size=80,view_size=64,horizon=2,resize=letterbox"))])
def test_file_says_what_the_networks_say(photos, settings):
    run = random_run(settings, photos)
    report = export_onnx(run, "some.onnx")
    assert max(report["differences"].values()) <= 1e-4 and report["same_actions"] == report["photos"] == 4
    shutil.move("some.onnx", "moved.onnx")
    model = load_onnx("moved.onnx")
    assert (model.config, model.classes, model.provenance) == (run.config, run.classes, run.provenance)
    found, _, episode = predict_onnx(model, photos, batch_size=2)
    expected, _, played = predict(run, photos)
    agree(found, expected)
    assert torch.allclose(episode.thetas, played.thetas, atol=1e-6)
    assert len(set(played.actions.flatten().tolist())) >= min(3, run.config.horizon)  # else this would show little

@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    "The ONNX file of the tiny run, and what `export --json -` printed"
    file = tmp_path_factory.mktemp("onnx")/"run.onnx"
    return file, json.loads(call(["export", str(trained[0]), "--onnx", str(file), "--json", "-"]).stdout)

def test_export_reports(exported):
    file, report = exported
    assert (report["file"], report["bytes"], report["photos"]) == (str(file), file.stat().st_size, 4)
    assert set(report["differences"]) == set(OUTPUTS) and max(report["differences"].values()) <= 1e-4
    assert [p.name for p in file.parent.iterdir()] == [file.name]

def test_file_names_no_folder_of_the_machine(exported):
    content = exported[0].read_bytes()
    assert b".py" not in content and str(ROOT).encode() not in content

def test_predict_takes_the_file(run, exported, photos, monkeypatch):
    folder = json.loads(call(["predict", str(run), *photos, "--filmstrip", "by-run", "--json", "-"]).stdout)
    shutil.copy(exported[0], "alone.onnx")
    def forbidden(*args, **kwargs): raise AssertionError("a network was made")
    monkeypatch.setattr(dqsstn.learner, "create_net", forbidden)
    outcome = call(["predict", "alone.onnx", *photos, "--filmstrip", "by-file", "--json", "-"])
    file = json.loads(outcome.stdout)
    agree(file, folder)
    assert outcome.stderr == ""
    assert [p["filmstrip"] for p in file] == [f"by-file/{Path(name).stem}.png" for name in photos]
    def strip(where, name):  # without its text: the run's has a probability below every view, the file's below the last
        return np.asarray(Image.open(Path(where, name).with_suffix(".png")).convert("L"), np.int16)[:90]
    for name in photos:
        strips = [strip(where, name) for where in ("by-run", "by-file")]
        assert strips[0].shape == strips[1].shape and np.abs(strips[0] - strips[1]).mean() < 1

def test_file_needs_neither_torch_nor_the_library(exported, run, photos):
    program = """
import json, sys
sys.modules["torch"] = sys.modules["dqsstn"] = None
import numpy as np, onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["dqsstn"])
photo = Image.open(sys.argv[2]).convert("RGB").resize((about["config"]["source_size"],) * 2, Image.Resampling.BILINEAR)
p, actions = session.run([about["answer"], "actions"], {"source": np.asarray(photo).transpose(2, 0, 1)[None]})
print(json.dumps([about["classes"][p[0].argmax()], [about["actions"][a] for a in actions[0]]]))
"""
    words = [sys.executable, "-c", program, str(exported[0]), photos[0]]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = predict(load_run(run, "cpu"), photos[:1])[0][0]
    assert json.loads(out) == [found[found["answer"]]["label"], found["actions"]]

@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(exported, folder, share):
    content = exported[0].read_bytes()
    Path("torn.onnx").write_bytes(content[:int(share * len(content))])
    torn = "torn.onnx: (damaged, or no ONNX file|an ONNX file, but not one)"
    with pytest.raises(InputError, match=torn): load_onnx("torn.onnx")

def test_bad_files_get_one_line(run, photos, exported):
    import onnx
    foreign = onnx.load(exported[0])
    del foreign.metadata_props[:]
    onnx.save(foreign, "foreign.onnx")
    foreign.metadata_props.add(key="dqsstn", value="[]")
    onnx.save(foreign, "list.onnx")
    shutil.copy(photos[0], "photo.onnx")
    resized = onnx.load(exported[0])
    about = json.loads(resized.metadata_props[0].value)
    about["config"]["source_size"] += 1
    resized.metadata_props[0].value = json.dumps(about)
    onnx.save(resized, "resized.onnx")
    cases = dict.fromkeys(["resized.onnx", "foreign.onnx", "list.onnx"], "not one that")
    cases |= {"photo.onnx": "damaged, or no ONNX file", "nowhere.onnx": "no such file"}
    for name, words in cases.items():
        outcome = call(f"predict {name} {photos[0]} --json out.json", code=2)
        assert outcome.stderr.startswith(f"dqsstn: {name}: ") and words in outcome.stderr
        assert outcome.stderr.count("\n") == 1
    assert not Path("out.json").exists()

def test_field_of_another_version(exported, folder):
    import onnx
    model = onnx.load(exported[0])
    about = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps(about | dict(config=about["config"] | dict(gama=1)))
    onnx.save(model, "other.onnx")
    with pytest.raises(InputError, match="other.onnx: unknown field 'gama'"): load_onnx("other.onnx")

@pytest.mark.parametrize("line, words", [
    ("export nowhere --onnx x.onnx", ["nowhere", "not a run folder"]),
    ("export RUN --onnx nowhere/x.onnx", ["nowhere", "--onnx"]),
    ("export RUN --onnx .", [".", "--onnx"]),
    ("export RUN --onnx x.txt", ["x.txt", "ends in .onnx"])])
def test_bad_export_gets_one_line(run, folder, line, words):
    outcome = call(line.replace("RUN", str(run)), code=2)
    assert outcome.stderr.startswith("dqsstn: ") and outcome.stderr.count("\n") == 1
    assert all(word in outcome.stderr for word in words)
    assert list(Path().iterdir()) == []

@pytest.mark.parametrize("line", ["predict FILE 0.png", "export RUN --onnx x.onnx"])
def test_missing_extra_is_named(run, exported, photos, monkeypatch, line):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    outcome = call(line.replace("RUN", str(run)).replace("FILE", str(exported[0])), code=2)
    assert outcome.stderr == "dqsstn: onnxruntime is not installed; pip install 'dqsstn[onnx]'\n"

class Spoilt:
    "A session whose outputs are changed"
    def __init__(self, session, **changes): self.session, self.changes = session, changes
    def run(self, names, *args):
        values = dict(zip(names, self.session.run(names, *args)))
        return [self.changes.get(name, lambda x: x)(value) for name, value in values.items()]

@pytest.mark.parametrize("name, change", {
    "whole_image": lambda p: p + np.float32(2e-4), "average": lambda p: p * np.float32("nan"),
    "q_values": lambda q: q * 1.001 + 1e-3,
    "thetas": lambda theta: theta + np.float32(1e-3), "actions": lambda a: (a + 1) % 6}.items())
def test_file_that_differs_is_not_written(run, exported, folder, monkeypatch, name, change):
    Path("old.onnx").write_text("what was there")
    monkeypatch.setattr(deploy, "onnx_bytes", lambda *args: exported[0].read_bytes())
    monkeypatch.setattr(deploy, "open_onnx", lambda file: Spoilt(open_onnx(file), **{name: change}))
    with pytest.raises(InputError, match="old.onnx: not written, as ONNX Runtime differs from PyTorch"):
        export_onnx(load_run(run, "cpu"), "old.onnx")
    assert [p.read_text() for p in Path().iterdir()] == ["what was there"]

def test_exporter_that_fails(run, folder, monkeypatch):
    def fail(*args, **kwargs): raise RuntimeError("no such operation\nand much more")
    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(InputError, match="x.onnx: not written, torch .* cannot put small_cnn into an ONNX file"):
        export_onnx(load_run(run, "cpu"), "x.onnx")
    assert list(Path().iterdir()) == []

def test_export_leaves_the_run_as_it_is(run, folder, exported, monkeypatch):
    loaded = load_run(run, "cpu")
    loaded.q_net.train()
    before = {name: value.clone() for name, value in loaded.q_net.state_dict().items()}
    monkeypatch.setattr(deploy, "onnx_bytes", lambda *args: exported[0].read_bytes())
    export_onnx(loaded._replace(config=dataclasses.replace(loaded.config, precision="bf16")), "x.onnx")
    assert loaded.q_net.training
    assert all(torch.equal(value, before[name]) for name, value in loaded.q_net.state_dict().items())

def test_near_tie_is_no_difference(run):
    "Where rounding decides between two actions, a file is judged on the way that it took"
    class Tied(nn.Module):
        def __init__(self, net, second):
            super().__init__()
            self.net, self.second = net, second
        def forward(self, view):
            q = self.net(view)
            best = q.amax(1, keepdim=True) + 1
            return torch.cat([best, best + self.second, q[:, 2:]], 1)
    episode, other = (WholeEpisode(load_run(run, "cpu")).eval() for _ in range(2))
    source = check_photos(48)
    episode.q_net, other.q_net = Tied(episode.q_net, 0), Tied(other.q_net, 1e-5)  # the file's, rounded differently
    with torch.no_grad(): own, found = (dict(zip(OUTPUTS, net(source))) for net in (episode, other))
    assert (own["actions"] == 0).all() and (found["actions"] == 1).all()
    assert (own["thetas"] - found["thetas"]).abs().max() > 0.1
    assert max(differences(episode, source, found).values()) < 1e-4
    other_way = found | dict(actions=own["actions"])  # which do not belong to the largest of the file's own Q-values
    assert differences(episode, source, other_way)["actions"] == 1

@pytest.mark.slow
def test_graph_that_does_not_run(run, folder, monkeypatch):
    export = torch.onnx.export
    def with_frozen_batch(*args, dynamic_shapes, **kwargs): return export(*args, **kwargs)
    monkeypatch.setattr(torch.onnx, "export", with_frozen_batch)
    with pytest.raises(InputError, match="x.onnx: not written, .* into an ONNX file that runs"):
        export_onnx(load_run(run, "cpu"), "x.onnx")
    assert list(Path().iterdir()) == []
