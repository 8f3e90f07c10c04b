"""What the core says while it works. User interfaces and sinks subscribe; the core never calls them by name."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from workbench.errors import InputError


@dataclass(frozen=True)
class Started:
    """Training began or went on: from `steps` towards `goal` environment steps."""

    steps: int
    goal: int


@dataclass(frozen=True)
class Progress:
    """A row of metrics is complete: of one iteration (collect, update), or of several where they are quick."""

    steps: int
    row: dict[str, float]


@dataclass(frozen=True)
class HyperparameterChanged:
    """A live hyperparameter took a new value, in force from `steps` on."""

    steps: int
    name: str
    old: object
    new: object


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint of `steps` stands complete on disk at `path`."""

    steps: int
    path: str


@dataclass(frozen=True)
class Evaluated:
    """Training paused for complete greedy episodes; their `mean` return."""

    steps: int
    mean: float
    episodes: int


@dataclass(frozen=True)
class Recorded:
    """Training paused to record an episode: `video` is a `workbench.sinks.Video`."""

    steps: int
    video: Any


@dataclass(frozen=True)
class RolledBack:
    """Numbers were not finite any more at `steps`, as `reason` says; training goes on from the checkpoint of `to`."""

    steps: int
    to: int
    reason: str


@dataclass(frozen=True)
class Rewound:
    """Somebody went back from `steps` to the checkpoint of `to`: from the run directory `left` to the one at `path`."""

    steps: int
    to: int
    left: str
    path: str


@dataclass(frozen=True)
class Paused:
    """Training waits at `steps` until it is resumed or stopped."""

    steps: int


@dataclass(frozen=True)
class Resumed:
    """Training goes on after a pause."""

    steps: int


@dataclass(frozen=True)
class Stopped:
    """Training ended: `reason` is "steps", "target", "stopped" or "failed"."""

    steps: int
    reason: str


Event = (
    Started
    | Progress
    | HyperparameterChanged
    | CheckpointSaved
    | Evaluated
    | Recorded
    | RolledBack
    | Rewound
    | Paused
    | Resumed
    | Stopped
)
KINDS: tuple[type, ...] = get_args(Event)
Kind = TypeVar("Kind")


class Emitter:
    """Hand each event to every subscriber, in order of subscription, on the emitting thread.

    Args:
        failed: Told of what a callback raises, once the others have heard the event too; None to raise it then.
    """

    def __init__(self, failed: Callable[[Exception], None] | None = None) -> None:
        self._failed = failed
        self._subscribers: tuple[Callable[[Event], object], ...] = ()

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call `callback` with each event from now on; return the function that ends it, and keeps nothing alive."""
        self._subscribers = (*self._subscribers, callback)
        reference = weakref.ref(self)

        def unsubscribe() -> None:
            emitter = reference()
            if emitter is not None:
                emitter._subscribers = tuple(other for other in emitter._subscribers if other is not callback)

        return unsubscribe

    def on(self, kind: type[Kind], callback: Callable[[Kind], object]) -> Callable[[], None]:
        """Call `callback` with each event of one kind from now on; return the function that ends it.

        Raises:
            InputError: If `kind` is no kind of event.
        """
        if kind not in KINDS:
            names = ", ".join(each.__name__ for each in KINDS)
            raise InputError(f"kind={kind!r} is no event; choose one of workbench.events: {names}.")
        return self.subscribe(lambda event: callback(event) if isinstance(event, kind) else None)

    def emit(self, event: Event) -> None:
        """Deliver `event`."""
        errors = []
        for callback in self._subscribers:
            try:
                callback(event)
            except Exception as error:  # the others hear it all the same
                errors.append(error)
        for each in errors:
            if self._failed is None:
                raise each
            self._failed(each)
