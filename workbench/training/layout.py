"""Where things lie in a run directory; importing this brings no torch."""

import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

RUN, BEST, KEPT, CHECKPOINTS = "run.json", "best.json", "kept.json", "checkpoints"
RUNS_VARIABLE = "WORKBENCH_RUNS"


def fresh_path(environment: str, algorithm: str) -> Path:
    """Name a new run under `runs/`, or where `WORKBENCH_RUNS` says: what, when, and digits for runs of one second."""
    folder = Path(os.environ.get(RUNS_VARIABLE) or "runs")
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    return folder / f"{environment.replace('/', '_')}-{algorithm}-{moment}-{secrets.token_hex(2)}"


def order(path: Path) -> tuple[int, int]:
    """Return the steps of a checkpoint's name, and which one of these steps it is."""
    steps, _, again = path.name.partition(".")
    return int(steps), int(again or 0)


def steps_of(checkpoint: Path) -> int:
    """Return the environment steps after which a checkpoint was taken."""
    return order(checkpoint)[0]


def checkpoints_of(run_dir: Path) -> list[Path]:
    """Return the checkpoints of a run directory, oldest first."""
    return sorted((run_dir / CHECKPOINTS).glob("[0-9]*"), key=order)


def best_of(run_dir: Path) -> dict[str, Any] | None:
    """Return what is known of a run's best checkpoint: `checkpoint` (its name), `steps`, `mean_return`, `measured_by`.

    None where there is none yet, or where it is gone.
    """
    try:
        best = json.loads((run_dir / BEST).read_bytes())
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    return best if (run_dir / CHECKPOINTS / best["checkpoint"]).is_dir() else None


def kept_of(run_dir: Path) -> list[str]:
    """Return the names of the checkpoints that stay because somebody asked for them."""
    try:
        names = json.loads((run_dir / KEPT).read_bytes())["checkpoints"]
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return []
    return [name for name in names if (run_dir / CHECKPOINTS / name).is_dir()]


def is_run(path: Path) -> bool:
    """Tell whether a run was begun at `path`."""
    return (path / RUN).exists()
