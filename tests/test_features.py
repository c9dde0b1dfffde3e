"""A frozen backbone: heads that train like whole networks, and features that are the same whoever computed them."""
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, SMALL, TINY, call, photo
from matplotlib import pyplot as plt
from test_scale import LAUNCH

from dqsstn.checkpoint import Checkpoints
from dqsstn.config import CONFIGS, PAPER_REWARDS, Config, make_config
from dqsstn.deploy import WholeEpisode, export_onnx, load_onnx, predict_onnx
from dqsstn.env import State
from dqsstn.evaluate import evaluate
from dqsstn.experiments import Job, Lab, read_rows, run_jobs
from dqsstn.explore import Explorer
from dqsstn.features import FeatureCache, FeatureStore
from dqsstn.files import InputError
from dqsstn.hub import PretrainedRun
from dqsstn.learner import encoder_of, features_of, make_bank, make_env
from dqsstn.policies import agent_policy, play_all, q_values
from dqsstn.runs import load_run, predict, save_run, train_run
from dqsstn.sample import sample_items
from dqsstn.scale import on_ray

FROZEN = Config(
    arch="tf_efficientnet_lite0", trained="head", source_size=64, view_size=32, horizon=3, move_px=12.0, gamma=0.5,
    lr=1e-3, optimizer="adamw", epochs=1, batch_size=16, capacity=500, updates_per_step=2, dropout=0.1,
    classifier_training="after", pretrain_epochs=1, classifier_epochs=1, classifier_lr=1e-3, mixture=False,
    device="cpu")

@pytest.fixture(scope="module")
def items(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DQSSTN_CACHE", str(tmp_path_factory.mktemp("cache")))
        return [sample_items(split, n_train=60, n_test=20) for split in ("fit", "valid", "val")]

def state_of(run): return {name: net.state_dict() for name, net in dict(run.classifiers, q_net=run.q_net).items()}

def equal(a, b): return all(torch.equal(a[net][name], b[net][name]) for net in a for name in a[net])

@pytest.fixture(scope="module")
def trained(items): return train_run(FROZEN, *items[:2])

def test_a_cache_changes_nothing(items, trained):
    "One that forgets nearly everything gives the same weights, bit by bit"
    width = encoder_of(FROZEN).layout.size
    small = dataclasses.replace(FROZEN, cache_gb=20 * 2e-9 * width)
    assert features_of(small)[1].capacity == 20
    assert equal(state_of(trained), state_of(train_run(small, *items[:2])))
    assert len(features_of(small)[1]) == 20  # it was full

def test_a_store_changes_nothing(items, trained, tmp_path):
    "And the second training of a study encodes nothing"
    stored = dataclasses.replace(FROZEN, feature_store=str(tmp_path/"features"))
    assert equal(state_of(trained), state_of(train_run(stored, *items[:2])))
    assert features_of(stored)[1].misses
    features_of(FROZEN)  # another cache takes its place
    assert equal(state_of(trained), state_of(train_run(stored, *items[:2])))
    assert not features_of(stored)[1].misses

@pytest.mark.parametrize("setting", [
    dict(agent="all_actions", gamma=0.0), dict(dueling=True, double_dqn=True), dict(arch="small_cnn", pretrained=False),
    dict(arch="resnet18", pretrained=False),
    pytest.param(dict(arch="vit_tiny_patch16_224", pretrained=False, view_size=224), marks=pytest.mark.slow),
    dict(classifier_training="joint", epochs=1), dict(classifier_training="frozen", mixture=True),
    *(dict(reward=reward) for reward in PAPER_REWARDS)], ids=str)
def test_ways_to_train(items, setting):
    few = [part[list(range(n))] for part, n in zip(items, (16, 8, 8))]
    run = train_run(dataclasses.replace(FROZEN, **setting), *few[:2])
    untrained = train_run(dataclasses.replace(FROZEN, **setting | dict(lr=1e-30)), *few[:2])
    moved = [not torch.equal(a, b) for a, b in zip(run.q_net.parameters(), untrained.q_net.parameters())]
    assert all(moved) and sum(p.numel() for p in run.q_net.parameters()) < 2e6
    assert evaluate(run, few[2]).n_images == 8

def test_saved_and_loaded(items, trained, tmp_path, monkeypatch):
    save_run(trained, tmp_path/"run")
    again = load_run(tmp_path/"run")
    assert equal(state_of(trained), state_of(again))
    photos = [item.path for item in items[2][:2]]
    assert predict(again, photos)[0] == predict(trained, photos)[0]
    assert sum(file.stat().st_size for file in (tmp_path/"run").glob("*.safetensors")) < 6e6  # heads only
    about = (tmp_path/"run"/"provenance.json").read_text()
    (tmp_path/"run"/"provenance.json").write_text(about.replace(encoder_of(FROZEN).digest, "0" * 16))
    with pytest.raises(InputError, match="its heads belong to other weights of tf_efficientnet_lite0"):
        load_run(tmp_path/"run")

def test_resumed(items, trained, tmp_path):
    "A training that stops after each classifier and agent, and goes on"
    class Stop(Exception): pass
    fit, stopped = Checkpoints.train, []
    def stopping(self, name, *args):
        metrics = fit(self, name, *args)
        if name not in stopped:
            stopped.append(name)
            raise Stop
        return metrics
    run = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "train", stopping)
        for _ in range(20):
            checkpoints = Checkpoints(tmp_path/"checkpoint", 0, "{}")
            try:
                run = train_run(FROZEN, *items[:2], checkpoints=checkpoints)
                break
            except Stop: pass
            finally: checkpoints.release()
    assert len(stopped) == 8 and equal(state_of(trained), state_of(run))

