"""Snake against a board of deques and sets, step for step and draw for draw."""

from collections import deque
from itertools import pairwise

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels import rng
from workbench_kernels.envs import make

MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))


CROWD = {"snakes": 4, "size": 7, "remains": True, "view": 5, "food": 2}


class Naive:
    """One lane: each snake is a deque of cells, tail first; food is a set."""

    def __init__(self, lane, seed, *, snakes=1, size=16, food=4, view=11, remains=False):
        self.count, self.size, self.amount, self.view, self.remains = snakes, size, food, view, remains
        self.random = np.zeros((rng.ROWS, lane + 1), np.uint32)
        rng.seed_lanes(self.random, seed)
        self.lane = lane
        self.reset()

    def reset(self):
        self.food, self.snakes, self.headings = set(), [deque() for _ in range(self.count)], [0] * self.count
        for a in range(self.count):
            self.place(a)
        self.feed()

    def pick(self, taken):
        free = [(x, y) for y in range(self.size) for x in range(self.size) if (x, y) not in taken]
        if not free:
            return None
        bits = int(rng.draw(self.lane, self.random))
        return free[(bits & 0xFFFFFFFF) * len(free) >> 32]

    def place(self, a):
        cell = self.pick({cell for snake in self.snakes for cell in snake})
        self.snakes[a].append(cell)
        self.headings[a] = 0
        self.food.discard(cell)

    def feed(self):
        for _ in range(self.amount - len(self.food)):
            cell = self.pick(self.food.union(*self.snakes))
            if cell:
                self.food.add(cell)

    def on_board(self, cell):
        return all(0 <= c < self.size for c in cell)

    def move(self, actions):
        """Return the heads' new cells and which snakes eat; turn the headings."""
        heads = []
        for a, snake in enumerate(self.snakes):
            x, y = snake[-1]
            reached = (x + MOVES[actions[a]][0], y + MOVES[actions[a]][1])
            if len(snake) > 1 and reached == snake[-2]:
                actions[a] = self.headings[a]
                reached = (x + MOVES[actions[a]][0], y + MOVES[actions[a]][1])
            self.headings[a] = actions[a]
            heads.append(reached)
        return heads, [head in self.food for head in heads]

    def step(self, actions):
        before = list(self.headings)
        heads, eat = self.move(list(actions))
        kept = [list(snake)[0 if eats else 1 :] for snake, eats in zip(self.snakes, eat, strict=True)]
        bodies = [cell for body in kept for cell in body]
        dead = [not self.on_board(head) or head in bodies or heads.count(head) > 1 for head in heads]
        if self.count == 1 and dead[0]:
            self.headings = before
            return [-1.0], dead
        for a in range(self.count):
            if dead[a]:
                self.snakes[a].clear()
                self.food.update(kept[a] if self.remains else [])
            else:
                self.snakes[a] = deque([*kept[a], heads[a]])
                self.food.discard(heads[a])
        for a in range(self.count):
            if dead[a]:
                self.place(a)
        self.feed()
        return [-1.0 if d else float(e) for d, e in zip(dead, eat, strict=True)], dead

    def observation(self):
        """Return the windows, cut from boards with a margin."""
        r, seen = self.view // 2, []
        for own in self.snakes:
            others = [cell for snake in self.snakes if snake is not own for cell in snake]
            channels = [own, others, self.food] if self.count > 1 else [own, self.food]
            boards = np.zeros((len(channels) + 1, self.size + 2 * r, self.size + 2 * r), np.uint8)
            for board, cells in zip(boards, channels, strict=False):
                for x, y in cells:
                    board[y + r, x + r] = 1
            boards[-1] = 1
            boards[-1, r : r + self.size, r : r + self.size] = 0
            x, y = own[-1]
            seen.append(boards[:, y : y + self.view, x : x + self.view])
        return np.stack(seen)


