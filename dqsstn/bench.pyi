# Made from bench.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['Case', 'GROUPS', 'PAPER_TRANSITIONS', 'RUN', 'Timing', 'seconds_of', 'repeated', 'interleave', 'ceiling', 'some_states', 'part_cases', 'TrainClock', 'loop_case', 'PixelLoop', 'pixel_case', 'sb3_model', 'sb3_case', 'sb3_bytes', 'FrozenLoop', 'variants', 'scalings', 'bench_cases', 'alternative_cases', 'has_sb3', 'bench', 'summary', 'bench_table', 'plot_bench', 'plot_scaling']
import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
import pandas as pd
import torch
from fastai.callback.core import Callback
from matplotlib.figure import Figure
from torch import Tensor
from .config import Config
from .data import ImageBank, Items
from .env import State, ViewEnv
from dqsstn.learner import TORCH_OPTIMIZERS, features_of, generator, make_env, new_net
Case = Callable[[], tuple[int, float]]

class Timing(NamedTuple):
    warmup: float
    rates: tuple[float, ...]

    @property
    def median(self) -> float: ...

def seconds_of(fn: Callable[[], object], device: torch.device, calls: int=1) -> float: ...

def repeated(fn: Callable[[], object], n: int, device: torch.device, seconds: float=0.3) -> Case: ...

def interleave(cases: dict[str, Case], repeats: int=5, progress: bool=False) -> dict[str, Timing]: ...

def ceiling(config: Config, env: ViewEnv, compile: bool=False, renders: bool=False) -> Case: ...

def some_states(config: Config, env: ViewEnv) -> State: ...

def part_cases(config: Config, env: ViewEnv, items: Items) -> dict[str, Case]: ...

class TrainClock(Callback):
    order = -100

    def before_train(self) -> None:
        self.start = time.perf_counter()

    def after_train(self) -> None:
        self.seconds = time.perf_counter() - self.start

    def wait(self) -> None: ...

def loop_case(config: Config, env: ViewEnv) -> Case: ...

class PixelLoop:

    def __init__(self, config: Config, env: ViewEnv, device: torch.device, episodes: int=1, capacity: int=5000) -> None:
        self.config, self.env, self.device, self.episodes, self.capacity = (config, env, device, episodes, capacity)
        self.q_net = new_net(config, env.n_actions, 'q_net', device)
        self.rng, self.made = (generator(config.seed, 'pixels', device), 0)
        self.target_net = copy.deepcopy(self.q_net).eval().requires_grad_(False)
        self.opt = TORCH_OPTIMIZERS[config.optimizer](self.q_net.parameters(), lr=config.lr)
        self.mean, self.std = (values.view(-1, 1, 1).to(device) for values in (env.mean, env.std))
        pixels = (capacity, 3, env.view_size, env.view_size)
        self.views, self.next_views = (torch.zeros(pixels, dtype=torch.uint8) for _ in range(2))
        self.action, self.reward = (torch.zeros(capacity, dtype=torch.long), torch.zeros(capacity))
        self.done = torch.zeros(capacity, dtype=torch.bool)

    @property
    def nbytes(self) -> int: ...

    def seen(self, pixels: Tensor) -> Tensor: ...

    def play(self, n: int) -> None: ...

    def update(self) -> None: ...

def pixel_case(loop: PixelLoop, n: int) -> Case: ...

def sb3_model(config: Config, env: ViewEnv, device: torch.device, n_envs: int=1, **settings) -> Any: ...

def sb3_case(model: Any, n: int) -> Case: ...

def sb3_bytes(model: Any) -> float: ...

class FrozenLoop:

    def __init__(self, config: Config, bank: ImageBank) -> None:
        config = replace(config, trained='head', pretrained=False, weights=None, feature_store=None)
        self.env, self.state = (make_env(bank, config), some_states(config, make_env(bank, config)))
        self.case, (self.encoder, self.cache) = (partial(loop_case, config, self.env), features_of(config))
        self.transitions = self.cache.hits = self.cache.misses = 0

    def __call__(self) -> tuple[int, float]: ...

    def about(self) -> dict[str, float]: ...

    def encoder_case(self) -> Case: ...
GROUPS = ('part', 'ceiling', 'loop', 'frozen', 'alternative', 'variant', 'scaling')

def variants(config: Config) -> dict[str, Config]: ...

def scalings(config: Config) -> dict[str, Config | int]: ...

def bench_cases(config: Config, device: torch.device, alternatives: bool=True, more: bool=False) -> tuple[dict[tuple[str, str], Case], dict[str, float]]: ...

def alternative_cases(config: Config, host: ViewEnv, device: torch.device) -> tuple[dict[tuple[str, str], Case], dict[str, float]]: ...

def has_sb3() -> bool: ...

def bench(config: Config, repeats: int=20, alternatives: bool=True, more: bool=False, progress: bool=False) -> pd.DataFrame: ...
PAPER_TRANSITIONS = 8218 * 10 * 50

def summary(rows: pd.DataFrame) -> dict: ...
_MACHINE = ('device', 'threads', 'arch', 'view_size', 'batch_size', 'precision', 'compile', 'torch', 'version', 'commit')
RUN = ['device', 'threads', 'arch', 'view_size', 'batch_size', 'precision', 'compile']

def bench_table(rows: pd.DataFrame) -> pd.DataFrame: ...
_SHOWN = {'loop_tps': 'whole loop, transitions/s', 'ceiling_tps': 'ceiling, transitions/s', 'ceiling_share': 'share of the ceiling', 'ceiling_with_renders_share': 'share of the ceiling with renders', 'times_sb3_matched': 'times stable-baselines3, matched', 'times_sb3': 'times stable-baselines3, defaults', 'times_naive': 'times one photo at a time, pixels', 'times_pixel_batch': 'times the same batches, pixels', 'gym_step_renders': 'step of the Gymnasium environment, bare renderings', 'frozen_tps': 'frozen backbone, transitions/s', 'frozen_share': 'share of the encoder alone', 'frozen_hit_rate': 'share of views found in the cache', 'frozen_view_bytes': 'bytes of a view in the cache', 'bytes_per_transition': 'bytes of a transition', 'sb3_bytes_per_transition': "bytes in stable-baselines3's memory"}

def plot_bench(rows: pd.DataFrame) -> Figure: ...

def plot_scaling(rows: pd.DataFrame) -> Figure: ...
