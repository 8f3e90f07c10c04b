"""Trackio: a local dashboard, `trackio show`, over files of its own."""

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from workbench.sinks.sink import Histogram, Run, require


class Trackio:
    """Log to Trackio, which keeps all projects together in `TRACKIO_DIR`; a run that goes on goes on there too.

    Args:
        project: Of Trackio.
        options: For `trackio.init`, such as `group` or `space_id`.

    Raises:
        InputError: If the package is missing.
    """

    def __init__(self, project: str = "rl-workbench", **options: Any) -> None:
        self._trackio = require("trackio", "trackio")
        self._options = {"project": project, **options}
        self._run: Any = None

    def open(self, run: Run) -> None:
        """Begin the run, or go on with it."""
        given: dict[str, Any] = {
            "name": run.name,
            "config": dict(run.description),
            "resume": "allow" if run.steps else "never",  # the name alone says which
            "embed": False,
        }
        with redirect_stdout(sys.stderr):  # it greets, and standard output belongs to the program
            self._run = self._trackio.init(**{**given, **self._options})

    def scalars(self, steps: int, row: Mapping[str, float]) -> None:
        """Log a row."""
        self._run.log(dict(row), step=steps)

    def histogram(self, steps: int, name: str, histogram: Histogram) -> None:
        """Log a histogram."""
        counted = (histogram.counts, histogram.edges)
        self._run.log({name: self._trackio.Histogram(np_histogram=counted)}, step=steps)

    def video(self, steps: int, name: str, path: Path) -> None:
        """Log a moving picture."""
        self._run.log({name: self._trackio.Video(str(path))}, step=steps)

    def close(self, reason: str) -> None:  # noqa: ARG002
        """Write the rest."""
        with redirect_stdout(sys.stderr):
            self._run.finish()
