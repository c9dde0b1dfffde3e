"""The layouts in which tools write YOLO's format and COCO's: which photos, boxes and classes are read from them."""
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import call, photo
from recording import Table, refused

from dqsstn.data import holdout
from dqsstn.files import InputError
from dqsstn.formats import coco_items, yolo_items

table = Table(__file__)
CLASSES = "cat\n\nowl\n"  # 0 and 2

def described(**says): return yaml.safe_dump(dict(names={0: "cat", 2: "owl"}, **says))

def label(n):
    "In the middle of the photo an object of n tenths of its sides: a cat if n is even, otherwise an owl"
    return f"{2 * (n % 2)} .5 .5 {n / 10} {n / 10}\n"

def files_of(root, files):
    "Write a data set: photos for None, labels for numbers, otherwise texts or bytes"
    for i, (name, content) in enumerate(files.items()):
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None: photo(i).save(path)
        elif isinstance(content, bytes): path.write_bytes(content)
        else: path.write_text(label(content) if isinstance(content, int) else content, encoding="utf-8")
    return Path(root)

def pairs(images="images", labels="labels", suffix=".jpg", **numbers):
    return {f"{images}/{k}{suffix}": None for k in numbers} | {f"{labels}/{k}.txt": n for k, n in numbers.items()}

def beside(folder, suffix=".jpg", **numbers): return pairs(folder, folder, suffix, **numbers)

def read(root, split):
    "{name: n} of a split, for boxes as `label` writes them"
    items, found = yolo_items(root, split), {}
    assert items.name == split
    for item in items:
        (x1, y1, x2, y2), = item.boxes
        n = round((x2 - x1) / 9.6)
        np.testing.assert_allclose(item.boxes[0], (48 - 4.8 * n, 32 - 3.2 * n, 48 + 4.8 * n, 32 + 3.2 * n))
        assert items.classes[item.labels[0]] == ("owl" if n % 2 else "cat")
        found[item.name] = n
    assert not items.skipped
    return found

ROBOFLOW = {**pairs("train/images", "train/labels", a=1, b=2), **pairs("valid/images", "valid/labels", c=3),
            **pairs("test/images", "test/labels", d=4), "README.roboflow.txt": "Owls"}
ROBOFLOW_YAML = dict(train="../train/images", val="../valid/images", test="../test/images")
PARTS = {**pairs("images/train", "labels/train", a=1, b=2), **pairs("images/validation", "labels/validation", c=3)}
TWELVE = {f"p{k}": k % 9 + 1 for k in range(12)}
SIX = "".join(f"images/p{k}.jpg\n" for k in range(0, 12, 2))
EVERY_OTHER = {f"p{k}": k % 9 + 1 for k in range(0, 12, 2)}
CVAT = {"obj.names": CLASSES, **beside("obj_train_data", ".PNG", a=1, b=2),
        "obj.data": "classes = 3\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"}

