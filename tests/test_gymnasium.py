"""The Gymnasium environments: found without an import, checked, and trained on by stable-baselines3."""
import json
import os
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from conftest import ROOT, make_voc
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env as check_for_sb3
from stable_baselines3.common.vec_env import DummyVecEnv

from dqsstn.config import PAPER_REWARDS
from dqsstn.files import InputError
from dqsstn.sample import sample_items
from dqsstn.env import sign_of_change
from dqsstn.gym import ViewGym, gym_reward, photos_gym, sb3_policy
from dqsstn.rewards import make_reward
from dqsstn.policies import play_all
from dqsstn.runs import load_run
from dqsstn.voc import voc_items

SIZES = dict(source_size=48, view_size=40, horizon=3, device="cpu")

@pytest.fixture
def items(folder): return sample_items("val", n_train=60, n_test=30)

@pytest.fixture
def photos(items): return gymnasium.make("dqsstn:dqsstn/Photos-v0", items=items, **SIZES)

def test_found_without_an_import():
    program = """
import gymnasium, json, sys
assert not [name for name in sys.modules if name.startswith("dqsstn")]
one = gymnasium.make("dqsstn:dqsstn/Sample-v0", n_images=3, view_size=32, horizon=2)
small = dict(n_images=3, view_size=32, horizon=2)
several = gymnasium.make_vec("dqsstn:dqsstn/Sample-v0", num_envs=2, vectorization_mode="sync", **small)
first, _ = several.reset(seed=0)
truncated = [several.step([4, 1])[3].tolist() for _ in range(2)]
names = sorted(name for name in gymnasium.registry if "dqsstn" in name)
print(json.dumps([names, one.reset(seed=0)[0].shape, first.shape, truncated]))
"""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", "-c", program]
    out = subprocess.run(words, capture_output=True, text=True, check=True, env=env).stdout
    names, *shapes, truncated = json.loads(out)
    assert (names, shapes) == (["dqsstn/Photos-v0", "dqsstn/Sample-v0"], [[3, 32, 32], [2, 3, 32, 32]])
    assert truncated == [[False, False], [True, True]]

def test_checkers_find_nothing(photos):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(photos.unwrapped)
        check_for_sb3(photos.unwrapped)

def make_shown(items, mode): return gymnasium.make("dqsstn:dqsstn/Photos-v0", items=items, render_mode=mode, **SIZES)

def test_list_of_views(items):
    "As CartPole's: the views since the last call, and none of the episode before"
    env, plain = make_shown(items, "rgb_array_list"), make_shown(items, "rgb_array")
    expected = []
    for made in (env, plain):
        made.reset(options=dict(index=4))
        if made is plain: expected.append(made.render())
        for action in (4, 1):
            made.step(action)
            if made is plain: expected.append(made.render())
    assert env.render_mode == "rgb_array_list" and np.array_equal(env.render(), expected) and env.render() == []
    env.step(0)
    env.reset(options=dict(index=4))
    assert np.array_equal(env.render(), expected[:1])

class Window:
    "Stands in for pygame: remembers what is shown"
    def __init__(self): self.shown, self.closed, self.fps = [], False, None
    def __getattr__(self, name): return self  # pygame.display, pygame.surfarray, …
    def init(self): pass
    def quit(self): self.closed = True
    def set_mode(self, size): return self
    def Clock(self): return self
    def tick(self, fps): self.fps = fps
    def make_surface(self, picture): return picture
    def blit(self, picture, at): self.shown.append(picture.transpose(1, 0, 2))
    def pump(self): pass
    def flip(self): pass

def test_window(items, monkeypatch):
    "As CartPole's: every view is shown by itself, and `render` returns nothing"
    monkeypatch.setitem(sys.modules, "pygame", window := Window())
    env = make_shown(items, "human")
    views = [env.reset(options=dict(index=4))[0], *(env.step(action)[0] for action in (4, 1))]
    assert env.render_mode == "human" and env.render() is None
    assert np.array_equal(window.shown, [view.transpose(1, 2, 0) for view in views]) and window.fps == 4
    env.close()
    assert window.closed

def test_render_without_a_mode(photos):
    photos.reset(seed=0)
    with pytest.warns(UserWarning, match="without a render_mode"): assert photos.render() is None

@pytest.mark.parametrize("action", [-1, 6, 2.0, "left", None, np.int64(6), [1]])
def test_unknown_actions(photos, action):
    photos.reset(seed=0)
    before = photos.unwrapped.state
    with pytest.raises(InputError, match="is unknown; choose one of 0 left, 1 right") as error: photos.step(action)
    assert "\n" not in str(error.value) and photos.unwrapped.state is before

