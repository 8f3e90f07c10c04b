"""Train native CartPole for a thousand million steps in one run, and look after what must not grow.

    python benchmarks/billion.py [--steps 1000000000] [--lanes 4096] [--output benchmarks/results/billion.json]

While it trains: resident memory, open descriptors, and the files and bytes of the run directory. At the end: the
metrics are read back, the last checkpoint is loaded, and training goes on from it. Prints JSON. Linux only.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path

import workbench as wb
from workbench.hyperparameters import values
from workbench.machine import processor, processors, versions

SAMPLES = 200
"""Looks at the run that are kept, evenly over it."""
SETTINGS = {"horizon": 32, "epochs": 1}
MORE = 4
"""Iterations that the loaded run goes on for."""


def resident():
    """Return the bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def look(trainer, run_dir):
    """Return what may grow."""
    sizes = []
    for path in run_dir.rglob("*"):
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except FileNotFoundError:  # an old checkpoint, removed meanwhile
            continue
    return {
        "steps": trainer.steps,
        "seconds": trainer.seconds,
        "resident_bytes": resident(),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "files": len(sizes),
        "bytes": sum(sizes),
    }


def train(trainer, steps, run_dir, interval):
    """Train, and look every `interval` seconds; return what was seen meanwhile."""
    seen = []
    trainer.start(steps)
    while True:
        try:
            trainer.wait(timeout=interval)
        except TimeoutError:
            seen.append(look(trainer, run_dir))
        else:
            return seen or [look(trainer, run_dir)]


def growth(seen, name):
    """Return how much a number grew over the second half of a run, in parts of what it was at its middle."""
    middle = next(each for each in seen if each["steps"] >= seen[-1]["steps"] / 2)
    return seen[-1][name] / middle[name] - 1


def iterations(metrics):
    """Count the iterations behind the rows: quick ones share a row."""
    return int(metrics.series("iterations")[1].sum())


def readable(run_dir, steps):
    """Read the metrics back."""
    metrics = wb.read_metrics(run_dir)
    at, returns = metrics.series("episode_return")
    return {
        "rows": len(metrics),
        "iterations": iterations(metrics),
        "columns": metrics.names(),
        "last_steps": metrics.last("steps"),
        "complete": metrics.last("steps") == steps and bool((at[1:] > at[:-1]).all()),
        "last_return": float(returns[-1]),
    }


def goes_on(run_dir, more):
    """Load the run, and train `more` iterations."""
    again = wb.load(run_dir)
    before, known = again.steps, iterations(again.metrics)
    again.train(more * again.env.lanes * again.algorithm.horizon)
    found = {
        "from": before,
        "to": again.steps,
        "iterations": iterations(again.metrics) - known,
        "finite": math.isfinite(again.metrics.last("value_loss")),
        "mean_return": again.evaluate(100).mean,
    }
    again.close()
    return found


def main():
    """Train, look, read, load, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=lambda text: int(float(text)), default=1_000_000_000)
    parser.add_argument("--lanes", type=int, default=4096)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks")
    parser.add_argument("--output", type=Path, help="file for the record as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        trainer = wb.Trainer("CartPole-v1", wb.PPO(**SETTINGS), lanes=options.lanes, backend="native", run_dir=run_dir)
        seen = train(trainer, options.steps, run_dir, options.interval)
        steps, seconds, configuration = trainer.steps, trainer.seconds, values(trainer.algorithm)
        trainer.close()
        record = {
            "machine": f"{processor()}, {processors()} cores",
            "versions": versions(),
            "configuration": configuration | {"lanes": options.lanes},
            "steps": steps,
            "seconds": seconds,
            "steps_per_second": steps / seconds,
            "growth_in_the_second_half": {
                name: growth(seen, name) for name in ("resident_bytes", "descriptors", "files", "bytes")
            },
            "metrics": readable(run_dir, steps),
            "resumed": goes_on(run_dir, MORE),
            "seen": [*seen[: -1 : -(-len(seen) // SAMPLES)], seen[-1]],
        }
    text = json.dumps(record, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
