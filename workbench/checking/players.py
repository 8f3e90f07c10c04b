"""One interface to play an environment of any kind: a Gymnasium `Env`, a PettingZoo `ParallelEnv` or `AECEnv`."""

import copy
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete

MASK = "action_mask"
Agent = Any
"""The name of an agent; None where there is one only."""


class MalformedError(Exception):
    """The environment does not speak its interface; `what` names the part of it."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


class Told(NamedTuple):
    """What one agent is told: the reward is None after a reset."""

    observation: Any
    reward: Any = None
    terminated: Any = False
    truncated: Any = False
    info: Any = None

    @property
    def mask(self) -> Any:
        """Which actions are legal, as the environment says it; None if it does not."""
        if isinstance(self.observation, Mapping) and MASK in self.observation:
            return self.observation[MASK]
        return self.info.get(MASK) if isinstance(self.info, Mapping) else None


class Player(Protocol):
    """Plays one environment.

    Attributes:
        kind: "gymnasium", "parallel" or "turns".
        acting: The agents that act next; empty once the episode is over.
        agents: The agents that the environment says live.
        refused: Arguments that `reset` does not take.
    """

    kind: str
    env: Any
    acting: list[Agent]
    refused: list[str]

    @property
    def agents(self) -> tuple[Agent, ...]: ...  # noqa: D102

    def reset(self, seed: int | None = None) -> dict[Agent, Told]:
        """Start an episode."""

    def act(self, actions: dict[Agent, Any]) -> Any:
        """Step, and return what the environment returns."""

    def read(self, result: Any, actions: dict[Agent, Any]) -> dict[Agent, Told]:
        """Tell apart what `act` returned."""


class _Base:
    """What all kinds share."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.acting: list[Agent] = []
        self.refused: list[str] = []

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Return the living agents."""
        return tuple(self.env.agents)

    def _begin(self, seed: int | None) -> Any:
        """Call `reset`, without the arguments that it turns out not to take."""
        while True:
            given = {"seed": seed, "options": None}
            try:
                return self.env.reset(**{name: value for name, value in given.items() if name not in self.refused})
            except TypeError as error:
                found = re.search(r"unexpected keyword argument '(seed|options)'", str(error))
                if not found or found[1] in self.refused:
                    raise
                self.refused.append(found[1])


class Single(_Base):
    """A `gymnasium.Env`."""

    kind = "gymnasium"

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Return nobody: a single agent has no name and does not die."""
        return ()

    def reset(self, seed: int | None = None) -> dict[Agent, Told]:
        """Start an episode."""
        observation, info = _pair(self._begin(seed))
        self.acting = [None]
        return {None: Told(observation, info=info)}

    def act(self, actions: dict[Agent, Any]) -> Any:
        """Step."""
        return self.env.step(actions[None])

    def read(self, result: Any, actions: dict[Agent, Any]) -> dict[Agent, Told]:  # noqa: ARG002
        """Tell apart what `step` returned."""
        told = Told(*_five(result))
        self.acting = [] if true(told.terminated) or true(told.truncated) else [None]
        return {None: told}


class Parallel(_Base):
    """A PettingZoo `ParallelEnv`."""

    kind = "parallel"

    def reset(self, seed: int | None = None) -> dict[Agent, Told]:
        """Start an episode."""
        observations, infos = map(_named, _pair(self._begin(seed)))
        self.acting = _somebody(self.env.agents)
        return {agent: Told(_of(agent, observations), info=infos.get(agent, {})) for agent in self.acting}

    def act(self, actions: dict[Agent, Any]) -> Any:
        """Step."""
        return self.env.step(actions)

    def read(self, result: Any, actions: dict[Agent, Any]) -> dict[Agent, Told]:
        """Tell apart what `step` returned: every agent that acted or came in is told something."""
        observations, rewards, terminations, truncations, infos = map(_named, _five(result))
        out = {a for a in actions if true(terminations.get(a, False)) or true(truncations.get(a, False))}
        self.acting = [agent for agent in self.env.agents if agent not in out]
        told = {}
        for agent in [*actions, *(agent for agent in self.acting if agent not in actions)]:
            if agent in self.acting or agent in observations:
                ends = terminations.get(agent, False), truncations.get(agent, False)
                reward = rewards.get(agent) if agent in actions else None
                told[agent] = Told(_of(agent, observations), reward, *ends, infos.get(agent, {}))
            elif agent in out:
                if not true(terminations.get(agent, False)):
                    raise MalformedError(
                        "agents", f"agent {agent!r} is truncated without a last observation; return one"
                    )
                told[agent] = Told(None, rewards.get(agent), True, truncations.get(agent, False), {})
        return told


class Turns(_Base):
    """A PettingZoo `AECEnv`: one agent acts at a time."""

    kind = "turns"

    def reset(self, seed: int | None = None) -> dict[Agent, Told]:
        """Start an episode."""
        self._begin(seed)
        _somebody(self.env.agents)
        return self._look()

    def act(self, actions: dict[Agent, Any]) -> Any:
        """Let the agent whose turn it is act."""
        (action,) = actions.values()
        return self.env.step(action)

    def read(self, result: Any, actions: dict[Agent, Any]) -> dict[Agent, Told]:  # noqa: ARG002
        """Ask the environment, which returns nothing from `step`."""
        return self._look()

    def _look(self) -> dict[Agent, Told]:
        """Take the agents that are out off the field; return what they and the next one are told."""
        told: dict[Agent, Told] = {}
        self.acting = []
        while self.env.agents:
            agent = self.env.agent_selection
            if agent in told:
                raise MalformedError("agents", f"agent {agent!r} is out and stays after step(None); remove it there")
            told[agent] = Told(*self.env.last())
            if not (true(told[agent].terminated) or true(told[agent].truncated)):
                self.acting = [agent]
                break
            self.env.step(None)
        return told


