"""Bad input: one line, exit code 2, and nothing changed on disk. Odd input that is not bad: no complaint."""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import annotation, call, contents, make_voc, photo, start
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dqsstn.config import InputError, load_config
from dqsstn.data import boxes_items, coco_items, load_photo, voc_items, yolo_items
from dqsstn.qnet import create_net, save_weights

DESCRIBE = "data describe --voc voc --years 2007 --json out.json"
TRAIN = "train --voc voc --years 2007 --out new --config demo"

def refused(line, *words, cache=None):
    "The message of a refused command line, after checking that it is one line and that every file is as it was"
    before = contents(), cache and contents(cache)
    outcome = call(line, code=2)
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("dqsstn: ") and outcome.stderr.count("\n") == 1 and outcome.stderr.endswith("\n")
    for word in words: assert word in outcome.stderr
    assert (contents(), cache and contents(cache)) == before
    return outcome.stderr

@pytest.fixture
def voc(folder): return make_voc("voc")

@pytest.mark.parametrize("line, words", [
    ("data describe --voc nowhere", ["nowhere", "no such folder"]),
    ("data describe --voc voc/VOCdevkit/VOC2007/JPEGImages", ["JPEGImages", "VOCdevkit"]),
    ("data describe --voc voc/VOCdevkit/VOC2007", ["VOC2007", "VOCdevkit"]),
    ("data describe --voc voc", ["VOC2012", "2007"]),
    ("data describe --voc voc --years 2007 --split test", ["test", "train", "val"]),
    ("data describe --voc voc --years 2007,twelve", ["twelve", "--years 2007,2012"]),
    ("data describe", ["--voc DIR", "--boxes FILE"]),
    ("data describe --voc voc --sample", ["not by --voc and --sample"]),
    ("data describe --sample --years 2007", ["--years", "--voc or --boxes"]),
    ("data describe --yolo voc --seed 3", ["--seed", "--sample"]),
    ("data describe --coco x.json", ["--images"]),
    ("data describe --boxes nowhere.json", ["nowhere.json"]),
    ("data describe --sample --json nowhere/out.json", ["nowhere", "make it first"]),
    ("data describe --sample --json voc", ["voc", "is a folder"]),
    ("train --config demo --out new", ["--sample"]),
    ("train --config nowhere --sample --out new", ["nowhere", "paper, tuned, demo"]),
    (f"{TRAIN} --set gama=0.5", ["gama", "unknown field"]),
    (f"{TRAIN} --set epochs=many", ["epochs", "many"]),
    (f"{TRAIN} --set gamma=2", ["gamma", "2"]),
    (f"{TRAIN} --set gamma", ["--set gamma", "key=value"]),
    (f"{TRAIN} --set device=cuda:99", ["cuda:99", "device=cpu"]),
    (f"{TRAIN} --set arch=resnet1800,pretrained=false", ["resnet1800"]),
    (f"{TRAIN} --set weights=nowhere.pth", ["nowhere.pth"]),
    (f"{TRAIN} --out voc", ["voc", "already holds files"]),
    (f"{TRAIN} --out voc/VOCdevkit/VOC2007/ImageSets/Main/train.txt", ["train.txt", "is a file"]),
    (f"{TRAIN} --out voc/VOCdevkit/VOC2007/ImageSets/Main/train.txt/run", ["train.txt is no folder to write in"]),
    (f"{TRAIN} --json nowhere/out.json", ["nowhere", "make it first"]),
    ("demo --out voc", ["voc", "already holds files"]),
    ("demo --set gama=1", ["gama"]),
    ("evaluate voc --sample", ["voc", "not a run folder", "config.json"]),
    ("evaluate nowhere --sample", ["nowhere", "not a run folder"]),
    ("predict nowhere x.jpg", ["nowhere", "not a run folder"]),
], ids=lambda x: x if isinstance(x, str) else "")
def test_command_line(voc, cache, line, words): refused(line, *words, cache=cache)