def test_the_episode_of_an_onnx_file_is_the_same(items, trained):
    "But for the rounding to bfloat16, which only a cache needs"
    env = make_env(make_bank(items[2], FROZEN), FROZEN)
    whole = WholeEpisode(trained).eval()
    with torch.no_grad(): p_whole, _, _, thetas, _, q = whole(env.bank.photos)
    seen = env.render(env.reset(range(len(env.bank))))
    torch.testing.assert_close(q[:, 0], trained.q_net(seen), atol=0.02, rtol=0.02)
    torch.testing.assert_close(p_whole, trained.classifiers["baseline"](seen).softmax(1), atol=0.02, rtol=0.02)
    same = play_all(env, agent_policy(trained.q_net)).thetas == thetas
    assert same.flatten(1).all(1).float().mean() > 0.8

WRITER = """
import sys, torch
from dqsstn.experiments import read_rows
from dqsstn.features import FeatureStore
store, start = FeatureStore(sys.argv[1], 50, "test"), int(sys.argv[2])
for first in range(start, start + 300, 10):
    rows = {str(key).encode(): torch.full((50,), key, dtype=torch.bfloat16) for key in range(first, first + 10)}
    store.write(rows)
    assert len(store.read(list(rows))) == 10
"""

def test_two_processes_write_one_store(tmp_path):
    "Each of them half of what the other one writes, too"
    starts = ("0", "150")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path/"store", start], cwd=ROOT) for start in starts]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = FeatureStore(tmp_path/"store", 50, "test").read([str(key).encode() for key in range(450)])
    assert len(found) == 450
    for key, row in found.items(): assert torch.equal(row, torch.full((50,), int(key), dtype=torch.bfloat16))

def test_damaged_row(tmp_path):
    store = FeatureStore(tmp_path/"store", 50, "test")
    FeatureCache(50, 1e-6, store).put([b"view"], torch.full((1, 50), 1.5, dtype=torch.bfloat16))
    store.env.close()
    file = tmp_path/"store"/"data.mdb"
    content = file.read_bytes()
    row = bytes(torch.full((50,), 1.5, dtype=torch.bfloat16).view(torch.uint8))
    assert row in content
    file.write_bytes(content.replace(row, row[:-2] + b"xx"))
    with pytest.raises(InputError, match="a row of features is damaged; delete the folder"):
        FeatureStore(tmp_path/"store", 50, "test").read([b"view"])
    shutil.rmtree(tmp_path/"store")
    assert FeatureStore(tmp_path/"store", 50, "test").read([b"view"]) == {}

