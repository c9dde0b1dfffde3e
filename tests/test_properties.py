"""What holds for any input: transforms, IoU, replay memory, exploration, targets, rewards, metrics, configurations."""
import dataclasses
import io
import math
import warnings
from collections import deque
from types import SimpleNamespace
from typing import Annotated

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, precision_score, top_k_accuracy_score
from torch import nn
from torch.testing import assert_close
from torchvision.ops import box_iou

from dqsstn.config import CONFIGS, PAPER_REWARDS, Config, load_config, make_config, override, save_config
from dqsstn.env import (
    State, ViewEnv, box_in_view, compose, coverage, greedy_action, homogeneous, identity_theta, invert, iou, mirror,
    paper_actions, render, sign_of_change, theta_from_window, translation, window, zoom,
)
from dqsstn.evaluate import IOU_BINS, photo_table, summarize
from dqsstn.qnet import ReplayMemory, all_actions_loss, epsilon, epsilon_greedy, q_target, td_loss
from dqsstn.rewards import Measurement, all_action_rewards, make_reward, measure
from dqsstn.statistics import compare, from_hex, interval, to_hex
from dqsstn.train import TDLoss

few = settings(max_examples=100, deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**31)

def generator(seed): return torch.Generator().manual_seed(seed)

def close(a, b, tol=1e-9): assert_close(torch.as_tensor(a), torch.as_tensor(b), atol=tol, rtol=0, check_dtype=False)

def tensors(*shape, low=-2.0, high=2.0):
    "float64 tensors of a shape"
    return arrays(np.float64, shape, elements=st.floats(low, high)).map(torch.from_numpy)

flips = st.lists(st.booleans(), min_size=4, max_size=4).map(torch.tensor)

# --- transforms: rotations and shears, too, though no action makes them

@st.composite
def transforms(draw, n=4):
    "n invertible transforms (n, 2, 3), float64"
    angle, shear, shift = draw(tensors(n)), draw(tensors(n, low=-1, high=1)), draw(tensors(n, 2))
    scale = draw(tensors(n, 2, low=0.1)) * torch.where(draw(flips), -1, 1)[:, None]
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(n, 2, 2)
    stretch = torch.stack([scale[:, 0], shear, torch.zeros(n), scale[:, 1]], 1).view(n, 2, 2)
    return torch.cat([turn @ stretch, shift[:, :, None]], 2)

@st.composite
def windows(draw, n=4, widest=3.0):
    "n windows (n, 4), wherever they lie, float64"
    corner, side = draw(tensors(n, 2)), draw(tensors(n, 2, low=0.01, high=widest))
    return torch.cat([corner, corner + side], 1)

@given(transforms(), transforms(), transforms())
@few
def test_compose_is_the_matrix_product(a, b, c):
    A, B, C = map(homogeneous, (a, b, c))
    close(homogeneous(compose(a, B)), A @ B)
    close(compose(compose(a, B), C), compose(a, homogeneous(compose(b, C))))
    close(compose(a, torch.eye(3)), a)
    close(compose(identity_theta(4).double(), B), b)
    pairs = torch.stack([compose(x, y) for x in a for y in B])
    close(compose(a[:, None], B), pairs.view(4, 4, 2, 3))  # every a with every b

@given(transforms(), transforms())
@few
def test_inverse(a, b):
    A, B = homogeneous(a), homogeneous(b)
    nothing = identity_theta(4).double()
    close(compose(a, homogeneous(invert(a))), nothing)
    close(compose(invert(a), A), nothing)
    close(invert(a), torch.linalg.inv(A)[:, :2], 1e-6)
    close(invert(invert(a)), a, 1e-6)
    close(invert(compose(a, B)), compose(invert(b), homogeneous(invert(a))), 1e-6)  # in the other order

@given(transforms(), flips)
@few
def test_window_is_the_box_around_the_view(theta, flip):
    corners = torch.tensor([[x, y, 1.0] for x in (-1, 1) for y in (-1, 1)], dtype=torch.float64)
    seen = torch.einsum("bij,cj->bci", theta, corners)
    close(window(theta), torch.cat([seen.amin(1), seen.amax(1)], 1))
    close(window(mirror(theta, flip)), window(theta))
    close(mirror(theta, flip)[~flip], theta[~flip], 0)
    close(mirror(theta, flip)[flip], compose(theta, torch.diag(torch.tensor([-1.0, 1, 1])))[flip], 0)
    close(mirror(mirror(theta, flip), flip), theta, 0)

