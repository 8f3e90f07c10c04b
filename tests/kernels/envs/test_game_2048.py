"""2048 against a board of tuples, whose lines are merged tile by tile: step for step and draw for draw."""

import functools

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels import rng
from workbench_kernels.envs import make

UP, RIGHT, DOWN, LEFT = range(4)
ALL = ("state", "random", "reward", "terminated", "truncated", "observation", "final_observation", "action_mask")


@functools.cache
def merge_line(tiles):
    """Return a line of values after a move towards its first cell, and the score."""
    rest, done, score = [tile for tile in tiles if tile], [], 0
    while rest:
        tile = rest.pop(0)
        if rest and rest[0] == tile:
            tile += rest.pop(0)
            score += tile
        done.append(tile)
    return (*done, *[0] * (len(tiles) - len(done))), score


def move(board, direction):
    """Return the rows of values after a move, and the score."""
    lines = list(zip(*board, strict=True)) if direction in (UP, DOWN) else board
    if direction in (RIGHT, DOWN):
        merged = [merge_line(line[::-1]) for line in lines]
        lines = [line[::-1] for line, _ in merged]
    else:
        merged = [merge_line(line) for line in lines]
        lines = [line for line, _ in merged]
    rows = list(zip(*lines, strict=True)) if direction in (UP, DOWN) else lines
    return rows, sum(score for _, score in merged)


class Naive:
    """One lane: four rows of values."""

    def __init__(self, lane, seed):
        self.random = np.zeros((rng.ROWS, lane + 1), np.uint32)
        rng.seed_lanes(self.random, seed)
        self.lane = lane
        self.reset()

    def reset(self):
        self.board = [(0,) * 4] * 4
        every = [(y, x) for y in range(4) for x in range(4)]
        for _ in range(2):
            self.spawn(every)

    def spawn(self, order):
        bits = int(rng.draw(self.lane, self.random))
        free = [(y, x) for y, x in order if not self.board[y][x]]
        y, x = free[(bits & 0xFFFFFFFF) * len(free) >> 32]
        row = self.board[y]
        self.board[y] = (*row[:x], 2 if (bits >> 40) < 0.9 * 2**24 else 4, *row[x + 1 :])

    def legal(self):
        return [move(self.board, direction)[0] != self.board for direction in range(4)]

    def step(self, action):
        before = self.board
        self.board, score = move(self.board, action)
        if self.board != before:
            away = range(3, -1, -1) if action in (RIGHT, DOWN) else range(4)
            frame = [(line, k) for line in range(4) for k in away]
            self.spawn([(k, line) if action in (UP, DOWN) else (line, k) for line, k in frame])
        else:
            rng.draw(self.lane, self.random)
        return score

    def observation(self):
        return [[[cell == 2 ** (k + 1) for cell in row] for row in self.board] for k in range(17)]


@pytest.fixture(scope="module")
def game():
    return make("workbench/2048-v0")


def exponents(board):
    return [cell.bit_length() - 1 if cell else 0 for row in board for cell in row]


def test_a_hundred_thousand_steps_equal_a_naive_2048(game):
    lanes, steps, limit = 50, 2100, 700
    ours, games = Lanes(game, lanes, seed=3, limit=limit), [Naive(i, 3) for i in range(lanes)]
    draw = np.random.default_rng(4)
    lost = nothing = greatest = 0
    for t in range(steps):
        # Half of the lanes prefer a corner, so that high tiles are made; of the rest some try what is not allowed.
        order = draw.permuted(np.tile([DOWN, LEFT, RIGHT, UP], (lanes, 1)), axis=1)
        order[::2] = [DOWN, LEFT, RIGHT, UP]
        first = np.argmax(np.take_along_axis(ours.action_mask.T, order, axis=1), axis=1)
        first[1::4] = 0
        action = order[np.arange(lanes), first]
        elapsed = ours.elapsed.copy()
        ours.step(action)
        for i, naive in enumerate(games):
            before = naive.board
            assert naive.step(int(action[i])) == ours.reward[i]
            over = not any(naive.legal())
            assert over == ours.terminated[i]
            assert ours.truncated[i] == (elapsed[i] + 1 >= limit)
            lost, nothing = lost + over, nothing + (naive.board == before)
            greatest = max(greatest, *map(max, naive.board))
            if over or ours.truncated[i]:
                assert ours.final_observation[:, i].tolist() == np.ravel(naive.observation()).tolist()
                naive.reset()
            assert ours.state[:, i].tolist() == exponents(naive.board)
            assert ours.action_mask[:, i].tolist() == naive.legal()
            if t % 20 == 0:
                assert ours.observation[:, i].tolist() == np.ravel(naive.observation()).tolist()
    np.testing.assert_array_equal(ours.random[rng.COUNT], [naive.random[rng.COUNT, i] for i, naive in enumerate(games)])
    assert lost > 300
    assert nothing > 3000
    assert greatest >= 256


