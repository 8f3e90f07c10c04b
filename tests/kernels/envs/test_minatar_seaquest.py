"""Seaquest against the package `minatar`, step for step on the same draws."""

import numpy as np
import pytest

from tests.kernels.batch import Lanes
from tests.oracles.minatar import Game, follow
from workbench_kernels.envs import make
from workbench_kernels.envs import minatar_seaquest as seaquest

STAY, LEFT, UP, RIGHT, DOWN, FIRE = range(6)


def code(x, y, right, moves=0, shoots=0, submarine=0):
    """Return something of the package's as a code of ours."""
    return (16 * y + x + 1) | (int(right) << 8) | (moves << 9) | (shoots << 12) | (submarine << 16)


def hidden(game):
    """Name what the package's game holds as our rows do, its divers and enemies with their order and timers."""
    fish = [code(*one) for one in game.e_fish]
    submarines = [code(*one, submarine=1) for one in game.e_subs]
    divers = [code(*one) for one in game.divers]
    bits = dict.fromkeys(range(1, 9), 0)
    for x, y, right in game.e_bullets:
        bits[y] |= 1 << (x + (0 if right else 10))
    return {
        "x": game.sub_x,
        "y": game.sub_y,
        "facing": game.sub_or,
        "air": game.oxygen,
        "aboard": game.diver_count,
        "surfaced": game.surface,
        "cooldown": game.shot_timer,
        "enemy_timer": game.e_spawn_timer,
        "diver_timer": game.d_spawn_timer,
        "ramp": game.ramp_index,
        "enemies": len(fish) + len(submarines),
        "diver_0": divers[0] if divers else 0,
        "diver_1": divers[1] if len(divers) > 1 else 0,
        **{f"enemy_bullets_{y}": bits[y] for y in bits},
    }


def play_lane(s, draw):
    """Return a sensible action for the state rows `s` of one lane."""
    x, y, aboard = s[seaquest.X], s[seaquest.Y], s[seaquest.ABOARD]
    if y == 0:
        return DOWN if aboard != 0 or draw.random() < 0.3 else STAY
    if aboard < 0 or aboard == 6 or (aboard > 0 and s[seaquest.AIR] < 60):
        return UP
    enemies = s[seaquest.ENEMY : seaquest.ENEMY + s[seaquest.COUNT]]
    ahead = [e for e in enemies if (e & 255) >> 4 == y and (((e & 15) - 1 > x) == bool(s[seaquest.FACING]))]
    if ahead and s[seaquest.COOLDOWN] == 0:
        return FIRE
    divers = [d for d in s[seaquest.DIVER : seaquest.DIVER + 2] if d]
    if not divers:
        return int(draw.choice([UP if y > 1 else STAY, DOWN, LEFT, RIGHT]))
    column, row = (divers[0] & 15) - 1, (divers[0] & 255) >> 4
    if row != y:
        return DOWN if row > y else UP
    return RIGHT if column > x else LEFT if column < x else STAY


class Player:
    """Chooses actions, and keeps what has been seen of the game."""

    def __init__(self, astray):
        self.astray = astray
        self.ramp = self.enemies = self.most_aboard = self.least_aboard = 0

    def __call__(self, ours, draw):
        s = ours.state
        self.ramp = max(self.ramp, s[seaquest.RAMP].max())
        self.enemies = max(self.enemies, s[seaquest.COUNT].max())
        self.most_aboard = max(self.most_aboard, s[seaquest.ABOARD].max())
        self.least_aboard = min(self.least_aboard, s[seaquest.ABOARD].min())
        anything = draw.integers(0, 6, ours.lanes)
        lost = draw.random(ours.lanes) < self.astray
        return [a if gone else play_lane(row, draw) for a, gone, row in zip(anything, lost, s.T.tolist(), strict=True)]


def run(options, player, **keywords):
    environment = make("MinAtar/Seaquest-v1", **options)
    return follow("seaquest", environment, choose=player, hidden=hidden, **keywords)[1:]


@pytest.mark.parametrize(
    ("options", "player", "limit"),
    [
        ({}, Player(astray=0.02), None),
        ({"ramping": False}, Player(astray=0.1), None),
        ({"sticky": 0.7, "minimal": False}, Player(astray=1.0), 60),
    ],
)
def test_trajectories_equal_the_packages(options, player, limit):
    terminations, truncations, total = run(options, player, lanes=40, steps=650, limit=limit, seed=3)
    assert terminations > 200
    assert total > 10
    assert (truncations > 0) == (limit is not None)
    if player.astray < 1:
        assert player.most_aboard == seaquest.MOST_ABOARD
        assert player.least_aboard < -10
        assert (player.ramp == seaquest.HARDEST) == options.get("ramping", True)
        assert (player.ramp > 0) == options.get("ramping", True)


def test_a_player_who_goes_on_after_the_end_sees_what_the_packages_does():
    """Where nothing ends, the air runs out, and twenty enemies and more stand at once."""
    player = Player(astray=0.02)
    terminations, _, total = run({"sticky": 0.0}, player, lanes=14, steps=1800, seed=3, autoreset=False)
    assert terminations > 500
    assert total > 50
    assert player.ramp == seaquest.HARDEST
    assert player.enemies > 20