def player_of(env: Any) -> Player:
    """Return what plays `env`.

    Raises:
        MalformedError: If it is neither Gymnasium's nor PettingZoo's.
    """
    if isinstance(env, gymnasium.Env):
        return Single(env)
    if hasattr(env, "agent_iter"):
        return Turns(env)
    if hasattr(env, "possible_agents") or hasattr(env, "agents"):
        return Parallel(env)
    raise MalformedError(
        "type",
        f"it is of type {type(env).__module__}.{type(env).__name__}, which is no gymnasium.Env, PettingZoo ParallelEnv "
        f"or AECEnv; derive it from one",
    )


OLD = "that is the interface of gym before 0.26; see gymnasium.farama.org/introduction/migration_guide"


def _pair(result: Any) -> Any:
    if isinstance(result, tuple) and len(result) == 2:
        return result
    raise MalformedError("reset signature", f"reset returned {_kind(result)}; return (observation, info): {OLD}")


def _five(result: Any) -> Any:
    if isinstance(result, tuple) and len(result) == 5:
        return result
    hint = f": {OLD}" if isinstance(result, tuple) and len(result) == 4 else ""
    raise MalformedError(
        "step signature",
        f"step returned {_kind(result)}; return (observation, reward, terminated, truncated, info), with time limits "
        f"as truncated{hint}",
    )


def _kind(value: Any) -> str:
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else f"a value of type {type(value).__name__}"


def _named(part: Any) -> Any:
    if isinstance(part, Mapping):
        return part
    raise MalformedError("agents", f"{_kind(part)} came instead of a dict with one entry an agent")


def _somebody(agents: Any) -> list[Agent]:
    if agents:
        return list(agents)
    raise MalformedError("agents", "nobody lives after reset; fill env.agents there")


def _of(agent: Agent, observations: Any) -> Any:
    if agent in observations:
        return observations[agent]
    raise MalformedError("agents", f"agent {agent!r} lives and got no observation; return one for each of env.agents")


def spaces_of(env: Any, agent: Agent) -> tuple[Any, Any]:
    """Return the observation and the action space of an agent, as the environment says them now."""
    if agent is None:
        return env.observation_space, env.action_space
    return env.observation_space(agent), env.action_space(agent)


def true(flag: Any) -> bool:
    """Read a flag; what has no truth value is false here, and a finding elsewhere."""
    try:
        return bool(flag)
    except (TypeError, ValueError):
        return False


class Chooser:
    """Chooses random actions, legal ones where the environment says which are.

    Args:
        player: Whose agents act.
        seed: Of the choices.
        ring: Draw so many actions beforehand and take them in turn, to spend no time on sampling; 0 draws each.
    """

    def __init__(self, player: Player, seed: int, ring: int = 0) -> None:
        self._player, self._seed, self._ring = player, seed, ring
        self._spaces: dict[Agent, Any] = {}
        self._drawn: dict[Agent, list[Any]] = {}
        self._listed = {None, *(getattr(player.env, "possible_agents", None) or ())}
        self._found: dict[Agent, Any] = {}
        self._turn = 0
        self._random = np.random.default_rng(seed)

    def __call__(self, told: dict[Agent, Told]) -> dict[Agent, Any]:
        """Return an action for every agent that acts."""
        self._turn += 1
        return {agent: self._choose(agent, told[agent].mask) for agent in self._player.acting}

    def _choose(self, agent: Agent, mask: Any) -> Any:
        # A name that is made up while playing may mean another agent after a reset, with another space.
        if agent not in self._spaces or (agent not in self._listed and self._space(agent) != self._found[agent]):
            space = self._found[agent] = self._space(agent)
            if not isinstance(space, gymnasium.Space):
                message = f"it is of type {type(space).__name__}, which is no gymnasium.spaces.Space; use one of those"
                raise MalformedError("action space", message)
            self._spaces[agent] = copy.deepcopy(space)
            self._spaces[agent].seed(self._seed + len(self._spaces))
            self._drawn[agent] = [self._spaces[agent].sample() for _ in range(self._ring)]
        if mask is not None:
            action = self._legal(self._spaces[agent], mask)
            if action is not None:
                return action
        drawn = self._drawn[agent]
        return drawn[self._turn % len(drawn)] if drawn else self._spaces[agent].sample()

    def _space(self, agent: Agent) -> Any:
        return spaces_of(self._player.env, agent)[1]

    def _legal(self, space: Any, mask: Any) -> Any:
        """Draw among the legal actions; None if the mask does not fit."""
        if isinstance(space, Discrete):
            parts = split_mask(mask, [int(space.n)])
        elif isinstance(space, MultiDiscrete):
            parts = split_mask(mask, space.nvec.ravel().tolist())
        else:
            return None
        if parts is None or not all(part.any() for part in parts):
            return None
        chosen = [self._random.choice(np.flatnonzero(part)) for part in parts]
        return np.reshape(chosen, space.shape).astype(space.dtype)[()] + space.start


def split_mask(mask: Any, choices: list[int]) -> list[Any] | None:
    """Return a mask of all components' choices as one array a component; None if their number does not fit."""
    try:
        parts = mask if isinstance(mask, tuple | list) and len(choices) > 1 else [mask]
        whole = np.concatenate([np.ravel(np.asarray(part)) for part in parts])
    except ValueError:
        return None
    if whole.dtype.kind not in "biuf" or whole.size != sum(choices):
        return None
    return np.split(whole != 0, np.cumsum(choices)[:-1])
