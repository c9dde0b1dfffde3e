# Made from experiments.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['MACHINE', 'CLASSIFIER', 'NETWORK', 'AGENT', 'VIEWS', 'FINAL', 'LATER', 'SAVED_CLASSIFIERS', 'CLUTTER', 'MEANS', 'Tested', 'Job', 'key_of', 'base_key', 'agent_key', 'job_key', 'Lab', 'final_views', 'count_details', 'do_job', 'read_rows', 'missing_jobs', 'steps_of', 'check_study', 'outcome', 'run_jobs', 'q_learning', 'policy_jobs', 'reward_jobs', 'speed', 'seconds_of']
import dataclasses
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
import pandas as pd
from torch import Tensor, nn
from .config import PAPER_REWARDS, AgentConfig, Config, DataConfig
from .data import Items
from .env import ViewEnv
from .files import InputError, user_path

class Tested(NamedTuple):
    theta: Tensor
    p_whole: Tensor
    p_final: Tensor
    actions: Tensor | None = None

@dataclasses.dataclass(frozen=True)
class Job:
    name: str
    config: Config
    policy: str = 'agent'
    recipe: Callable | None = None
    level: float | None = None
    needs: tuple = ('base', 'agent')

    @property
    def seed(self) -> int: ...

def _fields(kind, without=()): ...
MACHINE = ('device', 'memory_limit_gb', 'cache_gb', 'feature_store', 'mixture')
CLASSIFIER = _fields(Config, without=_fields(AgentConfig))
NETWORK = ('arch', 'pretrained', 'weights', 'trained', 'dropout', 'optimizer', 'batch_size')
AGENT = _fields(AgentConfig, without=(*NETWORK, *_fields(DataConfig)))
VIEWS = ('horizon', 'actions', 'move_px', 'zoom_factor', 'overlap')
FINAL = ('classifier_training', 'classifier_epochs', 'whole_share', 'loss_weight', 'easy_weight')
LATER = dict(actions='paper', trained='everything', updates_per_step=1)

def key_of(config: Config, without: tuple=(), *others) -> str: ...

def base_key(config: Config) -> str: ...

def agent_key(config: Config) -> str: ...

def job_key(job: Job) -> str: ...

class Lab:

    def __init__(self, read: Callable, folder: str | Path, per_seed: bool=False, skip_bad: bool=False) -> None:
        self.read, self.folder, self.per_seed, self.skip_bad = (read, user_path(folder), per_seed, skip_bad)
        self.items_of, self.banks, self.fingerprints = ({}, {}, {})

    def items(self, split: str, seed: int) -> Items: ...

    def env(self, config: Config, split: str) -> ViewEnv: ...

    def fingerprint(self, seed: int) -> str: ...

    def path(self, kind: str, config: Config, key: str) -> Path: ...

    def check_apart(self, config: Config) -> None: ...

    def base(self, config: Config) -> nn.Module: ...

    def agent(self, config: Config) -> dict: ...

    def job(self, job: Job) -> dict: ...
SAVED_CLASSIFIERS = ('baseline', 'discrete_iou')

def final_views(lab: Lab, job: Job) -> Tested: ...
CLUTTER = 0.4

def count_details(env: ViewEnv, photos: pd.DataFrame, actions: Tensor | None=None) -> dict: ...
MEANS = ('top1', 'top2', 'any', 'top1_both_views', 'iou_before', 'iou_after')

def do_job(lab: Lab, job: Job) -> dict: ...

def read_rows(path: str | Path) -> pd.DataFrame: ...

def missing_jobs(jobs: list[Job], rows: pd.DataFrame, lab: Lab) -> list[Job]: ...

def steps_of(jobs: list[Job], lab: Lab) -> list[list[tuple]]: ...

def check_study(out: Path, config: Config, data: str) -> str: ...

def outcome(lab: Lab, method: str, argument: Config | Job) -> dict | InputError | None: ...

def run_jobs(jobs: list[Job], lab: Lab, csv: str | Path, workers: int=1, about: dict | None=None, progress: bool=False, engine: Callable | None=None) -> None: ...

def q_learning(config: Config) -> Config: ...

def policy_jobs(config: Config) -> list[Job]: ...

def reward_jobs(config: Config, rewards: tuple=PAPER_REWARDS) -> list[Job]: ...

def speed(config: Config) -> tuple[float, float]: ...

def seconds_of(method: str, argument: Config | Job, rates: tuple[float, float], n: dict) -> float: ...
