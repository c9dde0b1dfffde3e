"""Trackers change nothing that is trained; a run comes back from the hub as it went there, and nothing else does."""
import json
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT, SMALL, TINY, call, contents, photo
from fastai.callback.core import Callback
from hub_server import hub
from huggingface_hub import ModelCard
from scipy import stats
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from test_security import WAYS, refused

from dqsstn.checkpoint import Checkpoints
from dqsstn.config import CONFIGS, override
from dqsstn.sample import sample_items
from dqsstn.experiments import read_rows
from dqsstn.hub import PretrainedRun, make_tracker, method_card, policy_results
from dqsstn.classifier import fit_classifier
from dqsstn.learner import make_bank, make_env, new_net
from dqsstn.runs import load_run, predict, train_run

SMALLEST = "epochs=1,pretrain_epochs=1,classifier_epochs=1,batch_size=16,view_size=32,source_size=48,horizon=4"
CONFIG = override(CONFIGS["demo"], [f"{SMALLEST},device=cpu,dropout=0.1"])
TRAIN = f"train --config demo --sample {TINY} {SMALL}"
every_tracker = pytest.mark.parametrize("name", ["tensorboard", pytest.param("wandb", marks=pytest.mark.slow)])

def weights(run):
    nets = {"q_net": run.q_net, **run.classifiers}
    return {f"{name} {key}": value for name, net in nets.items() for key, value in net.state_dict().items()}
def same(a, b): return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)

@pytest.fixture(autouse=True)
def offline(monkeypatch): monkeypatch.setenv("WANDB_MODE", "offline")

@pytest.fixture(scope="module")
def photos():
    "Photos for training (64, four batches) and for validation"
    return sample_items("fit", n_train=120, n_test=20)[:64], sample_items("valid", n_train=120, n_test=20)

@pytest.fixture(scope="module")
def untracked(photos): return train_run(CONFIG, *photos)

