"""`predict` for many photos: folders, patterns and lists, in parts, with results that grow and can be gone on with."""
import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import call, photo
from PIL import Image
from recording import Table, refused

from dqsstn import data, runs
from dqsstn.data import ImageBank
from dqsstn.files import InputError
from dqsstn.runs import load_run, predict

table, group = Table(__file__), "predicting"

@pytest.fixture
def album(folder, run):
    "A run and a folder of six photos, two of them deeper"
    shutil.copytree(run, "run")
    names = ["a.png", "b.JPG", "c.webp", "d.jpeg", "trip/e.png", "trip/day/f.bmp"]
    for seed, name in enumerate(names):
        Path("album", name).parent.mkdir(parents=True, exist_ok=True)
        photo(seed).save(Path("album", name))
    for name in ("._a.png", "Thumbs.db", "trip/.DS_Store"): Path("album", name).write_bytes(b"no photo")
    return [f"album/{name}" for name in names]

def named(line): return [said["image"] for said in json.loads(call(f"predict run {line} --json -").stdout)]

def test_what_names_photos(album):
    Path("list.txt").write_text("\n".join([album[4], "", album[0]]), "utf-8")
    assert named("album") == album[:4]
    assert named("album --recursive") == sorted(album)
    assert named("'album/*/**/*.*'") == sorted(album[4:])
    assert named("list.txt album/b.JPG") == [album[4], album[0], album[1]]
    assert named("album/a.png album/a.png") == [album[0]] * 2

def test_the_table_lists_a_photo_as_often_as_it_was_named(album):
    assert call("predict run album/a.png album/b.JPG album/a.png").stdout.count("album/a.png") == 2

@pytest.mark.parametrize("case, line, words", table.cases(group, {
    "a folder without photos": ("predict run empty", ["empty: holds no photo", "--recursive"]),
    "a pattern that matches nothing": ("predict run 'album/*.tiff'", ["album/*.tiff: matches no file"]),
    "a list that is not there": ("predict run nowhere.txt", ["nowhere.txt: no such file"]),
    "an empty list": ("predict run empty.txt", ["empty.txt: names no photo"]),
    "a broken photo among good ones": ("predict run album broken.jpg --json said.jsonl", ["broken.jpg: unreadable"]),
    "rows into a file that is not .csv": ("predict run album --csv said.tsv", ["said.tsv", "ends in .csv"]),
    "results into a file of something else": ("predict run album --csv other.csv", ["other.csv", "something else"]),
    "results into a text without a line end": ("predict run album --json mine.jsonl", ["mine.jsonl", "something else"]),
    "a table by the option for JSON": ("predict run album --json said.csv", ["--json said.csv", "--csv"]),
}))
def test_bad_input(album, case, line, words):
    Path("empty").mkdir()
    Path("empty.txt").touch()
    Path("broken.jpg").write_text("no photo")
    Path("other.csv").write_text("a,b\n1,2\n3,4")
    Path("mine.jsonl").write_text("my only line")
    case.refused(refused(line, *words))

def test_one_bad_photo_does_not_cost_the_others(album):
    "Neither one whose header is broken, nor one whose pixels are"
    Path("broken.jpg").write_text("no photo")
    good = io.BytesIO()
    photo(9).save(good, "PNG")
    Path("torn.png").write_bytes(good.getvalue()[:-400])  # its header is whole
    outcome = call("predict run album/a.png broken.jpg torn.png album/b.JPG --skip-bad --json -")
    assert [said["image"] for said in json.loads(outcome.stdout)] == album[:2]
    assert [line.split(":")[1].strip() for line in outcome.stderr.splitlines()] == ["broken.jpg", "torn.png"]
    assert "torn.png: unreadable photo" in call("predict run album/a.png torn.png", code=2).stderr

@pytest.mark.parametrize("option, name", [("--json", "said.jsonl"), ("--csv", "said.csv")])
def test_goes_on_where_it_was(album, monkeypatch, option, name):
    "Interrupted after the second part, and in the middle of a line"
    whole = json.loads(call("predict run album --recursive --json -").stdout)
    monkeypatch.setattr(runs, "photos_at_once", lambda config: 2)
    asked, ask = [], runs.predict
    def twice(run, photos):
        if len(asked) == 2: raise KeyboardInterrupt
        asked.append(photos)
        return ask(run, photos)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "predict", twice)
        call(f"predict run album --recursive {option} {name}", code=130)
    with open(name, "a") as file: file.write('{"image": "album/c')
    again = call(f"predict run album --recursive {option} {name}")
    assert "4 of 6 photos are done" in again.stderr and again.stdout == f"{name}: 6 photos\n"
    text = Path(name).read_text("utf-8")
    found = [*map(json.loads, text.splitlines())] if option == "--json" else list(csv.DictReader(io.StringIO(text)))
    assert [said["image"] for said in found] == [said["image"] for said in whole]
    for said, expected in zip(found, whole):
        if option == "--csv": assert said["label"] == expected[expected["answer"]]["label"]
        else: assert {key: said[key] for key in expected} == expected

