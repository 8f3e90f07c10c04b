"""Pictures: their arithmetic, and what numpy draws of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from workbench_kernels import Box, Discrete, Environment
from workbench_kernels.environment import nothing
from workbench_kernels.envs import ENVIRONMENTS, make
from workbench_kernels.pictures import Cells, Channels, Circle, Line, Picture, Polygon, Rectangle, Text, font
from workbench_kernels.pictures.description import describe
from workbench_kernels.pictures.expressions import evaluate, parse
from workbench_kernels.pictures.raster import rasterise

ROWS = {"x": 0, "theta": 1}
STATE, OBSERVATION = np.array([3.0, 0.5]), np.array([7.0, 8.0])


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (2, 2.0),
        ("x", 3.0),
        ("-x + 2 * theta", -2.0),
        ("x / 2 % 1", 0.5),
        ("-x % 2", 1.0),
        ("observation_1 - observation_0", 1.0),
        ("where(x > 2, 10, 20)", 10.0),
        ("where(x == 2, 10, 20)", 20.0),
        ("max(min(x, 1), theta)", 1.0),
        ("floor(x / 2) + abs(-x) + sqrt(4)", 6.0),
        ("sin(theta) ", np.sin(0.5)),
        ("cos(theta) * (x != 3)", 0.0),
        ("(x <= 3) + (x >= 3) + (x < 3)", 2.0),
    ],
)
def test_expressions_are_arithmetic_over_rows(expression, value):
    tree = parse(expression, ROWS)
    assert evaluate(tree, STATE, OBSERVATION) == pytest.approx(value)
    assert evaluate(json.loads(json.dumps(tree)), STATE, OBSERVATION) == pytest.approx(value)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("y + 1", "'y' is no state row; there are: x, theta"),
        ("x +", "expression 'x \\+'"),
        ("__import__('os')", "is not part of a picture's arithmetic"),
        ("min(x)", "is not part"),
        ("x if theta else 1", "is not part"),
        ("x.real", "is not part"),
        ("1 < x < 2", "is not part"),
    ],
)
def test_anything_else_is_refused(expression, message):
    with pytest.raises(ValueError, match=message):
        parse(expression, ROWS)


def environment(*shapes, observation=None, width=40, height=40):
    return Environment(
        id="Drawn-v0",
        state=("x", "theta", "a", "b", "c", "d"),
        observation=observation or Box((0.0, 0.0), (9.0, 9.0)),
        action=Discrete(2),
        time_limit=10,
        reset=lambda i, state, random: None,
        step=lambda i, state, action, reward, terminated, random: None,
        observe=nothing,
        picture=Picture(width=width, height=height, shapes=shapes, background="#000000"),
    )


def drawn(*shapes, state=(0, 0, 0, 0, 0, 0), observation=(0.0, 0.0), box=None, scale=1.0):
    return rasterise(environment(*shapes, observation=box), np.array(state), np.asarray(observation), scale=scale)


WHITE = "#ffffff"


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Rectangle(20, 20, 10, 6, WHITE), 60),
        (Rectangle(20.3, 19.6, 10, 6, WHITE), 60),
        (Rectangle(20, 20, 10, 6, WHITE, angle=0.7), 60),
        (Circle(20, 20, 8, WHITE), np.pi * 64),
        (Line(10, 10, 30, 25, 4, WHITE), 25 * 4 + np.pi * 4),
        (Polygon(((5, 5), (25, 5), (25, 15)), WHITE), 100),
        (Rectangle(0, 0, 10, 10, WHITE), 25),
        (Rectangle(100, 100, 10, 10, WHITE), 0),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_shape_covers_its_area(shape, area, scale):
    picture = drawn(shape, scale=scale)
    assert picture.dtype == np.uint8
    assert picture.shape == (40 * scale, 40 * scale, 3)
    assert picture[..., 0].sum() / 255 / scale**2 == pytest.approx(area, rel=0.02, abs=0.5)


def test_shapes_follow_the_state_and_stand_one_on_the_other():
    shapes = (Rectangle("x", 20, 8, 8, "#ff0000"), Circle("x", 20, 2, ("#00ff00", "#0000ff"), index="theta"))
    picture = drawn(*shapes, state=(10, 1, 0, 0, 0, 0))
    assert picture[20, 10].tolist() == [0, 0, 255]
    assert picture[20, 7].tolist() == [255, 0, 0]
    assert picture[20, 30].tolist() == [0, 0, 0]
    moved = drawn(*shapes, state=(30, 0, 0, 0, 0, 0))
    assert moved[20, 30].tolist() == [0, 255, 0]
    assert moved[20, 10].tolist() == [0, 0, 0]
    hidden = drawn(replace(shapes[0], visible="x > 20"), state=(10, 0, 0, 0, 0, 0))
    assert not hidden.any()


def test_cells_take_colours_of_rows_and_leave_the_transparent_ones():
    cells = Cells("a", 2, 2, ("", "#ff0000", "#00ff00"), width=40, height=40)
    picture = drawn(Rectangle(20, 20, 40, 40, "#0000ff"), cells, state=(0, 0, 0, 1, 2, 7))
    corners = picture[5, 5], picture[5, 35], picture[35, 5], picture[35, 35]
    assert [corner.tolist() for corner in corners] == [[0, 0, 255], [255, 0, 0], [0, 255, 0], [0, 255, 0]]


def test_channels_show_the_last_one_set():
    observation = np.zeros((2, 2, 2))
    observation[0] = 1
    observation[1, 1, 0] = 1
    box = Box(0.0, 1.0, shape=(2, 2, 2))
    channels = Channels(("#ff0000", "#00ff00"), width=40, height=40)
    picture = drawn(channels, observation=observation.reshape(-1), box=box)
    assert picture[5, 5].tolist() == [255, 0, 0]
    assert picture[35, 5].tolist() == [0, 255, 0]


def test_text_is_written_in_dots_with_its_value():
    picture = drawn(Text(2, 10, "A{}", 7, WHITE, value="x", digits=1), state=(1.25, 0, 0, 0, 0, 0))
    dots = picture[..., 0] > 0
    row, column = np.argwhere(dots).min(axis=0)
    expected = font.written("A1.2")
    assert (row, column) == (round(10 - 3.5), 2)
    np.testing.assert_array_equal(dots[row : row + 7, 2 : 2 + expected.shape[1]], expected)
    assert dots.sum() == expected.sum()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (Circle("y", 0, 1, WHITE), r"shape 0 \(Circle\) of 'Drawn-v0': expression 'y': 'y' is no state row"),
        (Circle(0, 0, 1, "white"), "colour 'white' is not of the form '#rrggbb'"),
        (Cells("e", 1, 1, (WHITE,)), "first='e' is no state row"),
        (Cells("c", 2, 2, (WHITE,)), "2 x 2 cells from 4 on do not fit into 6 components"),
        (Cells(0, 1, 1, (WHITE,), source="action"), "source='action' is unknown"),
        (Circle("observation_2", 0, 1, WHITE), "observation_2 is beyond the observation's 2 components"),
        (Circle(0, 0, 1, ()), "there is no colour"),
        (Channels((WHITE,)), r"needs an observation \[C, H, W\]"),
    ],
)
def test_a_wrong_picture_is_named(shape, message):
    with pytest.raises(ValueError, match=message):
        describe(environment(shape))


def test_no_picture_is_an_error_with_a_remedy():
    with pytest.raises(ValueError, match=r"picture=None of 'Drawn-v0'; give the environment"):
        describe(replace(environment(), picture=None))


@pytest.mark.parametrize("id", sorted(ENVIRONMENTS))
def test_every_environments_picture_is_whole(id):
    assert json.loads(json.dumps(describe(make(id))))["shapes"]


def test_a_cell_that_is_no_number_is_drawn():
    cells = Cells("a", 2, 2, ("#ff0000", "#00ff00"), width=40, height=40)
    assert drawn(cells, state=(0, 0, np.nan, 1, 0, 0))[5, 5].tolist() == [255, 0, 0]
