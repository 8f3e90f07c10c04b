"""Asterix against the package `minatar`, step for step on the same draws."""

import numpy as np
import pytest

from tests.oracles.minatar import follow
from workbench_kernels.envs import make
from workbench_kernels.envs import minatar_asterix as asterix


def hidden(game):
    """Name what the package's game holds as our rows do."""
    rows = {
        "player_x": game.player_x,
        "player_y": game.player_y,
        "spawn_interval": game.spawn_speed,
        "spawn_timer": game.spawn_timer,
        "move_interval": game.move_speed,
        "move_timer": game.move_timer,
        "ramp_timer": game.ramp_timer,
        "ramps": game.ramp_index,
    }
    for k, entity in enumerate(game.entities):
        assert entity is None or entity[1] == k + 1
        rows[f"direction_{k}"] = 0 if entity is None else 1 if entity[2] else -1
    return rows


def careful(ours, draw):
    """Take a move after which no enemy of the player's row is near, towards gold where there is some; else stay."""
    state, lanes = ours.state, np.arange(ours.lanes)
    best, action = np.full(ours.lanes, -np.inf), np.zeros(ours.lanes, int)
    for k, (dx, dy) in enumerate([(0, 0), (-1, 0), (0, -1), (1, 0), (0, 1)]):
        x = np.clip(state[asterix.PLAYER_X] + dx, 0, 9)
        y = np.clip(state[asterix.PLAYER_Y] + dy, 1, 8)
        column, direction = state[asterix.X + y - 1, lanes], state[asterix.DIRECTION + y - 1, lanes]
        gold, distance = state[asterix.GOLD + y - 1, lanes] != 0, np.abs(column - x)
        enemy = (direction != 0) & ~gold & ((x - column) * direction >= 0) & (distance < 4)
        score = (direction != 0) * gold * (20.0 - distance) - enemy * (50.0 - distance)
        score += draw.random(ours.lanes) - 0.1 * (np.abs(x - 4.5) + np.abs(y - 4.5))
        action, best = np.where(score > best, k, action), np.maximum(score, best)
    return action


@pytest.mark.parametrize(
    ("options", "choose", "limit"),
    [
        ({}, careful, None),
        ({"minimal": False}, None, None),
        ({"sticky": 0.0, "ramping": False, "minimal": False}, careful, 700),
        ({"sticky": 0.7, "ramping": False}, None, None),
    ],
)
def test_trajectories_equal_the_packages(options, choose, limit):
    environment = make("MinAtar/Asterix-v1", **options)
    _, terminations, truncations, total = follow(
        "asterix", environment, lanes=20, steps=1000, choose=choose, hidden=hidden, limit=limit, seed=3
    )
    assert terminations > 5
    assert total > 100
    assert (truncations > 0) == (limit is not None)


def test_the_whole_ramp_and_full_rows_equal_the_packages():
    ramps, full = [], []

    def choose(ours, draw):
        rows = ours.state[asterix.DIRECTION : asterix.DIRECTION + asterix.SLOTS]
        full.append(int(((rows != 0).all(axis=0) & (ours.state[asterix.SPAWN_TIMER] == 0)).sum()))
        ramps.append(int(ours.state[asterix.RAMPS].max()))
        return draw.integers(0, 5, ours.lanes)

    lanes, _, _, _ = follow(
        "asterix", make("MinAtar/Asterix-v1"), lanes=20, steps=1200, choose=choose, hidden=hidden, autoreset=False
    )
    assert (lanes.state[asterix.SPAWN_INTERVAL] == 1).all()
    assert (lanes.state[asterix.MOVE_INTERVAL] == 1).all()
    assert ramps[-1] == 9
    assert sum(full) > 20
