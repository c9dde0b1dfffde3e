"""What a user writes with the library; test_types.py has a type checker read it. Nothing runs it."""
from dataclasses import replace
from pathlib import Path
from typing import assert_type

import torch
from torch import Tensor

from dqsstn.config import CONFIGS, Config, override
from dqsstn.data import ImageBank, Items, holdout
from dqsstn.env import ActionSet, State, ViewEnv, greedy_action, paper_actions
from dqsstn.evaluate import evaluate, make_results, result_rows
from dqsstn.pictures import filmstrip
from dqsstn.qnet import ReplayMemory, Transition
from dqsstn.runs import Run, load_run, predict, save_run, train_run
from dqsstn.sample import sample_items

def walk(env: ViewEnv, steps: int) -> list[float]:
    "Mean IoU along greedy episodes on the first photos"
    state = assert_type(env.reset(torch.arange(4), flip=torch.tensor([True, False, True, False])), State)
    ious: list[float] = []
    while not assert_type(env.done(state), bool) and state.t < steps:
        best = assert_type(env.successor_ious(state), Tensor).argmax(1)
        action = torch.where(best < assert_type(env.n_actions, int), best, greedy_action(env, state))
        state = assert_type(env.step(state, action), State)
        ious.append(float(env.iou(state).mean()))
    assert_type(env.pixels(state), Tensor)
    assert_type(env.actions, ActionSet)
    return ious

def remember(env: ViewEnv, bank: ImageBank) -> Transition:
    "A sample of a memory that holds one step of four episodes"
    memory = ReplayMemory(100, assert_type(bank.fingerprint, str), env.device)
    before, action = env.reset([0, 1, 2, 3]), torch.zeros(4, dtype=torch.int64)
    after = env.step(before, action)
    memory.add(before, action, env.iou(after) - env.iou(before), after, env.done(after))
    assert_type(bank.gather(before.index), Tensor)
    assert_type(bank.salient_boxes, Tensor)
    return assert_type(memory.sample(2, torch.Generator().manual_seed(0)), Transition)

def train(fit: Items, valid: Items, out: Path) -> Run:
    "A run in a folder"
    config: Config = replace(override(CONFIGS["demo"], ["epochs=1"]), seed=1)
    run = assert_type(train_run(config, fit, valid, progress=True), Run)
    save_run(run, out)
    return load_run(out, device="cpu")

def main() -> None:
    fit, valid = holdout(sample_items(n_train=60, n_test=30))
    bank = assert_type(ImageBank(fit, source_size=64).to("cpu"), ImageBank)
    env = ViewEnv(bank, paper_actions(zoom_out=True), horizon=5, view_size=32)
    print(walk(env, 3), remember(env, bank).reward.sum())
    run = train(fit, valid, Path("run"))
    results = make_results([run], [evaluate(run, valid)], "sample", "valid")
    print(result_rows(results).columns)
    found, seen, episode = predict(run, [fit[0].path])
    print(found[0]["window"], assert_type(episode.actions, Tensor).shape, seen.n_actions)
    filmstrip(seen, episode, run.classifiers["agent"]).savefig("filmstrip.png")

if __name__ == "__main__": main()
