"""A picture as JSON: what a canvas in the browser is told once, and needs nothing but states to draw from then on."""

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from workbench_kernels.pictures import font
from workbench_kernels.pictures.expressions import parse
from workbench_kernels.pictures.shapes import Cells, Channels, Polygon, Shape

if TYPE_CHECKING:
    from workbench_kernels.environment import Environment

PLAIN = {"colour", "text", "size", "digits", "palette", "labels", "rows", "columns", "source", "first"}
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def describe(environment: "Environment") -> dict[str, Any]:
    """Return the picture of `environment`: `width`, `height`, `background`, `font`, and `shapes`, expressions parsed.

    Raises:
        ValueError: If it has none, or an expression or a colour of it is wrong.
    """
    picture = environment.picture
    if picture is None:
        raise ValueError(
            f"picture=None of {environment.id!r}; give the environment a workbench_kernels.pictures.Picture."
        )
    rows = {name: row for row, name in enumerate(environment.rows)}
    shapes = []
    for k, shape in enumerate(picture.shapes):
        try:
            shapes.append(_shape(shape, rows, environment))
        except ValueError as error:
            raise ValueError(f"shape {k} ({type(shape).__name__}) of {environment.id!r}: {error}") from error
    _check_colours((picture.background,))
    return {
        "width": picture.width,
        "height": picture.height,
        "background": picture.background,
        "shapes": shapes,
        "font": font.ROWS,
    }


def _check_components(tree: Any, count: int) -> None:
    """Raise if an expression names a component that `count` of them do not have."""
    if isinstance(tree, list):
        if tree[0] == "observation" and tree[1] >= count:
            raise ValueError(f"observation_{tree[1]} is beyond the observation's {count} components.")
        for part in tree[1:]:
            _check_components(part, count)


def _check_colours(colours: tuple[str, ...]) -> None:
    if not colours:
        raise ValueError("there is no colour; pass at least one.")
    for colour in colours:
        if colour and not COLOUR.fullmatch(colour):
            raise ValueError(f"colour {colour!r} is not of the form '#rrggbb'.")


def _shape(shape: Shape, rows: dict[str, int], environment: "Environment") -> dict[str, Any]:
    described: dict[str, Any] = {"kind": type(shape).__name__.lower()}
    components = environment.observation.size * environment.agents
    for field in dataclasses.fields(shape):
        value = getattr(shape, field.name)
        if field.name == "points":
            described["points"] = [[parse(x, rows), parse(y, rows)] for x, y in value]
            _check_components(["points", *described["points"]], components)
        elif field.name in PLAIN:
            described[field.name] = list(value) if isinstance(value, tuple) else value
        else:
            described[field.name] = parse(value, rows)
            _check_components(described[field.name], components)
    if isinstance(shape, Channels):
        if len(environment.observation.shape) != 3:
            raise ValueError(f"Channels needs an observation [C, H, W], not {environment.observation.shape}.")
        described["shape"] = list(environment.observation.shape)
        _check_colours(shape.palette)
    elif isinstance(shape, Cells):
        described["first"] = _first(shape, rows, environment)
        _check_colours(shape.palette)
    else:
        assert isinstance(shape, Polygon) or not isinstance(shape, Channels | Cells)
        described["colour"] = [shape.colour] if isinstance(shape.colour, str) else list(shape.colour)
        _check_colours(tuple(described["colour"]))
    return described


def _first(cells: Cells, rows: dict[str, int], environment: "Environment") -> int:
    if cells.source not in ("state", "observation"):
        raise ValueError(f"source={cells.source!r} is unknown; choose 'state' or 'observation'.")
    if isinstance(cells.first, str) and cells.first not in rows:
        raise ValueError(f"first={cells.first!r} is no state row; there are: {', '.join(rows)}.")
    first = rows[cells.first] if isinstance(cells.first, str) else cells.first
    size = len(rows) if cells.source == "state" else environment.observation.size
    if not 0 <= first <= size - cells.rows * cells.columns:
        raise ValueError(f"{cells.rows} x {cells.columns} cells from {first} on do not fit into {size} components.")
    return first