HEADS = "--set arch=tf_efficientnet_lite0,trained=head,pretrained=true,view_size=32"

def test_by_the_command_line(folder):
    said = call(f"train --config demo --sample {TINY} {SMALL} {HEADS} --out run").stderr
    assert re.search(r"\d+ views encoded, \d+% of [\d,]+ requests found", said)
    photo(7).save("a.png")
    found = json.loads(call("predict run a.png --json -").stdout)
    assert len(found) == 1 and 0 < found[0]["final_view"]["probability"] <= 1

@pytest.mark.slow
def test_onnx_file(items, trained, tmp_path):
    "The encoder is in the file"
    about = export_onnx(trained, tmp_path/"run.onnx")
    assert about["same_actions"] == about["photos"] and about["bytes"] > 10e6
    assert len(predict_onnx(load_onnx(tmp_path/"run.onnx"), [item.path for item in items[2][:2]])[0]) == 2

def test_a_study_shares_its_features(folder):
    study = f"reproduce --table 1 --rewards discrete_iou --seeds 1 --sample {TINY} {SMALL} {HEADS} --out study --jobs"
    assert "7 rows, 7 of them missing" in call(f"{study} 2").stdout  # by two processes
    rows, (store,) = read_rows("study/results.csv"), Path("study/features").iterdir()
    assert (store/"data.mdb").stat().st_size > 1e5
    assert "0 of them missing" in call(f"{study} 1").stdout
    call(f"reproduce --table 1 --rewards discrete_iou --seeds 1 --sample {TINY} {SMALL} {HEADS} --out again --jobs 1")
    again, numbers = read_rows("again/results.csv"), ["name", "top1", "top1_both_views", "iou_after"]
    pd.testing.assert_frame_equal(*(r[numbers].sort_values("name", ignore_index=True) for r in (rows, again)))

def test_named_configurations():
    assert make_config({}) == CONFIGS["paper"] and CONFIGS["paper"].trained == "everything"

def test_a_frozen_run_on_the_hub(items, trained, tmp_path):
    "Saved as the hub keeps it, and read back, it says the same"
    PretrainedRun(trained).save_pretrained(tmp_path/"shared")
    again, photos = PretrainedRun.from_pretrained(tmp_path/"shared", "cpu").run, [item.path for item in items[2][:3]]
    assert equal(state_of(trained), state_of(again)) and predict(again, photos)[0] == predict(trained, photos)[0]

def test_a_frozen_run_is_explored(items, trained):
    "The explorer draws pixels, and says what the heads make of features"
    explorer = Explorer(trained, items[2])
    explorer.go(1)
    env, episode = explorer.env, explorer.episode
    features = env.render(State(episode.index, episode.thetas[:, 1], 0))
    torch.testing.assert_close(explorer.seen.q, q_values(trained.q_net, features))
    fig = explorer.figure()
    assert max(np.asarray(image.get_array()).ndim for ax in fig.axes for image in ax.images) == 3  # a picture in colour
    plt.close(fig)

@pytest.mark.slow
def test_frozen_rows_on_ray(items, tmp_path):
    pytest.importorskip("ray")
    def read(split, seed): return items[("fit", "valid", "test").index(split)]
    jobs = [Job("baseline", FROZEN, "baseline", needs=("base",)), Job("discrete_iou", FROZEN)]
    for name, engine in dict(here=None, ray=lambda lab: on_ray(lab, workers=2)).items():
        run_jobs(jobs, Lab(read, tmp_path/name), tmp_path/f"{name}.csv", engine=engine)
    tables = (read_rows(tmp_path/f"{name}.csv").drop(columns="seconds") for name in ("here", "ray"))
    one, other = (rows.sort_values("name", ignore_index=True) for rows in tables)
    pd.testing.assert_frame_equal(one, other)

@pytest.mark.slow
def test_frozen_training_by_two_processes(folder):
    words = [*LAUNCH, "train", *f"--config demo --sample {TINY} {SMALL} --set mixture=false,trained=head".split()]
    done = subprocess.run([sys.executable, *words, "--out", "launched"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert load_run("launched", "cpu").config.trained == "head"
