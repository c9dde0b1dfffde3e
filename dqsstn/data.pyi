# Made from data.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['MAX_PIXELS', 'PHOTO_SUFFIXES', 'Photo', 'MEND', 'load_photo', 'box_area', 'Item', 'Items', 'is_held_out', 'holdout', 'read_split', 'photo_size', 'upright_size', 'has_area', 'item_of', 'make_item', 'duplicates', 'collect_items', 'describe', 'square_source', 'ImageBank', 'bank_from_photos']
import contextlib
import hashlib
import json
import math
import os
import sys
import threading
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable
import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm
MAX_PIXELS = 89478485
PHOTO_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif', '.mpo', '.png', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.avif', '.heic', '.heif')
_FORMATS = ('JPEG', 'PNG', 'BMP', 'GIF', 'TIFF', 'WEBP')
_HEIC = {b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1'}

class _Quiet:

    def __init__(self) -> None:
        self.lock, self.inside, self.filters = (threading.Lock(), 0, contextlib.ExitStack())

    def __enter__(self) -> None: ...

    def __exit__(self, *error) -> None: ...
_quiet = _Quiet()
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
Photo = str | os.PathLike | bytes | Image.Image | np.ndarray

def load_photo(photo: Photo) -> Image.Image: ...

def box_area(box: Sequence[float]) -> float: ...

@dataclass(frozen=True)
class Item:
    name: str
    path: Path | Image.Image
    size: tuple[int, int]
    boxes: tuple = ()
    labels: tuple[int, ...] = ()
    difficult: tuple[bool, ...] = ()
    repeated: int = 0

    @property
    def salient_box(self) -> tuple: ...

    @property
    def salient_label(self) -> int: ...

    @property
    def second_label(self) -> int: ...

    @property
    def present(self) -> tuple[int, ...]: ...

    @property
    def initial_iou(self) -> float: ...

    @property
    def covered(self) -> float: ...

@dataclass(frozen=True)
class Items(Sequence[Item]):
    items: tuple[Item, ...]
    classes: tuple[str, ...]
    name: str = ''
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int: ...

    def __getitem__(self, i) -> Any: ...

    def __repr__(self) -> str: ...

def is_held_out(name: str, pct: int=15) -> bool: ...

def holdout(items: Items, pct: int=15) -> tuple[Items, Items]: ...

def read_split(read: Callable[[str], Items], split: str, own: Collection[str]=()) -> Items: ...
MEND = 'mend it, or leave the photo out (skip_bad)'

def photo_size(path: str | Path) -> tuple[tuple[int, int], int]: ...

def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]: ...

def has_area(box: Sequence[float], least: float=0.001) -> bool: ...

def item_of(name: str, path: str | Path, size: tuple[int, int], objects: list) -> Item: ...

def make_item(name: str, path: str | Path, size: tuple | None, objects: list, source: object) -> Item: ...

def duplicates(values: Iterable) -> list: ...

def collect_items(entries: list[tuple], make: Callable[[str, Any], Item], classes: Iterable[str], name: str, skip_bad: bool, source: object, notes: Sequence[str]=()) -> Items: ...

def describe(items: Items) -> dict: ...

def square_source(photo: Image.Image, size: int=224, resize: str='squash') -> tuple[np.ndarray, np.ndarray]: ...

def _to_source(boxes, to_source): ...

class ImageBank:

    def __init__(self, items: Items, source_size: int=224, resize: str='squash', device: str | torch.device='cpu', workers: int=2, memory_limit: int | None=None, skip_bad: bool=False, progress: bool=False) -> None:
        split = f'split {items.name!r}'
        self.source_size, self.resize, self.workers, self.device = (source_size, resize, workers, torch.device(device))
        shape = (len(items), 3, source_size, source_size)
        self.streaming = memory_limit is not None and math.prod(shape) > memory_limit
        self.photos = None if self.streaming else torch.empty(shape, dtype=torch.uint8)
        maps, bad = self._decode_all(items, skip_bad, progress)
        if bad and (not self.streaming):
            self.photos = self.photos[list(maps)]
        for name, why in bad.items():
            tqdm.write(f'  {name}: {why}', sys.stderr)

    def __len__(self) -> int: ...

    def __repr__(self) -> str: ...

    def _decode(self, item, skip_bad=False): ...

    def _decode_all(self, items, skip_bad, progress):
        maps, digests, bad = ({}, [], {})
        with ThreadPoolExecutor(self.workers) as pool, tqdm(total=len(items), desc='decoding', disable=not progress) as bar:
            for i, (source, found) in enumerate(pool.map(lambda item: self._decode(item, skip_bad), items)):
                bar.update()
                if source is None:
                    bad[items[i].name] = found
                    continue
                maps[i] = found
                digests.append(hashlib.blake2b(source, digest_size=8).hexdigest())
                if not self.streaming:
                    self.photos[i] = torch.from_numpy(source)
        self.digests = tuple(digests)

    def _annotate(self, items: Items, maps: list) -> None:
        self.items, self.classes, self.skipped = (items, items.classes, items.skipped)
        salient_boxes = [_to_source(i.salient_box, m) for i, m in zip(items, maps)]
        self.salient_boxes = torch.from_numpy(np.concatenate(salient_boxes))
        self.labels = torch.tensor([i.salient_label for i in items])
        self.second = torch.tensor([i.second_label for i in items])
        self.present = torch.zeros((len(items), len(items.classes)), dtype=torch.bool)
        for row, i in zip(self.present, items):
            row[list(i.present)] = True
        self.initial_iou = (self.salient_boxes[:, 2:] - self.salient_boxes[:, :2]).prod(1) / 4
        covered = [i.covered if i.boxes else math.nan for i in items]
        self.covered = torch.tensor(covered, dtype=torch.float32)
        contents = ([(i.name, i.boxes, i.labels) for i in items], items.classes, self.source_size, self.resize)
        self.fingerprint = hashlib.sha256(json.dumps(contents).encode()).hexdigest()

    def to(self, device: str | torch.device) -> ImageBank: ...

    def gather(self, index: torch.Tensor) -> torch.Tensor: ...

def bank_from_photos(photos: Sequence[Photo], source_size: int=224, resize: str='squash', device: str | torch.device='cpu') -> ImageBank: ...
