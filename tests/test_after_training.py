"""Whatever goes wrong after the last update, the networks are there, and one command makes what is missing."""
import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import SMALL, TINY, call, make_voc, photo
from recording import Table, refused

from dqsstn import cli_runs, evaluate, pictures, report
from dqsstn.checkpoint import Checkpoints
from dqsstn.data import is_held_out
from dqsstn.experiments import Lab, read_rows
from dqsstn.files import is_unfinished, unmeasured_file

table, group = Table(__file__), "after a training"
SETTINGS = f"{TINY} {SMALL} --set mixture=false"
COMMANDS = {  # command line, and what is done before it
    "train": f"train --config demo --sample {SETTINGS} --out run",
    "demo": f"demo {SETTINGS} --out run",
    "train --resume": "train --resume run",
}
FILES = {"results.json", *(f"figures/{name}" for name in ("bins.png", "episode.gif", "filmstrip.png", "learning.png"))}

class Broken(RuntimeError): pass

def broken(*_, **__): raise Broken("the printer is\non fire")

def full(*_, **__): raise OSError(28, "No space left on device", "somewhere")

POINTS = {  # what fails: module, name of a function of it
    "measuring": (evaluate, "evaluate"),
    "putting the numbers together": (evaluate, "make_results"),
    "writing results.json": (cli_runs, "write_json"),
    "the bins": (pictures, "plot_bins"),
    "the filmstrip": (pictures, "filmstrip"),
    "the learning curve": (pictures, "plot_learning"),
    "the moving picture": (pictures, "save_gif"),
    "a folder for pictures": (Path, "replace"),
}

@pytest.fixture(scope="module")
def trained_but_for_the_end(tmp_path_factory, cache):
    "A folder in which all networks are trained, and none is saved yet"
    here = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DQSSTN_CACHE", str(cache))
        patch.chdir(here)
        patch.setattr("dqsstn.runs.save_run", interrupted)
        call(COMMANDS["train"], code=130)
    return here/"run"

def interrupted(*_): raise KeyboardInterrupt

@contextmanager
def failing(module, name, how=broken):
    "Within the block a function fails"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, how)
        yield

def files(run): return {path.relative_to(run).as_posix() for path in Path(run).rglob("*") if path.is_file()}

def check_usable(run):
    "The run can do all that a run can do"
    assert not is_unfinished(run) and unmeasured_file(run).is_file() and not (run/"checkpoint").exists()
    photo().save("photo.png")
    assert json.loads(call(f"predict {run} photo.png --json -").stdout)[0]["image"] == "photo.png"
    assert json.loads(call(f"evaluate {run} --sample --json -").stdout)["policies"]

@pytest.mark.parametrize("how", [broken, full])
@pytest.mark.parametrize("point", POINTS)
def test_every_failure_after_training(trained_but_for_the_end, folder, run, point, how):
    shutil.copytree(trained_but_for_the_end, "run")
    if POINTS[point][1] == "replace": how = replace_fails(how)
    with failing(*POINTS[point], how): err = call("train --resume run", code=2).stderr.splitlines()[-1]
    lacks = "results.json and its figures" if point in list(POINTS)[:3] else "its figures"
    assert err.startswith(f"dqsstn: run: is trained and can be used, but lacks {lacks} (")
    assert err.endswith("mend that, and make them with `dqsstn report run`")
    assert ("on fire" in err) != ("No space left on device" in err)
    check_usable(Path("run"))
    again = call("report run")
    assert "agent" in again.stdout and again.stderr.startswith("run: is trained, and is measured now")
    assert files("run") >= FILES and not unmeasured_file("run").exists()
    assert call("train --resume run").stderr == "run: is complete\n"
    assert call("report run").stderr == "run: is complete\n"

def replace_fails(how):
    "As `how`, when the folder of pictures is put in its place"
    replace = Path.replace
    def attempt(self, target):
        if Path(target).name == "figures": how()
        return replace(self, target)
    return attempt

@pytest.mark.parametrize("command", ["train", "demo"])
def test_every_command_that_trains(folder, command):
    with failing(evaluate, "evaluate"): err = call(COMMANDS[command], code=2).stderr.splitlines()[-1]
    assert err.startswith("dqsstn: run: is trained and can be used")
    check_usable(Path("run"))
    with failing(pictures, "save_gif", interrupted): err = call("train --resume run", code=130).stderr.splitlines()[-1]
    assert err == "dqsstn: stopped; run is trained, measure it with dqsstn report run"
    whole = call("train --resume run --json -")  # the other way to say it
    assert json.loads(whole.stdout) == json.loads(Path("run/results.json").read_text())
    assert files("run") >= FILES