def test_a_whole_file_beside_one_that_grows(album):
    "The JSON has all photos, also those that have their row already"
    call("predict run album --csv said.csv")
    call("predict run album --recursive --csv said.csv --json said.json")
    assert [said["image"] for said in json.loads(Path("said.json").read_text())] == sorted(album)
    assert Path("said.csv").read_text("utf-8").count("\n") == 7  # a heading, and a row for each

def test_filmstrips_of_photos_that_are_done(album):
    call("predict run album --json said.jsonl")
    before = Path("said.jsonl").read_bytes()
    call("predict run album --json said.jsonl --filmstrip films")
    assert len(list(Path("films").iterdir())) == 4 and Path("said.jsonl").read_bytes() == before
    assert "4 of 4 photos are done" in call("predict run album --json said.jsonl --filmstrip films").stderr

def test_answers_of_two_models_do_not_mix(album):
    call("predict run album --json said.jsonl")
    before = Path("said.jsonl").read_bytes()
    config = json.loads(Path("run/provenance.json").read_text())
    other = next(answer for answer in runs.ANSWERS if answer != config["answer"])
    Path("run/provenance.json").write_text(json.dumps(config | dict(answer=other)))
    err = call("predict run album --json said.jsonl", code=2).stderr
    assert "said.jsonl: holds predictions of another model" in err and Path("said.jsonl").read_bytes() == before

def test_memory_holds_one_part_at_a_time(album, monkeypatch):
    "Three photos of 48 px have 20,736 bytes"
    config = json.loads(Path("run/config.json").read_text())
    Path("run/config.json").write_text(json.dumps(config | dict(memory_limit_gb=2.1e-5)))
    sizes, init = [], ImageBank.__init__
    def counted(self, items, *args, **kwargs):
        sizes.append(len(items))
        init(self, items, *args, **kwargs)
    monkeypatch.setattr(ImageBank, "__init__", counted)
    assert len(named("album --recursive")) == 6 and sizes == [3, 3]

def test_filmstrips_of_photos_with_one_name(album):
    for k in (1, 2):
        Path(f"d{k}").mkdir()
        photo(k).save(f"d{k}/x.png")
    said = json.loads(call("predict run d1/x.png d2/x.png d1/x.png album/a.png --filmstrip films --json -").stdout)
    assert [Path(one["filmstrip"]).name for one in said] == ["x-1.png", "x-2.png", "x-1.png", "a.png"]
    assert sorted(path.name for path in Path("films").iterdir()) == ["a.png", "x-1.png", "x-2.png"]
    photo(3).save("x-1.png")
    said = json.loads(call("predict run d1/x.png d2/x.png x-1.png --filmstrip more --json -").stdout)
    assert [Path(one["filmstrip"]).name for one in said] == ["x-2.png", "x-3.png", "x-1.png"]

def test_photos_in_memory(album):
    run = load_run("run", "cpu")
    (expected,), _, _ = predict(run, album[0])
    image = Image.open(album[0])
    for given in (Path(album[0]), Path(album[0]).read_bytes(), image, np.asarray(image), [image]):
        (said,), _, _ = predict(run, given)
        assert said | dict(image="") == expected | dict(image="")
    with pytest.raises(InputError, match="photo of 3 bytes: unreadable photo"): predict(run, b"abc")
    with pytest.raises(InputError, match="photo in memory: unreadable photo"): predict(run, np.zeros((4, 4)))

def test_photos_that_are_turned(folder):
    "A photo in memory is turned once, as its EXIF orientation says"
    upright = photo(3, (60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored after a quarter turn
    file = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    banks = [data.bank_from_photos([given], 32) for given in (file.getvalue(), Image.open(file), upright)]
    assert all((bank.photos == banks[2].photos).all() for bank in banks) and banks[0].items[0].size == (60, 40)

def test_table(): table.check()
