"""The arrays that a batch of lanes lives in. Their order and layout are the interface of every target."""

import math
from typing import Any, NamedTuple

import numpy as np

from workbench_kernels import rng
from workbench_kernels.arrays import aligned
from workbench_kernels.environment import Environment
from workbench_kernels.spaces import Box, Discrete


class Field(NamedTuple):
    """One array: its name, its dtype, and its shape without the lanes, which are the last axis.

    `lane_major` arrays lie in memory lane by lane: the first axis of the kernel's array is the fastest.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    lane_major: bool = False

    @property
    def bytes_per_lane(self) -> int:
        """Return the memory that one lane takes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def fields(environment: Environment) -> tuple[Field, ...]:
    """List the arrays in the order in which every target takes them."""
    agents = (environment.agents,) if environment.agents > 1 else ()
    action, observation, major = environment.action, environment.observation, environment.lane_major
    chosen = (action.size,) if isinstance(action, Box) else ()
    legal = action.n if isinstance(action, Discrete) and environment.has("action_mask") else 0
    whole = environment.global_space.size if environment.global_space else 0
    return (
        Field("state", "int32" if environment.integer else "float32", (len(environment.rows),), major),
        Field("random", "uint32", (rng.ROWS,)),
        Field("elapsed", "int32"),
        Field("action", action.dtype if isinstance(action, Box) else "int32", (*agents, *chosen)),
        Field("reward", "float32", agents),
        Field("cost", "float32"),
        Field("terminated", "bool", agents),
        Field("truncated", "bool"),
        Field("observation", observation.dtype, (*agents, observation.size), major),
        Field("final_observation", observation.dtype, (*agents, observation.size), major),
        Field("action_mask", "bool", (*agents, legal), major),
        Field("global_state", "float32", (whole,), major),
        Field("final_global_state", "float32", (whole,), major),
    )


class Buffers:
    """The arrays of `lanes` lanes, each [..., B], zeroed and on 64-byte boundaries, the settings written.

    Attributes:
        environment, lanes: What they were allocated for.
        arrays: In the order of `fields`; each is also an attribute by its name.
        addresses: uint64, of the arrays. The arrays are never replaced, so these hold.
    """

    saved = ("state", "random", "elapsed", "observation", "action_mask", "global_state")
    """What a checkpoint keeps: enough to go on as if nothing had happened."""

    state: np.ndarray
    random: np.ndarray
    elapsed: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    cost: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    observation: np.ndarray
    final_observation: np.ndarray
    action_mask: np.ndarray
    global_state: np.ndarray
    final_global_state: np.ndarray

    def __init__(self, environment: Environment, lanes: int) -> None:
        self.environment = environment
        self.lanes = lanes
        for name, dtype, shape, lane_major in fields(environment):
            whole = (*shape, lanes)
            setattr(self, name, aligned(whole[::-1], dtype).T if lane_major else aligned(whole, dtype))
        self.arrays: tuple[Any, ...] = tuple(getattr(self, field.name) for field in fields(environment))
        self.addresses = np.array([array.ctypes.data for array in self.arrays], np.uint64)
        for row, value in enumerate(environment.settings.values(), start=len(environment.state)):
            self.state[row] = value

    def __deepcopy__(self, memo: dict[int, Any]) -> "Buffers":
        """Return other arrays of the same content, with addresses of their own."""
        return restored(self.environment, self.lanes, self.arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (self.environment, self.lanes, self.arrays)


def restored(environment: Environment, lanes: int, arrays: tuple[Any, ...]) -> Buffers:
    """Allocate buffers and fill them with `arrays`, in the order of `fields`."""
    made = Buffers(environment, lanes)
    for array, content in zip(made.arrays, arrays, strict=True):
        array[...] = content
    return made


BUDGET = 32 * 1024
"""Bytes: the smallest L1 data cache of today's processors."""

SELDOM = ("random", "final_observation", "global_state", "final_global_state", "cost")
"""Arrays that a step touches only where an episode ends, or that few environments have."""


def block_lanes(environment: Environment) -> int:
    """Return how many lanes, a power of two from 16 to 512, a thread takes at a time so that they stay in L1."""
    per_lane = sum(field.bytes_per_lane for field in fields(environment) if field.name not in SELDOM)
    lanes = 512
    while lanes > 16 and lanes * per_lane > BUDGET:
        lanes //= 2
    return lanes
