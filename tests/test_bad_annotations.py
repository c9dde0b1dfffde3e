"""Bad annotations in VOC's, COCO's and YOLO's format and in files of boxes; odd ones are read as they are meant."""
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import annotation, call, make_voc, photo
from recording import Table, refused

DESCRIBE = dict(voc="data describe --voc voc --years 2007", coco="data describe --coco coco.json --images photos",
                yolo="data describe --yolo yolo",
                boxes="data describe --boxes boxes.json --split val --years 2007")
TRAIN = " --out new --config demo"
table = Table(__file__)

def figures(line):
    "What `data describe` counts"
    return json.loads(call(f"{line} --json -").stdout)

def refused_or_left_out(case, line, words):
    "Counting and training refuse it with one message; with --skip-bad, one photo is left out for the same reason"
    message = refused(f"{line} --json out.json", *words)
    assert refused(line.replace("data describe", "train") + TRAIN, *words) == message
    outcome = call(f"{line} --skip-bad --json -")
    described = json.loads(outcome.stdout)
    why, = (why for why in described["skipped"].values() if why != "no objects")
    assert " ".join(why.replace("(skip_bad)", "(--skip-bad)").split()) in message
    assert f"{described['n_skipped']} left out" in outcome.stderr
    case.left_out(message)

def refused_always(case, line, words):
    "What no photo can be left out for"
    message = refused(f"{line} --json out.json", *words)
    assert refused(f"{line} --skip-bad --json out.json", *words) == message
    case.refused(message)

# VOC

@pytest.fixture
def voc(folder): return make_voc("voc")

def as_bytes(text): return text if isinstance(text, bytes) else text.encode()
def xml(text): return lambda voc: (voc/"Annotations"/"000003.xml").write_bytes(as_bytes(text))
def box(*sides, **options): return xml(annotation(sides, **options))
def listed(text): return lambda voc: (voc/"ImageSets"/"Main"/"train.txt").write_bytes(as_bytes(text))
def appended(name): return lambda voc: listed((voc/"ImageSets"/"Main"/"train.txt").read_text() + name + "\n")(voc)
def folder_for(sub):
    def change(voc):
        (voc/sub).unlink()
        (voc/sub).mkdir()
    return change

GOOD = annotation((10, 10, 50, 40))
ENTITIES = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij"))
LAUGHS = f'<!DOCTYPE annotation [<!ENTITY a "ha">{ENTITIES}]><annotation>&j;</annotation>'
DOCTYPE = ["000003.xml", "has a DOCTYPE"]

def with_entity(definition): return xml(f"<!DOCTYPE a [<!ENTITY {definition}>]><annotation>&x;</annotation>")

