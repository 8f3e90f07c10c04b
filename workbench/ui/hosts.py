"""Whoever shows our widgets: Jupyter through its mime types, marimo through `_display_`, which returns the widget."""

from typing import Any


def is_cut_off(widget: Any) -> bool:
    """Tell whether nothing that the widget says reaches a page any more.

    marimo closes the comm of a widget when the cell that made it runs again; the widget itself is not told.
    """
    return widget.comm is None or bool(getattr(widget.comm, "_closed", False))
