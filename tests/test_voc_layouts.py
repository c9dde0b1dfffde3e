"""Data sets in VOC's layout as tools and people write them: names of photos, lists, folders, classes."""
import json
import os
import re
import shutil
import unicodedata
import zipfile
from pathlib import Path

import pytest
from conftest import annotation, call, photo
from PIL import Image, features
from recording import Table, refused

from dqsstn.cli_runs import Plan, read_plan
from dqsstn.config import Config
from dqsstn.data import holdout
from dqsstn.files import InputError
from dqsstn.sources import DataSource, source_name
from dqsstn.voc import voc_items

table = Table(__file__)
DESCRIBE = "data describe --voc mine --classes dog,cat"

def write(folder, name, *objects, photo_name=None, filename=""):
    "A photo of 96x64 pixels and its annotation of (class, box) pairs"
    tags = "".join(re.search("<object>.*</object>", annotation(box, name=kind))[0] for kind, box in objects)
    path, xml = folder/"JPEGImages"/(photo_name or f"{name}.jpg"), folder/"Annotations"/f"{name}.xml"
    for file in (path, xml): file.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() not in (".heic", ".heif"): photo(len(name)).save(path, FORMATS.get(path.suffix.lower()))
    size = "<size><width>96</width><height>64</height></size>"
    xml.write_text(f"<annotation><filename>{filename}</filename>{size}{tags}</annotation>", encoding="utf-8")

FORMATS = {".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG"}

def listed(folder, content, split="train"):
    path = folder/"ImageSets"/"Main"/f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

@pytest.fixture
def mine(folder):
    "One photo of a dog and one of a cat, in the folder of one year; the dog is larger than the cat beside it"
    root = Path("mine")
    write(root, "one", ("cat", (1, 1, 11, 11)), ("dog", (20, 10, 60, 40)))
    write(root, "two", ("cat", (5, 5, 25, 25)))
    listed(root, "one\ntwo\n")
    return root

ONE, TWO = ("one", "dog", (20, 10, 60, 40)), ("two", "cat", (5, 5, 25, 25))

def read(root="mine", *args, **kwargs):
    "(name, class, box) of the salient object of each photo"
    items = voc_items(root, *args, **{"classes": ("dog", "cat")} | kwargs)
    for item in items: assert Image.open(item.path).size == item.size == (96, 64)
    return [(item.name, items.classes[item.salient_label], item.salient_box) for item in items]

# suffixes

SUFFIXES = ["jpeg", "JPG", "jpe", "jfif", "mpo", "png", "PNG", "bmp", "gif", "tif", "TIFF", "webp", "avif"]

@pytest.mark.parametrize("case, suffix", table.cases("VOC layouts", {f"photos that end in .{s}": s for s in SUFFIXES}))
def test_suffixes(case, mine, suffix):
    if suffix == "avif" and "avif" not in features.get_supported_modules(): pytest.skip("this Pillow reads no AVIF")
    (mine/"JPEGImages"/"one.jpg").unlink()
    write(mine, "one", ("cat", (1, 1, 11, 11)), ("dog", (20, 10, 60, 40)), photo_name=f"one.{suffix}")
    assert read() == [ONE, TWO]
    assert [i.path.name for i in voc_items(mine, classes=("dog", "cat"))] == [f"one.{suffix}", "two.jpg"]
    case.works("read, beside photos that end in .jpg")

def two_photos(filename):
    def change(mine): write(mine, "one", ("dog", (20, 10, 60, 40)), photo_name="one.png", filename=filename)
    return change

def elsewhere(filename="photos\\IMG 1.png"):
    def change(mine):
        (mine/"JPEGImages"/"one.jpg").unlink()
        write(mine, "one", ("dog", (20, 10, 60, 40)), photo_name="IMG 1.png", filename=filename)
    return change

def stale(mine):
    (mine/"JPEGImages"/"one.jpg").unlink()
    xml = mine/"Annotations"/"one.xml"
    xml.write_text(xml.read_text().replace("<filename>", "<filename>two.jpg"))

def claimed_twice(mine):
    for name in ("one", "two"):
        (mine/"JPEGImages"/f"{name}.jpg").unlink()
        write(mine, name, ("dog", (20, 10, 60, 40)), photo_name="both.png", filename="both.png")

