"""The command line: what it prints and where, what it writes, and when it stops."""
import csv
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import torch
from conftest import ROOT, SMALL, TINY, annotation, call, contents, make_voc, photo, start
from PIL import Image
from safetensors.torch import load_file

import dqsstn
from dqsstn.files import write_text
from dqsstn.evaluate import RESULTS_SCHEMA
from dqsstn.policies import POLICIES

COMMANDS = ["demo", "data describe", "train", "evaluate", "predict", "export", "reproduce", "report"]

HELP = pytest.mark.parametrize("args", [["--help"], ["train", "--help"]], ids=" ".join)

@HELP
def test_help_imports_nothing_large(args):
    code = """import sys
from dqsstn.cli import main
try: main()
finally: print(*{m.partition(".")[0] for m in sys.modules}, file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Usage: dqsstn" in done.stdout and "dqsstn" in done.stderr.split()
    assert not {"PIL", "fastai", "matplotlib", "pandas", "scipy", "sklearn", "timm", "torch"} & set(done.stderr.split())

@HELP
@pytest.mark.slow
def test_help_is_quick(args):
    "In seconds of the processor, of which other work on the machine takes none away"
    def used(): return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    taken = []
    for _ in range(5):
        before, process = used(), start(*args)
        process.communicate()
        taken.append(used() - before)
    assert min(taken) < 1

def test_version(): assert call("--version").stdout == f"dqsstn {dqsstn.__version__}\n"

@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_with_an_example(command):
    text = call(f"{command} --help").stdout
    assert f"Example: dqsstn {command}" in text
    assert ("--json" in text) == (command not in ("reproduce", "report"))  # whose numbers are a CSV file

def test_help_lists_every_command():
    text = call("--help").stdout
    assert all(f" {c.split()[0]} " in text for c in COMMANDS)

def test_train_writes_a_run_folder(trained):
    run, outcome = trained
    results = json.loads(outcome.stdout)
    assert json.loads((run/"results.json").read_text()) == results
    jsonschema.validate(results, RESULTS_SCHEMA)
    assert (results["data"], results["split"], results["seeds"]) == ("sample, seed 0", "valid", [0])
    assert results["n_images"] < 60 and "mixture" in results
    provenance = json.loads((run/"provenance.json").read_text())
    assert provenance["sample"] == dict(seed=0, n_train=60, n_test=30)
    assert provenance["command"].startswith("dqsstn train --config demo --sample --n-train 60")
    for name, kind in dict(learning="PNG", bins="PNG", filmstrip="PNG", episode="GIF").items():
        with Image.open(run/"figures"/f"{name}.{kind.lower()}") as picture: assert picture.format == kind
    assert [p.name for p in run.parent.iterdir()] == ["run"]
    assert "Traceback" not in outcome.stderr and "training on" in outcome.stderr and "100%" in outcome.stderr

def test_demo_shows_its_table_and_its_pictures(folder):
    outcome = call(f"demo {TINY} {SMALL} --seed 2 --json here.json")
    assert all(p in outcome.stdout for p in POLICIES)
    assert "demo-run/figures/filmstrip.png" in outcome.stdout and "demo-run/figures/episode.gif" in outcome.stdout
    results = json.loads(Path("here.json").read_text())
    jsonschema.validate(results, RESULTS_SCHEMA)
    about = results["data"], results["split"], results["seeds"], results["n_images"]
    assert about == ("sample, seed 2", "val", [2], 30)
    assert Path("demo-run/results.json").read_text() == Path("here.json").read_text()

def test_train_without_agent_epochs_has_no_learning_curve(folder):
    call(f"train --config demo --sample {TINY} {SMALL} --set epochs=0,mixture=false --out run")
    assert {p.name for p in Path("run/figures").iterdir()} == {"bins.png", "filmstrip.png", "episode.gif"}

def test_evaluate_measures_the_runs_own_sample(run, folder):
    results = json.loads(call(["evaluate", str(run), "--sample", "--json", "-"]).stdout)
    jsonschema.validate(results, RESULTS_SCHEMA)
    assert (results["split"], results["n_images"], results["data"]) == ("val", 30, "sample, seed 0")
    agent = results["policies"]["agent"]
    assert agent["per_seed"] == [{k: v for k, v in agent.items() if k != "per_seed"}]

def test_evaluate_of_several_seeds(seeds):
    outcome = call(f"evaluate {' '.join(seeds)} --sample --json all.json --csv all.csv")
    results = json.loads(Path("all.json").read_text())
    jsonschema.validate(results, RESULTS_SCHEMA)
    assert results["seeds"] == [0, 1]
    for policy in results["policies"].values():
        assert len(policy["per_seed"]) == 2
        assert policy["iou_after"] == pytest.approx(sum(p["iou_after"] for p in policy["per_seed"]) / 2)
    assert "±" in outcome.stdout and "all with one classifier" in outcome.stdout

def test_csv_is_added_to(run, folder):
    for _ in range(2): call(["evaluate", str(run), "--sample", "--split", "valid", "--csv", "rows.csv"])
    lines = Path("rows.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * len(POLICIES) and lines[1:1 + len(POLICIES)] == lines[1 + len(POLICIES):]
    with Path("rows.csv").open() as file: rows = list(csv.DictReader(file))
    assert [r["policy"] for r in rows] == list(POLICIES) * 2
    assert rows[0]["command"].startswith("dqsstn train --config demo") and " && dqsstn evaluate " in rows[0]["command"]

def test_predict_as_a_process_prints_json_only(run, folder):
    for name in ("one/x.png", "two/x.png", "y.png"):
        Path(name).parent.mkdir(exist_ok=True)
        photo(1).save(name)
    process = start("predict", run, "one/x.png", "two/x.png", "y.png", "--filmstrip", "strips", "--json", "-")
    out, err = process.communicate()
    assert process.returncode == 0 and err == ""
    predictions = json.loads(out)
    assert [p["image"] for p in predictions] == ["one/x.png", "two/x.png", "y.png"]
    assert [p["filmstrip"] for p in predictions] == ["strips/x-1.png", "strips/x-2.png", "strips/y.png"]
    assert all(Path(p["filmstrip"]).is_file() and len(p["actions"]) == 4 and len(p["window"]) == 4 for p in predictions)
    assert all(0 <= p[k]["probability"] <= 1 for p in predictions for k in ("whole_image", "final_view"))

def test_predict_prints_a_table(run, folder):
    photo().save("x.png")
    outcome = call(["predict", str(run), "x.png"])
    assert "x.png" in outcome.stdout and "final view" in outcome.stdout and sorted(contents()) == ["x.png"]

def test_interrupt(folder, monkeypatch):
    "Before there is anything to save; tests/test_resume.py interrupts trainings"
    def wait(*_): raise KeyboardInterrupt
    monkeypatch.setattr("dqsstn.runs.make_bank", wait)
    outcome = call(f"train --config demo --sample {TINY} {SMALL} --out run", code=130)
    assert (outcome.stdout, outcome.stderr.splitlines()[-1]) == ("", "dqsstn: stopped") and contents() == {}

def test_json_is_replaced_whole(folder, monkeypatch):
    path = Path("x.json")
    write_text("old", path)
    with monkeypatch.context() as patch:
        def full(*_, **__): raise OSError("no space left on device")
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError): write_text("new", path)
    assert path.read_text() == "old" and [p.name for p in folder.iterdir()] == ["x.json"]

def boxes_file(path, **splits):
    "A file of boxes: split → number of photos with one dog"
    numbered = [(split, i) for split, n in splits.items() for i in range(n)]
    images = {f"{split}_{i}": dict(split=split, objects=[[0, 1, 1, 50, 50, i % 2]]) for split, i in numbered}
    Path(path).write_text(json.dumps(dict(classes=["dog"], images=images)))

def n_images(line): return json.loads(call(f"data describe {line} --json -").stdout)["n_images"]

def test_options_take_lists_or_are_repeated(folder):
    boxes_file("boxes.json", **{"2007_val": 4, "2012_val": 6})
    describe = "--boxes boxes.json --split val"
    assert n_images(f"{describe} --years 2007") == 4
    for both in ("", " --years 2007,2012", " --years 2007 --years 2012"): assert n_images(describe + both) == 10
    assert n_images(f"{describe} --no-difficult") == 5

def test_describe_reads_every_kind_of_data(folder, monkeypatch):
    make_voc("voc")
    assert n_images("--voc voc --years 2007") == n_images("--voc voc/VOCdevkit --years 2007 --split val") == 8
    monkeypatch.setenv("DQSSTN_VOC", "voc")
    assert n_images("--years 2007") == 8
    for split in ("train", "val"):
        for sub in ("images", "labels"): Path("yolo", sub, split).mkdir(parents=True)
        photo(len(split)).save(f"yolo/images/{split}/a.jpg")
        Path(f"yolo/labels/{split}/a.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    Path("yolo/data.yaml").write_text("names: [cat, dog]\n")
    assert n_images("--yolo yolo --split val") == 1
    coco = dict(categories=[dict(id=7, name="dog")], images=[dict(id=1, file_name="a.jpg", width=96, height=64)],
                annotations=[dict(image_id=1, category_id=7, bbox=[10, 10, 40, 30])])
    Path("val.json").write_text(json.dumps(coco))
    assert n_images("--coco {split}.json --images yolo/images/{split} --split val") == 1
    table = call("data describe --yolo yolo").stdout
    assert "YOLO yolo, split train: 1 photos" in table and "dog" in table

def test_photos_without_objects_are_left_out_and_listed(folder):
    voc = make_voc("voc")
    (voc/"Annotations"/"000003.xml").write_text(annotation())
    outcome = call("data describe --voc voc --years 2007 --json -")
    figures = json.loads(outcome.stdout)
    assert (figures["n_images"], figures["n_skipped"], figures["skipped"]) == (7, 1, {"000003": "no objects"})
    assert "000003: no objects" in outcome.stderr

BOXES = Path(os.environ.get("DQSSTN_BOXES", "voc07_12_boxes.json"))

@pytest.mark.skipif(not BOXES.is_file(), reason="needs the boxes of VOC2007 and VOC2012: "
                                               "set DQSSTN_BOXES to voc07_12_boxes.json")
def test_figures_of_voc_from_its_boxes(folder):
    describe = ["data", "describe", "--boxes", str(BOXES), "--json", "-", "--split"]
    val, train = (json.loads(call([*describe, split]).stdout) for split in ("val", "train"))
    assert (val["n_images"], train["n_images"]) == (8333, 8218)
    shares = [val[key] for key in ("single_pct", "disjoint_pct", "overlapping_pct")]
    assert (shares, val["covered_over"]["0.4"]) == ([41.35, 10.76, 47.88], 14.76)

VOC = os.environ.get("DQSSTN_VOC")

@pytest.mark.skipif(not VOC, reason="needs VOC2007 and VOC2012: set DQSSTN_VOC to the folder that holds VOCdevkit")
def test_figures_of_voc_from_its_photos(folder):
    figures = json.loads(call(["data", "describe", "--voc", VOC, "--json", "-", "--split", "val"]).stdout)
    if figures["n_images"] < 8333: pytest.skip(f"DQSSTN_VOC holds {figures['n_images']} of the 8333 photos of val")
    assert (figures["single_pct"], figures["disjoint_pct"], figures["overlapping_pct"]) == (41.35, 10.76, 47.88)
    assert figures["covered_over"]["0.4"] == 14.76

@pytest.mark.parametrize("settings", ["classifier_training=joint,reward=combined,loss_weight=inverse_iou",
                                      "classifier_training=frozen,agent=all_actions,gamma=0,reward_weight=accuracy"])
def test_the_paper_configuration_trains_in_step_or_frozen(folder, settings):
    call(f"train --config paper --sample {TINY} {SMALL} --set arch=small_cnn,pretrained=false,{settings} --out run")
    jsonschema.validate(json.loads(Path("run/results.json").read_text()), RESULTS_SCHEMA)
    nets = {name: load_file(f"run/classifier_{name}.safetensors") for name in ("baseline", "agent")}
    updates = [int(next(v for k, v in net.items() if k.endswith("num_batches_tracked"))) for net in nets.values()]
    same = all(torch.equal(v, nets["agent"][k]) for k, v in nets["baseline"].items())
    assert updates[0] == updates[1] and same == ("frozen" in settings)
