"""The explorer, driven by its widgets from Python, says and draws what the run's networks and arithmetic here say."""
import io
import sys

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image

from dqsstn.files import InputError
from dqsstn.sample import sample_items
from dqsstn.explore import Explorer, Panel, explore
from dqsstn.pictures import view_pixels
from dqsstn.runs import load_run

@pytest.fixture
def photos(folder): return sample_items("val", n_train=60, n_test=30)[:6]

@pytest.fixture
def loaded(run): return load_run(run, "cpu")

@pytest.fixture
def panel(loaded, photos): return explore(loaded, photos)

def crop(item, run, x, y, side):
    "What the networks see of a photo through a window: (1,3,H,W), sampled pixel by pixel"
    S, V = run.config.source_size, run.config.view_size
    source = np.asarray(Image.open(item.path).convert("RGB").resize((S, S), Image.Resampling.BILINEAR), float) / 255
    source = (source - 0.5) / 0.25  # as small_cnn takes it
    padded = np.pad(source, ((1, 1), (1, 1), (0, 0)))
    def at(centre):
        pixel = ((centre + side * ((2 * np.arange(V) + 1) / V - 1) + 1) * S - 1) / 2
        return np.clip(pixel + 1, 0, S + 0.999)
    u, v = at(x), at(y)
    i, j, a, b = v.astype(int), u.astype(int), (v % 1)[:, None, None], (u % 1)[None, :, None]
    def pick(di, dj): return padded[np.minimum(i + di, S + 1)][:, np.minimum(j + dj, S + 1)]
    view = (1 - a) * ((1 - b) * pick(0, 0) + b * pick(0, 1)) + a * ((1 - b) * pick(1, 0) + b * pick(1, 1))
    return torch.tensor(view.transpose(2, 0, 1)[None], dtype=torch.float32)

@torch.no_grad()
def judge(item, run, x, y, side):
    "(Q-values, class probabilities, IoU) of a window"
    view = crop(item, run, x, y, side)
    box = 2 * np.array(item.salient_box) / (item.size * 2) - 1
    low, high = np.maximum(box[:2], [x - side, y - side]), np.minimum(box[2:], [x + side, y + side])
    both = np.prod(np.maximum(high - low, 0))
    overlap = both / (np.prod(box[2:] - box[:2]) + 4 * side ** 2 - both)
    return run.q_net(view)[0].numpy(), run.classifiers["agent"](view).softmax(1)[0].numpy(), overlap

def sliders(panel): return panel.x.value, panel.y.value, panel.side.value

def check(panel, item, run):
    "Whether the panel, in words and in its picture, shows what is seen through the window that its sliders give"
    explorer, (x, y, side) = panel.explorer, (panel.x.value, panel.y.value, panel.side.value)
    q, p, overlap = judge(item, run, x, y, side)
    named = int(p.argmax())
    truth = run.classes[item.salient_label]
    assert f"IoU {overlap:.2f}: {run.classes[named]}, probability {p[named]:.2f} (it is {truth})" in panel.says.value
    fig = explorer.figure()
    photo_ax, view_ax, q_ax, class_ax, curves_ax = fig.axes
    assert [bar.get_width() for bar in q_ax.patches] == pytest.approx(q, abs=1e-3)
    assert [bar.get_width() for bar in class_ax.patches] == pytest.approx(p, abs=1e-3)
    frame = 1.25 * photo_ax.patches[-1].get_bbox().extents  # the photo is shown with a margin
    assert frame == pytest.approx([x - side, y - side, x + side, y + side], abs=1e-5)
    shown = torch.tensor([[[side, 0, x], [0, side, y]]], dtype=torch.float32)
    view = view_pixels(explorer.env, torch.tensor([explorer.index]), shown)[0]
    assert np.allclose(view_ax.images[0].get_array(), view, atol=1e-5)
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=80)
    plt.close(fig)
    assert np.array_equal(*(np.asarray(Image.open(f)) for f in (io.BytesIO(panel.picture.value), drawn)))

def window_after(actions, run):
    "(x, y, side) after actions, one by one"
    x, y, side, move = 0.0, 0.0, 1.0, 2 * run.config.move_px / 224
    for a in actions:
        x, y = x + side * move * ((a == 1) - (a == 0)), y + side * move * ((a == 3) - (a == 2))
        side *= run.config.zoom_factor if a == 4 else 1
    return x, y, side

