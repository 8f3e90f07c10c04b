"""Connect4 against a board of lists that looks along all 69 lines, step for step and draw for draw."""

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels import rng
from workbench_kernels.envs import make

ROWS, COLUMNS = 6, 7
LINES = np.array(
    [
        [(r + k * dr) * COLUMNS + c + k * dc for k in range(4)]
        for r in range(ROWS)
        for c in range(COLUMNS)
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1))
        if 0 <= r + 3 * dr < ROWS and 0 <= c + 3 * dc < COLUMNS
    ]
)


class Naive:
    """One lane: cells hold 0, or 1 + the player."""

    def __init__(self, lane, seed, players):
        self.players, self.lane = players, lane
        self.random = np.zeros((rng.ROWS, lane + 1), np.uint32)
        rng.seed_lanes(self.random, seed)
        self.reset()

    def words(self):
        bits = int(rng.draw(self.lane, self.random))
        return bits & 0xFFFFFFFF, bits >> 32

    def reset(self):
        low, high = self.words()
        self.board, self.turn = np.zeros(ROWS * COLUMNS, int), 0
        if self.players == 2:
            self.turn = low * 2 >> 32
        elif low * 2 >> 32:
            self.drop(high * COLUMNS >> 32, 1)

    def drop(self, column, player):
        """Return 1 for a win, -1 for a loss, 0 for a draw, None if the game goes on."""
        free = [r for r in range(ROWS) if not self.board[r * COLUMNS + column]]
        if not free:
            return -1
        self.board[max(free) * COLUMNS + column] = 1 + player
        if (self.board[LINES] == 1 + player).all(axis=1).any():
            return 1
        return 0 if self.board.all() else None

    def legal(self):
        return [c for c in range(COLUMNS) if not self.board[c]]

    def step(self, action):
        if self.players == 2:
            mover = self.turn
            self.turn = 1 - mover
            result = self.drop(action[mover], mover)
            signs = (1, -1) if mover == 0 else (-1, 1)
            return [(result or 0) * sign for sign in signs], result is not None
        low, _ = self.words()
        result = self.drop(action[0], 0)
        if result is None:
            legal = self.legal()
            result = self.drop(legal[low * len(legal) >> 32], 1)
            result = -result if result else result
        return [result or 0], result is not None

    def observations(self):
        for player in range(self.players):
            seen = [self.board == 1 + player, self.board == 2 - player]
            yield np.concatenate([*seen, *([np.full(42, self.turn == player)] if self.players == 2 else [])])

    def masks(self):
        for player in range(self.players):
            legal = self.legal() if player == self.turn else []
            yield [c in (legal or [0]) for c in range(COLUMNS)]


@pytest.mark.parametrize(("players", "lanes", "steps"), [(1, 60, 900), (2, 60, 900)])
def test_a_hundred_thousand_steps_equal_a_naive_game(players, lanes, steps):
    ours = Lanes(make("workbench/Connect4-v0", players=players), lanes, seed=3)
    games = [Naive(i, 3, players) for i in range(lanes)]
    draw = np.random.default_rng(0)
    reward, terminated = (x.reshape(players, lanes) for x in (ours.reward, ours.terminated))
    results = {-1: 0, 0: 0, 1: 0}
    for t in range(steps):
        action = draw.integers(0, COLUMNS, (players, lanes))
        # Most games go on to a full board only if no move is illegal.
        if t % 30:
            mask = ours.action_mask.reshape(players, COLUMNS, lanes)
            action = (draw.random(mask.shape) * mask).argmax(axis=1)
        ours.step(action.reshape(ours.action.shape))
        for i, game in enumerate(games):
            gained, over = game.step(action[:, i])
            assert reward[:, i].tolist() == gained
            assert terminated[:, i].tolist() == [over] * players
            if over:
                results[gained[0]] += 1
                assert (
                    ours.final_observation[..., i].ravel().tolist() == np.concatenate([*game.observations()]).tolist()
                )
                game.reset()
            if over or t % 8 == 0:
                assert ours.observation[..., i].ravel().tolist() == np.concatenate([*game.observations()]).tolist()
                assert ours.action_mask[..., i].ravel().tolist() == np.concatenate([*game.masks()]).tolist()
    assert min(results[-1], results[1]) > 500
    assert results[0] > 3