@pytest.mark.parametrize("text, words", [
    ('{"gama": 0.5}', ["mine.json", "gama"]),
    ('{"epochs": "many"}', ["mine.json", "epochs", "many"]),
    ('{"epochs": -1}', ["mine.json", "epochs", "-1"]),
    ('{"flip": "perhaps"}', ["mine.json", "flip", "perhaps"]),
    ('{"reward": "big"}', ["mine.json", "reward", "big"]),
    ('{"agent": "all_actions"}', ["mine.json", "gamma=0"]),
    ('{"epochs": 1', ["mine.json", "not valid JSON"]),
    ('[1]', ["mine.json", "object"]),
])
def test_configuration_file(voc, text, words):
    Path("mine.json").write_text(text)
    refused("train --voc voc --years 2007 --out new --config mine.json", *words)

def change(voc, name):
    "One way in which a data set can be broken"
    photo_file, xml, main = voc/"JPEGImages"/"000003.jpg", voc/"Annotations"/"000003.xml", voc/"ImageSets"/"Main"/"train.txt"
    if name == "missing photo": photo_file.unlink()
    elif name == "missing annotation": xml.unlink()
    elif name == "photo that nobody has": main.write_text(main.read_text() + "009999\n")
    elif name == "truncated photo": photo_file.write_bytes(photo_file.read_bytes()[:-300])
    elif name == "empty photo": photo_file.write_bytes(b"")
    elif name == "text as photo": photo_file.write_text("no photo")
    elif name == "malformed XML": xml.write_text("<annotation><object>")
    elif name == "empty XML": xml.write_text("")
    elif name == "binary XML": xml.write_bytes(bytes(range(256)))
    elif name == "XML with entities": xml.write_text('<!DOCTYPE a [<!ENTITY x "yyyy">]><annotation>&x;</annotation>')
    elif name == "box outside": xml.write_text(annotation((10, 10, 120, 40)))
    elif name == "box inverted": xml.write_text(annotation((50, 10, 10, 40)))
    elif name == "box of no area": xml.write_text(annotation((10, 10, 10, 40)))
    elif name == "box of words": xml.write_text(annotation(("left", 10, 50, 40)))
    elif name == "box of NaN": xml.write_text(annotation(("nan", 10, 50, 40)))
    elif name == "box lacks a side": xml.write_text(annotation((10, 10, 50, 40)).replace("<xmin>10</xmin>", ""))
    elif name == "unknown class": xml.write_text(annotation((10, 10, 50, 40), name="unicorn"))
    elif name == "another photo's size": xml.write_text(annotation((10, 10, 50, 40), size=(500, 333)))

BROKEN = {"missing photo": "000003.jpg", "missing annotation": "000003.xml", "photo that nobody has": "009999", "truncated photo": "000003.jpg",
          "empty photo": "000003.jpg", "text as photo": "000003.jpg", "malformed XML": "000003.xml", "empty XML": "000003.xml",
          "binary XML": "000003.xml", "XML with entities": "000003.xml", "box outside": "(10, 10, 120, 40)", "box inverted": "(50, 10, 10, 40)",
          "box of no area": "(10, 10, 10, 40)", "box of words": "left", "box of NaN": "nan", "box lacks a side": "xmin", "unknown class": "unicorn",
          "another photo's size": "500x333"}

@pytest.mark.parametrize("name", BROKEN)
def test_broken_data(voc, name):
    change(voc, name)
    message = refused(DESCRIBE, BROKEN[name])
    assert refused(TRAIN, BROKEN[name]) == message
    outcome = call(f"{DESCRIBE.replace('out.json', '-')} --skip-bad")
    figures = json.loads(outcome.stdout)
    assert figures["n_images"] in (7, 8) and figures["n_skipped"] == 1
    assert list(figures["skipped"].values())[0].replace("(skip_bad)", "(--skip-bad)") in message
    assert "1 left out" in outcome.stderr

def test_nothing_to_train_on(folder):
    voc = make_voc("voc", n=2)
    for xml in (voc/"Annotations").iterdir(): xml.write_text(annotation())
    before = contents()
    outcome = call(TRAIN, code=2)
    assert outcome.stderr.splitlines()[-1].startswith("dqsstn: VOC 2007: no photo with objects in split fit")
    assert outcome.stdout == "" and contents() == before