LAYOUTS = {
    "Roboflow": ({"data.yaml": described(**ROBOFLOW_YAML, nc=2), **ROBOFLOW},
                 dict(train=dict(a=1, b=2), valid=dict(c=3), val=dict(c=3), validation=dict(c=3), test=dict(d=4))),
    "Roboflow in YAML with a list of names": (
        {"data.yaml": yaml.safe_dump(dict(names=["cat", "dog", "owl"], nc=3, **ROBOFLOW_YAML)), **ROBOFLOW},
        dict(train=dict(a=1, b=2), valid=dict(c=3), val=dict(c=3), test=dict(d=4))),
    "Roboflow without a description": ({"classes.txt": CLASSES, **ROBOFLOW},
                                       dict(train=dict(a=1, b=2), valid=dict(c=3), val=dict(c=3), test=dict(d=4))),
    "Roboflow for darknet": ({"train/_darknet.labels": CLASSES, **beside("train", a=1),
                              "valid/_darknet.labels": CLASSES, **beside("valid", b=2)},
                             dict(train=dict(a=1), valid=dict(b=2))),
    "folders of another machine": ({"data.yaml": described(train="/content/owls-1/train/images",
                                                           val="C:\\owls\\valid\\images"), **ROBOFLOW},
                                   dict(train=dict(a=1, b=2), valid=dict(c=3))),
    "Label Studio": ({"classes.txt": CLASSES, "notes.json": "{}", **pairs(a=1, b=2)}, dict(train=dict(a=1, b=2))),
    "FiftyOne": ({"dataset.yaml": described(path="/home/ann/owls", train="./images/train/",
                                            validation="./images/validation/"), **PARTS},
                 dict(train=dict(a=1, b=2), validation=dict(c=3), val=dict(c=3), valid=dict(c=3))),
    "COCO128": ({"coco128.yaml": described(path="../datasets/coco128", train="images/train2017",
                                           val="images/train2017"),
                 "hyp.yaml": "lr0: 0.01", **pairs("images/train2017", "labels/train2017", a=1, b=2)},
                dict(train=dict(a=1, b=2), val=dict(a=1, b=2))),
    "folders with years": ({"classes.txt": CLASSES, **pairs("images/train2017", "labels/train2017", a=1),
                            **pairs("images/val2017", "labels/val2017", b=2)},
                           dict(train=dict(a=1), train2017=dict(a=1), val=dict(b=2))),
    "CVAT 1.1": ({**CVAT, "train.txt": "data/obj_train_data/a.PNG\ndata/obj_train_data/b.PNG\n"},
                 dict(train=dict(a=1, b=2))),
    "CVAT 1.1 with parts": ({"obj.names": CLASSES, **beside("obj_Train_data", a=1),
                             **beside("obj_Validation_data", b=2)},
                            dict(train=dict(a=1), Train=dict(a=1), validation=dict(b=2))),
    "darknet with paths of another machine": (
        {"owl.names": CLASSES, "owl.data": "train=/home/ann/owls/train.txt\nvalid = /home/ann/owls/valid.txt\n"
         "names = /home/ann/owls/owl.names", "train.txt": "/home/ann/owls/data/a.jpg\n",
         "valid.txt": "/home/ann/owls/data/b.jpg\n", **beside("data", a=1, b=2)},
        dict(train=dict(a=1), valid=dict(b=2))),
    "labelImg": ({"classes.txt": CLASSES, **beside(".", a=1, b=2)}, dict(train=dict(a=1, b=2))),
    "labelImg in a folder": ({"owls/classes.txt": CLASSES, **beside("owls", a=1)}, dict(train=dict(a=1))),
    "labelImg with labels apart": ({"labels/classes.txt": CLASSES, **pairs(a=1)}, dict(train=dict(a=1))),
    "labelImg beside the photos in images": ({"images/classes.txt": CLASSES, **beside("images", a=1)},
                                             dict(train=dict(a=1))),
    "labelImg in parts": ({"val/classes.txt": CLASSES, **beside("train", a=1), **beside("val", b=2)},
                          dict(train=dict(a=1), val=dict(b=2))),
    "another order of classes in each folder": (
        {"train/classes.txt": CLASSES, **beside("train", a=1, b=2), "valid/classes.txt": "owl\n\ncat\n",
         "valid/c.jpg": None, "valid/c.txt": label(1).replace("2 ", "0 ")},
        dict(train=dict(a=1, b=2), valid=dict(c=1))),
    "a list of six photos out of twelve": ({"data.yaml": described(train="train.txt"), "train.txt": SIX,
                                            **pairs(**TWELVE)}, dict(train=EVERY_OTHER)),
    "a list without a description": ({"classes.txt": CLASSES, "train.txt": SIX, **pairs(**TWELVE)},
                                     dict(train=EVERY_OTHER)),
    "a list of Windows": ({"classes.txt": CLASSES, **pairs(a=1, b=2, c=3),
                           "train.txt": b'\xef\xbb\xbf"C:\\owls\\images\\a.jpg"\r\n\r\nC:\\owls\\images\\b.jpg\r\n'},
                          dict(train=dict(a=1, b=2))),
    "folders and lists": ({"data.yaml": described(path="owls", train=["one", "two.txt"], val="three/images"),
                           **beside("owls/one", a=1), "owls/two.txt": "./three/images/b.jpg\n",
                           **pairs("owls/three/images", "owls/three/labels", b=2, c=3)},
                          dict(train=dict(a=1, b=2), val=dict(b=2, c=3))),
    "one name in two folders": ({"data.yaml": described(train=["images/x", "images/y"]),
                                 **pairs("images/x", "labels/x", a=1), **pairs("images/y", "labels/y", a=2, b=3)},
                                dict(train={"images_x_a.jpg": 1, "images_y_a.jpg": 2, "b": 3})),
    "names with dots": ({"classes.txt": CLASSES, **pairs(**{"frame.0001": 1, "frame.0002": 2})},
                        dict(train={"frame.0001": 1, "frame.0002": 2})),
    "folders that are called otherwise": ({"classes.txt": CLASSES, **pairs("images/x", "labels/x", a=1),
                                           **pairs("images/y", "labels/y", b=2)},
                                          dict(train=dict(a=1, b=2), x=dict(a=1))),
}