@given(windows(), windows(), flips)
@few
def test_windows_and_boxes_in_view(seen, boxes, flip):
    theta = theta_from_window(seen, flip)
    close(window(theta), seen)
    close(theta_from_window(window(theta), flip), theta)
    close(box_in_view(theta, seen), torch.tensor([[-1.0, -1, 1, 1]]).expand(4, 4))
    inside = box_in_view(theta, boxes)
    for corner in (slice(0, 2), slice(2, 4)):  # by hand: where the box lies between the window's edges
        by_hand = 2 * (boxes[:, corner] - seen[:, :2]) / (seen[:, 2:] - seen[:, :2]) - 1
        close(inside[~flip, corner], by_hand[~flip], 1e-6)
    mirrored = box_in_view(theta_from_window(seen, ~flip), boxes)
    close(inside, mirrored[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1, -1, 1]), 1e-6)
    close(iou(torch.tensor([[-1.0, -1, 1, 1]]), inside), iou(seen, boxes), 1e-6)  # IoU is the same in any frame

@given(windows(), flips, st.floats(0.5, 60), st.floats(0.3, 0.95), st.integers(0, 4))
@few
def test_moves_and_zooms(seen, flip, move_px, factor, zooms):
    actions = paper_actions(move_px, factor, zoom_out=True)
    def matrix(name): return actions.matrices[actions.index(name)].double()
    start = theta = theta_from_window(seen, flip)
    for _ in range(zooms): theta = compose(theta, matrix("zoom_in"))
    centre, side = (seen[:, :2] + seen[:, 2:]) / 2, seen[:, 2:] - seen[:, :2]
    at = window(theta)
    close((at[:, :2] + at[:, 2:]) / 2, centre)
    close(at[:, 2:] - at[:, :2], side * factor**zooms, 1e-5)
    step = side * factor**zooms * move_px / 224  # pixels of the view, in source coordinates
    seen_right = torch.where(flip, -1, 1)
    for name, way in dict(left=(-seen_right, 0), right=(seen_right, 0), up=(0, -1), down=(0, 1)).items():
        moved = window(compose(theta, matrix(name)))
        for axis in (0, 1):
            shift = (way[axis] * step[:, axis])[:, None]
            close(moved[:, axis::2], at[:, axis::2] + shift, 1e-5)
    for there, back in (("left", "right"), ("up", "down"), ("zoom_in", "zoom_out"), ("identity", "identity")):
        close(compose(compose(start, matrix(there)), matrix(back)), start, 1e-5)
    close(compose(start, translation(0.3, -0.2) @ translation(-0.1, 0.5)), compose(start, translation(0.2, 0.3)), 1e-5)
    close(compose(start, zoom(0.5) @ zoom(factor)), compose(start, zoom(factor / 2)), 1e-5)

class Bank(SimpleNamespace):
    def __len__(self): return len(self.salient_boxes)

def bank_of(boxes, photos=None):
    "What an environment needs of an `ImageBank`"
    return Bank(device="cpu", salient_boxes=boxes, gather=lambda index: photos[index])

action_rows = st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), max_size=12)  # one action for each episode