VOC = {
    "a photo missing": (lambda voc: (voc/"JPEGImages"/"000003.jpg").unlink(), ["000003.jpg", "no such file"]),
    "an annotation missing": (lambda voc: (voc/"Annotations"/"000003.xml").unlink(), ["000003.xml", "no such file"]),
    "a name in the split that nobody has": (appended("009999"), ["009999"]),
    "a folder called 000003.xml": (folder_for("Annotations/000003.xml"), ["000003.xml"]),
    "a folder called 000003.jpg": (folder_for("JPEGImages/000003.jpg"), ["000003.jpg"]),
    "XML cut off": (xml("<annotation><object>"), ["000003.xml", "malformed XML"]),
    "an empty annotation": (xml(""), ["000003.xml", "malformed XML"]),
    "bytes that are no XML": (xml(bytes(range(256))), ["000003.xml", "malformed XML"]),
    "a web page": (xml("<html></html>"), ["000003.xml", "'html'"]),
    "an entity of its own": (with_entity('x "yyyy"'), DOCTYPE),
    "entities that expand to 2 GB": (xml(LAUGHS), DOCTYPE),
    "the same in UTF-16": (xml(LAUGHS.encode("utf-16")), DOCTYPE),
    "an entity that is a file of this machine": (with_entity('x SYSTEM "file:///etc/passwd"'), DOCTYPE),
    "an entity that is a page of the web": (with_entity('x SYSTEM "http://127.0.0.1:9/"'), DOCTYPE),
    "a parameter entity": (xml('<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><annotation/>'), DOCTYPE),
    "a document type elsewhere": (xml('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><annotation/>'), DOCTYPE),
    "an entity that nobody defined": (xml("<annotation>&x;</annotation>"), ["malformed XML"]),
    "100,000 elements, one in the other, not closed": (xml("<annotation>" + "<a>" * 100_000), ["malformed XML"]),
    "an encoding that does not exist": (xml('<?xml version="1.0" encoding="klingon"?>' + GOOD), ["malformed XML"]),
    "a box outside the photo": (box(10, 10, 120, 40), ["(10, 10, 120, 40)", "outside"]),
    "a box left of the photo": (box(-5, 10, 50, 40), ["(-5, 10, 50, 40)", "outside"]),
    "a box with its sides exchanged": (box(50, 10, 10, 40), ["(50, 10, 10, 40)", "inverted"]),
    "a box without area": (box(10, 10, 10, 40), ["(10, 10, 10, 40)", "no area"]),
    "a box of a billionth of a pixel": (box(10, 10, 10 + 1e-9, 40), ["no area"]),
    "a box of words": (box("left", 10, 50, 40), ["xmin is no number", "left"]),
    "a box of NaN": (box("nan", 10, 50, 40), ["nan"]),
    "a box of a huge number": (box(10, 10, "1e400", 40), ["inf", "outside"]),
    "a box of 5000 digits": (box(10, 10, "9" * 5000, 40), ["inf", "outside"]),
    "a box that lacks a side": (xml(GOOD.replace("<xmin>10</xmin>", "")), ["xmin is missing"]),
    "a polygon instead of a box": (xml(GOOD.replace("bndbox", "polygon")), ["xmin is missing"]),
    "labels of another vocabulary": (box(10, 10, 50, 40, name="unicorn"), ["unknown class 'unicorn'"]),
    "a class with a line break in its name": (box(10, 10, 50, 40, name="do\ng"), [r"do\ng"]),
    "a class of 100,000 letters": (box(10, 10, 50, 40, name="d" * 100_000), ["unknown class 'ddd"]),
    "an object perhaps difficult": (xml(GOOD.replace("<name>", "<difficult>perhaps</difficult><name>")),
                                    ["difficult is 'perhaps'"]),
    "the size of another photo": (box(10, 10, 50, 40, size=(500, 333)), ["500x333", "96x64"]),
    "a negative size": (box(10, 10, 50, 40, size=(-96, -64)), ["-96x-64"]),
    "a size of NaN": (box(10, 10, 50, 40, size=("nan", 64)), ["nanx64"]),
    "a size in words": (box(10, 10, 50, 40, size=("wide", 64)), ["width is no number"]),
}

@pytest.mark.parametrize("case, change, words", table.cases("VOC", VOC))
def test_broken_voc(case, voc, change, words):
    change(voc)
    refused_or_left_out(case, DESCRIBE["voc"], words)

def both_years(voc): shutil.copytree(voc, voc.with_name("VOC2012"))

VOC_LISTS = {
    "a split that lists a photo twice": (appended("000003"), ["more than one photo is called '000003'"]),
    "one name in two years": (both_years, ["more than one photo is called '000000'"]),
    "a name that leads elsewhere": (appended("../../../secret"), ["../../../secret", "is not the name of a photo"]),
    "a name with a zero byte": (appended("00\0003"), ["is not the name of a photo"]),
    "a name of 5000 letters": (appended("a" * 5000), ["is not the name of a photo"]),
    "a split of bytes that are no text": (listed(bytes(range(256))), ["train.txt", "is not the name of a photo"]),
    "no split file": (lambda voc: (voc/"ImageSets"/"Main"/"train.txt").unlink(), ["train.txt: no such split", "(val)"]),
    "no folder ImageSets": (lambda voc: shutil.rmtree(voc/"ImageSets"), ["no such split", "(none)"]),
}

