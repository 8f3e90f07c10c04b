"""The live panel: an anywidget whose traits one thread writes and whose buttons and sliders arrive as messages.

Comm messages are handled on a subshell's thread, concurrently with a blocked cell (JupyterLab >= 4.4, ipykernel >= 7),
or on the main thread between cells; both only touch the trainer's own thread-safe methods and wake the publisher.
"""

import math
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.events import Event, Progress, Rewound
from workbench.training import overview
from workbench.ui.commands import answer, notice_of
from workbench.ui.curves import AXES, chosen, pack
from workbench.ui.pace import Pace
from workbench.ui.publisher import Publisher
from workbench.ui.sections import NAMES, Sections
from workbench.ui.state import State, checkpoints, live_values, recent_speed, settings, snapshot
from workbench.ui.subject import Subject

STATIC = Path(__file__).parent / "static"
CURVE_PERIOD = 0.25  # seconds between two sendings of the curves, at least
CURVE_SHARE = 0.05  # of a core, at most, spent on packing curves
VIEWS_REMEMBERED = 16
MARKS = 200  # changes of hyperparameters that a page is told of, the newest
PROGRESS = frozenset(("steps", "seconds", "remaining", "steps_per_second", "episode_return"))
"""What of the state may wait for its turn."""


@dataclass(frozen=True)
class Window:
    """A part of the run that a page looks at.

    Attributes:
        low, high: From which environment steps to which.
        rows: How many rows there were when it was sent; -1 before.
        end: The run's steps then.
    """

    low: float
    high: float
    rows: int = -1
    end: float = 0.0


