# Made from scale.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['share_of', 'process_of', 'average_gradients', 'send_weights', 'sum_of_all', 'ShareBatches', 'shared_training', 'JointCheckpoints', 'joined', 'code_version', 'do_step', 'weights_for', 'on_ray']
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from torch import Tensor, distributed, nn
from .checkpoint import Checkpoints
from .config import Config
from .experiments import Job, Lab
from .train import EpisodeIoU

def share_of(n: int, rank: int, n_ranks: int) -> float: ...

def process_of(device: str='auto') -> Any: ...

def average_gradients(net: nn.Module, share: float=1.0) -> None: ...

def send_weights(net: nn.Module) -> None: ...

def sum_of_all(value: Tensor) -> Tensor: ...

class ShareBatches(Callback):
    order = 10

    def __init__(self, state: Any) -> None:
        self.rank, self.n_ranks = (state.process_index, state.num_processes)

    def before_fit(self) -> None: ...

    def after_loss(self) -> None: ...

    def before_validate(self) -> None:
        self.wrapped, self.learn.model = (self.model, self.model.module)

    def after_validate(self) -> None: ...

    def _share_classifier(self, joint): ...

def shared_training(state: Any) -> list: ...

class JointCheckpoints(Checkpoints):

    def __init__(self, folder: str | Path, state: Any, about: str | None='{}') -> None:
        self.state, self.first = (state, state.is_main_process)

    def take(self) -> None: ...

    def begin(self, identity) -> None:
        self.identity = identity | dict(processes=self.state.num_processes)

    def train(self, name: str, nets: dict[str, nn.Module], fit: Callable[[list], Learner]) -> pd.DataFrame: ...

@contextmanager
def joined(state: Any) -> Iterator[None]: ...
_LABS = {}

def code_version() -> tuple[str, str]: ...

def do_step(study: str, code: tuple[str, str], lab: Lab, weights: dict[str, bytes], method: str, argument: Config | Job) -> tuple: ...

def weights_for(lab: Lab, method: str, argument: Config | Job) -> list[Path]: ...

@contextmanager
def on_ray(lab: Lab, address: str | None=None, workers: int | None=None, gpu: float=0.0) -> Iterator[Callable]: ...
