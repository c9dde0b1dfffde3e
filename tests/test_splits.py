"""Splits that go together: classes matched by name, whose split is for validation, and copies that stay together."""
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, call, make_voc, photo
from PIL import Image, ImageEnhance, ImageOps
from recording import Table, refused

from dqsstn import runs
from dqsstn.config import CONFIGS
from dqsstn.data import Item, Items, holdout
from dqsstn.experiments import Lab
from dqsstn.files import InputError
from dqsstn.formats import coco_items, yolo_items
from dqsstn.sample import SAMPLE_CLASSES, sample_items
from dqsstn.splits import photo_dls, with_classes
from dqsstn.voc import voc_items

table = Table(__file__)

# classes, matched by name

def picture_number(split, k): return 1000 * sum(map(ord, split)) + k  # no two splits share one

def write_coco(split, categories, *names):
    "A file with a photo of one object for each of `names`, which are classes; `categories` is {id: name}"
    ids = {name: k for k, name in categories.items()}
    images, annotations = [], []
    Path(split).mkdir()
    for k, name in enumerate(names):
        photo(picture_number(split, k)).save(f"{split}/{split}{k}.jpg")
        images.append(dict(id=k, file_name=f"{split}{k}.jpg", width=96, height=64))
        annotations.append(dict(id=k, image_id=k, category_id=ids[name], bbox=[0, 0, 48, 32]))
    categories = [dict(id=k, name=name) for k, name in categories.items()]
    content = dict(images=images, annotations=annotations, categories=categories)
    Path(f"{split}.json").write_text(json.dumps(content))

def read_coco(split): return coco_items("{split}.json", "{split}", split)

def write_yolo(root, split, names, *numbers):
    "A folder with a photo for each of `numbers` of classes; `names` is the list of classes"
    for folder in ("images", "labels"): Path(root, folder, split).mkdir(parents=True)
    Path(root, "data.yaml").write_text(json.dumps(dict(names=names)))
    for k, number in enumerate(numbers):
        photo(picture_number(split, k)).save(Path(root, "images", split, f"{split}{k}.jpg"))
        Path(root, "labels", split, f"{split}{k}.txt").write_text(f"{number} .5 .5 .4 .4\n")

def labels(items): return [item.salient_label for item in items]

@pytest.fixture
def animals(folder):
    "Train knows cat, owl, fox. Validation numbers them as they appear, and has no owl"
    write_coco("train", {1: "cat", 2: "owl", 3: "fox"}, "cat", "owl", "fox", "fox")
    write_coco("valid", {1: "fox", 2: "cat"}, "fox", "cat", "fox")
    return read_coco("fit"), read_coco("valid")

def test_coco_files_that_number_classes_differently(
        animals, case=table.case("splits", "a COCO file of validation that numbers the classes differently")):
    fit, valid = animals
    assert labels(fit) == [0, 1, 2, 2]
    assert labels(valid) == [0, 1, 0]  # fox, cat, fox, as the file numbers them
    matched = with_classes(valid, fit.classes)
    assert labels(matched) == [2, 0, 2] and matched.classes == ("cat", "owl", "fox")
    assert [item.boxes for item in matched] == [item.boxes for item in valid]
    case.works("classes are matched by name")

def test_yolo_folders_with_classes_in_another_order(folder):
    write_yolo("a", "train", ["cat", "owl", "fox"], 0, 1, 2)
    write_yolo("b", "val", ["fox", "cat", "owl"], 0, 1, 2, 0)
    fit, other = yolo_items("a", "train"), yolo_items("b", "val")
    assert labels(with_classes(other, fit.classes)) == [2, 0, 1, 2]

def test_dataloaders_name_the_right_classes(animals):
    dls = photo_dls(*animals, size=16, bs=3)
    _, _, present, salient = dls.valid.one_batch()
    assert [dls.vocab[-1][k] for k in salient] == ["fox", "cat", "fox"]
    assert present.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]

def test_training_and_studies_get_the_right_labels(animals, monkeypatch):
    banks = []
    def bank(items, *_):
        banks.append(labels(items))
        if len(banks) == 2: raise InputError("enough")
    monkeypatch.setattr(runs, "make_bank", bank)
    with pytest.raises(InputError, match="enough"): runs.train_run(CONFIGS["demo"], *animals)
    assert banks == [[0, 1, 2, 2], [2, 0, 2]]
    lab = Lab(lambda split, seed: dict(zip(("fit", "valid", "test"), (*animals, animals[1])))[split], "weights")
    assert [labels(lab.items(split, 0)) for split in ("test", "valid", "fit")] == [[2, 0, 2], [2, 0, 2], [0, 1, 2, 2]]