def test_every_line_of_tiles_up_to_the_greatest_merges_as_lists_do(game):
    """All lines of four exponents that a board can hold, in all directions."""
    lines = np.stack(np.meshgrid(*[np.arange(18)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    lines = lines[(lines == 17).sum(axis=1) <= 1]
    lanes = len(lines)
    expected = {True: [merge_line(tuple(2**e if e else 0 for e in line)) for line in lines.tolist()]}
    reversed_lines = [merge_line(tuple(2**e if e else 0 for e in line[::-1])) for line in lines.tolist()]
    expected[False] = [(line[::-1], score) for line, score in reversed_lines]
    ours = Lanes(game, lanes, seed=1)
    which = np.arange(lanes) % 4
    for direction in range(4):
        board = np.zeros((4, 4, lanes), np.int32)
        across = board if direction in (LEFT, RIGHT) else board.transpose(1, 0, 2)
        across[which, :, np.arange(lanes)] = lines
        ours.state[...] = board.reshape(16, lanes)
        ours.step(np.full(lanes, direction), autoreset=False)
        after = ours.state.reshape(4, 4, lanes)
        after = after if direction in (LEFT, RIGHT) else after.transpose(1, 0, 2)
        found = after[which, :, np.arange(lanes)]
        values = expected[direction in (LEFT, UP)]
        wanted = np.array([exponents([line]) for line, _ in values])
        moved = (wanted != lines).any(axis=1)
        np.testing.assert_array_equal(ours.reward, [score for _, score in values])
        # The new tile is the one cell that is not as it should be, and was empty.
        differs = found != wanted
        assert (differs.sum(axis=1) <= 1).all()
        assert (wanted[differs] == 0).all()
        others = (after > 0).sum(axis=(0, 1)) - (wanted > 0).sum(axis=1)
        np.testing.assert_array_equal(others, moved)


def test_new_tiles_are_twos_nine_times_in_ten_and_anywhere(game):
    many = 40_000
    state = Lanes(game, many, seed=5).state
    assert ((state > 0).sum(axis=0) == 2).all()
    assert set(np.unique(state)) == {0, 1, 2}
    assert abs((state == 1).sum() / (2 * many) - 0.9) < 0.005
    assert np.abs((state > 0).mean(axis=1) - 1 / 8).max() < 0.007
    ours = Lanes(game, many, seed=6)
    ours.state[...] = np.array([0, 0, 0, 1] + [0] * 12)[:, None]
    ours.step(np.full(many, LEFT))
    assert (ours.state[0] == 1).all()
    assert np.abs((ours.state[1:] > 0).mean(axis=1) - 1 / 15).max() < 0.006
    assert abs((ours.state[1:] == 1).sum() / many - 0.9) < 0.007


def board(game, rows, **options):
    ours = Lanes(game, 1, target="python", **options)
    ours.state[:, 0] = exponents(rows)
    return ours


def test_what_changes_nothing_leaves_all_but_the_clock_as_it_was(game):
    rows = [[2, 0, 0, 0], [4, 0, 0, 0], [0] * 4, [0] * 4]
    ours = board(game, rows, limit=3)
    for t in range(3):
        ours.step([LEFT], autoreset=False)
        assert ours.state[:, 0].tolist() == exponents(rows)
        assert ours.reward[0] == 0
        assert not ours.terminated[0]
        assert ours.truncated[0] == (t == 2)
    assert ours.action_mask[:, 0].tolist() == [False, True, True, False]


def test_the_game_ends_where_no_move_is_left_and_the_mask_then_allows_all(game):
    rows = [[0, 8, 16, 4], [16, 32, 64, 128], [8, 16, 32, 64], [16, 32, 64, 128]]
    seen = []
    for seed in range(60):
        ours = board(game, rows, seed=seed)
        ours.step([LEFT], autoreset=False)
        assert ours.state[:3, 0].tolist() == [3, 4, 2]
        stuck = bool(ours.state[3, 0] == 1)
        assert ours.terminated[0] == stuck
        assert ours.action_mask[:, 0].tolist() == [stuck, True, stuck, True]
        seen.append(stuck)
    assert set(seen) == {True, False}


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(game, target):
    oracle, ours = (Lanes(game, 9, target=name, seed=5) for name in ("python", target))
    draw = np.random.default_rng(1)
    # Half of the lanes hold the greatest tiles.
    oracle.state[:, ::2] = ours.state[:, ::2] = draw.integers(0, 18, (16, 5)) * draw.integers(0, 2, (16, 5))
    for _ in range(120):
        action = draw.integers(0, 4, 9)
        oracle.step(action)
        ours.step(action)
        for name in ALL:
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)
