# Made from explore.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['photo_env', 'Seen', 'see', 'Explorer', 'Panel', 'explore']
from collections.abc import Callable
from typing import NamedTuple
import torch
from matplotlib.figure import Figure
from torch import Tensor
from .data import Items
from .env import ViewEnv, iou
from .files import import_extra
from .policies import agent_policy, play
from .runs import Run

def photo_env(run: Run, photos: Items | list) -> ViewEnv: ...

class Seen(NamedTuple):
    theta: Tensor
    q: Tensor
    p: Tensor
    iou: Tensor

@torch.no_grad()
def see(run: Run, env: ViewEnv, index: int, theta: Tensor) -> Seen: ...

class Explorer:

    def __init__(self, run: Run, photos: Items | list) -> None:
        self.run, self.env = (run, photo_env(run, photos))

    def choose(self, index: int) -> None:
        act = agent_policy(self.run.q_net, self.run.config.precision)
        self.index = index
        self.episode = play(self.env, torch.tensor([index], device=self.env.device), act)
        self.steps = see(self.run, self.env, index, self.episode.thetas[0])
        truth = int(self.env.bank.labels[index])
        self.label = truth if truth >= 0 else int(self.steps.p[-1].argmax())

    def go(self, t: int) -> None:
        self.t, self.by_hand = (min(max(t, 0), self.env.horizon), False)
        self.seen = Seen(*(values[self.t:self.t + 1] for values in self.steps))

    def place(self, x: float, y: float, side: float) -> None: ...

    def centre_and_side(self) -> tuple[float, float, float]: ...

    def says(self) -> str: ...

    def _draw_q(self, ax, q: Tensor) -> None: ...

    def _draw_classes(self, ax, most: int=12) -> None: ...

    def _draw_curves(self, ax) -> None: ...

    def figure(self) -> Figure: ...

    def png(self, dpi: int=80) -> bytes: ...

    def strip(self) -> Figure: ...

class Panel:

    def __init__(self, explorer: Explorer) -> None:
        w, = import_extra('explore', 'ipywidgets')
        self.explorer, self.busy, env = (explorer, False, explorer.env)
        T, names = (env.horizon, [(item.name, i) for i, item in enumerate(env.bank.items)])
        reach = max(1.0, T * float(env.actions.matrices[:, :2, 2].abs().max()))
        smallest = min(0.05, explorer.run.config.zoom_factor ** T)
        self.photo = w.Dropdown(options=names, value=explorer.index, description='photo')
        self.back = w.Button(description='back', icon='step-backward')
        self.next = w.Button(description='next', icon='step-forward')
        self.play, self.step = (w.Play(max=T, interval=700), w.IntSlider(max=T, description='step'))
        self.x = w.FloatSlider(min=-reach, max=reach, step=0.01, description='window x')
        self.y = w.FloatSlider(min=-reach, max=reach, step=0.01, description='window y')
        self.side = w.FloatSlider(min=smallest, max=1.25, step=0.01, value=1, description='side')
        self.says, self.picture = (w.Label(), w.Image(format='png'))
        rows = ([self.photo, self.back, self.next, self.play, self.step], [self.x, self.y, self.side])
        self.box = w.VBox([*map(w.HBox, rows), self.says, self.picture])

    def _repr_mimebundle_(self, **kwargs): ...

    def _listen(self) -> None: ...

    def do(self, change: Callable, *values) -> None: ...

    def show(self) -> None: ...

def explore(run: Run, photos: Items | list) -> Panel: ...
