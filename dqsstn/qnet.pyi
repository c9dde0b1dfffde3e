# Made from qnet.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['q_target', 'td_loss', 'all_actions_loss', 'epsilon', 'epsilon_greedy', 'Transition', 'ReplayMemory', 'sync_target']
from typing import NamedTuple
import torch
from torch import Tensor, nn
from .env import State

def q_target(reward: Tensor, next_q: Tensor, gamma: float, done: Tensor, next_q_online: Tensor | None=None, bootstrap_at_horizon: bool=False) -> Tensor: ...

def td_loss(q: Tensor, action: Tensor, target: Tensor, weight: Tensor | None=None) -> Tensor: ...

def all_actions_loss(q: Tensor, rewards: Tensor) -> Tensor: ...

def epsilon(n: int, eps_end: float=0.05, decay: float=50000) -> float: ...

def epsilon_greedy(q: Tensor, eps: float, generator: torch.Generator) -> Tensor: ...

class Transition(NamedTuple):
    index: Tensor
    theta: Tensor
    action: Tensor
    reward: Tensor
    next_theta: Tensor
    done: Tensor

class ReplayMemory:

    def __init__(self, capacity: int, fingerprint: str='', device: str | torch.device='cpu') -> None:
        self.capacity, self.fingerprint, self.device = (int(capacity), fingerprint, torch.device(device))
        self.position = self.length = 0

        def rows(dtype, *shape):
            return torch.zeros(self.capacity, *shape, dtype=dtype, device=self.device)
        self.rows = Transition(index=rows(torch.int32), theta=rows(torch.float32, 2, 3), action=rows(torch.uint8), reward=rows(torch.float32), next_theta=rows(torch.float32, 2, 3), done=rows(torch.bool))

    def __len__(self) -> int: ...

    @property
    def nbytes(self) -> int: ...

    def add(self, state: State, action: Tensor, reward: Tensor, next_state: State, done: bool) -> None: ...

    def sample(self, n: int, generator: torch.Generator) -> Transition: ...

    def state_dict(self) -> dict: ...

    def load_state_dict(self, snapshot: dict) -> None: ...

def sync_target(target: nn.Module, online: nn.Module) -> None: ...