class Panel(anywidget.AnyWidget):
    """Show a trainer and steer it. The trainer is held weakly: a panel on a page keeps none alive."""

    _esm = (STATIC / "panel.js").read_text(encoding="utf-8")
    _css = (STATIC / "panel.css").read_text(encoding="utf-8")
    key = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    settings: traitlets.List[State] = traitlets.List().tag(sync=True)
    outline: traitlets.List[list[str | int]] = traitlets.List().tag(sync=True)
    curves = traitlets.Bytes().tag(sync=True)
    marks: traitlets.List[State] = traitlets.List().tag(sync=True)
    left: traitlets.List[list[str | int]] = traitlets.List().tag(sync=True)
    left_curves = traitlets.Bytes().tag(sync=True)
    sections: traitlets.List[str] = traitlets.List(NAMES).tag(sync=True)

    def __init__(self, trainer: Subject, on_rest: Callable[[], None] = lambda: None) -> None:
        """Look after `trainer`; call `on_rest`, on the publisher's thread, whenever it is found paused."""
        self._trainer = weakref.ref(trainer)
        self._on_rest = on_rest
        self._lock = threading.Lock()
        self._acknowledged: dict[str, int] = {}
        self._notice: dict[str, str | None] | None = None
        self._windows: dict[str, Window] = {}
        self._checkpoints: list[State] = []
        self._told = True  # of something besides progress
        self._rows = -1
        self._pace = Pace()
        self._next = self._next_curves = 0.0
        self._speed = math.nan
        super().__init__(key=uuid.uuid4().hex, settings=settings(trainer))
        _answer_on_the_pages_subshell(self.comm)
        self._publisher = Publisher(self)
        self._sections = Sections(self.send, self._publisher.wake)
        self.publish()
        self.on_msg(_receive)
        self._unsubscribe = trainer.subscribe(_hearer(self))
        self._publisher.wake()

    @property
    def publisher(self) -> Publisher:
        """The thread's keeper."""
        return self._publisher

    def publish(self) -> bool:
        """Bring the traits up to date; return whether there may soon be more to say."""
        trainer = self._trainer()
        before = self.state.get("status")
        if trainer is None:
            self.state = {**self.state, "status": "gone", "remaining": None}
            self._publisher.close()
            return False
        self._look_up_history(trainer)
        if not self._is_due(self._snapshot(trainer)):
            return True
        with self.hold_sync():  # one message, which is drawn at once
            self._publish_curves(trainer)
            state = self._snapshot(trainer)
            changed = state != self.state
            if changed:
                self.state = state
        self._publish_windows(trainer)
        looking = self._sections.publish(trainer)
        with self._lock:
            self._next = time.monotonic() + self._pace.pause()
        if state["status"] == "paused" != before:
            self._on_rest()
        return changed or looking or state["status"] in ("running", "paused") or len(trainer.metrics) != self._rows

    def _snapshot(self, trainer: Subject) -> State:
        state = snapshot(trainer, self._speed) | {"checkpoints": self._checkpoints}
        with self._lock:
            return state | {"notice": self._notice, "acknowledged": dict(self._acknowledged)}

    def _is_due(self, state: State) -> bool:
        """Say whether pages are to be told now: progress waits for its turn, all else does not."""
        if time.monotonic() >= self._next:
            return True
        return any(self.state.get(name) != value for name, value in state.items() if name not in PROGRESS)

    def _publish_curves(self, trainer: Subject) -> None:
        rows, start = len(trainer.metrics), time.monotonic()
        resting = trainer.status != "running"
        if rows == self._rows or (start < self._next_curves and not resting):
            return
        outline, curves = pack(trainer.metrics)
        self._speed = recent_speed(trainer)
        self.outline = [list(each) for each in outline]
        self.curves = curves
        self._rows = rows
        now = time.monotonic()
        self._next_curves = now + max(CURVE_PERIOD, (now - start) / CURVE_SHARE)

    def _look_up_history(self, trainer: Subject) -> None:
        """Bring up to date what changes now and then: checkpoints, and the marks of changed hyperparameters."""
        if not self._told:
            return
        self._told = False
        self._checkpoints = checkpoints(trainer.run_dir)
        self.marks = trainer.metrics.changes()[-MARKS:]

    def _publish_windows(self, trainer: Subject) -> None:
        """Send pages that look at a part of the run its curves in full: when asked, and while they grow."""
        with self._lock:
            windows = dict(self._windows)
        for view, window in windows.items():
            if window.rows == self._rows or (window.rows >= 0 and window.high <= window.end):
                continue
            outline, curves = pack(trainer.metrics, (window.low, window.high))
            content = {"kind": "window", "view": view, "low": window.low, "high": window.high, "outline": outline}
            self.send(content, [curves])
            shown = Window(window.low, window.high, self._rows, trainer.metrics.last("steps", 0.0))
            with self._lock:
                if self._windows.get(view) is window:
                    self._windows[view] = shown

    def hear(self, event: Event) -> None:
        """Take an event of the trainer, on the thread that trains."""
        if isinstance(event, Rewound):
            self._keep_what_was_left(event)
        if not isinstance(event, Progress):
            self._told = True
            self._publisher.wake()

    def _keep_what_was_left(self, event: Rewound) -> None:
        """Let the page draw, pale, what came after the checkpoint that somebody went back to."""
        kept = overview.read(Path(event.left)).curves
        names = [name for name in (*chosen(list(kept)), *AXES) if name in kept]
        parts = {name: [part[kept[name][0] >= event.to] for part in kept[name]] for name in names}
        with self.hold_sync():
            self.left = [[name, len(steps)] for name, (steps, _) in parts.items()]
            self.left_curves = b"".join(part.astype("<f4").tobytes() for pair in parts.values() for part in pair)

    def glance(self) -> None:
        """Wake the publisher if the trainer is gone, works, or has other hyperparameters than the panel shows."""
        trainer = self._trainer()
        shown = (self.state["status"], self.state["values"])
        if trainer is None or trainer.status == "running" or shown != (trainer.status, live_values(trainer)):
            self._publisher.wake()

    def obey(self, message: dict[str, Any]) -> None:
        """Carry out one command of the page and acknowledge it; a refusal becomes the panel's notice."""
        trainer = self._trainer()
        if self._sections.hear(trainer, message):
            return
        notice: dict[str, str | None] | None = None
        if message.get("kind") == "cost":
            self._hear_cost(message["view"], message.get("seconds"))
            return
        if message.get("kind") == "window":
            self._look_at(message)
        elif trainer is not None:
            notice = notice_of(message, *answer(trainer, message))
        with self._lock:
            self._notice = notice
            if "view" in message:
                self._acknowledged.pop(message["view"], None)
                self._acknowledged[message["view"]] = message["serial"]
            for view in list(self._acknowledged)[:-VIEWS_REMEMBERED]:
                del self._acknowledged[view]
        self._publisher.wake()

    def _hear_cost(self, view: str, seconds: Any) -> None:
        """Note what a page says of its drawings; one that is looked at again is told at once."""
        if self._pace.hear(view, seconds):
            with self._lock:
                self._next = 0.0
            self._publisher.wake()

    def _look_at(self, message: dict[str, Any]) -> None:
        """Note which part of the run a page looks at; without ends, that it sees the whole again."""
        view, low, high = message["view"], message.get("low"), message.get("high")
        with self._lock:
            self._windows.pop(view, None)
            if low is not None and high is not None:
                self._windows[view] = Window(float(low), float(high))
            for other in list(self._windows)[:-VIEWS_REMEMBERED]:
                del self._windows[other]

    def close(self) -> None:
        """End the publisher and take the panel off every page."""
        if "_unsubscribe" in self.__dict__:
            self._publisher.close()
            self._unsubscribe()
            self._sections.close()
        super().close()


def _receive(panel: Panel, message: dict[str, Any], _buffers: list[memoryview]) -> None:
    panel.obey(message)


def _answer_on_the_pages_subshell(comm: Any) -> None:
    """Let the page's messages run on the subshell they name.

    ipykernel 7.4 sends every message of a comm to the shell that last wrote to it. The publisher's thread writes on
    behalf of the main shell, so the buttons would wait for the very cell they are meant to pause.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None


def _hearer(panel: Panel) -> Callable[[Event], None]:
    """Return a callback that keeps no panel alive."""
    weak = weakref.ref(panel)

    def hear(event: Event) -> None:
        panel = weak()
        if panel is not None:
            panel.hear(event)

    return hear
