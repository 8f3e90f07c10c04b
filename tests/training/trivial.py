"""The least that trains: an algorithm that learns nothing from an environment that does nothing, very quickly."""

import torch

import workbench as wb
from workbench.data import Batch
from workbench.hyperparameters import configurable, hyperparameter

LANES = 2


class TrivialSource:
    """Pays what the algorithm's number says, and ends every episode at once."""

    saved = ("collected",)
    spent: dict[str, float] = {}  # noqa: RUF012

    def __init__(self, env, algorithm):
        self.env, self.algorithm, self.collected = env, algorithm, 0
        self._flags = torch.ones(1, LANES, dtype=torch.bool)

    def restart(self, seed=None):
        pass

    def collect(self, act):
        self.collected += 1
        return self

    def outcome(self):
        return torch.full((1, LANES), float(self.algorithm.returns(self.collected))), self._flags, self._flags


@configurable
class Trivial:
    """Has a number, a generator and a live hyperparameter; logs a loss."""

    learning_rate: float = hyperparameter(0.1, low=0.0, high=1.0, live=True, help="of nothing")

    saved = ("weight", "generator")
    clock = (0, 1)

    def setup(self, spec, device, seeds):
        self.weight = torch.zeros(1)
        self.generator = torch.Generator().manual_seed(seeds["actions"])
        self.returns = lambda collected: 1.0
        self.loss = lambda collected: 0.5

    def source(self, env, device, seed):
        self.own = TrivialSource(env, self)
        return self.own

    def act(self, observation, carry, mode, mask=None, first=None):
        return torch.zeros(len(observation), dtype=torch.int64), carry, {}

    def prepare(self, experience):
        return experience

    def batches(self, experience):
        return [Batch(reward=torch.ones(1, LANES))]

    def update(self, batch):
        self.weight += self.learning_rate * torch.rand(1, generator=self.generator)
        return {"policy_loss": torch.tensor(self.loss(self.own.collected))}


def trainer(run_dir, algorithm=None, **settings):
    """Build a trainer of it; an iteration is `LANES` steps."""
    env = wb.make("CartPole-v1", LANES)
    return wb.Trainer(env, Trivial() if algorithm is None else algorithm, run_dir=run_dir, **settings)
