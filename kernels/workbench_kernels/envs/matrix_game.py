"""workbench/MatrixGame-v0: two agents choose at once and share what their pair of actions pays.

`payoff[a][b]` is paid to each when agent 0 plays a and agent 1 plays b. The default is the climbing game, whose best
pair lies among the worst ones; `PENALTY` is the penalty game with k = -100, whose two best pairs must not be confused
(Claus and Boutilier 1998, "The dynamics of reinforcement learning in cooperative multiagent systems").
State: the rounds played, and the pair of actions that was played last, -1 at the start. The payoffs are settings: they
may differ from lane to lane.
Observation: 1, and the number of the agent. Global state: which part of the rounds has been played.
Actions: the row for agent 0, the column for agent 1. End: for both after `rounds` rounds.
Optimal return: `rounds` times the greatest payoff.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Picture, Rectangle, Text
from workbench_kernels.spaces import Box, Discrete

ROUND, ROW, COLUMN, PAYOFF = range(4)
ONE = np.float32(1.0)
MINUS_ONE = np.float32(-1.0)
ZERO = np.float32(0.0)
MOST_ACTIONS = 10
MOST_ROUNDS = 1000

Payoff = tuple[tuple[float, ...], ...]
CLIMBING: Payoff = ((11.0, -30.0, 0.0), (-30.0, 7.0, 0.0), (0.0, 6.0, 5.0))
PENALTY: Payoff = ((10.0, 0.0, -100.0), (0.0, 2.0, 0.0), (-100.0, 0.0, 10.0))


def reset(i, state, random):
    """Start with no round played."""
    state[ROUND, i] = ZERO
    state[ROW, i] = MINUS_ONE
    state[COLUMN, i] = MINUS_ONE


def observe(i, state, observation):
    """Show each agent which one it is."""
    for a in range(2):
        observation[a, 0, i] = ONE
        observation[a, 1, i] = np.float32(a)


def environment(*, payoff: Payoff = CLIMBING, rounds: int = 1) -> Environment:
    """Build MatrixGame-v0.

    Args:
        payoff: A square of numbers: a row for each action of agent 0, a column for each of agent 1.
        rounds: How often the game is played in an episode.

    Raises:
        ValueError: If an option is out of range.
    """
    actions = len(payoff)
    if not 2 <= actions <= MOST_ACTIONS or any(len(row) != actions for row in payoff):
        raise ValueError(f"payoff={payoff} is no square; pass as many rows as columns, 2 to {MOST_ACTIONS}.")
    if not np.isfinite(np.array(payoff, np.float32)).all():
        raise ValueError(f"payoff={payoff} is not finite; pass numbers that float32 holds.")
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ValueError(f"rounds={rounds} is out of range; pass 1 to {MOST_ROUNDS}.")
    last = np.float32(rounds)
    part = np.float32(1 / rounds)

    def step(i, state, action, reward, terminated, random):
        row, column = action[0, i], action[1, i]
        played = state[ROUND, i] + ONE
        state[ROUND, i] = played
        state[ROW, i] = row
        state[COLUMN, i] = column
        paid = state[PAYOFF + row * actions + column, i]
        for a in range(2):
            reward[a, i] = paid
            terminated[a, i] = played >= last

    def global_state(i, state, global_state):
        global_state[0, i] = state[ROUND, i] * part

    squares = [(r, c) for r in range(actions) for c in range(actions)]
    return Environment(
        id="workbench/MatrixGame-v0",
        state=("round", "row", "column"),
        settings={f"payoff_{r}_{c}": payoff[r][c] for r, c in squares},
        observation=Box(0.0, 1.0, shape=(2,)),
        action=Discrete(actions),
        agents=2,
        time_limit=rounds + 1,  # never reached: the last round ends the episode
        reset=reset,
        step=step,
        observe=observe,
        global_state=global_state,
        global_space=Box(0.0, 1.0, shape=(1,)),
        picture=picture(actions),
        optimal_return=float(rounds * max(max(row) for row in payoff)),
        options={"payoff": payoff, "rounds": rounds},
    )


def picture(actions: int) -> Picture:
    """Draw the payoffs as a table, the row and the column played last coloured."""
    side = 30 * actions
    numbers = [(r, c) for r in range(actions) for c in range(actions)]
    return Picture(
        width=side,
        height=side,
        shapes=(
            Rectangle(side / 2, "30 * row + 15", side, 30, "#bbdefb", visible="row >= 0"),
            Rectangle("30 * column + 15", side / 2, 30, side, "#ffe0b2", visible="column >= 0"),
            Rectangle("30 * column + 15", "30 * row + 15", 30, 30, "#a5d6a7", visible="row >= 0"),
            *(Text(30 * c + 6, 30 * r + 15, "{}", 6, "#263238", value=f"payoff_{r}_{c}") for r, c in numbers),
        ),
    )
