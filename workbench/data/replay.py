"""Off-policy batches: what happened is remembered in a ring of rows, and drawn at random.

T: horizon, B: lanes, C: rows a lane, R: components of an observation, N: transitions drawn.
"""

import functools
import math
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workbench.data.prioritised import Priorities
from workbench.data.rollout import Act, Batch, as_numpy
from workbench.errors import InputError, NotFiniteError
from workbench.spec import VectorEnvironment
from workbench_kernels import replay
from workbench_kernels.targets import cpu

Lanes = npt.NDArray[np.int64]

LEAST_ROWS = 3
"""A step, the observation that it ended with, and the newest one."""


@functools.cache
def _look_ahead() -> Callable[..., None]:
    return cpu.scan(replay.look_ahead, reverse=False)


class Rows:
    """Named arrays [B, C, ...], in memory, or mapped to files without a name that vanish with them.

    Args:
        lanes, rows: B and C.
        kinds: By name, the dtype and the shape of one row.
        memory: Bytes in memory at most; more are mapped to files in the folder for temporary ones (`TMPDIR`).

    Attributes:
        arrays: By name.
        flat: The same, [B * C, ...].
    """

    def __init__(
        self, lanes: int, rows: int, kinds: dict[str, tuple[Any, tuple[int, ...]]], memory: float = math.inf
    ) -> None:
        shapes = {name: (np.dtype(dtype), (lanes, rows, *shape)) for name, (dtype, shape) in kinds.items()}
        nbytes = sum(dtype.itemsize * math.prod(shape) for dtype, shape in shapes.values())
        make = _mapped if nbytes > memory else np.zeros
        self.arrays: dict[str, Any] = {name: make(shape, dtype) for name, (dtype, shape) in shapes.items()}
        self.flat = {name: x.reshape(-1, *x.shape[2:]) for name, x in self.arrays.items()}
        self._used = 1

    @property
    def used(self) -> int:
        """Rows that were ever written, in the lane that has most; those behind them are zero."""
        return self._used

    @used.setter
    def used(self, rows: int) -> None:
        if rows < self._used:  # an earlier state is put back
            for x in self.arrays.values():
                x[:, rows : self._used] = 0
        self._used = rows

    @property
    def saved(self) -> tuple[str, ...]:
        """What a checkpoint keeps: how many rows are used, and these."""
        return ("used", *self.arrays)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["arrays"][name][:, : self.used]
        except KeyError:
            raise AttributeError(name) from None


