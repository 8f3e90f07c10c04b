"""Pong against a ball that flies from event to event in float64, and as a game: mirrored, fair, and to be won."""

import numba
import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from tests.kernels.test_cpu_target import packed, vectorised
from workbench_kernels import rng
from workbench_kernels.envs import make
from workbench_kernels.targets import cpu

ID = "workbench/Pong-v0"
LEFT, RIGHT, X, Y, X_DOT, Y_DOT, LEFT_SCORE, RIGHT_SCORE = range(8)
STAY, UP, DOWN = range(3)


def fly(x, y, x_dot, y_dot, paddles):
    """Fly for one step, from one wall or line to the next.

    Returns: Place and velocity, who won (1 left, -1 right, 0 nobody), and how near a decision was to the other one.
    """
    left, near = 1.0, np.inf
    while True:
        line, wall = np.sign(x_dot), np.sign(y_dot)
        to_line = (line - x) / x_dot
        to_wall = (wall - y) / y_dot if y_dot else np.inf
        if to_line != left:
            near = min(near, abs(to_line - left))
        if min(to_line, to_wall) > left:
            return (x + left * x_dot, y + left * y_dot, x_dot, y_dot), 0, near
        if to_wall < to_line:
            left, x, y, y_dot = left - to_wall, x + to_wall * x_dot, wall, -y_dot
            continue
        left, x, y = left - to_line, line, y + to_line * y_dot
        steep = (y - paddles[int(line > 0)]) / 0.125
        near = min(near, abs(abs(steep) - 1))
        if abs(steep) > 1:
            return None, int(line), near
        speed = min(abs(x_dot) * 1.05, 0.0625)
        x_dot, y_dot = -line * speed, steep * speed


class Serves:
    """What a lane's stream of random numbers says."""

    def __init__(self, lanes, seed):
        self.random = np.zeros((rng.ROWS, lanes), np.uint32)
        rng.seed_lanes(self.random, seed)

    def __call__(self, lane, count):
        """Return y, steepness and side of the serve that draw number `count` makes."""
        self.random[rng.COUNT, lane] = count
        bits = int(rng.draw(lane, self.random))
        return (bits >> 40) / 2**24 - 0.5, ((bits & 0xFFFFFFFF) >> 8) / 2**23 - 1, bits & 1


class Player:
    """Follows the ball with the middle of its paddle somewhere beside it, and sometimes does anything."""

    def __init__(self, lanes, seed, careless=0.1):
        self.draw, self.careless = np.random.default_rng(seed), careless
        self.beside = self.draw.uniform(-0.13, 0.13, lanes)

    def __call__(self, paddle, y):
        away = y + self.beside - paddle
        action = np.where(away < -0.02, UP, np.where(away > 0.02, DOWN, STAY))
        anything = self.draw.random(away.shape) < self.careless
        return np.where(anything, self.draw.integers(0, 3, away.shape), action)


def way(action):
    return {STAY: 0.0, UP: -0.04, DOWN: 0.04}[int(action)]


WAYS = (0.0, -0.04, 0.04)


def game_after(s, ways):
    """Return the state after a step that moves the paddles by `ways`, who won, and how near a decision was."""
    paddles = [min(max(s[LEFT + a] + ways[a], -0.875), 0.875) for a in range(2)]
    ball, won, near = fly(*s[X : Y_DOT + 1], paddles)
    return [*paddles, *(ball or ()), s[LEFT_SCORE] + (won > 0), s[RIGHT_SCORE] + (won < 0)], won, near


