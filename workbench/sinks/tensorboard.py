"""TensorBoard: event files that `tensorboard --logdir runs` shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.sinks.sink import Histogram, Run, require


class TensorBoard:
    """Write event files into the run directory, or elsewhere.

    Where a run goes on from an earlier checkpoint, TensorBoard forgets what it was told of later steps.

    Args:
        directory: Of the event files; `tensorboard/` in the run directory if None.

    Raises:
        InputError: If the package is missing.
    """

    def __init__(self, directory: str | Path | None = None) -> None:
        require("tensorboard", "tensorboard")
        self._directory = directory
        self._writer: Any = None

    def open(self, run: Run) -> None:
        """Begin an event file, which takes back what earlier ones say of steps after `run.steps`."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from torch.utils.tensorboard import FileWriter

        self._writer = FileWriter(str(self._directory or run.directory / "tensorboard"))
        session = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(session_log=session), run.steps + 1)  # from this step on, older files do not count
        if not run.steps:
            self._text("run", _table(run.description))

    def scalars(self, steps: int, row: Mapping[str, float]) -> None:
        """Write a row as one event."""
        self._add(steps, *({"tag": name, "simple_value": value} for name, value in row.items()))

    def histogram(self, steps: int, name: str, histogram: Histogram) -> None:
        """Write a histogram; TensorBoard wants moments too, which the bins' centres give."""
        from tensorboard.compat.proto.summary_pb2 import HistogramProto

        counts, edges = histogram.counts, histogram.edges
        centres = (edges[1:] + edges[:-1]) / 2
        proto = HistogramProto(
            min=edges[0],
            max=edges[-1],
            num=counts.sum(),
            sum=counts @ centres,
            sum_squares=counts @ centres**2,
            bucket_limit=edges,
            bucket=np.concatenate([[0], counts]),  # the first holds what lies below the first edge
        )
        self._add(steps, {"tag": name, "histo": proto})

    def video(self, steps: int, name: str, path: Path) -> None:
        """Write a GIF as an image, which TensorBoard shows moving."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        data = path.read_bytes()
        width, height = (int.from_bytes(data[start : start + 2], "little") for start in (6, 8))
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=data)
        self._add(steps, {"tag": name, "image": image})

    def close(self, reason: str) -> None:  # noqa: ARG002
        """Write the rest and close the file."""
        self._writer.close()

    def _add(self, steps: int, *values: dict[str, Any]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._writer.add_summary(Summary(value=[Summary.Value(**value) for value in values]), steps)

    def _text(self, name: str, text: str) -> None:
        from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING

        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
        self._add(0, {"tag": name, "metadata": metadata, "tensor": tensor})


def _table(description: Mapping[str, Any]) -> str:
    """Write the run's description as a table in Markdown."""
    rows = [f"| {name} | {value} |" for name, value in flat(description).items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def flat(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description with what it nests, such as hyperparameters, among its entries."""
    entries: dict[str, Any] = {}
    for name, value in description.items():
        entries |= value if isinstance(value, dict) and name == "hyperparameters" else {name: value}
    return entries
