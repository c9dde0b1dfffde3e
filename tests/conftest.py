"""Shared by the tests of the command line: commands in this process, a tiny trained run, and data sets of a few photos."""
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dqsstn.cli import app

ROOT = Path(__file__).resolve().parent.parent
TINY = "--n-train 60 --n-test 30"
SMALL = ("--set epochs=1,pretrain_epochs=1,classifier_epochs=1,batch_size=16,view_size=32,source_size=48,horizon=4,mixture=true"
         " --set device=cpu")
matplotlib.use("Agg")

def call(line, code=0):
    "What a command line did in this process; unexpected errors are raised"
    outcome = CliRunner().invoke(app, line if isinstance(line, list) else shlex.split(line), prog_name="dqsstn")
    if outcome.exception and not isinstance(outcome.exception, SystemExit): raise outcome.exception
    assert outcome.exit_code == code, outcome.stderr
    return outcome

def start(*args, **kwargs):
    "The command line as a process of its own"
    env = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "GITHUB_ACTIONS")}
    return subprocess.Popen([sys.executable, "-c", "from dqsstn.cli import main; main()", *map(str, args)], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=env | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, **kwargs)

def contents(folder="."):
    "Every file in a folder, with its bytes; and every folder"
    return {p.as_posix(): p.read_bytes() if p.is_file() else None for p in Path(folder).rglob("*")}

def annotation(*boxes, name="dog", size=(96, 64)):
    "A VOC annotation"
    tags = "".join(f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
                   for a, b, c, d in boxes)
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{tags}</annotation>"

def photo(seed=0, size=(96, 64)):
    "A photo of coloured noise"
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)

def make_voc(root, n=8, year=2007, splits=("train", "val")):
    "A data set of `n` photos a split in VOC's layout, two objects on each"
    folder = Path(root, "VOCdevkit", f"VOC{year}")
    for sub in ("JPEGImages", "Annotations", "ImageSets/Main"): (folder/sub).mkdir(parents=True)
    for k, split in enumerate(splits):
        names = [f"{1000 * k + i:06d}" for i in range(n)]
        (folder/"ImageSets"/"Main"/f"{split}.txt").write_text("\n".join(names) + "\n")
        for i, name in enumerate(names):
            photo(1000 * k + i).save(folder/"JPEGImages"/f"{name}.jpg")
            (folder/"Annotations"/f"{name}.xml").write_text(annotation((10, 10, 50, 40), (60, 5, 90, 15)))
    return folder

@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    "Where samples are made"
    return tmp_path_factory.mktemp("cache")

@pytest.fixture
def folder(tmp_path, monkeypatch, cache):
    "An empty folder to work in; the environment is a user's who has set nothing"
    for name in ("DQSSTN_VOC", "FORCE_COLOR", "GITHUB_ACTIONS"): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DQSSTN_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path

@pytest.fixture(scope="session")
def trained(tmp_path_factory, cache):
    "A run folder of a tiny sample, and what `train --json -` printed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DQSSTN_CACHE", str(cache))
        patch.chdir(tmp_path_factory.mktemp("runs"))
        outcome = call(f"train --config demo --sample {TINY} {SMALL} --out a/run --json -")
        return Path("a/run").resolve(), outcome

@pytest.fixture
def run(trained): return trained[0]

@pytest.fixture
def seeds(run, folder):
    "Two run folders that differ in the seed"
    import shutil
    for seed in (0, 1):
        shutil.copytree(run, f"seed{seed}")
        path = Path(f"seed{seed}/config.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": seed}))
    return "seed0", "seed1"