class Player:
    """Moves at random, but seldom into a wall or a body, so that snakes grow long."""

    def __init__(self, seed, careless):
        self.draw, self.careless = np.random.default_rng(seed), careless

    def __call__(self, game):
        actions = []
        occupied = {cell for snake in game.snakes for cell in snake}
        for snake in game.snakes:
            x, y = snake[-1]
            order = self.draw.permutation(4)
            if self.draw.random() > self.careless:
                reached = [(x + MOVES[d][0], y + MOVES[d][1]) for d in order]
                score = [game.on_board(c) and c not in occupied for c in reached]
                near = [min((abs(c[0] - f[0]) + abs(c[1] - f[1]) for f in game.food), default=0) for c in reached]
                best = min(range(4), key=lambda k: (not score[k], near[k]))
                actions.append(int(order[best]))
            else:
                actions.append(int(order[0]))
        return actions


@pytest.mark.parametrize(
    ("options", "lanes", "steps"),
    [
        ({"size": 6, "food": 3}, 60, 900),
        (CROWD, 25, 550),
    ],
)
def test_a_hundred_thousand_steps_equal_a_naive_snakes(options, lanes, steps):
    environment = make("workbench/Snake-v0", **options)
    ours = Lanes(environment, lanes, seed=3)
    games = [Naive(i, 3, **options) for i in range(lanes)]
    player = Player(4, careless=0.05)
    agents = environment.agents
    reward, terminated = ours.reward.reshape(agents, lanes), ours.terminated.reshape(agents, lanes)
    deaths, longest = 0, 0
    for t in range(steps):
        actions = np.array([player(game) for game in games]).T
        ours.step(actions.reshape(ours.action.shape))
        for i, game in enumerate(games):
            gained, dead = game.step(actions[:, i])
            assert reward[:, i].tolist() == gained
            assert terminated[:, i].tolist() == dead
            deaths += sum(dead)
            longest = max(longest, *(len(snake) for snake in game.snakes))
            if all(dead):
                game.reset()
            if t % 10 == 0 or any(dead) or any(gained):
                assert ours.observation[..., i].tobytes() == game.observation().tobytes()
    np.testing.assert_array_equal(ours.random[rng.COUNT], [game.random[rng.COUNT, i] for i, game in enumerate(games)])
    assert deaths > 100
    assert longest > 14


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target):
    environment = make("workbench/Snake-v0", **CROWD)
    oracle = Lanes(environment, 9, target="python", seed=5)
    ours = Lanes(environment, 9, target=target, seed=5)
    draw = np.random.default_rng(1)
    for _ in range(80):
        action = draw.integers(0, 4, oracle.action.shape)
        oracle.step(action)
        ours.step(action)
        for name in ("state", "random", "reward", "terminated", "observation", "final_observation"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


def board(environment, cells_of, food=(), headings=None):
    """Return one lane whose snakes lie on the given cells, tail first."""
    lanes = Lanes(environment, 1, target="python")
    rows = {name: k for k, name in enumerate(environment.state)}
    state = lanes.state[:, 0]
    state[: rows["x_0"]] = 0
    for x, y in food:
        state[rows[f"food_{y}"]] |= 1 << x
    state[rows["food_count"]] = len(food)
    for a, cells in enumerate(cells_of):
        for y in range(environment.options["size"]):
            state[rows[f"body_{y}_{a}"]] = sum(1 << x for x, row in cells if row == y)
        for (x, y), (next_x, next_y) in pairwise(cells):
            way = MOVES.index((next_x - x, next_y - y))
            state[rows[f"way_low_{y}"]] |= (way & 1) << x
            state[rows[f"way_high_{y}"]] |= (way >> 1) << x
            state[rows[f"heading_{a}"]] = way
        state[rows[f"tail_x_{a}"]], state[rows[f"tail_y_{a}"]] = cells[0]
        state[rows[f"x_{a}"]], state[rows[f"y_{a}"]] = cells[-1]
        state[rows[f"length_{a}"]] = len(cells)
    return lanes


UP, RIGHT, DOWN, LEFT = range(4)


def test_heads_that_meet_die_and_the_food_between_them_stays():
    two = make("workbench/Snake-v0", snakes=2, size=8, food=1)
    lanes = board(two, [[(1, 3), (2, 3)], [(5, 3), (4, 3)]], food=[(3, 3)])
    lanes.step(np.array([[RIGHT], [LEFT]]), autoreset=False)
    assert lanes.reward[:, 0].tolist() == [-1, -1]
    assert lanes.terminated.all()


def test_a_snake_that_bites_anothers_body_dies_alone():
    two = make("workbench/Snake-v0", snakes=2, size=8, food=1)
    lanes = board(two, [[(3, 5), (3, 4)], [(2, 3), (3, 3), (4, 3)]], food=[(0, 0)])
    lanes.step(np.array([[UP], [RIGHT]]))
    assert lanes.reward[:, 0].tolist() == [-1, 0]
    assert lanes.terminated[:, 0].tolist() == [True, False]
    assert lanes.state[two.state.index("length_0"), 0] == 1
    assert lanes.state[two.state.index("food_count"), 0] == 1


def test_what_remains_of_a_snake_is_food():
    two = make("workbench/Snake-v0", snakes=2, size=8, food=1, remains=True)
    lanes = board(two, [[(3, 7), (3, 6), (3, 5), (3, 4)], [(2, 3), (3, 3), (4, 3)]], food=[(0, 0)])
    lanes.step(np.array([[UP], [RIGHT]]))
    food = {(x, y) for y in range(8) for x in range(8) if lanes.state[y, 0] >> x & 1}
    born = tuple(int(lanes.state[two.state.index(name), 0]) for name in ("x_0", "y_0"))
    assert food == {(0, 0), (3, 6), (3, 5), (3, 4)} - {born}


def test_heads_that_change_places_bite_each_others_necks():
    two = make("workbench/Snake-v0", snakes=2, size=8, food=1)
    lanes = board(two, [[(2, 3), (3, 3)], [(5, 3), (4, 3)]], food=[(0, 0)])
    lanes.step(np.array([[RIGHT], [LEFT]]), autoreset=False)
    assert lanes.terminated.all()


def test_a_cell_that_a_tail_leaves_may_be_entered_unless_its_snake_grows():
    one = make("workbench/Snake-v0", size=8, food=1)
    circle = [(3, 3), (4, 3), (4, 4), (3, 4)]
    lanes = board(one, [circle], food=[(0, 0)])
    lanes.step([UP])
    assert not lanes.terminated[0]
    two = make("workbench/Snake-v0", snakes=2, size=8, food=1)
    for food, dies in (([(0, 0)], False), ([(5, 3)], True)):
        lanes = board(two, [[(2, 4)], [(2, 3), (3, 3), (4, 3)]], food=food)
        lanes.step(np.array([[UP], [RIGHT]]))
        assert lanes.terminated[:, 0].tolist() == [dies, False]


def test_a_neck_keeps_a_snake_from_turning_back_and_one_cell_has_no_neck():
    one = make("workbench/Snake-v0", size=8, food=1)
    x = one.state.index("x_0")
    lanes = board(one, [[(2, 3), (3, 3)]], food=[(0, 0)])
    lanes.step([LEFT])
    assert lanes.state[x, 0] == 4
    lanes = board(one, [[(3, 3)]], food=[(0, 0)])
    lanes.step([RIGHT])
    lanes.step([LEFT])
    assert lanes.state[x, 0] == 3


def test_food_goes_only_where_there_is_room():
    one = make("workbench/Snake-v0", size=5, food=1, view=5)
    path = [(x if y % 2 == 0 else 4 - x, y) for y in range(5) for x in range(5)][:-1]
    lanes = board(one, [path], food=[(4, 4)])
    lanes.step([RIGHT])
    assert lanes.reward[0] == 1
    assert lanes.state[one.state.index("food_count"), 0] == 0
    assert lanes.state[one.state.index("length_0"), 0] == 25
    lanes.step([RIGHT])
    assert lanes.terminated[0]


@pytest.mark.parametrize(
    "options", [{"snakes": 0}, {"snakes": 17}, {"size": 4}, {"size": 32}, {"food": 0}, {"view": 4}, {"view": 33}]
)
def test_options_out_of_range_are_named(options):
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=f"{name}={value}"):
        make("workbench/Snake-v0", **options)
