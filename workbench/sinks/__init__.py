"""Where a run is told of beside its run directory. A sink hears it on a thread of its own and can never hurt it."""

from collections.abc import Iterable
from typing import Any

from workbench.errors import InputError, unknown_name
from workbench.sinks.sink import Histogram, Run, Sink
from workbench.sinks.tensorboard import TensorBoard
from workbench.sinks.trackio import Trackio
from workbench.sinks.video import Video
from workbench.sinks.wandb import WandB

__all__ = ["SINKS", "Histogram", "Run", "Sink", "TensorBoard", "Trackio", "Video", "WandB", "built"]

SINKS: dict[str, type] = {"tensorboard": TensorBoard, "trackio": Trackio, "wandb": WandB}


def built(sinks: Any) -> list[Sink]:
    """Return sinks for names, classes and objects, or for one of these.

    Raises:
        InputError: If something is no sink, or a package is missing.
        UnknownNameError: If no sink has this name.
    """
    several = isinstance(sinks, Iterable) and not isinstance(sinks, str)
    return [_sink(each) for each in (sinks if several else [sinks])]


def _sink(given: Any) -> Sink:
    if isinstance(given, str):
        if given not in SINKS:
            raise unknown_name("sink", given, SINKS)
        given = SINKS[given]
    made = given() if isinstance(given, type) else given
    if not isinstance(made, Sink):
        raise InputError(f"sinks={given!r} is no sink; pass names ({', '.join(SINKS)}) or objects of workbench.sinks.")
    return made