@pytest.mark.parametrize("case, files, expected", table.cases("layouts of YOLO", LAYOUTS))
def test_layout(case, folder, files, expected):
    files_of("owls", files)
    assert {split: read("owls", split) for split in expected} == expected
    for split in expected: assert read(Path("owls").absolute(), split) == expected[split]
    case.works(", ".join(f"{split}: {len(photos)}" for split, photos in expected.items()))

def test_photos_of_every_suffix(folder):
    suffixes = ["jpg", "JPEG", "jpe", "jfif", "png", "bmp", "gif", "webp", "tif", "tiff"]
    files_of("owls", {"classes.txt": CLASSES, **{f"labels/{k}.txt": 1 for k in suffixes}})
    Path("owls/images").mkdir()
    for suffix in suffixes: photo().save(f"owls/images/{suffix}.{suffix}")
    assert read("owls", "train") == dict.fromkeys(suffixes, 1)

def test_a_description_elsewhere(folder, monkeypatch):
    files_of("data/owls", PARTS)
    files_of("configs", {"one.yaml": described(path="../data/owls", train="images/train"),
                         "two.yaml": described(path="$OWLS", train="images/train", val="images/validation")})
    monkeypatch.setenv("OWLS", str(Path("data/owls").absolute()))
    assert read("configs/one.yaml", "train") == read("configs/two.yaml", "train") == dict(a=1, b=2)
    note, = yolo_items("configs/one.yaml").notes
    assert note == f"photos are in {Path('data/owls/images/train').absolute()}, as configs/one.yaml says"

# splits

VALIDATION = {"valid": True, "validation": True, "val": False}

@pytest.mark.parametrize("name", VALIDATION)
@pytest.mark.parametrize("tested", [False, True])
def test_which_split_validates(folder, name, tested):
    "`val` is for validation where there is a test split, otherwise it is the split to measure on"
    files = {"classes.txt": CLASSES, **pairs("train/images", "train/labels", **{f"t{k}": 1 for k in range(20)}),
             **pairs(f"{name}/images", f"{name}/labels", v=2)}
    files_of("owls", files | (pairs("test/images", "test/labels", x=3) if tested else {}))
    own = VALIDATION[name] or tested
    held_out = {item.name for item in holdout(yolo_items("owls", "train"))[1]}
    assert 0 < len(held_out) < 20
    assert set(read("owls", "valid")) == ({"v"} if own else held_out)
    assert read("owls", "val") == dict(v=2)

