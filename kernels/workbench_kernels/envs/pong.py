"""workbench/Pong-v0: two paddles and a ball, played to a number of points; a new game after the arcade's of 1972.

The court is [-1, 1] x [-1, 1]: x from the left player's line to the right player's, y down. The ball is a point.
State: the paddles' y, the ball's place and velocity [per step], the score.
Observation, from the player's own side: own paddle, the other's, the ball's x (-1 on the own line, 1 on the other's),
its y, its velocity in units of the greatest speed, and both scores as parts of the points that win.
Actions: stay, up, down: 0.04 a step. Reward: 1 for a point won, -1 for a point lost. End: one side has `points`.
Walls reflect. A paddle returns the ball where it meets the line, within the step: as steep as the place on the paddle
says, from -1 at its upper end to 1 at its lower, and 5 % faster along x, up to a greatest speed at which a ball may be
out of a paddle's reach. A point is followed at once by a serve from the middle line, at the player who lost it; the
paddles stay.
Options: `players`, 1 (the left one; the right one is built in, and follows the ball at half a paddle's speed) or 2;
`points`, a setting.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Line, Picture, Rectangle, Text
from workbench_kernels.rng import draw, high_uniform, low_uniform
from workbench_kernels.spaces import Box, Discrete

STATE = ("left", "right", "x", "y", "x_dot", "y_dot", "left_score", "right_score")
LEFT, RIGHT, X, Y, X_DOT, Y_DOT, LEFT_SCORE, RIGHT_SCORE, POINTS = range(len(STATE) + 1)
ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
REACH = np.float32(0.125)  # half a paddle; a power of two, as are the speeds: the ball's offset is exact
PER_REACH = ONE / REACH
FARTHEST = ONE - REACH
PADDLE_SPEED = np.float32(0.04)
OPPONENT_SPEED = np.float32(0.02)
SERVE_SPEED = np.float32(1 / 32)
SPEED_LIMIT = np.float32(1 / 16)
PER_SPEED = ONE / SPEED_LIMIT
GAIN = np.float32(1.05)
SIDE = np.uint64(1)


def reset(i, state, random):
    """Serve lane `i` at either player; both paddles stand in the middle."""
    bits = draw(i, random)
    state[LEFT, i] = ZERO
    state[RIGHT, i] = ZERO
    state[X, i] = ZERO
    state[Y, i] = high_uniform(bits) - HALF
    state[X_DOT, i] = SERVE_SPEED if (bits & SIDE) != 0 else -SERVE_SPEED
    state[Y_DOT, i] = (TWO * low_uniform(bits) - ONE) * SERVE_SPEED
    state[LEFT_SCORE, i] = ZERO
    state[RIGHT_SCORE, i] = ZERO


def reflect(y, y_dot):
    """Return place and velocity after a wall, if `y` is beyond one."""
    beyond = abs(y) > ONE
    mirrored = (TWO if y > ZERO else -TWO) - y
    return mirrored if beyond else y, -y_dot if beyond else y_dot


def moved(paddle, way):
    """Return where a paddle is after a move by `way`."""
    return min(max(paddle + way, -FARTHEST), FARTHEST)


def chosen(action):
    """Return the way of an action."""
    return (PADDLE_SPEED if action == 2 else ZERO) - (PADDLE_SPEED if action == 1 else ZERO)


def play(i, state, left_way, right_way, random):
    """Move paddles and ball of lane `i`; return what the left player wins, and whether the game is over.

    A step draws one random number, served or not: a branch would keep the loop over lanes from vectorising.
    """
    bits = draw(i, random)
    left, right = moved(state[LEFT, i], left_way), moved(state[RIGHT, i], right_way)
    x, x_dot = state[X, i], state[X_DOT, i]
    ahead = ONE if x_dot > ZERO else -ONE
    speed = abs(x_dot)
    arrives = abs(x + x_dot) >= ONE
    until = min((ONE - ahead * x) / speed, ONE) if arrives else ONE
    y, y_dot = reflect(state[Y, i] + until * state[Y_DOT, i], state[Y_DOT, i])
    offset = (y - (right if ahead > ZERO else left)) * PER_REACH
    returned = arrives & (abs(offset) <= ONE)  # `arrives` would do below, but LLVM makes a branch of it
    lost = arrives & (abs(offset) > ONE)

    faster = min(speed * GAIN, SPEED_LIMIT)
    rest = ONE - until
    y_after, y_dot_after = reflect(y + rest * (offset * faster), offset * faster)
    x = ahead * (ONE - rest * faster) if returned else x + x_dot
    x_dot = -ahead * faster if returned else x_dot
    y = y_after if returned else y
    y_dot = y_dot_after if returned else y_dot

    won = ahead if lost else ZERO
    left_score = state[LEFT_SCORE, i] + max(won, ZERO)
    right_score = state[RIGHT_SCORE, i] + max(-won, ZERO)
    state[LEFT, i] = left
    state[RIGHT, i] = right
    state[X, i] = ZERO if lost else x
    state[Y, i] = high_uniform(bits) - HALF if lost else y
    state[X_DOT, i] = ahead * SERVE_SPEED if lost else x_dot
    state[Y_DOT, i] = (TWO * low_uniform(bits) - ONE) * SERVE_SPEED if lost else y_dot
    state[LEFT_SCORE, i] = left_score
    state[RIGHT_SCORE, i] = right_score
    return won, max(left_score, right_score) >= state[POINTS, i]


def step(i, state, action, reward, terminated, random):
    """Advance lane `i`; the opponent follows the ball."""
    way = min(max(state[Y, i] - state[RIGHT, i], -OPPONENT_SPEED), OPPONENT_SPEED)
    won, over = play(i, state, chosen(action[i]), way, random)
    reward[i] = won
    terminated[i] = over


def step_two(i, state, action, reward, terminated, random):
    """Advance lane `i` by the actions of both players."""
    won, over = play(i, state, chosen(action[0, i]), chosen(action[1, i]), random)
    reward[0, i] = won
    reward[1, i] = -won
    terminated[0, i] = over
    terminated[1, i] = over


def observe(i, state, observation):
    """Show the game as the left player sees it."""
    observation[0, i] = state[LEFT, i]
    observation[1, i] = state[RIGHT, i]
    observation[2, i] = state[X, i]
    observation[3, i] = state[Y, i]
    observation[4, i] = state[X_DOT, i] * PER_SPEED
    observation[5, i] = state[Y_DOT, i] * PER_SPEED
    observation[6, i] = state[LEFT_SCORE, i] / state[POINTS, i]
    observation[7, i] = state[RIGHT_SCORE, i] / state[POINTS, i]


def observe_two(i, state, observation):
    """Show each player the game from its own side."""
    for a in range(2):
        side = ONE if a == 0 else -ONE
        observation[a, 0, i] = state[LEFT + a, i]
        observation[a, 1, i] = state[RIGHT - a, i]
        observation[a, 2, i] = side * state[X, i]
        observation[a, 3, i] = state[Y, i]
        observation[a, 4, i] = side * state[X_DOT, i] * PER_SPEED
        observation[a, 5, i] = state[Y_DOT, i] * PER_SPEED
        observation[a, 6, i] = state[LEFT_SCORE + a, i] / state[POINTS, i]
        observation[a, 7, i] = state[RIGHT_SCORE - a, i] / state[POINTS, i]


PICTURE = Picture(
    width=320,
    height=240,
    shapes=(
        *(Rectangle(160, y, 2, 8, "#495057") for y in range(8, 240, 16)),
        Text(120, 22, "{}", 14, "#868e96", value="left_score"),
        Text(190, 22, "{}", 14, "#868e96", value="right_score"),
        Line(12, "112 * left + 106", 12, "112 * left + 134", 5, "#ffffff"),
        Line(308, "112 * right + 106", 308, "112 * right + 134", 5, "#ffffff"),
        Circle("160 + 142 * x", "120 + 112 * y", 4, "#ffd43b"),
    ),
    background="#212529",
)


def environment(*, players: int = 1, points: int = 5) -> Environment:
    """Build Pong-v0.

    Args:
        players: 1, against the built-in opponent, or 2.
        points: How many win the game.

    Raises:
        ValueError: If an option is out of range.
    """
    if players not in (1, 2):
        raise ValueError(f"players={players} is out of range; pass 1 or 2.")
    if not 1 <= points <= 100:
        raise ValueError(f"points={points} is out of range; pass 1 to 100.")
    return Environment(
        id="workbench/Pong-v0",
        state=STATE,
        settings={"points": points},
        observation=Box(low=(*(-1.0,) * 6, 0.0, 0.0), high=1.0),
        action=Discrete(3),
        agents=players,
        lane_major=players == 2,  # twice the rows are more than the vectoriser keeps apart: 16 ns a step against 60
        time_limit=10_000,
        reset=reset,
        step=step if players == 1 else step_two,
        observe=observe if players == 1 else observe_two,
        picture=PICTURE,
        options={"players": players, "points": points},
    )
