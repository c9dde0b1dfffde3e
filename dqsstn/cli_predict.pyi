# Made from cli_predict.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['photos_named', 'run_of', 'Model', 'model_of', 'asked_in_parts', 'Answers', 'look_at_a_cat']
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple
import typer
from .console import JsonFile, app

def photos_named(paths: list[Path], recursive: bool=False) -> list[Path]: ...

def run_of(path: Path | None, device: str='auto') -> Any: ...

class Model(NamedTuple):
    ask: Callable
    digest: str
    config: Any
    provenance: dict

def model_of(path: Path | None) -> Model: ...

def asked_in_parts(model: Model, photos: list[Path], skip_bad: bool) -> Iterator[tuple[list[Path], list[dict], Callable]]: ...
_VIEWS = ('whole_image', 'final_view', 'average')
_COLUMNS = ['image', 'model', 'answer', 'label', 'probability', *(f'{view}_{key}' for view in _VIEWS for key in ('label', 'probability')), 'x1', 'y1', 'x2', 'y2', 'actions']

def _shown(name): ...

class Answers:

    def __init__(self, path: Path, model: str) -> None:
        self.path, self.model, self.as_csv = (path, model, path.suffix == '.csv')
        text = path.read_bytes().decode('utf-8', 'surrogateescape') if path.is_file() else ''
        whole = text[:self._end(text)]
        self.done, self.begun = ({_shown(row['image']) for row in self._rows(whole, text)}, bool(whole))

    def _end(self, text): ...

    def _rows(self, whole, text): ...

    def add(self, predictions: list[dict]) -> None: ...
_Paths = Annotated[list[Path], typer.Argument(metavar='[RUN] IMAGE...', help='A run folder or a file of `dqsstn export`, then photos in any format: files, folders, patterns, or text files with a path on each line. Without a run: the model that comes with dqsstn.')]
_Filmstrip = Annotated[Path | None, typer.Option(metavar='DIR', help='Draw the steps of each episode into this folder.')]
_Json = Annotated[Path | None, typer.Option('--json', metavar='FILE', help='Write the result as JSON; - for standard output. A name that ends in .jsonl: a line for each photo as it comes.')]
_Csv = Annotated[Path | None, typer.Option('--csv', metavar='FILE', help='Add a row for each photo as it comes.')]
_Recursive = Annotated[bool, typer.Option('--recursive', help='Also the photos in the folders of a folder.')]
_SkipBad = Annotated[bool, typer.Option('--skip-bad', help='Leave out photos that cannot be read, and list them.')]

def look_at_a_cat(out: Path) -> None: ...
