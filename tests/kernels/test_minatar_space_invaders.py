"""SpaceInvaders against the package `minatar`, step for step on the same draws."""

import numpy as np
import pytest

from tests.oracles.minatar import follow
from workbench_kernels.envs import make
from workbench_kernels.envs import minatar_space_invaders as invaders

LEFT, RIGHT, FIRE = 1, 2, 3


def hidden(game):
    """Name what the package's game holds as our rows do."""
    enemy = np.flatnonzero(game.e_bullet_map.ravel())
    assert len(enemy) <= 1
    assert game.f_bullet_map.sum() <= 2
    return {
        "x": game.pos,
        "cooldown": game.shot_timer,
        "direction": game.alien_dir,
        "move_timer": game.alien_move_timer,
        "shot_timer": game.alien_shot_timer,
        "ramp": game.ramp_index,
        "enemy_bullet": enemy[0] if len(enemy) else -1,
    }


def code(environment, action):
    """Return actions of the minimal set as the environment numbers them."""
    return action if environment.action.n == 4 else np.array([0, 1, 3, 5])[action]


def play(ours, draw, aim):
    """Step aside from a bullet that comes near; else fire where an alien will be, or stay if not `aim`."""
    s = ours.state
    x, bullet, step = s[invaders.X], s[invaders.ENEMY_BULLET], s[invaders.DIRECTION]
    near = bullet >= 60
    grid = ours.observation.reshape(6, 10, 10, -1)[1]
    lowest = np.where(grid.any(axis=0), 9 - np.argmax(grid[::-1], axis=0), -1)
    column = np.argmax(lowest + np.arange(10)[:, None] * step * 0.1, axis=0)
    flight = 9 - lowest.max(axis=0)
    count = grid.sum(axis=(0, 1))
    pace = np.maximum(1, np.minimum(count, 12 - s[invaders.RAMP]))
    moves = np.maximum(0, flight - s[invaders.MOVE_TIMER] + pace - 1) // pace
    target = np.clip(column + step * moves, 0, 9)
    action = np.where(target < x, LEFT, np.where(target > x, RIGHT, np.where(s[invaders.COOLDOWN] == 0, FIRE, 0)))
    if not aim:
        action[:] = 0
    after = x + (action == RIGHT) - (action == LEFT)
    aside = np.where(x < draw.integers(1, 9, ours.lanes), RIGHT, LEFT)
    action = np.where(near & (bullet % 10 == after), np.where(after == x, aside, 0), action)
    return code(ours.environment, action)


class Player:
    """Chooses actions, and keeps what has been seen of the game."""

    def __init__(self, aim, astray):
        self.aim, self.astray = aim, astray
        self.ramp = self.lowest = 0

    def __call__(self, ours, draw):
        self.ramp = max(self.ramp, ours.state[invaders.RAMP].max())
        self.lowest = max(self.lowest, ours.state[invaders.TOP].max())
        anything = draw.integers(0, ours.environment.action.n, ours.lanes)
        return np.where(draw.random(ours.lanes) < self.astray, anything, play(ours, draw, self.aim))


def run(options, player, **keywords):
    environment = make("MinAtar/SpaceInvaders-v1", **options)
    return follow("space_invaders", environment, choose=player, hidden=hidden, **keywords)[1:]


@pytest.mark.parametrize(
    ("options", "player", "limit"),
    [
        ({}, Player(aim=True, astray=0.02), None),
        ({"ramping": False, "minimal": False}, Player(aim=True, astray=0.1), None),
        ({"sticky": 0.7, "minimal": False}, Player(aim=True, astray=1.0), 60),
    ],
)
def test_trajectories_equal_the_packages(options, player, limit):
    terminations, truncations, total = run(options, player, lanes=40, steps=650, limit=limit, seed=3)
    assert terminations > 10
    assert total > 500
    assert (truncations > 0) == (limit is not None)
    assert (player.ramp > 0) == (options.get("ramping", True) and player.astray < 1)


def test_waves_become_faster_as_the_packages_do():
    player = Player(aim=True, astray=0.05)
    total = run({"sticky": 0.05}, player, lanes=6, steps=1700, autoreset=False)[2]
    assert player.ramp == invaders.MOST_HASTE
    assert total > 6 * 24 * 6


def test_aliens_left_alone_end_the_game_at_the_bottom_as_the_packages_do():
    player = Player(aim=False, astray=0.05)
    terminations, _, total = run({"sticky": 0.0}, player, lanes=20, steps=600)
    assert player.lowest == 6
    assert terminations >= 20
    assert total > 0


@pytest.mark.parametrize("sticky", [-0.1, 1.5])
def test_a_sticky_probability_out_of_range_is_named(sticky):
    with pytest.raises(ValueError, match=r"sticky=.* is no probability; pass 0 to 1\."):
        make("MinAtar/SpaceInvaders-v1", sticky=sticky)
