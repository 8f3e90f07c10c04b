"""One environment that others wrote, played into rows of a board: the emulation of any environment as flat tensors.

The idea is PufferLib's (Suarez 2024, arXiv:2406.12905). Three kinds are known: a `gymnasium.Env`, a PettingZoo
`ParallelEnv`, and an `AECEnv`, where agents take turns. Several agents are as many rows; a row that holds none is not
`active`, and zero.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from workbench.envs.emulation.board import MASKED, Board
from workbench.envs.emulation.interface import MASK, Interface
from workbench.errors import InputError


class Desk:
    """Reads actions from a board and writes what happened to it, row by row, without leaving an array behind."""

    def __init__(self, board: Board, interface: Interface, place: Callable[[int], int]) -> None:
        self.place = place
        self.interface = interface
        self.tree, self.heads = interface.tree, interface.heads
        self.write = self.tree.write
        self.address = board.observation.ctypes.data
        self.final_address = board.final_observation.ctypes.data
        self.stride = board.observation.strides[-2]
        names = ("reward", "terminated", "truncated", "active", "lane")
        views: list[Any] = [memoryview(getattr(board, name).reshape(-1)) for name in names]
        self.reward, self.terminated, self.truncated, self.active, self.lane = views
        self.observation = board.observation.reshape(len(self.lane), board.observation.shape[-1])
        self.final_observation = board.final_observation
        self.masks = board.action_mask.reshape(len(self.lane), board.action_mask.shape[-1])
        self.staggered = board.layout.staggered
        self.notes = board.notes
        self.masking = interface.masked
        self._discrete, self._continuous = board.discrete, board.continuous
        space: Any = interface.heads.original
        self._plain = isinstance(space, gymnasium.spaces.Discrete)
        self._start = np.int64(space.start) if self._plain else np.int64(0)
        self._choices = self._discrete.reshape(-1) if self._plain else None

    def action(self, lane: int) -> Any:
        """Return the action of `lane`, as its environment wants it."""
        if self._plain:
            return self._choices[lane] + self._start  # type: ignore[index]
        return self.heads.decode(self._discrete[lane], self._continuous[lane])

    def put(self, row: int, observation: Any, info: Any) -> None:
        """Write what there is to act on."""
        if self.masking:
            mask = observation[MASK] if self.interface.masked else info.get(MASK)
            self.put_mask(row, mask)
            if self.interface.key is not None:
                observation = observation[self.interface.key]
        elif info and MASK in info and self.masks.shape[1]:
            raise InputError("action_mask comes with a step, and none came with the first reset; give one there too.")
        self.write(observation, self.address + row * self.stride)

    def put_final(self, lane: int, observation: Any) -> None:
        """Write the last observation of an episode."""
        if self.interface.key is not None:
            observation = observation[self.interface.key]
        self.write(observation, self.final_address + lane * self.stride)

    def put_mask(self, row: int, mask: Any) -> None:
        """Write which choices are legal; None means all."""
        out = self.masks[row]
        if mask is None:
            out[...] = True
            return
        given = np.concatenate([np.ravel(part) for part in mask]) if isinstance(mask, tuple) else np.ravel(mask)
        if given.shape != out.shape:
            raise InputError(f"action_mask has {given.size} components, and the actions have {out.size} choices.")
        if not given.any():
            raise InputError("action_mask forbids every action; leave one legal.")
        out[...] = given

    def look_for_masks(self, *infos: Any) -> None:
        """Find out at the first reset whether the environment says which actions are legal."""
        if not self.masking and self.masks.shape[1] and any(MASK in info for info in infos if info):
            self.masking = True
        if self.masking:
            self.notes[MASKED] = 1

    def clear(self, row: int) -> None:
        """Leave a row without an agent."""
        self.active[row] = False
        self.observation[row] = 0
        if self.masking:
            self.masks[row] = True


def _scalar(reward: Any) -> float:
    """Return a reward as a number of its own: what an environment returns, it may change."""
    if isinstance(reward, float | int | np.number):
        return float(reward)
    array = np.asarray(reward)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise InputError(f"reward {reward!r} is no number; return a float.")
    return float(array.reshape(()))


class Single:
    """A `gymnasium.Env`: one lane."""

    def __init__(self, env: Any, desk: Desk, number: int) -> None:
        self.env, self.desk, self.lane = env, desk, number
        self._step, self._reset = env.step, env.reset

    def reset(self, seed: int | None, options: Any) -> None:
        """Start an episode."""
        desk = self.desk
        observation, info = self._reset(seed=seed, options=options)
        desk.look_for_masks(info)
        row = desk.place(self.lane)
        desk.reward[row], desk.terminated[row], desk.truncated[row] = 0.0, False, False
        if desk.staggered:
            desk.lane[row] = self.lane
        desk.put(row, observation, info)

    def step(self) -> None:
        """Take one step; where it ends the episode, start the next."""
        desk, lane = self.desk, self.lane
        observation, reward, terminated, truncated, info = self._step(desk.action(lane))
        if reward.__class__ is not float:
            reward = _scalar(reward)
        terminated, truncated = bool(terminated), bool(truncated)
        if terminated or truncated:
            desk.put_final(lane, observation)
            observation, info = self._reset()
        row = desk.place(lane)
        desk.reward[row], desk.terminated[row], desk.truncated[row] = reward, terminated, truncated
        if desk.staggered:
            desk.lane[row] = lane
        desk.put(row, observation, info)


class Several:
    """What both kinds of PettingZoo environments share: which agent has which of the A rows."""

    def __init__(self, env: Any, desk: Desk, number: int) -> None:
        self.env, self.desk, self.number = env, desk, number
        self.agents = desk.interface.agents
        self.first = number * self.agents
        self.slots: dict[Any, int] = {name: k for k, name in enumerate(desk.interface.names)}
        self.named = bool(self.slots)
        self.living: list[Any] = []
        self.acted: set[Any] = set()

    def _slot(self, agent: Any) -> int:
        """Return the row of `agent`: its own where all possible agents are known, else the first that is free."""
        if agent not in self.slots:
            taken = set(self.slots.values())
            free = next((k for k in range(self.agents) if k not in taken), None)
            if self.named or free is None:
                raise InputError(
                    f"agent {agent!r} is one too many: there are {self.agents} places; list it in possible_agents, or "
                    f"raise max_agents."
                )
            self.slots[agent] = free
        return self.slots[agent]

    def _leave(self, agent: Any) -> None:
        """Free the row of an agent that is gone."""
        if not self.named:
            self.slots.pop(agent, None)

    def _clear(self) -> None:
        """Free all rows."""
        if not self.named:
            self.slots.clear()

    def _blank(self) -> int:
        """Claim the rows of this environment, with nobody in them; return the first."""
        desk = self.desk
        row = desk.place(self.number)
        for k in range(self.agents):
            desk.reward[row + k], desk.terminated[row + k], desk.truncated[row + k] = 0.0, False, False
            if desk.staggered:
                desk.lane[row + k] = self.first + k
            desk.clear(row + k)
        return row

    def _seat(self, row: int, agent: Any, observation: Any, info: Any) -> None:
        """Put `agent` on its row, with what it is to act on."""
        place = row + self._slot(agent)
        self.desk.active[place] = True
        self.desk.put(place, observation, info or {})


class Parallel(Several):
    """A PettingZoo `ParallelEnv`: all living agents act at once."""

    def reset(self, seed: int | None, options: Any) -> None:
        """Start an episode."""
        observations, infos = self._begin(seed, options)
        self._write(self._blank(), observations, infos)

    def _begin(self, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        self._clear()
        observations, infos = self.env.reset(seed=seed, options=options)
        self.living = list(self.env.agents)
        self.desk.look_for_masks(*infos.values())
        return observations, infos

    def _write(self, row: int, observations: Any, infos: Any) -> None:
        for agent in self.living:
            self._seat(row, agent, observations[agent], infos.get(agent))

    def step(self) -> None:
        """Take one step of all living agents; once none is left, start the next episode."""
        desk = self.desk
        acting = {agent: self._slot(agent) for agent in self.living}
        actions = {agent: desk.action(self.first + k) for agent, k in acting.items()}
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        flags = (terminations, truncations)
        flagged = {agent for flag in flags for agent, over in flag.items() if over}
        earned = {k: _scalar(rewards.get(agent, 0.0)) for agent, k in acting.items()}
        self.living = [agent for agent in self.env.agents if agent not in flagged]
        ended = {}
        for agent in acting.keys() - set(self.living):
            # Whoever is gone without a word has died.
            k, truncated = acting[agent], bool(truncations.get(agent, False))
            ended[k] = (bool(terminations.get(agent, False)) or not truncated, truncated)
            if agent in observations:
                desk.put_final(self.first + k, observations[agent])
            elif not ended[k][0]:
                raise InputError(f"agent {agent!r} is truncated without a last observation; return one.")
            self._leave(agent)
        if not self.living:
            observations, infos = self._begin()
        row = self._blank()
        for k, reward in earned.items():
            desk.reward[row + k] = reward
        for k, (terminated, truncated) in ended.items():
            desk.terminated[row + k], desk.truncated[row + k] = terminated, truncated
        self._write(row, observations, infos)


class Turns(Several):
    """A PettingZoo `AECEnv`: one agent acts at a time, and only its row is active.

    A reward stands in the row of the agent that earned it, when it is its turn again or it is out.
    """

    def reset(self, seed: int | None, options: Any) -> None:
        """Start an episode."""
        self._begin(seed, options)
        row = self._blank()
        self._seat_next(row)

    def _begin(self, seed: int | None = None, options: Any = None) -> None:
        self._clear()
        self.env.reset(seed=seed, options=options)
        self.acted.clear()
        self.desk.look_for_masks(*self.env.infos.values())

    def _seat_next(self, row: int) -> None:
        observation, reward, _, _, info = self.env.last()
        agent = self.env.agent_selection
        self.desk.reward[row + self._slot(agent)] += _scalar(reward)
        self._seat(row, agent, observation, info)

    def step(self) -> None:
        """Let the agent whose turn it is act, and find the next; once none is left, start the next episode."""
        desk, env = self.desk, self.env
        self.acted.add(env.agent_selection)
        env.step(desk.action(self.first + self._slot(env.agent_selection)))
        out = {}
        while env.agents:
            agent = env.agent_selection
            observation, reward, terminated, truncated, _ = env.last()
            if not (terminated or truncated):
                break
            if agent in self.acted:  # who is out before its first turn had no episode
                k = self._slot(agent)
                out[k] = (_scalar(reward), bool(terminated), bool(truncated))
                desk.put_final(self.first + k, observation)
                self.acted.discard(agent)
            env.step(None)
            self._leave(agent)
        if not env.agents:
            self._begin()
        row = self._blank()
        for k, (reward, terminated, truncated) in out.items():
            desk.reward[row + k], desk.terminated[row + k], desk.truncated[row + k] = reward, terminated, truncated
        self._seat_next(row)


KINDS = {"single": Single, "parallel": Parallel, "turns": Turns}
"""How each kind of environment is played."""
