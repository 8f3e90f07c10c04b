"""The shapes a picture is made of.

A number of a shape is an expression: a float, or a string of arithmetic over the names of the environment's state rows,
such as `"300 + 60 * x - 20 * sin(theta)"`. Coordinates are picture units: x to the right, y downwards, from the upper
left corner. Shapes are drawn in order, later ones on top.

Expressions know + - * / % and comparisons (1 or 0), and the functions abs, min, max, floor, sqrt, sin, cos and
where(condition, then, otherwise). `observation_K` names component K of the observation.

A colour is "#rrggbb", or a tuple of them, chosen by `index`, an expression rounded down and held within the tuple.
"""

from dataclasses import dataclass

Expression = float | str
Colour = str | tuple[str, ...]


@dataclass(frozen=True)
class Rectangle:
    """A filled rectangle around its centre (x, y), turned by `angle` radians clockwise, as y points down."""

    x: Expression
    y: Expression
    width: Expression
    height: Expression
    colour: Colour
    angle: Expression = 0.0
    index: Expression = 0.0
    visible: Expression = 1.0


@dataclass(frozen=True)
class Circle:
    """A filled disc."""

    x: Expression
    y: Expression
    radius: Expression
    colour: Colour
    index: Expression = 0.0
    visible: Expression = 1.0


@dataclass(frozen=True)
class Line:
    """A line of `width` from (x1, y1) to (x2, y2), with round ends."""

    x1: Expression
    y1: Expression
    x2: Expression
    y2: Expression
    width: Expression
    colour: Colour
    index: Expression = 0.0
    visible: Expression = 1.0


@dataclass(frozen=True)
class Polygon:
    """A filled polygon through `points`, each (x, y)."""

    points: tuple[tuple[Expression, Expression], ...]
    colour: Colour
    index: Expression = 0.0
    visible: Expression = 1.0


@dataclass(frozen=True)
class Text:
    """A line of text, its left end and vertical centre at (x, y), capitals `size` high.

    `{}` in `text` stands for `value`, written with `digits` decimals.
    """

    x: Expression
    y: Expression
    text: str
    size: float
    colour: Colour
    value: Expression = 0.0
    digits: int = 0
    index: Expression = 0.0
    visible: Expression = 1.0


@dataclass(frozen=True)
class Cells:
    """A grid of `rows` x `columns` cells that fills the rectangle from its upper left corner (x, y).

    Attributes:
        first: The state row of the upper left cell; cell (r, c) is row `first + r * columns + c`. With
            `source="observation"`, the component.
        palette: Colours by the cell's value, rounded down and held within the palette; "" is transparent.
        labels: Text by the cell's value, written onto it; "" is none.
    """

    first: int | str
    rows: int
    columns: int
    palette: tuple[str, ...]
    x: float = 0.0
    y: float = 0.0
    width: float = 100.0
    height: float = 100.0
    source: str = "state"
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Channels:
    """An observation [C, H, W] as a grid: each cell has the colour of its last channel that is not 0."""

    palette: tuple[str, ...]
    x: float = 0.0
    y: float = 0.0
    width: float = 100.0
    height: float = 100.0


Shape = Rectangle | Circle | Line | Polygon | Text | Cells | Channels


@dataclass(frozen=True)
class Picture:
    """A canvas of `width` x `height` picture units and what stands on it."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    background: str = "#ffffff"
