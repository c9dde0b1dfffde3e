"""Training that was stopped, killed, or could not write goes on to the very same bits, or says what is wrong."""
import errno
import json
import random
import re
import resource
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, SMALL, TINY, call, contents, make_voc, photo, start
from fastai.callback.core import Callback
from filelock import FileLock
from recording import Table, refused
from safetensors import SafetensorError

from dqsstn import runs
from dqsstn.backbones import create_net, save_weights
from dqsstn.checkpoint import Checkpoints, before, read_checkpoint, write_checkpoint
from dqsstn.config import CONFIGS, override
from dqsstn.env import ViewEnv
from dqsstn.evaluate import evaluate
from dqsstn.files import InputError
from dqsstn.runs import load_run, train_run
from dqsstn.sample import sample_items

sys.path.insert(0, str(ROOT/"scripts"))
from soak import soak

TRAIN = f"train --config demo --sample {TINY} {SMALL} --save-every 0"

@pytest.mark.slow
@pytest.mark.parametrize("kills, seed", [(3, 0), (22, 1)])
def test_killed_at_random_moments(kills, seed): assert soak(kills, seed=seed) == (kills, [])

def stop_before_the_agent(line):
    "A training that is interrupted after its first classifier"
    fit = Checkpoints.train
    def first(self, name, *args):
        if name == "agent": raise KeyboardInterrupt
        return fit(self, name, *args)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "train", first)
        assert call(line, code=130).stderr.endswith("dqsstn: stopped; go on with dqsstn train --resume run\n")

@pytest.fixture(scope="module")
def left(tmp_path_factory, cache):
    "What such a training leaves"
    here = tmp_path_factory.mktemp("left")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DQSSTN_CACHE", str(cache))
        patch.chdir(here)
        stop_before_the_agent(f"{TRAIN} --out run")
    return here/"run"

@pytest.fixture
def stopped(left, folder): return Path(shutil.copytree(left, "run"))

def test_goes_on(stopped, run):
    other = Path("elsewhere")
    other.mkdir()
    moved = Path(shutil.move(stopped, other/"run"))
    printed = call(f"train --resume {moved} --json -").stdout
    assert {p.name for p in moved.iterdir()} == {p.name for p in run.iterdir()}
    numbers, whole = json.loads(printed), json.loads((run/"results.json").read_text())
    assert numbers["policies"] == whole["policies"]  # of a run that nobody stopped
    assert (moved/"q_net.safetensors").read_bytes() == (run/"q_net.safetensors").read_bytes()
    assert json.loads(call(f"train --resume {moved} --json -").stdout) == numbers  # complete: only shown again

table, group = Table(__file__), "going on with a training"

@pytest.mark.parametrize("case, line, words", table.cases(group, {
    "a folder that is not there": ("train --resume nowhere", ["nowhere", "no training to go on with"]),
    "with another configuration": ("train --resume run --config demo", ["leave out --config"]),
    "with other settings": ("train --resume run --set lr=1", ["leave out --config, --out and --set"]),
    "neither a new run nor one to go on with": ("train --sample", ["name --config and --out", "--resume RUN"]),
    "a new run in the folder of one that is not over": (f"{TRAIN} --out run", ["run", "dqsstn train --resume run"]),
    "evaluating before the end": ("evaluate run --sample", ["run", "dqsstn train --resume run"]),
    "predicting before the end": ("predict run x.png", ["run", "dqsstn train --resume run"]),
}))
def test_command_lines(stopped, case, line, words): case.refused(refused(line, *words))

def last_refused(line, *words):
    "As `refused`, for commands that say more on standard error before"
    before = contents()
    outcome = call(line, code=2)
    message = outcome.stderr.splitlines()[-1]
    assert message.startswith("dqsstn: ") and outcome.stdout == "" and contents() == before
    for word in words: assert word in message
    return message

@pytest.mark.parametrize("case, key, value", table.cases(group, {
    "made with another learning rate": ("lr", 0.5), "by another version": ("version", "0.0.0"),
    "by a program whose results differ": ("results_version", "0.1.1"),
    "by another PyTorch": ("torch", "1.0"), "on another kind of device": ("device", "cuda")}))