@pytest.mark.parametrize("case, change, words", table.cases("VOC", VOC_LISTS))
def test_broken_lists(case, voc, change, words):
    change(voc)
    refused_always(case, DESCRIBE["voc"].replace("2007", "2007,2012") if change is both_years else DESCRIBE["voc"],
                   words)

def renamed(name):
    def change(voc):
        for sub, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
            (voc/sub/f"000003{suffix}").rename(voc/sub/f"{name}{suffix}")
        main = voc/"ImageSets"/"Main"/"train.txt"
        main.write_text(main.read_text().replace("000003", name), encoding="utf-8")
    return change

def counted(n=8, **classes):
    expected = classes or dict(dog=n)
    return lambda f: f["n_images"] == n and {c: k for c, k in f["class_counts"].items() if k} == (expected if n else {})

def no_objects(name="000003"): return lambda f: counted(7)(f) and f["skipped"] == {name: "no objects"}
def crowd(n):
    x, y, w, h = np.random.default_rng(0).uniform([[0], [0], [1], [1]], [[80], [50], [16], [14]], (4, n))
    return annotation((0, 0, 96, 64), *zip(x, y, x + w, y + h))

INCLUDE = ('<annotation xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd"/>'
           "</annotation>")
DEEP = f"<annotation>{'<a>' * 100_000}{'</a>' * 100_000}</annotation>"
WINDOWS_LIST = b"\xef\xbb\xbf000001\r\n000003\r\n"
LIST_OF_A_CLASS = "000001 -1\n000002  0\n000003  1\n"

VOC_WORKS = {
    "a photo without objects": (xml(annotation()), "no part of the split; counted and listed: no objects",
                                no_objects()),
    "a file to be included": (xml(INCLUDE), "not included; counted and listed: no objects", no_objects()),
    "100,000 elements, one in the other": (xml(DEEP), "counted and listed: no objects", no_objects()),
    "an annotation in UTF-16": (xml(('<?xml version="1.0" encoding="utf-16"?>' + GOOD).encode("utf-16")), "read",
                                counted()),
    "an annotation without a size": (xml(GOOD[:12] + GOOD[GOOD.index("<object>"):]), "the photo's own size", counted()),
    "a size of 0": (box(10, 10, 50, 40, size=(0, 0)), "the photo's own size", counted()),
    "a box of half a pixel": (box(10, 10, 10.5, 10.5), "read", counted()),
    "a box one pixel beyond the edge": (box(10, 10, 97, 65), "cut to the photo", counted()),
    "10,000 objects": (xml(crowd(9999)), "read; 99.9 % of the largest covered by the others",
                       lambda f: counted()(f) and f["overlapping_pct"] == 12.5),
    "a name with spaces and non-ASCII letters": (renamed("drei Löwen 写真"), "read", counted()),
    "an empty split": (listed(""), "0 photos", counted(0)),
    "one photo only": (listed("000003\n"), "1 photo", counted(1)),
    "one class only": (xml(GOOD), "read", counted()),
    "a split with a mark of byte order and line ends of Windows": (listed(WINDOWS_LIST), "read", counted(2)),
    "a split with the column of a class": (listed(LIST_OF_A_CLASS), "the column is ignored", counted(3)),
    "all objects difficult": (xml(GOOD.replace("<name>", "<difficult>1</difficult><name>")),
                              "read; they count, as in the paper", counted()),
}

@pytest.mark.parametrize("case, change, result, right", table.cases("VOC", VOC_WORKS))
def test_odd_voc(case, voc, change, result, right):
    change(voc)
    assert right(figures(DESCRIBE["voc"]))
    case.works(result)

def test_difficult_objects_left_out(voc, case=table.case("VOC", "all objects difficult, with --no-difficult")):
    for file in (voc/"Annotations").iterdir():
        file.write_text(file.read_text().replace("<name>", "<difficult>1</difficult><name>"))
    outcome = call(f"{DESCRIBE['voc']} --no-difficult --json -")
    described = json.loads(outcome.stdout)
    assert described["n_images"] == 0 and set(described["skipped"].values()) == {"no objects"}
    case.works(outcome.stderr.splitlines()[0])

