"""What a reader of 04_train takes for granted: modes of the networks, target network, seeds, losses that are NaN."""
import dataclasses

import pytest
import torch
from fastai.callback.core import Callback
from fastcore.test import expect_fail
from torch import nn

from dqsstn.config import CONFIGS, override
from dqsstn.data import ImageBank
from dqsstn.learner import NotFinite, make_env, new_net
from dqsstn.policies import q_values
from dqsstn.sample import sample_items
from dqsstn.train import TargetSync, agent_learner, fit_agent

SETTINGS = ["source_size=64,view_size=32,batch_size=16,epochs=1,target_update_every=5,schedule=constant,device=cpu"]
CONFIG = override(CONFIGS["demo"], SETTINGS)
JOINT = override(CONFIG, ["classifier_training=joint,classifier_epochs=1,classifier_schedule=constant"])

@pytest.fixture(scope="module")
def items(): return sample_items("fit", n_train=480, n_test=160)

@pytest.fixture(scope="module")
def env(items): return make_env(ImageBank(items[:64], CONFIG.source_size), CONFIG)

def trained(env, config, **settings):
    "An agent after one epoch: 40 updates"
    config = dataclasses.replace(config, **settings)
    return fit_agent(agent_learner(config, env, env), config)

def equal(a, b): return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))

def test_acting_leaves_the_statistics_alone_and_learning_does_not(env):
    net = new_net(CONFIG, env.n_actions, "q_net", env.device).train()
    views = env.render(env.reset(torch.arange(16)))
    statistics = next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d)).running_mean
    before = statistics.clone()
    q = q_values(net, views)
    assert net.training and not q.requires_grad and torch.equal(statistics, before)
    net(views)
    assert not torch.equal(statistics, before)

def test_the_target_network_is_copied_whole_and_only_now_and_then(env):
    synced, stale = trained(env, CONFIG), trained(env, CONFIG, target_update_every=1000)
    assert equal(synced.loss_func.target_net, synced.model)  # update 40 was the last; buffers included
    assert equal(stale.loss_func.target_net, new_net(CONFIG, env.n_actions, "q_net", env.device))
    assert not equal(stale.model, synced.model)  # and it makes a difference to what is learnt

def test_one_seed_one_agent(env):
    first, again, other = (trained(env, CONFIG, seed=seed).model for seed in (0, 0, 1))
    assert equal(first, again) and not equal(first, other)

def test_a_loss_that_is_no_number_stops_the_training(env):
    broken = agent_learner(CONFIG, env, env)
    with torch.no_grad(): next(broken.model.parameters()).fill_(float("nan"))
    with expect_fail(NotFinite, contains="update 0: the loss is nan; train anew with a lower lr, or with grad_clip"):
        fit_agent(broken, CONFIG)

def test_a_classifiers_loss_that_is_no_number_stops_the_training(env):
    classifier = new_net(JOINT, 10, "classifier", env.device)
    with torch.no_grad(): classifier.head.bias.fill_(float("nan"))
    with expect_fail(NotFinite, contains="the classifier's loss is nan; train anew with a lower classifier_lr"):
        fit_agent(agent_learner(JOINT, env, env, classifier), JOINT)

def test_all_actions_at_once_learns_without_a_target_network(items):
    config = override(CONFIG, ["agent=all_actions,gamma=0,schedule=cosine"])
    env, valid = (make_env(ImageBank(part, config.source_size), config) for part in (items[:240], items[240:320]))
    learn = fit_agent(agent_learner(config, env, valid), config)
    *_, before, after = learn.recorder.values[-1]
    assert after > before + 5 and not any(isinstance(cb, TargetSync) for cb in learn.cbs)

@pytest.mark.gpu
def test_on_a_gpu_the_host_waits_only_to_look_for_nan(items):
    config = dataclasses.replace(CONFIG, device="cuda")
    env = make_env(ImageBank(items[:64], config.source_size, device="cuda"), config)
    class Watch(Callback):
        order = 1000
        def before_batch(self):
            torch.cuda.set_sync_debug_mode("error" if self.training and self.iter % 50 else "default")
        def after_batch(self): torch.cuda.set_sync_debug_mode("default")
    learn = fit_agent(agent_learner(config, env, env, cbs=[Watch()]), config)
    assert learn.train_iter == 40