def test_another_training(stopped, case, key, value):
    path = stopped/"checkpoint"/"classifier.pt"
    state = read_checkpoint(path)
    write_checkpoint(state | dict(identity=state["identity"] | {key: value}), path)
    before(path).unlink()
    own = state["identity"][key]
    message = last_refused("train --resume run", "classifier.pt", f"made with {key}={value}, not {key}={own}")
    case.refused(message.replace(str(own), "…"))  # which changes with every commit

def test_other_photos(stopped, case=table.case(group, "with other photos")):
    message = last_refused(f"train --resume run --sample --seed 5 {TINY}", "classifier.pt", "photos for training=")
    case.refused(re.sub(r"=\w{12}", "=…", message))

def test_photos_that_were_moved_and_changed(folder):
    voc = make_voc("voc")
    stop_before_the_agent(f"train --voc voc --years 2007 --config demo {SMALL} --out run")
    shutil.move("voc", "moved")
    refused("train --resume run", "voc", "no such folder")
    path = Path("moved", *voc.parts[1:], "JPEGImages", "000000.jpg")
    whole = path.read_bytes()
    photo(99).save(path)
    last_refused("train --resume run --voc moved --years 2007", "made with photos for")
    path.write_bytes(whole)
    call("train --resume run --voc moved --years 2007")
    assert Path("run/results.json").is_file()

@pytest.mark.parametrize("case, damage", table.cases(group, {
    "a checkpoint that is cut off": "torn", "an empty checkpoint": "empty",
    "a checkpoint that would run code": "malicious"}))
def test_damaged_checkpoints(stopped, case, damage):
    path = stopped/"checkpoint"/"classifier.pt"
    class Attack:
        def __reduce__(self): return (Path.touch, (Path("attacked"),))
    if damage == "malicious": torch.save(dict(identity=Attack()), path)
    else: path.write_bytes(path.read_bytes()[:1000 if damage == "torn" else 0])
    case.refused(last_refused("train --resume run", "classifier.pt: damaged", "anew"))
    assert not Path("attacked").exists()

one_before = table.case(group, "a damaged checkpoint, and the one before it")

def test_damaged_checkpoint_after_a_whole_one(stopped, run, case=one_before):
    path = stopped/"checkpoint"/"classifier.pt"
    shutil.copy(path, before(path))
    path.write_bytes(path.read_bytes()[:1000])
    call("train --resume run")
    assert (stopped/"q_net.safetensors").read_bytes() == (run/"q_net.safetensors").read_bytes()
    case.works("goes on from the one before, to the same bits")

NO_SOURCE = dict.fromkeys(("voc", "coco", "images", "yolo"))
OTHER_VERSION = json.dumps(dict(config=dict(gama=1), source=NO_SOURCE, split="", command=""))

@pytest.mark.parametrize("case, text", table.cases(group, {
    "an empty training.json": "", "a list in training.json": "[]", "a training.json that lacks everything": "{}",
    "a training.json of another version": OTHER_VERSION}))
def test_damaged_plan(stopped, case, text):
    (stopped/"checkpoint"/"training.json").write_text(text)
    said = "gama" if text == OTHER_VERSION else "not what `dqsstn train` wrote"
    case.refused(last_refused("train --resume run", "training.json", said))

def test_other_weights(folder, case=table.case(group, "with another file of weights than it was begun with")):
    nets = [create_net("small_cnn", 10) for _ in range(2)]
    save_weights(nets[0], "weights.safetensors")
    stop_before_the_agent(f"{TRAIN} --set weights=weights.safetensors --out run")
    save_weights(nets[1], "weights.safetensors")
    case.refused(re.sub(r"=\w{12}", "=…", last_refused("train --resume run", "made with initial weights=")))
    save_weights(nets[0], "weights.safetensors")
    Path("elsewhere").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("elsewhere")
        call("train --resume ../run")  # which finds them from another folder, too
    assert Path("run/results.json").is_file()

def test_killed_before_anything_was_saved(folder):
    Path("run/checkpoint").mkdir(parents=True)
    for name in ("lock", ".training.json.aside"): Path("run/checkpoint", name).touch()
    refused("train --resume run", "no training to go on with")
    call(f"{TRAIN} --out run")  # the command that was killed
    assert Path("run/results.json").is_file() and not Path("run/checkpoint").exists()