@given(windows(widest=1.5), flips, action_rows, st.sampled_from(["iou", "coverage"]))
@few
def test_episodes_are_products_of_matrices(boxes, flip, actions, name):
    env = ViewEnv(bank_of(boxes.float()), paper_actions(move_px=12), horizon=max(len(actions), 1), overlap=name)
    state, products = env.reset([3, 1, 0, 2], flip), [np.diag([-1.0 if f else 1.0, 1, 1]) for f in flip]
    for row in actions:
        assert not env.done(state)
        expected = torch.stack([env.iou(env.step(state, torch.full((4,), a))) for a in range(6)], 1)
        close(env.successor_ious(state), expected, 1e-6)
        gain = expected - env.iou(state)[:, None]
        assert (gain[range(4), greedy_action(env, state)] >= gain.amax(1).clamp(min=0) - 1e-6).all()
        state = env.step(state, torch.tensor(row))
        products = [p @ env.actions.matrices[a].double().numpy() for p, a in zip(products, row)]
    assert env.done(state) == (len(actions) == env.horizon) and state.t == len(actions)
    close(state.theta, np.stack(products)[:, :2], 1e-5)
    half = np.abs(np.stack(products)[:, [0, 1], [0, 1]])
    centre = np.stack(products)[:, :2, 2]
    shown = torch.from_numpy(np.concatenate([centre - half, centre + half], 1))
    close(env.iou(state), dict(iou=iou, coverage=coverage)[name](shown, boxes[[3, 1, 0, 2]]), 1e-4)

@given(windows(widest=0.9), flips, tensors(3, low=-40, high=40), st.sampled_from([8, 13, 32]))
@few
def test_a_slope_is_rendered_exactly(seen, flip, slope, size):
    "Bilinear sampling of a photo whose brightness is linear in x and y gives the very slope, in any window inside it"
    inside = (seen - seen[:, [0, 1, 0, 1]]) + (seen[:, [0, 1, 0, 1]] / 2 * 0.9 - 0.05)
    assume((inside.abs() < 0.95).all())
    def brightness(x, y): return 128 + slope[0] * x + slope[1] * y
    centres = (2 * torch.arange(48) + 1) / 48 - 1.0
    photo = brightness(centres[None, :], centres[:, None]).expand(4, 3, 48, 48)
    views = 255 * render(photo, theta_from_window(inside, flip).float(), size, (0,) * 3, (1,) * 3)
    at = (2 * torch.arange(size) + 1) / size - 1.0
    x = inside[:, :1] + (inside[:, 2:3] - inside[:, :1]) * (torch.where(flip[:, None], -at, at) + 1) / 2
    y = inside[:, 1:2] + (inside[:, 3:] - inside[:, 1:2]) * (at + 1) / 2
    close(views, brightness(x[:, None, None, :], y[:, None, :, None]).expand(4, 3, size, size), 1e-2)

# --- IoU

@given(windows(8), windows(8), tensors(2), st.floats(0.05, 20))
@few
def test_iou(a, b, shift, scale):
    value = iou(a, b)
    close(value, box_iou(a, b).diagonal())
    close(iou(b, a), value, 0)
    assert (value >= 0).all() and (value <= 1 + 1e-12).all()
    moved = [scale * (boxes + shift.repeat(2)) for boxes in (a, b)]
    close(iou(*moved), value, 1e-6)
    close(coverage(*moved), coverage(a, b), 1e-6)
    close(iou(a[:, None], b), box_iou(a, b))  # all with all

@given(windows(1), st.integers(0, 3), st.floats(1e-3, 1))
@few
def test_iou_is_one_for_the_same_box_alone(box, side, change):
    close(iou(box, box), torch.ones(1), 1e-12)
    other = box.clone()
    other[0, side] += change if side > 1 else -change  # larger on one side
    assert iou(box, other) < 1 and coverage(box, other) == 1 and coverage(other, box) < 1
    close(iou(box, other), coverage(other, box))
    apart = box + (box[:, 2] - box[:, 0] + change)
    assert iou(box, apart) == 0 and coverage(box, apart) == 0
    point = box[:, [0, 1, 0, 1]]
    assert iou(box, point) == 0 and iou(point, point) == 0  # no area, no overlap

@given(arrays(np.int64, (2, 4), elements=st.integers(0, 12)))
@few
def test_iou_counts_squares(corners):
    boxes = np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], 1)
    filled = np.zeros((2, 12, 12), bool)
    for grid, (x1, y1, x2, y2) in zip(filled, boxes): grid[y1:y2, x1:x2] = True
    both, either = (filled[0] & filled[1]).sum(), (filled[0] | filled[1]).sum()
    a, b = torch.tensor(boxes, dtype=torch.float32)
    close(iou(a, b), both / max(either, 1), 1e-6)
    close(coverage(a, b), both / max(filled[0].sum(), 1), 1e-6)