def test_evaluation_of_classes_in_another_order(run, folder):
    digits = sample_items("val", n_train=60, n_test=30)
    for root, names in (("same", SAMPLE_CLASSES), ("turned", SAMPLE_CLASSES[::-1])):
        for sub in ("images", "labels"): Path(root, sub, "val").mkdir(parents=True)
        Path(root, "classes.txt").write_text("\n".join(names))
        for item in digits:
            Path(root, "images", "val", item.path.name).write_bytes(item.path.read_bytes())
            boxes = [(x1 + x2, y1 + y2, 2 * (x2 - x1), 2 * (y2 - y1)) for x1, y1, x2, y2 in item.boxes]
            lines = [f"{names.index(SAMPLE_CLASSES[label])} " + " ".join(f"{side / 2 / 128:.17g}" for side in box)
                     for label, box in zip(item.labels, boxes)]
            Path(root, "labels", "val", f"{item.name}.txt").write_text("\n".join(lines))
    same, turned = (json.loads(call(f"evaluate {run} --yolo {root} --json -").stdout) for root in ("same", "turned"))
    assert same["policies"] == turned["policies"]

def test_class_that_training_does_not_know(animals, case=table.case("splits", "classes that only validation has")):
    for old in [*Path("valid").iterdir()]: old.unlink()
    Path("valid").rmdir()
    write_coco("valid", dict(enumerate(["emu", "fox", "gnu", "cat", "pig"])), "gnu", "emu", "fox")  # no pig is there
    line = "train --coco {split}.json --images {split} --out new --config demo"
    case.refused(refused(line, "valid: has objects of classes that fit does not know (emu, gnu)", "cat, owl, fox"))
    for use in (photo_dls, lambda *parts: runs.train_run(CONFIGS["demo"], *parts)):
        with pytest.raises(InputError, match=r"fit does not know \(emu, gnu\)"): use(animals[0], read_coco("valid"))

# whose split is for validation

def held_out(name): return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 100 < 15

def parts(read): return {part: sorted(item.path.name for item in read(part)) for part in ("fit", "valid")}

def files(split, n): return sorted(f"{split}{k}.jpg" for k in range(n))

@pytest.mark.parametrize("name", ["valid", "validation"])
def test_own_validation_split_leaves_all_of_train_for_training(name, folder, monkeypatch):
    for split, n in (("train", 12), (name, 3), ("test", 2)): write_yolo("yolo", split, ["cat"], *[0] * n)
    for split, n in (("train", 12), (name, 3)): write_coco(split, {1: "cat"}, *["cat"] * n)
    voc = make_voc("voc", 12, splits=("train", name, "val"))
    whole = dict(fit=files("train", 12), valid=files(name, 3))
    assert parts(lambda part: yolo_items("yolo", part)) == parts(read_coco) == whole
    there = {split: (voc/"ImageSets"/"Main"/f"{split}.txt").read_text().split() for split in ("train", name)}
    found = {part: [item.name for item in voc_items("voc", part, (2007,))] for part in ("fit", "valid")}
    assert found == dict(fit=there["train"], valid=there[name])
    def stop(*_, **__): raise InputError("enough")
    monkeypatch.setattr(runs, "train_run", stop)
    Path("yolo/labels/train/train5.txt").unlink()
    told = call("train --yolo yolo --out new --config demo", code=2).stderr
    assert "training on 11 photos, validating on 3, measuring on 3 of split valid, 1 left out" in told

def test_a_split_called_val_is_for_testing(folder):
    voc = make_voc("voc", 40)
    names = (voc/"ImageSets"/"Main"/"train.txt").read_text().split()
    found = {part: [item.name for item in voc_items("voc", part, (2007,))] for part in ("fit", "valid")}
    assert found["fit"] and found["valid"] == [name for name in names if held_out(name)]
    assert found["fit"] == [name for name in names if not held_out(name)]

# copies

def saved(name, picture, **options):
    path = Path(f"{name}.jpg")
    picture.save(path, **options)
    return Item(name, path, picture.size, ((0, 0, 9, 9),), (0,), (False,))

def brighter(picture): return ImageEnhance.Brightness(picture).enhance(1.1)