MISSING = {
    "a split that is not there": ({"data.yaml": described(**ROBOFLOW_YAML), **ROBOFLOW}, "night",
                                  ["owls/data.yaml: no split night", "(test, train, valid)"]),
    "a folder that the description names is not there": (
        {"data.yaml": described(train="../train/images", val="../extra/images", test="../test/images"), **ROBOFLOW},
        "val", ["val is ../extra/images, which is not there", "(test, train)"]),
    "two splits of one name": ({"classes.txt": CLASSES, **pairs("images/train2014", "labels/train2014", a=1),
                                **pairs("images/train2017", "labels/train2017", b=1)}, "train",
                               ["no split train", "(train2014, train2017)"]),
    "a list of photos that are not there": ({"classes.txt": CLASSES, "train.txt": "images/z.jpg\n", **pairs(a=1)},
                                            "train", ["owls/images/z.jpg", "no such file"]),
    "a list that names a photo twice": ({"classes.txt": CLASSES, "train.txt": "images/a.jpg\n./images/a.jpg\n",
                                         **pairs(a=1)}, "train", ["owls/images/a.jpg: more than one line"]),
    "a list of bytes that are no text": ({"classes.txt": CLASSES, "train.txt": bytes(range(256)), **pairs(a=1)},
                                         "train", ["owls/train.txt: no list of photos"]),
    "other classes in each folder of a split": (
        {"train.txt": "x/a.jpg\ny/b.jpg\n", "x/classes.txt": CLASSES, "y/classes.txt": "owl\n\ncat\n",
         **beside("x", a=1), **beside("y", b=1)},
        "train", ["y/classes.txt: names other classes than owls/x/classes.txt"]),
    "no names of classes": (pairs(a=1), "train", ["neither data.yaml nor classes.txt"]),
    "a list of 5000 letters": ({"classes.txt": CLASSES, "train.txt": "a" * 5000, **pairs(a=1)}, "train",
                               ["owls/train.txt: no list of photos"]),
    "a description of 5000 letters": ({"data.yaml": described(train="a" * 5000), **pairs(a=1)}, "train",
                                      ["owls/data.yaml", "is no path"]),
    "a path of a variable that is not set": ({"data.yaml": described(train="$NOWHERE/train"), **pairs(a=1)}, "train",
                                             ["$NOWHERE is not set"]),
    "a file of classes without a class": ({**CVAT, "obj.names": "\n"}, "train", ["obj.names", "no class at all"]),
}

@pytest.mark.parametrize("case, files, split, words", table.cases("layouts of YOLO", MISSING))
def test_what_is_missing(case, folder, files, split, words):
    files_of("owls", files)
    case.refused(refused(f"data describe --yolo owls --split {split} --json out.json", *words))

ONE_IS_MISSING = table.case("layouts of YOLO", "a list with a photo that is not there")

def test_one_photo_of_a_list_is_not_there(folder, case=ONE_IS_MISSING):
    files_of("owls", {"classes.txt": CLASSES, "train.txt": "images/a.jpg\nimages/z.jpg\n", **pairs(a=1)})
    message = refused("data describe --yolo owls --json out.json", "owls/images/z.jpg", "no such file")
    assert [item.name for item in yolo_items("owls", skip_bad=True)] == ["a"]
    assert list(yolo_items("owls", skip_bad=True).skipped) == ["z"]
    case.left_out(message)

# litter and files that nobody knows

LITTER = ["._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/a.jpg", "__MACOSX/._a.jpg", "a.npy", "a.cache",
          ".ipynb_checkpoints/a.jpg"]
PLACES = {"beside": ("photos", "photos"), "apart": ("images/train", "labels/train")}

@pytest.mark.parametrize("place", PLACES)
def test_litter_is_no_part_of_a_data_set(folder, place):
    files_of("owls", {"classes.txt": CLASSES, **pairs(*PLACES[place], a=1, b=2)})
    clean = yolo_items("owls")
    assert {item.name for item in clean} == {"a", "b"}
    files_of("owls", {f"{part}/{name}": "x" for part in (*PLACES[place], ".") for name in LITTER})
    assert yolo_items("owls") == clean and not clean.notes

def test_litter_in_a_list_and_in_coco(folder):
    files_of("owls", {"classes.txt": CLASSES, **pairs(a=1), "images/._a.jpg": "x",
                      "train.txt": "images/._a.jpg\nimages/a.jpg\n"})
    assert read("owls", "train") == dict(a=1)
    images = [dict(id=0, file_name="a.jpg"), dict(id=1, file_name="._a.jpg")]
    write_coco(images, [dict(image_id=0, category_id=1, bbox=[1, 2, 3, 4])])
    items = coco_items("coco.json", "owls/images")
    assert [item.name for item in items] == ["a"] and not items.skipped