# --- replay memory

class Ring(RuleBasedStateMachine):
    "A `ReplayMemory` beside a deque of its transitions"
    @initialize(capacity=st.sampled_from([7, 12, 1, 2, 20]))
    def empty(self, capacity):
        self.memory, self.certain, self.made = ReplayMemory(capacity, "photos"), deque(maxlen=capacity), 0

    @rule(n=st.sampled_from([1, 2, 3, 5, 8, 0, 25]), done=st.booleans())
    def add(self, n, done):
        i = torch.arange(self.made, self.made + n)
        theta = i[:, None, None] + torch.arange(6).view(2, 3) / 8
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on purpose it holds few batches
            self.memory.add(State(i, theta, 0), i % 6, -i.float(), State(i, -theta, 1), done)
        self.certain.extend((k, done) for k in i.tolist())
        self.made += n

    @precondition(lambda self: self.certain)
    @rule(n=st.integers(1, 40), seed=seeds)
    def sample(self, n, seed):
        batch, again = (self.memory.sample(n, generator(seed)) for _ in range(2))
        for rows, same in zip(batch, again): assert len(rows) == n and torch.equal(rows, same)
        i = batch.index
        assert set(zip(i.tolist(), batch.done.tolist())) <= set(self.certain)
        theta = i[:, None, None] + torch.arange(6).view(2, 3) / 8  # each row is one transition, whole
        for rows, expected in zip(batch, (i, theta, i % 6, -i.float(), -theta)): assert torch.equal(rows, expected)

    @rule()
    def resume(self):
        file = io.BytesIO()
        torch.save(self.memory.state_dict(), file)
        file.seek(0)
        resumed = ReplayMemory(self.memory.capacity, "photos")
        resumed.load_state_dict(torch.load(file, weights_only=True))
        self.memory = resumed

    @invariant()
    def holds_the_latest_in_order(self):
        if not hasattr(self, "memory"): return  # before `empty`
        rows, n = self.memory.rows, len(self.memory)
        start = self.memory.position if n == self.memory.capacity else 0
        held = list(zip(rows.index[:n].tolist(), rows.done[:n].tolist()))
        assert n == len(self.certain) and held[start:] + held[:start] == list(self.certain)

test_replay_memory = Ring.TestCase
Ring.TestCase.settings = settings(few, stateful_step_count=25)

def test_every_transition_is_drawn_as_often():
    memory = ReplayMemory(100)
    for first in range(0, 130, 10):
        i = torch.arange(first, first + 10)
        state = State(i, identity_theta(10), 0)
        memory.add(state, i % 6, i.float(), state, False)
    counts = memory.sample(100_000, generator(0)).index.bincount(minlength=130)
    assert counts[:30].sum() == 0 and stats.chisquare(counts[30:]).pvalue > 1e-3

# --- exploration

steps, shares, decays = st.integers(0, 10**7), st.floats(0, 1), st.floats(1, 1e6)

@given(steps, steps, shares, decays)
@few
def test_epsilon(n, more, end, decay):
    now, later = epsilon(n, end, decay), epsilon(n + more, end, decay)
    assert end <= later <= now <= epsilon(0, end, decay) == pytest.approx(1)
    assert now == pytest.approx(end + (1 - end) * math.e ** (-n / decay))  # Eq. 2
    shrunk = epsilon(more, 0, decay)  # the rest shrinks by the same share in the same time
    assert later - end == pytest.approx((now - end) * shrunk, abs=1e-12)
    assert epsilon(10**9, end, decay) == pytest.approx(end)

@given(tensors(12, 6), shares, shares, seeds)
@few
def test_epsilon_greedy(q, low, high, seed):
    low, high = sorted((low, high))
    rarely, often, always, never = (epsilon_greedy(q, eps, generator(seed)) for eps in (low, high, 1.0, 0.0))
    assert torch.equal(never, q.argmax(1))
    assert torch.equal(always, epsilon_greedy(-q, 1.0, generator(seed)))  # whatever the values are
    for actions in (rarely, often): assert ((actions == never) | (actions == always)).all()
    assert ((rarely == never) | (rarely == often)).all()  # who explores at a low share explores at a higher one

