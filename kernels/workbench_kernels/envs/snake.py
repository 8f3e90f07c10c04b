"""workbench/Snake-v0: one snake, or several on one board, that grow by what they eat and die of what they bite.

State: boards as bits, bit x of row y: food; the way out of each body cell (two boards); the body of each snake. Of each
snake also its head, its tail, its heading and its length.
Observation [C, V, V] uint8, V = `view`: the window around the snake's head, in the board's directions. One snake: body,
food, wall; several: own body, other bodies, food, wall.
Actions: up, right, down, left; the one that turns straight back into the neck goes straight on instead.
Reward: 1 a food, -1 for death.
Rules: all snakes move at once. A snake that eats grows by keeping its tail; the tails of the others are gone before
heads arrive. It dies outside the board, on a body (its own too), or where another head arrives; food that it dies on
stays. Food is replaced on free cells, uniformly.
End: one snake alone ends the episode by its death, and the board stays as it was. Of several, a dead one is
`terminated`, its body vanishes or becomes food (`remains`), and it starts again in the same step with one cell where
no body is; the lane is over if all die at once.
"""

import numpy as np

from workbench_kernels.bits import bit, has, nth, ones
from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Picture, Rectangle, Text
from workbench_kernels.rng import integer
from workbench_kernels.spaces import Box, Discrete

SNAKE = ("x", "y", "tail_x", "tail_y", "heading", "length", "fate")
X, Y, TAIL_X, TAIL_Y, HEADING, LENGTH, FATE = range(len(SNAKE))
DEAD, ATE = 1, 2
MAX_SIZE = 31
MAX_SNAKES = 16
TIME_LIMIT = 5000
NOTHING = np.int64(0)
COLOURS = ("#2f9e44", "#1971c2", "#e8590c", "#9c36b5")


def turned(action, heading, length):
    """Return where a snake goes: 0 up, 1 right, 2 down, 3 left; a neck keeps it from turning back."""
    if (length > 1) & (action == heading ^ 2):
        return heading
    return action


def step_x(direction):
    """Return the columns of a move: 0, 1, 0, -1."""
    return (direction & 1) * (2 - direction)


def step_y(direction):
    """Return the rows of a move: -1, 0, 1, 0."""
    return (1 - (direction & 1)) * (direction - 1)


