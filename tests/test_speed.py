"""What makes training fast changes nothing but its speed: compiled networks, the memory of a million transitions."""
import dataclasses
import subprocess
import sys

import pytest
import torch
from fastai.callback.core import Callback

from dqsstn.bench import can_compile
from dqsstn.config import CONFIGS, override
from dqsstn.data import ImageBank
from dqsstn.learner import compiled, make_env, new_net
from dqsstn.qnet import ReplayMemory
from dqsstn.rewards import make_reward
from dqsstn.sample import sample_items
from dqsstn.train import EpisodeLoader, agent_learner, fit_agent

CONFIG = override(CONFIGS["demo"], ["eps_end=1,batch_size=16,epochs=5,target_update_every=50,lr=1e-4,device=cpu"])
COMPILES = can_compile(torch.device("cpu"))
needs_compiler = pytest.mark.skipif(not COMPILES, reason="torch.compile needs a C++ compiler here")

@pytest.fixture(scope="module")
def env():
    items = sample_items("fit", n_train=480, n_test=160)[:64]
    return make_env(ImageBank(items, CONFIG.source_size), CONFIG)

class Record(Callback):
    def before_fit(self): self.actions, self.losses = [], []
    def after_loss(self):
        if not self.training: return
        self.actions.append(self.dls.train.latest.action)
        self.losses.append(self.loss.detach())

def trained(env, **settings):
    "TD loss of each update (40 an epoch), all actions, the agent"
    record, config = Record(), dataclasses.replace(CONFIG, **settings)
    learn = fit_agent(agent_learner(config, env, env, cbs=[record]), config)
    return torch.stack(record.losses), torch.cat(record.actions), learn.model

def apart(plain, fast): return ((plain - fast).abs().mean() / plain.mean()).item()

@needs_compiler
@pytest.mark.slow
def test_compiled_training_is_the_same_training(env):
    plain, actions, net = trained(env)
    fast, same_actions, fast_net = trained(env, compile=True)
    assert len(plain) == 200 and torch.equal(actions, same_actions)
    assert 0 < apart(plain, fast) < 0.02  # measured: 0.6 %; 0 would mean that nothing was compiled
    assert net.state_dict().keys() == fast_net.state_dict().keys()

@pytest.mark.slow
def test_half_precision_is_nearly_the_same_training(env):
    plain, actions, _ = trained(env, epochs=1)
    half, same_actions, _ = trained(env, epochs=1, precision="bf16")
    assert len(plain) == 40 and torch.equal(actions, same_actions)
    assert 0 < apart(plain, half) < 0.05  # its numbers have three digits

def share_of_other_actions(env, eps, **settings):
    "How often five epochs of episodes take another action than the one that the network prefers"
    config = dataclasses.replace(CONFIG, batch_size=64, **settings)
    net = new_net(config, env.n_actions, "q_net", env.device)
    with torch.no_grad():  # it always prefers the first action
        net.head.weight.zero_()
        net.head.bias.copy_(torch.eye(env.n_actions)[0])
    player = EpisodeLoader(env, compiled(net, config), make_reward("discrete_iou"), config)
    player.epsilon = eps
    others = torch.cat([player.latest.action for _ in range(5) for _ in player]) != 0
    return others.float().mean().item()

@needs_compiler
@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_compiling_does_not_freeze_the_exploration(env, eps):
    assert abs(share_of_other_actions(env, eps, compile=True) - eps * 5 / 6) < 0.03

def test_the_share_of_random_actions_is_epsilon(env):
    assert abs(share_of_other_actions(env, 0.3) - 0.3 * 5 / 6) < 0.03

def test_a_million_transitions_fit():
    assert ReplayMemory(1_000_000).nbytes < 120e6

def test_training_imports_nothing_about_text():
    code = "import sys, dqsstn.train; print(*(m for m in sys.modules if m.startswith('fastai.text')))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == ""
