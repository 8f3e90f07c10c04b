"""Open the dashboard over 200 runs of a million rows each, and measure how long the first whole page takes.

    python benchmarks/dashboard.py [--runs 200] [--rows 1000000] [--output benchmarks/results/dashboard.json]

One run is recorded row by row, as a trainer records it. The others are copies: closed segments of the metrics are hard
links, everything else (description, status, overview, the segment that grows) is a file of its own. The server runs in
a process of its own. A page is whole when it holds every run with its returns, and the curves of the one in focus: the
time is from the request to the page's document; the first visit also finds nothing in the server's memory.
"""

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from workbench.machine import installed, processor, processors, versions
from workbench.training.metrics import Metrics

LANES = 4096
CONFIGURATION = {
    "env": "CartPole-v1",
    "algorithm": "ppo",
    "hyperparameters": {"learning_rate": 2.5e-3, "clip": 0.2, "horizon": 32},
    "learner": "native",
    "lanes": LANES,
    "device": "cpu",
}


def record(run_dir, rows):
    """Record a run of so many rows."""
    run_dir.mkdir(parents=True)
    noise = np.random.default_rng(0).standard_normal((rows, 4))
    metrics = Metrics()
    metrics.open(run_dir)
    for index in range(rows):
        part, (a, b, c, d) = index / rows, noise[index]
        metrics.append(
            (index + 1) * LANES,
            {
                "episode_return": 20 + 475 / (1 + math.exp(6 - 14 * part)) + 9 * a,
                "episode_length": 20 + 475 / (1 + math.exp(6 - 14 * part)) + 9 * a,
                "steps_per_second": 2.7e6 + 1.2e5 * b,
                "policy_loss": -0.012 * math.exp(-part) + 0.004 * c,
                "value_loss": 8 * math.exp(-2 * part) + abs(0.5 * d),
                "entropy": 0.69 * math.exp(-part),
                "seconds": index * 1.5e-3,
                "iterations": 1.0,
            },
        )
    metrics.sync()
    metrics.close()
    return len(metrics)


def copy(source, run_dir, number, rows):
    """Make another run of it."""
    run_dir.mkdir()
    for path in source.iterdir():
        if path.suffix == ".jsonl" and path.name != "metrics.jsonl":
            os.link(path, run_dir / path.name)
        elif path.is_file():
            (run_dir / path.name).write_bytes(path.read_bytes())
    created = f"2026-01-{1 + number // 24:02d}T{number % 24:02d}:00:00+00:00"
    description = {**CONFIGURATION, "seed": number, "created": created, "versions": versions()}
    (run_dir / "run.json").write_text(json.dumps(description), encoding="utf-8")
    status = {
        "state": "stopped",
        "steps": rows * LANES,
        "goal": rows * LANES,
        "seconds": rows * 1.5e-3,
        "steps_per_second": 2.7e6,
        "episode_return": 480.0 + number % 20,
        "heard": time.time() - 60.0 * number,
        "reason": "steps",
    }
    (run_dir / "status.json").write_text(json.dumps(status), encoding="utf-8")


def build(folder, runs, rows):
    """Fill `folder`; return what lies there."""
    source = folder / ".source"
    kept = record(source, rows)
    for number in range(runs):
        copy(source, folder / f"CartPole-v1-ppo-{number:03d}", number, rows)
    sizes = [path.stat().st_size for path in (folder / "CartPole-v1-ppo-000").iterdir()]
    return {"runs": runs, "rows": rows, "rows_in_memory": kept, "bytes_a_run": sum(sizes)}


def served(folder):
    """Start the server; return the process and its address."""
    command = [sys.executable, "-m", "workbench.cli", "dashboard", str(folder), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())["address"]


def visit(address):
    """Open the page as a browser does: the page, then its document; return the seconds and the document."""
    from bokeh.client import pull_session

    started = time.perf_counter()
    place = urllib.parse.urlsplit(address)
    with urllib.request.urlopen(address) as answer:
        answer.read()
    answered = time.perf_counter() - started
    arguments = dict(urllib.parse.parse_qsl(place.query))
    asyncio.set_event_loop(asyncio.new_event_loop())
    session = pull_session(url=f"http://{place.netloc}/", arguments=arguments, max_message_size=1 << 28)
    seconds = time.perf_counter() - started
    found = what(session.document)
    session.close()
    return {"page_seconds": answered, "seconds": seconds, **found}


def what(document):
    """Say what is on the page."""
    data = [model.data for model in document.models if "AnyWidget" in type(model).__name__]
    (board,) = [each for each in data if hasattr(each, "sparks")]
    (panel,) = [each for each in data if hasattr(each, "settings")]
    return {
        "rows": len(board.runs),
        "lines_of_returns": len(board.sparks),
        "points_in_focus": sum(points for _, points in panel.outline),
        "bytes": len(json.dumps([board.runs, board.sparks])) + len(panel.curves),
    }


def main():
    """Build, serve, visit, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--visits", type=int, default=5, help="servers started anew, each visited twice")
    parser.add_argument("--output", type=Path, help="file for the record as well")
    options = parser.parse_args()
    first, again = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        built = build(folder, options.runs, options.rows)
        for _ in range(options.visits):
            process, address = served(folder)
            try:
                first.append(visit(address))
                again.append(visit(address))
            finally:
                process.terminate()
                process.wait()
    record = {
        "machine": f"{processor()}, {processors()} cores",
        "versions": versions() | {name: installed(name) for name in ("panel", "bokeh")},
        "folder": built,
        "median_seconds_of_a_first_visit": float(np.median([each["seconds"] for each in first])),
        "median_seconds_of_a_second_visit": float(np.median([each["seconds"] for each in again])),
        "first_visits": first,
        "second_visits": again,
    }
    text = json.dumps(record, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
