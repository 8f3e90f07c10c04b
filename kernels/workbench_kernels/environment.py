"""An environment as the targets see it: functions on one lane of whole arrays, and what they need to know about them.

B: lanes, S: state rows, O: observation components, N: number of actions, K: action components, A: agents, G: components
of the global state. With more than one agent, arrays of agents lead with an axis [A, ...].

    state        [S, B] float32 or int32       action       [B] int32 (Discrete) or [K, B] float32 (Box)
    random       [3, B] uint32                 reward       [B] float32, per step
    observation  [O, B]                        terminated   [B] bool
    action_mask  [N, B] bool, 1 where legal    cost         [B] float32, per step; one a lane
    global_state [G, B] float32
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench_kernels.pictures import Picture
from workbench_kernels.spaces import Box, Discrete, Space

Lane = Callable[..., None]


def nothing(i, state, out):
    """Write nothing: stands for an output that an environment does not have."""


PARAMETERS = {
    "reset": ("i", "state", "random"),
    "step": ("i", "state", "action", "reward", "terminated", "random"),
    "observe": ("i", "state", "observation"),
    "action_mask": ("i", "state", "action_mask"),
    "cost": ("i", "state", "cost"),
    "global_state": ("i", "state", "global_state"),
}
"""What each lane function is given, in order."""


def check_time_limit(steps: Any) -> int:
    """Return `steps`.

    Raises:
        ValueError: If it is not an integer that counts up to it in int32.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or not 1 <= steps < 2**31:
        raise ValueError(f"time_limit={steps!r} is no number of steps; pass an integer from 1 to 2**31 - 1.")
    return int(steps)


@dataclass(frozen=True, eq=False)
class Environment:
    """One environment: lane functions in the numba subset, and the shapes of what they read and write.

    Attributes:
        id: Its name, with a version: "CartPole-v1".
        state: Names of the state rows.
        observation: Of one agent.
        action: Of one agent.
        time_limit: Steps after which an episode is truncated.
        reset: `reset(i, state, random)` starts an episode in lane `i`.
        step: `step(i, state, action, reward, terminated, random)` advances lane `i`. With agents, a lane is over when
            all of them are terminated in one step; an agent that terminates alone goes on as the file says.
        observe: `observe(i, state, observation)` writes every component, from the state alone.
        agents: How many act in a lane.
        action_mask: `action_mask(i, state, action_mask)` writes which actions are legal now; at least one is.
        cost: `cost(i, state, cost)` writes the cost of the step that led to the state.
        global_state: `global_state(i, state, global_state)` writes what a centralised critic may see.
        global_space: Of the global state.
        settings: Further state rows and their values: written once, before the first reset, and kept by `reset`. They
            hold options that need no other machine code, and may differ from lane to lane.
        integer: Whether the state is int32.
        lane_major: Whether the components of a lane lie side by side in memory, and not the lanes of a component:
            right for games whose step is one lane's branches, wrong for arithmetic that vectorises over lanes.
        picture: How it looks.
        optimal_return: The greatest expected undiscounted return of an episode, where it is known; of one agent.
        options: What it was built with.

    Raises:
        ValueError: If a part does not fit the others.
    """

    id: str
    state: tuple[str, ...]
    observation: Box
    action: Space
    time_limit: int
    reset: Lane
    step: Lane
    observe: Lane
    agents: int = 1
    action_mask: Lane = nothing
    cost: Lane = nothing
    global_state: Lane = nothing
    global_space: Box | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    integer: bool = False
    lane_major: bool = False
    picture: Picture | None = None
    optimal_return: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        for name, parameters in PARAMETERS.items():
            function = getattr(self, name)
            if not callable(function):
                raise ValueError(f"{name}={function!r} of {self.id!r} is not a function {name}{parameters}.")
            given = len(inspect.signature(function).parameters)
            if given != len(parameters):
                raise ValueError(
                    f"{name} of {self.id!r} takes {given} arguments; write {name}({', '.join(parameters)})."
                )
        if type(self.state) is not tuple or not self.rows or len(set(self.rows)) != len(self.rows):
            raise ValueError(f"state={self.state!r} of {self.id!r} must be names, each once, settings included.")
        if not isinstance(self.observation, Box) or not isinstance(self.action, Box | Discrete):
            raise ValueError(f"spaces of {self.id!r}: pass a Box to observation, a Box or Discrete to action.")
        check_time_limit(self.time_limit)
        for name, value in self.settings.items():
            self.check_setting(name, value)
        if self.agents < 1:
            raise ValueError(f"agents={self.agents} of {self.id!r} must be at least 1.")
        if self.has("action_mask") and not isinstance(self.action, Discrete):
            raise ValueError(f"action_mask of {self.id!r} needs a Discrete action, not {self.action}.")
        if self.has("global_state") != (self.global_space is not None):
            raise ValueError(f"global_state and global_space of {self.id!r} go together; pass both or neither.")

    def check_setting(self, name: str, value: Any) -> None:
        """Check that a state row holds `value`, a number or an array of them.

        Raises:
            ValueError: If it is not finite, or not whole where the state is int32.
        """
        given = np.asarray(value, np.float64)
        if not np.isfinite(given).all() or (self.integer and (given != np.rint(given)).any()):
            kind = "whole" if self.integer else "finite"
            raise ValueError(f"setting {name}={value!r} does not fit the state of {self.id!r}; pass {kind} numbers.")

    @property
    def rows(self) -> tuple[str, ...]:
        """Return the names of all state rows, the settings last."""
        return (*self.state, *self.settings)

    def has(self, output: str) -> bool:
        """Return whether the environment writes `output`: "action_mask", "cost" or "global_state"."""
        return getattr(self, output) is not nothing