# COCO

@pytest.fixture
def coco(folder):
    Path("photos").mkdir()
    for i, name in enumerate("ab"): photo(i).save(f"photos/{name}.jpg")
    def annotated(i, category): return dict(id=i, image_id=i, category_id=category, bbox=[10, 10, 40, 30], iscrowd=0)
    return dict(categories=[dict(id=7, name="dog"), dict(id=90, name="cat")],
                images=[dict(id=i, file_name=f"{name}.jpg", width=96, height=64) for i, name in enumerate("ab")],
                annotations=[annotated(0, 7), annotated(1, 90)])

def first(part, **values): return lambda coco: coco[part][0].update(values)
def second(part, **values): return lambda coco: coco[part][1].update(values)
def without(part, key=None): return lambda coco: coco[part][0].pop(key) if key else coco.pop(part)
def bbox(*values): return first("annotations", bbox=list(values))
def added(*annotations): return lambda coco: coco["annotations"].extend(annotations)
def as_text(old, new): return lambda coco: json.dumps(coco).replace(old, new).encode()
def write_coco(coco, change):
    "Writes the file as `change` leaves it, or returns it"
    text = change(coco)
    Path("coco.json").write_bytes(text if isinstance(text, bytes) else json.dumps(coco).encode())

def huge_box(coco):
    bbox(7777, 10, 40, 30)(coco)
    return json.dumps(coco).replace("7777", "1e400").encode()

STRAY = dict(image_id=9, category_id=7, bbox=[1, 1, 5, 5])

COCO = {
    "a photo missing on disk": (first("images", file_name="c.jpg"), ["photos/c.jpg", "no such file"]),
    "an annotation of a photo that is not listed": (added(STRAY), ["image 9"]),
    "a category that is not listed": (first("annotations", category_id=8), ["image a.jpg", "unknown class 8"]),
    "a category in a list": (first("annotations", category_id=[7]), ["image a.jpg"]),
    "a box of negative size": (bbox(10, 10, -5, 5), ["image a.jpg", "inverted"]),
    "a box without area": (bbox(10, 10, 0, 5), ["image a.jpg", "no area"]),
    "a box outside the photo": (bbox(10, 10, 90, 30), ["image a.jpg", "outside the photo of 96x64"]),
    "a box of NaN": (bbox(math.nan, 10, 40, 30), ["nan", "is not 4 finite numbers"]),
    "a box of a huge number": (huge_box, ["inf"]),
    "a box of a number of 400 digits": (bbox(10 ** 400, 10, 40, 30), ["image a.jpg"]),
    "a box of three numbers": (bbox(10, 10, 40), ["is not 4 finite numbers"]),
    "a box of texts": (bbox("10", "10", "40", "30"), ["is not 4 finite numbers"]),
    "a text as the box": (first("annotations", bbox="1234"), ["'1234' is not 4 finite numbers"]),
    "a mask without a box": (without("annotations", "bbox"), ["'bbox' is missing"]),
    "a crowd perhaps": (first("annotations", iscrowd="0"), ["iscrowd is '0'"]),
    "the size of another photo": (first("images", width=500), ["500x64", "96x64"]),
    "a size of NaN": (first("images", width=math.nan), ["is not 2 finite numbers"]),
    "a size of texts": (first("images", width="96"), ["is not 2 finite numbers"]),
    "a width without a height": (without("images", "height"), ["'height' is missing"]),
}

@pytest.mark.parametrize("case, change, words", table.cases("COCO", COCO))
def test_broken_coco(case, coco, change, words):
    write_coco(coco, change)
    refused_or_left_out(case, DESCRIBE["coco"], words)

