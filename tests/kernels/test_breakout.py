"""Breakout against a court with a set of bricks, step for step; and play that breaks them all."""

import math

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels import rng
from workbench_kernels.envs import make

F = np.float32
BREAKOUT = make("workbench/Breakout-v0")
POINTS = {2: 7, 3: 7, 4: 4, 5: 4, 6: 1, 7: 1}
WALL = frozenset((row, column) for row in POINTS for column in range(18))


class Naive:
    """One lane: bricks are (row, column) on the court."""

    def __init__(self, lane, seed, lives):
        self.lane, self.most = lane, lives
        self.random = np.zeros((rng.ROWS, lane + 1), np.uint32)
        rng.seed_lanes(self.random, seed)
        self.reset()

    def reset(self):
        self.bricks, self.lives, self.paddle = set(WALL), self.most, F(9)
        self.serve()

    def serve(self):
        u = F((int(rng.draw(self.lane, self.random)) & 0xFFFFFFFF) >> 8) / F(2**24)
        self.ball, self.velocity = [F(9), F(9)], [(F(2) * u - F(1)) * F(0.375), F(0.5)]

    def hit(self, x, y):
        brick = (math.floor(y), min(math.floor(x), 17))
        if brick in self.bricks:
            self.bricks.remove(brick)
            return POINTS[brick[0]]
        return 0

    def step(self, action):
        """Return the reward and whether the game is over."""
        self.paddle = np.clip(self.paddle + F((0, -0.375, 0.375)[action]), F(1.5), F(16.5))
        gained = 0
        for axis in range(2):
            place = list(self.ball)
            place[axis] = place[axis] + self.velocity[axis]
            if axis == 1 and place[1] >= 16:
                if not self.paddle - F(1.5) <= place[0] <= self.paddle + F(1.5):
                    self.lives -= 1
                    self.serve()
                    break
                place[1] = F(32) - place[1]
                self.velocity = [(place[0] - self.paddle) / F(4), -self.velocity[1]]
            elif place[axis] < 0 or (axis == 0 and place[0] > 18):
                place[axis] = -place[axis] if place[axis] < 0 else F(36) - place[axis]
                self.velocity[axis] = -self.velocity[axis]
            points = self.hit(*place)
            gained += points
            if points:
                self.velocity[axis] = -self.velocity[axis]
            else:
                self.ball = place
        return gained, self.lives == 0 or not self.bricks

    def observation(self):
        x, y = self.ball
        seen = [self.paddle / F(9) - 1, x / F(9) - 1, y / F(8) - 1]
        seen += [self.velocity[0] / F(0.375), self.velocity[1] / F(0.5), self.lives / self.most]
        return np.array(seen), [brick in self.bricks for brick in sorted(WALL)]


class Player:
    """Follows the ball, but holds the paddle a little aside of it, another way after each return."""

    def __init__(self, lanes, seed, careless=0.0):
        self.draw, self.careless = np.random.default_rng(seed), careless
        self.aside = np.zeros(lanes)

    def __call__(self, lanes):
        rises = lanes.state[4] < 0
        self.aside[rises] = self.draw.uniform(-1.2, 1.2, rises.sum())
        gap = lanes.state[1] + self.aside - lanes.state[0]
        action = np.where(gap < -0.19, 1, np.where(gap > 0.19, 2, 0))
        return np.where(self.draw.random(gap.size) < self.careless, self.draw.integers(0, 3, gap.size), action)


@pytest.mark.parametrize(("careless", "lives"), [(0.0, 1), (0.95, 3)])
def test_a_hundred_thousand_steps_equal_a_naive_court(careless, lives):
    lanes, steps = 12, 5000
    ours = Lanes(make("workbench/Breakout-v0", lives=lives), lanes, seed=3)
    games = [Naive(i, 3, lives) for i in range(lanes)]
    player = Player(lanes, 4, careless)
    ended, cleared, lost = 0, 0, 0
    for t in range(steps):
        action = player(ours)
        ours.step(action)
        for i, game in enumerate(games):
            before = game.lives
            gained, over = game.step(int(action[i]))
            assert ours.reward[i] == gained
            assert ours.terminated[i] == over
            lost += before - game.lives
            if over:
                ended += 1
                cleared += not game.bricks
                game.reset()
            assert (ours.state[1, i], ours.state[2, i]) == tuple(game.ball)
            if over or gained or t % 20 == 0:
                place, bricks = game.observation()
                np.testing.assert_allclose(ours.observation[:6, i], place, atol=1e-6)
                assert ours.observation[6:, i].tolist() == bricks
    np.testing.assert_array_equal(ours.random[rng.COUNT], [game.random[rng.COUNT, i] for i, game in enumerate(games)])
    assert (lost > 300 and ended > 100) if careless else cleared >= 5


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target):
    oracle, ours = Lanes(BREAKOUT, 17, target="python", seed=5), Lanes(BREAKOUT, 17, target=target, seed=5)
    player = Player(17, 6, careless=0.7)
    for _ in range(300):
        action = player(oracle)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "random", "reward", "terminated", "observation", "final_observation"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


def test_play_that_follows_the_ball_earns_the_optimal_return():
    lanes = Lanes(BREAKOUT, 32, seed=7)
    player = Player(32, 8)
    earned, finished, longest = np.zeros(32), [], 0
    while len(finished) < 32:
        longest += 1
        lanes.step(player(lanes))
        earned += lanes.reward
        over = lanes.terminated | lanes.truncated
        finished += earned[over].tolist()
        earned[over] = 0
    assert set(finished) == {BREAKOUT.optimal_return}
    assert sum(18 * points for points in POINTS.values()) == BREAKOUT.optimal_return


@pytest.mark.parametrize("side", [-1, 1])
def test_the_paddle_returns_what_it_touches_and_no_more(side):
    lanes = Lanes(BREAKOUT, 2, target="python")
    for i, offset in enumerate((1.5, 1.5 + 2**-18)):
        lanes.state[:5, i] = 9, 9 + side * offset, 15.5, 0, 0.5
    lanes.step([0, 0])
    assert lanes.state[5].tolist() == [5, 4]
    assert lanes.state[3:5, 0].tolist() == [side * 0.375, -0.5]


@pytest.mark.parametrize("lives", [0, 101])
def test_options_out_of_range_are_named(lives):
    with pytest.raises(ValueError, match=f"lives={lives}"):
        make("workbench/Breakout-v0", lives=lives)