UNKNOWN = {"images/train/notes.doc": "x", "images/train/a.psd": "x", "labels/train/old.json": "{}",
           "labels/train/README.txt": "Owls of 2024", "labels/train/a.xml": "<annotation/>"}

UNKNOWN_FILES = table.case("layouts of YOLO", "files that are neither photos nor labels")

def test_unknown_files_are_noted(folder, case=UNKNOWN_FILES):
    files_of("owls", {"classes.txt": CLASSES, **pairs("images/train", "labels/train", a=1), **UNKNOWN})
    note, = yolo_items("owls").notes
    assert note.endswith("not read: images/train/a.psd, images/train/notes.doc, labels/train/README.txt and 2 more")
    told, = call("data describe --yolo owls --json -").stderr.splitlines()
    assert told == f"train: {note}"
    case.works(told)

def test_photos_in_no_split_are_noted(folder):
    files_of("owls", {"classes.txt": CLASSES, **pairs(**TWELVE), "train.txt": SIX, "val.txt": "images/p1.jpg\n"})
    note, = yolo_items("owls").notes
    assert note == "photos that are in no split: images/p11.jpg, images/p3.jpg, images/p5.jpg and 2 more"
    files_of("owls", {"test.txt": "".join(f"images/p{k}.jpg\n" for k in (3, 5, 7, 9, 11))})
    assert yolo_items("owls").notes == ()
    files_of("more", {"classes.txt": CLASSES, **pairs("images/train", "labels/train", a=1), "images/z.jpg": None})
    assert yolo_items("more").notes == ("photos that are in no split: images/z.jpg",)

def test_absolute_paths_in_a_list(folder):
    "As YOLO's tools write them: the photos of the folder, and none twice"
    files_of("owls", {"classes.txt": CLASSES, **pairs(**TWELVE)})
    listed = [folder.resolve()/"owls"/"images"/f"p{k}.jpg" for k in (0, 2)]
    Path("owls/train.txt").write_text("".join(f"{path}\n" for path in listed))
    items = yolo_items(folder.resolve()/"owls")
    assert [item.path for item in items] == listed
    assert all("in no split" in note for note in items.notes)  # the other ten
    Path("owls/data.yaml").write_text("names: {0: cat, 2: owl}\ntrain: [images, train.txt]\n")
    with pytest.raises(InputError, match="more than one line or folder of split train names it"): yolo_items("owls")

# lines of labels

LINES = {
    "a polygon": ("2 .25 .125 .75 .125 .75 .5 .25 .5", (24, 8, 72, 32)),
    "a triangle": ("2 .25 .5 .5 .125 .75 .25", (24, 8, 72, 32)),
    "a box turned by 45 degrees": ("2 .5 .125 .75 .3125 .5 .5 .25 .3125", (24, 8, 72, 32)),
    "a box that overhangs by a rounding error": ("2 .87500001 .5 .25 .5", (72, 16, 96, 48)),
    "a box that overhangs on all sides": ("2 .5 .5 1.001 1.0001", (0, 0, 96, 64)),
    "numbers with exponents": ("2.0 5e-1 +.5 2.5e-01 .5", (36, 16, 60, 48)),
}

@pytest.mark.parametrize("case, line, box", table.cases("lines of YOLO", LINES))
def test_line(case, folder, line, box):
    files_of("owls", {"classes.txt": CLASSES, "images/a.jpg": None, "labels/a.txt": line})
    item, = yolo_items("owls")
    np.testing.assert_allclose(item.boxes[0], box, atol=1e-4)
    case.works(f"the box {box}")

def test_three_decimals_on_a_large_photo(folder):
    "The box (3196, 8, 4000, 24) of 804 x 16 pixels, rounded: 3600.0 / 4000 is .9, and 804 / 4000 is .201"
    files_of("owls", {"classes.txt": CLASSES, "labels/a.txt": "2 0.900 0.500 0.201 0.500"})
    Path("owls/images").mkdir()
    photo(0, (4000, 32)).save("owls/images/a.jpg")
    item, = yolo_items("owls")
    np.testing.assert_allclose(item.boxes[0], (3198, 8, 4000, 24))

