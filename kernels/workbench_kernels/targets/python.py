"""The oracle and the debugger: plain Python loops over numpy arrays, one lane at a time."""

from collections.abc import Callable

import numpy as np

from workbench_kernels.buffers import Buffers
from workbench_kernels.environment import Environment


def _show(environment: Environment, i: int, b: Buffers) -> None:
    environment.observe(i, b.state, b.observation)
    environment.action_mask(i, b.state, b.action_mask)
    environment.global_state(i, b.state, b.global_state)


def vector_reset(environment: Environment) -> Callable[[Buffers], None]:
    """Build the function that resets every lane."""

    def reset(b: Buffers) -> None:
        for i in range(b.lanes):
            environment.reset(i, b.state, b.random)
            b.elapsed[i] = 0
            _show(environment, i, b)

    return reset


def vector_step(environment: Environment) -> Callable[[Buffers, int, bool], None]:
    """Build the function that advances every lane by one step and resets those that ended."""

    def step(b: Buffers, limit: int, autoreset: bool = True) -> None:
        for i in range(b.lanes):
            environment.step(i, b.state, b.action, b.reward, b.terminated, b.random)
            b.elapsed[i] += 1
            b.truncated[i] = b.elapsed[i] >= limit
            environment.cost(i, b.state, b.cost)
            if autoreset and (np.all(b.terminated[..., i]) or b.truncated[i]):
                environment.observe(i, b.state, b.final_observation)
                environment.global_state(i, b.state, b.final_global_state)
                environment.reset(i, b.state, b.random)
                b.elapsed[i] = 0
            _show(environment, i, b)

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
