"""The competitors on a few tiny photos: each gets the baseline's number of updates, and says of itself what it did."""
import dataclasses

import pytest
import torch
from torch import nn

from dqsstn.classifier import probabilities
from dqsstn.competitors import (METHODS, answering, competitor_jobs, fit_transformer, policy_learner, random_crops,
                                random_crops_averaged, why_jobs, why_table)
from dqsstn.config import CONFIGS, override
from dqsstn.env import iou, window
from dqsstn.experiments import Job, Lab, policy_jobs, q_learning, read_rows, run_jobs
from dqsstn.policies import whole_image
from dqsstn.sample import sample_items
from dqsstn.train import fit_agent

SMALLEST = ("horizon=3,epochs=1,pretrain_epochs=1,classifier_epochs=1,batch_size=16,view_size=32,source_size=48"
            ",device=cpu")
CONFIG = q_learning(override(CONFIGS["study"], [SMALLEST]))
BASELINE = policy_jobs(CONFIG)[0]

def read(split, seed): return sample_items(dict(test="val").get(split, split), seed, n_train=60, n_test=30)

@pytest.fixture(scope="module")
def lab(tmp_path_factory): return Lab(read, tmp_path_factory.mktemp("lab"))

def n_updates(net): return int(next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d)).num_batches_tracked)

def test_every_method_gets_a_row(lab, tmp_path):
    slow = ("larger_backbone", "higher_resolution")
    changed = [job for job in why_jobs(CONFIG) if job.name in ("frozen_classifier", "whole_image_classifier")]
    competing = [job for job in competitor_jobs(CONFIG) if job.name not in slow]
    jobs = [BASELINE, Job("discrete_iou", CONFIG), *changed, *competing]
    run_jobs(jobs, lab, tmp_path/"rows.csv")
    rows = read_rows(tmp_path/"rows.csv").set_index("name")
    assert set(rows.index) == {job.name for job in jobs}
    assert (rows.iou_before == rows.iou_before.baseline).all()  # the same photos
    whole = ["random_crops", "multi_crop", "random_crops_averaged"]  # which look at no window of their own
    assert (rows.iou_after[whole] == rows.iou_before[whole]).all()
    assert rows.iou_after.whole_image_classifier == rows.iou_after.discrete_iou  # the same agent
    table = why_table(rows.reset_index(), [*whole, *slow])
    assert set(table.loc[slow[0]]) == {"not run"} and "not run" not in set(table.loc["multi_crop"])

def test_random_crops_are_one_classifier_asked_in_two_ways(lab):
    once, averaged = random_crops(lab, BASELINE), random_crops_averaged(lab, BASELINE)
    assert torch.equal(once.p_whole, averaged.p_whole) and torch.equal(once.p_final, once.p_whole)
    assert not torch.equal(averaged.p_final, averaged.p_whole)
    torch.testing.assert_close(averaged.p_final.sum(1), torch.ones(len(averaged.p_final)))

def test_a_spatial_transformer_learns_from_the_classifiers_loss(lab):
    fit, valid, test = (lab.env(CONFIG, split) for split in ("fit", "valid", "test"))
    before = lab.base(CONFIG)
    stn = fit_transformer(lab.base(CONFIG), fit, valid, CONFIG)
    batches = -(-len(fit.bank) // CONFIG.batch_size)
    assert n_updates(stn.localization) == n_updates(stn.classifier) - n_updates(before) == batches
    index = torch.arange(len(test.bank))
    with torch.no_grad():
        theta = stn.windows(test.bank.gather(index), whole_image(index))
        p = stn(test.bank.gather(index), whole_image(index)).softmax(1)
    torch.testing.assert_close(p, probabilities(stn.classifier, test, lambda rows: theta[rows]))
    assert 0 < iou(window(theta), window(whole_image(index))).min() < 1  # it has moved

def test_policy_gradient_makes_as_many_updates_as_q_learning(lab):
    fit, valid = lab.env(CONFIG, "fit"), lab.env(CONFIG, "valid")
    learn = fit_agent(policy_learner(CONFIG, fit, valid), CONFIG)
    assert n_updates(learn.model) == n_updates(lab.agent(CONFIG)["q_net"])
    assert learn.dls.train.n_transitions == len(fit.bank) * CONFIG.horizon

@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("larger_backbone", "higher_resolution")])
def test_what_is_timed_answers(method):
    small = dataclasses.replace(CONFIG, horizon=2)
    with torch.no_grad(): p = answering(small, method, 4)()
    assert p.shape[0] == 4
    torch.testing.assert_close(p.sum(1), torch.ones(4))
