"""Draw a picture with numpy: each shape is the share of every pixel that it covers, blended over what is there."""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench_kernels.pictures import font
from workbench_kernels.pictures.description import describe
from workbench_kernels.pictures.expressions import evaluate

if TYPE_CHECKING:
    from workbench_kernels.environment import Environment

SUPERSAMPLES = 4
"""Rows and columns of samples in a pixel of a polygon."""


@functools.lru_cache(maxsize=64)
def _described(environment: "Environment") -> dict[str, Any]:
    return describe(environment)


def rasterise(
    environment: "Environment", state: np.ndarray, observation: np.ndarray, *, scale: float = 2.0
) -> np.ndarray:
    """Draw one lane.

    Args:
        environment: Whose picture it is.
        state: [S], the lane's state.
        observation: [O], or [A, O] with several agents, of which the first is drawn.
        scale: Pixels a picture unit.

    Returns:
        [H, W, 3] uint8, H = height * scale.

    Raises:
        ValueError: If the environment has no picture, or a wrong one.
    """
    canvas = _Canvas(_described(environment), state, observation.reshape(-1), scale)
    return canvas.drawn()


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float32)


class _Canvas:
    def __init__(self, picture: dict[str, Any], state: np.ndarray, observation: np.ndarray, scale: float) -> None:
        self.picture, self.state, self.observation, self.scale = picture, state, observation, scale
        height, width = (max(1, round(picture[side] * scale)) for side in ("height", "width"))
        self.pixels = np.empty((height, width, 3), np.float32)
        self.pixels[...] = _rgb(picture["background"])

    def drawn(self) -> np.ndarray:
        for shape in self.picture["shapes"]:
            getattr(self, shape["kind"])(shape)
        return np.rint(self.pixels).astype(np.uint8)

    def value(self, tree: Any) -> float:
        return evaluate(tree, self.state, self.observation)

    def window(self, left: float, top: float, right: float, bottom: float) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return the pixels that a box touches, as a slice, and their centres' coordinates [1, W] and [H, 1]."""
        height, width = self.pixels.shape[:2]
        bounds = np.nan_to_num(np.array([left - 1, right + 2, top - 1, bottom + 2]), nan=-1.0)
        x0, x1 = np.clip(np.floor(bounds[:2]), 0, width).astype(int)
        y0, y1 = np.clip(np.floor(bounds[2:]), 0, height).astype(int)
        return np.s_[y0:y1, x0:x1], np.arange(x0, x1)[None] + 0.5, np.arange(y0, y1)[:, None] + 0.5

    def blend(self, place: Any, coverage: np.ndarray, colour: str) -> None:
        if colour:
            part, share = self.pixels[place], np.clip(coverage, 0.0, 1.0)[..., None].astype(np.float32)
            part += share * (_rgb(colour) - part)

    def chosen(self, shape: dict[str, Any]) -> str:
        """Return the shape's colour; "" if it is not visible."""
        if not self.value(shape["visible"]):
            return ""
        colours: list[str] = shape["colour"]
        return colours[_held(self.value(shape["index"]), len(colours))]

    def numbers(self, shape: dict[str, Any], *names: str) -> list[float]:
        return [self.value(shape[name]) * self.scale for name in names]

    def rectangle(self, shape: dict[str, Any]) -> None:
        x, y, width, height = self.numbers(shape, "x", "y", "width", "height")
        angle = self.value(shape["angle"])
        reach = np.hypot(width, height) / 2 if angle else 0.0
        half_x, half_y = (reach, reach) if angle else (width / 2, height / 2)
        place, px, py = self.window(x - half_x, y - half_y, x + half_x, y + half_y)
        along = (px - x) * np.cos(angle) + (py - y) * np.sin(angle)
        across = (py - y) * np.cos(angle) - (px - x) * np.sin(angle)
        self.blend(place, _overlap(along, width / 2) * _overlap(across, height / 2), self.chosen(shape))

    def circle(self, shape: dict[str, Any]) -> None:
        x, y, radius = self.numbers(shape, "x", "y", "radius")
        place, px, py = self.window(x - radius, y - radius, x + radius, y + radius)
        self.blend(place, radius - np.hypot(px - x, py - y) + 0.5, self.chosen(shape))

    def line(self, shape: dict[str, Any]) -> None:
        x1, y1, x2, y2, width = self.numbers(shape, "x1", "y1", "x2", "y2", "width")
        r = width / 2
        place, px, py = self.window(min(x1, x2) - r, min(y1, y2) - r, max(x1, x2) + r, max(y1, y2) + r)
        dx, dy = x2 - x1, y2 - y1
        t = np.clip(((px - x1) * dx + (py - y1) * dy) / max(dx * dx + dy * dy, 1e-12), 0.0, 1.0)
        self.blend(place, r - np.hypot(px - x1 - t * dx, py - y1 - t * dy) + 0.5, self.chosen(shape))

    def polygon(self, shape: dict[str, Any]) -> None:
        corners = np.array([[self.value(x) * self.scale, self.value(y) * self.scale] for x, y in shape["points"]])
        place, px, py = self.window(*corners.min(axis=0), *corners.max(axis=0))
        offsets = (np.arange(SUPERSAMPLES) + 0.5) / SUPERSAMPLES - 0.5
        x = px.reshape(1, -1, 1, 1) + offsets  # [1, W, 1, samples]
        y = py.reshape(-1, 1, 1, 1) + offsets[:, None]  # [H, 1, samples, 1]
        inside = np.zeros((py.size, px.size, SUPERSAMPLES, SUPERSAMPLES), np.bool_)
        for (xa, ya), (xb, yb) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if ya != yb:
                inside ^= ((ya > y) != (yb > y)) & (x < (xb - xa) * (y - ya) / (yb - ya) + xa)
        self.blend(place, inside.mean(axis=(2, 3)), self.chosen(shape))

    def text(self, shape: dict[str, Any]) -> None:
        x, y = self.numbers(shape, "x", "y")
        text = shape["text"].replace("{}", f"{self.value(shape['value']):.{shape['digits']}f}")
        self.write(text, x, y, shape["size"] * self.scale, self.chosen(shape))

    def write(self, text: str, x: float, y: float, size: float, colour: str) -> None:
        """Write `text` with its left end and vertical centre at pixel (x, y), capitals `size` pixels high."""
        dots, dot = font.written(text), size / font.HEIGHT
        x, y = round(x), round(y - size / 2) + size / 2  # whole pixels: every dot of a letter looks alike
        place, px, py = self.window(x, y - size / 2, x + dots.shape[1] * dot, y + size / 2)
        column, row = np.floor((px - x) / dot).astype(int), np.floor((py - y + size / 2) / dot).astype(int)
        inside = (column >= 0) & (column < dots.shape[1]) & (row >= 0) & (row < font.HEIGHT)
        if dots.size:
            shown = dots[np.clip(row, 0, font.HEIGHT - 1), np.clip(column, 0, dots.shape[1] - 1)]
            self.blend(place, (shown & inside).astype(np.float32), colour)

    def cells(self, shape: dict[str, Any]) -> None:
        values = self.state if shape["source"] == "state" else self.observation
        rows, columns = shape["rows"], shape["columns"]
        grid = np.asarray(values[shape["first"] : shape["first"] + rows * columns], np.float64).reshape(rows, columns)
        grid = np.nan_to_num(grid)
        colours = np.clip(np.floor(grid), 0, len(shape["palette"]) - 1).astype(int)
        self.fill(shape, colours, shape["palette"])
        labels = shape["labels"]
        if labels:
            left, top, width, height = self.numbers(shape, "x", "y", "width", "height")
            for (r, c), value in np.ndenumerate(np.floor(grid)):
                label = labels[_held(value, len(labels))]
                size = min(height / rows * 0.45, width / columns * 0.8 / max(1, len(label)) * font.HEIGHT / 6)
                start = left + (c + 0.5) * width / columns - (6 * len(label) - 1) * size / font.HEIGHT / 2
                self.write(label, start, top + (r + 0.5) * height / rows, size, "#202020")

    def channels(self, shape: dict[str, Any]) -> None:
        channels = np.asarray(self.observation[: int(np.prod(shape["shape"]))]).reshape(shape["shape"]) != 0
        order = np.arange(1, len(channels) + 1)[:, None, None]
        top = (channels * order).max(axis=0)  # 0 where none is set
        self.fill(shape, top, ["", *shape["palette"]])

    def fill(self, shape: dict[str, Any], colours: np.ndarray, palette: list[str]) -> None:
        """Fill the shape's rectangle with a grid of palette indices; a cell's edges are rounded to whole pixels."""
        left, top, width, height = self.numbers(shape, "x", "y", "width", "height")
        rows, columns = colours.shape
        place, px, py = self.window(left, top, left + width, top + height)
        column = np.floor((px - left) / width * columns).astype(int)
        row = np.floor((py - top) / height * rows).astype(int)
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        index = colours[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
        opaque = np.array([bool(colour) for colour in palette])
        table = np.array([_rgb(colour) if colour else np.zeros(3, np.float32) for colour in palette])
        drawn = inside & opaque[np.minimum(index, len(palette) - 1)]
        part = self.pixels[place]
        part[drawn] = table[np.minimum(index, len(palette) - 1)][drawn]


def _held(value: float, count: int) -> int:
    return int(np.clip(np.nan_to_num(np.floor(value)), 0, count - 1))


def _overlap(distance: np.ndarray, half: float) -> np.ndarray:
    """Return how much of a pixel's unit lies within `half` of the centre, along one axis."""
    overlap: np.ndarray = np.clip(np.minimum(distance + 0.5, half) - np.maximum(distance - 0.5, -half), 0.0, 1.0)
    return overlap
