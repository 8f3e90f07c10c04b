"""On-policy batches: T steps of B lanes into buffers allocated once. O: observation components, N = T * B."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.errors import EnvironmentFaultError
from workbench.spec import VectorEnvironment

Act = Callable[[Tensor, Any, str], tuple[Tensor, Any, dict[str, Tensor]]]


class Batch:
    """Named tensors that share their leading dimensions; a field is read as an attribute."""

    def __init__(self, **fields: Tensor) -> None:
        self.fields = fields

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self.__dict__["fields"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"a batch of {', '.join(self.__dict__.get('fields', ()))} has no {name!r}") from None

    def minibatches(self, names: tuple[str, ...], size: int, generator: torch.Generator) -> Iterator["Batch"]:
        """Yield the named [T, B, ...] fields in random disjoint minibatches of `size` transitions, the last a rest."""
        flat = {name: self.fields[name].flatten(0, 1) for name in names}
        order = torch.randperm(next(iter(flat.values())).shape[0], generator=generator)
        for rows in order.split(size):
            yield Batch(**{name: x.index_select(0, rows.to(x.device)) for name, x in flat.items()})


class RolloutSource:
    """Steps an environment with a policy and keeps what happened.

    Args:
        env: Reset here with `seed`.
        horizon: T, steps per lane a rollout.
        device: Where the tensors live.
        seed: Of the environment's lanes.
    """

    saved = ("env", "collected")

    def __init__(self, env: VectorEnvironment, horizon: int, device: torch.device, seed: int) -> None:
        self.env = env
        self.horizon = horizon
        self.device = device
        self.collected = 0
        self._carry: Any = None
        self._fields: dict[str, Tensor] = {}
        shape = (horizon, env.lanes)
        self._host = {
            "reward": torch.empty(shape, dtype=torch.float32),
            "terminated": torch.empty(shape, dtype=torch.bool),
            "truncated": torch.empty(shape, dtype=torch.bool),
        }
        env.reset(seed=seed)
        self._views = {name: torch.from_numpy(getattr(env, name)) for name in self._host}
        self._observation = torch.from_numpy(env.observation)
        self._final = torch.from_numpy(env.final_observation)
        components = env.observation.shape[1]
        self._fields["observation"] = torch.empty((*shape, components), device=device)

    @torch.inference_mode()
    def collect(self, act: Act) -> Batch:
        """Take `horizon` steps in every lane.

        Returns:
            A batch whose tensors are overwritten by the next call: `observation` [T, B, O], `action`, `reward`,
            `terminated`, `truncated` and whatever `act` adds, all [T, B]; `last_observation` [B, O] to bootstrap from;
            and, of the episodes that were truncated but not terminated, `final_index` [K] int64 (t * B + lane) and
            `final_observation` [K, O].

        Raises:
            EnvironmentFaultError: If an observation or a reward is not a number; it names the lane and the step.
        """
        env, observations = self.env, self._fields["observation"]
        final_index: list[Tensor] = []
        final_observation: list[Tensor] = []
        for t in range(self.horizon):
            observation = observations[t].copy_(self._observation)
            action, self._carry, extras = act(observation, self._carry, "sample")
            env.step(action.cpu().numpy())
            for name, x in {"action": action, **extras}.items():
                self._row(name, x)[t].copy_(x)
            for name, view in self._views.items():
                self._host[name][t].copy_(view)
            if env.truncated.any():
                lanes = torch.from_numpy(np.flatnonzero(env.truncated & ~env.terminated))
                final_index.append(lanes + t * env.lanes)
                final_observation.append(self._final[lanes].float())
        self._check(observations)
        self.collected += self.horizon
        fields = {**self._fields, **{name: x.to(self.device) for name, x in self._host.items()}}
        empty = torch.empty((0, observations.shape[-1]))
        return Batch(
            **fields,
            last_observation=self._observation.to(self.device, torch.float32, copy=True),
            final_index=torch.cat([torch.empty(0, dtype=torch.int64), *final_index]).to(self.device),
            final_observation=torch.cat([empty, *final_observation]).to(self.device),
        )

    def _row(self, name: str, x: Tensor) -> Tensor:
        if name not in self._fields:
            self._fields[name] = torch.empty((self.horizon, *x.shape), dtype=x.dtype, device=self.device)
        return self._fields[name]

    def _check(self, observations: Tensor) -> None:
        """Look for numbers that are none, once a rollout: a sum is not finite if any of its terms is not."""
        for what, x in (("observation", observations), ("reward", self._host["reward"])):
            if not torch.isfinite(x.sum()) and not torch.isfinite(x).all():
                t, lane = (~torch.isfinite(x)).nonzero()[0, :2].tolist()
                raise EnvironmentFaultError(
                    f"{what} of lane {lane} is {x[t, lane].tolist()} at step {self.collected + t} of {self.env.id!r}; "
                    f"mend the environment: every {what} must be finite."
                )