@pytest.mark.parametrize("case, change, file", table.cases("VOC layouts", {
    "two photos with one name, of which <filename> names the second": (two_photos("one.png"), "one.png"),
    "two photos with one name, of which <filename> names the first": (two_photos("one.jpg"), "one.jpg"),
    "a photo with another name, which <filename> has": (elsewhere(), "IMG 1.png"),
}))
def test_file_names_in_annotations(case, mine, change, file):
    change(mine)
    assert read() == [ONE, TWO] and voc_items(mine, classes=("dog", "cat"))[0].path.name == file
    case.works("the photo that <filename> names")

@pytest.mark.parametrize("case, change, words", table.cases("VOC layouts", {
    "two photos with one name, and no <filename>": (two_photos(""), ["one.jpg and one.png", "<filename>"]),
    "a missing photo, and the <filename> of another annotation's photo": (stale, ["one.jpg: no such file"]),
    "one photo in the <filename> of two annotations": (claimed_twice, ["more than one annotation is of", "both.png"]),
    "a <filename> that leads elsewhere": (elsewhere("../../IMG 2.png"), ["one.png: no such file"]),
}))
def test_wrong_file_names(case, mine, change, words):
    photo().save("IMG 2.png")
    change(mine)
    case.refused(refused(f"{DESCRIBE} --json out.json", *words))

# lists

def nested(mine):
    for name in ("one", "two"):
        for sub, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
            (mine/sub/"train").mkdir(exist_ok=True)
            (mine/sub/f"{name}{suffix}").rename(mine/sub/"train"/f"{name}{suffix}")

LISTS = {
    "names with suffixes": "one.jpg\ntwo.JPG\n", "names of annotations": "one.xml\ntwo.xml\n",
    "names in quotes": "\"one\"\n'two.jpg'\n", "names in quotes, with labels": '"one.jpg" dog\n"two.jpg",cat\n',
    "paths from the data set's folder": "VOC2007/JPEGImages/one.jpg\nVOC2007/JPEGImages/two.jpg\n",
    "paths of another machine": "/home/ann/VOCdevkit/VOC2012/JPEGImages/one.jpg\nD:\\data\\two.jpg\n",
    "paths from the list's folder": "./JPEGImages/one.jpg\nJPEGImages\\two.jpg\n",
    "a folder that is not there": "train/one\nval/two\n",
    "a flag behind each name": "one  1\ntwo -1\n", "a class behind each name": "one dog 1\ntwo.jpg\tcat\n",
    "boxes behind each name": "one.jpg 20,10,60,40,0 1,1,11,11,1\nJPEGImages/two.jpg 5,5,25,25,1\n",
    "photo and annotation": "JPEGImages/one.jpg Annotations/one.xml\nJPEGImages/two.jpg Annotations/two.xml\n",
    "lines of Windows and empty ones": "one\r\n\r\ntwo\r\n   \r\n", "a mark of byte order": "\ufeffone\ntwo",
    "UTF-16, as PowerShell writes it": "\ufeffone\r\ntwo\r\n".encode("utf-16-le"),
    "litter of other systems": "._one\none\nThumbs.db\ntwo\n.DS_Store\ndesktop.ini\none.npy\n",
}

@pytest.mark.parametrize("case, content", table.cases("VOC lists", LISTS))
def test_lists(case, mine, content):
    listed(mine, content)
    assert read() == [ONE, TWO]
    case.works("read")

def test_lists_of_folders(mine, case=table.case("VOC lists", "photos and annotations in folders of their own")):
    nested(mine)
    listed(mine, "train/one\nJPEGImages/train/two.jpg\n")
    assert read() == [("train_one", *ONE[1:]), ("train_two", *TWO[1:])]
    case.works("the folder is part of the name")

def test_names_with_spaces(mine, case=table.case("VOC lists", "names with spaces, one of which begins with another")):
    write(mine, "one 1", ("cat", (30, 30, 90, 60)))
    listed(mine, "one\none 1\ntwo.jpg\n")
    assert read() == [ONE, ("one 1", "cat", (30, 30, 90, 60)), TWO]
    (mine/"Annotations"/"one 1.xml").unlink()
    write(mine, "two 2", ("cat", (30, 30, 90, 60)))
    listed(mine, "one 1\ntwo 2\n")  # the missing one is not taken for "one" with a label
    with pytest.raises(InputError, match="one 1.xml: no such file"): read()
    case.works("the longest name that is there")

