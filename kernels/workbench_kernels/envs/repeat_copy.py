"""workbench/RepeatCopy-v0: see a sequence of symbols one by one, then repeat it.

State: steps taken, and the symbols.
Observation: [symbols + 1]: the symbol of this step, one-hot, while the sequence is shown; then only the last component,
which asks for it.
Actions: a symbol. The first `length` actions do nothing, the next ones repeat the sequence from its first symbol.
Reward: 1 for each symbol repeated in its place. End: after 2 * length steps. The symbols are uniform and independent.

Optimal return: `length`, for a policy that remembers. While the sequence is asked for, all observations are the same
and independent of it, so one without memory gets each symbol right with probability 1 / symbols.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Picture, Rectangle, Text
from workbench_kernels.rng import draw, high_integer, low_integer
from workbench_kernels.spaces import Box, Discrete

STEPS, FIRST = range(2)
COLOURS = ("#4a7fc8", "#e08a3c", "#5aa469", "#b85c9e", "#8c6d46", "#c8b93c", "#5cb8b8", "#909090")


def picture(length: int) -> Picture:
    """Draw the sequence as coloured squares with their numbers; a bar below runs along it twice."""
    width = 180 / length
    size = min(26.0, 0.8 * width)
    shapes: list[Rectangle | Text] = []
    for k in range(length):
        x = 10 + width * (k + 0.5)
        shapes.append(Rectangle(x, 34, size, size, COLOURS, index=f"symbol_{k} % {len(COLOURS)}"))
        shapes.append(Text(x - 0.2 * size, 34, "{}", 0.4 * size, "#ffffff", value=f"symbol_{k}"))
    now = f"10 + {width} * (steps % {length} + 0.5)"
    marker = Rectangle(now, 60, size, 6, ("#b8b8b8", "#303030"), index=f"steps >= {length}")
    words = Text(10, 82, "repeat", 8, "#303030", visible=f"steps >= {length}")
    return Picture(width=200, height=96, shapes=(*shapes, marker, words))


def environment(*, length: int = 5, symbols: int = 2) -> Environment:
    """Build RepeatCopy.

    Args:
        length: Symbols in the sequence, 1 to 100.
        symbols: Different symbols, 2 to 100.

    Raises:
        ValueError: If an option is out of range.
    """
    if not 1 <= length <= 100:
        raise ValueError(f"length={length} is out of range; pass 1 to 100.")
    if not 2 <= symbols <= 100:
        raise ValueError(f"symbols={symbols} is out of range; pass 2 to 100.")

    def reset(i, state, random):
        """Choose the sequence of lane `i`, two symbols a draw."""
        state[STEPS, i] = 0
        for k in range(0, length, 2):
            bits = draw(i, random)
            state[FIRST + k, i] = low_integer(bits, symbols)
            if k + 1 < length:
                state[FIRST + k + 1, i] = high_integer(bits, symbols)

    def step(i, state, action, reward, terminated, random):
        """Compare the action with the symbol that is asked for."""
        steps = min(state[STEPS, i], 2 * length - 1)
        right = action[i] == state[FIRST + max(steps - length, 0), i]
        reward[i] = np.float32(right & (steps >= length))
        state[STEPS, i] = steps + 1
        terminated[i] = steps + 1 == 2 * length

    def observe(i, state, observation):
        """Show a symbol, or ask for one."""
        steps = state[STEPS, i]
        asked = steps >= length
        symbol = -1 if asked else state[FIRST + min(steps, length - 1), i]
        for k in range(symbols):
            observation[k, i] = np.float32(symbol == k)
        observation[symbols, i] = np.float32(asked)

    return Environment(
        id="workbench/RepeatCopy-v0",
        state=("steps", *(f"symbol_{k}" for k in range(length))),
        observation=Box(0.0, 1.0, shape=(symbols + 1,)),
        action=Discrete(symbols),
        time_limit=2 * length + 1,  # never reached: the last symbol ends the episode
        reset=reset,
        step=step,
        observe=observe,
        integer=True,
        picture=picture(length),
        optimal_return=float(length),
        options={"length": length, "symbols": symbols},
    )
