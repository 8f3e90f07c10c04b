"""Open the dashboard over 200 runs of a million rows each, and measure how long the first whole page takes.

    python benchmarks/dashboard.py [--runs 200] [--rows 1000000] [--output benchmarks/results/dashboard.json]

One run is recorded row by row, as a trainer records it. The others are copies: the metrics' segments are hard links,
description, status and overview are files of their own. The server runs in
a process of its own. A page is whole when it holds every run with its returns, and the curves of the one in focus: the
time is from the request to the page's document, of a first visit, when the server has read nothing yet, and of a second
one; where there is a Chromium, also to the last line drawn in it.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import numpy as np
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

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


WHOLE = """runs => {
  const inner = root => [...root.querySelectorAll("*")].flatMap(each => (each.shadowRoot ? deep(each.shadowRoot) : []));
  const deep = root => [root, ...inner(root)];
  const roots = deep(document);
  const count = selector => roots.reduce((sum, root) => sum + root.querySelectorAll(selector).length, 0);
  const curve = '[data-testid="panel-plot-episode_return"]:not([data-points="0"])';
  return count(".wbd-spark path[d^=M]") >= runs && count(curve) > 0;
}"""


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
        if path.suffix == ".jsonl":
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
    source = folder / ".source"  # hidden: no run of the folder
    folder.mkdir(exist_ok=True)
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


async def pulled(address):
    """Open the page as a browser does: its HTML, then its document over a websocket; return what came, and when."""
    started = time.perf_counter()
    place = urllib.parse.urlsplit(address)
    html = (await AsyncHTTPClient().fetch(address)).body.decode()
    answered = time.perf_counter() - started
    token = re.search(r'"token":"([^"]+)"', html)[1]
    socket = HTTPRequest(f"ws://{place.netloc}/ws", headers={"Origin": f"http://{place.netloc}"})
    connection = await websocket_connect(socket, subprotocols=["bokeh", token], max_message_size=1 << 30)
    await message(connection)  # of welcome
    for part in ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {}):
        await connection.write_message(json.dumps(part))
    content, size = await message(connection)
    seconds = time.perf_counter() - started
    connection.close()
    return {"page_seconds": answered, "seconds": seconds, "bytes": size, **what(content)}


async def message(connection):
    """Read one message of Bokeh's protocol; return its content and the bytes of it all."""
    header, _, content = [await connection.read_message() for _ in range(3)]
    buffers = [await connection.read_message() for _ in range(2 * json.loads(header).get("num_buffers", 0))]
    return json.loads(content), len(content) + sum(map(len, buffers))


def what(content):
    """Say what a document holds: runs, lines of returns, points of the run in focus."""
    found = {}

    def walk(node):
        if isinstance(node, dict):
            for name, key in (("runs", "runs"), ("sparks", "lines_of_returns"), ("outline", "outline")):
                if name in node:
                    found[key] = max(found.get(key, []), plain(node[name]), key=len)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(content)
    outline = found.pop("outline")
    return {key: len(value) for key, value in found.items()} | {"points_in_focus": sum(count for _, count in outline)}


def plain(value):
    """Take a collection out of its description."""
    return value.get("entries", []) if isinstance(value, dict) else value


def seen(address, chromium, runs):
    """Open the page in a browser; return the seconds until every row and every line of returns is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        started = time.perf_counter()
        page.goto(address)
        page.wait_for_function(WHOLE, arg=runs, polling=100)  # each look goes through the whole page
        seconds = time.perf_counter() - started
        browser.close()
    return seconds


def main():
    """Build, serve, visit, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--visits", type=int, default=5, help="servers started anew, each visited three times")
    parser.add_argument(
        "--folder", type=Path, help="where the runs lie, or are built and stay; a temporary one if None"
    )
    parser.add_argument("--output", type=Path, help="file for the record as well")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    first, again, shown = [], [], []
    with contextlib.nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        about = folder / "about.json"
        if not about.exists():
            about.write_text(json.dumps(build(folder, options.runs, options.rows)))
        built = json.loads(about.read_text())
        for _ in range(options.visits):
            process, address = served(folder)
            try:
                first.append(asyncio.run(pulled(address)))
                again.append(asyncio.run(pulled(address)))
                shown += [seen(address, chromium, built["runs"])] if chromium else []
            finally:
                process.terminate()
                process.wait()
    record = {
        "machine": f"{processor()}, {processors()} cores",
        "versions": versions() | {name: installed(name) for name in ("panel", "bokeh")},
        "folder": built,
        "median_seconds_of_a_first_visit": float(np.median([each["seconds"] for each in first])),
        "median_seconds_of_a_second_visit": float(np.median([each["seconds"] for each in again])),
        "median_seconds_in_chromium": float(np.median(shown)) if shown else None,
        "first_visits": first,
        "second_visits": again,
        "in_chromium": shown,
    }
    text = json.dumps(record, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
