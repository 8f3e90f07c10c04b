"""What sinks are told, and when."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from workbench.errors import InputError
from workbench.events import Event, HyperparameterChanged, Progress, Recorded, Started, Stopped
from workbench.sinks.delivery import Delivery, warn
from workbench.sinks.recording import Recorder, check_pictures
from workbench.sinks.sink import Histogram, Run, Sink
from workbench.training.layout import RUN
from workbench.training.loop import Loop

PERIOD = 10.0
"""Seconds between two rounds of histograms, at least."""

SHARE = 0.005
"""Of the time, at most, that goes into histograms."""

VALUES = 100_000
"""Values that a histogram counts at most; of more, every so many are taken."""


class Trains(Protocol):
    """What sinks see of a trainer."""

    env: Any
    loop: Loop

    @property
    def run_dir(self) -> Path:
        """Where the run is kept."""

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call `callback` with each event."""


@runtime_checkable
class Remembers(Protocol):
    """A source that can tell what was done lately."""

    def actions(self) -> npt.NDArray[Any]:
        """Return the newest actions, or those that are learned from, [...] of any numbers."""


def attach(trainer: Trains, sinks: list[Sink], record_every: int | None, record: Callable[[], object]) -> None:
    """Let `sinks` hear of a trainer, and have episodes recorded.

    Args:
        trainer: What is told of.
        sinks: Who is told.
        record_every: Environment steps between two recordings; None for none.
        record: Records one, and tells of it.

    Raises:
        InputError: If `record_every` is no number of steps, or there are no pictures to record.
    """
    if record_every is not None:
        if isinstance(record_every, bool) or not isinstance(record_every, int) or record_every < 1:
            raise InputError(f"record_every={record_every!r} is no number of steps; pass an integer of at least 1.")
        check_pictures(trainer.env)
        sinks = [*sinks, Folder()]
    if sinks:
        trainer.subscribe(Hub(trainer, sinks))
    if record_every is not None:
        trainer.subscribe(Recorder(record_every, record))


class Folder:
    """The run directory, as a sink: it holds everything already, but for videos, which any sink has written."""

    def open(self, run: Run) -> None:
        """Do nothing."""

    def scalars(self, steps: int, row: Mapping[str, float]) -> None:
        """Do nothing."""

    def histogram(self, steps: int, name: str, histogram: Histogram) -> None:
        """Do nothing."""

    def video(self, steps: int, name: str, path: Path) -> None:
        """Do nothing: it is written."""

    def close(self, reason: str) -> None:
        """Do nothing."""


class Training(threading.local):
    """What a thread trains for: others have nobody to tell."""

    deliveries: tuple[Delivery, ...] = ()


class Hub:
    """Tells sinks of a run; subscribe it. Each call of `train` or `start` opens them and closes them.

    Args:
        trainer: What is told of.
        sinks: Who is told.
    """

    def __init__(self, trainer: Trains, sinks: list[Sink]) -> None:
        self._trainer = trainer
        self._sinks = [(sink, threading.Lock()) for sink in sinks]
        self._training = Training()  # one thread trains, and an earlier one may still be ending
        self._next_round = 0.0

    def __call__(self, event: Event) -> None:
        """Take an event."""
        try:
            if isinstance(event, Started):
                self._begin(event.steps)
            self._tell(event, self._training.deliveries)
        except Exception as error:
            warn("sinks have not heard all", error)
        for each in self._training.deliveries:
            each.report()
        if isinstance(event, Stopped):
            self._training.deliveries = ()

    def _begin(self, steps: int) -> None:
        description = json.loads((self._trainer.run_dir / RUN).read_text(encoding="utf-8"))
        run = Run(self._trainer.run_dir, description, steps)
        self._training.deliveries = tuple(Delivery(sink, run, turn) for sink, turn in self._sinks)

    def _tell(self, event: Event, deliveries: tuple[Delivery, ...]) -> None:
        steps = event.steps
        if isinstance(event, Progress):
            _scalars(deliveries, steps, event.row)
            if time.monotonic() >= self._next_round:
                self._round(deliveries, steps)
        elif isinstance(event, HyperparameterChanged) and isinstance(event.new, int | float):
            _scalars(deliveries, steps, {f"hyperparameters/{event.name}": float(event.new)})
        elif isinstance(event, Recorded):
            for each in deliveries:
                each.offer(lambda sink: sink.video(steps, "episode", event.video.written()))
        elif isinstance(event, Stopped):
            for each in deliveries:
                each.end(event.reason)
            for each in deliveries:
                each.join()

    def _round(self, deliveries: tuple[Delivery, ...], steps: int) -> None:
        """Count what the networks and the newest experience hold."""
        started = time.monotonic()
        for name, values in distributions(self._trainer.loop):
            _histogram(deliveries, steps, name, values)
        now = time.monotonic()
        self._next_round = now + max(PERIOD, (now - started) / SHARE)


def distributions(loop: Loop) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield what histograms are made of: the newest returns, actions, and the networks' weights and gradients."""
    if loop.recent:
        yield "episode_returns", np.array(loop.recent)
    if isinstance(loop.source, Remembers):
        yield "actions", loop.source.actions()
    for owner in loop.algorithm.saved:
        network = getattr(loop.algorithm, owner)
        if isinstance(network, torch.nn.Module):
            for name, parameter in network.named_parameters():
                yield f"weights/{owner}.{name}", _flat(parameter)
                if parameter.grad is not None:
                    yield f"gradients/{owner}.{name}", _flat(parameter.grad)


def _flat(tensor: torch.Tensor) -> npt.NDArray[Any]:
    flat = tensor.detach().reshape(-1)
    numbers: npt.NDArray[Any] = flat[:: -(-len(flat) // VALUES)].float().cpu().numpy()
    return numbers


def _scalars(deliveries: tuple[Delivery, ...], steps: int, row: dict[str, float]) -> None:
    finite = {name: value for name, value in row.items() if math.isfinite(value)}
    for each in deliveries:
        each.scalars(steps, finite)


def _histogram(deliveries: tuple[Delivery, ...], steps: int, name: str, values: npt.NDArray[Any]) -> None:
    flat = values.reshape(-1)
    histogram = Histogram.of(flat[:: max(1, -(-len(flat) // VALUES))])
    if histogram is not None:
        for each in deliveries:
            each.offer(lambda sink: sink.histogram(steps, name, histogram))
