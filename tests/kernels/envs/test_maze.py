"""Maze-v0: its levels by breadth-first search, its steps against a naive walk, the same on every target."""

from collections import deque

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import make
from workbench_kernels.envs.maze import GOAL_COLUMN, GOAL_ROW, GRID, PLAYED

COMPILED = [name for name in TARGETS if name != "python"]
LEVEL_2024 = [
    "#############",
    "#.#.....#...#",
    "#.#.###.###.#",
    "#...#.#...#.#",
    "#####.###.#.#",
    "#.#.....#.#.#",
    "#.#.#.#.#.#.#",
    "#...#.#.#...#",
    "#.###.#.###.#",
    "#.#.#.#...#.#",
    "#.#.#.#####.#",
    "#...#.......#",
    "#############",
]
START_2024 = [5, 1, 7, 7]
WAYS = ((-1, 0), (0, 1), (1, 0), (0, -1))


def levels(numbers, *, size=13, target="cpu", seed=0):
    """Return lanes that stand at the start of the levels `numbers`, one each."""
    maze = make("workbench/Maze-v0", size=size)
    lanes = Lanes(maze, len(numbers), target=target, seed=seed, limit=1)
    lanes.state[maze.rows.index("level")] = numbers
    lanes.step(np.zeros(len(numbers), np.int32))
    lanes.limit = maze.time_limit
    return lanes


def grids(lanes, size):
    return lanes.state[GRID : GRID + size * size].T.reshape(-1, size, size)


def distances(grid, start):
    """Return by breadth-first search the steps from `start` to every cell, -1 where no path leads."""
    steps = np.full(grid.shape, -1)
    steps[start] = 0
    queue = deque([start])
    while queue:
        r, c = queue.popleft()
        for down, right in WAYS:
            there = (r + down, c + right)
            if grid[there] == 0 and steps[there] < 0:
                steps[there] = steps[r, c] + 1
                queue.append(there)
    return steps


