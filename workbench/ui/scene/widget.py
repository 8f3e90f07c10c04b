"""The scene on a page: an anywidget that sends a frame only when a page that is looked at has shown the one before.

A page asks: `more`, with the number of the frame it has drawn. Nothing is read, played or sent until one does, so
nothing can pile up, and a page that is hidden or gone costs nothing. One thread, the publisher's, does all of it.
"""

import logging
import queue
import threading
import time
import uuid
import weakref
from typing import Any

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.events import Event, Progress
from workbench.ui.pace import Pace
from workbench.ui.panel import STATIC, _answer_on_the_pages_subshell
from workbench.ui.publisher import Publisher
from workbench.ui.scene.director import Director
from workbench.ui.scene.requests import check_lanes, checked
from workbench.ui.text import failure

SHORTEST = 0.004  # seconds between two looks
BLOCKED = 0.05  # seconds that the thread waits for a message at a time
BYTES_PER_SECOND = 600_000  # Jupyter drops messages of a kernel that writes more than a million
LOGGER = logging.getLogger(__name__)


class Scene(anywidget.AnyWidget):
    """Show a trainer's environment. The trainer is held weakly: a scene on a page keeps none alive.

    Args:
        trainer: A `workbench.Trainer`.
        lanes: How many lanes are shown.

    Attributes:
        kind: Tells the page's code what this is.
        key: A name that no other widget has.
        about: What does not change: see `workbench.ui.scene.about`.
    """

    _esm = (STATIC / "panel.js").read_text(encoding="utf-8")
    _css = (STATIC / "panel.css").read_text(encoding="utf-8")
    kind = traitlets.Unicode("scene").tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    about = traitlets.Dict().tag(sync=True)

    def __init__(self, trainer: Any, lanes: int = 8) -> None:
        self._trainer = weakref.ref(trainer)
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._publisher = Publisher(self, SHORTEST)
        self._director = Director(trainer, check_lanes(lanes), _knock(self._inbox, self._publisher))
        self._number, self._wanted, self._not_before = 0, False, 0.0
        self._pace = Pace()
        super().__init__(key=uuid.uuid4().hex, about=self._director.about)
        _answer_on_the_pages_subshell(self.comm)
        self.on_msg(_receive)
        self._unsubscribe = trainer.subscribe(_waker(self._publisher))

    @property
    def publisher(self) -> Publisher:
        """The thread's keeper."""
        return self._publisher

    @property
    def lanes(self) -> int:
        """How many lanes are shown at most."""
        return self._director.lanes

    # What a cell says.

    def play(self, pace: float | None = None, policy: str | None = None, seed: int | None = None) -> None:
        """Let the present policy play, in lanes of its own.

        Args:
            pace: Steps per second.
            policy: "greedy" or "sample".
            seed: Begins new episodes of it.

        Raises:
            InputError: If an argument is out of range.
        """
        wishes = [("pace", pace), ("policy", policy)]
        messages = [{"kind": name, name: value} for name, value in wishes if value is not None]
        if seed is not None:
            messages.append({"kind": "restart", "seed": seed})
        self.ask(*messages, {"kind": "play"})

    def pause(self) -> None:
        """Hold the lanes at play; training is not touched."""
        self.ask({"kind": "pause"})

    def step(self) -> None:
        """Show the next step of the lanes at play."""
        self.ask({"kind": "step"})

    def training(self) -> None:
        """Show training's own lanes again."""
        self.ask({"kind": "mode", "mode": "training"})

    def ask(self, *messages: dict[str, Any]) -> None:
        """Have messages carried out in turn, as the page's are.

        Raises:
            InputError: If one is malformed; then none is.
        """
        for message in [checked(each, self._director.about["keys"]) for each in messages]:
            self._inbox.put(message)
        self._publisher.wake()

    # How it works.

    def publish(self) -> bool:
        """Do what was asked for and what is due, and send a frame if one is wanted; return whether more is to come."""
        trainer = self._trainer()
        if trainer is None:
            self._say({"kind": "frame", "number": self._number, "mode": "training", "status": "gone", "lanes": 0}, [])
            self._publisher.close()
            return False
        with self._lock:
            self._listen(trainer)
            try:
                self._director.advance(trainer, self._wanted)
            except Exception as error:
                self._complain(error)
            self._send_frame(trainer)
            more = self._director.pause_for(trainer, self._wanted) is not None
        if more or not self._inbox.empty():
            self._publisher.wake()
        return more

    def _listen(self, trainer: Any) -> None:
        """Take messages until something is due."""
        pause = self._director.pause_for(trainer, self._wanted)
        timeout = 0.0 if pause is None else min(pause, BLOCKED)
        while True:
            try:
                message = self._inbox.get(timeout=timeout) if timeout > 0 else self._inbox.get_nowait()
            except queue.Empty:
                return
            timeout = 0.0
            if message["kind"] == "more":
                self._wanted = self._wanted or message["hello"] or message["frame"] == self._number
                self._director.changed = self._director.changed or message["hello"]
                self._pace.hear("page", message["cost"])
                self._director.rest = self._pace.pause()
            elif message["kind"] == "refused":
                self._director.notice, self._director.changed = message["text"], True
            elif message["kind"] != "ready":
                try:
                    self._director.obey(trainer, message)
                except Exception as error:
                    self._complain(error)

    def _complain(self, error: Exception) -> None:
        director = self._director
        director.playing, director.changed = False, True
        if isinstance(error, WorkbenchError):
            director.notice = str(error)
        else:  # Whatever an environment raises belongs on the page: nobody reads a thread's log.
            LOGGER.error("the scene could not go on", exc_info=error)
            director.notice = failure(error)

    def _send_frame(self, trainer: Any) -> None:
        now = time.monotonic()
        if not self._wanted or not self._director.changed or now < self._not_before:
            return
        header, buffers = self._director.frame(trainer)
        self._number += 1
        self._wanted = False
        self._not_before = now + sum(map(len, buffers)) / BYTES_PER_SECOND
        self._say({"kind": "frame", "number": self._number, **header}, buffers)

    def _say(self, header: dict[str, Any], buffers: list[bytes]) -> None:
        self.send(header, buffers=buffers)

    def obey(self, message: dict[str, Any]) -> None:
        """Take a message of the page; one that is malformed becomes the scene's notice."""
        try:
            self.ask(message)
        except WorkbenchError as error:
            self._inbox.put({"kind": "refused", "text": str(error)})
            self._publisher.wake()

    def close(self) -> None:
        """Free what plays, end the publisher and take the scene off every page."""
        if "_unsubscribe" in self.__dict__:
            self._publisher.close()
            self._unsubscribe()
            with self._lock:
                self._director.close()
        super().close()


def _receive(scene: Scene, message: dict[str, Any], _buffers: list[memoryview]) -> None:
    scene.obey(message)


def _knock(inbox: "queue.SimpleQueue[dict[str, Any]]", publisher: Publisher) -> Any:
    def wake() -> None:
        inbox.put({"kind": "ready"})
        publisher.wake()

    return wake


def _waker(publisher: Publisher) -> Any:
    def wake(event: Event) -> None:
        if not isinstance(event, Progress):
            publisher.wake()

    return wake
