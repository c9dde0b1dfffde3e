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
from dqsstn.sample import sample_items
from dqsstn.qnet import ReplayMemory
from dqsstn.rewards import make_reward
from dqsstn.learner import compiled, make_env, new_net
from dqsstn.train import EpisodeLoader, agent_learner, fit_agent

CONFIG = override(CONFIGS["demo"], ["eps_end=1,batch_size=16,epochs=5,target_update_every=50,lr=1e-4,device=cpu"])
needs_compiler = pytest.mark.skipif(not can_compile(torch.device("cpu")), reason="torch.compile needs a C++ compiler here")

@pytest.fixture(scope="module")
def env(): return make_env(ImageBank(sample_items("fit", n_train=480, n_test=160)[:64], CONFIG.source_size), CONFIG)

class Record(Callback):
    def before_fit(self): self.actions, self.losses = [], []
    def after_loss(self):
        if self.training: self.actions.append(self.dls.train.latest.action), self.losses.append(self.loss.detach())

def trained(env, **settings):
    "TD loss of each of 200 updates, all actions, the agent"
    record, config = Record(), dataclasses.replace(CONFIG, **settings)
    learn = fit_agent(agent_learner(config, env, env, cbs=[record]), config)
    return torch.stack(record.losses), torch.cat(record.actions), learn.model

@needs_compiler
def test_compiled_training_is_the_same_training(env):
    plain, actions, net = trained(env)
    fast, same_actions, fast_net = trained(env, compile=True)
    assert len(plain) == 200 and torch.equal(actions, same_actions)
    apart = ((plain - fast).abs().mean() / plain.mean()).item()
    assert 0 < apart < 0.02, apart  # measured: 0.6 %; 0 would mean that nothing was compiled
    assert net.state_dict().keys() == fast_net.state_dict().keys()

@needs_compiler
@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_compiling_does_not_freeze_the_exploration(env, eps):
    config = dataclasses.replace(CONFIG, compile=True, batch_size=64)
    net = new_net(config, env.n_actions, "q_net", env.device)
    with torch.no_grad(): net.head.weight.zero_(), net.head.bias.copy_(torch.eye(env.n_actions)[0])  # always prefers the first action
    player = EpisodeLoader(env, compiled(net, config), make_reward("discrete_iou"), config)
    player.epsilon = eps
    others = torch.cat([player.latest.action for _ in range(5) for _ in player]) != 0
    assert abs(others.float().mean().item() - eps * 5 / 6) < 0.03

def test_a_million_transitions_fit():
    assert ReplayMemory(1_000_000).nbytes < 120e6

def test_training_imports_nothing_about_text():
    code = "import sys, dqsstn.train; print(*(m for m in sys.modules if m.startswith('fastai.text')))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == ""