@pytest.mark.parametrize("case, line, words", table.cases("VOC lists", {
    "a path out of the folder": ("JPEGImages/../../secret.jpg", ["is not the name of a photo"]),
    "a path out of the folder, of Windows": ("..\\secret.jpg", ["is not the name of a photo"]),
    "a path out of the folder, in quotes and with a label": ('"../secret.jpg" dog', ["is not the name of a photo"]),
    "a name of Windows' second kind": ("one:stream", ["is not the name of a photo"]),
    "a folder": ("VOC2007/JPEGImages/", ["is not the name of a photo"]),
    "the path of a photo elsewhere on this machine": ("SECRET", ["secret.xml: no such file"]),
    "a missing photo among names with labels": ("three.jpg cat", ["three.xml: no such file"]),
}))
def test_wrong_lists(case, mine, line, words):
    photo().save("secret.jpg")
    shutil.copy(mine/"Annotations"/"one.xml", "secret.xml")
    listed(mine, f"{line.replace('SECRET', str(Path('secret.jpg').resolve()))}\none dog\n")
    case.refused(refused(f"{DESCRIBE} --json out.json", *words))

# names

ACCENTED = "Zoë 사진"

@pytest.mark.parametrize("case, in_list, on_disk", table.cases("VOC layouts", {
    "decomposed names on disk, composed ones in the list": ("NFC", "NFD"),
    "composed names on disk, decomposed ones in the list": ("NFD", "NFC")}))
def test_forms_of_unicode(case, mine, in_list, on_disk):
    name = unicodedata.normalize(on_disk, ACCENTED)
    write(mine, name, ("dog", (20, 10, 60, 40)))
    listed(mine, unicodedata.normalize(in_list, f"{ACCENTED}.jpg\ntwo\n"))
    assert read() == [(unicodedata.normalize("NFC", ACCENTED), "dog", (20, 10, 60, 40)), TWO]
    case.works("read; the name is composed, so the photo is on one side of a division everywhere")

def test_classes_in_forms_of_unicode(mine):
    write(mine, "one", (unicodedata.normalize("NFD", "Löwe"), (20, 10, 60, 40)))
    assert read(classes=("Löwe", "cat")) == [("one", "Löwe", (20, 10, 60, 40)), TWO]

GBK = os.fsdecode("熊猫".encode("gbk"))  # of its four bytes, two happen to be an è in UTF-8

@pytest.fixture
def foreign(mine):
    "Names and list in bytes that are not UTF-8, as an archive from a Chinese Windows leaves them"
    try: write(mine, GBK, ("dog", (20, 10, 60, 40)))
    except OSError: pytest.skip("this disk holds no such names")
    listed(mine, os.fsencode(GBK) + b".jpg\r\ntwo.jpg\r\n")
    return mine

def test_names_that_are_not_utf8(foreign, case=table.case("VOC layouts", "names that are not UTF-8")):
    assert read() == [(GBK, "dog", (20, 10, 60, 40)), TWO]
    items = voc_items(foreign, classes=("dog", "cat"))
    assert sorted(i.name for part in holdout(items) for i in part) == sorted([GBK, "two"])
    (foreign/"JPEGImages"/f"{GBK}.jpg").write_bytes(b"no photo")
    message = refused(f"{DESCRIBE} --json out.json", r"\udcd0\udcdcè.jpg: unreadable photo")
    assert message[:-1].isprintable()
    outcome = call(f"{DESCRIBE} --skip-bad --json -")
    assert [*json.loads(outcome.stdout)["skipped"]] == [GBK]
    call(f"{DESCRIBE} --skip-bad --json out.json")
    assert os.fsencode([*json.loads(Path("out.json").read_bytes())["skipped"]][0]) == os.fsencode(GBK)
    case.works(r"read; shown and written with escapes, such as \udcd0")

