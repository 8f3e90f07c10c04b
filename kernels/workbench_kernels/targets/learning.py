"""The learner on vector units and threads: `workbench_kernels.learner`, compiled around an environment."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from workbench_kernels.arrays import aligned
from workbench_kernels.environment import Environment
from workbench_kernels.learner import categorical, network, normal, rollout, team, tiles, update
from workbench_kernels.learner.team import TICKET
from workbench_kernels.spaces import Discrete
from workbench_kernels.targets import cpu, drivers, matrix, signals
from workbench_kernels.targets.fingerprint import fingerprint

SHAPE = matrix.block()
matrix.register(SHAPE)

HOW = [
    cpu.HOW,
    SHAPE,
    *(hashlib.sha256(Path(f).read_bytes()).hexdigest() for f in (__file__, matrix.__file__, signals.__file__)),
]
"""What decides the machine code beside the learner's functions."""

cpu._registered.update((team.claim, team.advance, team.wait))

SPINS = 4096
"""Looks at a counter before a thread sleeps: some ten microseconds."""

SLICE = 1000
"""Milliseconds a thread sleeps at most before it looks again."""

WORDS = signals.WORDS

announce, await_value = register_jitable(signals._advance), register_jitable(signals._await)


@overload(team.claim)
def _(team, end):
    def implementation(team, end):
        row = TICKET * WORDS
        while True:
            piece = signals._load(team, row)
            if piece >= np.uint32(end):
                return -1
            if signals._exchange(team, row, piece, np.uint32(piece + np.uint32(1))):
                return np.int64(piece)

    return implementation


@overload(team.advance)
def _(team, counter):
    def implementation(team, counter):
        announce(team, counter, np.uint32(1))

    return implementation


@overload(team.wait)
def _(team, counter, value):
    def implementation(team, counter, value):
        while not await_value(team, counter, np.uint32(value), SPINS, SLICE):
            pass

    return implementation


def policy_of(environment: Environment) -> Any:
    """Return the module of the policy that acts in `environment`."""
    return categorical if isinstance(environment.action, Discrete) else normal


@functools.cache
def compile_rollout(environment: Environment) -> Callable[..., Any]:
    """Build `learner.rollout.rollout` for `environment`; threads with workspaces of their own share one team."""
    chosen = policy_of(environment)
    policy = {"choose": chosen.choose, "hand_over": chosen.hand_over}
    key = fingerprint(rollout.tile_rollout, rollout.rollout, *policy.values(), extra=[HOW, cpu._key(environment)])
    names = cpu._names(environment)
    body = drivers.step_together if environment.lane_major else drivers.step_apart
    part = register_jitable(drivers.bind(body, key, **names))
    see = names.get("see", drivers.see)
    bound = cpu.compilable(drivers.bind(rollout.tile_rollout, key, see=see, part=part, **policy), part)
    return cpu._compile(drivers.bind(rollout.rollout, key, tile_rollout=bound))  # type: ignore[no-any-return]


@functools.cache
def compile_learn(policy: Any) -> Callable[..., Any]:
    """Build `learner.update.learn` for a policy's module; threads with workspaces of their own share one team."""
    names = {name: getattr(policy, name) for name in ("judge", "slopes", "PARAMETERS")}
    key = fingerprint(update.learn, names["judge"], names["slopes"], extra=[HOW, policy.PARAMETERS])
    share_gradient = cpu.compilable(drivers.bind(update.share_gradient, key, **names))
    driver = drivers.bind(update.learn, key, share_gradient=share_gradient, PARAMETERS=policy.PARAMETERS)
    return cpu._compile(cpu.compilable(driver))  # type: ignore[no-any-return]


def compile_for(compiled: Callable[..., Any], *arguments: Any) -> None:
    """Compile a driver for what it will be called with, or load it from the cache."""
    if not cpu.UNCOMPILED:
        compiled.compile(tuple(map(numba.typeof, arguments)))  # type: ignore[attr-defined]


def new_team() -> Any:
    """Return the counters of a team, a cache line apart."""
    return aligned((team.COUNTERS * WORDS,), np.uint32)


def workspace(inputs: int, width: int, depth: int, outputs: int, horizon: int) -> int:
    """Return how many floats a worker's workspace has."""
    rows: int = max(network.rows_of(width, depth, outputs) + inputs, horizon)
    return rows * tiles.LANES
