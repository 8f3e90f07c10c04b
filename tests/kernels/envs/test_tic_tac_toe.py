"""TicTacToe against a tuple of cells and its lines, step for step and draw for draw; the value of the best play."""

import functools
from fractions import Fraction

import numpy as np
import pytest
from pettingzoo.classic.tictactoe import tictactoe

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels import rng
from workbench_kernels.envs import make

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
EMPTY = (None,) * 9


def put(cells, k, player):
    return (*cells[:k], player, *cells[k + 1 :])


def winner(cells):
    """Return the player with a line, "draw" on a full board, None if the game goes on."""
    for a, b, c in LINES:
        if cells[a] is not None and cells[a] == cells[b] == cells[c]:
            return cells[a]
    return None if None in cells else "draw"


def free(cells):
    return [k for k in range(9) if cells[k] is None]


class Naive:
    """One lane of the game."""

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
        self.cells, self.turn = EMPTY, 0
        if self.players == 2:
            self.turn = low * 2 >> 32
        elif low * 2 >> 32:
            self.cells = put(EMPTY, high * 9 >> 32, 1)

    def step(self, action):
        """Return the first player's reward, and whether the game is over."""
        mover = self.turn
        low, _ = self.words() if self.players == 1 else (0, 0)
        if self.players == 2:
            self.turn = 1 - mover
        if self.cells[action[mover]] is not None:
            return 2 * mover - 1, True
        self.cells = put(self.cells, action[mover], mover)
        if self.players == 1 and winner(self.cells) is None:
            self.cells = put(self.cells, free(self.cells)[low * len(free(self.cells)) >> 32], 1)
        result = winner(self.cells)
        return {0: 1, 1: -1}.get(result, 0), result is not None

    def observation(self):
        seen = []
        for player in range(self.players):
            seen += [cell == player for cell in self.cells]
            seen += [cell == 1 - player for cell in self.cells]
            seen += [self.turn == player] * 9 if self.players == 2 else []
        return seen

    def mask(self):
        allowed = [(free(self.cells) or [0]) if player == self.turn else [0] for player in range(self.players)]
        return [k in legal for legal in allowed for k in range(9)]


@pytest.mark.parametrize("players", [1, 2])
def test_a_hundred_thousand_steps_equal_a_naive_game(players):
    lanes, steps = 100, 1000
    ours = Lanes(make("workbench/TicTacToe-v0", players=players), lanes, seed=3)
    games = [Naive(i, 3, players) for i in range(lanes)]
    draw = np.random.default_rng(0)
    reward, terminated = (x.reshape(players, lanes) for x in (ours.reward, ours.terminated))
    results = {-1: 0, 0: 0, 1: 0}
    for t in range(steps):
        mask = ours.action_mask.reshape(players, 9, lanes)
        legal = (draw.random(mask.shape) * mask).argmax(axis=1)
        action = np.where(draw.random(lanes) < 0.03, draw.integers(0, 9, (players, lanes)), legal)
        ours.step(action.reshape(ours.action.shape))
        for i, game in enumerate(games):
            gained, over = game.step(action[:, i])
            assert reward[:, i].tolist() == [gained, -gained][:players]
            assert terminated[:, i].tolist() == [over] * players
            if over:
                results[gained] += 1
                assert ours.final_observation[..., i].ravel().tolist() == game.observation()
                game.reset()
            if t % 5 == 0:
                assert ours.observation[..., i].ravel().tolist() == game.observation()
                assert ours.action_mask[..., i].ravel().tolist() == game.mask()
    assert min(results.values()) > 500


def test_games_equal_pettingzoos():
    """Its board runs down the columns first, so cells are the same ones under a reflection."""
    ours = Lanes(make("workbench/TicTacToe-v0", players=2), 1, seed=2)
    original = tictactoe.env()
    draw = np.random.default_rng(5)
    ends = []
    for _ in range(250):
        original.reset()
        ours.state[:, 0] = 0
        done = False
        while not done:
            seen, _, _, _, _ = original.last()
            player = original.agents.index(original.agent_selection)
            # One action in forty may be illegal.
            mask = seen["action_mask"] if draw.random() > 0.025 else np.ones(9)
            action = int((draw.random(9) * mask).argmax())
            legal = seen["action_mask"][action]
            original.step(action)
            ours.step([[action], [action]], autoreset=False)
            rewards = [original.rewards[agent] for agent in original.possible_agents]
            done = original.terminations["player_1"]
            assert ours.terminated[:, 0].tolist() == [done, done]
            # There the loser of an illegal action pays, and the other gets nothing.
            assert ours.reward[player, 0] == rewards[player]
            assert ours.reward[1 - player, 0] == (rewards[1 - player] if legal else 1)
            for a, agent in enumerate(original.possible_agents):
                planes = np.moveaxis(original.observe(agent)["observation"], -1, 0)
                assert ours.observation[a, :18, 0].tolist() == planes.ravel().tolist()
            ends += [(rewards[0], bool(legal))] if done else []
    assert set(ends) == {(1, True), (-1, True), (0, True), (-1, False), (0, False)}


