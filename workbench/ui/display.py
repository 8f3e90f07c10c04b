"""A trainer in a notebook: the live panel, with a picture and a text beneath it for pages that have no kernel."""

import base64
import logging
import threading
import uuid
import weakref
from collections.abc import Callable
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import display, update_display

from workbench.events import Rewound, Stopped
from workbench.ui.hosts import is_cut_off
from workbench.ui.panel import Panel
from workbench.ui.picture import picture
from workbench.ui.subject import Subject
from workbench.ui.text import describe

WIDGET = "application/vnd.jupyter.widget-view+json"
PIXELS_PER_INCH = 2 * 96  # of the picture: two of its pixels to one of the page
LOGGER = logging.getLogger(__name__)

_shown: "weakref.WeakKeyDictionary[Subject, Display]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


class Display:
    """The outputs of one trainer, kept at its last state."""

    def __init__(self, trainer: Subject) -> None:
        self._trainer = weakref.ref(trainer)
        self._identifiers: list[str] = []
        self._lock = threading.Lock()
        refresh = _weakly(self)
        self.panel = Panel(trainer, on_rest=refresh)
        trainer.subscribe(lambda event: _safely(refresh) if isinstance(event, Stopped | Rewound) else None)
        _after_each_cell(self.panel)

    def show(self, trainer: Subject) -> None:
        """Display the panel as output of the running cell."""
        identifier = uuid.uuid4().hex
        data, metadata = self._bundle(trainer)
        display(data, metadata=metadata, raw=True, display_id=identifier)  # type: ignore[no-untyped-call]
        self._identifiers.append(identifier)
        self.panel.publisher.wake()

    def refresh(self) -> None:
        """Bring the picture and the text of every output up to date; the widget stays the same.

        Training that ends calls this on its own thread before `wait` returns, so that a notebook executed without a
        front end holds the last state.
        """
        trainer = self._trainer()
        if trainer is None or not self._identifiers:
            return
        with self._lock:
            data, metadata = self._bundle(trainer)
            for identifier in self._identifiers:
                update_display(data, metadata=metadata, raw=True, display_id=identifier)  # type: ignore[no-untyped-call]

    def _bundle(self, trainer: Subject) -> tuple[dict[str, Any], dict[str, Any]]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.panel.model_id}
        data: dict[str, Any] = {WIDGET: view, "text/plain": describe(trainer)}
        if len(trainer.metrics) == 0:
            return data, {}
        png = picture(trainer, PIXELS_PER_INCH)
        data["image/png"] = base64.b64encode(png).decode("ascii")
        width, height = (int.from_bytes(png[start : start + 4], "big") // 2 for start in (16, 20))
        return data, {"image/png": {"width": width, "height": height}}


def show(trainer: Subject) -> None:
    """Display `trainer` as output of the running cell; the outputs of one trainer share one panel."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        print(describe(trainer))
        return
    with _lock:
        shown = _shown.get(trainer)
        if shown is None:
            shown = _shown[trainer] = Display(trainer)
    shown.show(trainer)


def widget_of(trainer: Subject) -> Panel:
    """Return the panel of `trainer`; a new one where the host has closed the last one's comm, as marimo does."""
    with _lock:
        shown = _shown.get(trainer)
        if shown is not None and is_cut_off(shown.panel):
            shown.panel.close()
            shown = None
        if shown is None:
            shown = _shown[trainer] = Display(trainer)
    shown.panel.publisher.wake()
    return shown.panel


def _safely(refresh: Callable[[], None]) -> None:
    """Log what `refresh` raises: training must not fail for want of a picture."""
    try:
        refresh()
    except Exception:
        LOGGER.exception("the picture of the training could not be drawn")


def _weakly(shown: Display) -> Callable[[], None]:
    reference = weakref.ref(shown)

    def refresh() -> None:
        target = reference()
        if target is not None:
            target.refresh()

    return refresh


def _after_each_cell(panel: Panel) -> None:
    """Wake the panel after each cell: a cell may have set a hyperparameter while nothing trains."""
    shell = get_ipython()
    if shell is None:
        return
    events, reference = shell.events, weakref.ref(panel)

    def glance(_result: Any) -> None:
        target = reference()
        if target is None or target.publisher.closed:
            events.unregister("post_run_cell", glance)
        else:
            target.glance()

    events.register("post_run_cell", glance)
