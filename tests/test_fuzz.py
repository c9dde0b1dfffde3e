"""Random input for every reader: it is refused in one line, or what is read holds together.

DQSSTN_FUZZ=5000 tries 5000 inputs for each reader instead of 60."""
import json
import math
import os
import tarfile
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np
import yaml
from conftest import contents, make_voc, photo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqsstn.config import load_config
from dqsstn.data import load_photo, photo_size
from dqsstn.files import InputError, unpack_archive

from dqsstn.formats import boxes_items, coco_items, yolo_items
from dqsstn.voc import VOC_CLASSES, voc_items

fuzz = settings(max_examples=int(os.environ.get("DQSSTN_FUZZ", 60)), deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck))

def mutated(data, good):
    "`good` with a stretch of bytes replaced by others"
    at = data.draw(st.integers(0, len(good)))
    return good[:at] + data.draw(st.binary(max_size=12)) + good[at + data.draw(st.integers(0, 40)):]

def altered(data, value):
    "A JSON value with one part dropped or replaced"
    odd = st.sampled_from([None, -1, 0, .5, 1e400, math.nan, "x", "", [], {}, [1], {"a": 1}, True, "../x", 10 ** 30,
                           10 ** 400])
    if not isinstance(value, (dict, list)) or not value or data.draw(st.integers(0, 3)) == 0: return data.draw(odd)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key, out = data.draw(st.sampled_from(keys)), value.copy()
    if data.draw(st.booleans()): out[key] = altered(data, value[key])
    else: del out[key]
    return out

def read_or_refused(read, *args, **kwargs):
    "What is read, after checking that it holds together; None if it is refused"
    try: items = read(*args, **kwargs)
    except InputError as e:
        assert "\n" not in str(e).strip() and len(str(e)) < 1500
        return None
    names = [i.name for i in items]
    assert len(set(names)) == len(names) and not set(names) & set(items.skipped)
    assert all(type(c) is str for c in items.classes) and len(set(items.classes)) == len(items.classes)
    for item in items:
        assert len(item.boxes) == len(item.labels) == len(item.difficult) > 0
        assert set(item.labels) <= set(range(len(items.classes)))
        w, h = item.size if all(item.size) else (1e6, 1e6)
        assert all(-1 <= x1 < x2 <= w and -1 <= y1 < y2 <= h for x1, y1, x2, y2 in item.boxes)
        if all(item.size): assert min(min(b) for b in item.boxes) >= 0 and 0 < item.initial_iou <= 1
        areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in item.boxes]
        assert areas == sorted(areas, reverse=True) and areas[-1] > 0 and 0 <= item.covered <= 1 + 1e-9
    return items

def check_skipping(strict, lenient):
    "With `skip_bad`, what was read is read alike, and what was refused is left out with a reason"
    if strict is not None: assert lenient == strict
    elif lenient is not None: assert any(why != "no objects" for why in lenient.skipped.values())

# VOC

