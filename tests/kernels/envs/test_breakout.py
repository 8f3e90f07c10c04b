"""Breakout against a game of sets in float64, and as a game: nothing is left, and its best return is earned."""

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels import rng
from workbench_kernels.envs import make

ID = "workbench/Breakout-v0"
PADDLE, X, Y, X_DOT, Y_DOT, LIVES, STANDING, BRICKS = range(8)
END = BRICKS + 72
STAY, LEFT, RIGHT = range(3)
POINTS = (7, 7, 4, 4, 1, 1)


class Naive:
    """One step of one game; `near` is how close a decision was to the other one."""

    def __init__(self, rows):
        self.paddle, self.x, self.y, self.x_dot, self.y_dot, self.lives = rows[: LIVES + 1]
        self.bricks = {divmod(k, 12) for k, stands in enumerate(rows[BRICKS:END]) if stands}
        self.near, self.reward, self.lost = 1.0, 0, False

    def decide(self, distance):
        if distance:
            self.near = min(self.near, abs(distance))

    def take(self, x, y):
        """Break the brick at (x, y) if one stands there."""
        self.decide(x - round(x))
        self.decide(y - round(y))
        brick = (int(y) - 2, min(int(x), 11))
        if brick not in self.bricks:
            return False
        self.bricks.remove(brick)
        self.reward += POINTS[brick[0]]
        return True

    def step(self, action):
        self.paddle = sorted((1.0, self.paddle + {STAY: 0.0, LEFT: -0.35, RIGHT: 0.35}[action], 11.0))[1]
        x = self.x + self.x_dot
        if x < 0:
            x, self.x_dot = -x, -self.x_dot
        elif x > 12:
            x, self.x_dot = 24 - x, -self.x_dot
        if self.take(x, self.y):
            self.x_dot *= -1
        else:
            self.x = x
        y = self.y + self.y_dot
        if y < 0:
            y, self.y_dot = -y, -self.y_dot
        if self.take(self.x, y):
            self.y_dot *= -1
            return
        self.y = y
        if y < 16:
            return
        offset = self.x - self.paddle
        self.decide(abs(offset) - 1)
        if abs(offset) > 1:
            self.lives -= 1
            self.lost = True
            return
        speed = min(self.y_dot * 1.02, 0.625)
        self.y, self.x_dot, self.y_dot = 32 - y, 0.6 * offset * speed, -speed

    def serve(self, bits):
        self.x, self.y = 12 * ((bits & 0xFFFFFFFF) >> 8) / 2**24, 9.0
        self.x_dot, self.y_dot = 0.6 * 0.375 * ((bits >> 40) / 2**23 - 1), 0.375

    def rows(self):
        standing = [divmod(k, 12) in self.bricks for k in range(72)]
        return [self.paddle, self.x, self.y, self.x_dot, self.y_dot, self.lives, len(self.bricks), *standing]


def folded(x):
    """Return where a ball is that would be at `x` without walls."""
    x = np.mod(x, 24)
    return np.where(x > 12, 24 - x, x)


STEEP = np.linspace(-0.75, 0.75, 19)[:, None]


class Player:
    """Stands where the ball will come down, so that it strikes a standing brick; from the observation alone."""

    def __init__(self, lanes, seed, careless=0.0):
        self.draw, self.careless = np.random.default_rng(seed), careless
        self.offset, self.down = np.zeros(lanes), np.zeros(lanes, bool)

    def __call__(self, seen):
        seen = seen.astype(np.float64)
        paddle, x, y = (seen[0] + 1) * 6, (seen[1] + 1) * 6, (seen[2] + 1) * 8
        x_dot, y_dot = seen[3] / 1.6, seen[4] / 1.6
        down = (y_dot > 0) & (y > 8)
        lands = np.where(down, folded(x + x_dot * np.ceil((16 - y) / np.abs(y_dot) - 1e-4)), x)
        bricks = seen[6:].reshape(6, 12, -1)
        hits = np.zeros((len(STEEP), len(x)))
        for row in range(6):
            column = np.minimum(folded(lands + 0.6 * STEEP * (13.5 - row)).astype(int), 11)
            hits = np.maximum(hits, bricks[row, column, np.arange(len(x))])
        best = (hits + self.draw.random(hits.shape)).argmax(axis=0)
        self.offset = np.where(down & ~self.down, STEEP[best, 0], self.offset)
        self.down = down
        away = np.clip(lands - self.offset, 0.7, 11.3) - paddle
        action = np.where(away < -0.18, LEFT, np.where(away > 0.18, RIGHT, STAY))
        anything = self.draw.random(len(x)) < self.careless
        return np.where(anything, self.draw.integers(0, 3, len(x)), action)


def test_a_hundred_thousand_steps_equal_a_game_of_sets():
    many, steps, seed = 60, 1750, 3
    lanes, player = Lanes(make(ID), many, seed=seed), Player(many, 1, careless=0.25)
    player.careless = np.linspace(0, 0.8, many)
    stream = np.zeros((rng.ROWS, many), np.uint32)
    rng.seed_lanes(stream, seed)
    stream[rng.COUNT] = 1
    compared, broken, lost, ends = 0, 0, 0, 0
    for _ in range(steps):
        before, action = lanes.state.T.tolist(), player(lanes.observation)
        lanes.step(action)
        expected, gained, ended, sure = [], [], [], []
        for i in range(many):
            game = Naive(before[i])
            game.step(int(action[i]))
            certain = game.near >= 1e-5
            over = not (game.lives and game.bricks)
            gained.append(game.reward)
            lost += game.lost
            if not certain:  # one rounding decides: keep the count of draws right for what follows
                stream[rng.COUNT, i] = lanes.random[rng.COUNT, i]
            elif game.lost:
                game.serve(int(rng.draw(i, stream)))
            if certain and over:
                game = Naive([6.0, 0, 0, 0, 0, 3, 72, *[1] * 72])
                game.serve(int(rng.draw(i, stream)))
            expected.append(game.rows())
            ended.append(over)
            sure.append(certain)
        np.testing.assert_array_equal(lanes.random[rng.COUNT], stream[rng.COUNT])
        sure = np.array(sure)
        assert np.abs(lanes.state[:END] - np.array(expected, float).T)[:, sure].max() < 4e-6
        np.testing.assert_array_equal(lanes.reward[sure], np.array(gained)[sure])
        np.testing.assert_array_equal(lanes.terminated[sure], np.array(ended)[sure])
        compared += sure.sum()
        broken += np.count_nonzero(gained)
        ends += sum(ended)
    assert compared > 0.99 * many * steps
    assert broken > 1000
    assert lost > 200
    assert ends > 60


