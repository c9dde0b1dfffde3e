"""Paths that begin with `~` or a variable lead to the same place at every entry in Python; none is half expanded."""
from pathlib import Path

import pytest
from conftest import make_voc, photo

from dqsstn.backbones import create_net, load_weights, save_weights
from dqsstn.checkpoint import Checkpoints
from dqsstn.config import CONFIGS, load_config, override, save_config
from dqsstn.env import make_actions, paper_actions, write_actions
from dqsstn.experiments import Lab, read_rows
from dqsstn.features import FeatureStore
from dqsstn.files import check_out_folder, read_json, write_text
from dqsstn.formats import yolo_items
from dqsstn.runs import load_run, predict, save_run
from dqsstn.sample import make_sample, sample_items
from dqsstn.voc import voc_items

def labelled(root):
    "A photo with one box in YOLO's layout"
    for kind in ("images", "labels"): (root/kind/"train").mkdir(parents=True)
    photo().save(root/"images"/"train"/"a.png")
    (root/"labels"/"train"/"a.txt").write_text("0 .5 .5 .4 .4")
    (root/"classes.txt").write_text("cat")

def round_trip(write, read, path):
    write(path)
    return read(path)

def actions_of_file(path):
    write_actions(paper_actions(), path)
    return make_actions(path).names

def a_store(path):
    FeatureStore(path, 4, "features").env.close()
    return True

def a_folder_of_checkpoints(path):
    checkpoints = Checkpoints(path)
    checkpoints.take()
    checkpoints.release()
    return True

ENTRIES = {
    "text": lambda path: round_trip(lambda p: write_text('{"a": 1}', Path(p)), read_json, path) == {"a": 1},
    "configuration": lambda path: round_trip(lambda p: save_config(CONFIGS["demo"], p), load_config, path),
    "weights": lambda path: round_trip(lambda p: save_weights(create_net("small_cnn", 3), p),
                                       lambda p: isinstance(load_weights(create_net("small_cnn", 3), p), dict), path),
    "initial weights": lambda path: round_trip(lambda p: save_weights(create_net("small_cnn", 3), p),
                                               lambda p: create_net("small_cnn", 3, weights=p), path),
    "actions": actions_of_file,
    "features": a_store,
    "checkpoints": a_folder_of_checkpoints,
    "sample": lambda path: make_sample(path, n_train=20, n_test=10) and sample_items(
        "val", n_train=20, n_test=10, root=path),
}

@pytest.mark.parametrize("form", ["~/{}", "$HOME/{}", "${{HOME}}/{}"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_written_and_read(folder, monkeypatch, entry, form):
    home = folder/"home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"): monkeypatch.setenv(name, str(home))
    suffix = dict(actions=".json", configuration=".json", weights=".safetensors").get(entry.split()[-1], "")
    assert ENTRIES[entry](form.format(f"it{suffix}"))
    assert (home/f"it{suffix}").exists() and [path.name for path in folder.iterdir()] == ["home"]

def test_only_read(folder, run, monkeypatch):
    for name in ("HOME", "USERPROFILE"): monkeypatch.setenv(name, str(folder))
    make_voc("voc")
    labelled(Path("owls"))
    photo().save("a.png")
    loaded = load_run(run, "cpu")
    save_run(loaded, "~/run")
    assert load_run("~/run", "cpu").answer == loaded.answer
    assert predict(loaded, "~/a.png")[0][0]["image"] == str(folder/"a.png")
    assert len(voc_items("~/voc", "val", [2007])) == 8 and len(yolo_items("~/owls", "train")) == 1
    assert Lab(None, "~/weights").folder == folder/"weights" and len(read_rows("~/none.csv")) == 0
    with pytest.raises(ValueError, match="already holds files"): check_out_folder("~/run")
    assert override(CONFIGS["demo"], ["actions=~/actions.json"]).actions == "~/actions.json"
    assert not Path("~").exists()