def test_completed_by_another_process_meanwhile(stopped, monkeypatch):
    def take(self): self.plan.unlink()
    monkeypatch.setattr(Checkpoints, "take", take)
    call("train --resume run", code=2)
    assert not Path("run/checkpoint/training.json").exists() and not Path("run/q_net.safetensors").exists()

def test_one_process_at_a_time(stopped, case=table.case(group, "while another process is at it")):
    with FileLock(stopped/"checkpoint"/"lock"):
        case.refused(last_refused("train --resume run", "run: another process is training there"))

def test_read_only_folder(stopped, monkeypatch, case=table.case(group, "in a folder that is read-only")):
    def acquire(self, **_): raise OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(FileLock, "acquire", acquire)
    case.refused(last_refused("train --resume run", "checkpoint: cannot be written (Read-only file system)"))

TOO_MUCH_FOR_THE_GPU = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity …"
TOO_MUCH_FOR_PYTORCH = ("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: "
                        "you tried to allocate 9 bytes.")

@pytest.mark.parametrize("case, error", table.cases("memory and disk", {
    "too little memory on the GPU": torch.OutOfMemoryError(TOO_MUCH_FOR_THE_GPU),
    "too little memory in the machine": MemoryError(),
    "too little memory in the machine, as PyTorch says it": RuntimeError(TOO_MUCH_FOR_PYTORCH)}))
def test_too_little_memory(folder, monkeypatch, case, error):
    def fit(*_, **__): raise error
    monkeypatch.setattr(runs, "fit_classifier", fit)
    message = call(f"{TRAIN} --out run", code=2).stderr.splitlines()[-1]
    assert "not enough memory" in message and "--set batch_size=N" in message
    case.refused(message)

large_batch = table.case("memory and disk", "a batch of evaluation that does not fit on the GPU")

def test_too_little_memory_for_evaluation(run, folder, monkeypatch, case=large_batch):
    whole = call(["evaluate", str(run), "--sample", "--json", "-"]).stdout
    render = ViewEnv.render
    def hungry(env, state):
        if len(state.index) > 8: raise torch.OutOfMemoryError("CUDA out of memory")
        return render(env, state)
    monkeypatch.setattr(ViewEnv, "render", hungry)
    parts = call(["evaluate", str(run), "--sample", "--json", "-"]).stdout
    agent = [json.loads(text)["policies"]["agent"]["iou_after"] for text in (whole, parts)]
    assert agent[0] == pytest.approx(agent[1])
    case.works("halves the batch until it fits: the same numbers")

def test_stopped_by_ctrl_c(folder, monkeypatch):
    "Pressed when the first checkpoint of the agent has been written"
    written = []
    def press(state, path):
        write_checkpoint(state, path)
        written.append(path.name)
        if written.count("agent.pt") == 1: signal.raise_signal(signal.SIGINT)
    monkeypatch.setattr("dqsstn.checkpoint.write_checkpoint", press)
    err = call(f"{TRAIN} --out run", code=130).stderr
    assert err.splitlines()[-1] == "dqsstn: stopped; go on with dqsstn train --resume run"
    assert written[-2:] == ["agent.pt", "agent.pt"] and written.count("agent.pt") == 2  # once more, to stop there
    state = read_checkpoint(Path("run/checkpoint/agent.pt"))
    assert not state["done"] and state["parts"]["train"]["n_transitions"] > 0  # it did not wait for the end

def test_full_disk(folder, case=table.case("memory and disk", "a disk that fills up in the middle of a training")):
    "The system lets no file grow beyond what a checkpoint of the agent needs"
    def limit(): resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000))
    process = start(*TRAIN.split(), "--out", "run", preexec_fn=limit)
    _, err = process.communicate()
    assert process.returncode == 2 and "agent.pt: cannot be written (File too large)" in err.splitlines()[-1]
    assert sorted(p.name for p in Path("run/checkpoint").iterdir()) == ["classifier.pt", "lock", "training.json"]
    case.refused(err.splitlines()[-1])
    call("train --resume run")
    assert Path("run/results.json").is_file()