@pytest.mark.parametrize("players", [1, 2])
@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target, players):
    environment = make("workbench/Connect4-v0", players=players)
    oracle = Lanes(environment, 17, target="python", seed=5)
    ours = Lanes(environment, 17, target=target, seed=5)
    draw = np.random.default_rng(1)
    for _ in range(60):
        action = draw.integers(0, COLUMNS, oracle.action.shape)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "random", "reward", "terminated", "observation", "final_observation", "action_mask"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


def position(drawing, turn=0):
    """Return a lane of two players with the discs of a drawing: x the first's, o the second's."""
    lanes = Lanes(make("workbench/Connect4-v0", players=2), 1, target="python")
    cells = "".join(drawing.split())
    for player, mark in enumerate("xo"):
        for half in range(2):
            part = cells[21 * half : 21 * half + 21]
            lanes.state[2 * player + half, 0] = sum(1 << k for k, cell in enumerate(part) if cell == mark)
    lanes.state[4, 0] = turn
    return lanes


ROW = """
    .......
    .......
    .......
    .......
    .......
    ooo.xxx
"""
EDGE = """
    .......
    .......
    .......
    .......
    xx.....
    oooo.xx
""".replace("oooo", "ooxo")
COLUMN = """
    .......
    .......
    .......
    x.....o
    x.....o
    x.....o
"""
FALLING = """
    .......
    .......
    x......
    ox.....
    oox....
    xxo.oxo
"""
RISING = """
    .......
    .......
    ......x
    .....xo
    ....xoo
    oxo.oxx
"""
FULL = """
    .oxoxox
    xoxoxox
    oxoxoxo
    oxoxoxo
    xoxoxox
    xoxoxox
"""


@pytest.mark.parametrize(
    ("drawing", "turn", "column", "result"),
    [
        (ROW, 0, 3, 1),
        (ROW, 1, 3, 1),
        (EDGE, 0, 4, None),
        (COLUMN, 0, 0, 1),
        (COLUMN, 1, 6, 1),
        (COLUMN, 1, 0, None),
        (FALLING, 0, 3, 1),
        (FALLING, 1, 3, None),
        (RISING, 0, 3, 1),
        (FULL, 0, 0, 0),
        (FULL, 0, 1, -1),
    ],
)
def test_known_positions_end_as_the_rules_say(drawing, turn, column, result):
    lanes = position(drawing, turn)
    action = np.zeros((2, 1), np.int32)
    action[turn] = column
    lanes.step(action, autoreset=False)
    assert lanes.terminated[:, 0].tolist() == [result is not None] * 2
    assert lanes.reward[turn, 0] == (result or 0)
    assert lanes.reward[1 - turn, 0] == -(result or 0)


def test_a_board_that_is_full_keeps_a_legal_action():
    lanes = position(FULL)
    lanes.step([[0], [0]], autoreset=False)
    assert lanes.terminated.all()
    assert lanes.action_mask.sum(axis=1).tolist() == [[1], [1]]


def test_players_start_half_of_the_games_each():
    two = Lanes(make("workbench/Connect4-v0", players=2), 2000, target="cpu", seed=1)
    one = Lanes(make("workbench/Connect4-v0"), 2000, target="cpu", seed=1)
    opened = one.observation[42:].reshape(6, 7, -1).sum(axis=(0, 1))
    for starts in (two.state[4], opened):
        assert set(starts) == {0, 1}
        assert abs(starts.mean() - 0.5) < 0.04


def test_no_third_player_is_let_in():
    with pytest.raises(ValueError, match="players=3"):
        make("workbench/Connect4-v0", players=3)
