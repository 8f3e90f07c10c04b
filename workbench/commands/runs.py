"""List the runs under a folder, from what they left on disk; a run that is still going on is listed too."""

import math
from pathlib import Path

from workbench.analysis.runs import find_runs
from workbench.analysis.table import record
from workbench.commands.output import print_json
from workbench.errors import InputError


def list_runs(folder: str, *, as_json: bool) -> None:
    """Print the runs under `folder`, as a table or as JSON.

    Raises:
        InputError: If `folder` is not there.
    """
    if not Path(folder).is_dir():
        raise InputError(f"--runs={folder!r} is no folder; name one that holds runs, such as runs.")
    runs = [record(run) for run in find_runs(folder)]
    if as_json:
        print_json({"runs": runs})
        return
    rows = [("run", "environment", "algorithm", "seed", "state", "steps", "return")]
    for found in runs:
        if "error" in found:
            rows.append((found["run"], found["error"], "", "", "", "", ""))
            continue
        reached = found["episode_return"]
        shown = "-" if math.isnan(reached) else f"{reached:.1f}"
        seed = str(found["seed"])
        rows.append(
            (found["run"], found["env"], found["algorithm"], seed, found["state"], f"{found['steps']:,}", shown)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
