"""The oracle and the debugger: plain Python loops over numpy arrays, one lane at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np


def vector_reset(environment: Any) -> Callable[..., None]:
    """Build the function that resets every lane."""

    def reset(state: Any, random: Any, elapsed: Any, observation: Any) -> None:
        for i in range(state.shape[1]):
            environment.reset(i, state, random)
            elapsed[i] = 0
            environment.observe(i, state, observation)

    return reset


def vector_step(environment: Any) -> Callable[..., None]:
    """Build the function that advances every lane by one step and resets those that ended."""

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
        for i in range(state.shape[1]):
            environment.step(i, state, action, reward, terminated, random)
            elapsed[i] += 1
            truncated[i] = elapsed[i] >= limit
            environment.observe(i, state, final_observation)
            if terminated[i] or truncated[i]:
                environment.reset(i, state, random)
                elapsed[i] = 0
            environment.observe(i, state, observation)

    return step


def scan(kernel: Callable[..., None], *, reverse: bool) -> Callable[..., None]:
    """Build the loops over time (backwards if `reverse`) and lanes; the first argument is [T, B]."""

    def run(*arguments: np.ndarray) -> None:
        horizon, lanes = arguments[0].shape
        times = range(horizon - 1, -1, -1) if reverse else range(horizon)
        for t in times:
            for i in range(lanes):
                kernel(t, i, *arguments)

    return run
