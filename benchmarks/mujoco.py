"""Measure the steps per second of a MuJoCo task: native, through worker processes, and Gymnasium's own vectors.

    python benchmarks/mujoco.py [ID] [--lanes 64] [--workers 2] [--seconds 1.0] [--repeats 5] [--json]

All lanes together, random actions drawn beforehand, autoreset in the same step. The candidates take turns within every
repeat, so that what else the machine does falls on all of them; the figure is the median, and of a ratio the median of
the repeats' ratios.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# MuJoCo's package has this file's name, which would hide it.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path).resolve() != ROOT / "benchmarks")]

import gymnasium  # noqa: E402
import numpy as np  # noqa: E402
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv  # noqa: E402

RING = 16
NATIVE = "native"


def candidates(id, lanes, workers):
    """Return what builds each vector environment, by name."""
    from workbench.envs import make
    from workbench.envs.mujoco import MujocoVectorEnvironment

    one = [lambda: gymnasium.make(id)] * lanes
    same_step = AutoresetMode.SAME_STEP
    return {
        NATIVE: lambda: MujocoVectorEnvironment(id, lanes, threads=workers),
        "native, one thread": lambda: MujocoVectorEnvironment(id, lanes, threads=1),
        "processes": lambda: make(id, lanes, backend="processes", workers=workers),
        "gymnasium, sync": lambda: SyncVectorEnv(one, autoreset_mode=same_step),
        "gymnasium, async": lambda: AsyncVectorEnv(one, autoreset_mode=same_step),
    }


def rate(env, ring, seconds):
    """Step `env` for that long; return environment steps per second."""
    start, count, elapsed = time.perf_counter(), 0, 0.0
    while elapsed < seconds:
        for actions in ring:
            env.step(actions)
        count += len(ring)
        elapsed = time.perf_counter() - start
    return count * env.num_envs / elapsed


def measure(id="HalfCheetah-v5", lanes=64, workers=2, seconds=1.0, repeats=5, names=None):
    """Measure the candidates, or those in `names`; return `steps_per_second`, `repeats` and `native_is_faster_by`.

    Args:
        id: A native MuJoCo task.
        lanes: Copies of the environment in each.
        workers: Threads of the native ones, and processes of ours; Gymnasium's async has one process a lane.
        seconds: Each candidate's turn.
        repeats: Turns of each.
        names: Which candidates.
    """
    chosen = {name: build for name, build in candidates(id, lanes, workers).items() if names is None or name in names}
    space, draw = gymnasium.make(id).action_space, np.random.default_rng(0)
    ring = list(draw.uniform(space.low, space.high, (RING, lanes, *space.shape)).astype(np.float32))
    envs = {name: build() for name, build in chosen.items()}
    rates = {name: [] for name in envs}
    try:
        for env in envs.values():
            env.reset(seed=0)
            env.step(ring[0])
        for _ in range(repeats):
            for name, env in envs.items():
                rates[name].append(rate(env, ring, seconds))
    finally:
        for env in envs.values():
            env.close()
    return {
        "id": id,
        "lanes": lanes,
        "workers": workers,
        "steps_per_second": {name: statistics.median(each) for name, each in rates.items()},
        "repeats": rates,
        "native_is_faster_by": {
            name: statistics.median(a / b for a, b in zip(rates[NATIVE], each, strict=True))
            for name, each in rates.items()
            if NATIVE in rates and name != NATIVE
        },
    }


def show(result):
    """Print a table."""
    print(f"{result['id']}, {result['lanes']} lanes, {result['workers']} workers")
    for name, rate in result["steps_per_second"].items():
        faster = result["native_is_faster_by"].get(name)
        print(f"{name:20} {rate:10,.0f} steps/s" + (f"   native is faster {faster:.2f} times" if faster else ""))


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("id", nargs="?", default="HalfCheetah-v5")
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = vars(parser.parse_args())
    as_json = arguments.pop("json")
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where MuJoCo logs what Gymnasium's models make it say
        try:
            result = measure(**arguments)
        finally:
            os.chdir(before)
    if as_json:
        json.dump(result, sys.stdout, indent=2)
        print()
    else:
        show(result)


if __name__ == "__main__":
    main()
