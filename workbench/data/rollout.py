"""On-policy batches: T steps of B lanes into buffers allocated once. R: components of an observation, N = T * B."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.errors import NotFiniteError
from workbench.spec import VectorEnvironment

Act = Callable[..., tuple[Tensor, Any, dict[str, Tensor]]]

KEPT = ("observation", "reward", "terminated", "truncated", "active", "action_mask")


class Batch:
    """Named tensors that share their leading dimensions; a field is read as an attribute."""

    def __init__(self, **fields: Tensor) -> None:
        self.fields = fields

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self.__dict__["fields"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"a batch of {', '.join(self.__dict__.get('fields', ()))} has no {name!r}") from None


class RolloutSource:
    """Steps an environment with a policy and keeps what happened.

    Frame t holds what to act on at step t, and what the step before it brought. An environment that shares its memory
    writes its frames itself; of others they are copied.

    Args:
        env: Reset here with `seed`.
        horizon: T, steps per lane a rollout.
        device: Where the tensors live.
        seed: Of the environment's lanes.

    Attributes:
        collected: Steps per lane so far.
        spent: Seconds so far in the policy, and in the environment.
    """

    saved = ("env", "collected", "carry", "first")

    def __init__(self, env: VectorEnvironment, horizon: int, device: torch.device, seed: int) -> None:
        self.env = env
        self.horizon = horizon
        self.device = device
        self.collected = 0
        self.spent = {"forward": 0.0, "environment": 0.0}
        self.carry: Any = None
        self.first = torch.ones(env.lanes, dtype=torch.bool, device=device)
        self._fields: dict[str, Tensor] = {}
        shared = env.share(horizon + 1)
        env.reset(seed=seed)
        self._shared = shared is not None
        self._frames = {name: self._allocated(name, shared) for name in KEPT if getattr(env, name) is not None}

    def _allocated(self, name: str, shared: Any) -> Tensor:
        if shared is not None:
            return torch.from_numpy(getattr(shared, name))
        like = torch.from_numpy(getattr(self.env, name))
        return torch.empty((self.horizon + 1, *like.shape), dtype=like.dtype)

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes, of random streams that `seed` starts anew unless it is None."""
        self.env.reset(seed=seed)
        self.carry = None
        self.first.fill_(True)

    def _keep(self, t: int, names: tuple[str, ...] = KEPT) -> None:
        if not self._shared:
            for name in names:
                if name in self._frames:
                    self._frames[name][t].copy_(torch.from_numpy(getattr(self.env, name)))

    @torch.inference_mode()
    def collect(self, act: Act) -> Batch:
        """Take `horizon` steps in every lane.

        Returns:
            A batch whose tensors are overwritten by the next call: `observation` [T, B, R], `action`, `reward`,
            `terminated`, `truncated` and whatever `act` adds (an `action` among it is kept in the place of the one the
            environment got), all [T, B]; `last_observation` [B, R] to bootstrap from. Of an algorithm with a carry also
            `carry` [T, B, C] before each step, `first` [T, B], whether an episode began with the step, so that the
            carry counts as zero, and `last_carry` [B, C] to bootstrap with. And, of the episodes that were truncated
            but not terminated, `final_index` [K] int64 (t * B + lane) and `final_observation` [K, R]. Where lanes were
            without an agent, `valid` [T, B] says which transitions are some, as `closed_up` orders them.

        Raises:
            NotFiniteError: If an observation or a reward is not a number; it names the lane and the step.
        """
        env, frames = self.env, self._frames
        if self._shared:
            env.rewind()
        self._keep(0, ("observation", "active", "action_mask"))
        final_index, final_observation = [], []
        mask = None
        for t in range(self.horizon):
            observation = frames["observation"][t].to(self.device)
            if "action_mask" in frames:
                mask = frames["action_mask"][t].to(self.device)
            before = self.carry
            asked = time.perf_counter()
            action, self.carry, extras = act(observation, before, "sample", mask, self.first)
            chosen = as_numpy(action)
            told = time.perf_counter()
            env.step(chosen)
            self.spent["forward"] += told - asked
            self.spent["environment"] += time.perf_counter() - told
            if isinstance(self.carry, Tensor):
                self._remember(t, before)
            for name, x in {"action": action, **extras}.items():
                self._row(name, x)[t].copy_(x)
            self._keep(t + 1)
            self._begin(t)
            truncated = env.truncated
            if truncated.any():
                lanes = np.flatnonzero(truncated & ~env.terminated)
                final_index.append(torch.from_numpy(lanes + t * env.lanes))
                final_observation.append(torch.from_numpy(env.final_observation[lanes]))
        active = frames["active"].numpy()
        steps = {name: frames[name][1:] for name in ("reward", "terminated", "truncated")}
        seen = {name: frames[name][:-1] for name in ("observation", "action_mask") if name in frames}
        self._check(seen["observation"], steps["reward"], final_observation)
        self.collected += self.horizon
        last = frames["observation"][-1]
        fields = {name: x.to(self.device) for name, x in (seen | steps).items()} | self._fields
        if isinstance(self.carry, Tensor):
            fields["last_carry"] = self.carry.clone()
        batch = Batch(
            **fields,
            last_observation=last.to(self.device, copy=True),
            final_index=torch.cat([torch.empty(0, dtype=torch.int64), *final_index]).to(self.device),
            final_observation=torch.cat([last[:0], *final_observation]).to(self.device),
        )
        return batch if active.all() else closed_up(batch, active)

    def outcome(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return what happened in the newest rollout, lane by lane: reward, ended and active, [T, B] each."""
        frames = self._frames
        return frames["reward"][1:], frames["terminated"][1:] | frames["truncated"][1:], frames["active"][:-1]

    def actions(self) -> Any:
        """Return the actions of the newest rollout, [T, B, ...], as they are learned from."""
        return self._fields["action"].cpu().numpy()

    def _remember(self, t: int, before: Tensor | None) -> None:
        """Keep the carry that step t was acted with, and hold that of lanes without an agent."""
        assert isinstance(self.carry, Tensor)
        if before is None:
            before = torch.zeros_like(self.carry)
        self._row("carry", before)[t].copy_(before)
        self._row("first", self.first)[t].copy_(self.first)
        active = self._frames["active"][t]
        if not active.all():
            self.carry = torch.where(active.to(self.device)[:, None], self.carry, before)

    def _begin(self, t: int) -> None:
        """Note which lanes begin an episode with the next step; a lane without an agent begins when it has one."""
        frames = self._frames
        ended = frames["terminated"][t + 1] | frames["truncated"][t + 1]
        waiting = self.first.cpu() & ~frames["active"][t]
        self.first.copy_(ended | waiting)

    def _row(self, name: str, x: Tensor) -> Tensor:
        if name not in self._fields:
            self._fields[name] = torch.empty((self.horizon, *x.shape), dtype=x.dtype, device=self.device)
        return self._fields[name]

    def _numbers(self, rows: Tensor) -> list[Tensor]:
        """Return the parts of `rows` [..., R] that are floats."""
        if rows.is_floating_point():
            return [rows]
        return [part for part in self.env.tree.parts(rows) if part.is_floating_point()]

    def _check(self, observations: Tensor, rewards: Tensor, finals: list[Tensor]) -> None:
        """Look for numbers that are none, once a rollout: a sum is not finite if any of its terms is not."""
        for what, x in (*(("observation", part) for part in self._numbers(observations)), ("reward", rewards)):
            if not torch.isfinite(x.sum()) and not torch.isfinite(x).all():
                t, lane = (~torch.isfinite(x)).nonzero()[0, :2].tolist()
                raise NotFiniteError(
                    f"{what} of lane {lane} is {x[t, lane].tolist()} at step {self.collected + t} of {self.env.id!r}; "
                    f"mend the environment: every {what} must be finite."
                )
        for x in (part for final in finals for part in self._numbers(final)):
            if not torch.isfinite(x).all():
                raise NotFiniteError(
                    f"an episode's last observation is {x.tolist()} between steps {self.collected} and "
                    f"{self.collected + self.horizon} of {self.env.id!r}; mend the environment: it must be finite."
                )


def as_numpy(action: Any) -> Any:
    """Return what the environment takes: an array, or a dictionary of the parts of a mixed action."""
    if isinstance(action, dict):
        return {name: part.cpu().numpy() for name, part in action.items()}
    return action.cpu().numpy()


PER_LANE = ("last_observation", "last_carry", "final_index", "final_observation")


def closed_up(batch: Batch, active: Any) -> Batch:
    """Order each lane's column so that the transitions of its agent follow one another, at the end.

    A transition starts where the lane is active and lasts until it is again, or until the episode ends: an agent waits
    for its turn, a dead one for its return. It earns every reward on the way; what comes after the end, before the lane
    acts again, belongs to no transition. One that lasts beyond the rollout is not complete and is left out: what it
    started from becomes the `last_observation`.

    Args:
        batch: Of a rollout, [T, B] fields and those of `PER_LANE`.
        active: [T + 1, B] bool, of the frames.

    Returns:
        The batch with `valid` [T, B].
    """
    acts, T, B = active[:-1], active.shape[0] - 1, active.shape[1]
    columns = np.arange(B)
    reward, terminated, truncated = (batch.fields[k].cpu().numpy() for k in ("reward", "terminated", "truncated"))
    # Which of its transitions a lane is in: from 0, or -1 before the first.
    ordinal = np.cumsum(acts, axis=0) - 1
    last = T - 1 - np.argmax(acts[::-1], axis=0)
    ended = terminated | truncated
    over = np.where(np.arange(T)[:, None] >= last, ended, False).any(axis=0)
    open_ended = acts.any(axis=0) & ~active[-1] & ~over
    keep = acts.copy()
    keep[last[open_ended], columns[open_ended]] = False
    count = keep.sum(axis=0)
    order = np.argsort(keep, axis=0, kind="stable")
    home = ordinal + T - count  # the row, at the end of the column, where a transition goes
    began = np.maximum.accumulate(np.where(acts, np.arange(T)[:, None], 0), axis=0)
    ends_before = np.cumsum(ended, axis=0) - ended
    going_on = ends_before == np.take_along_axis(ends_before, began, axis=0)
    inside = (ordinal >= 0) & (ordinal < count) & going_on
    t, lane = np.nonzero(inside)
    sums, ends = np.zeros_like(reward), [np.zeros_like(terminated) for _ in range(2)]
    np.add.at(sums, (home[t, lane], lane), reward[t, lane])
    for flags, out in zip((terminated, truncated), ends, strict=True):
        np.logical_or.at(out, (home[t, lane], lane), flags[t, lane])
    fields = {}
    rows = torch.from_numpy(order)
    for name, x in batch.fields.items():
        if name not in PER_LANE:
            index = rows.to(x.device).reshape(T, B, *(1,) * (x.ndim - 2)).expand_as(x)
            fields[name] = torch.gather(x, 0, index)
    device = batch.reward.device
    fields["reward"] = torch.from_numpy(sums).to(device)
    fields["terminated"], fields["truncated"] = (torch.from_numpy(x).to(device) for x in ends)
    valid = np.arange(T)[:, None] >= T - count
    fields["valid"] = torch.from_numpy(valid).to(device)
    last_observation = batch.last_observation.clone()
    waiting = torch.from_numpy(np.flatnonzero(open_ended)).to(device)
    left = torch.from_numpy(last[open_ended]).to(device)
    last_observation[waiting] = batch.observation[left, waiting]
    if "carry" in batch.fields:
        fields["last_carry"] = batch.last_carry.clone()
        fields["last_carry"][waiting] = batch.carry[left, waiting]
    at, lane = np.divmod(batch.final_index.cpu().numpy(), B)
    found = torch.from_numpy(inside[at, lane])
    return Batch(
        **fields,
        last_observation=last_observation,
        final_index=torch.from_numpy(home[at, lane] * B + lane)[found].to(device),
        final_observation=batch.final_observation[found.to(device)],
    )
