# Made from classifier.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['augment', 'ViewLoader', 'classifier_loss', 'top1', 'fit_classifier', 'probabilities', 'mining_weight']
import torch
from fastai.learner import Learner
from torch import Tensor, nn
from .config import Config
from .env import ViewEnv
from dqsstn.learner import SharedLoader
from .policies import ThetaOf, whole_image

def augment(theta: Tensor, rng: torch.Generator, flip: bool=True, jitter: float=0.0) -> Tensor: ...

class ViewLoader(SharedLoader):

    def __init__(self, env: ViewEnv, theta_of: ThetaOf=whole_image, batch_size: int=64, rng: torch.Generator | None=None, flip: bool=True, jitter: float=0.0, whole_share: float=0.0, weight: Tensor | None=None, balanced: bool=False) -> None:
        self.env, self.theta_of, self.batch_size, self.rng = (env, theta_of, batch_size, rng)
        self.flip, self.jitter, self.whole_share = (flip, jitter, whole_share)
        self.weight, self.balanced = (weight, balanced)
        self.device, self.training = (env.device, rng is not None)
        self.generators = [*([rng] if rng else []), *getattr(theta_of, 'generators', ())]

    def __len__(self) -> int: ...

    def __iter__(self): ...

    def order(self) -> Tensor: ...

    def windows(self, index: Tensor) -> Tensor: ...

    def mix_and_augment(self, theta: Tensor) -> Tensor: ...

def classifier_loss(logits: Tensor, label: Tensor, weight: Tensor | None=None) -> Tensor: ...

def top1(logits: Tensor, label: Tensor, *_) -> Tensor: ...

def fit_classifier(net: nn.Module, env: ViewEnv, valid_env: ViewEnv, config: Config, epochs: int, theta_of: ThetaOf=whole_image, valid_theta_of: ThetaOf=whole_image, whole_share: float=0.0, purpose: str='pretraining', weight: Tensor | None=None, cbs: list | None=None) -> Learner: ...

@torch.no_grad()
def probabilities(net: nn.Module, env: ViewEnv, theta_of: ThetaOf=whole_image, batch_size: int=256) -> Tensor: ...

def mining_weight(kind: str, config: Config, env: ViewEnv, classifier: nn.Module | None) -> Tensor | None: ...
