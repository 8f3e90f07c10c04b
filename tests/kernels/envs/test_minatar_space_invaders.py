"""SpaceInvaders against the package `minatar`, step for step on the same draws."""

import numpy as np
import pytest

from tests.kernels.batch import Lanes
from tests.oracles.minatar import Game, follow
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


def arrange(game, draw):
    """Put some aliens of a formation anywhere in the package's `game`, around the bottom too, and bullets among them.

    Returns:
        What our rows hold, as far as `hidden` does not say.
    """
    stands = draw.random((4, 6)) < draw.choice([0.1, 0.3, 0.8])
    stands[draw.integers(4), draw.integers(6)] = True
    columns = np.flatnonzero(stands.any(axis=0))
    left, top = int(draw.integers(-columns[0], 10 - columns[-1])), int(draw.integers(0, 10))
    game.alien_map[:] = 0
    for row, column in np.argwhere(stands):
        game.alien_map[(top + row) % 10, left + column] = 1
    game.pos, game.alien_dir = int(draw.integers(0, 10)), int(draw.choice([-1, 1]))
    game.ramp_index = int(draw.integers(0, 7))
    game.enemy_move_interval = 12 - game.ramp_index
    game.alien_move_timer, game.alien_shot_timer = int(draw.integers(0, 4)), int(draw.integers(0, 2))
    cells = [int(draw.integers(0, 50)), int(draw.integers(50, 90))]
    game.f_bullet_map.ravel()[cells] = 1
    game.shot_timer = 5
    game.e_bullet_map[9 - game.alien_shot_timer, draw.integers(0, 10)] = 1
    aliens = sum(1 << k for k, stand in enumerate(stands.ravel()) if stand)
    return {"aliens": aliens, "left": left, "top": top, "bullet_0": cells[0], "bullet_1": cells[1]}


def test_scattered_states_go_on_as_the_packages():
    """States that seldom or never occur, compared for a few steps."""
    n, draw = 1000, np.random.default_rng(0)
    environment = make("MinAtar/SpaceInvaders-v1", sticky=0.0)
    ours = Lanes(environment, n)
    games = [Game("space_invaders", environment.options, 0, i) for i in range(n)]
    for i, game in enumerate(games):
        for name, value in {**arrange(game.package.env, draw), **hidden(game.package.env)}.items():
            ours.state[environment.rows.index(name), i] = value
    for _ in range(5):
        action = draw.integers(0, 4, n)
        ours.step(action, autoreset=False)
        for i, game in enumerate(games):
            assert game.act(int(action[i])) == (ours.reward[i], ours.terminated[i])
            game.package.env.terminal = False
            np.testing.assert_array_equal(ours.observation[:, i], game.observation())
            expected = hidden(game.package.env)
            assert {name: ours.state[environment.rows.index(name), i] for name in expected} == expected


@pytest.mark.parametrize("sticky", [-0.1, 1.5])
def test_a_sticky_probability_out_of_range_is_named(sticky):
    with pytest.raises(ValueError, match=r"sticky=.* is no probability; pass 0 to 1\."):
        make("MinAtar/SpaceInvaders-v1", sticky=sticky)
