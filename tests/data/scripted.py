"""A vector environment that does at random all that one may do, and a naive memory of what it did."""

from dataclasses import dataclass, field

import gymnasium
import numpy as np

from workbench.spaces import SpaceTree

CHOICES = 3


class Scripted:
    """Lanes whose every observation is unlike all others; what means nothing is not a number, or absurd.

    Args:
        lanes: B.
        seed: Of what happens.
        terminate, truncate, leave: Probabilities a step, of an episode's end, and of a lane without an agent.
        masked: Whether it has action masks.
        dtype: Of observations.
    """

    id, backend, options, agents, saved = "Scripted-v0", "scripted", {}, 1, ("steps",)

    def __init__(self, lanes, seed=0, *, terminate=0.1, truncate=0.1, leave=0.0, masked=False, dtype=np.float32):
        self.lanes = lanes
        self.single_action_space = gymnasium.spaces.Discrete(CHOICES)
        high = {"f": np.inf, "b": 1}.get(np.dtype(dtype).kind, 255)
        self.single_observation_space = gymnasium.spaces.Box(0, high, (2,), dtype)
        self.tree = SpaceTree(self.single_observation_space)
        self._odds = terminate, truncate, leave
        self._draw = np.random.default_rng(seed)
        self.steps = 0
        self.observation, self.final_observation = np.zeros((2, lanes, 2), dtype)
        self.reward = np.zeros(lanes, np.float32)
        self.terminated, self.truncated = np.zeros((2, lanes), np.bool_)
        self.active = np.ones(lanes, np.bool_)
        self.action_mask = np.ones((lanes, CHOICES), np.bool_) if masked else None
        self._nothing = np.nan if high == np.inf else high

    def _show(self):
        for i in range(self.lanes):
            self.observation[i] = (i, self.steps % 250) if self.active[i] else self._nothing
        if self.action_mask is not None:
            self.action_mask[:] = self._draw.random(self.action_mask.shape) < 0.5
            self.action_mask[:, 0] |= ~self.action_mask.any(1)

    def reset(self, *, seed=None, options=None):
        self.steps += 1
        self.active[:] = self._draw.random(self.lanes) >= self._odds[2]
        self._show()

    def step(self, actions):
        assert actions.shape == (self.lanes,)
        self.steps += 1
        terminate, truncate, leave = self._odds
        self.reward[:] = self._draw.integers(-8, 8, self.lanes)
        self.terminated[:] = self._draw.random(self.lanes) < terminate
        self.truncated[:] = self._draw.random(self.lanes) < truncate
        ended = self.terminated | self.truncated
        self.final_observation[:] = self._nothing
        self.steps += 1
        self.final_observation[ended] = np.stack([np.flatnonzero(ended), np.full(ended.sum(), self.steps % 250)], 1)
        self.steps += 1
        self.active[:] = self._draw.random(self.lanes) >= leave
        self._show()

    def share(self, frames):
        return None

    def rewind(self):
        pass


@dataclass
class Transition:
    """One of a lane's, as a naive memory has it: in lists, every observation written out."""

    observation: tuple
    mask: tuple
    action: int
    reward: float = 0.0
    terminated: bool = False
    successor: tuple | None = None
    successor_mask: tuple | None = None
    goes_on: bool = False  # whether the next transition of the lane begins where this one ends


@dataclass
class NaiveMemory:
    """Watches an environment; `lanes` hold the complete transitions of each lane in order."""

    env: Scripted
    lanes: list = field(default_factory=list)

    def __post_init__(self):
        self.lanes = [[] for _ in range(self.env.lanes)]
        self._open = [None] * self.env.lanes

    def _mask(self, i):
        return None if self.env.action_mask is None else tuple(self.env.action_mask[i].tolist())

    def act(self, observation, carry, mode, mask=None, first=None):
        """Choose actions as a policy does, and remember; `step` of the environment follows."""
        import torch

        env = self.env
        self.see()
        action = env._draw.integers(0, CHOICES, env.lanes)
        for i in np.flatnonzero(env.active):
            self._open[i] = Transition(tuple(env.observation[i].tolist()), self._mask(i), int(action[i]))
        return torch.from_numpy(action), None, {}

    def see(self):
        """Complete what is under way in lanes that have an agent again."""
        for i in np.flatnonzero(self.env.active):
            if self._open[i] is not None:
                self._close(i, tuple(self.env.observation[i].tolist()), self._mask(i), goes_on=True)

    def watch(self):
        """Take in what the step brought; call it after each one."""
        env = self.env
        for i, transition in enumerate(self._open):
            if transition is None:
                continue
            transition.reward += float(env.reward[i])
            if env.terminated[i] or env.truncated[i]:
                transition.terminated = bool(env.terminated[i])
                legal = None if env.action_mask is None else (True,) * CHOICES
                self._close(i, tuple(env.final_observation[i].tolist()), legal, goes_on=False)

    def interrupt(self):
        """Forget what is under way, and let no transition go on."""
        for i, column in enumerate(self.lanes):
            self._open[i] = None
            if column:
                column[-1].goes_on = False

    def _close(self, i, successor, mask, goes_on):
        transition = self._open[i]
        transition.successor, transition.successor_mask, transition.goes_on = successor, mask, goes_on
        self.lanes[i].append(transition)
        self._open[i] = None


def n_step(column, k, n, gamma):
    """Return the n-step return of a lane's transition k, the discount of the bootstrap, and what to bootstrap from."""
    total, m = 0.0, 0
    while True:
        now = column[k + m]
        total += gamma**m * now.reward
        m += 1
        if m == n or not now.goes_on or k + m == len(column):
            return total, 0.0 if now.terminated else gamma**m, now.successor, now.successor_mask
