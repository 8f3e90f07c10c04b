"""What the loop drives: something that collects experience and learns from it.

`TorchLearner` is an algorithm over its source of batches. A backend that fuses both (`workbench.backends.native`) is
another learner with the same attributes, so that its checkpoints are the same.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workbench.data import Batch
from workbench.functional import episode_totals
from workbench.processes import ALONE, Processes
from workbench.spec import VectorEnvironment


@dataclass(frozen=True)
class Outcome:
    """What happened in the environment while experience was collected.

    Attributes:
        steps: Environment steps taken, all lanes together.
        returns, lengths: [E] float32 (undiscounted) and int32 (steps) of the E episodes that ended, in order of time.
    """

    steps: int
    returns: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int32]


class Learner(Protocol):
    """Collects and learns in turn.

    Attributes:
        algorithm: The hyperparameters, the networks and the optimiser.
        source: Where experience comes from; owns the environment.
        episodes: The episodes under way.
        backend: Its name, "native", "torch" or "asynchronous".
        processes: Who learns together.
        spent: Seconds so far by what they went to: "rollout" and "learn", and apart from these, where it is known, the
            policy's "forward" and the "environment".
    """

    algorithm: Any
    source: Any
    backend: str
    processes: Processes
    episodes: "EpisodeCounter"
    spent: dict[str, float]

    @property
    def fixed(self) -> Mapping[str, str]:
        """Hyperparameters that may not change here, each with what to do instead."""

    def prepare(self) -> None:
        """Compile what `collect` and `learn` run, if anything: that is no training time."""

    def collect(self) -> Outcome:
        """Take one round of steps in every lane."""

    def learn(self) -> dict[str, float]:
        """Learn from what was collected; return the means of what the updates logged, nothing if there were none."""

    def gradient_norms(self) -> dict[Tensor, float]:
        """Return the L2 norm of the newest update's gradient in each parameter, before it was scaled down to be short.

        There are none before the first update.
        """

    def evidence(self) -> dict[str, Tensor]:
        """Return what was learned from, or collected, for whoever examines a fault."""

    def hold(self) -> None:
        """Bring what runs on its own to a halt until the next `collect`, so that nothing changes meanwhile."""

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes, of random streams that `seed` starts anew unless it is None."""

    def close(self) -> None:
        """End what runs on its own."""


class EpisodeCounter:
    """Returns and lengths of the episodes under way, [B] float32 and int32."""

    saved = ("running_return", "running_length")

    def __init__(self, lanes: int) -> None:
        self.running_return = np.zeros(lanes, np.float32)
        self.running_length = np.zeros(lanes, np.int32)
        self._scratch: tuple[Any, Any] = (np.zeros((0, lanes), np.float32), np.zeros((0, lanes), np.int32))

    def count(self, reward: Tensor, ended: Tensor, active: Tensor) -> tuple[Any, Any]:
        """Take T further steps, [T, B] each; return the returns and lengths of the episodes that ended."""
        if len(self._scratch[0]) != len(reward) + 1:
            shape = (len(reward) + 1, len(self.running_return))
            self._scratch = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
        totals, lengths = self._scratch
        totals[0], lengths[0] = self.running_return, self.running_length
        finished = episode_totals(reward, ended, active, totals, lengths)
        self.running_return[:], self.running_length[:] = totals[0], lengths[0]
        return finished

    def forget(self) -> None:
        """Count no episode that is under way."""
        self.running_return[:] = 0
        self.running_length[:] = 0


class TorchLearner:
    """An algorithm and the source that it asks for.

    Args:
        algorithm: Set up for `env`.
        env: Where it acts.
        device: Where its tensors live.
        seed: Of the environment's lanes.
    """

    backend = "torch"
    processes = ALONE
    fixed: Mapping[str, str] = MappingProxyType({})

    def __init__(self, algorithm: Any, env: VectorEnvironment, device: torch.device, seed: int) -> None:
        self.algorithm = algorithm
        self.source = algorithm.source(env, device, seed)
        self.episodes = EpisodeCounter(env.lanes)
        self.spent = {**self.source.spent, "rollout": 0.0, "learn": 0.0}
        self._experience: Any = None
        self._batch: Batch | None = None

    def prepare(self) -> None:
        """Nothing is compiled beforehand."""

    def collect(self) -> Outcome:
        """Take one round of steps in every lane."""
        started, within = time.perf_counter(), sum(self.source.spent.values())
        self._batch = None
        self._experience = self.source.collect(self.algorithm.act)
        reward, ended, active = self.source.outcome()
        returns, lengths = self.episodes.count(reward, ended, active)
        within -= sum(self.source.spent.values())
        self.spent["rollout"] += time.perf_counter() - started + within
        self.spent |= self.source.spent
        return Outcome(int(active.sum()), returns, lengths)

    def learn(self) -> dict[str, float]:
        """Take the algorithm's updates on what was collected."""
        started = time.perf_counter()
        prepared = self.algorithm.prepare(self._experience)
        logs = []
        for batch in self.algorithm.batches(prepared):
            self._batch = prepared if isinstance(prepared, Batch) else batch
            logs.append(self.algorithm.update(batch))
        names = dict.fromkeys(name for log in logs for name in log)
        row = {name: float(torch.stack([log[name] for log in logs if name in log]).mean()) for name in names}
        self.spent["learn"] += time.perf_counter() - started
        return row

    def gradient_norms(self) -> dict[Tensor, float]:
        """Return the norms of what the newest update left in the parameters that the algorithm saves.

        An algorithm that scales its gradients says in `gradient_norm` what the norm of all was before.
        """
        saved = (getattr(self.algorithm, name) for name in self.algorithm.saved)
        networks = (each for each in saved if isinstance(each, torch.nn.Module))
        slopes = {x: x.grad for network in networks for x in network.parameters() if x.grad is not None}
        if not slopes:
            return {}
        norms = torch.stack([torch.linalg.vector_norm(x) for x in slopes.values()]).double()
        whole = getattr(self.algorithm, "gradient_norm", None)
        if whole is not None:
            norms *= whole / torch.linalg.vector_norm(norms).clamp(min=1e-30)
        return dict(zip(slopes, norms.tolist(), strict=True))

    def evidence(self) -> dict[str, Tensor]:
        """Return what was learned from: the whole rollout, or the newest batch; what was collected before that."""
        if self._batch is not None:
            return self._batch.fields
        names = ("reward", "ended", "active")
        newest = {"observation": torch.from_numpy(self.source.env.observation.copy())}
        return newest | dict(zip(names, self.source.outcome(), strict=True))

    def hold(self) -> None:
        """Nothing runs on its own."""

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes."""
        self.source.restart(seed)
        self.episodes.forget()

    def close(self) -> None:
        """Nothing runs on its own."""