def arrange(game, draw):
    """Crowd the package's `game`: enemies in few cells and at the sides, divers beside the player, little air.

    Returns:
        The enemies in the order of their starts, with the kind.
    """
    game.sub_x, game.sub_y = int(draw.choice([0, 9, draw.integers(1, 9)])), int(draw.integers(0, 4))
    game.sub_or = game.sub_x == 9 or (game.sub_x > 0 and bool(draw.integers(2)))
    game.oxygen, game.diver_count = int(draw.choice([0, 1, 2, 60])), int(draw.choice([-1, 0, 1, 5, 5, 5, 6]))
    game.surface = game.sub_y == 0
    game.ramp_index = int(draw.integers(0, 20)) * game.ramping
    game.e_spawn_speed, game.move_speed = 20 - game.ramp_index, 5 - min(game.ramp_index // 2, 3)
    game.e_spawn_timer, game.d_spawn_timer = int(draw.integers(0, game.e_spawn_speed + 1)), 30
    ways = draw.integers(0, 2, 9).astype(bool)
    enemies = []
    places = set()
    for _ in range(int(draw.integers(2, 13))):
        x, y = int(draw.choice([0, 9, *draw.integers(0, 10, 2)])), int(draw.integers(1, 4))
        moves = int(draw.integers(0, 3))
        submarine = int(draw.integers(2))
        if (x, y, moves) not in places:
            places.add((x, y, moves))
            one = [x, y, bool(ways[y]), moves, *([int(draw.integers(0, 3))] * submarine)]
            (game.e_subs if submarine else game.e_fish).append(one)
            enemies.append((one, submarine))
    game.e_bullets = [[int(draw.integers(0, 10)), y, bool(draw.integers(2))] for y in draw.integers(1, 9, 3).tolist()]
    beside = max(game.sub_x - 1, 0), min(game.sub_x + 1, 9)
    y = max(game.sub_y, 1)
    game.divers = [[beside[0], y, True, int(draw.integers(0, 3))], [beside[1], y, False, int(draw.integers(0, 3))]]
    game.f_bullets = [[int(draw.integers(0, 10)), int(draw.integers(1, 4)), bool(draw.integers(2))]]
    game.shot_timer = int(draw.integers(0, 6))
    return enemies


def test_crowded_states_go_on_as_the_packages():
    """States that hardly ever occur, with the enemies' order and timers, compared for a few steps."""
    n, draw = 500, np.random.default_rng(0)
    environment = make("MinAtar/Seaquest-v1", sticky=0.0)
    ours = Lanes(environment, n)
    games = [Game("seaquest", environment.options, 0, i) for i in range(n)]
    for i, game in enumerate(games):
        enemies = arrange(game.package.env, draw)
        for name, value in hidden(game.package.env).items():
            ours.state[environment.rows.index(name), i] = value
        ours.state[seaquest.BULLET, i] = code(*game.package.env.f_bullets[0])
        for k, (one, submarine) in enumerate(enemies):
            ours.state[seaquest.ENEMY + k, i] = code(*one, submarine=submarine)
    for _ in range(7):
        action = draw.integers(0, 6, n)
        ours.step(action, autoreset=False)
        for i, game in enumerate(games):
            env = game.package.env
            assert game.act(int(action[i])) == (ours.reward[i], ours.terminated[i])
            env.terminal = False
            np.testing.assert_array_equal(ours.observation[:, i], game.observation())
            expected = hidden(env)
            assert {name: ours.state[environment.rows.index(name), i] for name in expected} == expected
            codes = ours.state[seaquest.ENEMY : seaquest.ENEMY + seaquest.ENEMIES, i].tolist()
            assert [c for c in codes if c and not c & seaquest.SUBMARINE] == [code(*one) for one in env.e_fish]
            assert [c for c in codes if c & seaquest.SUBMARINE] == [code(*one, submarine=1) for one in env.e_subs]


def standing(ramp_at):
    """Return how many enemies stand at most if each one asked for starts; `ramp_at(t)` is the difficulty after step t.

    An enemy stands from the step of its start until its tenth move.
    """
    timer, ramp, most = seaquest.ENEMY_INTERVAL, 0, 0
    enemies = []
    for t in range(260):
        if timer == 0:
            enemies.append([0, seaquest.move_interval(ramp)])
            timer = seaquest.ENEMY_INTERVAL - ramp
        most = max(most, len(enemies))
        for enemy in enemies:
            moves = enemy[1] == 0
            enemy[0] += moves
            enemy[1] = seaquest.move_interval(ramp) if moves else enemy[1] - 1
        enemies = [enemy for enemy in enemies if enemy[0] < 10]
        timer -= 1
        ramp = ramp_at(t)
    return most


def test_the_rows_hold_every_enemy_that_can_stand_at_once():
    """The player dives and surfaces as fast as it can, but waits for `rest` steps at difficulty `held`."""
    most = 0
    for held in range(seaquest.HARDEST + 1):
        for rest in range(0, 66, 6):

            def ramp_at(t, held=held, rest=rest):
                surfaced = (t + 1) // 2
                return min(max(min(surfaced, held), surfaced - rest // 2), seaquest.HARDEST)

            most = max(most, standing(ramp_at))
    assert most == seaquest.ENEMIES


@pytest.mark.parametrize("sticky", [-0.1, 1.5])
def test_a_sticky_probability_out_of_range_is_named(sticky):
    with pytest.raises(ValueError, match=r"sticky=.* is no probability; pass 0 to 1\."):
        make("MinAtar/Seaquest-v1", sticky=sticky)