# --- targets and losses

def huber(difference): return difference**2 / 2 if abs(difference) <= 1 else abs(difference) - 0.5

batches = st.integers(1, 6)

@given(st.data(), batches, st.integers(1, 7), shares, st.booleans(), st.booleans())
@few
def test_q_target_and_loss(data, b, n_actions, gamma, double, bootstrap):
    q, next_q, online = (data.draw(tensors(b, n_actions, low=-5, high=5)) for _ in range(3))
    reward, weight = data.draw(tensors(b)), data.draw(tensors(b, low=0))
    done = torch.tensor(data.draw(st.lists(st.booleans(), min_size=b, max_size=b)))
    action = torch.tensor(data.draw(st.lists(st.integers(0, n_actions - 1), min_size=b, max_size=b)))
    target = q_target(reward, next_q, gamma, done, online if double else None, bootstrap)
    by_hand = []
    for i in range(b):
        chooser = online[i] if double else next_q[i]
        best = max(range(n_actions), key=lambda a: (chooser[a].item(), -a))
        by_hand.append(reward[i].item() + (gamma * next_q[i, best].item() if bootstrap or not done[i] else 0.0))
    close(target, torch.tensor(by_hand, dtype=torch.float64))
    q = q.float().requires_grad_()
    loss = td_loss(q, action, target, weight)
    difference = [q[i, action[i]].item() - by_hand[i] for i in range(b)]
    close(loss, sum(weight[i].item() * huber(d) for i, d in enumerate(difference)) / b, 1e-4)
    close(td_loss(q, action, target), sum(map(huber, difference)) / b, 1e-4)
    loss.backward()
    gradient = torch.zeros(b, n_actions)  # of the taken actions alone, and at most 1 each
    for i, d in enumerate(difference): gradient[i, action[i]] = weight[i] * min(max(d, -1), 1) / b
    close(q.grad, gradient, 1e-4)

@given(tensors(3, 4), shares)
@few
def test_the_end_hides_what_lies_beyond(next_q, gamma):
    next_q[0] = math.inf
    target = q_target(torch.ones(3), next_q, gamma, torch.tensor([True, True, False]))
    assert target[:2].tolist() == [1, 1]  # 0 · ∞ would be no number
    close(q_target(torch.ones(3), next_q[[1, 2, 2]], 0.0, torch.zeros(3, dtype=torch.bool)), torch.ones(3))

@given(batches, st.integers(1, 7), seeds)
@few
def test_loss_of_all_actions(b, n_actions, seed):
    q, rewards = 3 * torch.randn(2, b, n_actions, generator=generator(seed))
    q.requires_grad_()
    loss = all_actions_loss(q, rewards)
    close(loss, sum(huber(d) for d in (q - rewards).flatten().tolist()) / (b * n_actions), 1e-5)
    one_by_one = sum(td_loss(q, torch.full((b,), a), rewards[:, a]) for a in range(n_actions)) / n_actions  # γ = 0
    close(loss, one_by_one, 1e-5)
    loss.backward()
    close(q.grad, (q - rewards).detach().clamp(-1, 1) / (b * n_actions), 1e-6)

@given(st.booleans(), st.booleans(), shares, seeds)
@few
def test_td_loss_of_two_networks(double, bootstrap, gamma, seed):
    options = dict(double_dqn=double, bootstrap_at_horizon=bootstrap, gamma=gamma)
    config, g = dataclasses.replace(CONFIGS["demo"], **options), generator(seed)
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 6))
    net[1].running_mean.normal_(generator=g)
    loss = TDLoss(net, config)
    with torch.no_grad():
        for p in loss.target_net.parameters(): p.normal_(generator=g)
    views, next_views = torch.randn(2, 5, 3, 2, 2, generator=g)
    action, reward = torch.randint(6, (5,), generator=g), torch.randn(5, generator=g)
    done = torch.rand(5, generator=g) < 0.4
    q = net.train()(views)
    value = loss(q, action, reward, next_views, done)
    assert net.training and not any(p.requires_grad for p in loss.target_net.parameters())
    net.eval()
    total = 0.0
    for i in range(5):  # one by one: in eval mode no view depends on its company
        with torch.no_grad(): judged, own = (q_net(next_views[i : i + 1])[0] for q_net in (loss.target_net, net))
        future = judged[(own if double else judged).argmax()].item() if bootstrap or not done[i] else 0.0
        total += huber(q[i, action[i]].item() - reward[i].item() - gamma * future) / 5
    close(value, total, 1e-4)

