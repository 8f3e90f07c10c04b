"""How an environment looks, as data: shapes whose numbers are expressions of the state."""

from workbench_kernels.pictures.shapes import Cells, Channels, Circle, Line, Picture, Polygon, Rectangle, Shape, Text

__all__ = ["Cells", "Channels", "Circle", "Line", "Picture", "Polygon", "Rectangle", "Shape", "Text"]
