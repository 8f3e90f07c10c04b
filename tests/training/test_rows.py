"""Rows of several iterations, and tables that keep their whole course."""

import math
from array import array

import numpy as np
import pytest

from workbench.training.rows import MAX_RATE, MIN_RATE, WINDOW, Means, Pace, Table, coalesced

NAN = math.nan


def test_means_leave_out_what_is_unknown():
    means = Means()
    means.add({"loss": 1.0, "kl": np.float32(0.5)})
    means.add({"loss": 4.0, "explained_variance": NAN})
    means.add({"loss": 4.0, "explained_variance": -0.5, "kl": -math.inf}, 2)
    row = means.take()
    assert row == {"loss": 13.0 / 4, "kl": 0.5, "explained_variance": -0.5}
    assert {type(value) for value in row.values()} == {float}
    assert means.take() == {}


def rows_of(seconds, count, pace, start=0):
    """Iterate `count` times, each `seconds` long; return the iterations that end a row."""
    return [i for i in range(start + 1, start + count + 1) if pace.due(i, round(1e9 * i * seconds))]


def test_slow_iterations_have_a_row_each_and_so_have_the_first_quick_ones():
    assert rows_of(1.01 / MAX_RATE, 500, Pace()) == list(range(1, 501))
    assert rows_of(1e-6, WINDOW, Pace()) == list(range(1, WINDOW + 1))


@pytest.mark.parametrize("seconds", [0.03, 0.002, 1e-5])
def test_quick_iterations_share_rows_that_are_neither_too_many_nor_too_few(seconds):
    pace = Pace()
    count = int(60 / seconds)
    ends = rows_of(seconds, count, pace)
    late = [i for i in ends if i * seconds > 30]
    assert MIN_RATE * 0.9 <= len(late) / 30 <= MAX_RATE * 1.1
    assert pace.span & (pace.span - 1) == 0
    assert all(i % pace.span == 0 for i in late)  # rows of different runs meet


def test_rows_become_finer_again_when_iterations_become_slow():
    pace = Pace()
    rows_of(0.001, 20_000, pace)
    assert pace.span > 32
    rows_of(0.5, 40_000, pace, start=20_000)
    assert pace.span == 1


def table(*rows):
    made = Table()
    for steps, row in rows:
        made.append(steps, row)
    return made


def test_two_rows_become_one_with_exact_totals_and_weighted_means():
    names = ("iterations", "loss", "episodes", "episode_return", "seconds", "steps_per_second")
    rows = {
        100: (1, 1.0, 10, 5.0, 1.0, 100.0),
        400: (3, 2.0, 12, 8.0, 3.0, 150.0),
        500: (1, 9.0, 12, NAN, 4.0, 100.0),
        600: (1, NAN, 20, 1.0, 4.5, 200.0),
        700: (1, NAN, 20, NAN, 5.5, 100.0),
    }
    made = table(*((steps, dict(zip(names, row, strict=True))) for steps, row in rows.items()))
    made.columns["kl"] = array("d", [NAN, 0.5, NAN, NAN, NAN])
    made.columns["rollout_seconds"] = array("d", [NAN, NAN, 2.0, NAN, 3.0])
    made.halve(0, 5)
    columns = {name: list(values) for name, values in made.columns.items()}
    assert columns["steps"] == [400, 600, 700]
    assert columns["iterations"] == [4, 2, 1]
    assert columns["episodes"] == [12, 20, 20]
    assert columns["seconds"] == [3.0, 4.5, 5.5]
    np.testing.assert_array_equal(columns["rollout_seconds"], [NAN, 2.0, 3.0])
    np.testing.assert_allclose(columns["loss"], [(1.0 + 3 * 2.0) / 4, 9.0, NAN])
    # Of the first row nobody knows how many episodes it has: as many as the second.
    np.testing.assert_allclose(columns["episode_return"], [(2 * 5.0 + 2 * 8.0) / 4, 1.0, NAN])
    np.testing.assert_allclose(columns["steps_per_second"], [(2 * 100 + 2 * 150) / 4, 200 / 1.5, 100.0])
    np.testing.assert_array_equal(columns["kl"], [0.5, NAN, NAN])


def test_a_part_is_halved_with_what_stands_before_it():
    made = table(*((n, {"episodes": n**2, "episode_return": float(n)}) for n in (1, 2, 3)))
    made.halve(1, 3)
    assert list(made.columns["steps"]) == [1, 3]
    assert list(made.columns["episode_return"]) == [1.0, (3 * 2.0 + 5 * 3.0) / 8]


def test_rows_after_a_step_are_taken_back():
    made = table((1, {"a": 1.0}), (2, {"a": 2.0}), (2, {"b": 3.0}), (5, {"a": 4.0}))
    made.rewind(2)
    assert {name: len(values) for name, values in made.columns.items()} == {"steps": 3, "a": 3, "b": 3}
    made.rewind(0)
    assert len(made) == 0
    Table().rewind(3)


def test_changes_coalesce_two_by_two():
    changes = [{"steps": n, "name": "lr", "old": n, "new": n + 1} for n in range(5)]
    changes.insert(3, {"steps": 2, "name": "clip", "old": 1, "new": 0})
    assert coalesced(changes) == [
        {"steps": 0, "name": "lr", "old": 0, "new": 2},
        {"steps": 2, "name": "lr", "old": 2, "new": 4},
        {"steps": 2, "name": "clip", "old": 1, "new": 0},
        {"steps": 4, "name": "lr", "old": 4, "new": 5},
    ]
    assert changes[0]["new"] == 1
