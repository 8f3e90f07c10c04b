"""Sends a scene to pages: a frame only when a page that is looked at has shown the one before.

A page asks: `more`, with the number of the frame it has drawn. Nothing is read, played or sent until one does, so
nothing can pile up, and a page that is hidden or gone soon costs nothing. One thread, the publisher's, does all of it.
"""

import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from workbench.errors import WorkbenchError
from workbench.events import Event, Progress
from workbench.ui.pace import Pace
from workbench.ui.publisher import Publisher
from workbench.ui.scene.director import Director
from workbench.ui.scene.requests import check_lanes, checked
from workbench.ui.text import failure

SHORTEST = 0.004  # seconds between two looks
BLOCKED = 0.05  # seconds that the thread waits for a message at a time
AHEAD = 5  # frames that one `more` is good for while they come slowly: JupyterLab redraws itself for each message
SLOW = 0.5  # seconds between two frames; no page takes so long to draw one
BYTES_PER_SECOND = 600_000  # Jupyter drops messages of a kernel that writes more than a million
LOGGER = logging.getLogger(__name__)


class Projector:
    """Shows a trainer's environment over any wire. The trainer is held weakly.

    Args:
        trainer: A `workbench.Trainer`.
        lanes: How many lanes are shown.
        say: Sends a message, and its buffers, to all pages.

    Attributes:
        director: What is on.
        publisher: The thread's keeper.

    Raises:
        InputError: If so many lanes cannot be shown.
    """

    def __init__(self, trainer: Any, lanes: int, say: Callable[[dict[str, Any], list[bytes]], None]) -> None:
        self._trainer = weakref.ref(trainer)
        self.say = say
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.publisher = Publisher(self, SHORTEST)
        self.director = Director(trainer, check_lanes(lanes), _knock(self._inbox, self.publisher))
        self._number, self._left, self._not_before = 0, 0, 0.0
        self._pace = Pace()
        self._unsubscribe = trainer.subscribe(_waker(self.publisher))

    def ask(self, *messages: dict[str, Any]) -> None:
        """Have messages carried out in turn.

        Raises:
            InputError: If one is malformed; then none is.
        """
        for message in [checked(each, self.director.about["keys"]) for each in messages]:
            self._inbox.put(message)
        self.publisher.wake()

    def obey(self, message: dict[str, Any]) -> None:
        """Take a message of a page; one that is malformed becomes the scene's notice."""
        try:
            self.ask(message)
        except WorkbenchError as error:
            self._inbox.put({"kind": "refused", "text": str(error)})
            self.publisher.wake()

    @property
    def wanted(self) -> bool:
        """Whether a page waits for a frame."""
        return self._left > 0

    def _granted(self) -> int:
        """Return the frames that one `more` is good for."""
        return AHEAD if self.director.mode == "training" and self.director.rest >= SLOW else 1

    def publish(self) -> bool:
        """Do what was asked for and what is due, and send a frame if one is wanted; return whether more is to come."""
        trainer = self._trainer()
        if trainer is None:
            self.say({"kind": "frame", "number": self._number, "mode": "training", "status": "gone", "lanes": 0}, [])
            self.publisher.close()
            return False
        with self._lock:
            self._listen(trainer)
            try:
                self.director.advance(trainer, self.wanted)
            except Exception as error:
                self._complain(error)
            self._send_frame(trainer)
            more = self.director.pause_for(trainer, self.wanted) is not None
        if more or not self._inbox.empty():
            self.publisher.wake()
        return more

    def _listen(self, trainer: Any) -> None:
        """Take messages until something is due."""
        pause = self.director.pause_for(trainer, self.wanted)
        timeout = 0.0 if pause is None else min(pause, BLOCKED)
        while True:
            try:
                message = self._inbox.get(timeout=timeout) if timeout > 0 else self._inbox.get_nowait()
            except queue.Empty:
                return
            timeout = 0.0
            if message["kind"] == "more":
                self._pace.hear("page", message["cost"])
                self.director.rest = self._pace.pause()
                if message["hello"] or message["frame"] == self._number:
                    self._left = self._granted()
                self.director.changed = self.director.changed or message["hello"]
            elif message["kind"] == "refused":
                self.director.notice, self.director.changed = message["text"], True
            elif message["kind"] != "ready":
                try:
                    self.director.obey(trainer, message)
                except Exception as error:
                    self._complain(error)

    def _complain(self, error: Exception) -> None:
        director = self.director
        director.playing, director.changed = False, True
        if isinstance(error, WorkbenchError):
            director.notice = str(error)
        else:  # Whatever an environment raises belongs on the page: nobody reads a thread's log.
            LOGGER.error("the scene could not go on", exc_info=error)
            director.notice = failure(error)

    def _send_frame(self, trainer: Any) -> None:
        now = time.monotonic()
        if not self.wanted or not self.director.changed or now < self._not_before:
            return
        header, buffers = self.director.frame(trainer)
        self._number += 1
        self._left = min(self._left, self._granted()) - 1
        self._not_before = now + sum(map(len, buffers)) / BYTES_PER_SECOND
        self.say({"kind": "frame", "number": self._number, "answer": self._left == 0, **header}, buffers)

    def close(self) -> None:
        """Free what plays, and end the publisher."""
        self.publisher.close()
        self._unsubscribe()
        with self._lock:
            self.director.close()


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