def test_weights_of_another_architecture(voc):
    save_weights(create_net("small_cnn", 10), "small.safetensors", {"arch": "small_cnn"})
    refused(f"{TRAIN} --set arch=resnet18,weights=small.safetensors", "small.safetensors", "small_cnn", "resnet18")
    Path("text.safetensors").write_text("no weights")
    refused(f"{TRAIN} --set weights=text.safetensors", "text.safetensors")

@pytest.mark.parametrize("name, text, words", [
    ("config.json", lambda t: t.replace("small_cnn", "resnet18"), ["small_cnn", "resnet18"]),
    ("config.json", lambda t: t.replace('"gamma"', '"gama"'), ["config.json", "gama"]),
    ("config.json", lambda t: t[:-5], ["config.json"]),
    ("provenance.json", lambda t: t[:-5], ["provenance.json"]),
    ("provenance.json", lambda t: "{}", ["provenance.json"]),
    ("metrics.csv", None, ["metrics.csv"]),
    ("q_net.safetensors", None, ["q_net.safetensors"]),
    ("classifier_random.safetensors", None, ["random"]),
])
def test_damaged_run(run, folder, name, text, words):
    shutil.copytree(run, "run")
    file = Path("run", name)
    if text: file.write_text(text(file.read_text()))
    else: file.unlink()
    photo().save("x.png")
    refused("evaluate run --sample", *words)
    refused("predict run x.png --json out.json --filmstrip strips", *words)

def test_runs_that_are_no_seeds_of_one_another(seeds, folder):
    path = Path("seed1/config.json")
    config = json.loads(path.read_text())
    refused("evaluate seed0 seed0 --sample", "seed0: has the seed of seed0")
    path.write_text(json.dumps(config | {"gamma": 0.9}))
    refused("evaluate seed0 seed1 --sample", "seed1", "gamma", "0.9")

def test_evaluation_on_other_classes(run, voc):
    before, outcome = contents(), call(["evaluate", str(run), "--voc", "voc", "--years", "2007", "--json", "out.json", "--csv", "out.csv"], code=2)
    assert outcome.stderr.splitlines()[-1].startswith("dqsstn: ") and "classes" in outcome.stderr
    assert contents() == before

def test_table_that_is_no_table_of_results(run, folder):
    Path("prices.csv").write_text("item,price\n")
    refused(["evaluate", str(run), "--sample", "--csv", "prices.csv"], "prices.csv", "item, price")

@pytest.mark.parametrize("name", ["missing.jpg", "folder", "text.jpg", "empty.jpg", "truncated.jpg"])
def test_photos_that_cannot_be_predicted(run, folder, name):
    Path("folder").mkdir()
    Path("text.jpg").write_text("no photo")
    Path("empty.jpg").write_bytes(b"")
    photo().save("good.jpg")
    Path("truncated.jpg").write_bytes(Path("good.jpg").read_bytes()[:-300])
    refused(["predict", str(run), "good.jpg", name, "--json", "out.json", "--filmstrip", "strips"], name)

def test_as_a_process(voc):
    before, process = contents(), start("train", "--config", "nowhere", "--voc", "voc", "--out", "new", "--json", "-")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith("dqsstn: nowhere: ") and err.count("\n") == 1
    assert contents() == before

def odd_photos(folder):
    "Photos that are not 8-bit RGB and upright, all showing the same"
    upright, grey = photo(), photo().convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.save(folder/"rgb.png")
    grey.save(folder/"grey.png")
    grey.convert("1").save(folder/"bilevel.png")
    upright.convert("CMYK").save(folder/"cmyk.jpg")
    upright.convert("P").save(folder/"palette.gif")
    upright.convert("P").save(folder/"transparent.png", transparency=0)
    upright.convert("RGBA").save(folder/"rgba.png")
    grey.convert("LA").save(folder/"la.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(folder/"deep.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(folder/"deep.tif")
    upright.transpose(Image.Transpose.ROTATE_90).save(folder/"lying.jpg", exif=exif)
    return sorted(folder.iterdir())

def test_odd_photos_just_work(run, folder):
    Path("odd").mkdir()
    paths = odd_photos(Path("odd"))
    predictions = json.loads(call(["predict", str(run), *map(str, paths), "--filmstrip", "strips", "--json", "-"]).stdout)
    assert [p["image"] for p in predictions] == [str(p) for p in paths]
    assert all(0 <= p["window"][0] < p["window"][2] <= 96 and 0 <= p["window"][1] < p["window"][3] <= 64 for p in predictions if "lying" in p["image"])
    assert len(list(Path("strips").iterdir())) == len(paths)

def test_odd_photos_can_be_trained_on(folder):
    voc = make_voc("voc")
    Path("odd").mkdir()
    for i, path in enumerate(odd_photos(Path("odd"))[:8]): shutil.copy(path, voc/"JPEGImages"/f"{i:06d}.jpg")
    figures = json.loads(call("data describe --voc voc --years 2007 --json -").stdout)
    assert (figures["n_images"], figures["n_skipped"]) == (8, 0)

fuzz = settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))