def _mapped(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    with tempfile.TemporaryFile(prefix="workbench-replay-") as file:
        return np.memmap(file, dtype, "w+", shape=shape)


class ReplaySource:
    """Steps an environment with a policy, and remembers.

    A lane's transitions follow one another in its column, so that the successor of one is the observation in the next
    row, and no observation is kept twice. Where an episode ends, a row that is no step holds its last observation; the
    newest row is none yet either. A lane without an agent writes nothing: the transition before lasts until it has one
    again, or until the episode ends, and earns every reward on the way.

    Args:
        env: Reset here with `seed`.
        horizon: T, steps per lane each time.
        device: Where the tensors handed out live.
        seed: Of the environment's lanes.
        capacity: Rows of all lanes together: transitions, and one for each episode's end.
        action: What is kept of one lane's action; its shape and dtype count.
        prioritised: Whether transitions are drawn by priority.
        keep: Whether checkpoints hold what is remembered, so that a resumed run goes on as if it had not stopped.
        memory: Bytes in memory at most; a greater buffer is mapped to unnamed files in the temporary folder.

    Attributes:
        collected: Steps per lane so far.
        remembered: Transitions so far, also those that newer ones have replaced.
        spent: Seconds so far in the policy, and in the environment.

    Raises:
        InputError: If `capacity` is too small for the lanes.
    """

    def __init__(
        self,
        env: VectorEnvironment,
        horizon: int,
        device: torch.device,
        seed: int,
        *,
        capacity: int,
        action: Tensor,
        prioritised: bool = False,
        keep: bool = True,
        memory: float = math.inf,
    ) -> None:
        if capacity < LEAST_ROWS * env.lanes:
            raise InputError(
                f"capacity={capacity} is less than {LEAST_ROWS} rows for each of {env.lanes} lanes; raise it to at "
                f"least {LEAST_ROWS * env.lanes}, or lower lanes."
            )
        self.env, self.horizon, self.device = env, horizon, device
        self.collected = self.remembered = 0
        self.spent = {"forward": 0.0, "environment": 0.0}
        self._keep = keep
        env.reset(seed=seed)
        lanes, self._count = env.lanes, -(-capacity // env.lanes)
        kept = torch.empty((0, *action.shape), dtype=action.dtype).numpy()
        kinds: dict[str, tuple[Any, tuple[int, ...]]] = {
            "observation": (env.observation.dtype, env.observation.shape[1:]),
            "action": (kept.dtype, kept.shape[1:]),
            "reward": (np.float32, ()),
            "terminated": (np.bool_, ()),
            "is_step": (np.bool_, ()),
        }
        if env.action_mask is not None:
            kinds["action_mask"] = (np.bool_, env.action_mask.shape[1:])
        self.rows = Rows(lanes, self._count, kinds, memory)
        self._flat = self.rows.flat
        self._tensors = {name: torch.from_numpy(x) for name, x in self._flat.items()}
        self.priorities = Priorities(lanes * self._count) if prioritised else None
        self.position, self.under_way = np.zeros(lanes, np.int64), np.zeros(lanes, np.bool_)
        self._columns = np.arange(lanes) * self._count
        shape = (horizon, lanes)
        self._outcome = np.empty(shape, np.float32), np.empty(shape, np.bool_), np.empty(shape, np.bool_)
        self._see()

    @property
    def saved(self) -> tuple[str, ...]:
        """What a checkpoint keeps."""
        memories = ("remembered", "rows", "position", "under_way")
        priorities = ("priorities",) if self.priorities is not None else ()
        return ("env", "collected", *(memories + priorities if self._keep else ()))

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes, of random streams that `seed` starts anew unless it is None."""
        self.env.reset(seed=seed)
        self._interrupt()
        self._see()

    def outcome(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return what happened in the newest steps, lane by lane: reward, ended and active, [T, B] each."""
        reward, ended, active = map(torch.from_numpy, self._outcome)
        return reward, ended, active

    def actions(self) -> Any:
        """Return the actions that are remembered, [N, ...]."""
        return self._flat["action"][self._flat["is_step"]]

    @torch.inference_mode()
    def collect(self, act: Act) -> "ReplaySource":
        """Take `horizon` steps in every lane, and remember them.

        Returns:
            This source, to draw from.

        Raises:
            NotFiniteError: If an observation or a reward is not a number; it names the lane and the step.
        """
        env = self.env
        if not self._goes_on():
            self._interrupt()
            self._see()
        for t in range(self.horizon):
            observation = torch.from_numpy(env.observation).to(self.device)
            mask = None if env.action_mask is None else torch.from_numpy(env.action_mask).to(self.device)
            asked = time.perf_counter()
            action, _, extras = act(observation, None, "sample", mask)
            chosen = as_numpy(action)
            self.spent["forward"] += time.perf_counter() - asked
            self._outcome[2][t] = env.active
            lanes = np.flatnonzero(env.active)
            self._begin(lanes, extras.get("action", action).cpu().numpy())
            told = time.perf_counter()
            env.step(chosen)
            self.spent["environment"] += time.perf_counter() - told
            self._end()
            self.collected += 1
            self._see()
            self._outcome[0][t] = env.reward
            np.logical_or(env.terminated, env.truncated, out=self._outcome[1][t])
        return self

    def draw(self, size: int, generator: torch.Generator, *, n: int = 1, gamma: float) -> Batch:
        """Draw `size` transitions, with replacement; there must be one.

        Args:
            size: N.
            generator: Of the draw.
            n: Steps after which a return is bootstrapped, at most: never beyond the episode's end.
            gamma: Discount per step.

        Returns:
            A batch of `observation`, `action`, `reward` (the n-step return), `next_observation` and the `discount` to
            bootstrap from it with, gamma to the number of steps and 0 where the episode terminated; `action_mask` and
            `next_action_mask` where the environment has one (of an episode's last observation, everything is legal);
            `slot`, and where priorities count `probability`, of the draw; [N, ...] each.
        """
        fields = {}
        if self.priorities is None:
            slot = self._uniform(size, generator)
        else:
            slot, probability = self.priorities.draw(size, generator)
            fields["probability"] = torch.from_numpy(probability.astype(np.float32))
        total, discount = np.empty((2, 1, size), np.float32)
        successor = np.empty((1, size), np.int64)
        past = (self._flat[name] for name in ("is_step", "reward", "terminated"))
        _look_ahead()(slot[None], *past, self._count, n, np.float32(gamma), total, discount, successor)
        now, later = torch.from_numpy(slot), torch.from_numpy(successor[0])
        for name in ("observation", "action_mask"):
            if name in self._tensors:
                fields[name] = self._tensors[name].index_select(0, now)
                fields[f"next_{name}"] = self._tensors[name].index_select(0, later)
        fields |= {"action": self._tensors["action"].index_select(0, now), "slot": now}
        fields |= {"reward": torch.from_numpy(total[0]), "discount": torch.from_numpy(discount[0])}
        return Batch(**{name: x.to(self.device) for name, x in fields.items()})

    def _uniform(self, size: int, generator: torch.Generator) -> Lanes:
        """Draw slots of transitions, all equally likely: of the rows in use, those that are none are passed over."""
        used, found, count = self.rows.used, [], 0
        while count < size:
            drawn = torch.randint(used * self.env.lanes, (2 * size,), generator=generator).numpy()
            slot = drawn // used * self._count + drawn % used
            found.append(slot[self._flat["is_step"][slot]])
            count += len(found[-1])
        return np.concatenate(found)[:size]

    def _places(self, lanes: Lanes) -> Lanes:
        return self._columns[lanes] + self.position[lanes]

    def _goes_on(self) -> bool:
        """Tell whether the environment shows what it showed last: else somebody played in it, or it was built anew."""
        lanes = np.flatnonzero(self.env.active)
        seen = self._flat["observation"][self._places(lanes)] == self.env.observation[lanes]
        return bool(seen.all() and not self.under_way[lanes].any())

    def _interrupt(self) -> None:
        """End what is under way: a newest observation that a transition led to stays as the last of its episode."""
        self.under_way[:] = False
        before = self._columns + (self.position - 1) % self._count
        self._advance(np.flatnonzero(self._flat["is_step"][before]))

    def _advance(self, lanes: Lanes) -> None:
        """Go to the next row, the oldest, and forget what was there."""
        self.position[lanes] = (self.position[lanes] + 1) % self._count
        self.rows.used = max(self.rows.used, int(self.position.max()) + 1)
        places = self._places(lanes)
        self._flat["is_step"][places] = False
        if self.priorities is not None:
            self.priorities.write(places, np.zeros(len(places)))

    def _complete(self, lanes: Lanes) -> None:
        """Make transitions of the lanes' newest rows, and go to the next ones."""
        places = self._places(lanes)
        self._flat["is_step"][places] = True
        if self.priorities is not None:
            self.priorities.welcome(places)
        self.remembered += len(lanes)
        self.under_way[lanes] = False
        self._advance(lanes)

    def _see(self) -> None:
        """Keep what lanes with an agent are to act on; a transition under way is complete with it."""
        env = self.env
        lanes = np.flatnonzero(env.active)
        complete = lanes[self.under_way[lanes]]
        if len(complete):
            self._complete(complete)
        self._keep_row(lanes, env.observation[lanes], None if env.action_mask is None else env.action_mask[lanes])

    def _begin(self, lanes: Lanes, action: Any) -> None:
        """Keep what the agents do."""
        places = self._places(lanes)
        self._flat["action"][places] = action[lanes]
        self._flat["reward"][places] = 0.0
        self._flat["terminated"][places] = False
        self.under_way[lanes] = True

    def _end(self) -> None:
        """Keep what the step brought; where it ended an episode, its last observation has a row of its own."""
        env = self.env
        lanes = np.flatnonzero(self.under_way)
        self._check("reward", lanes, env.reward[lanes])
        self._flat["reward"][self._places(lanes)] += env.reward[lanes]
        ended = np.flatnonzero((env.terminated | env.truncated) & self.under_way)
        if len(ended):
            self._flat["terminated"][self._places(ended)] = env.terminated[ended]
            self._complete(ended)
            self._keep_row(ended, env.final_observation[ended], True)
            self._advance(ended)

    def _keep_row(self, lanes: Lanes, observation: Any, mask: Any) -> None:
        self._check("observation", lanes, observation)
        places = self._places(lanes)
        self._flat["observation"][places] = observation
        if "action_mask" in self._flat:
            self._flat["action_mask"][places] = mask

    def _check(self, what: str, lanes: Lanes, rows: Any) -> None:
        """Look for numbers that are none."""
        parts = [rows] if rows.dtype.kind == "f" else self.env.tree.parts(rows)
        for part in (part for part in parts if part.dtype.kind == "f"):
            wrong = ~np.isfinite(part)
            if wrong.any():
                row = np.argwhere(wrong)[0, 0]
                raise NotFiniteError(
                    f"{what} of lane {lanes[row]} is {part[row].tolist()} at step {self.collected} of "
                    f"{self.env.id!r}; mend the environment: every {what} must be finite."
                )
