"""Shared by the tests: which of them run and how they are counted, commands in this process, a tiny trained run, and
data sets of a few photos."""
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dqsstn.cli import app

ROOT = Path(__file__).resolve().parent.parent
TINY = "--n-train 60 --n-test 30"
SMALL = ("--set epochs=1,pretrain_epochs=1,classifier_epochs=1,batch_size=16,view_size=32,source_size=48"
         " --set horizon=4,mixture=true,device=cpu")
FIRST = ("test_passes",)  # files with the longest tests: a long test at the end would run alone
TOGETHER = ("test_deploy", "test_scale", "test_site")  # tests that share what takes long to make: for one process
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}  # for all processes that tests start, too
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore Ctrl-C
matplotlib.use("Agg")

def pytest_addoption(parser):
    parser.addoption("--flags", default="", help="run tests and cells with these flags, too: 'slow', 'gpu', 'data'")

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    "Leave out what is slow or needs a GPU, and begin with the longest tests"
    unwanted = {"slow", "gpu"} - set(config.getoption("flags").split())
    left_out = {item for item in items if unwanted & {mark.name for mark in item.iter_markers()}}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = sorted([item for item in items if item not in left_out], key=lambda item: item.path.stem not in FIRST)

@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    "Each test goes to the process that is free first, except those of the files TOGETHER"
    from xdist.scheduler import LoadScopeScheduling
    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = Path(nodeid.partition("::")[0]).stem
            return file if file in TOGETHER else nodeid
    return Scheduling(config, log)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    "Below everything else: what was skipped and why, and how many tests passed and failed"
    yield
    if not (reporter := session.config.pluginmanager.get_plugin("terminalreporter")):  # a worker of pytest-xdist,
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # which interrupts itself if leaving takes more than five seconds
        return
    passed, skipped, *failures = (reporter.stats.get(key, []) for key in ("passed", "skipped", "failed", "error"))
    failed = max(sum(map(len, failures)), int(exitstatus != 0))  # too little coverage fails without a test of its own
    for reason, n in Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped).items():
        reporter.write_line(f"{n} skipped: {reason}")
    reporter.write_line(f"{len(passed)} passed, {failed} failed")

def call(line, code=0):
    "What a command line did in this process; unexpected errors are raised"
    outcome = CliRunner().invoke(app, line if isinstance(line, list) else shlex.split(line), prog_name="dqsstn")
    if outcome.exception and not isinstance(outcome.exception, SystemExit): raise outcome.exception
    assert outcome.exit_code == code, outcome.stderr
    return outcome

def start(*args, stop=None, **kwargs):
    "The command line as a process of its own; `stop`: (function, number of calls, how), to stop itself (stopping.py)"
    command = [ROOT/"tests"/"stopping.py", *stop] if stop else ["-c", "from dqsstn.cli import main; main()"]
    env = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "GITHUB_ACTIONS")}
    return subprocess.Popen([sys.executable, *map(str, [*command, *args])], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=env | {"PYTHONPATH": str(ROOT)}, **kwargs)

def free_port():
    "A port that nobody has, and that the system gives to nobody who asks for just any"
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with socket.socket() as s, suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")

def contents(folder="."):
    "Every file in a folder, with its bytes; and every folder"
    return {p.as_posix(): p.read_bytes() if p.is_file() else None for p in Path(folder).rglob("*")}

def annotation(*boxes, name="dog", size=(96, 64)):
    "A VOC annotation"
    corners = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
    tags = "".join(f"<object><name>{name}</name><bndbox>{corners.format(*box)}</bndbox></object>"
                   for box in boxes)
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
