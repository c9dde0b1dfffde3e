# Made from sources.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['DataSource', 'CountedSource', 'with_source', 'source_name', 'sample_settings', 'source_of_run', 'read_items', 'read_photos', 'other_splits']
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
import typer
if TYPE_CHECKING:
    from dqsstn.data import Items
_KINDS = ('voc', 'coco', 'yolo', 'sample', 'boxes')
_ONLY_FOR = dict(images=('coco',), years=('voc', 'boxes'), classes=('voc',), no_difficult=('voc', 'boxes'), skip_bad=('voc', 'coco', 'yolo'), seed=('sample',), n_train=('sample',), n_test=('sample',))
_photos = partial(typer.Option, rich_help_panel='Which photos (one of --voc, --coco, --yolo, --sample)')

def _folder(text): ...

def _number(least, text): ...

def _flag(name, text): ...

@dataclass(frozen=True)
class DataSource:
    voc: Annotated[Path | None, _folder('PASCAL VOC: the folder that holds VOCdevkit, or an archive of it; or the folder of one year, or of your own photos in its layout. Default, where no photos are named: $DQSSTN_VOC.')] = None
    coco: Annotated[Path | None, _photos(metavar='JSON', help="COCO annotations; '{split}' in the name stands for the split.")] = None
    images: Annotated[Path | None, _folder("The photos of --coco; '{split}' as there.")] = None
    yolo: Annotated[Path | None, _folder('YOLO text files: the folder of the data set as a tool wrote it, or its data.yaml.')] = None
    sample: Annotated[bool, _flag('--sample', 'The built-in sample: handwritten digits on photos, made on the spot.')] = False
    years: Annotated[list[str] | None, _photos(metavar='LIST', help='Years of VOC. Default: 2007,2012.')] = None
    classes: Annotated[str | None, _photos(metavar='LIST|FILE', help='Your own classes for --voc, with commas between them, or a file with one a line.')] = None
    no_difficult: Annotated[bool, _flag('--no-difficult', 'Leave out objects that VOC flags as difficult.')] = False
    skip_bad: Annotated[bool, _flag('--skip-bad', 'Leave out broken photos and list them, instead of stopping.')] = False
    seed: Annotated[int | None, _number(0, 'Which sample. Default: 0, or that of the run.')] = None
    n_train: Annotated[int | None, _number(1, 'Training photos of the sample. Default: 2000.')] = None
    n_test: Annotated[int | None, _number(1, 'Test photos of the sample, split val. Default: 1000.')] = None

    def __post_init__(self) -> None: ...

    @property
    def year_names(self) -> list[str]: ...

    @property
    def named_kinds(self) -> list[str]: ...

    @property
    def kind(self) -> str: ...

@dataclass(frozen=True)
class CountedSource(DataSource):
    boxes: Annotated[Path | None, _photos(metavar='FILE', help='A JSON file of boxes without photos.')] = None

def with_source(command: Callable) -> Callable: ...

def source_name(source: DataSource) -> str: ...

def sample_settings(source: DataSource) -> dict: ...

def source_of_run(source: DataSource, provenance: dict) -> DataSource: ...

def read_items(source: DataSource, split: str, listed: int=20) -> 'Items': ...

def read_photos(source: DataSource, split: str) -> 'Items': ...

def other_splits(source: DataSource, items: 'Items', split: str) -> list['Items']: ...