full_at_the_end = table.case("memory and disk", "a disk that fills up while the run is written")

def test_full_disk_at_the_end(stopped, monkeypatch, case=full_at_the_end):
    "safetensors has an error of its own for it"
    def full(*_): raise SafetensorError("I/O error: No space left on device (os error 28)")
    with monkeypatch.context() as patch:
        patch.setattr("dqsstn.backbones.save_file", full)
        message = call("train --resume run", code=2).stderr.splitlines()[-1]
    assert "No space left on device" in message
    assert message.endswith("mend that, and go on with `dqsstn train --resume run`")
    case.refused(message)
    call("train --resume run")
    assert Path("run/results.json").is_file()

def test_the_joint_classifier_diverges(folder):
    config = override(CONFIGS["demo"], [*FEW, JOINT, "reward=discrete_iou,classifier_lr=1e30,pretrain_epochs=0"])
    with pytest.raises(InputError, match="the classifier's loss is (nan|inf); train anew with a lower classifier_lr"):
        train_run(config, *few_photos())

def test_the_last_update_diverges(folder):
    one_update_an_epoch = "batch_size=64,classifier_lr=1e30,classifier_schedule=constant"
    config = override(CONFIGS["demo"], [*FEW, one_update_an_epoch])
    with pytest.raises(InputError, match="loss is (nan|inf); train anew with a lower classifier_lr"):
        train_run(config, *few_photos())

def test_a_loss_that_is_no_number(folder, case=table.case("numbers", "a learning rate that makes the loss infinite")):
    message = call(f"{TRAIN} --set classifier_lr=1e30 --out run", code=2).stderr.splitlines()[-1]
    loss, file = r"the .*loss is (nan|inf); .*classifier_lr", "run/checkpoint/classifier.failed.pt"
    assert re.match(rf"dqsstn: epoch 0, update \d+: {loss} .{file} holds the state", message)
    assert not read_checkpoint(Path("run/checkpoint/classifier.failed.pt"))["done"]
    case.refused(message)
    again = call("train --resume run", code=2).stderr.splitlines()[-1]
    assert again.split(";")[0] == message.split(";")[0]  # the same at the same place

def state_of(run):
    "Every tensor of a run's networks"
    nets = {"q_net": run.q_net, **run.classifiers}
    return {f"{name}.{key}": value for name, net in nets.items() for key, value in net.state_dict().items()}

def different(one, two):
    "Names of the tensors that two runs do not share"
    one, two = state_of(one), state_of(two)
    return [key for key in one if not torch.equal(one[key], two[key])]

class Unplug(Callback):
    "Ends the training after so many transitions of the agent"
    def __init__(self, at): self.at = at
    def after_batch(self):
        if self.training and getattr(self.dls.train, "n_transitions", 0) > self.at: raise KeyboardInterrupt

FEW = ["epochs=2,pretrain_epochs=1,classifier_epochs=2,batch_size=16,view_size=32,source_size=48,horizon=4",
       "mixture=false,dropout=0.3,flip=true,device=cpu"]
JOINT = ("epochs=3,classifier_epochs=3,capacity=160,target_update_every=7,"
         "classifier_training=joint,classifier_schedule=constant,reward=combined")

def few_photos(): return [sample_items(split, n_train=60, n_test=30) for split in ("fit", "valid")]

def test_the_seed_alone_decides(folder):
    def states(): return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    config, photos, trained = override(CONFIGS["demo"], FEW), few_photos(), []
    for seed in (1, 2):
        for seeder in (random.seed, np.random.seed, torch.manual_seed): seeder(seed)
        before = states()
        trained.append(train_run(config, *photos))
        assert states() == before  # the library draws from generators of its own
    assert different(*trained) == [] and trained[0].metrics.equals(trained[1].metrics)
    assert different(trained[0], train_run(override(config, ["seed=1"]), *photos))