# --- rewards

corrects = arrays(np.int64, (2, 6), elements=st.integers(0, 1))

@given(tensors(2, 6, low=0, high=1), tensors(2, 6, low=0, high=9), corrects, tensors(2))
@few
def test_rewards_by_their_definitions(ious, losses, correct, numbers):
    alpha, beta = numbers.tolist()
    before, after = (Measurement(ious[k], losses[k], torch.from_numpy(correct[k]).double()) for k in (0, 1))
    for i in range(6):
        (old, new), (loss, new_loss), (was, now) = ious[:, i].tolist(), losses[:, i].tolist(), correct[:, i].tolist()
        rose = 1 if new - old > 1e-6 else -1 if new - old < -1e-6 else 0
        expected = dict(continuous_loss=loss - new_loss, discrete_accuracy=now - was, continuous_iou=new - old,
                        discrete_iou=rose, combined=alpha * (loss - new_loss) + beta * rose)
        for name, value in expected.items():
            reward = make_reward(name, alpha, beta)
            assert reward(before, after)[i].item() == pytest.approx(value, abs=1e-6), name
            back = reward(after, before)[i].item()  # going back costs what going brought
            assert back == pytest.approx(-value, abs=1e-6), name

closed_form = st.sampled_from(["continuous_iou", "discrete_iou"])

@given(windows(widest=1.5), st.lists(st.integers(0, 5), max_size=6), closed_form)
@few
def test_rewards_of_all_actions_are_those_of_steps(boxes, sequence, name):
    env, reward = ViewEnv(bank_of(boxes.float()), paper_actions(move_px=12)), make_reward(name)
    state = env.reset(range(4))
    for action in sequence: state = env.step(state, torch.full((4,), action))
    rewards = all_action_rewards(env, state, reward)
    for action in range(6):
        after = env.step(state, torch.full((4,), action))
        close(rewards[:, action], reward(measure(env, state, reward), measure(env, after, reward)), 1e-6)
        by_reward = make_reward("discrete_iou")(Measurement(env.iou(state)), Measurement(env.iou(after)))
        assert (sign_of_change(env.iou(state), env.iou(after)) == by_reward).all()

@given(seeds)
@settings(few, max_examples=15)
def test_classifier_rewards_by_their_definitions(seed):
    g = generator(seed)
    photos = torch.randint(0, 256, (3, 3, 8, 8), generator=g, dtype=torch.uint8)
    bank = bank_of(identity_theta(3).flatten(1)[:, :4], photos)
    bank.labels = torch.randint(4, (3,), generator=g)
    env, net = ViewEnv(bank, view_size=4), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Linear(48, 4))
    before = env.reset(range(3))
    after = env.step(before, torch.tensor([0, 4, 3]))
    with torch.no_grad(): old, new = (net.eval()(env.render(state)).softmax(1) for state in (before, after))
    net.train()
    labelled = list(enumerate(bank.labels))
    correct = [(float(old[i].argmax() == y), float(new[i].argmax() == y)) for i, y in labelled]
    expected = dict(continuous_loss=[math.log(new[i, y]) - math.log(old[i, y]) for i, y in labelled],
                    discrete_accuracy=[now - was for was, now in correct])
    for name, values in expected.items():
        reward = make_reward(name)
        close(reward(measure(env, before, reward, net), measure(env, after, reward, net)), torch.tensor(values), 1e-5)
    assert net.training and net[1].num_batches_tracked == 0  # measured in eval mode

# --- metrics