@pytest.mark.parametrize("players", [1, 2])
def test_a_hundred_thousand_steps_equal_a_flight_from_event_to_event(players):
    many, steps = 100, 1050
    lanes = Lanes(make(ID, players=players, points=3), many, seed=3)
    serves, tracking = Serves(many, 3), [Player(many, seed) for seed in (1, 2)]
    count, compared, points, games, returns = np.ones(many, int), 0, 0, 0, 0
    for _ in range(steps):
        before = lanes.state.astype(np.float64)
        action = np.array([tracking[a](before[LEFT + a], before[Y]) for a in range(players)])
        lanes.step(action.reshape(lanes.action.shape))
        expected, gained, ends, sure = [], [], [], []
        for i, (now, chosen) in enumerate(zip(before.T.tolist(), action.T.tolist(), strict=True)):
            follow = min(max(now[Y] - now[RIGHT], -0.02), 0.02)
            then, won, near = game_after(now, [WAYS[chosen[0]], WAYS[chosen[1]] if players == 2 else follow])
            count[i] += 1
            over = max(then[-2:]) == 3
            if over:
                y, steep, side = serves(i, count[i])
                then = [0.0, 0.0, 0.0, y, (2 * side - 1) / 32, steep / 32, 0, 0]
                count[i] += 1
            elif won:
                y, steep, _ = serves(i, count[i] - 1)
                then = [*then[:2], 0.0, y, won / 32, steep / 32, *then[2:]]
            if near < 1e-5:  # one rounding decides: keep the count of draws right for what follows
                count[i] = lanes.random[rng.COUNT, i]
            sure.append(near >= 1e-5)
            expected.append(then)
            gained.append(won)
            ends.append(over)
        np.testing.assert_array_equal(lanes.random[rng.COUNT], count)
        sure = np.array(sure)
        difference = np.abs(lanes.state[:8] - np.array(expected).T)[:, sure]
        assert difference.max() < 1e-6
        reward = lanes.reward.reshape(players, many)
        np.testing.assert_array_equal(reward[:, sure], np.array([gained, np.negative(gained)])[:players, sure])
        np.testing.assert_array_equal(
            lanes.terminated.reshape(players, many)[:, sure], [np.array(ends)[sure]] * players
        )
        assert not lanes.truncated.any()
        compared += sure.sum()
        points += np.abs(gained).sum()
        games += sum(ends)
        returns += (lanes.state[X_DOT] * before[X_DOT] < 0).sum() - np.abs(gained).sum()
    assert compared > 0.999 * many * steps
    assert points > 200
    assert games > 30
    assert returns > 800


def test_a_ball_at_top_speed_is_returned_exactly_where_the_paddle_is():
    many = 40_000
    lanes, draw = Lanes(make(ID, players=2), many), np.random.default_rng(5)
    lanes.state[X] = draw.uniform(0.9376, 0.9999, many)
    lanes.state[Y] = draw.uniform(-1, 1, many)
    lanes.state[X_DOT] = 1 / 16
    lanes.state[Y_DOT] = draw.uniform(-1 / 16, 1 / 16, many)
    lanes.state[RIGHT] = np.clip(lanes.state[Y] + draw.uniform(-0.25, 0.25, many), -0.875, 0.875)
    s = lanes.state.astype(np.float64)
    y = s[Y] + (1 - s[X]) * 16 * s[Y_DOT]
    y = np.where(y > 1, 2 - y, np.where(y < -1, -2 - y, y))
    apart = np.abs(y - s[RIGHT])
    lanes.step(np.zeros((2, many), np.int32))
    returned = lanes.state[X_DOT] < 0
    np.testing.assert_array_equal(lanes.reward[0], np.where(returned, 0, 1))
    clear = np.abs(apart - 0.125) > 1e-5
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(returned[clear], apart[clear] < 0.125)
    assert (lanes.state[X] <= 1).all()
    assert 0.3 < returned.mean() < 0.7


@pytest.mark.parametrize("players", [1, 2])
def test_the_ball_and_the_paddles_never_leave_the_court(players):
    lanes, draw = Lanes(make(ID, players=players), 300, seed=7), np.random.default_rng(8)
    tracking = [Player(300, seed, careless=0.3) for seed in range(2)]
    fastest = 0.0
    for _ in range(1500):
        action = np.array([tracking[a](lanes.state[LEFT + a], lanes.state[Y]) for a in range(players)])
        action[:, :50] = draw.integers(0, 3, (players, 50))
        lanes.step(action.reshape(lanes.action.shape))
        assert (np.abs(lanes.state[[X, Y]]) <= 1).all()
        assert (np.abs(lanes.state[[LEFT, RIGHT]]) <= 0.875).all()
        assert (np.abs(lanes.state[[X_DOT, Y_DOT]]) <= 1 / 16).all()
        assert (np.abs(lanes.state[X_DOT]) >= 1 / 32).all()
        fastest = max(fastest, np.abs(lanes.state[X_DOT]).max())
    assert fastest == 1 / 16


def mirrored(rows):
    """Return the state, [S, B], of a court whose sides have changed places."""
    rows = rows.copy()
    rows[[LEFT, RIGHT, LEFT_SCORE, RIGHT_SCORE]] = rows[[RIGHT, LEFT, RIGHT_SCORE, LEFT_SCORE]]
    rows[[X, X_DOT]] *= -1
    return rows


