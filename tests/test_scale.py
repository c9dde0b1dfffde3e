"""One training by two processes, and a study on Ray: what they do when all goes well, and when a process is killed."""
import dataclasses
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import ROOT, SMALL, TINY, call, contents, free_port
from safetensors.torch import load_file

from dqsstn.config import CONFIGS
from dqsstn.sample import sample_items
from dqsstn.experiments import Job, Lab, final_views, read_rows, run_jobs
from dqsstn.qnet import Transition
from dqsstn.scale import joined, on_ray, process_of, shared_training
from dqsstn.checkpoint import metrics_of
from dqsstn.classifier import fit_classifier
from dqsstn.learner import make_bank, make_env, new_net
from dqsstn.train import agent_learner, fit_agent

TRAINING = dataclasses.replace(  # layer normalisation: on CPUs, batch normalisation is each process's own
    CONFIGS["demo"], arch="test_convnext", source_size=48, view_size=32, horizon=4, batch_size=15, epochs=2, lr=1e-3,
    flip=True, jitter=0.1, capacity=600, target_update_every=5, device="cpu", classifier_training="joint",
    classifier_epochs=2, classifier_schedule="constant", classifier_lr=1e-3, whole_share=0.25, schedule="constant",
    optimizer="adam", grad_clip=0.05)
KINDS = dict(
    dqn=dict(double_dqn=True, reward="combined", loss_weight="inverse_iou"),
    all_actions=dict(agent="all_actions", gamma=0.0, reward_weight="inverse_iou", classifier_training="after"))

class TwoMemories:
    "What two processes remember: of all that is added and drawn, one half each"
    def __init__(self, memories): self.memories, self.capacity = memories, sum(m.capacity for m in memories)

    def add(self, state, action, reward, after, done):
        def part(state, rows): return state._replace(index=state.index[rows], theta=state.theta[rows])
        for memory, rows in zip(self.memories, torch.arange(len(action)).tensor_split(2)):
            memory.add(part(state, rows), action[rows], reward[rows], part(after, rows), done)

    def sample(self, n, rng):
        before, halves = rng.get_state(), []
        for memory in self.memories: halves.append(memory.sample(n, rng.set_state(before)))
        first, second = (torch.arange(n).tensor_split(2)[k] for k in (0, 1))
        return Transition(*(torch.cat([a[first], b[second]]) for a, b in zip(*halves)))

def moved(net, start):
    "The largest change of a weight since `start`"
    return max(float((value - start[key]).abs().max()) for key, value in net.named_parameters())

def copy_of(net): return {key: value.detach().clone() for key, value in net.named_parameters()}

def environments(config):
    "80 photos to train on and to validate with, as environments"
    photos = (sample_items(split, n_train=80, n_test=20) for split in ("fit", "valid"))
    return [make_env(make_bank(items, config), config) for items in photos]

