"""A look at a trainer's network, as a value: numbers, a table, a text and a picture."""

import base64
import math
from dataclasses import dataclass
from typing import Any

from workbench.networks.inspection import Layer
from workbench.ui.network.sample import Sample

NOTHING = "-"
PIXELS_PER_INCH = 2 * 96  # of the picture: two of its pixels to one of the page


@dataclass(frozen=True)
class Network:
    """What a network's layers held at one time.

    Attributes:
        environment, algorithm: Their names.
        steps: Environment steps it had learned from.
        observations: How many of the lanes' observations were put through it.
        layers: In the order of the forward pass (`workbench.networks.inspection.Layer`).
    """

    environment: str
    algorithm: str
    steps: int
    observations: int
    layers: tuple[Layer, ...]

    @property
    def title(self) -> str:
        """One line on what is looked at."""
        return f"Network of {self.algorithm} on {self.environment} after {self.steps:,} steps"

    def to_pandas(self) -> Any:
        """Return a table with a row a layer: shape, parameters, norms, activation, and the share of idle units."""
        import pandas as pd

        names = ("shape", "parameters", "norm", "gradient", "activation", "idle")
        rows = [{name: getattr(layer, name) for name in names} for layer in self.layers]
        return pd.DataFrame(rows, index=pd.Index([layer.name for layer in self.layers], name="layer"))

    def __repr__(self) -> str:
        rows = [("layer", "shape", "weights", "gradient", "outputs", "")]
        rows += [_words(layer) for layer in self.layers]
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self.title, *lines, f"outputs for {self.observations} observations of the lanes"])

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """Return the text, and a picture where matplotlib is."""
        data = {"text/plain": repr(self)}
        try:
            from workbench.ui.network.picture import picture
        except ModuleNotFoundError:
            return data, {}
        png = picture(self, PIXELS_PER_INCH)
        data["image/png"] = base64.b64encode(png).decode("ascii")
        width, height = (int.from_bytes(png[start : start + 4], "big") // 2 for start in (16, 20))
        return data, {"image/png": {"width": width, "height": height}}


def _words(layer: Layer) -> tuple[str, str, str, str, str, str]:
    outputs = layer.outputs
    between = NOTHING if outputs is None else f"{outputs.low:.3g} to {outputs.high:.3g}"
    return (layer.name, shape_of(layer), *norms_of(layer), between, remark_on(layer))


def shape_of(layer: Layer) -> str:
    """Write the shape of a layer's weights: 64 x 4."""
    return " x ".join(map(str, layer.shape)) or "1"


def norms_of(layer: Layer) -> tuple[str, str]:
    """Write the norms of the weights and of the gradient."""
    return f"{layer.norm:.3g}", f"{layer.gradient:.3g}" if math.isfinite(layer.gradient) else NOTHING


def remark_on(layer: Layer) -> str:
    """Write what follows a layer, and how many of its units say nothing: relu, 12 % dead."""
    if math.isnan(layer.idle):
        return layer.activation or ""
    return f"{layer.activation}, {100 * layer.idle:.0f} % {'saturated' if layer.activation == 'tanh' else 'dead'}"


def network_of(trainer: Any, sample: Sample) -> Network:
    """Look at a sample that was taken of `trainer`."""
    name = type(sample.algorithm).__name__
    return Network(trainer.id, name, sample.steps, len(sample.shown[0]), sample.layers())