def test_players_who_change_sides_see_and_win_the_same():
    two = make(ID, players=2, points=100)
    one, other = Lanes(two, 200, seed=4), Lanes(two, 200, seed=4)
    other.state[...] = mirrored(one.state)
    draw = [Player(200, 1, careless=0.4), Player(200, 2, careless=0.4)]
    won = np.zeros(2)
    for _ in range(1500):
        action = np.array([draw[a](one.state[LEFT + a], one.state[Y]) for a in range(2)])
        one.step(action)
        other.step(action[::-1])
        np.testing.assert_array_equal(one.observation, other.observation[::-1])
        np.testing.assert_array_equal(one.reward, other.reward[::-1])
        np.testing.assert_array_equal(one.reward[0], -one.reward[1])
        mine, theirs = one.observation
        np.testing.assert_array_equal(mine, theirs[[1, 0, 2, 3, 4, 5, 7, 6]] * np.array([[1, 1, -1, 1, -1, 1, 1, 1]]).T)
        won += [(one.reward[0] > 0).sum(), (one.reward[0] < 0).sum()]
    assert not one.terminated.any()
    assert (won > 500).all()


@pytest.mark.parametrize("players", [1, 2])
def test_an_observation_says_what_it_should(players):
    lanes = Lanes(make(ID, players=players, points=4), 1)
    lanes.state[:8, 0] = (0.25, -0.5, 0.5, 0.125, 1 / 32, -1 / 64, 1, 3)
    lanes.step(np.zeros(lanes.action.shape, np.int32))
    seen = lanes.observation.reshape(players, 8)
    np.testing.assert_array_equal(
        seen[0], np.float32([0.25, lanes.state[RIGHT, 0], 17 / 32, 7 / 64, 0.5, -0.25, 0.25, 0.75])
    )
    if players == 2:
        np.testing.assert_array_equal(seen[1], np.float32([-0.5, 0.25, -17 / 32, 7 / 64, -0.5, -0.25, 0.75, 0.25]))


def folded(y):
    """Return where a ball is that would be at `y` without walls."""
    y = np.mod(y + 1, 4)
    return np.where(y > 2, 4 - y, y) - 1


STEEP = np.linspace(-0.9, 0.9, 13)[:, None]


def ace(seen):
    """Return actions that put the ball where it lands farthest from the opponent; from the observation alone."""
    own, other, x, y, x_dot, y_dot = seen[:6].astype(np.float64)
    meets = folded(y + (x + 1) / np.abs(x_dot) * y_dot)
    best = np.abs(folded(meets + 2 * STEEP) - other).argmax(axis=0)
    wanted = np.where(x_dot < 0, np.clip(meets - 0.125 * STEEP[best, 0], -0.875, 0.875), 0.0)
    return np.where(wanted < own - 0.02, UP, np.where(wanted > own + 0.02, DOWN, STAY))


def returns_of(choose, many=256):
    """Return the return of each lane's first episode against the built-in opponent."""
    lanes = Lanes(make(ID), many, seed=6)
    total, open_ = np.zeros(many), np.ones(many, bool)
    for _ in range(make(ID).time_limit):
        lanes.step(choose(lanes.observation))
        total += lanes.reward * open_
        open_ &= ~(lanes.terminated | lanes.truncated)
        if not open_.any():
            break
    return total


def test_the_opponent_is_beaten_by_skill_and_not_by_chance():
    draw = np.random.default_rng(0)
    skilled, random = returns_of(ace), returns_of(lambda seen: draw.integers(0, 3, seen.shape[1]))
    assert skilled.mean() > 4.5
    assert random.mean() < -4.0


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
@pytest.mark.parametrize("players", [1, 2])
def test_every_target_gives_the_oracles_bits(target, players):
    environment = make(ID, players=players, points=2)
    oracle, ours = (Lanes(environment, 37, target=name, seed=9) for name in ("python", target))
    tracking = [Player(37, seed, careless=0.8) for seed in range(2)]
    ended = 0
    for _ in range(250):
        action = np.array([tracking[a](oracle.state[LEFT + a], oracle.state[Y]) for a in range(players)])
        oracle.step(action.reshape(oracle.action.shape))
        ours.step(action.reshape(oracle.action.shape))
        ended += oracle.terminated.sum()
        for name in ("state", "random", "reward", "terminated", "truncated", "observation", "final_observation"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)
    assert ended >= 20


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is no machine code with the JIT off")
def test_a_step_uses_packed_instructions(monkeypatch, tmp_path):
    # Machine code that comes from the cache cannot be inspected.
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assembly = next(iter(cpu.vector_step(make(ID)).compiled.inspect_asm().values()))
    assert vectorised(assembly)
    assert packed(assembly, "div") >= 3  # the flight and both scores


@pytest.mark.parametrize("options", [{"players": 0}, {"players": 3}, {"points": 0}, {"points": 101}])
def test_options_out_of_range_are_named(options):
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=f"{name}={value}"):
        make(ID, **options)
