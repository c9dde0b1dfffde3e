# Made from train.py by scripts/stubs.py, which `make export` runs: do not edit.
__all__ = ['EpisodeLoader', 'TDLoss', 'EpsilonDecay', 'TargetSync', 'EpisodeIoU', 'agent_learner', 'fit_agent', 'JointClassifier']
import copy
from fastai.callback.core import Callback
from fastai.learner import Learner, Metric
from torch import Tensor, nn
from .classifier import ViewLoader
from .config import Config
from .env import State, ViewEnv
from dqsstn.learner import TORCH_OPTIMIZERS, SharedLoader, compiled, generator
from dqsstn.qnet import ReplayMemory
from .rewards import Measurement, Reward

class EpisodeLoader(SharedLoader):

    def __init__(self, env: ViewEnv, q_net: nn.Module, reward: Reward, config: Config, training: bool=True, classifier: nn.Module | None=None, reward_weight: Tensor | None=None) -> None:
        self.env, self.q_net, self.reward, self.config, self.training = (env, q_net, reward, config, training)
        self.classifier, self.reward_weight, self.device = (classifier, reward_weight, env.device)
        self.memory = ReplayMemory(config.capacity, env.bank.fingerprint, env.device) if training else None
        self.order = generator(config.seed, 'episode order')
        self.explore, self.replay = (generator(config.seed, name, env.device) for name in ('exploration', 'replay'))
        self.generators = [self.order, self.explore, self.replay]
        self.epsilon, self.n_transitions, self.latest, self.finished = (0.0, 0, None, None)
        self.n_updates = config.updates_per_step if training else 1

    def __len__(self) -> int: ...

    def starts(self) -> tuple[Tensor, Tensor]: ...

    def __iter__(self): ...

    def play_step(self, state: State, view: Tensor, before: Measurement) -> tuple[State, Tensor | None, Measurement]: ...

    def batch(self) -> tuple[Tensor, ...]: ...

    @property
    def resumable(self) -> bool: ...

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> None: ...

class TDLoss:

    def __init__(self, q_net: nn.Module, config: Config) -> None:
        self.q_net, self.config = (q_net, config)
        self.target_net = compiled(copy.deepcopy(q_net).eval().requires_grad_(False), config)

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state) -> None: ...

    def __call__(self, q, action, reward, next_views, done): ...

class EpsilonDecay(Callback):

    def set(self) -> None: ...

    def before_fit(self) -> None: ...

    def after_batch(self) -> None: ...

class TargetSync(Callback):

    def __init__(self, target_net: nn.Module, every: int) -> None:
        self.target_net, self.every, self.n_updates = (target_net, every, 0)

    def after_step(self) -> None: ...

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state) -> None: ...

class EpisodeIoU(Metric):

    def __init__(self, before: bool=False) -> None:
        self.before = before

    def reset(self) -> None:
        self.ious = []

    def accumulate(self, learn) -> None: ...

    @property
    def value(self) -> float | None: ...

    @property
    def name(self) -> str: ...

def agent_learner(config: Config, env: ViewEnv, valid_env: ViewEnv, classifier: nn.Module | None=None, cbs: list | None=None) -> Learner: ...

def fit_agent(learn: Learner, config: Config) -> Learner: ...

class JointClassifier(Callback):

    def __init__(self, classifier: nn.Module, config: Config, weight: Tensor | None=None) -> None:
        self.classifier, self.config, self.weight = (classifier, config, weight)
        self.n_updates, self.latest_loss = (0, None)
        self.opt = TORCH_OPTIMIZERS[config.optimizer](classifier.parameters(), lr=config.classifier_lr)

    def before_fit(self) -> None:
        c, rng = (self.config, generator(self.config.seed, 'joint classifier'))
        self.views = ViewLoader(self.dls.train.env, rng=rng, flip=c.flip, jitter=c.jitter, whole_share=c.whole_share)

    def after_batch(self) -> None: ...

    def after_train(self) -> None: ...

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state) -> None: ...

    def update(self, env: ViewEnv, index: Tensor, theta: Tensor) -> None: ...