COCO_WHOLE = {
    "two photos with one id": (second("images", id=0), ["two images have id 0"]),
    "one photo listed twice": (second("images", file_name="a.jpg"), ["more than one photo is called 'a.jpg'"]),
    "two categories with one id": (second("categories", id=7), ["two categories have id 7"]),
    "two categories with one name": (second("categories", name="dog"), ["two classes are called 'dog'"]),
    "a category without a name": (second("categories", name=None), ["class None is no text"]),
    "ids of two kinds": (second("categories", id="x"), ["coco.json"]),
    "no categories": (lambda coco: coco.update(categories=[]), ["no class at all"]),
    "a photo whose name is a number": (first("images", file_name=5), ["5 is not the name of a photo"]),
    "a photo without a name": (first("images", file_name=""), ["'' is not the name of a photo"]),
    "a name with a line break": (first("images", file_name="a.jpg\n"), ["is not the name of a photo"]),
    "a name that leads elsewhere": (first("images", file_name="../secret.jpg"), ["leads out of photos"]),
    "a name from the root": (first("images", file_name="/etc/passwd"), ["leads out of photos"]),
    "no annotations at all": (without("annotations"), ["'annotations' is missing"]),
    "a list instead of the file's parts": (lambda coco: b"[]", ["not COCO's detection format"]),
    "an empty file": (lambda coco: b"", ["no JSON file"]),
    "JSON cut off": (lambda coco: json.dumps(coco).encode()[:-20], ["no JSON file"]),
    "100,000 lists, one in the other": (lambda coco: b"[" * 100_000, ["no JSON file"]),
    "bytes that are no text": (lambda coco: bytes(range(256)), ["no JSON file"]),
    "one key twice": (as_text('"images"', '"annotations"'), ["'annotations' stands there twice"]),
}

@pytest.mark.parametrize("case, change, words", table.cases("COCO", COCO_WHOLE))
def test_coco_that_is_none(case, coco, change, words):
    write_coco(coco, change)
    refused_always(case, DESCRIBE["coco"], words)

TWO, ONLY_CAT = counted(2, dog=1, cat=1), lambda f: counted(1, cat=1)(f) and f["skipped"] == {"a": "no objects"}
MANY = [dict(image_id=0, category_id=90, bbox=[i % 90, i % 60, 3, 3]) for i in range(9999)]

def removed_first(coco): del coco["annotations"][0]

def without_size(coco):
    for side in ("width", "height"): del coco["images"][0][side]

COCO_WORKS = {
    "ids of categories with gaps": (lambda coco: None, "7 and 90 are classes 0 and 1", TWO),
    "a box of half a pixel": (bbox(10, 10, .5, .5), "read", TWO),
    "a crowd": (first("annotations", iscrowd=1), "left out; its photo is counted and listed: no objects", ONLY_CAT),
    "a photo without annotations": (removed_first, "counted and listed: no objects", ONLY_CAT),
    "two annotations with one id": (second("annotations", id=0), "both count", TWO),
    "a photo without a size": (without_size, "the photo's own size", TWO),
    "10,000 objects": (added(*MANY), "read", TWO),
    "a file with a mark of byte order": (lambda coco: b"\xef\xbb\xbf" + json.dumps(coco).encode(), "read", TWO),
}

@pytest.mark.parametrize("case, change, result, right", table.cases("COCO", COCO_WORKS))
def test_odd_coco(case, coco, change, result, right):
    write_coco(coco, change)
    assert right(figures(DESCRIBE["coco"]))
    case.works(result)

def test_no_photos_for_coco(coco, case=table.case("COCO", "an empty folder of photos")):
    write_coco(coco, lambda coco: None)
    for file in Path("photos").iterdir(): file.unlink()
    case.refused(refused(f"{DESCRIBE['coco']} --json out.json", "photos/a.jpg", "no such file"))

# YOLO

@pytest.fixture
def yolo(folder):
    root = Path("yolo")
    for sub in ("images/train", "labels/train"): (root/sub).mkdir(parents=True)
    for i, name in enumerate("ab"):
        photo(i).save(root/f"images/train/{name}.png")
        (root/f"labels/train/{name}.txt").write_text(f"{i} 0.5 0.5 0.2 0.2\n")
    (root/"data.yaml").write_text("names: [dog, cat]\n")
    return root

