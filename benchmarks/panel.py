"""Measure what a panel, and a view of eight lanes, cost a training at full speed: in a real JupyterLab, with Chromium.

    python benchmarks/panel.py [--rounds 9] [--seconds 10] [--output benchmarks/results/panel.json]

Three trainers of one configuration train in turn in one kernel: one that is not shown, one with its panel on the
page, and one whose lanes are watched beside its panel. The page shows both all along; what does not train does
nothing. Each round begins with another one of them and gives the ratio of the speeds; their medians are reported.
Counted are the steps from start to stop, by the wall.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from workbench.machine import processor, processors, versions

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

SETTINGS = {"horizon": 32, "epochs": 1}
LANES = 4096
BARE, PANEL, VIEWS = "bare", "panel", "views"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

PREPARE = f"""import json, tempfile, time, workbench as wb
folder = tempfile.mkdtemp()
settings = dict(lanes={LANES}, seed=1, checkpoint_seconds=1e9)
trainers = {{}}
for name in ("{BARE}", "{PANEL}", "{VIEWS}"):
    trainers[name] = wb.Trainer("CartPole-v1", wb.PPO(**{SETTINGS!r}), run_dir=folder + "/" + name, **settings)
    trainers[name].train(10 * 32 * {LANES})"""
MEASURE = """def speed(trainer, seconds):
    steps, began = trainer.steps, time.perf_counter()
    trainer.start(10**12)
    time.sleep(seconds)
    trainer.stop()
    trainer.wait()
    return (trainer.steps - steps) / (time.perf_counter() - began)

names = list(trainers)
rows = []
for k in range({rounds}):
    turns = names[k % 3:] + names[:k % 3]
    rows.append({{name: speed(trainers[name], {seconds}) for name in turns}})
print(json.dumps(rows))"""


def measured(rounds: int, seconds: float) -> list[dict[str, float]]:
    """Return the steps per second of each trainer in each round."""
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
        shown = [f'trainers["{PANEL}"]', f'display(trainers["{VIEWS}"])', f'trainers["{VIEWS}"].watch(lanes=8)']
        lab.open(lab.write("cost.ipynb", PREPARE, *shown, MEASURE.format(seconds=seconds, rounds=rounds)))
        for index in range(4):
            lab.finish(index, timeout=180_000)
        page.locator('[data-testid="panel"]').nth(1).wait_for()
        page.locator('[data-testid="scene"]').first.wait_for()
        printed = lab.finish(4, timeout=int(1000 * (6 * rounds * seconds + 120)))
        browser.close()
    return json.loads(printed)


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = measured(options.rounds, options.seconds)
    record = {
        "machine": f"{processor()}, {processors()} cores",
        "versions": versions(),
        "configuration": {**SETTINGS, "lanes": LANES},
        "seconds": options.seconds,
        "rounds": rows,
        "median_steps_per_second": {
            name: statistics.median(row[name] for row in rows) for name in (BARE, PANEL, VIEWS)
        },
        "median_loss": {name: 1 - statistics.median(row[name] / row[BARE] for row in rows) for name in (PANEL, VIEWS)},
    }
    if options.output:
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
