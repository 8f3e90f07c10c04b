"""Breakout against the package `minatar`, step for step on the same draws, and its random policy's score."""

import numpy as np
import pytest

from tests.kernels.batch import Lanes
from tests.oracles.minatar import follow
from workbench_kernels.envs import make
from workbench_kernels.envs import minatar_breakout as breakout

DIRECTIONS = [(-1, -1), (1, -1), (1, 1), (-1, 1)]


def hidden(game):
    """Name what the package's game holds as our rows do."""
    x_step, y_step = DIRECTIONS[game.ball_dir]
    bricks = sum(1 << k for k, stands in enumerate(game.brick_map[1:4].ravel()) if stands)
    return {
        "paddle": game.pos,
        "x": game.ball_x,
        "y": game.ball_y,
        "x_before": game.last_x,
        "y_before": game.last_y,
        "x_step": x_step,
        "y_step": y_step,
        "struck": game.strike,
        "bricks": bricks,
    }


def chase(ours, draw, astray=0.02):
    """Move towards the column of the ball or its next, so that both bounces occur; anywhere with chance `astray`."""
    left, right = (1, 2) if ours.environment.action.n == 3 else (1, 3)
    ahead = ours.state[breakout.X_STEP] * draw.integers(0, 2, ours.lanes)
    gap = ours.state[breakout.X] + ahead - ours.state[breakout.PADDLE]
    action = np.where(gap < 0, left, np.where(gap > 0, right, 0))
    lost = draw.random(ours.lanes) < astray
    return np.where(lost, draw.integers(0, ours.environment.action.n, ours.lanes), action)


@pytest.mark.parametrize(
    ("options", "choose", "limit"),
    [
        ({}, chase, None),
        ({"minimal": False}, None, None),
        ({"sticky": 0.0, "minimal": False}, chase, 400),
        ({"sticky": 0.7}, chase, None),
    ],
)
def test_trajectories_equal_the_packages(options, choose, limit):
    environment = make("MinAtar/Breakout-v1", **options)
    _, terminations, truncations, total = follow(
        "breakout", environment, lanes=40, steps=650, choose=choose, hidden=hidden, limit=limit, seed=3
    )
    assert terminations > 30
    assert total > 200
    assert (truncations > 0) == (limit is not None)


def test_a_cleared_wall_is_built_anew_as_the_package_does():
    environment = make("MinAtar/Breakout-v1", sticky=0.0)
    cleared = []

    def choose(ours, draw):
        cleared.append(int((ours.state[breakout.BRICKS] == 0).sum()))
        return chase(ours, draw, astray=0.0)

    lanes, _, _, total = follow("breakout", environment, lanes=2, steps=2500, choose=choose, hidden=hidden)
    assert sum(cleared) > 0
    assert total > 30 * lanes.lanes


@pytest.mark.parametrize(("minimal", "expected"), [(False, 0.5), (True, 0.384)])
def test_a_random_policy_scores_what_the_packages_does(minimal, expected):
    """The package's mean over 6000 episodes, within two and a half of its standard errors."""
    n = 20_000
    lanes = Lanes(make("MinAtar/Breakout-v1", minimal=minimal), n, seed=11)
    draw = np.random.default_rng(12)
    playing, score = np.ones(n, bool), np.zeros(n)
    while playing.any():
        lanes.step(draw.integers(0, lanes.environment.action.n, n))
        score += lanes.reward * playing
        playing &= ~lanes.terminated
    assert score.mean() == pytest.approx(expected, abs=0.023)


@pytest.mark.parametrize("sticky", [-0.1, 1.5])
def test_a_sticky_probability_out_of_range_is_named(sticky):
    with pytest.raises(ValueError, match=r"sticky=.* is no probability; pass 0 to 1\."):
        make("MinAtar/Breakout-v1", sticky=sticky)
