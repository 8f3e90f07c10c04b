"""The sum tree against running sums in float64, on both targets; what it draws against what is expected."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench_kernels import sumtree
from workbench_kernels.targets import cpu, python

TARGETS = {
    "python": (python.scan(sumtree.write, reverse=False), python.scan(sumtree.draw, reverse=False)),
    "cpu": (cpu.scan(sumtree.write, reverse=False), cpu.scan(sumtree.draw, reverse=False)),
}


class Tree:
    def __init__(self, capacity, target="cpu"):
        self.array = np.zeros(2 * sumtree.leaves(capacity))
        self._write, self._draw = TARGETS[target]

    def write(self, leaf, weight):
        self._write(np.array(leaf, np.int64, ndmin=2), np.array(weight, np.float64, ndmin=2), self.array)

    def draw(self, uniform):
        leaf = np.full(np.array(uniform, ndmin=2).shape, -1, np.int64)
        self._draw(np.array(uniform, np.float64, ndmin=2), self.array, leaf)
        return leaf

    @property
    def leaves(self):
        return self.array[len(self.array) // 2 :]


@pytest.mark.parametrize(("capacity", "expected"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1000, 1024)])
def test_there_are_leaves_enough_and_no_more_than_twice_as_many(capacity, expected):
    assert sumtree.leaves(capacity) == expected


writes = st.lists(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 1000)), min_size=1, max_size=8), min_size=1, max_size=5
)


@settings(max_examples=100, deadline=None)
@given(capacity=st.integers(11, 40), batches=writes, uniforms=st.lists(st.floats(0, 1, exclude_max=True), min_size=1))
@pytest.mark.parametrize("target", TARGETS)
def test_it_draws_what_the_running_sum_says(target, capacity, batches, uniforms):
    """Integers, whose sums are exact: the leaf is the first at which the running sum is beyond the draw."""
    tree, weights = Tree(capacity, target), np.zeros(capacity)
    for batch in batches:
        leaf, weight = zip(*batch, strict=True)
        tree.write(leaf, weight)
        for j, w in batch:  # the last of several stands
            weights[j] = w
    np.testing.assert_array_equal(tree.leaves[:capacity], weights)
    for node in range(1, len(tree.array) // 2):
        assert tree.array[node] == tree.array[2 * node] + tree.array[2 * node + 1]
    if not weights.sum():
        return
    found = tree.draw(uniforms)[0]
    shares = (np.arange(len(uniforms)) + np.array(uniforms)) / len(uniforms) * weights.sum()
    running = np.cumsum(weights)
    np.testing.assert_array_equal(
        found, np.searchsorted(running, shares, side="right").clip(max=weights.nonzero()[0][-1])
    )


def test_the_targets_agree_to_the_bit():
    draw = np.random.default_rng(0)
    trees = [Tree(300, target) for target in TARGETS]
    for _ in range(5):
        leaf, weight, uniform = draw.integers(0, 300, 64), draw.random(64), draw.random((3, 50))
        for tree in trees:
            tree.write(leaf, weight)
        np.testing.assert_array_equal(trees[0].array, trees[1].array)
        np.testing.assert_array_equal(trees[0].draw(uniform), trees[1].draw(uniform))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-300, 1e-9, 1.0, 1e9, 1e300]))
def test_a_leaf_of_no_weight_is_never_drawn(seed, scale):
    """Not even where rounding leaves a rest beyond the last leaf."""
    draw = np.random.default_rng(seed)
    capacity = int(draw.integers(1, 100))
    weights = np.where(draw.random(capacity) < 0.5, 0.0, draw.random(capacity) ** 20 * scale)
    weights[draw.integers(capacity)] = scale
    tree = Tree(capacity)
    tree.write(np.arange(capacity), weights)
    edges = np.array([0.0, np.nextafter(1.0, 0.0)])
    for found in (tree.draw(np.repeat(edges, 20)), tree.draw(np.nextafter(1.0, 0.0)), tree.draw(draw.random(100))):
        assert (weights[found] > 0).all()


def test_frequencies_are_the_weights():
    """Chi-squared of independent draws, one at a time, over 700 leaves of weights over three decades."""
    draw = np.random.default_rng(1)
    weights = 10 ** draw.uniform(-3, 0, 700)
    weights[::7] = 0.0
    tree = Tree(700)
    tree.write(np.arange(700), weights)
    draws = 200_000
    found = np.array([tree.draw(u)[0, 0] for u in draw.random(draws)])
    expected = weights / weights.sum() * draws
    frequency = np.bincount(found, minlength=700)
    assert not frequency[weights == 0].any()
    likely = expected > 5
    statistic = ((frequency - expected)[likely] ** 2 / expected[likely]).sum()
    count = likely.sum()
    assert abs(statistic - count) < 5 * math.sqrt(2 * count)


def test_strata_draw_each_leaf_its_expected_number_of_times():
    draw = np.random.default_rng(2)
    weights = draw.random(37)
    tree = Tree(37)
    tree.write(np.arange(37), weights)
    frequency = np.bincount(tree.draw(draw.random((4, 250))).ravel(), minlength=37)
    expected = weights / weights.sum() * 1000
    assert (np.abs(frequency - expected) < 2).all()  # a share that two leaves part may go to either, at both ends


def test_sums_do_not_drift():
    """After many writes of numbers of all sizes the root is as exact as that of a new tree."""
    draw = np.random.default_rng(3)
    tree = Tree(1000)
    for _ in range(2000):
        tree.write(draw.integers(0, 1000, 500), 10 ** draw.uniform(-12, 12, 500))
    tree.write(np.arange(1000), np.full(1000, 0.1))
    fresh = Tree(1000)
    fresh.write(np.arange(1000), np.full(1000, 0.1))
    np.testing.assert_array_equal(tree.array, fresh.array)
    assert abs(tree.array[1] - math.fsum(np.full(1000, 0.1))) <= 10 * np.spacing(100.0)
