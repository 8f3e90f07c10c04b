"""Runs on a common grid. Oracle: naive loops over rows and points."""

import math

import numpy as np
import pytest

from tests.analysis.made import make_run
from workbench.analysis.alignment import Series, aligned, by_seconds, by_steps, first_reach, grid, score


def series(points, end=None):
    at, values = np.array(points, dtype=float).reshape(-1, 2).T
    return Series(at, values, float(at[-1]) if end is None else end)


def naive(given, points):
    """The mean of each point's rows; between those that have any a straight line; the last one until the run's end."""
    found = []
    for place, point in enumerate(points):
        before = points[place - 1] if place else -math.inf
        inside = [value for at, value in zip(given.at, given.values, strict=True) if before < at <= point]
        found.append(np.mean(inside) if inside else None)
    known = [place for place, value in enumerate(found) if value is not None]
    for place, point in enumerate(points):
        if found[place] is not None:
            continue
        left = [each for each in known if each < place]
        right = [each for each in known if each > place]
        started, going = bool(left), place == 0 or points[place - 1] < given.end
        if left and right:
            share = (point - points[left[-1]]) / (points[right[0]] - points[left[-1]])
            found[place] = (1 - share) * found[left[-1]] + share * found[right[0]]
        elif started and going:
            found[place] = found[left[-1]]
    return [math.nan if value is None else value for value in found]


@pytest.mark.parametrize("seed", range(20))
def test_a_curve_is_what_a_naive_loop_makes_of_it(seed):
    random = np.random.default_rng(seed)
    at = np.sort(random.uniform(0, 100, size=random.integers(1, 40)))
    given = Series(at, random.standard_normal(len(at)), float(at[-1] + random.choice([0.0, 20.0])))
    points = grid(120.0, int(random.integers(3, 30)))
    np.testing.assert_allclose(aligned(given, points), naive(given, points), atol=1e-12)


def test_a_curve_by_hand():
    given = series([(1, 2.0), (2, 4.0), (7, 10.0)], end=9)
    np.testing.assert_allclose(
        aligned(given, np.array([2.0, 4.0, 6.0, 8.0, 10.0, 12.0])), [3, 16 / 3, 23 / 3, 10, 10, np.nan]
    )


def test_what_was_recorded_exactly_at_a_point_belongs_to_it():
    np.testing.assert_equal(aligned(series([(5, 1.0), (10, 2.0)]), np.array([5.0, 10.0])), [1.0, 2.0])


def test_a_run_without_values_has_no_curve():
    assert np.isnan(aligned(Series(np.empty(0), np.empty(0), 0.0), grid(10.0))).all()


def test_the_grid_ends_where_it_is_told_to():
    assert grid(10.0, 4).tolist() == [2.5, 5.0, 7.5, 10.0]


def test_a_score_is_the_mean_over_the_last_tenth():
    given = series([(80, 100.0), (90, 50.0), (91, 1.0), (100, 3.0), (101, 99.0)])
    assert score(given, 100.0) == 2.0  # 90 is where the last tenth begins
    assert score(given, 500.0) == 99.0  # the run ended long before
    assert score(given, 85.0) == 100.0
    assert math.isnan(score(given, 10.0))


def test_the_first_reach_of_each_level():
    curve = np.array([np.nan, 1.0, 5.0, 2.0, 9.0])
    points = np.array([10.0, 20.0, 30.0, 40.0, 50.0])
    found = first_reach(curve, points, np.array([-1.0, 1.0, 3.0, 5.0, 6.0, 10.0]))
    assert found.tolist() == [20.0, 20.0, 30.0, 30.0, 50.0, np.inf]


def test_steps_and_seconds_of_a_run(tmp_path):
    rows = [
        {"steps": 100, "seconds": 1.0},
        {"steps": 200, "seconds": 4.0, "episode_return": 5.0},
        {"steps": 300, "seconds": 5.0},
    ]
    columns = make_run(tmp_path, rows=rows).columns(["episode_return", "seconds"])
    steps, seconds = by_steps(columns, "episode_return"), by_seconds(columns, "episode_return")
    assert (steps.at.tolist(), steps.values.tolist(), steps.end) == ([200.0], [5.0], 300.0)
    assert (seconds.at.tolist(), seconds.values.tolist(), seconds.end) == ([4.0], [5.0], 5.0)


def test_a_run_without_rows_has_no_seconds(tmp_path):
    assert by_seconds(make_run(tmp_path, rows=[]).columns(["seconds"]), "episode_return").end == 0.0
