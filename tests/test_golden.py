"""Numbers that a refactoring must not change, for each part that results depend on: see stored.py for the rule.

Photos are PNG files, which every decoder reads alike. Networks are tiny and trainings have at most sixteen updates, so
that rounding does not grow: another processor, number of threads or version of PyTorch stays within the tolerances."""
import copy
import dataclasses
import json
import re
from collections import defaultdict
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from PIL import Image
from stored import check
from test_golden_trace import FILE as TRACE
from test_golden_trace import trace
from torch import nn

from dqsstn.ablations import constant_iou_windows
from dqsstn.classifier import ViewLoader, augment, fit_classifier, mining_weight, probabilities
from dqsstn.config import Config
from dqsstn.data import ImageBank, Item, Items, describe, holdout, load_photo, square_source
from dqsstn.env import (State, ViewEnv, box_in_view, greedy_action, paper_actions, sign_of_change, theta_from_window,
                        window)
from dqsstn.evaluate import evaluate, make_results, photo_table, policy_table, result_rows, summarize
from dqsstn.experiments import count_details
from dqsstn.formats import boxes_items, coco_items, yolo_items
from dqsstn.gym import ViewGym, iou_direction
from dqsstn.learner import generator, make_bank, make_env, new_net, optimizer
from dqsstn.limitations import action_shares, overlap_shares, table3, table4
from dqsstn.policies import agent_policy, best_zooms, final_windows, fitted_windows, play_all, q_values
from dqsstn.qnet import ReplayMemory, epsilon, epsilon_greedy, q_target, td_loss
from dqsstn.results import table1
from dqsstn.rewards import accuracy_weight, all_action_rewards, inverse_iou_weight, make_reward, measure
from dqsstn.runs import train_run
from dqsstn.sample import sample_items
from dqsstn.statistics import bootstrap, compare, contrast, interval, ratio_text, share_text, to_hex
from dqsstn.train import agent_learner, fit_agent
from dqsstn.voc import voc_items

