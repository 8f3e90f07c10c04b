"""Lanes that the present policy, or a person, plays; moments are kept, so that one can go back, and on from there."""

from typing import Any

import numpy as np
import torch

from workbench.data import as_numpy
from workbench.errors import InputError
from workbench.spec import VectorEnvironment
from workbench.ui.scene.moment import Moment, native_of, numbers_of, outlook_of, shown_of

MOMENTS = 2000
"""Kept at most; fewer where they are large."""
BYTES = 32 * 2**20
"""That the kept moments may take."""


class Player:
    """Plays in lanes of its own.

    Args:
        env: The lanes, of nobody else.
        algorithm: Acts; a copy that nobody trains.
        device: Where its network lives.
        draw: Returns a picture of the first lane as JPEG, of an environment whose state nobody can see.

    Attributes:
        moments: What is kept, in order of time.
        place: The one that is looked at.
        dropped: How many before them were kept once.
        algorithm: May be replaced by one of newer weights between two steps.
        mode: "greedy" or "sample".
    """

    def __init__(self, env: VectorEnvironment, algorithm: Any, device: torch.device, draw: Any = None) -> None:
        self.env, self.algorithm, self._device, self._draw = env, algorithm, device, draw
        self.lanes = env.lanes // env.agents
        self.mode, self.seed = "greedy", 0
        self.moments: list[Moment] = []
        self.place = self.dropped = 0
        self._bytes = 0
        self._generator = torch.Generator(device)

    @property
    def moment(self) -> Moment:
        """The one that is looked at."""
        return self.moments[self.place]

    @property
    def at_end(self) -> bool:
        """Whether nothing later is kept."""
        return self.place == len(self.moments) - 1

    @property
    def can_branch(self) -> bool:
        """Whether one can go on from an earlier moment."""
        return native_of(self.env) is not None

    def restart(self, seed: int) -> None:
        """Begin new episodes, of random streams that `seed` starts; what was kept is forgotten."""
        self.seed = seed
        self._generator.manual_seed(seed)
        self.env.reset(seed=seed)
        rows = self.env.lanes
        self._return, self._length = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
        self._before, self._reward = np.full(rows, np.nan, np.float32), np.zeros(rows, np.float32)
        self._carry: Any = None
        self._first = torch.ones(rows, dtype=torch.bool, device=self._device)
        self.moments, self.place, self.dropped, self._bytes = [], 0, 0, 0
        self._keep()

    def step(self, hands: dict[int, Any] | None = None) -> None:
        """Look at the next moment; after the last one, play it.

        Args:
            hands: By lane, the action that a person takes instead of the policy. It is played from the moment that is
                looked at: later ones are dropped.
        """
        if hands and not self.at_end:
            self.branch()
        if not self.at_end:
            self.place += 1
            return
        moment, rows = self.moment, self._rows
        action = np.array(moment.action) if not isinstance(moment.action, dict) else moment.action
        for lane, wanted in (hands or {}).items():
            self._check_legal(lane, wanted)
            action[lane * self.env.agents] = wanted
            moment.hand = lane
        moment.taken = _flat(action, rows)
        self._carry = moment.carry
        waiting = self._first.cpu().numpy() & ~self.env.active
        self.env.step(action)
        self._count(waiting)
        self._keep()

    def branch(self) -> None:
        """Forget what came after the moment that is looked at, and go on from there.

        Raises:
            InputError: If the environment cannot be put back.
        """
        native = native_of(self.env)
        if native is None:
            raise InputError(f"env={self.env.id!r} cannot be put back to an earlier step; restart it instead.")
        moment = self.moment
        for array, kept in zip(native.buffers.arrays, moment.arrays, strict=True):
            array[...] = kept
        if native is not self.env:
            self.env._see()  # type: ignore[attr-defined]
        self._first, self._return, self._length, self._before, self._reward, self._carry = moment.first
        later = self.moments[self.place + 1 :]
        del self.moments[self.place + 1 :]
        self._bytes -= sum(each.nbytes for each in later)
        self.rethink()

    def rethink(self) -> None:
        """Ask the policy anew what it thinks of the last moment: it has other weights, or draws now."""
        if self.at_end:
            self._bytes -= self.moments.pop().nbytes
            self._keep()

    def trace(self, lane: int, points: int) -> Any:
        """Return the values of `lane` over all kept moments, float32, at most about `points` of them."""
        stride = -(-len(self.moments) // points)
        return np.array([each.figures[3, lane] for each in self.moments[::stride]], np.float32)

    @property
    def _rows(self) -> slice:
        """The first agents' lanes."""
        return slice(0, None, self.env.agents)

    def _check_legal(self, lane: int, wanted: Any) -> None:
        mask = self.env.action_mask
        if mask is not None and not mask[lane * self.env.agents, wanted]:
            legal = np.flatnonzero(mask[lane * self.env.agents]).tolist()
            raise InputError(f"action {wanted} is not legal here; choose one of {legal}.")

    def _count(self, waiting: Any) -> None:
        env = self.env
        self._reward = np.array(env.reward, np.float32)
        ended = env.terminated | env.truncated
        total, length = self._return + self._reward, self._length + env.active
        self._before = np.where(ended, total, self._before)
        self._return, self._length = np.where(ended, 0, total), np.where(ended, 0, length)
        self._first = torch.from_numpy(ended | waiting).to(self._device)

    @torch.inference_mode()
    def _keep(self) -> None:
        """Ask the policy, and keep the moment."""
        env, rows = self.env, self._rows
        before = (self._first, self._return, self._length, self._before, self._reward, self._carry)
        outlook = outlook_of(self.algorithm, env, self._device, slice(None), self._carry, self._first)
        if outlook is None:
            mask = None if env.action_mask is None else torch.from_numpy(env.action_mask).to(self._device)
            observation = torch.from_numpy(env.observation).to(self._device)
            chosen, carry, _ = self.algorithm.act(observation, self._carry, "greedy", mask, self._first)
        else:
            chosen, carry = outlook.choose(self.mode, self._generator), outlook.carry
        if isinstance(carry, torch.Tensor) and isinstance(self._carry, torch.Tensor) and not env.active.all():
            carry = torch.where(torch.from_numpy(env.active).to(self._device)[:, None], carry, self._carry)
        action = as_numpy(chosen)
        policy, value = numbers_of(outlook, env.lanes)
        state, observation = shown_of(env, self.lanes)
        native = native_of(env)
        arrays = () if native is None else tuple(np.array(array) for array in native.buffers.arrays)
        figures = np.stack([self._return, self._length, self._reward, value, self._before])[:, rows]
        choice = _flat(action, rows)
        moment = Moment(
            state,
            observation,
            np.ascontiguousarray(figures, np.float32),
            np.ascontiguousarray(policy[:, rows]),
            choice,
            np.full_like(choice, np.nan),
            picture=b"" if self._draw is None else self._draw(),
            arrays=arrays,
            carry=carry,
            first=before,
            action=action,
        )
        self.moments.append(moment)
        self._bytes += moment.nbytes
        while len(self.moments) > MOMENTS or (self._bytes > BYTES and len(self.moments) > 2):
            self._bytes -= self.moments.pop(0).nbytes
            self.dropped += 1
        self.place = len(self.moments) - 1


def _flat(action: Any, rows: slice) -> Any:
    """Return actions as numbers [K, L] float32."""
    parts = list(action.values()) if isinstance(action, dict) else [action]
    flat = [np.asarray(part, np.float32).reshape(len(part), -1)[rows].T for part in parts]
    return np.ascontiguousarray(np.concatenate(flat))