@pytest.mark.parametrize("players", [1, 2])
@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target, players):
    environment = make("workbench/TicTacToe-v0", players=players)
    oracle = Lanes(environment, 17, target="python", seed=5)
    ours = Lanes(environment, 17, target=target, seed=5)
    draw = np.random.default_rng(1)
    for _ in range(60):
        action = draw.integers(0, 9, oracle.action.shape)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "random", "reward", "terminated", "observation", "final_observation", "action_mask"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


def words(cells):
    return [sum(1 << k for k in range(9) if cells[k] == player) for player in range(2)]


@pytest.fixture(scope="module")
def positions():
    """Return all positions that a game started by player 0 may reach."""
    found, edge = {EMPTY: 0}, [EMPTY]
    while edge:
        cells = edge.pop()
        if winner(cells) is None:
            turn = found[cells]
            for k in free(cells):
                after = put(cells, k, turn)
                if after not in found:
                    found[after] = 1 - turn
                    edge.append(after)
    return found


def test_every_move_of_every_position_is_judged_by_its_line(positions):
    moves = [(cells, turn, k) for cells, turn in positions.items() if winner(cells) is None for k in range(9)]
    assert len(positions) == 5478
    assert sum(winner(cells) is not None for cells in positions) == 958
    lanes = Lanes(make("workbench/TicTacToe-v0", players=2), len(moves))
    lanes.state[...] = np.array([[*words(cells), turn] for cells, turn, _ in moves]).T
    lanes.step(np.array([[k, k] for *_, k in moves]).T, autoreset=False)
    for i, (cells, turn, k) in enumerate(moves):
        illegal = cells[k] is not None
        result = 1 - turn if illegal else winner(put(cells, k, turn))
        assert lanes.terminated[:, i].tolist() == [result is not None] * 2
        assert lanes.reward[:, i].tolist() == {0: [1, -1], 1: [-1, 1]}.get(result, [0, 0])


def test_perfect_play_is_a_draw_by_minimax_over_our_own_steps():
    environment = make("workbench/TicTacToe-v0", players=2)
    lanes = Lanes(environment, 1)

    @functools.cache
    def value(first, second, turn):
        """Return what player 0 gets."""
        best = None
        for k in range(9):
            if not (first | second) >> k & 1:
                lanes.state[:, 0] = first, second, turn
                lanes.step([[k], [k]], autoreset=False)
                over, reward = lanes.terminated[0, 0], int(lanes.reward[0, 0])
                result = reward if over else value(*map(int, lanes.state[:, 0]))
                best = result if best is None else (max, min)[turn](best, result)
        return best

    assert value(0, 0, 0) == 0
    assert value(0, 0, 1) == 0
    assert value(0b000_000_011, 0b000_011_000, 0) == 1
    assert value(0b000_000_011, 0b000_011_000, 1) == -1


@functools.cache
def against_random(cells, ours):
    """Return the value of the best play against uniformly random replies, and a best move."""
    result = winner(cells)
    if result is not None:
        return {0: Fraction(1), 1: Fraction(-1)}.get(result, Fraction(0)), 0
    values = {k: against_random(put(cells, k, 0 if ours else 1), not ours)[0] for k in free(cells)}
    move = max(values, key=values.__getitem__)
    return (values[move] if ours else sum(values.values()) / len(values)), move


def test_the_optimal_return_is_the_value_of_the_best_play_and_the_best_play_earns_it():
    environment = make("workbench/TicTacToe-v0")
    exact = [against_random(EMPTY, ours)[0] for ours in (True, False)]
    assert exact == [Fraction(191, 192), Fraction(874, 945)]
    assert environment.optimal_return == pytest.approx(float(sum(exact) / 2), abs=1e-12)
    lanes = Lanes(environment, 2000, seed=8)
    earned, games = 0.0, 0
    for _ in range(40):
        marks = [{0: None, 1: 0, 2: 1}[m] for m in range(3)]
        codes = (lanes.observation[:9] + 2 * lanes.observation[9:]).T
        lanes.step([against_random(tuple(marks[m] for m in cells), True)[1] for cells in codes])
        earned += float(lanes.reward.sum())
        games += int(lanes.terminated.sum())
    assert games > 15000
    assert earned / games == pytest.approx(environment.optimal_return, abs=4 * 0.25 / games**0.5)


def test_players_start_half_of_the_games_each():
    two = Lanes(make("workbench/TicTacToe-v0", players=2), 2000, seed=1)
    one = Lanes(make("workbench/TicTacToe-v0"), 2000, seed=1)
    for starts in (two.state[2], one.observation[9:].sum(axis=0)):
        assert set(starts) == {0, 1}
        assert abs(starts.mean() - 0.5) < 0.04


def test_no_third_player_is_let_in():
    with pytest.raises(ValueError, match="players=3"):
        make("workbench/TicTacToe-v0", players=3)
