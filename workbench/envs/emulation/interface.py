"""What the copies of an environment have in common: how many agents, what each observes and how it acts."""

import os
from typing import Any

import gymnasium
import numpy as np

from workbench.actions import ActionHeads
from workbench.errors import InputError
from workbench.spaces import SpaceTree

MASK = "action_mask"


class Interface:
    """What one agent observes and does, in every copy of an environment.

    Attributes:
        tree: The layout of an observation.
        heads: How a policy acts.
        agents: How many at once, at most.
        kind: "single", "parallel" or "turns".
        masked: Whether observations are dictionaries that bring an action mask.
    """

    def __init__(self, env: Any, max_agents: int | None = None) -> None:
        self.kind = kind_of(env)
        possible = list(getattr(env, "possible_agents", None) or ()) if self.kind != "single" else [None]
        if not possible and max_agents is None:
            raise InputError(f"max_agents is missing: {env} does not list possible_agents; say how many may be alive.")
        if self.kind == "single" and max_agents not in (None, 1):
            raise InputError(f"max_agents={max_agents} given with {env}, which has one agent; leave it out.")
        self.agents = len(possible) if max_agents is None else check_agents(max_agents)
        self.names = possible if len(possible) <= self.agents else []
        observation, action = _shared_spaces(env, self.kind, possible)
        self.heads = ActionHeads(action)
        self.masked = isinstance(observation, gymnasium.spaces.Dict) and MASK in observation.spaces
        self.key: str | None = None
        if self.masked:
            rest = {name: space for name, space in observation.items() if name != MASK}
            self.key = "observation" if list(rest) == ["observation"] else None
            observation = rest["observation"] if self.key else gymnasium.spaces.Dict(rest)
        self.tree = SpaceTree(observation)

    @property
    def choices(self) -> int:
        """How many choices all discrete components have together: the length of an action mask."""
        return int(sum(self.heads.nvec))


def check_agents(agents: Any) -> int:
    """Return `agents`.

    Raises:
        InputError: If it is not a positive integer.
    """
    if isinstance(agents, bool) or not isinstance(agents, int | np.integer) or agents < 1:
        raise InputError(f"max_agents={agents!r} is not a number of agents; pass an integer of at least 1.")
    return int(agents)


def kind_of(env: Any) -> str:
    """Tell what `env` is: "single", "parallel" or "turns".

    Raises:
        InputError: If it is neither Gymnasium's nor PettingZoo's.
    """
    if isinstance(env, gymnasium.Env):
        return "single"
    if hasattr(env, "agent_iter"):
        return "turns"
    if hasattr(env, "possible_agents") or hasattr(env, "agents"):
        return "parallel"
    raise InputError(
        f"env made a {type(env).__name__}, which is no gymnasium.Env, ParallelEnv or AECEnv; derive it from one."
    )


def _shared_spaces(env: Any, kind: str, possible: list[Any]) -> tuple[Any, Any]:
    if kind == "single":
        return env.observation_space, env.action_space
    if not possible:
        env.reset()
        possible = list(env.agents)
    observation, action = env.observation_space(possible[0]), env.action_space(possible[0])
    for agent in possible[1:]:
        for what, space, first in (
            ("observation", env.observation_space(agent), observation),
            ("action", env.action_space(agent), action),
        ):
            if space != first:
                raise InputError(
                    f"{what} space {space} of agent {agent!r} differs from {first} of {possible[0]!r}, and one policy "
                    f"acts for all; pad them alike (SuperSuit's pad_observations_v0 and pad_action_space_v0 do)."
                )
    return observation, action


def check_count(name: str, value: Any, most: int) -> int:
    """Return `value`, from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= most:
        raise InputError(f"{name}={value!r} is out of range; pass an integer from 1 to {most}.")
    return int(value)


def check_workers(workers: int | None, backend: str, environments: int) -> int:
    """Return how many workers step; one a core if None."""
    if backend == "serial":
        if workers not in (None, 1):
            raise InputError(f"workers={workers} given with backend='serial', which has none; leave it out.")
        return 1
    return min(os.cpu_count() or 1, environments) if workers is None else check_count("workers", workers, environments)


def check_timeout(timeout: Any) -> float:
    """Return seconds above 0."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise InputError(f"timeout={timeout!r} is no time; pass seconds above 0.")
    return float(timeout)