def test_archive_of_another_windows(foreign, monkeypatch,
                                    case=table.case("VOC layouts", "an archive with names that are not UTF-8")):
    "Zip files say nothing of the encoding of such names, and Python takes them for those of an old code page"
    monkeypatch.setenv("DQSSTN_CACHE", "cache")
    with zipfile.ZipFile("devkit.zip", "w") as z:
        for path in sorted(p for p in foreign.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo("x")
            info.filename = f"VOCdevkit/VOC2007/{path.relative_to(foreign).as_posix()}".replace(GBK, "GBK_")
            z.writestr(info, path.read_bytes())
        z.writestr("__MACOSX/VOCdevkit/VOC2007/._x", "litter")
    raw = Path("devkit.zip").read_bytes()
    Path("devkit.zip").write_bytes(raw.replace(b"GBK_", os.fsencode(GBK)))
    assert read("devkit.zip", years=(2007,)) == [(GBK, "dog", (20, 10, 60, 40)), TWO]
    assert not list(Path("cache").rglob("._x"))
    case.works("read, by the bytes of the names")

def test_predicting_names_that_are_not_utf8(run, foreign):
    name = f"mine/JPEGImages/{GBK}.jpg"
    shown, outcome = call(["predict", str(run), name]), call(["predict", str(run), name, "--json", "-"])
    assert r"\udcd0\udcdc" in shown.stdout and json.loads(outcome.stdout)[0]["image"] == name

def test_litter(mine, case=table.case("VOC layouts", "what systems and tools leave behind")):
    for name in ("._one.jpg", "Thumbs.db", "desktop.ini", "one.npy", ".DS_Store"):
        (mine/"JPEGImages"/name).write_bytes(b"litter")
    (mine/"JPEGImages"/"@eaDir").mkdir()
    for name in ("._one.xml", ".DS_Store"): (mine/"Annotations"/name).write_bytes(b"litter")
    (mine/"ImageSets"/"Main"/"._train.txt").write_bytes(b"litter")
    assert read() == [ONE, TWO]
    with pytest.raises(InputError, match=r"splits there \(train\)"): read(split="test")
    case.works("ignored")

# folders

def as_year(name, *inside):
    def move(mine):
        target = Path("devkit", name, *inside)
        target.parent.mkdir(parents=True)
        mine.rename(target)
    return move

@pytest.mark.parametrize("case, move, root, years", table.cases("VOC layouts", {
    "the folder of one year": (lambda mine: None, "mine", (2007, 2012)),
    "a year's folder with a longer name": (as_year("VOC2012_train_val"), "devkit", (2012,)),
    "a year's folder with a longer name, and the same folder in it": (
        as_year("VOC2012_train_val", "VOC2012_train_val"), "devkit", (2012,)),
    "a year's folder with a hyphen, in a VOCdevkit": (as_year("VOCdevkit/VOC2007-mini"), "devkit", (2007,)),
}))
def test_folders(case, mine, move, root, years):
    move(mine)
    assert read(root, years=years) == [ONE, TWO]
    line = f"data describe --voc {root} --classes dog,cat --years {','.join(map(str, years))} --json -"
    assert json.loads(call(line).stdout)["class_counts"] == dict(dog=1, cat=1)
    case.works("read")

def two_of_a_year(mine):
    as_year("VOC2012_a")(mine)
    shutil.copytree("devkit/VOC2012_a", "devkit/VOC2012_b")

@pytest.mark.parametrize("case, move, words", table.cases("VOC layouts", {
    "two folders that may be a year": (two_of_a_year, ["no such folder, but VOC2012_a and VOC2012_b", "--voc"]),
    "another year than the one that is there": (as_year("VOC2010_train_val"), ["no such folder", "--years 2010)"]),
}))
def test_wrong_years(case, mine, move, words):
    move(mine)
    case.refused(refused("data describe --voc devkit --years 2012 --classes dog,cat --json out.json", *words))

def test_names_of_data_sets(mine):
    devkit = Path("some/VOCdevkit/VOC2007")
    shutil.copytree(mine, devkit)
    named = {"mine": dict(voc=mine), "2007": dict(voc=devkit), "2007+2012": dict(voc=Path("some")),
             "mine, classes dog,cat": dict(voc=mine, classes="dog,cat")}
    assert [source_name(DataSource(**fields)) for fields in named.values()] == [f"VOC {name}" for name in named]

# classes

CLASSES = {"in a list": "cat,dog", "in a list with spaces": " cat , dog ,", "in a file": b"cat\ndog\n",
           "in a file of Windows": b"\xef\xbb\xbfcat\r\n\r\ndog\r\n"}

@pytest.mark.parametrize("case, given", table.cases("VOC layouts", {f"own classes {k}": v for k, v in CLASSES.items()}))
def test_own_classes(case, mine, given):
    if isinstance(given, bytes): Path("my classes.txt").write_bytes(given)
    option = "my classes.txt" if isinstance(given, bytes) else given
    figures = json.loads(call(["data", "describe", "--voc", "mine", "--classes", option, "--json", "-"]).stdout)
    assert (figures["n_images"], figures["class_counts"]) == (2, dict(cat=1, dog=1))
    assert list(figures["class_counts"]) == ["cat", "dog"]  # in this order
    case.works("2 photos, a cat and a dog")

@pytest.mark.parametrize("case, options, words", table.cases("VOC layouts", {
    "own classes that lack one": ("--voc mine --classes cat,owl", ["'dog'", "known are cat, owl", "--classes"]),
    "own classes, not named": ("--voc owls", ["unknown class 'owl'", "known are aeroplane", "--classes"]),
    "a class twice": ("--voc mine --classes cat,dog,cat", ["cat,dog,cat", "'cat' is listed twice"]),
    "no class": ("--voc mine --classes ,", ["no list of classes"]),
    "an empty file of classes": ("--voc mine --classes empty.txt", ["empty.txt: no list of classes"]),
    "a file of classes that is not there": ("--voc mine --classes gone.txt", ["gone.txt: no such file"]),
    "a photo as the file of classes": ("--voc mine --classes mine/JPEGImages/one.jpg", ["one.jpg: no list of classes"]),
    "classes for YOLO": ("--yolo mine --classes cat,dog", ["--classes: goes with --voc, not with --yolo"]),
}))
def test_wrong_classes(case, mine, options, words):
    Path("empty.txt").write_text("")
    write(Path("owls"), "one", ("owl", (20, 10, 60, 40)))
    listed(Path("owls"), "one\n")
    case.refused(refused(f"data describe {options} --json out.json", *words))

def test_a_training_keeps_its_classes(mine, tmp_path):
    Path("classes.txt").write_text("dog\ncat\n")
    for given, kept in (("dog,cat", "dog,cat"), ("classes.txt", str(Path("classes.txt").resolve()))):
        plan = Plan(Config(), DataSource(voc=mine, classes=given), "val", "dqsstn train")
        Path("run/checkpoint").mkdir(parents=True, exist_ok=True)
        Path("run/checkpoint/training.json").write_text(plan.to_json())
        assert read_plan(Path("run")).source == DataSource(voc=mine.resolve(), classes=kept)

# numbers

def described(): return json.loads(call(f"{DESCRIBE} --json -").stdout)

def test_boxes_as_shares(mine, case=table.case("VOC layouts", "boxes as shares of the photo")):
    write(mine, "one", ("dog", (.2, .1, .6, .4)))
    write(mine, "two", ("cat", (.1, .1, .4, .9)), ("dog", (0, 0, .5, 1)))
    case.refused(refused(f"{DESCRIBE} --json out.json", "no box is larger than a pixel", "VOC and COCO want pixels"))

def test_one_tiny_box(mine, case=table.case("VOC layouts", "one box of half a pixel")):
    write(mine, "two", ("cat", (5, 5, 25, 25)), ("dog", (40.25, 40, 40.75, 40.5)))
    outcome = call(f"{DESCRIBE} --json -")
    figures = json.loads(outcome.stdout)
    assert (figures["n_below_a_pixel"], figures["class_counts"]) == (1, dict(dog=1, cat=1))
    assert "1 of 4 boxes are smaller than a pixel" in outcome.stderr
    case.works("read, counted and named")

def test_repeated_objects(mine, case=table.case("VOC layouts", "objects listed twice")):
    "A repeated box would cover the first one, and a photo with one object would have two"
    write(mine, "one", *[("dog", (20, 10, 60, 40))] * 3)
    write(mine, "two", ("cat", (5, 5, 25, 25)), ("dog", (5, 5, 25, 25)), ("cat", (5, 5, 25, 25)))
    outcome = call(f"{DESCRIBE} --json -")
    figures = json.loads(outcome.stdout)
    assert (figures["n_repeated"], figures["single_pct"], figures["overlapping_pct"]) == (3, 50, 50)
    assert figures["covered_over"]["0.7"] == 50  # a cat and a dog with one box are two objects
    assert "3 objects are listed more than once" in outcome.stderr
    case.works("each counts once; how many is said")

def test_table(): table.check()
