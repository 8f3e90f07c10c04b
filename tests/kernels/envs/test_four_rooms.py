"""FourRooms-v0: the published picture, steps against a naive walk, slips as often as published, a return of 1."""

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import make
from workbench_kernels.envs.four_rooms import CELLS, PLAYED, place, wall

COMPILED = [name for name in TARGETS if name != "python"]
PUBLISHED = [
    "#############",
    "#     #     #",
    "#     #     #",
    "#           #",
    "#     #     #",
    "#     #     #",
    "## ####     #",
    "#     ### ###",
    "#     #     #",
    "#     #     #",
    "#           #",
    "#     #     #",
    "#############",
]
FLOOR = [(r, c) for r in range(13) for c in range(13) if PUBLISHED[r][c] == " "]
LEVEL_2024 = [1.0, 2.0, 10.0, 11.0, 2024.0]
WAYS = ((-1, 0), (0, 1), (1, 0), (0, -1))


def entered(cell, way):
    there = (cell[0] + WAYS[way][0], cell[1] + WAYS[way][1])
    return there if PUBLISHED[there[0]][there[1]] == " " else cell


def test_the_layout_is_the_published_one():
    assert ["".join("#" if wall(r, c) else " " for c in range(13)) for r in range(13)] == PUBLISHED
    assert len(FLOOR) == CELLS
    assert sorted(place(k) for k in range(CELLS)) == FLOOR


@pytest.mark.parametrize(("planes", "steps"), [(False, 150), (True, 25)])
def test_a_hundred_thousand_steps_equal_a_naive_walk(planes, steps):
    rooms, many = make("workbench/FourRooms-v0", planes=planes), 700
    lanes = Lanes(rooms, many, seed=1)
    # Some lanes never slip, some always do, as the settings say.
    slip = np.resize(np.array([0, 1, 1 / 3], np.float32), many)
    lanes.state[rooms.rows.index("slip")] = slip
    draw = np.random.default_rng(2)
    lanes.elapsed[...] = draw.integers(0, 500, many)
    found = out_of_time = 0
    # Of the cell above, or this one where a wall is: several directions may lead there.
    expected, variance, seen = 0.0, 0.0, 0
    for _ in range(steps):
        before, age, action = lanes.state.copy(), lanes.elapsed.copy(), draw.integers(0, 4, many)
        lanes.step(action)
        for i in range(many):
            cell, goal = tuple(map(int, before[:2, i])), tuple(map(int, before[2:4, i]))
            ended = lanes.terminated[i] or lanes.truncated[i]
            shown = (lanes.final_observation if ended else lanes.observation)[:, i]
            if planes:
                walls, at_goal, at_agent = shown.reshape(3, 13, 13)
                assert ["".join("#" if x else " " for x in row) for row in walls] == PUBLISHED
                assert np.argwhere(at_goal).tolist() == [list(goal)]
                (there,) = map(tuple, np.argwhere(at_agent).tolist())
            else:
                there = tuple(np.rint(shown[:2] * 12).astype(int).tolist())
                assert np.abs(shown - np.array([*there, *goal]) / 12).max() < 1e-7
            meant = entered(cell, action[i])
            others = [entered(cell, way) for way in range(4) if way != action[i]]
            if slip[i] == 0:
                assert there == meant
            elif slip[i] == 1:
                assert there in others
            else:
                assert there in (meant, *others)
                above = entered(cell, 0)
                chance = 2 / 3 * (meant == above) + others.count(above) / 9
                expected += chance
                variance += chance * (1 - chance)
                seen += there == above
            terminated, truncated = there == goal, age[i] + 1 >= 500
            assert (lanes.terminated[i], lanes.truncated[i]) == (terminated, truncated)
            assert lanes.reward[i] == float(terminated)
            if not ended:
                assert lanes.state[:2, i].tolist() == list(there)
                assert (lanes.state[2:, i] == before[2:, i]).all()
            found += terminated
            out_of_time += truncated
    assert abs(seen - expected) < 4 * variance**0.5
    assert found > 20
    assert out_of_time > 20


