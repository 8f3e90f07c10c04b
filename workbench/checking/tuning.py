"""Measure vectorised settings on this machine and keep the fastest: successive halving within a bounded time."""

import ast
import inspect
import keyword
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from gymnasium.spaces import Dict, Discrete, MultiDiscrete

from workbench import envs
from workbench.checking.speed import Settings

ROUNDS = 3
RING = 8
"""Batches of random actions that are drawn beforehand."""


@dataclass(frozen=True)
class Row:
    """Settings, the steps per second of all lanes together, and what went wrong if nothing was measured."""

    settings: Settings
    steps_per_second: float | None
    failure: str = ""


@dataclass(frozen=True)
class Tuning:
    """What was measured, the fastest first.

    Attributes:
        rows: One for each setting that was tried.
        code: A line that makes the environment with the fastest settings; empty if all failed. What has no
            literal stands there as a name: `env` for a lambda, an option's own for an object.
        left: Settings for which there was no time.
    """

    rows: tuple[Row, ...]
    code: str
    left: int

    @property
    def best(self) -> Settings | None:
        """The fastest settings; None if all failed."""
        return self.rows[0].settings if self.rows and self.rows[0].steps_per_second is not None else None

    def lines(self) -> list[tuple[str, str]]:
        """Write it as names and values."""
        lines = [(row.settings.text(), row.failure or f"{row.steps_per_second:,.0f} steps/s") for row in self.rows]
        if self.left:
            lines.append(("", f"no time for {self.left} more; give it longer"))
        return [*lines, ("best", self.code or "none works")]


def candidates(first: Settings, cores: int) -> list[Settings]:
    """Return the settings to try, the most promising first: the recommended ones, and their neighbours."""
    if first.backend == "native":
        return list(_native(first.lanes, cores))
    found = [first]
    plain = first.lanes if first.batch is None else first.batch
    crowd = cores if first.workers is None else first.workers
    for lanes in (plain, 4 * plain, max(1, plain // 4)):
        found.append(Settings("serial", lanes))
        for backend in ("processes", "threads"):
            found += [Settings(backend, max(lanes, workers), workers) for workers in sorted({cores, crowd, 2 * cores})]
    distinct = {tuple(settings.arguments().items()): settings for settings in reversed(found)}
    return sorted(distinct.values(), key=lambda settings: _distance(settings, first))


def _distance(settings: Settings, first: Settings) -> float:
    lanes = abs(math.log2(settings.lanes / first.lanes))
    return lanes + (settings.backend != first.backend) + (settings.workers != first.workers)


def _native(most: int, cores: int) -> Iterator[Settings]:
    for lanes in (most, 4 * most, most // 4, most // 16):
        for threads in sorted({1, cores}):
            yield Settings("native", lanes, threads=threads)


def tune(
    env: Any,
    recommended: Settings,
    *,
    cores: int,
    seconds: float = 20.0,
    options: Mapping[str, Any] | None = None,
    make: Callable[..., Any] = envs.make,
    clock: Callable[[], float] = time.perf_counter,
) -> Tuning:
    """Measure settings near the recommended ones with random actions.

    Each round measures those that are left, and leaves the faster half; the next measures them for longer.

    Args:
        env: As for `workbench.make`.
        recommended: Where to begin.
        cores: Usable here.
        seconds: How long it may take, but that what was begun is ended, and one setting is always measured.
        options: Of the environment.
        make: Builds a vector environment; `workbench.make` by default.
        clock: Seconds.
    """
    given = dict(options or {})
    rows: dict[int, Row] = {}
    left = dict(enumerate(candidates(recommended, cores)))
    begin, untried = clock(), set(left)
    for _ in range(ROUNDS):
        # A round has its share of the time, and as much of it goes into building as into stepping.
        slice_ = seconds / ROUNDS / len(left) / 2
        for index, settings in left.items():
            if rows and clock() - begin > seconds:
                break
            rows[index] = _measure(settings, partial(make, env, **settings.arguments(), **given), slice_, clock)
            untried.discard(index)
        working = sorted((index for index in left if index in rows and rows[index].steps_per_second), key=_rate(rows))
        left = {index: left[index] for index in working[: math.ceil(len(working) / 2)]}
        if len(left) < 2:
            break
    # Among those of the last round: what was measured for a moment only may have been lucky.
    order = sorted(rows, key=lambda index: (index not in left, _rate(rows)(index)))
    ordered = tuple(rows[index] for index in order)
    best = ordered[0] if ordered and ordered[0].steps_per_second else None
    code = f"wb.make({', '.join([_name(env), best.settings.text(), *_spell(given)])})" if best else ""
    return Tuning(ordered, code, len(untried))


def _rate(rows: Mapping[int, Row]) -> Callable[[int], float]:
    """Return what sorts the fastest first, and failures last."""
    return lambda index: -(rows[index].steps_per_second or 0.0)


def _measure(settings: Settings, build: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> Row:
    """Build a vector environment, step it for a while, close it."""
    try:
        env = build()
        try:
            return Row(settings, _drive(env, seconds, clock))
        finally:
            env.close()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # settings that do not work are a result, even if the environment exits
        return Row(settings, None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")


def _drive(env: Any, seconds: float, clock: Callable[[], float]) -> float:
    """Return the steps per second of living agents; a first step is not counted."""
    env.action_space.seed(0)
    ring = [env.action_space.sample() for _ in range(RING)]
    random = np.random.default_rng(0)
    _, info = env.reset(seed=0)
    taken, calls, begin = 0, 0, clock()
    while calls < 2 or clock() - begin < seconds:
        mask = info.get("action_mask")
        actions = ring[calls % RING]
        if mask is not None:
            actions = _legal(env.single_action_space, actions, mask, random)
        _, reward, _, _, info = env.step(actions)
        calls += 1
        if calls == 1:
            begin = clock()
            continue
        taken += int(np.count_nonzero(info["active"])) if "active" in info else len(reward)
    return taken / (clock() - begin)


def _legal(space: Any, actions: Any, mask: Any, random: np.random.Generator) -> Any:
    """Draw the discrete part of `actions` anew, among what `mask` [B, N] or [B, A, N] allows."""
    if isinstance(space, Dict):
        return {**actions, "discrete": _legal(space["discrete"], actions["discrete"], mask, random)}
    weighted = random.random(mask.shape) * mask
    if isinstance(space, MultiDiscrete) and mask.ndim == 2:
        parts = np.split(weighted, np.cumsum(space.nvec)[:-1], axis=-1)
        return np.stack([part.argmax(axis=-1) for part in parts], axis=-1)
    return weighted.argmax(axis=-1) if isinstance(space, Discrete | MultiDiscrete) else actions


def _name(env: Any) -> str:
    """Write `env` as the user would: "env" where it has no name that can be written."""
    if isinstance(env, str):
        return repr(env)
    name = getattr(env, "__qualname__", "")
    bound = inspect.ismethod(env) and not isinstance(env.__self__, type)
    plain = not bound and all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
    return name if plain else "env"


def _spell(options: Mapping[str, Any]) -> list[str]:
    """Write options as keyword arguments, what has no literal by its name."""
    return [f"{name}={_literal(_plain(value)) or name}" for name, value in options.items()]


def _plain(value: Any) -> Any:
    """Turn numpy's numbers and arrays, in containers too, into Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if type(value) is dict:
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple, set) else value


def _literal(value: Any) -> str:
    """Return what evaluates to `value` without any import; "" if nothing does."""
    if type(value) is float and not math.isfinite(value):
        return f"float({str(value)!r})"
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return ""
    return repr(value)
