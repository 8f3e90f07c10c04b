"""Statistics over runs and tasks. Oracles: scipy, naive loops, every resample there is, and cases computed by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from workbench.analysis.statistics import (
    Bootstrap,
    by_task,
    interquartile_mean,
    median,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from workbench.errors import InputError

MANY = Bootstrap(resamples=100_000)
NEAR = Bootstrap(confidence=0.8, resamples=100_000)


def scores(runs, tasks, seed=0):
    return np.random.default_rng(seed).standard_normal((runs, tasks))


def every_resample(strata):
    """All resamples of runs within tasks, all equally likely: a list of arrays for each."""
    draws = [[np.array(drawn) for drawn in itertools.product(stratum, repeat=len(stratum))] for stratum in strata]
    return list(itertools.product(*draws))


@pytest.mark.parametrize(("runs", "tasks"), [(2, 1), (3, 2), (5, 1), (10, 7)])
def test_the_interquartile_mean_is_scipys_over_runs_and_tasks_together(runs, tasks):
    given = scores(runs, tasks)
    found = interquartile_mean(given)
    assert found.value == pytest.approx(stats.trim_mean(given.ravel(), 0.25), abs=1e-12)
    assert found.low < found.value < found.high


def test_curves_are_estimated_at_all_points_at_once():
    given = {"a": scores(4, 3, seed=1), "b": scores(6, 3, seed=2)}
    found = interquartile_mean(given)
    for point in range(3):
        alone = interquartile_mean({task: runs[:, point] for task, runs in given.items()})
        assert (found.value[point], found.low[point], found.high[point]) == pytest.approx(tuple(alone), abs=1e-12)


@pytest.mark.parametrize(
    ("estimate", "naive"),
    [
        (interquartile_mean, lambda tasks: stats.trim_mean(np.concatenate(tasks), 0.25)),
        (
            lambda given, bootstrap: optimality_gap(given, 4.0, bootstrap),
            lambda tasks: np.mean([np.mean([max(4.0 - score, 0.0) for score in task]) for task in tasks]),
        ),
        (
            lambda given, bootstrap: performance_profile(given, 3.0, bootstrap),
            lambda tasks: np.mean([np.mean([score > 3.0 for score in task]) for task in tasks]),
        ),
    ],
)
def test_an_interval_is_that_of_every_possible_resample(estimate, naive):
    strata = {"a": [0.0, 1.5, 5.0], "b": [2.0, 3.0, 3.5, 9.0]}
    found = estimate(strata, NEAR)
    everything = [naive(tasks) for tasks in every_resample(strata.values())]
    assert found.value == pytest.approx(naive([np.array(runs) for runs in strata.values()]))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(everything, [0.1, 0.9])), abs=0.02)


def test_the_probability_of_improvement_has_the_interval_of_every_resample_of_both():
    x, y = [[3.0, 5.0, 1.0], [2.0, 2.0]], [[2.0, 4.0, 4.5], [2.0, 1.0]]
    everything = [
        np.mean([np.mean([(a > b) + 0.5 * (a == b) for a in xs[k] for b in ys[k]]) for k in range(2)])
        for xs in every_resample(x)
        for ys in every_resample(y)
    ]
    found = probability_of_improvement(dict(enumerate(x)), dict(enumerate(y)), NEAR)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(everything, [0.1, 0.9])), abs=0.02)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 3), (10, 12)])
def test_the_probability_of_improvement_is_mann_and_whitneys(n, m):
    x, y = np.round(scores(n, 3, seed=1), 1), np.round(scores(m, 3, seed=2), 1)
    wanted = [stats.mannwhitneyu(x[:, task], y[:, task]).statistic / (n * m) for task in range(3)]
    assert probability_of_improvement(x, y).value == pytest.approx(np.mean(wanted), abs=1e-12)


def test_probabilities_of_improvement_by_hand():
    assert probability_of_improvement([[1.0], [1.0]], [[1.0], [1.0]]).value == 0.5
    assert probability_of_improvement([[2.0], [3.0]], [[1.0], [0.0]]) == (1.0, 1.0, 1.0)
    assert probability_of_improvement([[1.0], [3.0]], [[2.0], [3.0]]).value == (0 + 0 + 1 + 0.5) / 4
    forward = probability_of_improvement(scores(5, 2, 3), scores(6, 2, 4), None).value
    assert forward + probability_of_improvement(scores(6, 2, 4), scores(5, 2, 3), None).value == pytest.approx(1.0)


def test_tasks_are_matched_by_name_and_not_by_their_order():
    x, y = {"a": [10.0, 11.0], "b": [0.0, 1.0]}, {"b": [0.5, 0.6], "a": [5.0, 6.0]}
    assert probability_of_improvement(x, y).value == (1.0 + 0.5) / 2


def test_a_profile_by_hand():
    found = performance_profile({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 1.0]}, [-1.0, 0.0, 1.0, 2.5, 3.0])
    assert found.value == pytest.approx([1.0, (3 / 4 + 1) / 2, (2 / 4 + 0) / 2, 1 / 8, 0.0])
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
    assert (np.diff(found.value) <= 0).all()


def test_an_optimality_gap_by_hand():
    assert optimality_gap([[0.5, 2.0], [1.0, 0.0]]).value == ((0.5 + 0.0) / 2 + (0.0 + 1.0) / 2) / 2
    assert optimality_gap([[1.0], [7.0]]) == (0.0, 0.0, 0.0)


def test_tasks_count_alike_however_many_runs_they_have():
    assert optimality_gap({"a": [0.0] * 8, "b": [1.0] * 2}).value == 0.5
    assert performance_profile({"a": [0.0] * 8, "b": [1.0] * 2}, [0.5]).value.tolist() == [0.5]


def test_runs_are_resampled_within_their_task():
    given = np.column_stack([np.ones(4), np.full(4, 101.0)])
    assert tuple(interquartile_mean(given)) == (51.0, 51.0, 51.0)
    assert tuple(optimality_gap(given, 201.0)) == (150.0, 150.0, 150.0)


def test_a_median_goes_beyond_what_was_reached():
    found = median([[10.0, 20.0], [30.0, np.inf], [50.0, np.inf]])
    assert found.value.tolist() == [30.0, np.inf]
    assert found.low.tolist() == [10.0, 20.0]
    assert found.high.tolist() == [50.0, np.inf]


def test_a_seed_gives_the_same_interval_and_another_one_another():
    given = scores(8, 3)
    assert interquartile_mean(given) == interquartile_mean(given)
    assert interquartile_mean(given) != interquartile_mean(given, Bootstrap(seed=1))
    assert probability_of_improvement(given, given[::-1]) == probability_of_improvement(given, given[::-1])


def test_confidence_widens_and_a_single_run_has_no_interval():
    narrow, wide = (interquartile_mean(scores(8, 2), Bootstrap(confidence=c)) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    alone = interquartile_mean([[3.0]], None)
    assert alone.value == 3.0
    assert np.isnan([alone.low, alone.high]).all()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([1.0, 2.0, 3.0], r"shape \(3,\) are not \[runs, tasks\]; runs of one task are scores\[:, None\]"),
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\) are not \[runs, tasks\]"),
        ([[1.0, 2.0, 3.0]], "task '0' has 1 run, and an interval needs 2 or more"),  # rliable's issue 20
        ({"a": [1.0, 2.0], "b": [1.0]}, "task 'b' has 1 run"),
        ([[1.0], [np.nan]], "the scores of task '0' are not all finite"),
        ({}, "scores are empty"),
        (np.zeros((0, 2)), "scores are empty"),
    ],
)
def test_scores_of_another_shape_are_refused(given, says):
    with pytest.raises(InputError, match=says):
        interquartile_mean(given)


def test_different_tasks_are_refused():
    with pytest.raises(InputError, match=r"x has the tasks \['a'\] and y \['b'\]"):
        probability_of_improvement({"a": [1.0, 2.0]}, {"b": [1.0, 2.0]})
    with pytest.raises(InputError, match="x has 2 tasks and y 1"):
        probability_of_improvement(np.zeros((2, 2)), np.zeros((2, 1)))


@pytest.mark.parametrize("options", [{"confidence": 95}, {"confidence": 0.0}, {"resamples": 0}])
def test_a_bootstrap_out_of_range_is_refused(options):
    with pytest.raises(InputError, match="is out of range"):
        Bootstrap(**options)


def test_tasks_are_columns():
    assert [runs.tolist() for runs in by_task([[1, 2, 3], [4, 5, 6]])] == [[1, 4], [2, 5], [3, 6]]
