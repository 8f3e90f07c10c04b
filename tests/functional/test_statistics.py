"""Interquartile means and bootstrap intervals. Oracles: scipy, known values, and every resample there is."""

import itertools

import numpy as np
import pytest
from scipy import stats

from workbench.functional import iqm, stratified_bootstrap


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 100])
def test_the_interquartile_mean_is_scipys_trimmed_mean(count):
    scores = np.random.default_rng(count).standard_normal(count)
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores, 0.25), abs=1e-12)


def test_known_interquartile_means():
    assert iqm([500, 1, 2, 3, -1000]) == 2.0  # one of five is cut off at each end
    assert iqm([7.0]) == 7.0
    assert iqm([[0, 1, 2, 3], [4, 5, 6, 70]]) == 3.5
    assert iqm([[0, 1, 2, 9], [4, 5, 6, 70]], axis=1).tolist() == [1.5, 5.5]
    assert iqm([[0, 1], [2, 3], [4, 50], [90, 7]], axis=0).tolist() == [3.0, 5.0]


def test_it_leaves_the_scores_as_they_are():
    scores = np.array([3.0, 1.0, 2.0])
    iqm(scores)
    assert scores.tolist() == [3.0, 1.0, 2.0]


def every_resample(strata):
    """The interquartile mean of every resample, all equally likely."""
    draws = [itertools.product(stratum, repeat=len(stratum)) for stratum in strata]
    return np.array([iqm(np.concatenate(drawn)) for drawn in itertools.product(*map(list, draws))])


@pytest.mark.parametrize("strata", [[[1.0, 2.0, 4.0, 8.0, 16.0]], [[0.0, 1.0, 5.0], [100.0, 101.0, 109.0]]])
def test_the_interval_is_that_of_every_possible_resample(strata):
    wanted = np.quantile(every_resample(strata), [0.1, 0.9])
    found = stratified_bootstrap(strata, confidence=0.8, resamples=200_000)
    # Resamples are discrete: between neighbours of the quantile, no wider.
    assert found == pytest.approx(tuple(wanted), rel=0.02)


def test_strata_are_never_mixed():
    """Two tasks without spread have an interval without width, however far apart they are."""
    assert stratified_bootstrap([[1.0] * 4, [101.0] * 4], statistic=np.mean) == (51.0, 51.0)
    low, high = stratified_bootstrap([[1.0] * 4 + [101.0] * 4], statistic=np.mean)
    assert low < 30
    assert high > 70


def test_the_interval_of_a_mean_is_scipys():
    scores = np.random.default_rng(3).standard_normal(30)
    found = stratified_bootstrap([scores], statistic=np.mean, resamples=20_000)
    wanted = stats.bootstrap((scores,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert found == pytest.approx((wanted.low, wanted.high), abs=0.02)


def test_it_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        low, high = stratified_bootstrap([random.standard_normal(40)], seed, confidence=0.9, resamples=1000)
        hits += low <= 0.0 <= high
    assert 0.83 <= hits / 200 <= 0.95


def test_a_seed_gives_the_same_interval_and_another_one_another():
    scores = [np.random.default_rng(1).standard_normal(20)]
    assert stratified_bootstrap(scores, 5) == stratified_bootstrap(scores, 5) != stratified_bootstrap(scores, 6)