@st.composite
def evaluated(draw, n=12, n_classes=5):
    "An environment of n photos with up to two salient objects among others, and two tables of probabilities"
    rows = st.integers(0, n_classes - 1)
    label = np.array(draw(st.lists(rows, min_size=n, max_size=n)))
    second = np.array(draw(st.lists(st.integers(-1, n_classes - 1), min_size=n, max_size=n)))
    present = draw(arrays(bool, (n, n_classes)))
    present[range(n), label] = True
    present[np.flatnonzero(second >= 0), second[second >= 0]] = True
    g = generator(draw(seeds))
    bank = bank_of(torch.cat([-torch.rand(n, 2, generator=g), torch.rand(n, 2, generator=g)], 1))
    bank.labels, bank.second, bank.present = map(torch.from_numpy, (label, second, present))
    bank.items = [SimpleNamespace(name=str(i)) for i in range(n)]
    return ViewEnv(bank), *(torch.rand(n, n_classes, generator=g).log().softmax(1) for _ in range(2))

@given(evaluated(), windows(12))
@few
def test_metrics_are_those_of_scikit_learn(case, final):
    env, whole, after = case
    bank, classes = env.bank, range(after.shape[1])
    photos = photo_table(env, theta_from_window(final.float()), whole, after)
    baseline = photo_table(env, identity_theta(12), whole, whole)
    numbers = summarize(photos, 100.0, baseline)
    label, prediction = bank.labels.numpy(), after.argmax(1).numpy()
    named = np.eye(len(classes), dtype=bool)[prediction]
    salient = np.eye(len(classes), dtype=bool)[label]
    for i, c in enumerate(bank.second.tolist()): salient[i, c] |= c >= 0
    assert numbers["top1"] == pytest.approx(100 * accuracy_score(label, prediction))
    assert numbers["top1"] == pytest.approx(100 * top_k_accuracy_score(label, after.numpy(), k=1, labels=classes))
    assert numbers["top2"] == pytest.approx(100 * precision_score(salient, named, average="samples"))
    assert numbers["any"] == pytest.approx(100 * precision_score(bank.present.numpy(), named, average="samples"))
    assert numbers["top1_both_views"] == pytest.approx(100 * accuracy_score(label, (whole + after).argmax(1).numpy()))
    assert numbers["top1"] <= numbers["top2"] <= numbers["any"]
    (_, won), (lost, _) = confusion_matrix(baseline.top1, photos.top1, labels=[False, True])
    assert (numbers["won"], numbers["lost"]) == (won, lost)
    close(photos.iou_after.to_list(), box_iou(final, bank.salient_boxes.double()).diagonal(), 1e-5)
    groups = pd.cut(photos.iou_before, IOU_BINS, right=False, labels=False)  # [0, 0.2), …, [0.8, 1]
    for b, part in enumerate(numbers["bins"]):
        mine = (groups == b).to_numpy()
        assert part["n"] == mine.sum()
        if mine.any(): assert part["top1"] == pytest.approx(100 * accuracy_score(label[mine], prediction[mine]))
    for name in ("top1", "iou_before", "iou_after"):
        total = sum(part["n"] * part[name] for part in numbers["bins"] if part["n"])
        assert total / 12 == pytest.approx(numbers[name])

@given(arrays(bool, st.integers(0, 70)))
@few
def test_masks_return(mask): assert from_hex(to_hex(mask), len(mask)).tolist() == mask.tolist()

@st.composite
def answers(draw, n_seeds):
    "Which photos two classifiers get right, seed by seed"
    n = draw(st.integers(1, 60))
    return [draw(arrays(bool, (2, n))) for _ in range(n_seeds)]

def rows_of(masks):
    "The rows of two jobs"
    return pd.DataFrame([dict(name=name, seed=seed, fingerprint="x", correct=to_hex(mask), n_images=len(mask))
                         for seed, pair in enumerate(masks) for name, mask in zip("AB", pair)])