def test_poses(folder):
    "The keypoints of a pose are no corners of a polygon"
    line = "2 .5 .5 .25 .5 .1 .1 .9 .9\n"
    files_of("owls", {"images/a.jpg": None, "labels/a.txt": line, "data.yaml": described(kpt_shape=[2, 2])})
    assert yolo_items("owls")[0].boxes == ((36, 16, 60, 48),)
    files_of("owls", {"labels/a.txt": line.replace(" .9\n", "\n")})
    with pytest.raises(InputError, match="8 columns"): yolo_items("owls")

def test_yaml_that_merges(folder):
    files_of("owls", {"data.yaml": "owl: &owl {2: owl}\nnames: {0: cat, <<: *owl}\n", **pairs(a=1)})
    assert read("owls", "train") == dict(a=1)

def test_a_line_that_is_listed_twice(folder):
    files_of("owls", {"classes.txt": CLASSES, "images/a.jpg": None, "labels/a.txt": label(1) * 2 + label(3)})
    items = yolo_items("owls")
    assert len(items[0].boxes) == 2 and items[0].repeated == 1
    assert items.notes == ("1 objects are listed more than once with the same box; each counts once",)

def test_classes_by_their_lines(folder):
    "labelImg and darknet count the lines of classes.txt"
    files_of("owls", {"classes.txt": "cat\n\nowl\nfox\n\n\n", "images/a.jpg": None,
                      "labels/a.txt": "2 .5 .5 .5 .5\n3 .5 .5 .25 .25\n0 .5 .5 .125 .125"})
    items = yolo_items("owls")
    assert [items.classes[k] for k in items[0].labels] == ["owl", "fox", "cat"]
    assert items.classes == ("cat", "owl", "fox")

# COCO

CATEGORIES = [dict(id=1, name="owl")]

def write_coco(images, annotations, path="coco.json"):
    text = json.dumps(dict(categories=CATEGORIES, images=images, annotations=annotations)).encode()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(gzip.compress(text) if path.endswith(".gz") else text)

def annotated(n): return [dict(image_id=k, category_id=1, bbox=[k + 1, 2, 30, 40]) for k in range(n)]

NAMES = {
    "two photos that share a stem": (["a.jpg", "a.png", "b.jpg"], ["a.jpg", "a.png", "b.jpg"], ["a.jpg", "a.png", "b"]),
    "frames with numbers behind a dot": (["frame.0001.jpg", "frame.0002.jpg"], ["frame.0001.jpg", "frame.0002.jpg"],
                                         ["frame.0001", "frame.0002"]),
    "backslashes": (["day\\a.jpg", "night\\a.jpg"], ["day/a.jpg", "night/a.jpg"], ["day_a", "night_a"]),
    "percent-encoding": (["my%20owl.jpg", "100%25.jpg"], ["my owl.jpg", "100%.jpg"], ["my owl", "100%"]),
    "a name with a percent sign": (["50%20.jpg"], ["50%20.jpg"], ["50%20"]),
    "addresses": (["http://127.0.0.1/val2017/my%20owl.jpg"], ["my owl.jpg"], ["my owl"]),
}

@pytest.mark.parametrize("key", ["file_name", "coco_url"])
@pytest.mark.parametrize("case, written, there, names", table.cases("names in COCO", NAMES))
def test_names_in_coco(case, folder, written, there, names, key):
    files_of("photos", dict.fromkeys(there))
    write_coco([{"id": k, key: name} for k, name in enumerate(written)], annotated(len(written)))
    items = coco_items("coco.json", "photos")
    assert [item.name for item in items] == names
    assert [item.path for item in items] == [Path("photos", name) for name in there]
    assert [item.boxes[0][0] for item in items] == [k + 1 for k in range(len(names))]
    case.works(", ".join(names))

LEADS_OUT = {"an encoded name that leads elsewhere": "..%2Fsecret.jpg",
             "backslashes that lead elsewhere": "..\\secret.jpg"}

@pytest.mark.parametrize("case, name", table.cases("names in COCO", LEADS_OUT))
def test_names_that_lead_out(case, folder, name):
    files_of("photos", {"a.jpg": None, "../secret.jpg": None})
    write_coco([dict(id=0, file_name=name)], annotated(1))
    case.refused(refused("data describe --coco coco.json --images photos --json out.json", "leads out of photos"))

