"""How an analysis is shown and kept: a live widget over a picture over a text, and files of five kinds.

Whatever is shown has `headline`, `panels()`, `groups`, `table()`, `figure()`, `markdown()`, `html()` and a text.
"""

import base64
import html
import io
import json
import threading
import weakref
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workbench.analysis.panels import Panel, Paths, colour, shades
from workbench.errors import InputError
from workbench.ui.hosts import is_cut_off

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

STATIC = Path(__file__).parent / "static"
LAB = ("anywidget", "bokeh", "holoviews", "matplotlib", "panel", "traitlets")
INSTALL = 'the `lab` extra is missing; pip install "rl-workbench[lab]".'
PIXELS_PER_INCH = 2 * 96  # of the picture: two of its pixels to one of the page
WIDGET = "application/vnd.jupyter.widget-view+json"
KINDS = (".html", ".md", ".csv", ".png", ".svg")

_views: "weakref.WeakKeyDictionary[Shown, Any]" = weakref.WeakKeyDictionary()
_drawing = threading.Lock()  # matplotlib's font cache is shared by all figures.


class Shown(Protocol):
    """What can be displayed and saved."""

    kind: str

    @property
    def headline(self) -> tuple[str, str]:
        """What it is, and what of."""
        ...

    @property
    def groups(self) -> list[str]:
        """The labels of the colours, in their order."""
        ...

    def panels(self) -> list[Panel]:
        """What is drawn."""
        ...

    def table(self) -> "pandas.DataFrame":
        """The numbers."""
        ...

    def figure(self) -> "Figure":
        """The panels as a still picture."""
        ...

    def markdown(self) -> str:
        """The numbers, and how they were made."""
        ...

    def html(self) -> str:
        """The same, as HTML."""
        ...


def mime_bundle(shown: Shown) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the forms of a cell's output: the widget where a kernel runs, else a picture, else a text."""
    data: dict[str, Any] = {"text/plain": str(shown)}
    try:
        png = picture(shown, "png")
        data["image/png"] = base64.b64encode(png).decode("ascii")
        data[WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": _plots(shown).model_id}
    except ModuleNotFoundError as error:
        _check_extra(error)
        return {"text/plain": f"{shown}\nFor the plots: {INSTALL}"}, {}
    width, height = (int.from_bytes(png[start : start + 4], "big") // 2 for start in (16, 20))
    return data, {"image/png": {"width": width, "height": height}}


def widget_of(shown: Shown) -> Any:
    """Return the live plots, for hosts that show widgets themselves (marimo), or a text without the `lab` extra."""
    try:
        return _plots(shown)
    except ModuleNotFoundError as error:
        _check_extra(error)
        return f"{shown}\nFor the plots: {INSTALL}"


def save(shown: Shown, path: str | Path) -> Path:
    """Write what is shown to a file of the kind that its ending says; return its path.

    Raises:
        InputError: If the ending is another one, or an extra is missing.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in KINDS:
        raise InputError(f"path={str(path)!r} has no known ending; choose one of {', '.join(KINDS)}.")
    try:
        if kind == ".csv":
            content = shown.table().to_csv(index=False).encode()
        elif kind == ".md":
            content = shown.markdown().encode()
        else:
            content = page(shown).encode() if kind == ".html" else picture(shown, kind[1:])
    except ModuleNotFoundError as error:
        _check_extra(error)
        raise InputError(f"path={str(path)!r} cannot be written: {INSTALL}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def picture(shown: Shown, kind: str) -> bytes:
    """Return the still picture as "png" or "svg", the same bytes for the same numbers."""
    from matplotlib import rc_context

    target = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with _drawing, rc_context({"svg.hashsalt": "rl-workbench", "svg.fonttype": "none"}):
        shown.figure().savefig(target, format=kind, dpi=PIXELS_PER_INCH, metadata=metadata)
    return target.getvalue()


def page(shown: Shown) -> str:
    """Return a page with the live plots, that fetches nothing."""
    title = html.escape(" · ".join(shown.headline))
    script = f"{javascript()}\nshow({json.dumps(content(shown))}, document.getElementById('shown'));"
    script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ display: flex; justify-content: center; margin: 24px 16px; background: #ffffff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111111; }} }}
{stylesheet()}
</style>
</head>
<body>
<div id="shown"></div>
<script type="module">
{script}
</script>
</body>
</html>
"""


def content(shown: Shown) -> dict[str, Any]:
    """Return what the page's code is given, as JSON holds it."""
    from bokeh.document import Document
    from bokeh.models.renderers import GlyphRenderer

    from workbench.analysis.plots import figures

    panels = shown.panels()
    document = Document()
    roots = []
    for panel, figure in zip(panels, figures(panels), strict=True):
        document.add_root(figure)
        roots.append({"id": figure.id, "wide": isinstance(panel, Paths)})
    owned = [each for each in document.select({"type": GlyphRenderer}) if each.tags]
    groups = [
        {
            "label": label,
            "light": colour(place),
            "dark": colour(place, dark=True),
            "ids": [each.id for each in owned if each.tags[0]["group"] == label],
        }
        for place, label in enumerate(shown.groups)
    ]
    title, subtitle = shown.headline
    return {
        "kind": shown.kind,
        "title": title,
        "subtitle": subtitle,
        "groups": groups,
        "roots": roots,
        "document": json.dumps(document.to_json(deferred=False)),
        "dark": shades(),
        "html": shown.html(),
    }


@cache
def javascript(library: str | None = None) -> str:
    """Return the page's code.

    Args:
        library: JavaScript that sets `this.Bokeh`; BokehJS itself if None, as bokeh's own package brings it.
    """
    import bokeh
    from bokeh.util.paths import bokehjs_path

    library = library or (bokehjs_path() / "js" / "bokeh.min.js").read_text(encoding="utf-8")
    code = (STATIC / "plots.js").read_text(encoding="utf-8")
    return code.replace("BOKEH_VERSION", bokeh.__version__).replace("/* BOKEH */", library)


@cache
def stylesheet() -> str:
    """Return the page's style."""
    return (STATIC / "plots.css").read_text(encoding="utf-8")


@cache
def _widget() -> Any:
    """Make the widget's class when the first one is shown."""
    import anywidget
    import traitlets

    class Plots(anywidget.AnyWidget):
        """Live plots; all that they show is in `page`."""

        _esm = javascript()
        _css = stylesheet()
        page = traitlets.Dict().tag(sync=True)

    return Plots


def _plots(shown: Shown) -> Any:
    """Return the widget of what is shown; its outputs share one, which stays as long as the kernel."""
    widget = _views.get(shown)
    if widget is None or is_cut_off(widget):
        widget = _views[shown] = _widget()(page=content(shown))
    return widget


def _check_extra(error: ModuleNotFoundError) -> None:
    if (error.name or "").partition(".")[0] not in LAB:
        raise error