def labels(text): return lambda yolo: (yolo/"labels/train/a.txt").write_bytes(as_bytes(text))
def names(text): return lambda yolo: (yolo/"data.yaml").write_text(text)

def in_a_gap(yolo):
    names("names: {0: dog, 2: cat}")(yolo)
    labels("1 .5 .5 .2 .2")(yolo)
    (yolo/"labels/train/b.txt").write_text("2 .5 .5 .2 .2")

def in_an_empty_line(yolo):
    (yolo/"data.yaml").unlink()
    (yolo/"classes.txt").write_text("dog\n\ncat\n\n")
    labels("1 .5 .5 .2 .2")(yolo)
    (yolo/"labels/train/b.txt").write_text("2 .5 .5 .2 .2")

YOLO = {
    "labels without a photo": (lambda yolo: (yolo/"labels/train/c.txt").write_text(""),
                               ["labels/train/c.txt", "labels of no photo"]),
    "a number that no class has": (labels("2 .5 .5 .2 .2"), ["a.txt", "unknown class 2"]),
    "a number in a gap between the classes": (in_a_gap, ["a.txt", "unknown class 1"]),
    "a number whose line in classes.txt is empty": (in_an_empty_line, ["a.txt", "unknown class 1", "the 2 named"]),
    "a negative class": (labels("-1 .5 .5 .2 .2"), ["unknown class -1"]),
    "a class of one and a half": (labels("1.5 .5 .5 .2 .2"), ["unknown class 1.5"]),
    "a class of NaN": (labels("nan .5 .5 .2 .2"), ["unknown class nan"]),
    "a class by its name": (labels("dog .5 .5 .2 .2"), ["is not 'class x y width height'"]),
    "a box of NaN": (labels("1 nan .5 .2 .2"), ["nan"]),
    "a box of a huge number": (labels("1 .5 .5 1e308 .2"), ["outside the photo"]),
    "a box in pixels": (labels("1 48 32 20 20"), ["outside the photo"]),
    "a box of negative size": (labels("1 .5 .5 -.2 .2"), ["inverted"]),
    "a box without area": (labels("1 .5 .5 0 0"), ["no area"]),
    "four numbers": (labels("1 .5 .5 .2"), ["is not 'class x y width height'"]),
    "a sixth column of confidences": (labels("1 .5 .5 .2 .2 .87"), ["sixth column is a confidence", "first five"]),
    "a polygon of two corners and a half": (labels("1 .1 .1 .2 .1 .2 .2 .1"), ["it has 8 columns"]),
    "a polygon with a confidence": (labels("1 .1 .1 .2 .1 .2 .2 .9"), ["it has 8 columns"]),
    "a polygon with a corner of NaN": (labels("1 .1 .1 .2 nan .2 .2"), ["a corner of its polygon is no number"]),
    "a polygon that leads out of the photo": (labels("1 .1 .1 1.2 .1 1.2 .2"), ["outside the photo"]),
    "a polygon on one line": (labels("1 .1 .1 .2 .1 .3 .1"), ["no area"]),
    "a box that overhangs by three hundredths": (labels("1 .9 .5 .26 .2"), ["outside the photo"]),
    "a line of 100,000 letters": (labels("x" * 100_000), ["is not 'class x y width height'"]),
    "bytes that are no text": (labels(bytes(range(256))), ["a.txt", "no YOLO text file"]),
}

@pytest.mark.parametrize("case, change, words", table.cases("YOLO", YOLO))
def test_broken_yolo(case, yolo, change, words):
    change(yolo)
    refused_or_left_out(case, DESCRIBE["yolo"], words)

BILLION = "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(9))

