"""List the runs under a folder, from what they left on disk; a run that is still going on is listed too."""

import json
import math
from pathlib import Path
from typing import Any

from workbench.commands.output import print_json
from workbench.errors import InputError
from workbench.training.metrics import read_metrics

DESCRIPTION = "run.json"
SHOWN = ("env", "algorithm")


def describe_run(folder: Path) -> dict[str, Any]:
    """Return what a run is and how far it came.

    Raises:
        OSError, ValueError: If its description cannot be read, or is of something else.
    """
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    if not (isinstance(description, dict) and all(isinstance(description.get(name), str) for name in SHOWN)):
        raise ValueError(f"its {DESCRIPTION} describes no run")
    record: dict[str, Any] = {"run": str(folder)}
    record |= {name: description.get(name) for name in (*SHOWN, "seed", "created")}
    try:
        metrics = read_metrics(folder)
    except OSError:
        return record | {"steps": 0, "seconds": 0.0, "episode_return": math.nan}
    columns = {name: metrics.last(name) for name in ("seconds", "episode_return")}
    return record | {"steps": int(metrics.last("steps", 0.0)), **columns}


def find_runs(folder: Path) -> list[dict[str, Any]]:
    """Describe the runs directly under `folder`, the oldest first; `folder` itself may be one.

    Raises:
        InputError: If `folder` is not there.
    """
    if not folder.is_dir():
        raise InputError(f"--runs={str(folder)!r} is no folder; name one that holds runs, such as runs.")
    found = []
    for path in (folder / DESCRIPTION, *folder.glob(f"*/{DESCRIPTION}")):
        if path.is_file():
            try:
                found.append(describe_run(path.parent))
            except (OSError, ValueError) as error:
                found.append({"run": str(path.parent), "error": f"cannot be read: {error}"})
    return sorted(found, key=lambda record: (str(record.get("created")), record["run"]))


def list_runs(folder: str, *, as_json: bool) -> None:
    """Print the runs under `folder`, as a table or as JSON."""
    runs = find_runs(Path(folder))
    if as_json:
        print_json({"runs": runs})
        return
    rows = [("run", "environment", "algorithm", "seed", "steps", "return")]
    for record in runs:
        if "error" in record:
            rows.append((record["run"], record["error"], "", "", "", ""))
            continue
        episode_return = record["episode_return"]
        shown = "-" if math.isnan(episode_return) else f"{episode_return:.1f}"
        rows.append(
            (record["run"], record["env"], record["algorithm"], str(record["seed"]), f"{record['steps']:,}", shown)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