def test_the_ball_never_leaves_the_field_nor_enters_a_brick():
    many = 400
    lanes, player = Lanes(make(ID, lives=100), many, seed=7), Player(many, 2)
    player.careless = np.linspace(0, 0.6, many)
    fastest, among = 0.0, 0
    for _ in range(2500):
        lanes.step(player(lanes.observation))
        paddle, x, y, x_dot, y_dot = lanes.state[:LIVES]
        assert ((x >= 0) & (x <= 12)).all()
        assert ((y >= 0) & (y <= 16)).all()
        assert ((paddle >= 1) & (paddle <= 11)).all()
        assert (np.abs(y_dot) <= 0.625).all()
        assert (np.abs(y_dot) >= 0.375).all()
        assert (np.abs(x_dot) <= 0.375).all()
        row, column = y.astype(int) - 2, np.minimum(x.astype(int), 11)
        inside = (row >= 0) & (row < 6)
        k = np.where(inside, BRICKS + row * 12 + column, STANDING)
        assert (lanes.state[k, np.arange(many)][inside] == 0).all()
        np.testing.assert_array_equal(lanes.state[BRICKS:END].sum(axis=0), lanes.state[STANDING])
        fastest, among = max(fastest, np.abs(y_dot).max()), among + inside.sum()
    assert fastest == 0.625
    assert among > 10_000


def test_a_ball_at_top_speed_is_returned_exactly_where_the_paddle_is():
    many = 40_000
    lanes, draw = Lanes(make(ID), many), np.random.default_rng(5)
    lanes.state[X] = draw.uniform(0, 12, many)
    lanes.state[Y] = draw.uniform(15.376, 15.999, many)
    lanes.state[X_DOT] = draw.uniform(-0.375, 0.375, many)
    lanes.state[Y_DOT] = 0.625
    lanes.state[PADDLE] = np.clip(lanes.state[X] + draw.uniform(-2, 2, many), 1, 11)
    s = lanes.state.astype(np.float64)
    apart = np.abs(12 - np.abs(12 - np.abs(s[X] + s[X_DOT])) - s[PADDLE])
    lanes.step(np.zeros(many, np.int32))
    returned = lanes.state[LIVES] == 3
    clear = np.abs(apart - 1) > 1e-5
    np.testing.assert_array_equal(returned[clear], apart[clear] < 1)
    np.testing.assert_array_equal(lanes.state[Y_DOT] < 0, returned)
    assert clear.mean() > 0.99
    assert 0.3 < returned.mean() < 0.7


def test_an_observation_says_what_it_should():
    lanes = Lanes(make(ID, lives=4), 1)
    state = lanes.state[:, 0]
    state[:STANDING] = (3.0, 6.0, 12.0, 0.125, -0.5, 3)
    state[BRICKS:END] = np.arange(72) % 3 == 0
    state[STANDING] = 24
    lanes.step([STAY])
    seen = lanes.observation[:, 0]
    np.testing.assert_allclose(seen[:6], [-0.5, 6.125 / 6 - 1, 11.5 / 8 - 1, 0.2, -0.8, 0.75], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(seen[6:], np.arange(72) % 3 == 0)


def returns_of(choose, many):
    """Return the return of each lane's first episode."""
    lanes = Lanes(make(ID), many, seed=6)
    total, first = np.zeros(many), np.ones(many, bool)
    for _ in range(make(ID).time_limit):
        lanes.step(choose(lanes.observation))
        total += lanes.reward * first
        first &= ~(lanes.terminated | lanes.truncated)
        if not first.any():
            break
    return total


def test_the_whole_wall_is_the_best_return_and_a_player_earns_it():
    assert make(ID).optimal_return == sum(POINTS) * 12 == 288
    best = returns_of(Player(64, 3), 64)
    np.testing.assert_array_equal(best, 288)
    draw = np.random.default_rng(0)
    assert returns_of(lambda seen: draw.integers(0, 3, seen.shape[1]), 64).mean() < 30


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target):
    environment = make(ID, lives=1)
    oracle, ours = (Lanes(environment, 37, target=name, seed=9) for name in ("python", target))
    player = Player(37, 4, careless=0.6)
    ended, broken = 0, 0
    for _ in range(250):
        action = player(oracle.observation)
        oracle.step(action)
        ours.step(action)
        ended += oracle.terminated.sum()
        broken += np.count_nonzero(oracle.reward)
        for name in ("state", "random", "reward", "terminated", "truncated", "observation", "final_observation"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)
    assert ended > 20
    assert broken > 20


@pytest.mark.parametrize("lives", [0, 101])
def test_lives_out_of_range_are_named(lives):
    with pytest.raises(ValueError, match=f"lives={lives}"):
        make(ID, lives=lives)