@pytest.mark.parametrize("options, words", [
    (dict(indx=3), "unknown option 'indx'; the options are index and flip"), ({3: True}, "unknown option 3"),
    (dict(index=30), "index=30 is no photo; choose from 0 to 29"), (dict(index=-1), "index=-1 is no photo"),
    (dict(index=1.5), "index=1.5 is no photo"), (dict(index="3"), "index='3' is no photo"),
    (dict(flip="no"), "flip='no'; choose True or False")])
def test_unknown_options(photos, options, words):
    with pytest.raises(InputError, match=words): photos.reset(seed=0, options=options)

def test_before_the_first_episode(photos):
    with pytest.raises(InputError, match="call reset first"): ViewGym(photos.unwrapped.env).step(0)

@pytest.mark.parametrize("reward", PAPER_REWARDS)
def test_every_reward(items, run, reward):
    env = gymnasium.make("dqsstn:dqsstn/Photos-v0", items=items, run=run, reward=reward, device="cpu")
    plain, classifier = env.unwrapped.env, load_run(run, "cpu").classifiers["baseline"]
    actions, rewards = (4, 1, 4, 5), []
    env.reset(options=dict(index=2))
    rewards = [env.step(action)[1] for action in actions]
    state, expected = plain.reset([2]), []
    for action in actions:
        after = plain.step(state, torch.tensor([action]))
        loss, right, fit = [], [], []
        for s in (state, after):
            with torch.no_grad(): logits = classifier(plain.render(s))
            loss.append(float(torch.nn.functional.cross_entropy(logits, plain.bank.labels[s.index])))
            right.append(float(logits.argmax(1) == plain.bank.labels[s.index]))
            fit.append(float(plain.iou(s)))
        sign = sign_of_change(*fit)
        expected.append(dict(continuous_loss=loss[0] - loss[1], discrete_accuracy=right[1] - right[0],
                             continuous_iou=fit[1] - fit[0],
                             discrete_iou=sign, combined=loss[0] - loss[1] + 0.8 * sign)[reward])
        state = after
    assert rewards == pytest.approx(expected, abs=1e-5) and rewards[-1] == 0

def test_photos_in_vocs_layout(folder):
    make_voc("voc", n=3)
    env = gymnasium.make("dqsstn:dqsstn/Photos-v0", items=voc_items("voc", years=(2007,)), **SIZES)
    assert {env.reset(seed=seed)[1]["name"] for seed in range(20)} == {"000000", "000001", "000002"}

def test_mistakes_are_named(items, run, folder):
    needs = "reward=continuous_loss: needs a classifier; name a run folder by run="
    with pytest.raises(InputError, match=needs): photos_gym(items, reward="continuous_loss", **SIZES)
    with pytest.raises(InputError, match="unknown field 'horizn'; did you mean 'horizon'"): photos_gym(items, horizn=3)
    with pytest.raises(InputError, match="nowhere: neither a JSON file nor"): photos_gym(items, config="nowhere")
    with pytest.raises(InputError, match="nowhere: not a run folder"): photos_gym(items, run="nowhere")
    make_voc("voc", n=3)
    others = voc_items("voc", years=(2007,))
    unknown = "objects of classes that the run .* does not know .dog."
    with pytest.raises(InputError, match=unknown): photos_gym(others, run=run)
    assert not make_reward("discrete_iou").needs_classifier and callable(gym_reward(make_reward("discrete_iou")))

def make_dqn(env):
    return DQN("CnnPolicy", env, buffer_size=100, learning_starts=16, batch_size=8, train_freq=1, seed=0, device="cpu")

def make_ppo(env): return PPO("CnnPolicy", env, n_steps=16, batch_size=16, n_epochs=1, seed=0, device="cpu")

@pytest.mark.parametrize("make", [make_dqn, make_ppo])
def test_sb3_trains_and_plays(photos, make):
    plain = photos.unwrapped.env
    model = make(DummyVecEnv([lambda: ViewGym(plain)] * 2))
    weights = [value.clone() for value in model.policy.parameters()]
    model.learn(64)
    assert model.num_timesteps >= 64 and not all(torch.equal(a, b) for a, b in zip(weights, model.policy.parameters()))
    assert all(torch.isfinite(value).all() for value in model.policy.parameters())
    played = play_all(plain, sb3_policy(model))
    for index in (0, 7):
        view, info = photos.reset(options=dict(index=index))
        actions, ious = [], [info["iou"]]
        for _ in range(plain.horizon):
            actions.append(int(model.predict(view, deterministic=True)[0]))
            view, _, _, _, info = photos.step(actions[-1])
            ious.append(info["iou"])
        assert actions == played.actions[index].tolist() and np.allclose(ious, played.ious[index], atol=1e-5)

def test_small_views_need_another_policy(items):
    env = photos_gym(items, **SIZES | dict(view_size=32))
    with pytest.raises((AssertionError, RuntimeError)): PPO("CnnPolicy", env, device="cpu")