@given(st.data())
@fuzz
def test_any_annotation(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("voc")
    xml = make_voc(root, n=1, splits=("train",))/"Annotations"/"000000.xml"
    xml.write_bytes(mutated(data, xml.read_bytes()))
    check_skipping(*(read_or_refused(voc_items, root, "train", (2007,), skip_bad=skip) for skip in (False, True)))

odd_numbers = st.sampled_from(["nan", "inf", "-inf", "1e400", "-5", "0", "1e-320", "9" * 400, "", " 12 ", "0x1f", "1_0",
                               "١٢", "12,5", "--1"])
numbers = st.one_of(st.integers(0, 97).map(str), st.integers(0, 65).map(str), st.floats(0, 64).map(repr), odd_numbers,
                    st.floats().map(repr), st.text(max_size=4))
sides = ((0, 40), (0, 30), (40.5, 96), (30.5, 64))
good_numbers = st.tuples(*(st.floats(a, b, width=16) for a, b in sides)).map(lambda box: tuple(map(repr, box)))
texts = st.one_of(st.sampled_from([*VOC_CLASSES[:5], " dog ", "unicorn", "0", "1"]), st.text(max_size=6))
tags = st.sampled_from(["annotation", "object", "name", "bndbox", "xmin", "ymin", "xmax", "ymax", "difficult", "size",
                        "width", "height", "part", "a"])

def element(tag, *children): return f"<{tag}>{''.join(children)}</{tag}>"
def leaf(tag, text): return element(tag, escape(text))
def nested(children): return st.builds(lambda tag, kids: element(tag, *kids), tags, st.lists(children, max_size=4))
trees = st.recursive(st.builds(leaf, tags, st.one_of(numbers, texts)), nested, max_leaves=12)

@st.composite
def objects(draw):
    "An object as VOC has it; in one of ten, parts are missing, doubled, odd or random trees"
    sides, odd = draw(good_numbers), draw(st.integers(0, 9)) == 0
    if odd: sides = draw(st.tuples(numbers, numbers, numbers, numbers))
    parts = [leaf("name", draw(texts) if odd else draw(st.sampled_from(VOC_CLASSES))),
             leaf("difficult", draw(st.sampled_from("01"))),
             element("bndbox", *map(leaf, ("xmin", "ymin", "xmax", "ymax"), sides))]
    if odd: parts = draw(st.lists(st.one_of(st.sampled_from(parts), trees), max_size=5))
    return element("object", *draw(st.permutations(parts)))

several_objects, at_most_a_tree = st.lists(objects(), min_size=1, max_size=4), st.lists(trees, max_size=1)
annotations = st.builds(lambda objects, tree: element("annotation", *objects, *tree), several_objects, at_most_a_tree)

@given(st.one_of(trees, annotations))
@fuzz
def test_any_tree(tmp_path_factory, text):
    "What is accepted is what Python's own XML reader finds there, cut to the photo by at most a pixel"
    root = tmp_path_factory.mktemp("voc")
    xml = make_voc(root, n=1, splits=("train",))/"Annotations"/"000000.xml"
    xml.write_text(text, encoding="utf-8", errors="replace", newline="")
    strict, lenient = (read_or_refused(voc_items, root, "train", (2007,), skip_bad=skip) for skip in (False, True))
    check_skipping(strict, lenient)
    if strict is None: return
    names = "xmin", "ymin", "xmax", "ymax"
    root = ElementTree.parse(xml)  # noqa: S314  whatever is read here was accepted before
    found = [(o.findtext("name").strip(), [float(o.find("bndbox").findtext(name)) for name in names])
             for o in root.findall("object")]
    cut = [(name, *np.clip(box[:2], 0, (96, 64)), *np.clip(box[2:], 0, (96, 64))) for name, box in found]
    found = [(name, box) for (name, *box) in dict.fromkeys(cut)]  # an object that is listed twice counts once
    found.sort(key=lambda o: -np.prod(np.subtract(o[1][2:], o[1][:2])))
    read = [(VOC_CLASSES[label], box) for item in strict for label, box in zip(item.labels, item.boxes)]
    assert sorted(name for name, _ in found) == sorted(name for name, _ in read)
    assert all(np.abs(np.subtract(a, b)).max() <= 1 for (_, a), (_, b) in zip(found, read))

# the other formats

@given(st.data())
@fuzz
def test_any_boxes(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("boxes")/"x.json"
    good = dict(classes=["cat", "dog"],
                images={"a": dict(split="2007_val", objects=[[0, 1, 1, 50, 50, 0], [1, 2, 2, 9, 9, 1]])})
    path.write_text(json.dumps(altered(data, good)))
    read_or_refused(boxes_items, path, "val", (2007,))

@given(st.data())
@fuzz
def test_any_coco(tmp_path_factory, data):
    "What is accepted has as many objects as the file, without its crowds"
    folder = tmp_path_factory.mktemp("coco")
    for name in "ab": photo().save(folder/f"{name}.jpg")
    good = dict(categories=[dict(id=7, name="dog"), dict(id=90, name="cat")],
                images=[dict(id=i, file_name=f"{i}.jpg", width=96, height=64) for i in "ab"],
                annotations=[dict(image_id=i, category_id=c, bbox=[10, 10, 40, 30], iscrowd=crowd)
                             for i, c, crowd in (("a", 7, 0), ("a", 90, 1), ("b", 90, 0))])
    changed = altered(data, good)
    (folder/"x.json").write_text(json.dumps(changed))
    strict, lenient = (read_or_refused(coco_items, folder/"x.json", folder, skip_bad=skip) for skip in (False, True))
    check_skipping(strict, lenient)
    if strict is not None:
        objects = [a for a in changed["annotations"] if not a.get("iscrowd")]
        assert sum(len(i.boxes) + i.repeated for i in strict) == len(objects)

@given(st.data())
@fuzz
def test_any_yolo(tmp_path_factory, data):
    "What is accepted has an object for each line of text"
    folder = tmp_path_factory.mktemp("yolo")
    for sub in ("images/train", "labels/train"): (folder/sub).mkdir(parents=True)
    photo().save(folder/"images/train/a.jpg")
    (folder/"labels/train/a.txt").write_bytes(mutated(data, b"1 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.1 0.1\n"))
    names = data.draw(st.sampled_from([["cat", "dog"], {0: "cat", 1: "dog"}, {1: "cat", 5: "dog"}]))
    classes = yaml.safe_dump(dict(names=names)).encode()
    classes = mutated(data, classes) if data.draw(st.booleans()) else b"names: [cat, dog]\n"
    (folder/"data.yaml").write_bytes(classes)
    strict, lenient = (read_or_refused(yolo_items, folder, skip_bad=skip) for skip in (False, True))
    check_skipping(strict, lenient)
    if strict is not None:
        lines = (folder/"labels/train/a.txt").read_text(encoding="utf-8-sig").splitlines()
        assert sum(len(i.boxes) + i.repeated for i in strict) == sum(bool(line.strip()) for line in lines)

@given(st.data())
@fuzz
def test_any_photo(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("photo")/"x"
    photo().save(path, data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])))
    path.write_bytes(mutated(data, path.read_bytes()))
    try: size, _ = photo_size(path)
    except InputError as e:
        assert "\n" not in str(e)
        return
    try: read = load_photo(path)
    except InputError as e: assert "\n" not in str(e)
    else: assert read.mode == "RGB" and sorted(read.size) == sorted(size)

@given(st.data())
@fuzz
def test_any_archive(tmp_path_factory, data):
    "Nothing is written but into the folder"
    folder = tmp_path_factory.mktemp("archive")
    make_voc(folder/"voc", n=1, splits=("train",))
    def undated(info):
        info.mtime = 0
        return info
    with tarfile.open(folder/"x.tar", data.draw(st.sampled_from(["w:", "w:xz"]))) as archive:
        archive.add(folder/"voc", ".", filter=undated)
    (folder/"x.tar").write_bytes(mutated(data, (folder/"x.tar").read_bytes()))
    before, target = contents(folder), folder/"new"
    try: unpack_archive(folder/"x.tar", target)
    except InputError as e: assert "\n" not in str(e)
    assert {k: v for k, v in contents(folder).items() if not Path(k).is_relative_to(target)} == before

@given(st.data())
@fuzz
def test_any_configuration(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("config")/"x.json"
    path.write_bytes(mutated(data, b'{"gamma": 0.5, "epochs": 3, "arch": "small_cnn", "flip": true}'))
    try: load_config(path)
    except InputError as e: assert "\n" not in str(e)