def mutated(data, good):
    "`good` with a stretch of bytes replaced by others"
    at = data.draw(st.integers(0, len(good)))
    return good[:at] + data.draw(st.binary(max_size=12)) + good[at + data.draw(st.integers(0, 40)):]

def reads_or_refuses(read, *args, **kwargs):
    try: read(*args, **kwargs)
    except InputError as e: assert "\n" not in str(e).strip()

def altered(data, value):
    "A JSON value with one part dropped or replaced"
    odd = st.sampled_from([None, -1, 0, 1e400, "x", "", [], {}, [1], {"a": 1}, True, "../x", 10 ** 30])
    if not isinstance(value, (dict, list)) or not value or data.draw(st.integers(0, 3)) == 0: return data.draw(odd)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key, out = data.draw(st.sampled_from(keys)), value.copy()
    if data.draw(st.booleans()): out[key] = altered(data, value[key])
    else: del out[key]
    return out

@given(st.data())
@fuzz
def test_any_annotation(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("voc")
    xml = make_voc(root, n=1, splits=("train",))/"Annotations"/"000000.xml"
    xml.write_bytes(mutated(data, xml.read_bytes()))
    reads_or_refuses(voc_items, root, "train", (2007,))
    assert len(voc_items(root, "train", (2007,), skip_bad=True).items) <= 1

@given(st.data())
@fuzz
def test_any_photo(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("photo")/"x.jpg"
    photo().save(path)
    path.write_bytes(mutated(data, path.read_bytes()))
    reads_or_refuses(load_photo, path)

@given(st.data())
@fuzz
def test_any_configuration(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("config")/"x.json"
    path.write_bytes(mutated(data, b'{"gamma": 0.5, "epochs": 3, "arch": "small_cnn", "flip": true}'))
    reads_or_refuses(load_config, path)

@given(st.data())
@fuzz
def test_any_boxes(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("boxes")/"x.json"
    good = dict(classes=["cat", "dog"], images={"a": dict(split="2007_val", objects=[[0, 1, 1, 50, 50, 0], [1, 2, 2, 9, 9, 1]])})
    path.write_text(json.dumps(altered(data, good)))
    reads_or_refuses(boxes_items, path, "val", (2007,))

@given(st.data())
@fuzz
def test_any_coco(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("coco")
    photo().save(folder/"a.jpg")
    good = dict(categories=[dict(id=7, name="dog")], images=[dict(id=1, file_name="a.jpg", width=96, height=64)],
                annotations=[dict(image_id=1, category_id=7, bbox=[10, 10, 40, 30], iscrowd=0)])
    (folder/"x.json").write_text(json.dumps(altered(data, good)))
    reads_or_refuses(coco_items, folder/"x.json", folder)

@given(st.data())
@fuzz
def test_any_yolo(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("yolo")
    for sub in ("images/train", "labels/train"): (folder/sub).mkdir(parents=True)
    photo().save(folder/"images/train/a.jpg")
    (folder/"labels/train/a.txt").write_bytes(mutated(data, b"1 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.1 0.1\n"))
    (folder/"data.yaml").write_bytes(mutated(data, b"names: [cat, dog]\n") if data.draw(st.booleans()) else b"names: [cat, dog]\n")
    reads_or_refuses(yolo_items, folder)