def environment(
    *, snakes: int = 1, size: int = 16, food: int = 4, view: int = 11, remains: bool = False
) -> Environment:
    """Build Snake-v0.

    Args:
        snakes: How many share a board; each is an agent.
        size: Columns and rows of the board.
        food: How much lies on the board, where there is room.
        view: Columns and rows of the window that a snake sees, odd.
        remains: Whether the body of a dead snake becomes food; it vanishes otherwise. For several snakes.

    Raises:
        ValueError: If an option is out of range.
    """
    if not 1 <= snakes <= MAX_SNAKES:
        raise ValueError(f"snakes={snakes} do not fit on a board; pass 1 to {MAX_SNAKES}.")
    if not 5 <= size <= MAX_SIZE:
        raise ValueError(f"size={size} is no side of a board; pass 5 to {MAX_SIZE}.")
    if not 1 <= food <= size * size // 2:
        raise ValueError(f"food={food} does not fit on a board of size {size}; pass 1 to {size * size // 2}.")
    if not (3 <= view <= 2 * size - 1 and view % 2 == 1):
        raise ValueError(
            f"view={view} is no window on a board of size {size}; pass an odd number, 3 to {2 * size - 1}."
        )
    radius = view // 2
    area = view * view
    chunk = min(64, area)
    across = np.int64((1 << view) - 1)
    way_low, way_high, food_count, first = size, 2 * size, 3 * size, 3 * size + 1
    stride = len(SNAKE) + size
    body = len(SNAKE)
    full = np.int64((1 << size) - 1)
    beyond = np.int64(~(((1 << size) - 1) << radius))
    everything = np.int64(-1)

    def pick(i, state, random, on_food):
        """Return a cell without a body, and without food unless `on_food`, drawn uniformly; -1 if there is none."""
        count = size * size
        if not on_food:
            count -= state[food_count, i]
        for a in range(snakes):
            count -= state[first + a * stride + LENGTH, i]
        if count == 0:
            return -1
        rank = np.int64(integer(i, random, count))
        y = 0
        word = free(i, state, y, on_food)
        while rank >= ones(word):
            rank -= ones(word)
            y += 1
            word = free(i, state, y, on_food)
        return y * size + nth(word, rank, size)

    def free(i, state, y, on_food):
        """Return the free cells of row `y`."""
        taken = NOTHING if on_food else np.int64(state[y, i])
        for a in range(snakes):
            taken |= np.int64(state[first + a * stride + body + y, i])
        return full & ~taken

    def feed(i, state, random):
        """Place food until there is as much as there should be, or no room."""
        missing = food - state[food_count, i]
        for _ in range(missing):
            cell = pick(i, state, random, False)
            if cell >= 0:
                state[cell // size, i] |= np.int32(bit(cell % size))
                state[food_count, i] += 1

    def place(i, state, random, snake):
        """Start the snake whose rows begin at `snake` with one cell; food under it is gone."""
        cell = pick(i, state, random, True)
        x, y = cell % size, cell // size
        state[snake + X, i] = state[snake + TAIL_X, i] = x
        state[snake + Y, i] = state[snake + TAIL_Y, i] = y
        state[snake + HEADING, i] = 0
        state[snake + LENGTH, i] = 1
        state[snake + FATE, i] = 0
        state[snake + body + y, i] = np.int32(bit(x))
        lies = has(state[y, i], x)
        state[y, i] = np.int32(np.int64(state[y, i]) & ~bit(x))
        state[food_count, i] -= np.int32(lies)

    def reset(i, state, random):
        """Start lane `i` with snakes of one cell, and food."""
        for row in range(first + snakes * stride):
            state[row, i] = 0
        for a in range(snakes):
            place(i, state, random, first + a * stride)
        feed(i, state, random)

    def inside(x, y):
        """Return whether a cell is on the board."""
        return (x >= 0) & (x < size) & (y >= 0) & (y < size)

    def leave_head(i, state, snake, direction):
        """Note at the head which way the body goes on from there."""
        x, y = state[snake + X, i], state[snake + Y, i]
        keep = ~bit(x)
        low = np.int64(direction) & 1
        high = np.int64(direction) >> 1
        state[way_low + y, i] = np.int32((np.int64(state[way_low + y, i]) & keep) | (low << np.int64(x)))
        state[way_high + y, i] = np.int32((np.int64(state[way_high + y, i]) & keep) | (high << np.int64(x)))

    def leave_tail(i, state, snake):
        """Take the tail's cell off the body; the next one is the tail."""
        x, y = state[snake + TAIL_X, i], state[snake + TAIL_Y, i]
        low = has(state[way_low + y, i], x)
        high = has(state[way_high + y, i], x)
        direction = low + 2 * high
        state[snake + body + y, i] = np.int32(np.int64(state[snake + body + y, i]) & ~bit(x))
        state[snake + TAIL_X, i] = x + step_x(direction)
        state[snake + TAIL_Y, i] = y + step_y(direction)

    def arrive(i, state, snake, x, y, ate):
        """Put the head on a cell, and take the food there if it `ate`."""
        state[snake + X, i] = x
        state[snake + Y, i] = y
        state[snake + body + y, i] |= np.int32(bit(x))
        if ate:
            state[snake + LENGTH, i] += 1
            state[y, i] = np.int32(np.int64(state[y, i]) & ~bit(x))
            state[food_count, i] -= 1

    def step(i, state, action, reward, terminated, random):
        """Move the snake of lane `i`."""
        direction = turned(action[i], state[first + HEADING, i], state[first + LENGTH, i])
        x, y = state[first + X, i] + step_x(direction), state[first + Y, i] + step_y(direction)
        dead = not inside(x, y)
        ate = False
        if not dead:
            ate = has(state[y, i], x) != 0
            bitten = has(state[first + body + y, i], x) != 0
            on_tail = (x == state[first + TAIL_X, i]) & (y == state[first + TAIL_Y, i])
            dead = bitten & (not on_tail)
        if not dead:
            leave_head(i, state, first, direction)
            if not ate:
                leave_tail(i, state, first)
            state[first + HEADING, i] = direction
            arrive(i, state, first, x, y, ate)
            if ate:
                feed(i, state, random)
        reward[i] = np.float32(ate) - np.float32(dead)
        terminated[i] = dead

    def bites(i, state, a, x, y):
        """Return whether the head of snake `a`, arriving at a cell, meets a body or another head."""
        met = False
        for b in range(snakes):
            snake = first + b * stride
            met |= has(state[snake + body + y, i], x) != 0
            same = (b != a) & (state[snake + X, i] == x) & (state[snake + Y, i] == y)
            met |= same
        return met

    def die(i, state, snake):
        """Clear a body away, or make food of it."""
        for y in range(size):
            if remains:
                state[y, i] |= state[snake + body + y, i]
                state[food_count, i] += np.int32(ones(np.int64(state[snake + body + y, i])))
            state[snake + body + y, i] = 0
        state[snake + LENGTH, i] = 0

    def step_many(i, state, action, reward, terminated, random):
        """Move the snakes of lane `i`: all tails leave, all heads arrive, then the dead start again."""
        for a in range(snakes):
            snake = first + a * stride
            direction = turned(action[a, i], state[snake + HEADING, i], state[snake + LENGTH, i])
            leave_head(i, state, snake, direction)
            x, y = state[snake + X, i] + step_x(direction), state[snake + Y, i] + step_y(direction)
            ate = False
            if inside(x, y):
                ate = has(state[y, i], x) != 0
            if not ate:
                leave_tail(i, state, snake)
            state[snake + HEADING, i] = direction
            state[snake + X, i] = x
            state[snake + Y, i] = y
            state[snake + FATE, i] = ATE if ate else 0
        for a in range(snakes):
            snake = first + a * stride
            x, y = state[snake + X, i], state[snake + Y, i]
            dead = not inside(x, y)
            if not dead:
                dead = bites(i, state, a, x, y)
            if dead:
                state[snake + FATE, i] = DEAD
        for a in range(snakes):
            snake = first + a * stride
            fate = state[snake + FATE, i]
            if fate == DEAD:
                die(i, state, snake)
            else:
                arrive(i, state, snake, state[snake + X, i], state[snake + Y, i], fate == ATE)
            reward[a, i] = np.float32(fate == ATE) - np.float32(fate == DEAD)
            terminated[a, i] = fate == DEAD
        for a in range(snakes):
            if state[first + a * stride + FATE, i] == DEAD:
                place(i, state, random, first + a * stride)
            state[first + a * stride + FATE, i] = 0
        feed(i, state, random)

    def aligned(word, shift):
        """Return a row of a window as part of a word of cells, `shift` bits up, or down where negative."""
        if shift >= 0:
            return (word & across) << np.int64(shift)
        return (word & across) >> np.int64(-shift)

    def board_part(i, state, board, x, y, start):
        """Return `chunk` cells, from cell `start` on, of the window around column `x` whose upper row is `y`."""
        bits = NOTHING
        for row in range(start // view, (start + chunk - 1) // view + 1):
            on_board = (y + row >= 0) & (y + row < size)
            word = np.int64(state[board + min(max(y + row, 0), size - 1), i]) if on_board else NOTHING
            bits |= aligned((word << radius) >> np.int64(x), row * view - start)
        return bits

    def wall_part(x, y, start):
        """Return the same cells, 1 where they are outside the board."""
        bits = NOTHING
        for row in range(start // view, (start + chunk - 1) // view + 1):
            on_board = (y + row >= 0) & (y + row < size)
            word = beyond >> np.int64(x) if on_board else everything
            bits |= aligned(word, row * view - start)
        return bits

    def observe(i, state, observation):
        """Show the window around the head, a word of cells at a time: so that the loops over them vectorise."""
        x, y = state[first + X, i], state[first + Y, i] - radius
        for part in range(0, area, 64):
            start = min(part, area - chunk)
            bodies = board_part(i, state, first + body, x, y, start)
            foods = board_part(i, state, 0, x, y, start)
            walls = wall_part(x, y, start)
            k = np.uintp(start)
            for c in range(chunk):
                observation[k + c, i] = np.uint8((bodies >> c) & 1)
            for c in range(chunk):
                observation[k + area + c, i] = np.uint8((foods >> c) & 1)
            for c in range(chunk):
                observation[k + 2 * area + c, i] = np.uint8((walls >> c) & 1)

    def observe_many(i, state, observation):
        """Show every snake the window around its head."""
        for a in range(snakes):
            own = first + a * stride
            x, y = state[own + X, i], state[own + Y, i] - radius
            for part in range(0, area, 64):
                start = min(part, area - chunk)
                others = NOTHING
                for b in range(snakes):
                    if b != a:
                        others |= board_part(i, state, first + b * stride + body, x, y, start)
                bodies = board_part(i, state, own + body, x, y, start)
                foods = board_part(i, state, 0, x, y, start)
                walls = wall_part(x, y, start)
                k = np.uintp(start)
                for c in range(chunk):
                    observation[a, k + c, i] = np.uint8((bodies >> c) & 1)
                for c in range(chunk):
                    observation[a, k + area + c, i] = np.uint8((others >> c) & 1)
                for c in range(chunk):
                    observation[a, k + 2 * area + c, i] = np.uint8((foods >> c) & 1)
                for c in range(chunk):
                    observation[a, k + 3 * area + c, i] = np.uint8((walls >> c) & 1)

    boards = tuple(f"{board}_{y}" for board in ("food", "way_low", "way_high") for y in range(size))
    rows = tuple(f"{name}_{a}" for a in range(snakes) for name in (*SNAKE, *(f"body_{y}" for y in range(size))))
    return Environment(
        id="workbench/Snake-v0",
        state=(*boards, "food_count", *rows),
        observation=Box(0, 1, shape=(3 if snakes == 1 else 4, view, view), dtype="uint8"),
        action=Discrete(4),
        time_limit=TIME_LIMIT,
        reset=reset,
        step=step if snakes == 1 else step_many,
        observe=observe if snakes == 1 else observe_many,
        agents=snakes,
        integer=True,
        lane_major=True,
        picture=_picture(snakes, size),
        options={"snakes": snakes, "size": size, "food": food, "view": view, "remains": remains},
    )


def _picture(snakes: int, size: int) -> Picture:
    """Draw each cell once, in the colour of what its bits say; then the heads."""
    cell = 160.0 / size
    palette = ["#f1f3f5", "#e03131", *(COLOURS[a % len(COLOURS)] for a in range(snakes))]
    shapes = []
    for y in range(size):
        for x in range(size):
            index = [f"floor(food_{y} / {1 << x}) % 2"]
            index += [f"{a + 2} * (floor(body_{y}_{a} / {1 << x}) % 2)" for a in range(snakes)]
            centre = (10 + (x + 0.5) * cell, 22 + (y + 0.5) * cell)
            shapes.append(Rectangle(*centre, cell - 0.5, cell - 0.5, tuple(palette), index=" + ".join(index)))
    heads = [
        Circle(f"10 + (x_{a} + 0.5) * {cell}", f"22 + (y_{a} + 0.5) * {cell}", cell * 0.28, "#ffffff")
        for a in range(snakes)
    ]
    lengths = [
        Text(10 + 40 * a, 11, "{}", 8, COLOURS[a % len(COLOURS)], value=f"length_{a}") for a in range(min(snakes, 4))
    ]
    return Picture(180, 192, (*shapes, *heads, *lengths), background="#dee2e6")
