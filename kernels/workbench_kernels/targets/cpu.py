"""Vector units and threads: numba compiles a driver around the lane functions, blocks of lanes spread over threads.

The machine code is cached on disk across processes. numba's own cache key holds the lane functions by reference only,
so each driver also closes over their `fingerprint`: an edited environment is recompiled, never served stale.
"""

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.extending import register_jitable

from workbench_kernels.targets.fingerprint import fingerprint, reachable

BLOCK = 512
"""Lanes a thread takes at a time: a CartPole block's arrays (45 bytes a lane) stay in a 32 KiB L1 cache."""

_registered: set[FunctionType] = set()
_launch = threading.Lock()


def _compilable(function: Callable[..., None]) -> Callable[..., None]:
    """Let numba inline `function` and what it calls wherever a driver names them."""
    for part in reachable(function):  # type: ignore[arg-type]
        if part not in _registered:
            register_jitable(part)
            _registered.add(part)
    return function


def _compile(driver: Callable[..., None], parallel: bool, **options: Any) -> Callable[..., None]:
    """Compile `driver`.

    Parallel launches take turns: one already uses every core, and not every threading layer that numba may find is safe
    to enter twice.
    """
    compiled: Callable[..., None] = numba.njit(
        parallel=parallel, cache=True, nogil=True, error_model="numpy", **options
    )(driver)
    if not parallel:
        return compiled

    def launch(*arguments: Any) -> None:
        with _launch:
            compiled(*arguments)

    return launch


def vector_reset(environment: Any) -> Callable[..., None]:
    """Build the function that resets every lane."""
    key = fingerprint(environment.reset, environment.observe)
    reset_lane, observe_lane = _compilable(environment.reset), _compilable(environment.observe)

    def reset(state: Any, random: Any, elapsed: Any, observation: Any) -> None:
        _ = key
        for i in range(state.shape[1]):
            reset_lane(i, state, random)
            elapsed[i] = 0
            observe_lane(i, state, observation)

    return _compile(reset, parallel=False)


def vector_step(environment: Any, *, parallel: bool = True) -> Callable[..., None]:
    """Build the function that advances every lane by one step and resets those that ended.

    The loops are apart so that each vectorises, and lanes are counted by unsigned integers: a signed index might be
    negative, and the test for Python's wraparound keeps the vectoriser from knowing the addresses. Resets are rare: the
    lanes that ended are listed first, then reset one by one (a masked vector reset of every lane took as long as
    everything else together).
    """
    key = (fingerprint(environment.reset, environment.step, environment.observe), parallel)
    reset_lane, step_lane = _compilable(environment.reset), _compilable(environment.step)
    observe_lane = _compilable(environment.observe)

    def step(
        state: Any,
        random: Any,
        elapsed: Any,
        limit: Any,
        action: Any,
        reward: Any,
        terminated: Any,
        truncated: Any,
        final_observation: Any,
        observation: Any,
    ) -> None:
        _ = key
        lanes = state.shape[1]
        for block in numba.prange((lanes + BLOCK - 1) // BLOCK):
            start = np.uintp(block * BLOCK)
            end = np.uintp(min(block * BLOCK + BLOCK, lanes))
            for i in range(start, end):
                step_lane(i, state, action, reward, terminated, random)
            for i in range(start, end):
                elapsed[i] += 1
                truncated[i] = elapsed[i] >= limit
            for i in range(start, end):
                observe_lane(i, state, final_observation)
            ended = np.empty(BLOCK, np.uint32)
            count = 0
            for i in range(start, end):
                ended[count] = i
                count += terminated[i] | truncated[i]
            for k in range(count):
                lane = np.uintp(ended[k])
                reset_lane(lane, state, random)
                elapsed[lane] = 0
            for i in range(start, end):
                observe_lane(i, state, observation)

    return _compile(step, parallel)


def scan(kernel: Callable[..., None], *, reverse: bool, parallel: bool = True) -> Callable[..., None]:
    """Build the loops over time (backwards if `reverse`) and lanes; the first argument is [T, B]."""
    key = (fingerprint(kernel), reverse, parallel)
    cell = _compilable(kernel)

    def run(first: Any, *arguments: Any) -> None:
        _ = key
        horizon, lanes = first.shape
        for block in numba.prange((lanes + BLOCK - 1) // BLOCK):
            start = np.uintp(block * BLOCK)
            end = np.uintp(min(block * BLOCK + BLOCK, lanes))
            for k in range(horizon):
                t = horizon - 1 - k if reverse else k
                for i in range(start, end):
                    cell(t, i, first, *arguments)

    # A scan allocates nothing, so numba may leave reference counts alone: touched in the inner loop, where arguments
    # come out of a tuple, they keep it from vectorising (GAE on [128, 4096]: 0.60 ms with them, 0.19 ms without).
    return _compile(run, parallel, _nrt=False)
