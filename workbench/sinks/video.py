"""An episode as a moving picture. F: frames, H, W: their height and width in pixels."""

import base64
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.sinks.sink import require

FRAMES = 300
"""Frames that a video keeps at most, so that its size in memory and on disk is bounded."""

SIDE = 480
"""Pixels of a frame's longer side, at most."""

LEAST_DELAY = 20
"""Milliseconds between two frames of a GIF; browsers slow down what is faster."""


class Video:
    """Pictures in a row, written as a GIF once, when it is first asked for.

    Args:
        path: Where the GIF is to be.
        rate: Frames a second.

    Attributes:
        seen: Frames that were added.
        episode_return: Of the episode shown, undiscounted; nan if it was cut short.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._frames: list[npt.NDArray[np.uint8]] = []
        self._stride, self.seen = 1, 0
        self._lock = threading.Lock()
        self.episode_return = math.nan

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Take the next frame [H, W, 3]; of a long video, every second, fourth, ... is kept."""
        if self.seen % self._stride == 0:
            self._frames.append(_shrunk(frame, -(-max(frame.shape[:2]) // SIDE)))
        self.seen += 1
        if len(self._frames) > FRAMES:
            self._frames = self._frames[::2]
            self._stride *= 2

    def written(self) -> Path:
        """Return where the GIF is; any thread may ask, and the first one writes it."""
        with self._lock:
            if self._frames:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                temporary = self._path.with_suffix(".part")
                _write_gif(temporary, self._frames, self._stride / self._rate)
                temporary.replace(self._path)
                self._frames = []
        return self._path

    def __repr__(self) -> str:
        return f"Video({str(self._path)!r}, episode_return={self.episode_return:.4g})"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.written().read_bytes()).decode("ascii")
        return f'<img src="data:image/gif;base64,{data}">'


def _shrunk(frame: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.uint8]:
    """Return the means of squares of `factor` pixels a side; a rest at the right and below is cut off."""
    if factor == 1:
        return np.array(frame)
    height, width = frame.shape[0] // factor, frame.shape[1] // factor
    squares = frame[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    shrunk: npt.NDArray[np.uint8] = squares.mean(axis=(1, 3)).round().astype(np.uint8)
    return shrunk


def _write_gif(path: Path, frames: list[Any], period: float) -> None:
    """Write `frames`, of `period` seconds each, as a GIF that repeats for ever."""
    image = require("PIL.Image", "video")
    adaptive = image.Palette.ADAPTIVE
    first, *rest = (image.fromarray(frame).convert("P", palette=adaptive) for frame in frames)
    delay = max(LEAST_DELAY, round(1000 * period))
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=delay, loop=0)
