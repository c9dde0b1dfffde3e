# Made from features.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['HEADS', 'GRID', 'CHUNK', 'GPU_CHUNK', 'Layout', 'feature_layout', 'folded', 'Encoder', 'PooledHead', 'MapHead', 'create_head', 'on_grid', 'view_keys', 'FeatureCache', 'FeatureStore', 'FeatureEnv']
import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
import lmdb
import torch
from torch import Tensor, nn
from .backbones import Dueling
from .env import State, ViewEnv
from .files import user_path

class Layout(NamedTuple):
    pooled: int
    channels: int
    height: int
    width: int

    @property
    def size(self) -> int: ...

@cache
def feature_layout(arch: str, view_size: int) -> Layout: ...

def _splittable(net): ...

def folded(net: nn.Module, views: Tensor) -> nn.Module: ...

def _digest(net): ...

class Encoder(nn.Module):

    def __init__(self, net: nn.Module, layout: Layout, view_size: int, precision: str='fp32') -> None:
        net, self.layout, self.precision = (_splittable(net).eval(), layout, precision)
        self.digest = _digest(net)
        net = folded(net, torch.linspace(-2, 2, 3 * view_size ** 2).view(1, 3, view_size, view_size))
        self.net = net.requires_grad_(False).to(memory_format=torch.channels_last)

    def train(self, mode: bool=True) -> 'Encoder': ...

    def forward(self, views: Tensor) -> Tensor: ...

class PooledHead(nn.Module):

    def __init__(self, layout: Layout, n_out: int, dropout: float=0.0, dueling: bool=False) -> None:
        self.pooled = layout.pooled
        self.head = nn.Sequential(nn.Dropout(dropout), (Dueling if dueling else nn.Linear)(layout.pooled, n_out))

    def forward(self, features: Tensor) -> Tensor: ...

class MapHead(nn.Module):

    def __init__(self, layout: Layout, n_out: int, dropout: float=0.0, dueling: bool=False, channels: int=96, hidden: int=256) -> None:
        self.layout = layout
        grid = (min(layout.height, 7), min(layout.width, 7))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(grid) if grid != layout[2:] else nn.Identity(), nn.Conv2d(layout.channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels * grid[0] * grid[1], hidden), nn.ReLU(inplace=True), nn.Dropout(dropout), (Dueling if dueling else nn.Linear)(hidden, n_out))

    def forward(self, features: Tensor) -> Tensor: ...
HEADS = dict(classifier=PooledHead, q_net=MapHead)

def create_head(purpose: str, arch: str, view_size: int, n_out: int, dueling: bool=False, dropout: float=0.0) -> nn.Module: ...
GRID = 2.0 ** 16

def on_grid(theta: Tensor) -> Tensor: ...

def view_keys(digests: list[str], theta: Tensor) -> list[bytes]: ...

class FeatureCache:

    def __init__(self, width: int, limit_gb: float=4.0, store: Any=None) -> None:
        self.width, self.store, self.capacity = (width, store, int(limit_gb * 1000000000.0 / (2 * width)))
        memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
        self.rows = torch.empty(self.capacity, width, dtype=torch.bfloat16)
        self.slots = OrderedDict()
        self.hits = self.misses = 0

    def __len__(self) -> int: ...

    @property
    def hit_rate(self) -> float: ...

    def clear(self) -> None: ...

    def get(self, keys: list[bytes]) -> tuple[Tensor, list[int]]: ...

    def put(self, keys: list[bytes], rows: Tensor) -> None: ...

    def _keep(self, new) -> None: ...

class FeatureStore:

    def __init__(self, folder: str | Path, width: int, about: str, limit_gb: float=20.0) -> None:
        folder, self.width, self.full = (user_path(folder), width, False)
        self.name = f'{folder.parent} ({folder.name})'
        with self._refusing():
            if (folder / 'data.mdb').exists():
                lmdb.open(str(folder), readonly=True, lock=False).close()
            self.env = lmdb.open(str(folder), map_size=int(limit_gb * 1000000000.0), readahead=False, meminit=False, sync=False, metasync=False)
            with self.env.begin(write=True) as transaction:
                found = transaction.get(b'about')
                if found is None:
                    transaction.put(b'about', about.encode())

    @contextmanager
    def _refusing(self): ...

    def read(self, keys: list[bytes]) -> dict[bytes, Tensor]: ...

    def _row(self, value): ...

    def write(self, rows: dict[bytes, Tensor]) -> None: ...
CHUNK = 8
GPU_CHUNK = 64

class FeatureEnv(ViewEnv):

    def __init__(self, bank: Any, *args: Any, features: Callable) -> None:
        self.features = features

    def render(self, state: State) -> Tensor: ...

    def encode(self, encoder: Encoder, index: Tensor, theta: Tensor) -> Tensor: ...
