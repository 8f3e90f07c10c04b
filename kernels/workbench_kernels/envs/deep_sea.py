"""workbench/DeepSea-v0: dive along the diagonal of a grid, where every step to the right costs a little.

Step for step bsuite's DeepSea (Osband et al. 2020, arXiv:1908.03568; first in Osband et al. 2019, arXiv:1703.07608).

State: row and column, from the upper left corner.
Observation: [size, size] uint8, 1 where the diver is; all 0 at the end.
Actions: 0 and 1; which of them goes right differs from cell to cell, as drawn from `mapping_seed`. The other one goes
left. Both go down one row, and the walls hold the diver in.
Reward: -0.01 / size for a move to the right, and 1 more for it in the lower right corner. End: after `size` steps.

With `deterministic=False` a move to the right does not take place with probability 1 / size, though it costs, and in
the two lower corners the reward has standard normal noise.

Optimal return: 0.99, always to the right: the treasure less `size` moves. The next best policy goes left always and
gets 0; at random one finds the treasure in one of 2**size episodes. If stochastic, with q = 1 - 1 / size: to the
right for as long as the diagonal is held, then left, as the treasure is out of reach. Row k is reached on the diagonal
with probability q**k, so that is q**(size - 1) - 0.01 / size * (1 + q + ... + q**(size - 1)), which is
q**(size - 1) - 0.01 * (1 - q**size). (bsuite's own figure, q**(size - 1) - 0.01, is of always going right.)
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Line, Picture, Rectangle
from workbench_kernels.rng import normal, uniform
from workbench_kernels.spaces import Box, Discrete

ROW, COLUMN = range(2)
COST = 0.01
ZERO = np.float32(0.0)


def rights(size: int, mapping_seed: int | None) -> np.ndarray:
    """Return the action that goes right in each cell, [size, size] uint8."""
    if mapping_seed is None:
        return np.ones((size, size), np.uint8)
    # The legacy generator, as bsuite's mapping is made by it.
    return np.random.RandomState(mapping_seed).binomial(1, 0.5, (size, size)).astype(np.uint8)


def picture(size: int) -> Picture:
    """Draw the sea, the treasure, and the diver, who leaves the picture at the end."""
    cell = 96 / size
    treasure = Rectangle(98 - cell / 2, 98 - cell / 2, cell, cell, "#e0b83c")
    diver = Circle(f"2 + {cell} * (column + 0.5)", f"2 + {cell} * (row + 0.5)", cell / 2, "#ffffff")
    diagonal = Line(2, 2, 98, 98, 0.5, "#5c84b6")
    return Picture(width=100, height=100, shapes=(diagonal, treasure, diver), background="#1c3f6e")


def environment(*, size: int = 10, mapping_seed: int | None = 42, deterministic: bool = True) -> Environment:
    """Build DeepSea.

    Args:
        size: Rows and columns, 10 to 50.
        mapping_seed: Decides which action goes right in which cell, below 2**32; with None action 1 does everywhere.
        deterministic: Whether moves to the right always succeed and rewards have no noise.

    Raises:
        ValueError: If an option is out of range.
    """
    if not 10 <= size <= 50:
        raise ValueError(f"size={size} is out of range; pass 10 to 50.")
    if mapping_seed is not None and (isinstance(mapping_seed, bool) or not 0 <= mapping_seed < 2**32):
        raise ValueError(f"mapping_seed={mapping_seed} is no seed; pass 0 to 2**32 - 1, or None for no mapping.")
    right_action = rights(size, mapping_seed)
    last = size - 1
    move_reward = np.float32(-COST / size)
    treasure_reward = np.float32(1.0 - COST / size)
    slip = np.float32(1.0 / size)
    keep = 1 - 1 / size

    def reset(i, state, random):
        """Put lane `i` into the upper left corner."""
        state[ROW, i] = 0
        state[COLUMN, i] = 0

    def step(i, state, action, reward, terminated, random):
        """Sink by one row, to the left or to the right."""
        row, column = min(state[ROW, i], last), state[COLUMN, i]
        right = action[i] == right_action[row, column]
        earned = (treasure_reward if column == last else move_reward) if right else ZERO
        moves = right
        if not deterministic:
            moves = right & (uniform(i, random) > slip)
            if row == last:
                noise = normal(i, random)
                earned += noise if (column == 0) | (column == last) else ZERO
        state[COLUMN, i] = min(column + 1, last) if moves else (column if right else max(column - 1, 0))
        state[ROW, i] = row + 1
        reward[i] = earned
        terminated[i] = row == last

    def observe(i, state, observation):
        """Show the diver."""
        for k in range(size * size):
            observation[k, i] = 0
        if state[ROW, i] < size:
            observation[state[ROW, i] * size + state[COLUMN, i], i] = 1

    return Environment(
        id="workbench/DeepSea-v0",
        state=("row", "column"),
        observation=Box(0, 1, shape=(size, size), dtype="uint8"),
        action=Discrete(2),
        time_limit=size + 1,  # never reached: the bottom ends the episode
        reset=reset,
        step=step,
        observe=observe,
        integer=True,
        lane_major=True,
        picture=picture(size),
        optimal_return=1.0 - COST if deterministic else keep**last - COST * (1 - keep**size),
        options={"size": size, "mapping_seed": mapping_seed, "deterministic": deterministic},
    )
