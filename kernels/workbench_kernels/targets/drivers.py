"""The loops around lane functions, for targets that compile: one body each, whose names a target binds.

`bind` gives a driver the lane functions as globals, not as closures, and a name that holds the fingerprint of all that
it is made of. numba keys its disk cache by name and code, not by globals: the machine code is found again in every
later process, and never served for an edited environment.

A driver takes the `addresses` of the arrays, in the order of `workbench_kernels.buffers.fields`, and the number of
lanes; `see` makes arrays of them.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from workbench_kernels.environment import Environment, nothing

loop = range  # numba.prange where threads share the blocks
BLOCK = 512
reset_lane = step_lane = observe_lane = mask_lane = cost_lane = global_lane = cell = nothing


def see(addresses, lanes):  # noqa: ARG001
    """Return the arrays."""
    return addresses


def one_agent(i, terminated):
    """Return whether lane `i` is over."""
    return terminated[i]


def every_agent(i, terminated):
    """Return whether all agents of lane `i` are terminated."""
    over = True
    for a in range(terminated.shape[0]):
        over &= terminated[a, i]
    return over


over_lane = one_agent


def reset(addresses, lanes):
    """Start an episode in every lane."""
    (
        state,
        random,
        elapsed,
        action,
        reward,
        cost,
        terminated,
        truncated,
        observation,
        final_observation,
        action_mask,
        global_state,
        final_global_state,
        ended,
    ) = see(addresses, lanes)
    for lane in range(lanes):
        i = np.uintp(lane)
        reset_lane(i, state, random)
        elapsed[i] = 0
        observe_lane(i, state, observation)
        mask_lane(i, state, action_mask)
        global_lane(i, state, global_state)


def step_apart(addresses, lanes, limit, autoreset):
    """Advance every lane, stage by stage over a block of lanes.

    The loops are apart so that each vectorises, and lanes are counted by unsigned integers: a signed index might be
    negative, and the test for Python's wraparound keeps the vectoriser from knowing the addresses. Resets are rare: the
    lanes that ended are listed first, then reset one by one.
    """
    (
        state,
        random,
        elapsed,
        action,
        reward,
        cost,
        terminated,
        truncated,
        observation,
        final_observation,
        action_mask,
        global_state,
        final_global_state,
        ended,
    ) = see(addresses, lanes)
    for block in loop((lanes + BLOCK - 1) // BLOCK):
        start = np.uintp(block * BLOCK)
        end = np.uintp(min(block * BLOCK + BLOCK, lanes))
        for i in range(start, end):
            step_lane(i, state, action, reward, terminated, random)
        for i in range(start, end):
            elapsed[i] += 1
            truncated[i] = elapsed[i] >= limit
        for i in range(start, end):
            cost_lane(i, state, cost)
        for i in range(start, end):
            observe_lane(i, state, observation)
        for i in range(start, end):
            mask_lane(i, state, action_mask)
        for i in range(start, end):
            global_lane(i, state, global_state)
        count = np.uintp(0)
        for i in range(start, end):
            ended[start + count] = i
            count += np.uintp((over_lane(i, terminated) | truncated[i]) & autoreset)
        for k in range(start, start + count):
            lane = np.uintp(ended[k])
            observe_lane(lane, state, final_observation)
            global_lane(lane, state, final_global_state)
            reset_lane(lane, state, random)
            elapsed[lane] = 0
            observe_lane(lane, state, observation)
            mask_lane(lane, state, action_mask)
            global_lane(lane, state, global_state)


def step_together(addresses, lanes, limit, autoreset):
    """Advance every lane, one after the other: for lanes whose components lie side by side."""
    (
        state,
        random,
        elapsed,
        action,
        reward,
        cost,
        terminated,
        truncated,
        observation,
        final_observation,
        action_mask,
        global_state,
        final_global_state,
        ended,
    ) = see(addresses, lanes)
    for block in loop((lanes + BLOCK - 1) // BLOCK):
        start = np.uintp(block * BLOCK)
        end = np.uintp(min(block * BLOCK + BLOCK, lanes))
        for i in range(start, end):
            step_lane(i, state, action, reward, terminated, random)
            elapsed[i] += 1
            truncated[i] = elapsed[i] >= limit
            cost_lane(i, state, cost)
            if (over_lane(i, terminated) | truncated[i]) & autoreset:
                observe_lane(i, state, final_observation)
                global_lane(i, state, final_global_state)
                reset_lane(i, state, random)
                elapsed[i] = 0
            observe_lane(i, state, observation)
            mask_lane(i, state, action_mask)
            global_lane(i, state, global_state)


def scan_forwards(width, first, *arguments):
    """Run a recursion from the first step to the last, `width` lanes at a time; the first argument is [T, B]."""
    horizon, lanes = first.shape
    for block in loop((lanes + width - 1) // width):
        start = np.uintp(block * width)
        end = np.uintp(min(block * width + width, lanes))
        for t in range(horizon):
            for i in range(start, end):
                cell(t, i, first, *arguments)


def scan_backwards(width, first, *arguments):
    """Run a recursion from the last step to the first, `width` lanes at a time; the first argument is [T, B]."""
    horizon, lanes = first.shape
    for block in loop((lanes + width - 1) // width):
        start = np.uintp(block * width)
        end = np.uintp(min(block * width + width, lanes))
        for k in range(horizon):
            for i in range(start, end):
                cell(horizon - 1 - k, i, first, *arguments)


def lane_functions(environment: Environment) -> dict[str, Callable[..., Any]]:
    """Return the names that the drivers use, bound to the functions of `environment`."""
    return {
        "reset_lane": environment.reset,
        "step_lane": environment.step,
        "observe_lane": environment.observe,
        "mask_lane": environment.action_mask,
        "cost_lane": environment.cost,
        "global_lane": environment.global_state,
        "over_lane": one_agent if environment.agents == 1 else every_agent,
    }


def bind(driver: Callable[..., None], key: int, **names: Any) -> FunctionType:
    """Return `driver` with its globals replaced by `names` where they are named, and `key` in its own name."""
    assert isinstance(driver, FunctionType)
    bound = FunctionType(driver.__code__, {**driver.__globals__, **names}, driver.__name__)
    bound.__module__ = driver.__module__
    bound.__qualname__ = f"{driver.__name__}_{key:016x}"
    return bound
