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

GROUP = np.uintp(64)
NONE, FIRST = np.uint64(0), np.uint64(1)


def ending(terminated, truncated, first, count):
    """Return which of the `count` lanes from `first` on ended, a bit a lane; a target may know a faster way."""
    bits = NONE
    for k in range(count):
        lane = first + np.uintp(k)
        bits |= np.uint64(over_lane(lane, terminated) | truncated[lane]) << np.uint64(k)
    return bits


def lowest(bits):
    """Return the place of the lowest bit that is set."""
    place = np.uintp(0)
    while not (bits >> np.uint64(place)) & FIRST:
        place += np.uintp(1)
    return place


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
    ) = see(addresses, lanes)
    for lane in range(lanes):
        i = np.uintp(lane)
        reset_lane(i, state, random)
        elapsed[i] = 0
        observe_lane(i, state, observation)
        mask_lane(i, state, action_mask)
        global_lane(i, state, global_state)


def step_apart(addresses, lanes, first, last, limit, autoreset):
    """Advance the lanes from `first` to before `last`, stage by stage over a block of lanes.

    The loops are apart so that each vectorises, and lanes are counted by unsigned integers: a signed index might be
    negative, and the test for Python's wraparound keeps the vectoriser from knowing the addresses. Resets are rare: the
    lanes that ended are found 64 at a time, then reset one by one.
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
    ) = see(addresses, lanes)
    for begin in range(first, last, BLOCK):
        start = np.uintp(begin)
        end = np.uintp(min(begin + BLOCK, last))
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
        for group in range(start, end, GROUP):
            over = ending(terminated, truncated, np.uintp(group), min(np.uintp(end - group), GROUP))
            while autoreset and over != NONE:
                lane = np.uintp(group) + lowest(over)
                over &= over - FIRST
                observe_lane(lane, state, final_observation)
                global_lane(lane, state, final_global_state)
                reset_lane(lane, state, random)
                elapsed[lane] = 0
                observe_lane(lane, state, observation)
                mask_lane(lane, state, action_mask)
                global_lane(lane, state, global_state)


def step_together(addresses, lanes, first, last, limit, autoreset):
    """Advance the lanes from `first` to before `last`, one by one: for lanes whose components lie side by side."""
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
    ) = see(addresses, lanes)
    for begin in range(first, last, BLOCK):
        start = np.uintp(begin)
        end = np.uintp(min(begin + BLOCK, last))
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


part = step_apart


def step(addresses, lanes, limit, autoreset):
    """Advance every lane."""
    part(addresses, lanes, 0, lanes, limit, autoreset)


def step_shared(addresses, lanes, limit, autoreset, threads):
    """Advance every lane, a share of whole blocks a thread.

    The threads are given a few numbers and the table, and make their own arrays of it: handing over fourteen arrays
    took longer than half of CartPole's step.
    """
    blocks = (lanes + BLOCK - 1) // BLOCK
    share = (blocks + threads - 1) // threads * BLOCK
    for thread in loop(threads):
        part(addresses, lanes, min(thread * share, lanes), min(thread * share + share, lanes), limit, autoreset)


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
    over_lane = one_agent if environment.agents == 1 else every_agent
    return {
        "reset_lane": environment.reset,
        "step_lane": environment.step,
        "observe_lane": environment.observe,
        "mask_lane": environment.action_mask,
        "cost_lane": environment.cost,
        "global_lane": environment.global_state,
        "over_lane": over_lane,
        "ending": bind(ending, 0, over_lane=over_lane),
    }


def bind(driver: Callable[..., None], key: int, **names: Any) -> FunctionType:
    """Return `driver` with its globals replaced by `names` where they are named, and `key` in its own name."""
    assert isinstance(driver, FunctionType)
    bound = FunctionType(driver.__code__, {**driver.__globals__, **names}, driver.__name__)
    bound.__module__ = driver.__module__
    bound.__qualname__ = f"{driver.__name__}_{key:016x}"
    return bound