YOLO_WHOLE = {
    "two photos of one name": (lambda yolo: photo().save(yolo/"images/train/a.jpg"),
                               ["labels/train/a.txt: the labels of more than one photo, a.jpg and a.png"]),
    "an empty folder": (shutil.rmtree, ["neither data.yaml nor classes.txt"]),
    "no split of that name": (lambda yolo: shutil.rmtree(yolo/"images/train"), ["no split train", "(none)"]),
    "no folder of labels": (lambda yolo: shutil.rmtree(yolo/"labels"), ["images/train/a.png", "labels/ in place of"]),
    "no file of classes": (lambda yolo: (yolo/"data.yaml").unlink(), ["neither data.yaml nor classes.txt"]),
    "an empty file of classes": (names(""), ["data.yaml", "no list of classes"]),
    "no names in it": (names("nc: 2"), ["'names' is missing"]),
    "no class in it": (names("names: []"), ["no class at all"]),
    "a text instead of classes": (names("names: dog"), ["'dog' is no list"]),
    "two classes of one name": (names("names: [dog, dog]"), ["two classes are called 'dog'"]),
    "one number twice": (names("names: {0: dog, 1: cat, 0: owl}"), ["data.yaml", "'0' stands there twice"]),
    "fewer names than classes": (names("nc: 3\nnames: [dog, cat]"), ["nc is 3, but 2 names"]),
    "a split that is a number": (names("names: [dog, cat]\ntrain: 5"), ["data.yaml: train is [5]"]),
    "a split that is not there": (names("names: [dog, cat]\ntrain: ../more/images\nval: images/train"),
                                  ["data.yaml: train is ../more/images, which is not there", "(val)"]),
    "two descriptions": (lambda yolo: shutil.copy(yolo/"data.yaml", yolo/"dataset.yaml"),
                         ["data.yaml and by dataset.yaml"]),
    "keypoints of no shape": (names("names: [dog, cat]\nkpt_shape: many"), ["kpt_shape is 'many'"]),
    "a class called no, without quotes": (names("names: [yes, no]"), ["class True is no text"]),
    "classes by letters": (names("names: {a: dog, b: cat}"), ["data.yaml", "no list of classes"]),
    "YAML cut off": (names("names: [dog"), ["data.yaml", "no list of classes"]),
    "YAML that calls a program": (names("names: !!python/object/apply:os.system [ls]"),
                                  ["data.yaml", "no list of classes"]),
    "YAML that contains itself": (names("names: &a [*a, dog]"), ["is no text"]),
    "YAML that expands to 3 GB": (names(f"a0: &a0 [x]\n{BILLION}names: *a9\n"), ["is no text"]),
}

@pytest.mark.parametrize("case, change, words", table.cases("YOLO", YOLO_WHOLE))
def test_yolo_that_is_none(case, yolo, change, words):
    change(yolo)
    yolo.mkdir(exist_ok=True)
    refused_always(case, DESCRIBE["yolo"], words)

def gaps(yolo):
    names("names: {1: cat, 5: dog}")(yolo)
    labels("5 .5 .5 .2 .2")(yolo)

def one_class(yolo):
    names("names: [dog]")(yolo)
    (yolo/"labels/train/b.txt").write_text("0 .5 .5 .2 .2")

def odd_name(yolo):
    for sub, suffix in (("images/train", ".png"), ("labels/train", ".txt")):
        (yolo/sub/f"a{suffix}").rename(yolo/sub/f"drei Löwen 写真{suffix}")

def nested(yolo):
    for sub in ("images/train/more", "labels/train/more"): (yolo/sub).mkdir()
    photo(2).save(yolo/"images/train/more/a.png")
    (yolo/"labels/train/more/a.txt").write_text("0 .5 .5 .4 .4")

ROW_OF_OBJECTS = "".join(f"0 {.1 + .8 * i / 10_000} .5 .1 .1\n" for i in range(10_000))

