"""Train for an hour with the panel and eight lanes on a page of a real JupyterLab, and sample the memory of both sides.

    python benchmarks/hour.py [--minutes 60] [--every 20] [--output benchmarks/results/hour.json]

Sampled is the memory that the kernel, the page's renderer and the browser's other processes have to themselves, and
of the page, each time after its garbage was collected, the bytes of its JavaScript objects and the number of its
nodes. Prints JSON. The notebook notebooks/benchmarks/panel.ipynb draws it.
"""

import argparse
import json
import time
from pathlib import Path

from onpage import Chromium, notebook, processes
from panel import LANES, SETTINGS

from workbench.machine import processor, processors, versions

BEGIN = f"""import tempfile, workbench as wb
trainer = wb.Trainer(
    "CartPole-v1", wb.PPO(**{SETTINGS!r}), run_dir=tempfile.mkdtemp() + "/hour", lanes={LANES}, seed=1
)
trainer"""
WATCH = "trainer.watch(lanes=8)"
START = "trainer.start(10**13)"
STEPS = "Number(document.querySelector('[data-testid=\"panel-steps\"]').dataset.steps)"
NAMES = {"heap_bytes": "JSHeapUsedSize", "nodes": "Nodes", "listeners": "JSEventListeners"}


def sample(chromium: Chromium, began: float) -> dict[str, float]:
    """Return what may grow."""
    *_, metrics, steps = chromium.ask(
        ("HeapProfiler.collectGarbage", {}),
        ("Performance.enable", {}),
        ("Performance.getMetrics", {}),
        ("Runtime.evaluate", {"expression": STEPS, "returnByValue": True}),
    )
    found = {each["name"]: each["value"] for each in metrics["metrics"]}
    own = {name: sum(each.memory_full_info().uss for each in family) for name, family in processes().items()}
    return {
        "seconds": time.monotonic() - began,
        "steps": steps["result"]["value"],
        **{f"{name}_bytes": taken for name, taken in own.items()},
        **{name: found[known] for name, known in NAMES.items()},
    }


def sampled(seconds: float, every: float) -> list[dict[str, float]]:
    """Train for so long, and return the samples."""
    with notebook([BEGIN, WATCH, START]) as chromium:
        began, seen = time.monotonic(), []
        while time.monotonic() - began < seconds:
            time.sleep(every)
            seen.append(sample(chromium, began))
    return seen


def main() -> None:
    """Sample, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=20.0, help="seconds")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    seen = sampled(60 * options.minutes, options.every)
    record = {
        "machine": f"{processor()}, {processors()} cores",
        "versions": versions(),
        "configuration": {"env": "CartPole-v1", **SETTINGS, "lanes": LANES, "views": 8},
        "samples": seen,
    }
    if options.output:
        options.output.write_text(json.dumps(record) + "\n", encoding="utf-8")
    print(json.dumps({**record, "samples": [seen[0], seen[len(seen) // 2], seen[-1]]}, indent=1))


if __name__ == "__main__":
    main()