def test_an_action_fails_one_time_in_three_in_each_other_direction_alike():
    lanes = Lanes(make("workbench/FourRooms-v0"), 90_000, seed=3)
    lanes.state[:2] = 3  # the middle of a room
    lanes.state[2:4] = 11
    lanes.step(np.ones(90_000, np.int32))
    moved = (lanes.state[0] - 3) * 10 + lanes.state[1] - 3
    count = [int((moved == 10 * down + right).sum()) for down, right in WAYS]
    assert sum(count) == 90_000
    np.testing.assert_allclose(count, [10_000, 60_000, 10_000, 10_000], atol=500)


def test_levels_are_pairs_of_different_cells_equally_likely_and_the_same_everywhere():
    rooms = make("workbench/FourRooms-v0")
    level = rooms.rows.index("level")
    first = Lanes(rooms, 60_000, limit=1)
    first.state[level] = np.arange(60_000)
    first.step(np.zeros(60_000, np.int32))
    np.testing.assert_array_equal(first.state[PLAYED], np.arange(60_000))
    start, goal = (first.state[k] * 13 + first.state[k + 1] for k in (0, 2))
    assert (start != goal).all()
    for cell in (start, goal):
        values, count = np.unique(cell, return_counts=True)
        assert [divmod(int(value), 13) for value in values] == FLOOR
        assert np.abs(count - 60_000 / 104).max() < 110
    assert len(np.unique(start * 169 + goal)) > 104 * 103 * 0.98
    for target in TARGETS:
        lanes = Lanes(rooms, 40, target=target, seed=8, limit=1)
        lanes.state[level] = np.arange(40)[::-1]
        lanes.step(np.zeros(40, np.int32))
        np.testing.assert_array_equal(lanes.state[:5, ::-1], first.state[:5, :40])
    assert {Lanes(make("workbench/FourRooms-v0", level=77), 3).state[:5, k].tobytes() for k in range(3)} == {
        np.ascontiguousarray(first.state[:5, 77]).tobytes()
    }


def test_a_level_stays_what_it_was():
    lanes = Lanes(make("workbench/FourRooms-v0", level=2024), 1)
    assert lanes.state[: PLAYED + 1, 0].tolist() == LEVEL_2024


def test_each_reset_draws_one_of_the_levels():
    lanes = Lanes(make("workbench/FourRooms-v0", levels=4), 100, limit=1, seed=2)
    seen = []
    for _ in range(20):
        lanes.step(np.zeros(100, np.int32))
        seen.append(lanes.state[PLAYED].copy())
    count = np.bincount(np.array(seen, int).ravel(), minlength=4)
    assert len(count) == 4
    assert np.abs(count - 500).max() < 90


@pytest.mark.parametrize("slip", [0.0, 1 / 3, 0.5])
def test_the_optimal_return_is_one(slip):
    """By dynamic programming over the steps that are left, from every cell to every goal at once."""
    rooms = make("workbench/FourRooms-v0", slip=slip)
    index = {cell: k for k, cell in enumerate(FLOOR)}
    successor = np.array([[index[entered(cell, way)] for way in range(4)] for cell in FLOOR])
    value = np.zeros((CELLS, CELLS))  # [goal, cell]
    for _ in range(rooms.time_limit):
        np.fill_diagonal(value, 1.0)  # entering the goal pays 1 and ends the episode
        after = value[:, successor]
        value = ((1 - 4 / 3 * slip) * after + slip / 3 * after.sum(axis=2, keepdims=True)).max(axis=2)
    assert value.min() > 1 - 1e-9
    assert np.float32(value.min()) == rooms.optimal_return


@pytest.mark.parametrize("target", COMPILED)
def test_every_target_gives_the_oracles_bits(target):
    rooms = make("workbench/FourRooms-v0", planes=True)
    oracle, ours = (Lanes(rooms, 33, target=name, seed=9, limit=40) for name in ("python", target))
    draw = np.random.default_rng(1)
    for _ in range(100):
        action = draw.integers(0, 4, 33)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "final_observation", "observation", "reward", "terminated", "truncated", "random"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slip": 1.5}, "no probability; pass 0 to 1"),
        ({"levels": 2**24 + 1}, "pass 1 to 16777216"),
        ({"level": -2}, "or -1 to draw"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make("workbench/FourRooms-v0", **options)


def test_the_optimal_return_is_not_stated_where_it_was_not_computed():
    assert make("workbench/FourRooms-v0", slip=0.75).optimal_return is None
