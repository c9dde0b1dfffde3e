"""20 episodes step by step, in golden_trace.csv: what an action, a reward, an IoU and a view mean must not drift.

test_golden.py compares them with the file, as a part of the environment: see stored.py for the rule. Here the file is
checked by hand."""
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import torch

from dqsstn.env import ViewEnv, greedy_action, mirror, paper_actions, theta_from_window
from dqsstn.rewards import make_reward, measure

FILE = Path(__file__).with_name("golden_trace.csv")
BOXES = torch.tensor([  # of ten photos: large and small, central, at the edge, in a corner, wide, tall, the whole photo
    (-0.61, -0.47, 0.52, 0.73), (0.31, 0.22, 0.57, 0.49), (-0.95, -0.98, -0.41, -0.36), (-0.83, -0.12, 0.91, 0.17),
    (0.05, -0.93, 0.38, 0.88), (-1.0, -1.0, 1.0, 1.0), (-0.07, -0.11, 0.06, 0.04), (0.58, -0.29, 0.99, 0.64),
    (-0.37, 0.41, 0.13, 0.97), (-0.72, -0.66, 0.18, 0.21)])
row, column = torch.arange(64.0)[:, None].expand(64, 64), torch.arange(64.0).expand(64, 64)
PHOTO = torch.stack([4 * column, 4 * row, row * column / 16])  # three smooth gradients, in 0 … 255

def episodes():
    "The trace: episode, step, the action that led there, IoU, both IoU rewards, and one pixel of a view of `PHOTO`"
    bank = SimpleNamespace(device="cpu", salient_boxes=BOXES, gather=lambda index: PHOTO.expand(len(index), -1, -1, -1))
    env = ViewEnv(bank, paper_actions(move_px=20), view_size=8, mean=(0,) * 3, std=(1,) * 3)
    episode, rewards = torch.arange(20), [make_reward(name) for name in ("continuous_iou", "discrete_iou")]
    mirrored, greedy = episode % 4 == 1, episode % 5 > 2
    beyond = episode >= 15  # the last five begin with a window that leaves the photo
    state = env.reset(episode % 10, mirrored)
    corner = mirror(theta_from_window(torch.tensor([[-0.2, -1.4, 1.2, 0.1]]).expand(20, 4)), mirrored)
    state = state._replace(theta=torch.where(beyond[:, None, None], corner, state.theta))
    action, values = torch.full((20,), -1), torch.zeros(2, 20)
    while True:
        colours = 255 * env.render(state)[:, :, 2, 5]  # row 2, column 5
        columns = dict(episode=episode, step=state.t, action=action, iou=env.iou(state))
        columns |= dict(continuous_iou=values[0], discrete_iou=values[1])
        yield pd.DataFrame(columns | dict(zip(("red", "green", "blue"), colours.unbind(1))))
        if env.done(state): return
        written = (episode * episode + state.t * (episode + 2)) % 6  # by a rule, not by a generator that may change
        written = torch.where(episode % 5 == 0, episode % 4, written)  # and some that go one way, out of the photo
        action = torch.where(greedy, greedy_action(env, state), written)
        before, state = state, env.step(state, action)
        values = torch.stack([reward(measure(env, before, reward), measure(env, state, reward)) for reward in rewards])

def trace():
    "All steps, episode by episode"
    return pd.concat(episodes()).sort_values(["episode", "step"], ignore_index=True).astype({"discrete_iou": int})

def test_trace_is_worth_guarding():
    golden = pd.read_csv(FILE)
    assert set(golden.action) == {-1, *range(6)} and set(golden.discrete_iou) == {-1, 0, 1}
    assert (golden.iou > 0.5).sum() > 5 and (golden.iou == 0).sum() > 5
    assert ((golden.red == 0) & (golden.green == 0)).sum() > 5  # a pixel outside the photo
    first = golden[golden.step == 0].set_index("episode")
    assert first.red[0] + first.red[1] == 4 * 63  # mirrored

def test_pixels_by_hand():
    "A view's pixel, worked out without the environment: episode 0 shows the whole photo and moves left by 20/224"
    golden = pd.read_csv(FILE)
    for t, (red, green) in enumerate(golden[golden.episode == 0][["red", "green"]].to_numpy()):
        # a pixel of the photo, counted from the centre of its first one
        x, y = 64 * (5.5 / 8 - t * 20 / 224) - 0.5, 64 * 2.5 / 8 - 0.5
        if x > 0: assert abs(red - 4 * x) < 1e-3 and abs(green - 4 * y) < 1e-3
        if x < -1: assert red == green == 0
