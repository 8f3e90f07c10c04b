"""What a run says of itself while it goes on: `status.json`, for whoever looks at it from outside."""

import contextlib
import dataclasses
import json
import math
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.events import Event, Paused, Progress, Resumed, Started
from workbench.training.files import as_json, replace_file

FILE = "status.json"
PERIOD = 1.0
"""Seconds between two writings while it trains, at least."""

SILENCE = 60.0
"""Seconds after which a run on another machine that says nothing more is taken for lost."""

ACTIVE = ("running", "paused")


@dataclass(frozen=True)
class Status:
    """Where a run is.

    Attributes:
        state: "new", "running", "paused", "stopped", "failed", or "lost": it was going on, and its process is gone.
        steps, goal: Environment steps so far, and at the end of the present call.
        seconds: Training time.
        steps_per_second, episode_return: Of the newest row that has them; None before the first.
        heard: When it said so, in seconds since 1970.
        host, pid, began: The process: its machine, number, and when it began in the system's own ticks.
        reason: Why it ended: "steps", "target", "stopped", "failed"; None while it goes on.
        error: What it failed of, in one line.
        notebook: The notebook it runs in, an absolute path, if it does.
    """

    state: str = "new"
    steps: int = 0
    goal: int = 0
    seconds: float = 0.0
    steps_per_second: float | None = None
    episode_return: float | None = None
    heard: float = 0.0
    host: str = ""
    pid: int = 0
    began: int = 0
    reason: str | None = None
    error: str | None = None
    notebook: str | None = None


class Heartbeat:
    """Writes the status of a run; subscribe it to the trainer's events, and call `end` at the end.

    Args:
        trainer: Whose `steps`, `goal`, `seconds`, `metrics` and `run_dir` are told.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._next = 0.0
        pid = os.getpid()
        self._about: dict[str, Any] = {
            "host": socket.gethostname(),
            "pid": pid,
            "began": process_began(pid) or 0,
            "notebook": _notebook(),
        }

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Started | Resumed):
            self._write("running")
        elif isinstance(event, Paused):
            self._write("paused")
        elif isinstance(event, Progress) and time.monotonic() >= self._next:
            self._write("running")

    def end(self, reason: str, error: BaseException | None) -> None:
        """Say how it ended."""
        line = None if error is None else " ".join(f"{type(error).__name__}: {error}".split())
        self._write("failed" if reason == "failed" else "stopped", reason=reason, error=line)

    def _write(self, state: str, **more: Any) -> None:
        trainer = self._trainer
        self._next = time.monotonic() + PERIOD
        metrics = trainer.metrics
        status = Status(
            state,
            trainer.steps,
            trainer.goal,
            round(trainer.seconds, 3),
            _known(metrics.last("steps_per_second", math.nan)),
            _known(metrics.last("episode_return", math.nan)),
            time.time(),
            **self._about,
            **more,
        )
        with contextlib.suppress(OSError):  # the metrics, in the same folder, will say it
            replace_file(trainer.run_dir / FILE, as_json(dataclasses.asdict(status)))


def read_status(directory: Path) -> Status:
    """Read what a run last said of itself; of one that said nothing, that it is "stopped", or "new" without metrics."""
    try:
        status = _checked(json.loads((directory / FILE).read_bytes()))
    except (OSError, ValueError, TypeError, AttributeError):
        return Status("stopped" if any(directory.glob("metrics*.jsonl")) else "new")
    gone = status.state in ACTIVE and not _alive(status)
    return dataclasses.replace(status, state="lost") if gone else status


def _checked(content: dict[str, Any]) -> Status:
    """Make a status of JSON; what this version does not know is passed over."""
    names = {field.name for field in dataclasses.fields(Status)}
    status = Status(**{name: value for name, value in content.items() if name in names})
    numbers = (status.steps, status.goal, status.seconds, status.heard, status.pid, status.began)
    if not (isinstance(status.state, str) and all(isinstance(number, int | float) for number in numbers)):
        raise TypeError(f"{FILE} holds something else")
    return status


def _alive(status: Status) -> bool:
    """Tell whether the process of a run is there; of another machine's, whether it was heard lately, or is paused."""
    if status.host != socket.gethostname():
        return status.state == "paused" or time.time() - status.heard < SILENCE
    return is_running(status.pid, status.began)


def is_running(pid: int, began: int) -> bool:
    """Tell whether a process of this machine is there, and is the one that began then: numbers are given again.

    Args:
        pid: Its number.
        began: As `process_began` said of it; 0 if that is not known.
    """
    try:
        os.kill(pid, 0)
    except PermissionError:  # somebody else's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return process_began(pid) in (began, None)


def process_began(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the system's start; None where Linux's /proc is missing."""
    try:
        content = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(content.rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def _notebook() -> str | None:
    """Return the notebook that this process is the kernel of, as Jupyter's server or VS Code says."""
    for name in ("JPY_SESSION_NAME", "__vsc_ipynb_file__"):
        path = os.environ.get(name, "")
        if path.endswith(".ipynb"):
            return path
    return None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