@given(st.integers(1, 3).flatmap(answers))
@few
def test_comparison(masks):
    masks = [m[:, : min(len(m[0]) for m in masks)] for m in masks]
    d = compare(rows_of(masks), "A", "B")
    def accuracy(mask): return 100 * accuracy_score(np.ones(len(mask)), mask)
    assert d.per_seed == pytest.approx([accuracy(one) - accuracy(other) for one, other in masks], abs=1e-9)
    assert d.mean == pytest.approx(np.mean(d.per_seed), abs=1e-9)
    for pair, p in zip(masks, d.p):
        (_, won), (lost, _) = confusion_matrix(pair[1], pair[0], labels=[False, True])
        n, k = won + lost, max(won, lost)
        tail = sum(math.comb(n, i) for i in range(k, n + 1)) / 2**n
        assert p == pytest.approx(min(1, 2 * tail))  # McNemar's exact test
    assert d.won - d.lost == pytest.approx(sum(d.per_seed) * len(masks[0][0]) / 100)
    assert d.low - 1e-9 <= d.mean <= d.high + 1e-9 or len(masks) > 1
    back = compare(rows_of([pair[::-1] for pair in masks]), "A", "B")
    assert (back.won, back.lost, back.p, back.mean) == (d.lost, d.won, d.p, pytest.approx(-d.mean, abs=1e-9))

@given(st.integers(200, 900), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
@settings(few, max_examples=15)
def test_bootstrap_has_the_width_of_the_normal_interval(n, won, lost):
    won, lost = int(won * n), int(lost * n)
    masks = np.zeros((2, n), bool)
    masks[0, :won] = masks[1, won : won + lost] = True
    d = compare(rows_of([masks]), "A", "B")
    half = 196 * math.sqrt((won + lost - (won - lost) ** 2 / n) / n**2)
    assert (d.high - d.low) / 2 == pytest.approx(half, rel=0.12)
    assert d.smallest == pytest.approx(2.8 / 1.96 * half, rel=0.08)  # power 80 % at the level of 5 %

samples = st.lists(st.floats(0, 100), min_size=2, max_size=8).filter(lambda x: max(x) - min(x) > 1e-3)

@given(samples, st.floats(0.5, 0.99))
@few
def test_interval_of_means(values, level):
    mean, half = interval(values, level)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert (mean - half, mean + half) == pytest.approx((low, high), abs=1e-6)

# --- configurations

def values_of(field):
    "Any valid value of a field of a configuration"
    kind = field.annotation
    values = st.from_type(Annotated[kind, *field.metadata] if field.metadata else kind)
    return values.filter(math.isfinite) if kind is float else values

FIELD_VALUES = {name: values_of(field) for name, field in Config.__pydantic_fields__.items()}
FIELD_VALUES["memory_limit_gb"] = st.none() | st.floats(0, exclude_min=True)
FIELD_VALUES["reward"] = st.sampled_from(PAPER_REWARDS)
TEXTS = ("arch", "device", "actions")
PATHS = ("weights", "feature_store")  # or none

@st.composite
def configs(draw, text=st.text()):
    "Any valid configuration"
    texts = dict.fromkeys(TEXTS, text) | dict.fromkeys(PATHS, st.none() | text)
    values = draw(st.fixed_dictionaries(FIELD_VALUES | texts))
    if values["agent"] == "all_actions":
        values |= dict(gamma=0.0, reward=draw(st.sampled_from(["discrete_iou", "continuous_iou"])))
    if values["classifier_training"] == "joint":
        values |= dict(classifier_epochs=values["epochs"], classifier_schedule="constant", sampler="shuffle")
    return Config(**values)

@given(configs())
@few
def test_any_configuration_returns_from_its_file(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("config")/"x.json"
    save_config(config, path)
    again = load_config(path)
    assert again == config and dataclasses.asdict(again) == dataclasses.asdict(config)
    assert make_config(dataclasses.asdict(config)) == config

@given(configs(), configs(st.text("abcdefgh_0123456789./", min_size=1).filter(lambda text: text != "none")), seeds)
@few
def test_any_configuration_can_be_set(start, wanted, seed):
    start = dataclasses.replace(start, **dict.fromkeys((*PATHS, "memory_limit_gb")))  # `none` sets what was none before
    settings = [f" {k} = {'none' if v is None else v} " for k, v in dataclasses.asdict(wanted).items()]
    np.random.default_rng(seed).shuffle(settings)
    assert override(start, settings) == override(start, [",".join(settings)]) == wanted
