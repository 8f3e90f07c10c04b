"""The scene on a page of its own: an anywidget around a projector."""

import uuid
from typing import Any

import anywidget
import traitlets

from workbench.ui.panel import STATIC, _answer_on_the_pages_subshell
from workbench.ui.publisher import Publisher
from workbench.ui.scene.projector import Projector


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
        self.projector = Projector(trainer, lanes, lambda header, buffers: self.send(header, buffers=buffers))
        super().__init__(key=uuid.uuid4().hex, about=self.projector.director.about)
        _answer_on_the_pages_subshell(self.comm)
        self.on_msg(_receive)

    @property
    def publisher(self) -> Publisher:
        """The thread's keeper."""
        return self.projector.publisher

    @property
    def lanes(self) -> int:
        """How many lanes are shown at most."""
        return self.projector.director.lanes

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
        self.projector.ask(*messages)

    def close(self) -> None:
        """Free what plays, end the publisher and take the scene off every page."""
        if "projector" in self.__dict__:  # not if there cannot be so many lanes
            self.projector.close()
        super().close()


def _receive(scene: Scene, message: dict[str, Any], _buffers: list[memoryview]) -> None:
    scene.projector.obey(message)
