"""Weights & Biases, online or offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.sinks.sink import Histogram, Run, require

STEPS = "steps"
"""The horizontal axis of everything. W&B's own step could never go back to an earlier checkpoint."""


class WandB:
    """Log to Weights & Biases; its files lie under `wandb/` in the run directory.

    A run that goes on goes on there too, by its id. Without a network, `mode="offline"` (or `WANDB_MODE=offline`) keeps
    everything in the run directory until `wandb sync`.

    Args:
        project: Of W&B.
        options: For `wandb.init`, such as `entity`, `group`, `tags`, `mode` or `settings`.

    Raises:
        InputError: If the package is missing.
    """

    def __init__(self, project: str = "rl-workbench", **options: Any) -> None:
        self._wandb = require("wandb", "wandb")
        self._options = {"project": project, **options}
        self._run: Any = None

    def open(self, run: Run) -> None:
        """Begin the run, or go on with it."""
        given: dict[str, Any] = {
            "id": run.id,
            "name": run.name,
            "dir": str(run.directory),
            "config": dict(run.description),
            "resume": "allow",
            "reinit": "create_new",  # a run of the user's own stays open beside it
            "settings": {"console": "off"},  # standard output stays the program's
        }
        self._run = self._wandb.init(**{**given, **self._options})
        self._run.define_metric("*", step_metric=STEPS)

    def scalars(self, steps: int, row: Mapping[str, float]) -> None:
        """Log a row."""
        self._run.log({STEPS: steps, **row})

    def histogram(self, steps: int, name: str, histogram: Histogram) -> None:
        """Log a histogram."""
        self._log(steps, name, self._wandb.Histogram(np_histogram=(histogram.counts, histogram.edges)))

    def video(self, steps: int, name: str, path: Path) -> None:
        """Log a moving picture."""
        self._log(steps, name, self._wandb.Video(str(path), format="gif"))

    def close(self, reason: str) -> None:
        """Upload the rest; a failed run is marked as one."""
        self._run.finish(exit_code=int(reason == "failed"))

    def _log(self, steps: int, name: str, media: Any) -> None:
        self._run.log({STEPS: steps, name: media})