def scalars(folder):
    "Tag → its steps and values, of what TensorBoard shows of a folder"
    events = EventAccumulator(str(folder), size_guidance=dict(scalars=0)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

def records(file):
    "The records of a .wandb file, which is a log of LevelDB after seven bytes"
    from wandb.proto.wandb_internal_pb2 import Record
    data, at, parts = file.read_bytes(), 7, b""
    while at + 7 < len(data):
        if 32768 - at % 32768 < 7: at += 32768 - at % 32768
        _, n, kind = struct.unpack_from("<IHB", data, at)
        parts, at = parts + data[at + 7 : at + 7 + n], at + 7 + n
        if kind in (1, 4):  # whole, or its last part
            record = Record()
            record.ParseFromString(parts)
            yield record
            parts = b""

def wandb_run(file):
    "Name, group, configuration, and key → its steps and values, of a .wandb file"
    found = dict(history={}, summary={})
    for record in records(file):
        if record.HasField("run"):
            run = record.run
            config = {c.key: json.loads(c.value_json) for c in run.config.update if c.key != "_wandb"}
            found |= dict(name=run.display_name, group=run.run_group, config=config)
        elif record.history.item:
            for item in record.history.item:
                key = item.key or "/".join(item.nested_key)
                found["history"].setdefault(key, []).append((record.history.step.num, json.loads(item.value_json)))
        else:
            for item in record.summary.update:
                found["summary"][item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
    return found

def wandb_runs(out):
    files = Path(out, "wandb").glob("offline-run-*/*.wandb")
    return [wandb_run(file) for file in sorted(files, key=lambda f: f.stat().st_mtime_ns)]

@every_tracker
def test_command_line_follows(folder, run, name):
    outcome = call(f"{TRAIN} --out run --track {name}")
    for file in run.glob("*.safetensors"): assert file.read_bytes() == Path("run", file.name).read_bytes()
    assert {p.name for p in Path("run").iterdir()} - {p.name for p in run.iterdir()} == {name}
    assert "wandb" not in (outcome.stdout + outcome.stderr).replace("--track wandb", "")
    trainings = [p.stem for p in run.glob("classifier_*.safetensors")] + ["classifier", "agent", "results"]
    config, results = (json.loads((run/name).read_text()) for name in ("config.json", "results.json"))
    metrics = load_run(run, "cpu").metrics.iloc[-1]
    top1 = results["policies"]["agent"]["top1"]
    if name == "tensorboard":
        assert {p.name for p in Path("run/tensorboard").iterdir()} == {*trainings}
        agent = scalars("run/tensorboard/agent")
        assert [step for step, _ in agent["train_loss"]] == list(range(1, 4 * 4 + 1))
        assert agent["iou_after"][0][1] == pytest.approx(metrics.iou_after, abs=1e-4)
        assert scalars("run/tensorboard/results")["top1/agent"][0][1] == pytest.approx(top1, abs=1e-4)
        events = EventAccumulator("run/tensorboard/agent").Reload()
        assert '"eps_decay": 5000.0' in events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    else:
        runs = {found["name"]: found for found in wandb_runs("run")}
        assert runs.keys() == {*trainings} and {found["group"] for found in runs.values()} == {"run"}
        agent = runs["agent"]
        assert [step for step, _ in agent["history"]["train_loss"]] == list(range(4 * 4)) and agent["config"] == config
        assert agent["history"]["iou_after"][0][1] == pytest.approx(metrics.iou_after, abs=1e-4)
        assert runs["results"]["summary"]["top1/agent"] == pytest.approx(top1)

@every_tracker
def test_follows_a_training_that_is_killed_and_resumed(folder, photos, untracked, name):
    class Kill(Callback):
        order = 99
        def after_batch(self):
            if self.train_iter == 6: raise KeyboardInterrupt  # two updates after a checkpoint

    def train(killed=False):
        checkpoints, tracker = Checkpoints("run/checkpoint", every=0), make_tracker(name, "run", CONFIG)
        def track(title):
            if killed and title == "agent": return [*tracker(title), Kill()]
            return tracker(title)
        try: return train_run(CONFIG, *photos, checkpoints=checkpoints, track=track)
        finally: checkpoints.release()

    with pytest.raises(KeyboardInterrupt): train(killed=True)
    assert same(weights(train()), weights(untracked))
    if name == "tensorboard":
        train_run(CONFIG, *photos, track=make_tracker(name, "whole", CONFIG))
        files = Path("run/tensorboard/agent").iterdir()
        events = [event for file in files for event in EventFileLoader(str(file)).Load()]
        written = [event.step for event in events for value in event.summary.value if value.tag == "train_loss"]
        assert sorted(written) == sorted([*range(1, 17), 5, 6])  # twice, of which one is shown:
        assert scalars("run/tensorboard/agent") == scalars("whole/tensorboard/agent")
    else:
        before, after = [found["history"] for found in wandb_runs("run") if found["name"] == "agent"]
        assert [step for step, _ in before["train_loss"]] == list(range(6))
        assert [step for step, _ in after["train_loss"]] == list(range(4, 16))
        assert before["raw_loss"][4:] == after["raw_loss"][:2]

@every_tracker
def test_no_epochs(folder, photos, name):
    env, tracker = make_env(make_bank(photos[1], CONFIG), CONFIG), make_tracker(name, "run", CONFIG)
    fit_classifier(new_net(CONFIG, 10, "classifier", env.device), env, env, CONFIG, 0, cbs=tracker("classifier"))
    assert not Path("run").exists()

def test_refused_before_anything_is_done(folder, monkeypatch):
    import wandb
    def login(**_): raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")
    monkeypatch.setattr(wandb, "setup", lambda settings: SimpleNamespace(settings=SimpleNamespace(mode="online")))
    monkeypatch.setattr(wandb, "login", login)
    answers = dict(mlflow="--track mlflow: choose from tensorboard, wandb",
                   wandb="wandb: No API key configured. Use `wandb login` to log in; or set WANDB_MODE=offline")
    for name, words in answers.items():
        assert call(f"{TRAIN} --out new --track {name}", code=2).stderr == f"dqsstn: {words}\n"
        assert not Path("new").exists()

@pytest.mark.slow
def test_wandb_wants_to_know_who(folder):
    env = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    env |= {"PYTHONPATH": str(ROOT), "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    line = f"dqsstn {TRAIN} --out new --track wandb"
    code = f"import sys; sys.argv = '{line}'.split(); from dqsstn.cli import main; main()"
    words = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(words, text=True, capture_output=True, stdin=subprocess.DEVNULL, env=env)
    assert done.returncode == 2 and "No API key configured" in done.stderr and done.stderr.count("\n") == 1
    assert not Path("new").exists()

@every_tracker
def test_missing_package(folder, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    outcome = call(f"{TRAIN} --out new --track {name}", code=2)
    assert outcome.stderr == f"dqsstn: {name} is not installed; pip install 'dqsstn[track]'\n"
    assert not Path("new").exists()

ROUND_TRIP = """
import json, sys
from dqsstn.files import InputError
from dqsstn.experiments import read_rows
from dqsstn.hub import PretrainedRun
from dqsstn.runs import predict

def message(action):
    try: action()
    except InputError as e: return str(e)

own = PretrainedRun.from_pretrained(sys.argv[1], device="cpu")
url = own.push_to_hub("ann/zooms", token="hf_secret", model_card_kwargs=dict(study=read_rows(sys.argv[2])))
back = PretrainedRun.from_pretrained("ann/zooms", device="cpu")
smaller = PretrainedRun(own.run._replace(classifiers={k: v for k, v in own.run.classifiers.items() if k != "mixture"}))
for run in (own, smaller): run.push_to_hub("ann/again", token="hf_secret")
def weights(shared):
    nets = {"q_net": shared.run.q_net, **shared.run.classifiers}
    return {(name, key): value for name, net in nets.items() for key, value in net.state_dict().items()}
one, other = weights(own), weights(back)
equal = one.keys() == other.keys() and all(bool((one[key] == other[key]).all()) for key in one)
said = [message(lambda: PretrainedRun.from_pretrained(name)) for name in sys.argv[3:]]
said.append(message(lambda: own.push_to_hub("ann/zooms", token="hf_wrong")))
print(json.dumps(dict(
    url=url, equal=equal, predictions=[predict(shared.run, ["x.png"])[0] for shared in (own, back)], said=said,
    results=own.results["policies"] == back.results["policies"], seen=own.run.seen.keys() == back.run.seen.keys())))
"""

@pytest.mark.slow
def test_to_the_hub_and_back(folder, run):
    photo().save("x.png")
    WAYS["torch.save"]("evil.safetensors")
    private = shutil.copytree(run, folder/"jane"/"run")
    command = "dqsstn train --voc /home/jane/voc --out /home/jane/run"
    about = json.loads((private/"provenance.json").read_text()) | dict(command=command)
    (private/"provenance.json").write_text(json.dumps(about))
    config, whole = (run/"config.json").read_bytes(), {p.name: p.read_bytes() for p in run.iterdir() if p.is_file()}
    with hub() as server:
        changed = json.dumps(json.loads(config) | dict(auto_map="x.py")).encode()
        server.files |= {"ann/pickled": {"pytorch_model.bin": b"", "config.json": config},
                         "ann/code": whole | {"dqsstn.py": b"1 / 0", "classifier_x.pkl": b""},
                         "ann/evil": whole | {"q_net.safetensors": Path("evil.safetensors").read_bytes()},
                         "ann/changed": whole | {"config.json": changed}}
        env = os.environ | {"HF_ENDPOINT": server.address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder/"hf"),
                            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        names = ["ann/pickled", "ann/evil", "ann/changed", "ann/none", "ann/code"]
        words = [sys.executable, "-W", "ignore", "-c", ROUND_TRIP, private, ROOT/"results"/"sample_study.csv", *names]
        done = subprocess.run(list(map(str, words)), env=env, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    found, files = json.loads(done.stdout), server.files["ann/zooms"]
    assert found["url"].startswith(f"{server.address}/ann/zooms/commit/")
    assert found["equal"] and found["results"] and found["seen"]
    assert found["predictions"][0] == found["predictions"][1] and found["predictions"][0]
    pickled, evil, changed, none, code, wrong = found["said"]
    assert "is missing" in pickled and "q_net.safetensors" in evil
    assert "unknown field 'auto_map'" in changed and code is None
    assert none.startswith("ann/none: not possible on the hub (Repository not found)")
    assert wrong.startswith("ann/zooms: not possible on the hub")
    assert not [path for _, path in server.calls if path.endswith((".bin", ".pkl", ".py"))]
    assert not Path("somebody-was-here").exists()

    assert files.keys() == {*whole, "README.md"}
    again = {*whole, "README.md"} - {"results.json", "classifier_mixture.safetensors"}
    assert server.files["ann/again"].keys() == again  # nothing of the run before
    shared, names = b"".join(files.values()), json.loads(whole["train_photos.json"]).values()
    assert b"jane" not in shared and not [name for name in names if f'"{name}"'.encode() in shared]
    card = ModelCard(files["README.md"].decode())
    assert card.data.library_name == "dqsstn" and 'from_pretrained("ann/zooms")' in card.text

@pytest.mark.parametrize("change, words", [
    (lambda: Path("run/results.json").write_text("[]"), "results.json: not what `dqsstn train` wrote"),
    (lambda: Path("run/config.json").write_text("{"), "config.json: no JSON file"),
    (lambda: Path("run/config.json").write_text('{"device": "cpu", "run": 1}'), "unknown field 'run'"),
    (lambda: Path("run/provenance.json").write_text("{}"), "provenance.json"),
    (lambda: [f.rename(f.with_suffix(".bin")) for f in Path("run").glob("*.safetensors")],
     "q_net.safetensors is missing"),
])
def test_wrong_folders(run, folder, change, words):
    shutil.copytree(run, "run")
    change()
    assert words in refused(PretrainedRun.from_pretrained, "run")

def test_saving_leaves_a_run_alone(run, folder):
    shutil.copytree(run, "run")
    before = contents("run")
    own = PretrainedRun.from_pretrained("run", device="cpu")
    assert "already holds files" in refused(own.save_pretrained, "run") and contents("run") == before
    others = read_rows(ROOT/"results"/"sample_study.csv").query("name == 'baseline'")
    study = dict(study=others)
    assert "no row" in refused(own.save_pretrained, "none", model_card_kwargs=study) and not Path("none").exists()
    own.save_pretrained("other")
    photo().save("x.png")
    assert predict(load_run("other", "cpu"), ["x.png"])[0] == predict(own.run, ["x.png"])[0]
    assert same(*(weights(load_run(f, "cpu")) for f in ("run", "other")))

def test_card_follows_the_files(run, folder):
    own = PretrainedRun.from_pretrained(run, device="cpu")
    policies, n = own.results["policies"], own.results["n_images"]
    agent = policies["agent"] | dict(top1=100 * 8 / n, won=5, lost=1)
    changed = own.results | dict(policies=policies | dict(agent=agent))
    before, after = own.generate_model_card(), PretrainedRun(own.run, changed).generate_model_card()
    low, high = (100 * end for end in stats.binomtest(8, n).proportion_ci(method="wilson"))
    cell = f"{800 / n:.1f} [{low:.1f}, {high:.1f}]"
    assert cell in after.text and cell not in before.text
    assert after.data.eval_results[0].metric_value == pytest.approx(8 / n, abs=1e-6)
    row = policy_results(changed).loc["agent"]
    assert row["won / lost"] == "5 / 1" and row["− baseline, points"].startswith(f"{400 / n:+.1f} [")
    rows = read_rows(ROOT/"results"/"sample_study.csv")
    one = rows[rows.seed == 0]
    assert method_card({"a": rows}, []).text != method_card({"a": one}, []).text
    other = PretrainedRun(own.run._replace(config=replace(own.run.config, reward="combined")), None)
    assert "no row 'combined'" in refused(other.generate_model_card, study=rows[rows.name != "combined"])
