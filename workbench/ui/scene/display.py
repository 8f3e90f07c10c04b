"""A scene as output of a cell: the widget, with a picture of the lanes and a text for pages that have no kernel."""

import base64
import io
import threading
import uuid
import weakref
from typing import Any

import numpy as np
from IPython.core.getipython import get_ipython
from IPython.display import display, update_display

from workbench.events import Stopped
from workbench.ui.hosts import is_cut_off
from workbench.ui.scene.moment import native_of
from workbench.ui.scene.widget import Scene
from workbench.ui.text import describe

WIDGET = "application/vnd.jupyter.widget-view+json"
COLUMNS = 4
WIDTH, GAP = 480, 8  # pixels of a lane in the picture, and between two: two to one of the page
RULE, PAPER = 226, 255
SHOWN = 16  # lanes of the picture at most

_scenes: "weakref.WeakKeyDictionary[Any, View]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


class View:
    """The scene of one trainer, and the outputs that show it.

    Its methods are the scene's: `play`, `pause`, `step`, `training`, `close`.
    """

    def __init__(self, trainer: Any, lanes: int) -> None:
        self._trainer = weakref.ref(trainer)
        self._identifiers: list[str] = []
        self.scene = Scene(trainer, lanes)
        self.play, self.pause, self.step = self.scene.play, self.scene.pause, self.scene.step
        self.training, self.close = self.scene.training, self.scene.close
        trainer.subscribe(_refresher(self))

    def __repr__(self) -> str:
        return f"<View of {self.scene.about['environment']}>"

    def _ipython_display_(self) -> None:
        trainer = self._trainer()
        shell = get_ipython()
        if trainer is None or shell is None or not hasattr(shell, "kernel"):
            print(repr(self))
            return
        identifier = uuid.uuid4().hex
        data, metadata = self._bundle(trainer)
        display(data, metadata=metadata, raw=True, display_id=identifier)  # type: ignore[no-untyped-call]
        self._identifiers.append(identifier)

    def _display_(self) -> Scene:
        return self.scene

    def refresh(self) -> None:
        """Bring the picture and the text of every output up to date, on training's thread; the widget stays."""
        trainer = self._trainer()
        if trainer is None or not self._identifiers:
            return
        data, metadata = self._bundle(trainer)
        for identifier in self._identifiers:
            update_display(data, metadata=metadata, raw=True, display_id=identifier)  # type: ignore[no-untyped-call]

    def _bundle(self, trainer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.scene.model_id}
        data: dict[str, Any] = {WIDGET: view, "text/plain": f"Scene of {describe(trainer)}"}
        png = picture(trainer, self.scene.lanes)
        if png is None:
            return data, {}
        data["image/png"] = base64.b64encode(png).decode("ascii")
        width, height = (int.from_bytes(png[start : start + 4], "big") // 2 for start in (16, 20))
        return data, {"image/png": {"width": width, "height": height}}


def picture(trainer: Any, lanes: int) -> bytes | None:
    """Return a PNG of training's first lanes, side by side; None if the environment has no picture.

    A training that runs goes on meanwhile: a lane may be caught in the middle of a step.
    """
    from PIL import Image

    from workbench_kernels.pictures.raster import rasterise

    native = native_of(trainer.env)
    if native is None or native.environment.picture is None:
        return None
    shape = native.environment.picture
    count = min(lanes, native.lanes, SHOWN)
    buffers = native.buffers
    scale = min(WIDTH / shape.width, WIDTH / shape.height)
    tiles = [
        rasterise(native.environment, np.array(buffers.state[:, i]), np.array(buffers.observation[..., i]), scale=scale)
        for i in range(count)
    ]
    image = Image.fromarray(_montage(tiles))
    target = io.BytesIO()
    image.save(target, "PNG", optimize=True)
    return target.getvalue()


def _montage(tiles: list[Any]) -> Any:
    """Lay pictures [H, W, 3] in rows, each with a rule around it, on white paper."""
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    height, width = (side + 4 for side in tiles[0].shape[:2])
    paper = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), PAPER, np.uint8)
    for k, tile in enumerate(tiles):
        top, left = (k // columns) * (height + GAP), (k % columns) * (width + GAP)
        paper[top : top + height, left : left + width] = RULE
        paper[top + 2 : top + height - 2, left + 2 : left + width - 2] = tile
    return paper


def view_of(trainer: Any, lanes: int) -> View:
    """Return the view of `trainer`; one trainer has one, whose outputs show the same.

    Raises:
        InputError: If so many lanes cannot be shown.
    """
    with _lock:
        view = _scenes.get(trainer)
        if view is not None and is_cut_off(view.scene):
            view.close()
        if view is None or view.scene.publisher.closed:
            view = _scenes[trainer] = View(trainer, lanes)
        else:
            view.scene.ask({"kind": "lanes", "lanes": lanes})
    return view


def _refresher(view: View) -> Any:
    reference = weakref.ref(view)

    def refresh(event: Any) -> None:
        target = reference()
        if target is not None and isinstance(event, Stopped):
            target.refresh()

    return refresh
