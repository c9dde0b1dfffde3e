# Made from gym.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['iou_direction', 'ViewGym', 'sample_gym', 'gym_reward', 'photos_gym', 'sb3_policy']
from collections.abc import Callable
from pathlib import Path
from typing import Any
import gymnasium
import numpy as np
import torch
from torch import Tensor, nn
from .config import Config
from .data import Items
from .env import State, ViewEnv
from .files import InputError
from .policies import PolicyFn
from .rewards import Reward

def iou_direction(env: ViewEnv, before: State, after: State) -> Tensor: ...

class ViewGym(gymnasium.Env):
    metadata = {'render_modes': ['rgb_array'], 'render_fps': 4}

    def __init__(self, env: ViewEnv, reward: Callable[[ViewEnv, State, State], Tensor] | None=None, render_mode: str | None=None) -> None:
        if render_mode not in (None, *self.metadata['render_modes']):
            remedy = 'choose rgb_array; gymnasium.make also takes human and rgb_array_list'
            raise InputError(f'render_mode={render_mode!r}: unknown; {remedy}')
        self.env, self.reward, self.render_mode, self.state = (env, reward, render_mode, None)
        self.observation_space = gymnasium.spaces.Box(0, 255, (3, env.view_size, env.view_size), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(env.n_actions)

    @torch.inference_mode()
    def reset(self, *, seed: int | None=None, options: dict | None=None) -> tuple[np.ndarray, dict]:
        index, flip = self._start(int(self.np_random.integers(len(self.env.bank))), options or {})
        self.name = self.env.bank.items[index].name

    @torch.inference_mode()
    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]: ...

    def render(self) -> np.ndarray | None: ...

    def _start(self, drawn, options): ...

    def _check(self, action) -> None: ...

    def _go_to(self, state) -> None:
        self.state = state
        self.iou = float(self.env.iou(state))

    def _observation(self): ...

    def _info(self): ...

def sample_gym(split: str='train', seed: int=0, view_size: int=64, n_images: int=200, horizon: int=10, render_mode: str | None=None) -> ViewGym: ...
sample_gym.metadata = ViewGym.metadata

def gym_reward(reward: Reward, classifier: nn.Module | None=None) -> Callable[[ViewEnv, State, State], Tensor]: ...

def photos_gym(items: Items, config: str | Path | Config='demo', run: str | Path | None=None, render_mode: str | None=None, **settings) -> ViewGym: ...
photos_gym.metadata = ViewGym.metadata

def sb3_policy(model: Any) -> PolicyFn: ...
