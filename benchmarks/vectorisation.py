"""Environments that others wrote, stepped side by side: our backends beside Gymnasium's and Stable-Baselines3's.

    python benchmarks/vectorisation.py

Three environments: CartPole in Python; a dictionary of 10 kB; one that sleeps for a millisecond a step. Each
contestant is measured once a round, and the rounds are repeated, since machines are noisy: compare within the table.
"""

import argparse
import functools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import workbench as wb

LANES = 8


class Pictures(gymnasium.Env[Any, Any]):
    """Observes a dictionary of 10 kB, the same memory every time, and lives for 100 steps."""

    observation_space = gymnasium.spaces.Dict(
        {
            "image": gymnasium.spaces.Box(0, 255, (96, 96), np.uint8),
            "speeds": gymnasium.spaces.Box(-1, 1, (256,), np.float32),
            "gear": gymnasium.spaces.Discrete(5),
        }
    )
    action_space = gymnasium.spaces.Discrete(4)

    def __init__(self) -> None:
        self._observation = self.observation_space.sample()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        self._age = 0
        return self._observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Grow older."""
        self._age += 1
        self._observation["image"][0, 0] = action
        return self._observation, 1.0, self._age >= 100, False, {}


class Sleeper(gymnasium.Env[Any, Any]):
    """Waits for a millisecond a step, as for a simulator elsewhere, and lives for 200 steps."""

    observation_space = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        self._age = 0
        return np.zeros(4, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Wait."""
        time.sleep(0.001)
        self._age += 1
        return np.zeros(4, np.float32), 1.0, self._age >= 200, False, {}


ENVIRONMENTS: dict[str, Callable[[], Any]] = {
    "CartPole": functools.partial(gymnasium.make, "CartPole-v1", disable_env_checker=True),
    "10 kB dictionary": Pictures,
    "1 ms of sleep": Sleeper,
}


def ours(build: Callable[[], Any], lanes: int, **options: Any) -> tuple[Callable[[], int], Callable[[], None]]:
    """Return what takes one step of a batch and says of how many lanes, and what ends it."""
    env: Any = wb.make(build, lanes, **options)
    batch = options.get("batch", lanes)
    actions = np.zeros(batch, np.int64)
    env.reset(seed=0)

    def step() -> int:
        env.step(actions)
        return int(batch)

    return step, env.close


def gymnasiums(build: Callable[[], Any], lanes: int, kind: str) -> tuple[Callable[[], int], Callable[[], None]]:
    """Do the same with Gymnasium's SyncVectorEnv or AsyncVectorEnv."""
    env = getattr(gymnasium.vector, kind)([build] * lanes)
    actions = np.zeros(lanes, np.int64)
    env.reset(seed=0)

    def step() -> int:
        env.step(actions)
        return lanes

    return step, env.close


def stable_baselines(build: Callable[[], Any], lanes: int, kind: str) -> tuple[Callable[[], int], Callable[[], None]]:
    """Do the same with Stable-Baselines3's DummyVecEnv or SubprocVecEnv."""
    from stable_baselines3.common import vec_env

    env = getattr(vec_env, kind)([build] * lanes)
    actions = np.zeros(lanes, np.int64)
    env.reset()

    def step() -> int:
        env.step(actions)
        return lanes

    return step, env.close


def contestants(lanes: int) -> dict[str, Callable[[Callable[[], Any]], Any]]:
    """Name who steps an environment, and how."""
    return {
        "serial": functools.partial(ours, lanes=lanes, backend="serial"),
        "threads, one a lane": functools.partial(ours, lanes=lanes, backend="threads", workers=lanes),
        "processes, one a core": functools.partial(ours, lanes=lanes, backend="processes"),
        "processes, one a lane": functools.partial(ours, lanes=lanes, backend="processes", workers=lanes),
        "processes, the first half": functools.partial(
            ours, lanes=lanes, backend="processes", workers=lanes, batch=max(1, lanes // 2)
        ),
        "Gymnasium SyncVectorEnv": functools.partial(gymnasiums, lanes=lanes, kind="SyncVectorEnv"),
        "Gymnasium AsyncVectorEnv": functools.partial(gymnasiums, lanes=lanes, kind="AsyncVectorEnv"),
        "SB3 DummyVecEnv": functools.partial(stable_baselines, lanes=lanes, kind="DummyVecEnv"),
        "SB3 SubprocVecEnv": functools.partial(stable_baselines, lanes=lanes, kind="SubprocVecEnv"),
    }


def rate(step: Callable[[], int], seconds: float) -> float:
    """Return steps per second over at least `seconds`."""
    for _ in range(10):
        step()
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        count += step()
    return count / elapsed


def measure(lanes: int = LANES, seconds: float = 1.0, repeats: int = 5) -> list[dict[str, Any]]:
    """Return a row for each environment and contestant: the median of the rounds, and the extremes."""
    rows = []
    for name, build in ENVIRONMENTS.items():
        rates: dict[str, list[float]] = {who: [] for who in contestants(lanes)}
        for _ in range(repeats):
            for who, make in contestants(lanes).items():
                step, close = make(build)
                try:
                    rates[who].append(rate(step, seconds))
                finally:
                    close()
        rows += [
            {
                "environment": name,
                "what": who,
                "lanes": lanes,
                "steps_per_second": statistics.median(found),
                "lowest": min(found),
                "highest": max(found),
            }
            for who, found in rates.items()
        ]
    return rows


def ratios(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return, for each environment, how many times faster our processes are than those of others: medians."""
    found: dict[str, dict[str, float]] = {}
    for name in ENVIRONMENTS:
        median = {row["what"]: row["steps_per_second"] for row in rows if row["environment"] == name}
        best = max(median[who] for who in ("processes, one a core", "processes, one a lane"))
        found[name] = {who: best / median[who] for who in ("Gymnasium AsyncVectorEnv", "SB3 SubprocVecEnv")}
    return found


def main() -> None:
    """Print the table, or with --json all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=LANES)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.lanes, options.seconds, options.repeats)
    if options.json:
        print(json.dumps({"rows": rows, "ratios": ratios(rows)}, indent=2))
        return
    for row in rows:
        figures = f"{row['steps_per_second']:>10,.0f}  ({row['lowest']:,.0f} to {row['highest']:,.0f})"
        print(f"{row['environment']:<18}{row['what']:<28}{figures}")
    for name, found in ratios(rows).items():
        print(f"{name}: " + ", ".join(f"{ratio:.1f} times {who}" for who, ratio in found.items()))


if __name__ == "__main__":
    main()
