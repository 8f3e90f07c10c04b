"""Measure what a panel, and a view of eight lanes, cost a training at full speed: in a real JupyterLab, with Chromium.

    python benchmarks/panel.py [--rounds 12] [--seconds 8] [--output benchmarks/results/panel.json]

Three trainers of one configuration train in turn in one kernel: one that is not shown, one with its panel on the
page, and one whose lanes are watched beside its panel. The page shows both all along; what does not train does
nothing. Each round begins with another one of them and gives the ratio of the speeds; their medians are reported.
Counted are the steps of so many seconds, by the wall, from two seconds after the start on: starting and stopping
are drawn at once, whatever they cost.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from onpage import notebook

from workbench.machine import processor, processors, versions

SETTINGS = {"horizon": 32, "epochs": 1}
LANES = 4096
BARE, PANEL, VIEWS = "bare", "panel", "views"

PREPARE = f"""import json, tempfile, time, workbench as wb
from pathlib import Path
folder = tempfile.mkdtemp()
settings = dict(lanes={LANES}, seed=1, checkpoint_seconds=1e9)
trainers = {{}}
for name in ("{BARE}", "{PANEL}", "{VIEWS}"):
    trainers[name] = wb.Trainer("CartPole-v1", wb.PPO(**{SETTINGS!r}), run_dir=folder + "/" + name, **settings)
    trainers[name].train(10 * 32 * {LANES})"""
MEASURE = """def speed(trainer, seconds):
    trainer.start(10**12)
    time.sleep(2.0)
    steps, began = trainer.steps, time.perf_counter()
    time.sleep(seconds)
    speed = (trainer.steps - steps) / (time.perf_counter() - began)
    trainer.stop()
    trainer.wait()
    return speed

names = list(trainers)
rows = []
for k in range({rounds}):
    turns = names[k % 3:] + names[:k % 3]
    rows.append({{name: speed(trainers[name], {seconds}) for name in turns}})
Path({place!r}).write_text(json.dumps(rows))"""


def measured(rounds: int, seconds: float) -> list[dict[str, float]]:
    """Return the steps per second of each trainer in each round."""
    shown = [f'trainers["{PANEL}"]', f'display(trainers["{VIEWS}"])', f'trainers["{VIEWS}"].watch(lanes=8)']
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "rows.json"
        measure = MEASURE.format(rounds=rounds, seconds=seconds, place=str(place))
        deadline = time.monotonic() + 6 * rounds * (seconds + 2) + 120
        with notebook([PREPARE, *shown, measure]):
            while not (place.exists() and place.read_text()):
                assert time.monotonic() < deadline, "the cell that measures has not come to its end"
                time.sleep(1.0)
        return json.loads(place.read_text())


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=8.0)
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