COPIES = dict(again=lambda p: p, small=lambda p: p.resize((p.width // 4, p.height // 4)), bright=brighter,
              large=lambda p: p.resize((2 * p.width, 2 * p.height)), mirrored=ImageOps.mirror,
              cut=lambda p: p.crop((3, 3, p.width - 3, p.height - 3)))

def items_of(*items): return Items(items, ("cat",), "train")

@pytest.mark.parametrize("original", ["owl", "bird"])  # of which one is held out
def test_copies_go_where_their_original_goes(original, folder):
    names = [f"{original}_{kind}" for kind in COPIES]
    assert {held_out(name) for name in names} == {False, True}  # by their own names they would be divided
    picture = photo(3, (400, 300))
    copies = [saved(name, copy(picture), quality=60) for name, copy in zip(names, COPIES.values())]
    others = [saved(f"{k:04d}", photo(100 + k, (400, 300))) for k in range(60)]
    fit, valid = holdout(items_of(saved(original, picture), *others, *copies))
    side, other = (valid, fit) if held_out(original) else (fit, valid)
    assert {original, *names} <= {item.name for item in side}
    assert {item.name for item in valid} - {original, *names} == {item.name for item in others if held_out(item.name)}
    assert side.notes == ("groups of copies that are kept together: 1, of 7 photos",) and other.notes == ()

def test_versions_by_roboflow_stay_together(folder, case=table.case("splits", "several versions that Roboflow has made "
                                                                              "of each photo")):
    for k in range(30):
        for version in range(3):
            digest = hashlib.md5(f"{k} {version}".encode()).hexdigest()  # noqa: S324  a file's name
            name = f"street{k}_jpg.rf.{digest}"
            for sub in ("images", "labels"): Path("yolo", sub, "train").mkdir(parents=True, exist_ok=True)
            photo(10 * k + version).save(f"yolo/images/train/{name}.jpg")
            Path("yolo/labels/train", f"{name}.txt").write_text("0 .5 .5 .4 .4\n")
    Path("yolo/classes.txt").write_text("cat\n")
    valid = {item.name for item in yolo_items("yolo", "valid")}
    expected = {f"street{k}" for k in range(30) if held_out(f"street{k}")}
    assert expected and {name.partition("_jpg")[0] for name in valid} == expected and len(valid) == 3 * len(expected)
    told = call("data describe --yolo yolo --split fit --json -").stderr
    assert told == f"fit: groups of copies that are kept together: {30 - len(expected)}, of {90 - len(valid)} photos\n"
    case.works(f"all versions of a photo are on one side: {90 - len(valid)} to train on, {len(valid)} to validate on")

def test_nothing_but_copies(folder, case=table.case("splits", "a data set of copies of one photo")):
    write_yolo("yolo", "train", ["cat"], *[0] * 40)
    for k, path in enumerate(sorted(Path("yolo/images/train").iterdir())): brighter(photo()).save(path, quality=50 + k)
    line = "train --yolo yolo --out new --config demo"
    case.refused(refused(line, "train: 40 photos, but 1 without copies", "valid"))

def test_photos_that_cannot_be_compared(folder):
    "Photos of one colour and broken ones look like nothing; their names alone decide"
    names = [f"{k:03d}" for k in range(60)]
    plain = [saved(name, Image.new("RGB", (64, 64), (k, k, k))) for k, name in enumerate(names)]
    for item in plain[:20]: item.path.write_bytes(item.path.read_bytes()[:300])
    plain[20].path.unlink()
    fit, valid = holdout(items_of(*plain))
    assert [item.name for item in valid] == [name for name in names if held_out(name)] and not fit.notes + valid.notes

def test_describe_counts_copies_in_other_splits(folder):
    for split, n in (("train", 6), ("valid", 4), ("test", 2)): write_yolo("yolo", split, ["cat"], *[0] * n)
    images = Path("yolo/images")
    made = {"valid/valid0": "train/train1", "valid/valid2": "train/train1", "train/train5": "test/test0"}
    for target, source in made.items():
        ImageOps.mirror(Image.open(images/f"{source}.jpg")).save(images/f"{target}.jpg", quality=60)
    def copies(split): return json.loads(call(f"data describe --yolo yolo --split {split} --json -").stdout)["copies"]
    assert copies("train") == dict(valid=1, test=1)
    assert copies("valid") == dict(fit=2, test=0)
    assert copies("test") == dict(train=1, valid=0)
    assert "another split has a copy: 1 in valid, 1 in test\n" in call("data describe --yolo yolo --split train").stdout
    write_yolo("alone", "train", ["cat"], *[0] * 3)
    assert "no other split to compare with" in call("data describe --yolo alone").stdout

# other processes

SCRIPT = """
import multiprocessing
import sys
from pathlib import Path

from dqsstn.data import Item, Items
from dqsstn.splits import photo_dls

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    def items(*numbers):
        return Items(tuple(Item(f"{k}", Path(f"{k}.png"), (30, 20), ((3, 4, 15, 12),), (k % 2,), (False,))
                           for k in numbers), ("cat", "owl"), "photos")
    dls = photo_dls(items(0, 1), items(2, 3, 4), size=16, bs=2, num_workers=2)
    for source, boxes, _, salient in dls.valid:
        print([round(255 * float(red)) for red in source[:, 0, 0, 0]], boxes[:, 0, 0].tolist(), salient.tolist())
"""

@pytest.mark.slow  # each worker imports PyTorch
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_that_start_afresh(method, folder):
    for k in range(5): Image.new("RGB", (30, 20), (40 * k, 0, 0)).save(f"{k}.png")
    Path("script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py", method], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.stdout.splitlines() == ["[80, 120] [-0.800000011920929, -0.800000011920929] [0, 1]",
                                        "[160] [-0.800000011920929] [0]"], done.stderr

def test_table(): table.check()