def test_stepping_follows_the_agent(panel, loaded, photos):
    for k in (0, 3):
        panel.photo.value, actions = k, []
        for t in range(loaded.config.horizon + 1):
            assert (panel.step.value, panel.play.value, panel.explorer.t) == (t, t, t)
            assert f"step {t} of" in panel.says.value
            assert sliders(panel) == pytest.approx(window_after(actions, loaded), abs=1e-5)
            check(panel, photos[k], loaded)
            actions.append(int(judge(photos[k], loaded, *window_after(actions, loaded))[0].argmax()))
            panel.next.click()
        panel.back.click()
        assert panel.explorer.t == loaded.config.horizon - 1  # `next` has stayed at the end

def test_curves_are_those_of_the_episode(panel, loaded, photos):
    panel.photo.value = 2
    fig = panel.explorer.figure()
    overlaps, probabilities = (line.get_ydata() for line in fig.axes[-1].lines[:2])
    plt.close(fig)
    for t in range(loaded.config.horizon + 1):
        panel.step.value = t
        _, p, overlap = judge(photos[2], loaded, panel.x.value, panel.y.value, panel.side.value)
        assert (overlaps[t], probabilities[t]) == pytest.approx((overlap, p[photos[2].salient_label]), abs=1e-3)

def test_the_window_by_hand(panel, loaded, photos):
    panel.photo.value = 1
    panel.play.value = 2
    assert panel.explorer.t == panel.step.value == 2
    panel.x.value, panel.y.value, panel.side.value = 0.3, -0.2, 0.6
    assert panel.says.value.startswith("by hand") and panel.step.value == 2
    check(panel, photos[1], loaded)
    panel.side.value = 1.2  # beyond the photo
    check(panel, photos[1], loaded)
    panel.next.click()
    assert panel.explorer.t == 3 and not panel.explorer.by_hand
    check(panel, photos[1], loaded)
    panel.x.value = 0.5
    panel.photo.value = 4
    assert panel.explorer.t == 0 and panel.side.value == 1 and not panel.explorer.by_hand
    check(panel, photos[4], loaded)

@pytest.mark.parametrize("action", range(5))
def test_the_sliders_reach_wherever_an_agent_goes(loaded, photos, action):
    class Always(torch.nn.Module):
        def forward(self, views): return torch.eye(6)[[action] * len(views)]
    panel = explore(loaded._replace(q_net=Always()), photos)
    panel.step.value = loaded.config.horizon
    assert sliders(panel) == pytest.approx(window_after([action] * loaded.config.horizon, loaded), abs=1e-5)

def test_strip_shows_every_step(loaded, photos):
    explorer = Explorer(loaded, photos)
    explorer.choose(3)
    fig = explorer.strip()
    plt.close(fig)
    T = loaded.config.horizon
    for t in range(T + 1):
        view, bars = fig.axes[2 * t : 2 * t + 2]
        x, y, side = window_after(explorer.episode.actions[0, :t].tolist(), loaded)
        q, p, overlap = judge(photos[3], loaded, x, y, side)
        assert view.get_xlabel().split("\n")[1:] == [f"IoU {overlap:.2f}", f"p {p[photos[3].salient_label]:.2f}"]
        assert [bar.get_width() for bar in bars.patches] == pytest.approx(q, abs=1e-3)
    assert len({axes.get_xlim() for axes in fig.axes[1:2 * T + 2:2]}) == 1  # one scale

def test_photos_without_boxes(loaded, photos):
    panel = explore(loaded, [item.path for item in photos])
    assert "IoU" not in panel.says.value and "it is" not in panel.says.value
    panel.side.value = 0.5
    _, p, _ = judge(photos[0], loaded, 0, 0, 0.5)
    assert f"{loaded.classes[p.argmax()]}, probability {p.max():.2f}" in panel.says.value
    assert [name for name, _ in panel.photo.options] == [item.name for item in photos]

def test_many_classes_are_cut_to_those_that_matter(loaded, photos):
    explorer = Explorer(loaded, photos)
    fig, ax = plt.subplots()
    explorer._draw_classes(ax, most=3)
    plt.close(fig)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 3 and loaded.classes[explorer.label] in names
    assert names == sorted(names, key=loaded.classes.index)

def test_wrong_use_is_told(loaded, photos, monkeypatch):
    others = type(photos)(photos.items, tuple("abcdefghij"), "val")
    with pytest.raises(InputError, match="of classes that the run does not know"): explore(loaded, others)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    missing = r"ipywidgets is not installed; pip install 'dqsstn\[explore\]'"
    with pytest.raises(InputError, match=missing): explore(loaded, photos)

def test_a_panel_is_what_a_notebook_shows(panel):
    assert isinstance(panel, Panel) and "application/vnd.jupyter.widget-view+json" in panel._repr_mimebundle_()