@pytest.mark.parametrize(("size", "many"), [(13, 1000), (31, 60)])
def test_every_maze_is_perfect_and_solvable_within_its_time_limit(size, many):
    lanes = levels(np.arange(many), size=size)
    rooms = (size // 2) ** 2
    seen = set()
    for i, grid in enumerate(grids(lanes, size)):
        assert np.isin(grid, (0, 1)).all()
        assert grid[[0, -1]].all()
        assert grid[:, [0, -1]].all()
        assert (grid[1::2, 1::2] == 0).all()
        assert grid[2:-1:2, 2:-1:2].all()
        row, column, goal_row, goal_column = map(int, lanes.state[:4, i])
        steps = distances(grid, (row, column))
        # Connected, and as many openings as a tree has edges: one path between any two rooms.
        assert ((steps >= 0) == (grid == 0)).all()
        assert (grid == 0).sum() == 2 * rooms - 1
        assert 0 < steps[goal_row, goal_column] <= size * size
        seen.add(grid.tobytes())
    assert len(seen) == many


def test_mazes_are_spread_over_all_that_a_depth_first_walk_can_make():
    """On four rooms it makes exactly two trees from the corner, the two ways around, equally often."""
    lanes = levels(np.arange(4000), size=5)
    _, count = np.unique(grids(lanes, 5).reshape(-1, 25), axis=0, return_counts=True)
    assert len(count) == 2
    assert abs(count[0] - 2000) < 150
    pair = lanes.state[0] * 64 + lanes.state[1] * 16 + lanes.state[GOAL_ROW] * 4 + lanes.state[GOAL_COLUMN]
    _, count = np.unique(pair, return_counts=True)
    assert len(count) == 12
    assert np.abs(count - 4000 / 12).max() < 90


def test_a_level_is_the_same_on_every_target_in_every_lane_and_for_every_seed():
    numbers = np.array([7, 0, 2**24 - 1, 7, 123_456])
    first = levels(numbers)
    np.testing.assert_array_equal(first.state[:, 0], first.state[:, 3])
    np.testing.assert_array_equal(first.state[PLAYED], numbers)
    for target in TARGETS:
        np.testing.assert_array_equal(levels(numbers, target=target, seed=5).state, first.state)
    np.testing.assert_array_equal(levels(numbers[::-1]).state[:, ::-1], first.state)
    assert (first.state[GRID:-2, 0] != first.state[GRID:-2, 1]).any()


def test_a_level_stays_what_it_was():
    lanes = levels([2024])
    drawn = ["".join(".#"[cell] for cell in row) for row in grids(lanes, 13)[0]]
    assert drawn == LEVEL_2024
    assert lanes.state[:4, 0].tolist() == START_2024


def test_each_reset_draws_one_of_the_levels_unless_the_lane_has_its_own():
    maze = make("workbench/Maze-v0", levels=5)
    lanes = Lanes(maze, 200, limit=1, seed=3)
    lanes.state[maze.rows.index("level"), :50] = 3
    seen = np.zeros((20, 200), np.int64)
    for played in seen:
        lanes.step(np.zeros(200, np.int32))
        played[...] = lanes.state[PLAYED]
    assert (seen[:, :50] == 3).all()
    count = np.bincount(seen[:, 50:].ravel(), minlength=5)
    assert len(count) == 5
    assert np.abs(count - 600).max() < 100
    assert (Lanes(make("workbench/Maze-v0", level=9), 3).state[PLAYED] == 9).all()


def naive_observation(grid, agent, goal, view):
    if view == 0:
        planes = np.zeros((3, *grid.shape), np.uint8)
        planes[0] = grid
        planes[1][goal] = planes[2][agent] = 1
        return planes
    half = view // 2
    wide = np.pad(grid, half, constant_values=1)
    marked = np.zeros_like(wide)
    marked[goal[0] + half, goal[1] + half] = 1
    window = np.s_[agent[0] : agent[0] + view, agent[1] : agent[1] + view]
    return np.stack([wide[window], marked[window]]).astype(np.uint8)


@pytest.mark.parametrize(("size", "view", "steps"), [(13, 0, 150), (13, 5, 150)])
def test_a_hundred_thousand_steps_equal_a_naive_walk(size, view, steps):
    maze, many = make("workbench/Maze-v0", size=size, view=view), 400
    lanes = Lanes(maze, many, seed=1)
    lanes.elapsed[...] = np.random.default_rng(0).integers(0, maze.time_limit, many)
    draw = np.random.default_rng(2)
    found = out_of_time = 0
    for _ in range(steps):
        before, age, action = lanes.state.copy(), lanes.elapsed.copy(), draw.integers(0, 4, many)
        lanes.step(action)
        for i in range(many):
            row, column, goal_row, goal_column = map(int, before[:4, i])
            grid = before[GRID : GRID + size * size, i].reshape(size, size)
            down, right = WAYS[action[i]]
            if grid[row + down, column + right] == 0:
                row, column = row + down, column + right
            terminated, truncated = (row, column) == (goal_row, goal_column), age[i] + 1 >= size * size
            assert lanes.terminated[i] == terminated
            assert lanes.truncated[i] == truncated
            assert lanes.reward[i] == float(terminated)
            shown = (lanes.final_observation if terminated or truncated else lanes.observation)[:, i]
            expected = naive_observation(grid, (row, column), (goal_row, goal_column), view)
            assert shown.tobytes() == expected.tobytes()
            if not (terminated or truncated):
                assert lanes.state[:2, i].tolist() == [row, column]
                assert (lanes.state[2:, i] == before[2:, i]).all()
            found += terminated
            out_of_time += truncated
    assert found > 50
    assert out_of_time > 50


def test_following_the_wall_in_a_narrow_view_reaches_every_goal_in_time():
    """The optimal return is 1 even for who sees no more than the walls beside it."""
    maze, many = make("workbench/Maze-v0", view=5), 1000
    lanes = Lanes(maze, many, seed=4)
    heading, returned, over = np.zeros(many, int), np.zeros(many), np.zeros(many, bool)
    beside = np.array([7, 13, 17, 11])  # the cell that each action enters, in the window
    for _ in range(maze.time_limit):
        action, chosen = heading.copy(), np.zeros(many, bool)
        for turn in (1, 0, 3, 2):  # to the right, ahead, to the left, back
            way = (heading + turn) % 4
            free = lanes.observation[beside[way], np.arange(many)] == 0
            action = np.where(free & ~chosen, way, action)
            chosen |= free
        lanes.step(action)
        returned += np.where(over, 0, lanes.reward)
        over |= lanes.terminated | lanes.truncated
        heading = action
    assert over.all()
    assert returned.min() == maze.optimal_return


@pytest.mark.parametrize("target", COMPILED)
def test_every_target_gives_the_oracles_bits(target):
    maze = make("workbench/Maze-v0", view=5)
    oracle, ours = (Lanes(maze, 33, target=name, seed=9, limit=50) for name in ("python", target))
    draw = np.random.default_rng(1)
    for _ in range(120):
        action = draw.integers(0, 4, 33)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "final_observation", "observation", "reward", "terminated", "truncated", "random"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "odd number from 5 to 31"),
        ({"size": 3}, "odd number from 5 to 31"),
        ({"view": 4}, "pass 0, or an odd"),
        ({"view": 1}, "pass 0, or an odd"),
        ({"levels": 0}, "pass 1 to 16777216"),
        ({"level": -2}, "or -1 to draw"),
        ({"level": 2**24}, "pass 0 to 16777215"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make("workbench/Maze-v0", **options)