@pytest.mark.gpu
def test_on_a_gpu_no_further_than_two_runs_from_each_other(folder):
    config, photos, fit = override(CONFIGS["demo"], [*FEW, JOINT, "device=cuda"]), few_photos(), Checkpoints.train
    def until_some_transitions(self, name, nets, train_it):
        return fit(self, name, nets, lambda cbs: train_it([*cbs, Unplug(340)]))
    one, two = (train_run(config, *photos) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "train", until_some_transitions)
        train_run(config, *photos, keep=(keep := Checkpoints("run/checkpoint", every=0)))
    keep.release()
    resumed = train_run(config, *photos, keep=Checkpoints("run/checkpoint"))
    def apart(a, b):
        pairs = zip(state_of(a).values(), state_of(b).values())
        return sum(float((v.double() - w.double()).abs().mean()) for v, w in pairs)
    assert apart(resumed, one) <= 2 * apart(one, two) + 1e-9

def forget(*path, value=None):
    "Replaces a part of a state"
    def change(state):
        for key in path[:-1]: state = state[key]
        state[path[-1]] = value(state[path[-1]]) if callable(value) else value
    return change

def zeros(tensors): return {k: torch.zeros_like(v) for k, v in tensors.items()}
def other_generator(_): return torch.Generator().manual_seed(1).get_state()
PARTS = {
    "nothing": lambda state: None,
    "moments of Adam": forget("parts", "opt", "state", value={}),
    "target network": forget("parts", "loss", value=zeros),
    "count of the target network": forget("parts", "TargetSync", "n_updates", value=0),
    "replay memory": forget("parts", "train", "memory", "rows", "reward", value=torch.zeros_like),
    "place in the replay memory": forget("parts", "train", "memory", "position", value=0),
    "number of transitions": forget("parts", "train", "n_transitions", value=0),
    "epsilon": forget("parts", "train", "epsilon", value=0.0),
    "order of the epoch": forget("parts", "train", "drawn", value=lambda drawn: (drawn[0].flip(0), drawn[1])),
    "place in the epoch": forget("parts", "train", "position", value=1),
    "generator of orders": forget("parts", "train", "generators", 0, value=other_generator),
    "generator of exploration": forget("parts", "train", "generators", 1, value=other_generator),
    "generator of replay": forget("parts", "train", "generators", 2, value=other_generator),
    "PyTorch's generator, for dropout": forget("rng", "cpu", value=other_generator),
    "joint classifier": forget("parts", "JointClassifier", "classifier", value=zeros),
    "its optimiser": forget("parts", "JointClassifier", "opt", "state", value={}),
    "its augmentation": forget("parts", "JointClassifier", "views", "generators", 0, value=other_generator),
}

@pytest.mark.slow
def test_each_part_of_the_state_matters(folder):
    config, photos = override(CONFIGS["demo"], [*FEW, JOINT]), few_photos()
    whole, agent_fit = train_run(config, *photos), Checkpoints.train
    def until_the_seventh(self, name, nets, fit):  # batch of episodes: the third of the second of three epochs
        return agent_fit(self, name, nets, lambda cbs: fit([*cbs, Unplug(340)]))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "train", until_the_seventh)
        train_run(config, *photos, keep=Checkpoints("run/checkpoint", every=0))
    same = {}
    for part, change in PARTS.items():
        folder = Path(shutil.copytree("run/checkpoint", f"{part}/checkpoint"))
        state = read_checkpoint(folder/"agent.pt")
        assert (state["epoch"], state["parts"]["train"]["position"]) == (1, 2)
        change(state)
        write_checkpoint(state, folder/"agent.pt")
        resumed = train_run(config, *photos, keep=Checkpoints(folder))
        same[part] = not different(resumed, whole) and resumed.metrics.equals(whole.metrics)
    assert [part for part, equal in same.items() if equal] == ["nothing"]

leaked = table.case("numbers", "a test split that holds a training photo under another name")

def test_measuring_on_photos_of_the_training(run, folder, case=leaked):
    "A test split into which a photo of the training has slipped under another name"
    sample, seen = (sample_items(split, n_train=60, n_test=30) for split in ("val", "fit"))
    leaky = replace(sample, items=(sample[0], replace(seen[0], name="other")))
    with pytest.raises(InputError, match="trained on 1 of its 2 photos, such as other") as refusal:
        evaluate(load_run(run), leaky)
    case.refused(str(refusal.value))
    assert evaluate(load_run(run), sample[:2]).n_images == 2

def test_table(): table.check()
