"""ConstrainedGrid-v0: steps against a naive walk; its optima by the linear program over occupancy measures."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import make
from workbench_kernels.envs.constrained_grid import CONSTRAINED_OPTIMUM, COST_LIMIT

GRID = make("workbench/ConstrainedGrid-v0")
COMPILED = [name for name in TARGETS if name != "python"]
PICTURE = ["S.!.G", "..!..", "..!..", "..!..", "....."]
WAYS = ((-1, 0), (0, 1), (1, 0), (0, -1))


def entered(row, column, way):
    """Return the cell, the reward, the cost and whether the episode ends."""
    row = min(max(row + WAYS[way][0], 0), 4)
    column = min(max(column + WAYS[way][1], 0), 4)
    there = PICTURE[row][column]
    return (row, column), -0.05 + (there == "G"), float(there == "!"), there == "G"


def optimum(limit, steps=GRID.time_limit):
    """Return (return, cost, occupancy [steps, 25, 4]) of the best policy whose expected cost is at most `limit`.

    The occupancy x[t, s, a] is the probability to take action a in cell s at step t (Altman 1999): what leaves a cell
    at step t is what entered it before. Time is a part of the state, so the limit of the episode is exact.
    """
    cells = 25
    reward, cost = np.zeros((steps, cells, 4)), np.zeros((steps, cells, 4))
    entries, balance = [], np.zeros(steps * cells)
    balance[0] = 1.0
    for t in range(steps):
        for s in range(cells):
            for a in range(4):
                column = (t * cells + s) * 4 + a
                entries.append((t * cells + s, column, 1.0))
                there, reward[t, s, a], cost[t, s, a], over = entered(s // 5, s % 5, a)
                if not over and t + 1 < steps:
                    entries.append(((t + 1) * cells + there[0] * 5 + there[1], column, -1.0))
    rows, columns, values = zip(*entries, strict=True)
    flow = scipy.sparse.csr_matrix((values, (rows, columns)), (steps * cells, reward.size))
    solved = scipy.optimize.linprog(
        -reward.ravel(), A_ub=cost.reshape(1, -1), b_ub=[limit], A_eq=flow, b_eq=balance, method="highs"
    )
    assert solved.status == 0
    return -solved.fun, float(cost.ravel() @ solved.x), solved.x.reshape(steps, cells, 4)


def test_the_unconstrained_optimum_is_the_one_stated():
    value, cost, _ = optimum(limit=100.0)
    assert value == pytest.approx(GRID.optimal_return, abs=1e-9)
    assert cost == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("limit", [0.0, COST_LIMIT, 0.6, 1.0])
def test_the_constrained_optimum_is_the_one_stated(limit):
    value, cost, _ = optimum(limit)
    assert value == pytest.approx(0.4 + 0.4 * limit, abs=1e-9)
    assert cost == pytest.approx(limit, abs=1e-9)
    if limit == COST_LIMIT:
        assert value == pytest.approx(CONSTRAINED_OPTIMUM, abs=1e-9)


def test_the_constrained_optimum_needs_chance():
    """Without chance a policy follows one path: the best within the limit is the one around."""
    _, _, occupancy = optimum(COST_LIMIT)
    visited = occupancy[occupancy.sum(axis=2) > 1e-9]
    assert (np.sort(visited, axis=1)[:, -2] > 1e-9).any()
    best = {0.0: -np.inf, 1.0: -np.inf}
    # Breadth-first over (cell, cost so far): the shortest path to the goal at each cost.
    reached, frontier = {((0, 0), 0.0)}, [((0, 0), 0.0)]
    for length in range(1, GRID.time_limit + 1):
        following = []
        for (row, column), paid in frontier:
            for way in range(4):
                there, _, cost, over = entered(row, column, way)
                if over and paid + cost in best:
                    best[paid + cost] = max(best[paid + cost], 1 - 0.05 * length)
                elif not over and paid + cost <= 1 and (there, paid + cost) not in reached:
                    reached.add((there, paid + cost))
                    following.append((there, paid + cost))
        frontier = following
    assert best == {0.0: pytest.approx(0.4), 1.0: pytest.approx(0.8)}
    assert best[0.0] + 0.05 < CONSTRAINED_OPTIMUM


@pytest.mark.parametrize("chance", [0.0, COST_LIMIT, 1.0])
def test_the_stated_policy_earns_its_return_and_its_cost_in_the_environment(chance):
    many = 20_000
    lanes = Lanes(GRID, many)
    ahead = np.random.default_rng(0).random(many) < chance
    returned, paid, over = np.zeros(many), np.zeros(many), np.zeros(many, bool)
    for t in range(12):
        around = (2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0)[t]
        lanes.step(np.where(ahead, 1, around))
        returned += np.where(over, 0, lanes.reward)
        paid += np.where(over, 0, lanes.cost)
        over |= lanes.terminated
    assert over.all()
    assert returned.mean() == pytest.approx(0.4 + 0.4 * chance, abs=0.01)
    assert paid.mean() == pytest.approx(chance, abs=0.02)
    if chance in (0.0, 1.0):
        np.testing.assert_allclose(returned, 0.4 + 0.4 * chance, atol=1e-6)
        np.testing.assert_array_equal(paid, chance)


def test_a_hundred_thousand_steps_equal_a_naive_walk():
    many = 1000
    lanes = Lanes(GRID, many, seed=1)
    draw = np.random.default_rng(2)
    found = out_of_time = 0
    lanes.elapsed[...] = draw.integers(0, 50, many)
    cell, age = [(0, 0)] * many, lanes.elapsed.copy()
    for _ in range(100):
        action = draw.integers(0, 4, many)
        lanes.step(action)
        for i in range(many):
            cell[i], reward, cost, over = entered(*cell[i], action[i])
            age[i] += 1
            late = age[i] >= 50
            assert lanes.reward[i] == np.float32(reward)
            assert (lanes.cost[i], lanes.terminated[i], lanes.truncated[i]) == (cost, over, late)
            shown = (lanes.final_observation if over or late else lanes.observation)[:, i]
            assert shown.tolist() == [float(k == 5 * cell[i][0] + cell[i][1]) for k in range(25)]
            found += over
            out_of_time += late
            if over or late:
                cell[i], age[i] = (0, 0), 0
                assert lanes.observation[0, i] == 1
    assert found > 100
    assert out_of_time > 500


@pytest.mark.parametrize("target", COMPILED)
def test_every_target_gives_the_oracles_bits(target):
    oracle, ours = (Lanes(GRID, 33, target=name, seed=9) for name in ("python", target))
    draw = np.random.default_rng(1)
    for _ in range(150):
        action = draw.integers(0, 4, 33)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "final_observation", "observation", "reward", "cost", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)