YOLO_WORKS = {
    "numbers of classes with gaps": (gaps, "each number is its own class", TWO),
    "a photo without labels": (lambda yolo: (yolo/"labels/train/a.txt").unlink(), "counted and listed: no objects",
                               ONLY_CAT),
    "an empty file of labels": (labels(""), "counted and listed: no objects", ONLY_CAT),
    "a box of half a pixel": (labels("0 .5 .5 .005 .008"), "read", TWO),
    "one class only": (one_class, "read", counted(2)),
    "a suffix in capitals": (lambda yolo: (yolo/"images/train/a.png").rename(yolo/"images/train/a.PNG"), "read", TWO),
    "a name with spaces and non-ASCII letters": (odd_name, "read", TWO),
    "10,000 objects": (labels(ROW_OF_OBJECTS), "read", TWO),
    "a polygon": (labels("0 .1 .1 .2 .1 .2 .2 .1 .2"), "its bounding box", TWO),
    "a folder among the photos": (nested, "read with what is in it", counted(3, dog=2, cat=1)),
    "labels with a mark of byte order": (labels(b"\xef\xbb\xbf0 .5 .5 .2 .2\r\n"), "read", TWO),
}

@pytest.mark.parametrize("case, change, result, right", table.cases("YOLO", YOLO_WORKS))
def test_odd_yolo(case, yolo, change, result, right):
    change(yolo)
    assert right(figures(DESCRIBE["yolo"]))
    case.works(result)

# files of boxes

def boxes_with(*objects, **parts):
    return json.dumps(dict(classes=["dog", "cat"], images={"a": dict(split="2007_val", objects=objects)}) | parts)

BOXES = {
    "a box of NaN": (boxes_with([0, 1, 1, math.nan, 5, 0]), ["image 'a'", "is not 5 finite numbers"]),
    "a box of a huge number": (boxes_with([0, 1, 1, 7777, 5, 0]).replace("7777", "1e400"), ["is not 5 finite numbers"]),
    "a box beyond every photo": (boxes_with([0, 1, 1, 1e308, 1e308, 0]), ["outside every photo"]),
    "a box with its sides exchanged": (boxes_with([0, 5, 1, 1, 5, 0]), ["no area"]),
    "a box of texts": (boxes_with([0, "1", "1", "5", "5", 0]), ["is not 5 finite numbers"]),
    "a number that no class has": (boxes_with([2, 1, 1, 5, 5, 0]), ["unknown class"]),
    "a class of one half": (boxes_with([.5, 1, 1, 5, 5, 0]), ["unknown class"]),
    "an object that lacks a number": (boxes_with([0, 1, 1, 5, 5]), ["difficult is neither 0 nor 1"]),
    "a number instead of an object": (boxes_with(5), ["image 'a'", "bad object 5"]),
    "a text instead of the classes": (boxes_with(classes="ab"), ["'classes' is no list"]),
    "two classes of one name": (boxes_with(classes=["dog", "dog"]), ["two classes are called 'dog'"]),
    "one photo twice": (boxes_with().replace('"a": ', '"a": {"split": "2007_val", "objects": []}, "a": '),
                        ["'a' stands there twice"]),
    "no photos": (boxes_with(images={}), ["no photo of split val"]),
    "a list of photos": (boxes_with(images=[]), ["not a file of boxes"]),
    "an empty file": ("", ["no JSON file"]),
}

@pytest.mark.parametrize("case, text, words", table.cases("boxes file", BOXES))
def test_broken_boxes(case, folder, text, words):
    Path("boxes.json").write_text(text)
    case.refused(refused(f"{DESCRIBE['boxes']} --json out.json", *words))

HIDDEN = [[1, i % 91, i % 90 + i / 1e5, i % 91 + 5, i % 90 + 6, 0] for i in range(9999)]
def under_half(f): return f["covered_over"]["0.1"] == 100 and f["covered_over"]["0.5"] == 0

@pytest.mark.parametrize("case, text, result, right", table.cases("boxes file", {
    "a photo without objects": (boxes_with(), "counted and listed: no objects",
                                lambda f: f["skipped"] == {"a": "no objects"}),
    "10,000 objects": (boxes_with([0, 0, 0, 200, 200, 0], *HIDDEN),
                       "read; their union covers less than half of the largest", under_half),
}))
def test_odd_boxes(case, folder, text, result, right):
    Path("boxes.json").write_text(text)
    assert right(figures(DESCRIBE["boxes"]))
    case.works(result)

def test_table(): table.check()
