"""Train for an hour with the panel and eight lanes on a page of a real JupyterLab, and sample the memory of both sides.

    python benchmarks/hour.py [--minutes 60] [--every 20] [--output benchmarks/results/hour.json]

Sampled is the memory that the kernel, the page's renderer and the browser's other processes have to themselves, and
of the page, each time after its garbage was collected, the bytes of its JavaScript objects and the number of its
nodes. Prints JSON. The notebook notebooks/benchmarks/panel.ipynb draws it.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psutil
from panel import FLAGS, LANES, ROOT, SETTINGS
from playwright.sync_api import CDPSession, Page, sync_playwright

from workbench.machine import processor, processors, versions

sys.path.insert(0, str(ROOT / "tests" / "browser"))

BEGIN = f"""import tempfile, workbench as wb
trainer = wb.Trainer(
    "CartPole-v1", wb.PPO(**{SETTINGS!r}), run_dir=tempfile.mkdtemp() + "/hour", lanes={LANES}, seed=1
)
trainer"""
WATCH = "trainer.watch(lanes=8)"
START = "trainer.start(10**13)"
END = """trainer.stop()
trainer.wait()
print(trainer.steps)"""
STEPS = "() => Number(document.querySelector('[data-testid=\"panel-steps\"]').dataset.steps)"


def processes() -> dict[str, list[psutil.Process]]:
    """Return the kernel, the page's renderer, and the browser's other processes, of those that this one began."""
    found: dict[str, list[psutil.Process]] = {"kernel": [], "renderer": [], "browser": []}
    for each in psutil.Process().children(recursive=True):
        line = " ".join(each.cmdline())
        if "ipykernel" in line:
            found["kernel"].append(each)
        elif "chrom" in line:
            found["renderer" if "--type=renderer" in line else "browser"].append(each)
    return found


def sample(page: Page, session: CDPSession, began: float) -> dict[str, float]:
    """Return what may grow."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    own = {name: sum(each.memory_full_info().uss for each in family) for name, family in processes().items()}
    return {
        "seconds": time.monotonic() - began,
        "steps": page.evaluate(STEPS),
        **{f"{name}_bytes": taken for name, taken in own.items()},
        "heap_bytes": metrics["JSHeapUsedSize"],
        "nodes": metrics["Nodes"],
        "listeners": metrics["JSEventListeners"],
    }


def sampled(seconds: float, every: float) -> list[dict[str, float]]:
    """Train for so long, and return the samples."""
    from jupyterserver import JupyterServer
    from lab import Lab

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert path, "no browser: install the system's chromium"
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        JupyterServer(Path(folder)) as server,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 2600})
        lab = Lab(page, server)
        lab.open(lab.write("hour.ipynb", BEGIN, WATCH, START, END))
        for index in range(3):
            lab.finish(index, timeout=180_000)
        page.locator('[data-testid="scene"]').first.wait_for()
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        began, seen = time.monotonic(), []
        while time.monotonic() - began < seconds:
            page.wait_for_timeout(1000 * every)
            seen.append(sample(page, session, began))
        lab.finish(3, timeout=60_000)
        browser.close()
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