DESCRIBE_GZ = "data describe --coco coco.json.gz --images photos"

def test_gzipped_coco(folder, case=table.case("names in COCO", "a gzipped file")):
    files_of("photos", {"a.jpg": None})
    write_coco([dict(id=0, file_name="a.jpg")], annotated(1), "coco.json.gz")
    assert coco_items("coco.json.gz", "photos")[0].boxes == ((1, 2, 31, 42),)
    case.works("read")

def test_gzipped_coco_that_is_none(folder, case=table.case("names in COCO", "a gzipped file that is cut off")):
    files_of("photos", {"a.jpg": None})
    write_coco([dict(id=0, file_name="a.jpg")], annotated(1), "coco.json.gz")
    Path("coco.json.gz").write_bytes(Path("coco.json.gz").read_bytes()[:-12])
    case.refused(refused(f"{DESCRIBE_GZ} --json out.json", "coco.json.gz: no JSON file"))

def test_gzipped_bomb(folder, case=table.case("names in COCO", "a gzipped file of 100 MB of blanks")):
    files_of("photos", {"a.jpg": None})
    Path("coco.json.gz").write_bytes(gzip.compress(b" " * 100_000_000))
    case.refused(refused(f"{DESCRIBE_GZ} --json out.json", "a hundred times its size"))

def parts(*splits, template="{split}/_annotations.coco.json"):
    for k, split in enumerate(splits):
        files_of(split, {f"{split}.jpg": None})
        write_coco([dict(id=0, file_name=f"{split}.jpg")], [dict(image_id=0, category_id=1, bbox=[k, 0, 9, 9])],
                   template.replace("{split}", split))

@pytest.mark.parametrize("template", ["{split}/_annotations.coco.json", "annotations/instances_{split}2017.json",
                                      "{split}/{split}.json"])
def test_splits_of_coco(folder, template):
    parts("train", "valid", "test", template=template)
    found = {split: [item.name for item in coco_items(template, "{split}", split)]
             for split in ("train", "valid", "val", "validation", "test")}
    assert found == dict(train=["train"], valid=["valid"], val=["valid"], validation=["valid"], test=["test"])

def test_split_that_coco_lacks(folder, case=table.case("names in COCO", "a split that is not there")):
    parts("train", "val")
    line = "data describe --coco {split}/_annotations.coco.json --images {split} --split night --json out.json"
    case.refused(refused(line, "no split night", "(train, val)"))

def test_val_without_test_in_coco(folder):
    "It is the split to measure on: validation is held out of train"
    parts("train", "val")
    parted = [coco_items("{split}/_annotations.coco.json", "{split}", part) for part in ("fit", "valid")]
    assert [item.name for items in parted for item in items] == ["train"]

def test_boxes_as_shares(folder, case=table.case("names in COCO", "boxes as shares of the photo")):
    files_of("photos", {"a.jpg": None})
    shares = [dict(image_id=0, category_id=1, bbox=[.1, .2, .5, .4])]
    write_coco([dict(id=0, file_name="a.jpg", width=96, height=64)], shares)
    line = "data describe --coco coco.json --images photos --json out.json"
    case.refused(refused(line, "VOC and COCO want pixels"))

def test_an_object_that_is_listed_twice(folder):
    files_of("photos", {"a.jpg": None})
    write_coco([dict(id=0, file_name="a.jpg")], annotated(1) * 3)
    items = coco_items("coco.json", "photos")
    assert items[0].boxes == ((1, 2, 31, 42),) and items[0].repeated == 2 and len(items.notes) == 1

def test_paths_of_users(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("OWLS", "owls")
    files_of("owls", {"classes.txt": CLASSES, **pairs(a=1)})
    write_coco([dict(id=0, file_name="a.jpg")], annotated(1))
    assert read("~/owls", "train") == read("$OWLS", "train") == dict(a=1)
    assert len(coco_items("~/coco.json", "$OWLS/images")) == 1

def test_table(): table.check()
