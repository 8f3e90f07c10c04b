"""A look at a network as a still picture, drawn with matplotlib's objects: pyplot's global state suits no thread."""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from workbench.networks.inspection import Histogram, Layer
from workbench.ui.network.view import Network, norms_of, remark_on, shape_of
from workbench.ui.picture import COLOURS, FONT, LOCK, MUTED, PAPER, RULE, TEXT

WIDTH = 8.4  # inches, of 96 pixels each on a page
ROW, HEAD = 0.52, 0.86  # inches: of a layer, and above them
DRAWN = 0.27  # inches: of a histogram
PLACES = (0.035, 0.255, 0.33, 0.56, 0.66, 0.878)  # of the width: name, norm, weights, gradient, outputs, remark
WIDE = 0.205  # of the width: a histogram


def picture(network: Network, dots_per_inch: int = 96) -> bytes:
    """Return a PNG of the layers, on white paper so that any page can carry it."""
    height = HEAD + ROW * len(network.layers) + 0.12
    with LOCK:
        figure = Figure(figsize=(WIDTH, height), dpi=dots_per_inch, facecolor=PAPER)
        FigureCanvasAgg(figure)
        write: dict[str, Any] = {"family": FONT, "va": "baseline"}
        figure.text(PLACES[0], 1 - 0.33 / height, network.title, size=11, color=TEXT, weight="bold", **write)
        outputs = f"outputs for {network.observations} observations"
        for place, words in zip((0, 1, 3, 4), ("layer", "weights", "gradient", outputs), strict=True):
            figure.text(PLACES[place], 1 - 0.66 / height, words, size=8.5, color=MUTED, **write)
        for k, layer in enumerate(network.layers):
            _row(figure, layer, (height - HEAD - ROW * k) / height, height, write)
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=dots_per_inch, facecolor=PAPER, metadata={"Software": None})
    return target.getvalue()


def _row(figure: Figure, layer: Layer, top: float, height: float, write: dict[str, Any]) -> None:
    norm, gradient = norms_of(layer)
    line = top - 0.19 / height
    figure.add_artist(_rule(top))
    figure.text(PLACES[0], line, layer.name, size=9, color=TEXT, **write)
    figure.text(PLACES[0], line - 0.16 / height, shape_of(layer), size=7.5, color=MUTED, **write)
    figure.text(PLACES[1], line, norm, size=9, color=TEXT, **write)
    figure.text(PLACES[3], line, gradient, size=9, color=TEXT, **write)
    figure.text(
        PLACES[5], line, remark_on(layer).replace(", ", "\n"), size=7.5, color=MUTED, **write | {"va": "center"}
    )
    for place, found, colour in ((2, layer.weights, COLOURS[0]), (4, layer.outputs, COLOURS[1])):
        if found is not None:
            bottom = top - (0.05 + DRAWN) / height
            _histogram(figure, found, (PLACES[place], bottom, WIDE, DRAWN / height), colour)
            for end, x, side in ((found.low, 0.0, "left"), (found.high, WIDE, "right")):
                text = f"{end:.3g}" if x == 0.0 or found.low < found.high else ""
                figure.text(PLACES[place] + x, bottom - 0.11 / height, text, size=7, color=MUTED, ha=side, **write)


def _rule(height: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D((PLACES[0], 0.965), (height, height), color=RULE, linewidth=0.7)


# Bars are as high as the square roots of their counts, as on the page: behind relu, most are zero.
def _histogram(figure: Figure, found: Histogram, place: tuple[float, float, float, float], colour: str) -> None:
    axes = figure.add_axes(place)
    axes.axis("off")
    counts = np.sqrt(found.counts if len(found.counts) > 1 else (0, 0, 0, 0, *found.counts, 0, 0, 0, 0))
    low, high = (found.low, found.high) if found.low < found.high else (found.low - 0.5, found.low + 0.5)
    axes.stairs(counts, np.linspace(low, high, len(counts) + 1), fill=True, color=colour)
    axes.set_xlim(low, high)
    axes.set_ylim(0, counts.max())
    axes.axhline(0, color=RULE, linewidth=1.0)
