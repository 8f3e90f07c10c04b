"""The parts of a panel that are folded until somebody looks, and cost nothing till then: environment and network."""

import threading
from collections.abc import Callable
from typing import Any

from workbench.ui.network.lookout import Lookout
from workbench.ui.scene.projector import Projector
from workbench.ui.text import failure

NAMES = ["watch", "network"]
LANES = 8

Say = Callable[[dict[str, Any], list[bytes]], None]


class Sections:
    """Answers what the sections of a page ask.

    A page asks `{"kind": "watch"}` when it opens the scene, and is told `about` it, or a `problem`; what is asked of
    the scene itself comes as `{"kind": "scene", "request": ...}`, and its frames go to the page as they are. Of the
    network it asks `{"kind": "network", "seen": ...}`; see `Lookout`.

    Args:
        say: Sends a message, and its buffers, to all pages.
        wake: Called when there is something to do for `publish`.
    """

    def __init__(self, say: Say, wake: Callable[[], None]) -> None:
        self._say, self._wake = say, wake
        self._lock = threading.Lock()
        self._projector: Projector | None = None
        self._lookout = Lookout(lambda message: say(message, []), wake)

    def hear(self, trainer: Any, message: dict[str, Any]) -> bool:
        """Take a message of a page; return whether it was for a section."""
        kind = message.get("kind")
        if kind == "network":
            self._lookout.ask(message.get("seen"))
            self._wake()
        elif kind == "watch":
            self._begin(trainer)
        elif kind == "scene" and self._projector is not None:
            self._projector.obey(message.get("request") or {})
        return kind in ("network", "watch", "scene")

    def _begin(self, trainer: Any) -> None:
        """Tell a page what it must know to show the scene."""
        if trainer is None:
            self._say({"kind": "watch", "problem": "The trainer is no more."}, [])
            return
        try:
            with self._lock:
                if self._projector is None:
                    self._projector = Projector(trainer, LANES, self._say)
        except Exception as error:  # whatever an environment of somebody's own raises belongs on the page
            self._say({"kind": "watch", "problem": failure(error)}, [])
        else:
            self._say({"kind": "watch", "about": self._projector.director.about}, [])

    def publish(self, trainer: Any) -> bool:
        """Do what is due, on the publisher's thread; return whether more is to come. The scene has its own thread."""
        return self._lookout.publish(trainer)

    def close(self) -> None:
        """End the scene."""
        if self._projector is not None:
            self._projector.close()
