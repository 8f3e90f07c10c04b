"""workbench/BitFlip-v0: turn the bits of one word into another's, one a step (Andrychowicz et al. 2017, section 3.1).

State and observation: the bits, then those of the goal; both words are uniform and independent.
Actions: flip bit k. Reward: -1, and 0 where the bits equal the goal after the flip, which ends the episode.
`reward_of` is that reward as a function of what was achieved and what was desired, to relabel experience with goals.
The time limit is the number of bits.

Let d be the number of bits that differ from the goal before the action, and without a time limit G(k) =
-(1 - gamma**k) / (1 - gamma), or -k for gamma = 1, the value of k steps of reward -1. The optimal Q is G(d - 1) of
each bit that differs, and G(d + 1) of each that does not.
Optimal return: -(d - 1) at the start, and -1 if the words are equal there, as one bit has to be flipped there and back:
1 - bits / 2 - 2**(1 - bits) in expectation.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Picture, Rectangle
from workbench_kernels.rng import draw
from workbench_kernels.spaces import Box, Discrete

ZERO = np.float32(0.0)
MINUS_ONE = np.float32(-1.0)
MOST_BITS = 40
BIT = np.uint64(1)


def reward_of(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
    """Return the reward [...], float32, of having achieved the bits [..., bits] where `desired` was wanted."""
    reward: np.ndarray = np.all(achieved == desired, axis=-1).astype(np.float32) - np.float32(1.0)
    return reward


def environment(*, bits: int = 8) -> Environment:
    """Build BitFlip-v0 with words of `bits` bits.

    Raises:
        ValueError: If the number of bits is out of range.
    """
    if not 1 <= bits <= MOST_BITS:
        raise ValueError(f"bits={bits} is out of range; pass 1 to {MOST_BITS}.")

    def reset(i, state, random):
        word, goal = draw(i, random), draw(i, random)
        for k in range(bits):
            state[k, i] = np.int32((word >> np.uint64(k)) & BIT)
            state[bits + k, i] = np.int32((goal >> np.uint64(k)) & BIT)

    def step(i, state, action, reward, terminated, random):
        equal = True
        for k in range(bits):
            bit = state[k, i] ^ np.int32(action[i] == k)
            state[k, i] = bit
            equal &= bit == state[bits + k, i]
        reward[i] = ZERO if equal else MINUS_ONE
        terminated[i] = equal

    def observe(i, state, observation):
        for k in range(2 * bits):
            observation[k, i] = np.float32(state[k, i])

    names = range(bits)
    return Environment(
        id="workbench/BitFlip-v0",
        state=(*(f"bit_{k}" for k in names), *(f"goal_{k}" for k in names)),
        observation=Box(0.0, 1.0, shape=(2 * bits,)),
        action=Discrete(bits),
        time_limit=bits,
        reset=reset,
        step=step,
        observe=observe,
        integer=True,
        lane_major=True,
        picture=picture(bits),
        optimal_return=1 - bits / 2 - 2.0 ** (1 - bits),
        options={"bits": bits},
    )


def picture(bits: int) -> Picture:
    """Draw the bits above those of the goal, and a red line under each that differs."""
    shapes: list[Rectangle] = []
    for k in range(bits):
        x, colours = 10 * k + 5, ("#cfd8dc", "#1e88e5")
        shapes += (
            Rectangle(x, 6, 9, 9, colours, index=f"bit_{k}"),
            Rectangle(x, 17, 9, 9, colours, index=f"goal_{k}"),
            Rectangle(x, 23.5, 9, 2, "#e53935", visible=f"bit_{k} != goal_{k}"),
        )
    return Picture(width=10 * bits, height=26, shapes=tuple(shapes))