def train_agent(kind, state=None):
    "Weights and metrics of an agent, and of the classifier beside it"
    config = dataclasses.replace(TRAINING, **KINDS[kind])
    fit, valid = environments(config)
    classifier = new_net(config, len(fit.bank.classes), "classifier", fit.device)
    learn = agent_learner(config, fit, valid, classifier, shared_training(state) if state else None)
    if not state:
        memory = learn.dls.train.memory
        learn.dls.train.memory = TwoMemories([type(memory)(memory.capacity // 2, memory.fingerprint) for _ in range(2)])
    start = copy_of(learn.model)
    fit_agent(learn, config)
    counts = torch.tensor([learn.dls.train.n_transitions, learn.dls.train.epsilon])
    assert moved(learn.model, start) > 5e-3  # it was a training
    found, nets = learn.recorder, dict(q_net=learn.model, classifier=classifier)
    weights = {f"{name}.{key}": value for name, net in nets.items() for key, value in net.state_dict().items()}
    return dict(metrics=torch.tensor(found.values), losses=torch.stack(found.losses), counts=counts) | weights

def train_classifier(state=None):
    "Weights and metrics of a classifier; 68 photos in batches of 15: eight are left for the last"
    config = dataclasses.replace(TRAINING, classifier_schedule="one_cycle", classifier_lr=5e-3,
                                 classifier_training="after", sampler="class_balanced")
    fit, valid = environments(config)
    net = new_net(config, len(fit.bank.classes), "classifier", fit.device)
    start = copy_of(net)
    weight, callbacks = torch.linspace(0.5, 2, len(fit.bank)), shared_training(state) if state else None
    learn = fit_classifier(net, fit, valid, config, 2, weight=weight, cbs=callbacks)
    assert moved(net, start) > 5e-3
    return dict(metrics=torch.tensor(metrics_of(learn).to_numpy())) | net.state_dict()

TRAININGS = {kind: partial(train_agent, kind) for kind in KINDS} | dict(classifier=train_classifier)

def one_of_two(rank, port, folder, cache):
    "What each of two processes does"
    os.environ |= dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1",
                       MASTER_PORT=str(port))
    os.environ["DQSSTN_CACHE"] = str(cache)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    state = process_of("cpu")
    for name, train in TRAININGS.items(): torch.save(train(state), Path(folder, f"{name}-{rank}.pt"))
    with joined(state): print("of the second process nothing is heard" * rank, end="")
    Path(folder, f"after-{rank}").touch()

@pytest.fixture(scope="module")
def two(tmp_path_factory, cache):
    "Training → what the two processes have at its end"
    folder, context = tmp_path_factory.mktemp("two"), multiprocessing.get_context("forkserver")
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT/'tests'}")
        context.set_forkserver_preload(["dqsstn.scale", "fastai.distributed", "test_scale"])
        processes = [context.Process(target=one_of_two, args=(rank, port, folder, cache)) for rank in (0, 1)]
        for process in processes: process.start()
        for process in processes: process.join(1200)
    assert [process.exitcode for process in processes] == [0, 0]
    assert [(folder/f"after-{rank}").exists() for rank in (0, 1)] == [True, False]  # the first goes on alone
    return {name: [torch.load(folder/f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)] for name in TRAININGS}

@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_two_processes_learn_what_one_learns(name, two, folder):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try: alone = TRAININGS[name]()
    finally: torch.set_num_threads(threads)
    first, second = two[name]
    for key in alone: assert torch.equal(first[key], second[key]), key  # both to the same bits
    weights = [key for key in alone if key not in ("metrics", "losses", "counts")]
    for key in weights:  # Adam enlarges the rounding of gradients near 0
        torch.testing.assert_close(first[key], alone[key], rtol=0, atol=1e-4, msg=key)
    torch.testing.assert_close(first["metrics"], alone["metrics"], rtol=1e-4, atol=1e-4)
    if name != "classifier":
        assert torch.equal(first["counts"], alone["counts"])
        torch.testing.assert_close(first["losses"], alone["losses"], rtol=0, atol=1e-6)

def test_what_cannot_be_shared(folder, run, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused = "evaluate: is the work of one process; several share only train and demo, launch this one alone"
    assert call(f"evaluate {run} --sample", code=2).stderr == f"dqsstn (process 1): {refused}\n"
    line = f"train --config demo --sample {TINY} {SMALL} --out joint"
    assert "device=cuda:1: several processes have a GPU each" in call(f"{line} --set device=cuda:1", code=2).stderr
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert "accelerate is not installed; pip install 'dqsstn[accelerate]'" in call(line, code=2).stderr
    assert not Path("joint").exists()

def test_what_ray_cannot_do(folder, monkeypatch):
    line = f"reproduce --table 4 --sample {TINY} {SMALL} --out study --engine ray"
    assert "--address nowhere: no Ray cluster answers there" in call(f"{line} --address nowhere", code=2).stderr
    monkeypatch.setitem(sys.modules, "ray", None)
    assert call(line, code=2).stderr == "dqsstn: ray is not installed; pip install 'dqsstn[ray]'\n"
    local = line.replace("--engine ray", "--address x:1")
    assert "--address: names a Ray cluster; say --engine ray, too" in call(local, code=2).stderr

def python(*words, **kwargs):
    "A process, the leader of a group of its own"
    env = os.environ | dict(PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore")
    return subprocess.Popen([sys.executable, *map(str, words)], env=env, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, start_new_session=True, **kwargs)

def test_module_is_the_command():
    process = python("-m", "dqsstn", "--version")
    assert process.communicate()[0].startswith("dqsstn ") and process.returncode == 0

LAUNCHER = shlex.split("-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 "
                       "--mixed_precision no --dynamo_backend no")
LAUNCH = [*LAUNCHER, "-m", "dqsstn"]
RUN = f"train --config demo --sample {TINY} {SMALL} --set mixture=false,arch=test_convnext"

@pytest.mark.slow
def test_a_run_by_two_processes(folder):
    call(f"{RUN} --out alone")
    joint = python(*LAUNCH, *shlex.split(RUN), "--out", "joint")
    out, err = joint.communicate()
    assert joint.returncode == 0, err
    assert contents("alone").keys() == {name.replace("joint", "alone") for name in contents("joint")}
    assert out.count("joint/results.json") == 1 and err.count("training on") == 1  # only one process prints
    alone, both = (load_file(f"{name}/classifier_baseline.safetensors") for name in ("alone", "joint"))
    for key in alone: torch.testing.assert_close(alone[key], both[key], rtol=0, atol=1e-5, msg=key)

def workers_of(pid):
    "Processes that descend from `pid`, with their command lines"
    parents, names = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path/"stat").read_text().rpartition(")")[2].split()[1])
            names[int(path.name)] = (path/"cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError: continue  # it has ended meanwhile
    def descends(child):
        while child in parents and child != pid: child = parents[child]
        return child == pid
    return {child: names[child] for child in names if child != pid and descends(child)}

def waiting(how, *line):
    "Two processes that wait (stopping.py) when the classifier is saved and the training of the agent is about to begin"
    launched = python(*LAUNCHER, ROOT/"tests"/"stopping.py", "dqsstn.scale.shared_training", 2, how, *line)
    ranks = (0, 1) if how == "wait" else (1,)
    while launched.poll() is None and not all(Path(f"waiting-{rank}").is_file() for rank in ranks): time.sleep(0.1)
    assert launched.poll() is None, launched.communicate()
    return launched

@pytest.mark.slow
@pytest.mark.parametrize("which, number", [("all", signal.SIGINT), ("one", signal.SIGKILL)])
def test_two_processes_end_together(which, number, folder):
    joint = waiting("wait" if which == "all" else "wait-1", *shlex.split(RUN), "--out", "joint")
    workers = [pid for pid, name in workers_of(joint.pid).items() if "dqsstn train" in name]
    assert len(workers) == 2
    joint.send_signal(number) if which == "all" else os.kill(workers[1], number)
    err = joint.communicate()[1]
    assert joint.returncode != 0 and not any(Path(f"/proc/{pid}").exists() for pid in workers)
    stopped, ended = "stopped; go on with dqsstn train --resume joint", "another process of this training has ended"
    assert (stopped if which == "all" else ended) in err
    refused = call("train --resume joint", code=2).stderr  # with the number of processes that it was begun with
    assert "was made with" in refused and "processes=2" in refused

@pytest.mark.slow
def test_two_processes_go_on(folder):
    def done(process):
        err = process.communicate()[1]
        assert process.returncode == 0, err
    stopped = waiting("wait", *shlex.split(RUN), "--out", "stopped")
    stopped.send_signal(signal.SIGINT)
    stopped.communicate()
    assert Path("stopped/checkpoint/training.json").is_file() and not Path("stopped/checkpoint/agent.pt").exists()
    done(python(*LAUNCH, "train", "--resume", "stopped"))
    done(python(*LAUNCH, *shlex.split(RUN), "--out", "whole"))
    for file in Path("whole").glob("*.safetensors"):
        assert file.read_bytes() == Path("stopped", file.name).read_bytes(), file.name

def photos(split, seed): return sample_items(dict(test="val").get(split, split), seed, n_train=60, n_test=30)

def killed_once(lab, job):
    "As `final_views`; the first process that does it for the second seed is killed in the middle of it"
    tested = final_views(lab, job)
    if job.seed == 1:
        with suppress(FileExistsError), open(os.environ["DQSSTN_KILLED"], "x") as mark:
            print(os.getpid(), file=mark, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    return tested

@pytest.mark.slow
def test_rows_of_a_killed_worker_arrive_once(folder, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT/'tests'}")
    monkeypatch.setenv("DQSSTN_KILLED", str(folder/"killed"))
    config = dataclasses.replace(TRAINING, arch="small_cnn", classifier_training="after", batch_size=16)
    jobs = [Job(policy, dataclasses.replace(config, seed=seed), policy, killed_once, needs=("base",))
            for seed in (0, 1) for policy in ("baseline", "center_zoom")]
    table = folder/"results.csv"
    run_jobs(jobs, Lab(photos, folder/"weights", True), table, engine=lambda lab: on_ray(lab, workers=2))
    assert int((folder/"killed").read_text()) not in workers_of(os.getpid())
    assert len(table.read_text().splitlines()) == 1 + len(jobs)  # each row once
    run_jobs(jobs, Lab(photos, folder/"local", True), folder/"local.csv")
    tables = (read_rows(path).drop(columns="seconds") for path in (table, folder/"local.csv"))
    rows, same = (rows.sort_values(["name", "seed"], ignore_index=True) for rows in tables)
    pd.testing.assert_frame_equal(rows, same)
    left = workers_of(os.getpid()).values()
    assert not [name for name in left if "ray" in name.split(" ")[0]]