def blocks(seed, width, height, n=4):
    "A photo (height, width, 3) of n × n blocks in random colours"
    colours = np.random.default_rng(seed).integers(0, 256, (n, n, 3), np.uint8)
    return np.kron(colours, np.ones((height // n, width // n, 1), np.uint8))

def save(pixels, path, **options):
    "Write a photo as PNG, whatever it is called"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG", **options)
    return path

# --- data: from files to items, and from items to tensors

def voc_annotation(objects, size=(64, 48)):
    "VOC's XML for objects (class, x1, y1, x2, y2, difficult)"
    text = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    for name, x1, y1, x2, y2, hard in objects:
        box = f"<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
        text += f"<object><name>{name}</name><difficult>{hard}</difficult><bndbox>{box}</bndbox></object>"
    return f"<annotation>{text}</annotation>"

def voc_folder(root):
    "Two years of photos: overlapping and difficult objects, a turned photo, an empty one, a broken one"
    objects = [[("dog", 4, 4, 44, 40, 0), ("cat", 30, 10, 64, 48, 1)],
               [("cat", 1, 1, 20, 20, 1), ("dog", 10, 10, 24, 22, 0)],
               [("dog", 0, 2, 40, 48, 0)], [], [("cat", 8, 8, 16, 16, 0)]]
    for year in (2007, 2012):
        folder = root/"VOCdevkit"/f"VOC{year}"
        for sub in ("JPEGImages", "Annotations", "ImageSets/Main"): (folder/sub).mkdir(parents=True)
        names = [f"{year}_{k:06d}" for k in range(5)]
        (folder/"ImageSets"/"Main"/"train.txt").write_text("\n".join(names) + "\n")
        for k, (name, found) in enumerate(zip(names, objects)):
            photo = Image.fromarray(blocks(year + k, 64, 48))
            turned = photo.getexif()
            if k == 2: turned[0x0112] = 6
            photo.save(folder/"JPEGImages"/f"{name}.jpg", "PNG", exif=turned)
            (folder/"Annotations"/f"{name}.xml").write_text(voc_annotation(found))
        (folder/"JPEGImages"/f"{names[4]}.jpg").write_bytes(b"no photo")
    return root

def coco_file(root):
    "Ids with gaps, a crowd, an object that sticks out by a fraction of a pixel, and a photo in a folder of its own"
    for k, name in enumerate(("a.png", "sub/b.png", "c.png")): save(blocks(k, 64, 48), root/"photos"/name)
    boxes = [(3, 7, [10.5, 4.25, 20, 30], 0), (3, 9, [0, 0, 60, 40], 1), (5, 9, [40, 20, 24.5, 28], 0),
             (5, 7, [1, 1, 50.125, 9], 0)]
    files = ((3, "a.png"), (5, "sub/b.png"), (8, "c.png"))
    content = dict(
        images=[dict(id=i, file_name=name, width=64, height=48) for i, name in files],
        categories=[dict(id=9, name="bus"), dict(id=7, name="tram")],
        annotations=[dict(id=k, image_id=i, category_id=c, bbox=box, iscrowd=crowd)
                     for k, (i, c, box, crowd) in enumerate(boxes)])
    (root/"train.json").write_text(json.dumps(content))
    return root/"{split}.json"

def yolo_folder(root):
    "Classes by number, with gaps, and ten photos of which some are held out for validation"
    for k in range(10):
        save(blocks(k, 48, 32), root/"images"/"train"/f"p{k}.png")
        label = root/"labels"/"train"/f"p{k}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(f"2 0.5 0.5 {0.1 + k / 20} 0.5\n5 {0.2 + k / 30} 0.3 0.25 0.4\n")
    (root/"data.yaml").write_text("names: {2: lamp, 5: chair}\n")
    return root

def boxes_file(path):
    "The boxes of photos that are not there"
    photos = {}
    for k in range(8):
        objects = [[k % 2, 10, 10, 30 + k, 40, k % 3 // 2], [1, 0, 20, 25, 90, 0]]
        photos[f"p{k}"] = dict(split="2007_val" if k % 2 else "2007_train", objects=objects)
    path.write_text(json.dumps(dict(classes=["cup", "jug"], images=photos)))
    return path

def of_items(items):
    "What is known of a split without looking at its photos"
    fields = ("size", "boxes", "labels", "difficult", "second_label", "initial_iou", "covered")
    known = {field: [getattr(item, field) for item in items] for field in fields}
    described = {name: value for name, value in describe(items).items() if name != "skipped"}
    return known | dict(photos=[item.name for item in items], split=items.name, classes=items.classes,
                        skipped=sorted(items.skipped), described=described)

def of_bank(bank):
    "Its tensors; of the pixels the mean colour of each sixteenth of the first photos"
    pixels = bank.gather(torch.arange(min(len(bank), 3))).float()
    fields = ("salient_boxes", "labels", "second", "present", "initial_iou", "covered")
    known = {field: getattr(bank, field) for field in fields}
    return known | dict(fingerprint=bank.fingerprint, pixels=nn.functional.adaptive_avg_pool2d(pixels, 4))

def of_modes(root):
    "The mean colours of the same photo in several modes of Pillow"
    rgb = Image.fromarray(blocks(1, 16, 16))
    clear = rgb.convert("RGBA")
    clear.putalpha(128)
    deep = Image.fromarray(blocks(2, 16, 16)[..., 0].astype(np.uint16) * 257)
    turned = rgb.getexif()
    turned[0x0112] = 8
    photos = dict(rgb=(rgb, {}), half_clear=(clear, {}), grey=(rgb.convert("L"), {}), palette=(rgb.quantize(16), {}),
                  deep=(deep, {}), turned=(rgb, dict(exif=turned)))
    for name, (photo, options) in photos.items(): photo.save(root/f"{name}.png", **options)
    return {name: dict(pixels=np.asarray(load_photo(root/f"{name}.png"))[::4, ::4].astype(float)) for name in photos}

def data(root):
    "Every format, the built-in sample, the split held out, and both ways to a square"
    sample = partial(sample_items, root=root/"sample", n_train=24, n_test=8)
    voc = partial(voc_items, voc_folder(root/"voc"), years=(2007, 2012), classes=("cat", "dog"), skip_bad=True)
    yolo = partial(yolo_items, yolo_folder(root/"yolo"))
    boxes = partial(boxes_items, boxes_file(root/"boxes.json"))
    found = {f"sample {split}": of_items(sample(split)) for split in ("train", "val", "fit", "valid")}
    found |= {f"yolo {split}": of_items(yolo(split)) for split in ("train", "fit", "valid")}
    found |= {f"boxes {split}": of_items(boxes(split)) for split in ("train", "val")}
    found |= {
        "voc": of_items(voc("train")), "voc without difficult": of_items(voc(difficult=False)),
        "coco": of_items(coco_items(coco_file(root/"coco"), root/"coco"/"photos")),
        "bank of the sample": of_bank(ImageBank(sample("train"), 32)), "bank of voc": of_bank(ImageBank(voc(), 32)),
        "letterbox": of_bank(ImageBank(yolo(), 36, "letterbox")),
        "streaming": of_bank(ImageBank(yolo(), 24, memory_limit=1)),
        "covered, by threshold": overlap_shares(sample("train")).to_dict("list"), "square": {}, "held out": {}}
    for kind in ("squash", "letterbox"):
        for size in ((48, 64), (100, 3)):
            found["square"][f"{kind} {size}"] = square_source(Image.new("RGB", size), 32, kind)[1]
    names = Items(tuple(Item(f"photo {k}", root, (8, 8)) for k in range(60)), ())
    for percent in (15, 50): found["held out"][f"{percent} %"] = [item.name for item in holdout(names, percent)[1]]
    return found | of_modes(root)

def test_data(tmp_path):
    check("data", data(tmp_path), {"bank of the sample": 3.0, "pixels": 1.01})

# --- environment: what the trace of 20 episodes does not show

class Smooth:
    "A bank of smooth photos with these salient boxes and whatever else is known of them"
    device = "cpu"
    def __init__(self, boxes, classes=("a", "b", "c"), **known):
        row, column = torch.arange(24.0)[:, None].expand(24, 24), torch.arange(24.0).expand(24, 24)
        self.photo = torch.stack([10 * column, 10 * row, row * column / 3])
        self.salient_boxes, self.classes = boxes, classes
        self.labels = torch.arange(len(boxes)) % len(classes)
        self.items = [SimpleNamespace(name=f"p{k}") for k in range(len(boxes))]
        vars(self).update(known)

    def __len__(self): return len(self.salient_boxes)

    def gather(self, index): return self.photo * (1 - index.view(-1, 1, 1, 1) / 10)

REWARDS = ("continuous_loss", "discrete_accuracy", "continuous_iou", "discrete_iou", "combined")
BOXES = torch.tensor([(-0.6, -0.5, 0.5, 0.7), (0.3, 0.2, 0.6, 0.5), (-0.95, -1.0, -0.4, -0.35), (-0.8, -0.1, 0.9, 0.2)])

class Judge(nn.Module):
    "A classifier without random weights"
    def forward(self, view):
        parts = view[:, 0], view[:, 1, :4], view[:, 2, :, 6:]
        return 20 * torch.stack([part.mean((1, 2)) for part in parts], 1)

def walk(env, name, steps=5):
    "The rewards of one kind along an arithmetic walk"
    reward, state, rewards = make_reward(name, 0.7, 0.4), env.reset(torch.arange(4)), []
    for t in range(steps):
        before, state = state, env.step(state, (torch.arange(4) * 2 + 3 * t) % env.n_actions)
        rewards.append(reward(*(measure(env, s, reward, Judge()) for s in (before, state))))
    return torch.stack(rewards)

def one_episode(env):
    "What Gymnasium's adapter says of one episode"
    gym, said = ViewGym(env), []
    view, info = gym.reset(seed=3)
    for action in (4, 0, 4, 2):
        said.append(dict(mean=float(view.mean()), **info))
        view, reward, terminated, truncated, info = gym.step(action)
        said[-1] |= dict(reward=reward, terminated=terminated, truncated=truncated)
    return said

def environment():
    "Actions, views, both measures, all rewards, an episode of Gymnasium"
    env = ViewEnv(Smooth(BOXES), paper_actions(24, 0.7, zoom_out=True), horizon=4, view_size=8)
    cover = ViewEnv(Smooth(BOXES), horizon=4, view_size=8, overlap="coverage")
    flip = torch.tensor([False, True, False, True])
    states = [env.reset(torch.arange(4), flip)]
    for action in ((4, 0, 6, 1), (2, 4, 4, 3), (1, 1, 4, 6)): states.append(env.step(states[-1], torch.tensor(action)))
    start, last = states[0], states[-1]
    elsewhere = env.reset(torch.arange(4), flip, theta_from_window(BOXES.roll(1, 0)))
    found = {
        "actions": dict(names=env.actions.names, matrices=env.actions.matrices, default=paper_actions().matrices),
        "states": {f"theta {s.t}": s.theta for s in states} | dict(elsewhere=elsewhere.theta),
        "boxes": dict(window=window(last.theta), in_view=box_in_view(last.theta, BOXES)),
        "views": dict(normalised=env.render(last).mean((2, 3)), seen=env.render(last)[:, :, 2, 5],
                      pixels=env.pixels(last)[:, :, ::4, ::2].float()),
        "change": dict(sign=sign_of_change(torch.zeros(5), torch.tensor([-2e-6, -5e-7, 0, 5e-7, 2e-6])),
                       done=[env.done(s) for s in states], direction=iou_direction(env, start, last)),
        "rewards": {name: walk(env, name) for name in REWARDS},
        "rewards of all actions": {name: all_action_rewards(env, last, make_reward(name)) for name in REWARDS[2:4]},
        "weights": dict(iou=inverse_iou_weight(torch.tensor([0.01, 0.05, 0.2, 1.0])),
                        accuracy=accuracy_weight(torch.tensor([True, False]), 0.3)),
        "gymnasium": {f"step {t}": values for t, values in enumerate(one_episode(env))}}
    for name, e in dict(iou=env, coverage=cover).items():
        found[name] = dict(start=e.iou(start), last=e.iou(last), next=e.successor_ious(last),
                           best=greedy_action(e, last))
    return found

def test_environment():
    found = environment() | {"trace": trace().to_dict("list")}
    tolerance = dict(red=1e-2, green=1e-2, blue=1e-2, pixels=1.01, mean=0.05, continuous_loss=1e-3, combined=1e-3)
    check("environment", found, tolerance, {"trace": TRACE})

# --- training: what a handful of updates does to networks

CONFIG = Config(
    source_size=32, view_size=32, horizon=4, move_px=16.0, jitter=0.1, arch="small_cnn", pretrained=False, gamma=0.5,
    lr=3e-4, schedule="cosine", epochs=2, batch_size=16, capacity=160, eps_decay=100.0, target_update_every=5,
    grad_clip=10.0, classifier_training="after", pretrain_epochs=2, classifier_epochs=1, whole_share=0.25,
    classifier_lr=1e-3, classifier_schedule="one_cycle", mixture=False, device="cpu",
    seed=15)  # with which no action is a near tie: the two best Q-values always differ by 1e-4 or more
TRAININGS = {
    "discrete IoU reward": dict(),
    "paper's schedules": dict(schedule="constant", grad_clip=0.0, flip=False, overlap="coverage",
                              reward_weight="accuracy"),
    "double and dueling": dict(double_dqn=True, dueling=True, bootstrap_at_horizon=True, optimizer="adamw", gamma=0.9,
                               target_update_every=50, lr=6e-4),
    "all actions": dict(agent="all_actions", gamma=0.0, reward="continuous_iou", reward_weight="inverse_iou"),
    "combined reward, jointly": dict(reward="combined", alpha=0.5, classifier_training="joint", classifier_epochs=2,
                                     classifier_schedule="constant", loss_weight="inverse_iou"),
    "accuracy reward": dict(reward="discrete_accuracy", epochs=1)}
TOLERANCE = dict(losses=3e-4, metrics=3e-4, rewards=2e-4, classified=3e-4, start=3e-3, end=3e-3,  # see the test
                 iou=1.0, iou_before=1e-3, iou_after=1.0)  # percent

def squares(root, split, n, seed):
    "Photos of noise with a large square of the class's colour and a small one of another class"
    rng, items = np.random.default_rng(seed), []
    for k in range(n):
        pixels, boxes, labels = rng.integers(60, 140, (32, 32, 3)).astype(np.uint8), [], rng.permutation(3)[:2]
        for label, low, high in zip(labels, (9, 4), (20, 8)):
            w, h = rng.integers(low, high, 2)
            x, y = rng.integers(0, 32 - w), rng.integers(0, 32 - h)
            pixels[y:y + h, x:x + w, label] += 110
            boxes.append((int(x), int(y), int(x + w), int(y + h)))
        path = save(pixels, root/split/f"{k}.png")
        items.append(Item(f"{split} {k}", path, (32, 32), tuple(boxes), tuple(map(int, labels)), (False, False)))
    return Items(tuple(items), ("red", "green", "blue"), split)

def losses(learn): return torch.stack(learn.recorder.losses)

def of_agent(config, env, valid_env, classifier):
    "Train an agent: its losses and actions, and what it thinks of the validation photos afterwards"
    learn = agent_learner(config, env, valid_env, classifier)
    fit_agent(learn, config)
    loader, episode = learn.dls.train, play_all(valid_env, agent_policy(learn.model))
    start = valid_env.reset(torch.arange(6), torch.arange(6) % 2 == 1)
    end = State(start.index, episode.thetas[:6, -1], 4)
    metrics = pd.DataFrame(learn.recorder.values, columns=learn.recorder.metric_names[1:-1])
    return dict(
        losses=losses(learn), metrics=metrics.to_dict("list"), epsilon=loader.epsilon,
        photos=loader.memory.rows.index.int(), actions=loader.memory.rows.action.int(),
        rewards=loader.memory.rows.reward,
        place=[loader.memory.position, len(loader.memory), loader.n_transitions],
        start=q_values(learn.model, valid_env.render(start)), end=q_values(learn.model, valid_env.render(end)),
        iou=100 * episode.ious.mean(0), classified=probabilities(classifier, valid_env)[:6])

def of_run(config, fit, valid, test):
    "A whole run with a classifier for each policy and one for all, measured on other photos"
    run = train_run(config, fit, valid)
    measured, env = evaluate(run, test), make_env(make_bank(test, config), config)
    all_means = measured.policies | {f"{policy}, mixture": means for policy, means in measured.mixture.items()}
    return dict(
        classified={policy: probabilities(net, env)[:4] for policy, net in run.classifiers.items()}, zooms=run.n_zooms,
        iou={policy: means["iou_after"] for policy, means in measured.policies.items()},
        top1={policy: means["top1"] for policy, means in all_means.items()}, metrics=run.metrics.to_dict("list"))

def settings_of(kind):
    "What an optimizer is told, and what it takes for granted"
    opt = optimizer(dataclasses.replace(CONFIG, optimizer=kind))([nn.Parameter(torch.zeros(1))], lr=1e-3)
    return {name: opt.opt.param_groups[0][name] for name in ("lr", "betas", "eps", "weight_decay")}

def of_pieces(env):
    "The parts of deep Q-learning by themselves"
    rng, q, next_q = generator(0, "golden"), torch.arange(12.0).view(4, 3) % 5, torch.arange(12.0).view(4, 3) % 7
    action, reward = torch.tensor([0, 2, 1, 1]), torch.tensor([0.5, -1, 1, 0])
    target = partial(q_target, reward, next_q, 0.9, torch.tensor([False, True, False, False]))
    memory, state = ReplayMemory(50), env.reset(torch.arange(4))
    for t in range(15): memory.add(state, (action + t) % 6, reward + t, env.step(state, action), t % 4 == 3)
    drawn = memory.sample(8, rng)._asdict()
    loader = partial(ViewLoader, env, batch_size=16, rng=rng)
    return dict(
        seeds=[generator(seed, purpose).initial_seed() for seed, purpose in ((0, "exploration"), (1, "replay"))],
        targets=torch.stack([target(), target(bootstrap_at_horizon=True), target(q), target(q, True)]),
        td_loss=td_loss(q, action, target()), epsilon=[epsilon(n, 0.1, 500) for n in (0, 100, 5000)],
        greedy=[epsilon_greedy(q, eps, rng) for eps in (0.0, 0.5, 1.0)],
        optimizers={kind: settings_of(kind) for kind in ("adam", "adamw")},
        drawn={field: drawn[field] for field in ("index", "action", "reward", "done")},
        augmented=augment(env.reset(torch.arange(6)).theta, rng, True, 0.2), order=loader().order(),
        balanced=loader(balanced=True).order().bincount(minlength=len(env.bank)),
        weights={kind: mining_weight(kind, CONFIG, env, Judge()) for kind in ("inverse_iou", "accuracy")})

def training(root):
    "A classifier, agents of every kind on it, a whole run, and the pieces"
    splits = [squares(root, *split) for split in (("fit", 32, 0), ("valid", 16, 1), ("test", 24, 2))]
    env, valid_env = (make_env(make_bank(items, CONFIG), CONFIG) for items in splits[:2])
    base = new_net(CONFIG, 3, "classifier", env.device)
    learn = fit_classifier(base, env, valid_env, CONFIG, 3)
    found = {"classifier": dict(losses=losses(learn), classified=probabilities(base, valid_env)),
             "pieces": of_pieces(env)}
    for name, change in TRAININGS.items():
        config = dataclasses.replace(CONFIG, **change)
        envs = [make_env(e.bank, config) for e in (env, valid_env)]
        found[name] = of_agent(config, *envs, copy.deepcopy(base))
    run = dataclasses.replace(CONFIG, mixture=True, sampler="class_balanced", loss_weight="accuracy", epochs=1)
    return found | {"run": of_run(run, *splits)}

def test_training(tmp_path):
    "The tolerances are several times what noise of 1e-6 in the initial weights or arithmetic without AVX changes"
    check("training", training(tmp_path), TOLERANCE)

# --- evaluation: from final windows and probabilities to tables

NAMES = ("baseline", "random", "center_zoom", "greedy_oracle", "fitted_window", "discrete_iou", "combined",
         "all_actions", "baseline_balanced", "discrete_iou_balanced")
POLICIES = dict(baseline="baseline", random="random", center_zoom="center_zoom", agent="discrete_iou",
                greedy_oracle="greedy_oracle", fitted_window="fitted_window")
MEANS = ("top1", "top2", "any", "top1_both_views", "iou_before", "iou_after")
CLASSES = ("cup", "jug", "person", "pot")

def random_boxes(rng, n, smallest=0.05):
    "n boxes inside the photo, float32"
    side = 2 * rng.uniform(smallest, 0.98, (n, 1)) ** rng.uniform(0.9, 1.1, (n, 2))
    corner = rng.uniform(-1, 1 - side)
    return torch.from_numpy(np.concatenate([corner, corner + side], 1).astype(np.float32))

def photos_to_test_on(n=83):
    "An environment over photos with labels, further objects and cover"
    rng = np.random.default_rng(5)
    labels, second = rng.integers(0, 4, n), rng.integers(-1, 4, n)
    known = dict(labels=labels, second=second, present=(rng.random((n, 4)) < 0.3) | (labels[:, None] == np.arange(4)),
                 covered=np.maximum(rng.uniform(-0.5, 1, n), 0).astype(np.float32))
    bank = Smooth(random_boxes(rng, n), CLASSES, **{name: torch.from_numpy(values) for name, values in known.items()})
    return ViewEnv(bank, horizon=5, view_size=8)

def guesses(rng, labels, skill):
    "Probabilities (N, C) of a classifier that is right more often the more skill it has"
    logits = rng.normal(size=(len(labels), 4)) + skill * np.eye(4)[labels]
    return torch.from_numpy(logits).softmax(1)

def study(env, seeds=(0, 1, 2)):
    "The tables of photos, by name and seed, and the rows of a study"
    photos, rows, N = {}, [], len(env.bank)
    for k, name in enumerate(NAMES):
        for seed in seeds:
            rng = np.random.default_rng([k, seed])
            nearer = torch.from_numpy(rng.uniform(0, k / 10, (N, 1)).astype(np.float32))
            boxes = torch.lerp(torch.tensor([-1.0, -1, 1, 1]), env.bank.salient_boxes, nearer)
            whole, final = guesses(rng, env.bank.labels, 0.8), guesses(rng, env.bank.labels, 0.8 + k / 8)
            table = photos[name, seed] = photo_table(env, theta_from_window(boxes), whole, final)
            small = table.iou_before < 0.2
            actions = torch.from_numpy(rng.integers(0, 6, (N, 5))) if "iou" in name else None
            means = {column: 100 * table[column].mean() for column in MEANS}
            rows.append(means | dict(
                name=name, seed=seed, fingerprint="photos", data="synthetic", n_images=N, small_n=int(small.sum()),
                correct=to_hex(table.top1), both_correct=to_hex(table.top1_both_views),
                small_correct=to_hex(table.top1[small]), small_both_correct=to_hex(table.top1_both_views[small]),
                details=json.dumps(count_details(env, table, actions))))
    return photos, pd.DataFrame(rows)

def numbers(table):
    "The numbers in a table of texts, line by line"
    def read(cell): return [float(digits) for digits in re.findall(r"[+-]?\d+\.?\d*", str(cell).replace(",", ""))]
    return [sum(map(read, line), []) for line in table.to_numpy()]

def of_policies(env):
    "Where the policies without a network end, and how the windows of constant IoU lie"
    def windows(policy, **options): return window(final_windows(env, policy, **options)(torch.arange(6)))
    return dict(
        zooms=best_zooms(env), fitted=window(fitted_windows(env.bank.salient_boxes[:6])), baseline=windows("baseline"),
        center_zoom=windows("center_zoom", n_zooms=2), greedy_oracle=windows("greedy_oracle"),
        random=windows("random", rng=generator(0, "golden")), fitted_window=windows("fitted_window"),
        constant=window(constant_iou_windows(env.bank.salient_boxes[:6], 0.3, generator(0, "golden"))))

def of_results(photos):
    "The results of a run of each seed, as a table of rows and as the table of a comparison"
    def measured(seed):
        tables = {policy: photos[name, seed] for policy, name in POLICIES.items()}
        oracle = 100 * tables["greedy_oracle"].iou_after.mean()
        means = {policy: summarize(table, oracle, tables["baseline"]) for policy, table in tables.items()}
        return SimpleNamespace(policies=means, mixture={}, n_images=len(tables["agent"]), seed=seed)
    run = SimpleNamespace(config=CONFIG, provenance=defaultdict(str))
    results = make_results([run] * 3, [measured(seed) for seed in range(3)], "synthetic", "test")
    rows = result_rows(results)
    for means in results["policies"].values(): del means["per_seed"]  # which are the rows
    return {"mean over seeds": results["policies"], "rows": rows.loc[:, "top1":"small_top1"].to_dict("list"),
            "policy table": dict(numbers=numbers(policy_table(rows)))}

def evaluation():
    "Tables per photo, means, counts, intervals, tests, contrasts"
    env = photos_to_test_on()
    photos, rows = study(env)
    first, before = photos["discrete_iou", 0], photos["baseline", 0]
    counts = [{0: (30, 80), 1: (28, 75), 2: (41, 90)}, {0: (20, 60), 1: (9, 44), 2: (12, 70)}]
    wins = [np.random.default_rng(k).integers(-1, 2, 50) for k in range(3)]
    return {
        "photos": first.drop(columns="name").astype(float).to_dict("list"), "summary": summarize(first, 60.0, before),
        "counts": json.loads(rows.details[rows.name == "discrete_iou"].iloc[0]), "policies": of_policies(env),
        "bootstrap": {f"shared {yes}": np.percentile(bootstrap(wins, yes), [2.5, 50, 97.5]) for yes in (True, False)},
        "agent and baseline": compare(rows, "discrete_iou")._asdict(),
        "both views": compare(rows, "discrete_iou", "discrete_iou", "both_correct", "correct")._asdict(),
        "small objects": compare(rows, "combined", "random", "small_correct")._asdict(),
        "intervals": dict(t=interval([61.0, 63.5, 60.2]), wide=interval([1.0, 2.0], 0.99), one=interval([3.0])[0]),
        "contrast": {f"shared {yes}": contrast(counts, yes)._asdict() for yes in (True, False)},
        "texts": dict(wilson=[share_text(counts[1], yes) for yes in (True, False)], ratio=ratio_text(counts, True)),
        "tables": {table.__name__: dict(numbers=numbers(table(rows))) for table in (table1, table3, table4)},
        "actions": action_shares(rows).to_dict("list")} | of_results(photos)

def test_evaluation():
    check("evaluation", evaluation(), dict(numbers=0.11))