def test_measured_as_without_the_failure(trained_but_for_the_end, folder):
    for name in ("whole", "failed"): shutil.copytree(trained_but_for_the_end, name)
    call("train --resume whole")
    with failing(pictures, "plot_bins"): call("train --resume failed", code=2)
    call("report failed")
    for name in files("whole"): assert Path("whole", name).read_bytes() == Path("failed", name).read_bytes(), name

def test_photos_that_were_moved_meanwhile(folder):
    make_voc("voc")
    with failing(evaluate, "evaluate"): call(f"train --voc voc --years 2007 --config demo {SMALL} --out run", code=2)
    shutil.move("voc", "moved")
    err = call("report run", code=2).stderr.splitlines()[-1]
    assert "voc: no such folder" in err and "can be used" in err
    call("train --resume run --voc moved --years 2007")
    assert files("run") >= FILES

def test_a_run_that_somebody_saved_in_python(run, folder, case=table.case(group, "a report of a run without results")):
    shutil.copytree(run, "mine")
    Path("mine/results.json").unlink()
    case.refused(refused("report mine", "mine: has no results", "dqsstn evaluate mine"))

def test_studies_keep_their_rows(folder):
    line = f"reproduce --table 1 --rewards discrete_iou --sample {SETTINGS} --seeds 1 --jobs 1 --out study"
    with failing(report, "write_report"): err = call(line, code=2).stderr.splitlines()[-1]
    assert "results.csv: holds all rows, but" in err and "the printer is on fire" in err
    rows = read_rows("study/results.csv")
    assert len(rows) == 7
    with failing(report, "save_figures", full): call(line, code=2)
    call(line)
    assert read_rows("study/results.csv").equals(rows) and Path("study/tables.md").is_file()

# what is found before the first update

def not_trained(*_): raise AssertionError("a training has begun")

@pytest.fixture
def no_training(monkeypatch): monkeypatch.setattr(Checkpoints, "train", not_trained)

def test_a_disk_that_is_too_small(folder, no_training, monkeypatch, case=table.case(group, "a disk too small for it")):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000))
    message = call(COMMANDS["train"], code=2).stderr.splitlines()[-1]
    assert "run: needs up to" in message and "has 5 MB left" in message and not Path("run").exists()
    case.refused(message)

def test_figures_that_cannot_be_drawn(folder, no_training, monkeypatch):
    monkeypatch.setattr(pictures, "plot_items", full)
    assert "No space left" in call(COMMANDS["train"], code=2).stderr
    assert not Path("run/q_net.safetensors").exists()

def test_a_study_whose_test_photos_are_training_photos(folder, monkeypatch):
    for method in ("base", "agent"): monkeypatch.setattr(Lab, method, not_trained)
    voc = make_voc("voc")
    known = next(name for name in ("000000", "000001") if not is_held_out(name))
    shutil.copy(voc/"JPEGImages"/f"{known}.jpg", voc/"JPEGImages"/"001000.jpg")  # one of val shows one of train
    line = f"reproduce --table 1 --voc voc --years 2007 --config demo {SMALL} --seeds 1 --out study --jobs 1"
    assert "split val: 1 of its 8 photos, such as 001000, are training photos" in call(line, code=2).stderr

def write_labelled(root, split, name, label):
    "A photo with one box, in YOLO's layout"
    for kind in ("images", "labels"): (root/kind/split).mkdir(parents=True, exist_ok=True)
    photo(int(name)).save(root/"images"/split/f"{name}.png")
    (root/"labels"/split/f"{name}.txt").write_text(f"{label} 0.5 0.5 0.4 0.4")

@pytest.mark.parametrize("name", ["Ba$$in", "$", "a_b^c$", "猫", "\U0010fffd"])
def test_class_names_as_people_write_them(folder, name):
    for k, split in enumerate(("train", "val")):
        for i in range(8): write_labelled(Path("yolo"), split, f"{k}{i}", i % 2)
    Path("yolo/data.yaml").write_text(json.dumps(dict(names=[name, "dog"]), ensure_ascii=False), "utf-8")
    call(f"train --yolo yolo --config demo {SMALL} --set mixture=false --out run")
    assert files("run") >= FILES
    assert name in json.loads(Path("run/provenance.json").read_text())["classes"]

def test_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder/"home"))
    monkeypatch.setenv("USERPROFILE", str(folder/"home"))
    monkeypatch.setenv("RUNS", str(folder/"runs"))
    for out in ("~/runs/a", "$RUNS/b"): call(COMMANDS["train"].replace("--out run", f"'--out={out}'"))
    assert files("home/runs/a") >= FILES and files("runs/b") >= FILES
    assert not list(folder.glob("~*")) and not list(folder.glob("$*"))

def test_table(): table.check()
