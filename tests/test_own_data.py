"""The page "Use your own data", as its readers use it: its cells on each format of boxes, and its command lines."""
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import ROOT, SMALL, call
from matplotlib import pyplot as plt

from dqsstn.sample import SAMPLE_CLASSES


CELLS = nbformat.read(ROOT/"nbs"/"11_own_data.ipynb", 4).cells
PROSE = "\n".join(c.source for c in CELLS if c.cell_type == "markdown")
READ = "photos, test = (yolo_items("
TINY = "epochs=1,pretrain_epochs=1,classifier_epochs=1,batch_size=16,view_size=32,source_size=48,horizon=4,device=cpu"

def flags(source): return set(re.findall(r"^#\| *([\w-]+)", source, re.M))

def needed():
    "The cells that a reader runs, who has photos"
    return [c.source for c in CELLS if c.cell_type == "code" and not flags(c.source) & {"hide", "echo", "code-fold"}]

def blocks(language): return re.findall(rf"^```{language}\n(.*?)^```", PROSE, re.M | re.S)

@pytest.fixture
def stand_ins(folder, monkeypatch):
    "The page's names after its imports, with its stand-ins, fewer of them"
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    imports, = (c.source for c in CELLS if "hide" in flags(c.source) and "import tempfile" in c.source)
    write, = (c.source for c in CELLS if "code-fold" in flags(c.source))
    names = {}
    for code in (imports, write.replace("n_train=480, n_test=160", "n_train=60, n_test=20")):
        exec(code, names)  # noqa: S102  the page's own code
    yield names
    names["scratch"].cleanup()

def run_page(names, kind, read, hold_out="fit, valid = holdout(photos)"):
    "Run the cells that a reader needs, with another cell to read the photos"
    names["folder"] = names["folder"].parent/kind
    for code in needed():
        if code.startswith(READ): code = read
        code = re.sub(r'override\(CONFIGS\["tuned"\], \[".*?"\]\)', f'override(CONFIGS["demo"], ["{TINY}"])', code)
        exec(code.replace("fit, valid = holdout(photos)", hold_out), names)  # noqa: S102
    return names

def check(names, kind):
    "A model has come out, it is the one that was saved, and it names photos"
    run, found = names["run"], names["found"]
    assert run.config.horizon == 4 and (names["folder"].parent/"runs"/"mine"/"q_net.safetensors").is_file()
    assert run.classes == SAMPLE_CLASSES
    assert len(found) == 2 and {one["final_view"]["label"] for one in found} <= set(run.classes)
    assert names["predict"](run, names["new_photos"])[0] == found
    assert all(kind in path.parts for path in names["new_photos"])
    evaluation = names["evaluation"]
    assert evaluation.n_images == len(names["test"]) and np.isfinite(evaluation.policies["agent"]["top1"])
    assert set(evaluation.photos["agent"].name) == {item.name for item in names["test"]}
    assert set(run.seen.values()) == {item.name for item in names["fit"]}

def test_ten_cells_are_enough():
    cells = needed()
    assert len(cells) == 10 and sum(code.startswith(READ) for code in cells) == 1
    assert not [code for code in cells if "test_eq" in code or "assert" in code]

@pytest.mark.parametrize("kind, reader", [("coco", "coco_items"), ("voc", "voc_items")])
def test_other_formats(stand_ins, kind, reader):
    read, = (code for code in blocks("python") if reader in code)
    imports, = re.findall(rf"`(from dqsstn\.\w+ import {reader})`", PROSE)
    check(run_page(stand_ins, kind, f"{imports}\n{read}"), kind)

@pytest.mark.slow
def test_the_page_as_it_is(stand_ins):
    read, = (code for code in needed() if code.startswith(READ))
    check(run_page(stand_ins, "yolo", read), "yolo")

@pytest.mark.slow
def test_one_part_only(stand_ins):
    more, = re.findall(r"`(fit, test = holdout\(fit, 30\))`", PROSE)
    names = run_page(stand_ins, "yolo", 'photos = yolo_items(folder, "train")', f"fit, valid = holdout(photos); {more}")
    check(names, "yolo")
    parts = [{item.name for item in names[part]} for part in ("fit", "valid", "test")]
    assert all(parts) and set.union(*parts) == {item.name for item in names["photos"]}
    assert sum(map(len, parts)) == len(names["photos"])

@pytest.mark.slow
@pytest.mark.parametrize("kind", ["yolo", "coco"])
def test_command_lines(stand_ins, kind):
    root = stand_ins["folder"].parent/kind
    lines = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    photo = next((root/"images"/"val").iterdir())
    named, = re.findall(r"`(--coco .*?)` in place of", PROSE) if kind == "coco" else ["--yolo DIR"]
    assert len(lines) == 5
    for line in lines:
        line = line.replace("--yolo DIR", named).replace("DIR", str(root)).replace("photo.jpg", str(photo))
        line = line.replace("--config tuned", f"--config demo {SMALL}").removeprefix("dqsstn ")
        assert call(line).stdout
    assert list(Path("films").iterdir())
