# Made from checkpoint.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['before', 'plain', 'write_checkpoint', 'read_checkpoint', 'check_identity', 'Interrupts', 'Resumable', 'ResumableLoader', 'all_finite', 'Checkpoints', 'metrics_of']
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from filelock import FileLock
from torch import nn
from .files import flush, plan_file, user_path

def before(path: Path) -> Path: ...

def plain(value: Any) -> Any: ...

def write_checkpoint(state: dict, path: Path) -> None: ...

def read_checkpoint(path: Path) -> dict | None: ...

def check_identity(found: dict, own: dict, path: Path) -> None: ...

class Interrupts:
    wanted = False

    def __enter__(self) -> 'Interrupts':
        self.handlers = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) in (signal.SIG_IGN, None):
                    continue
                self.handlers[number] = signal.signal(number, self.note)

    def note(self, *_) -> None:
        self.wanted = True

    def __exit__(self, kind, *_) -> None: ...

class Resumable(Callback):
    order = 95

    def __init__(self, path: Path, identity: dict, every: float=60.0, stop: Interrupts | None=None) -> None:
        self.path, self.identity, self.every, self.stop = (path, identity, every, stop)
        self.skipped, self.share = (0, None)

    def before_fit(self) -> None:
        state, self.latest = (read_checkpoint(self.path), time.monotonic())

    def before_epoch(self) -> None: ...

    def before_train(self) -> None: ...

    def after_batch(self) -> None: ...

    def after_epoch(self) -> None: ...

    def parts(self) -> dict: ...

    def save_if_due(self, epoch: int) -> None: ...

    def state(self, epoch: int) -> dict: ...

    def restore(self, state: dict) -> None: ...

    def restore_recorder(self, saved: dict) -> None: ...

class ResumableLoader:
    drawn, position, n_parts, resumed, generators = ((), 0, 0, None, ())

    def parts_of_epoch(self, draw: Callable, size: int) -> Iterator[tuple[torch.Tensor, ...]]:
        self.drawn, done = self.resumed or (draw(), 0)
        self.resumed = None
        parts = list(zip(*(rows.to(self.device).split(size) for rows in self.drawn)))
        self.n_parts = len(parts)
        for self.position, part in enumerate(parts[done:], done + 1):
            yield part

    @property
    def resumable(self) -> bool: ...

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state) -> None: ...

def all_finite(state: Any) -> bool: ...

class Checkpoints:

    def __init__(self, folder: str | Path, every: float=60.0, about: str | None='{}') -> None:
        self.folder, self.every, self.about = (user_path(folder), every, about)
        self.lock = FileLock(self.folder / 'lock')
        self.plan = plan_file(self.folder.parent)

    def path(self, name: str) -> Path: ...

    def release(self) -> None: ...

    def take(self) -> None: ...

    def begin(self, identity: dict) -> None:
        self.identity = identity
        for folder in (self.folder.parent, self.folder.parent.parent):
            flush(folder)

    def finish(self, keep: Path | None=None) -> None: ...

    def read_trained(self, name: str, nets: dict[str, nn.Module]) -> pd.DataFrame | None: ...

    def write_trained(self, name: str, nets: dict[str, nn.Module], metrics: pd.DataFrame) -> None: ...

    def train(self, name: str, nets: dict[str, nn.Module], fit: Callable[[list], Learner]) -> pd.DataFrame: ...

def metrics_of(learn: Learner) -> pd.DataFrame: ...
