"""workbench/Password-v0: guess a fixed binary string, bit by bit, and learn only at the end whether it was right.

After the Password environment of PufferLib's Ocean suite (Suarez 2024).

State: how many bits are guessed, and the bits, the first one lowest.
Observation: [length], 1 or -1 for a guessed bit, 0 for one to come.
Actions: the next bit. The password is the first bits of the golden ratio's fraction, 1001 1110 0011 0111 ...
Reward: 1 at the end if all bits are right, else 0. End: after `length` steps.

Optimal return: 1. All other sequences earn 0, and guessing at random 2**-length.
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Picture, Text
from workbench_kernels.spaces import Box, Discrete

POSITION, GUESSES, LENGTH, PASSWORD = range(4)
GOLDEN = f"{0x9E3779B9:032b}"


def reset(i, state, random):
    """Forget the guesses of lane `i`."""
    state[POSITION, i] = 0
    state[GUESSES, i] = 0


def step(i, state, action, reward, terminated, random):
    """Append a bit."""
    length = state[LENGTH, i]
    position = min(state[POSITION, i], length - 1)
    guesses = state[GUESSES, i] | (action[i] << position)
    over = position + 1 == length
    state[POSITION, i] = position + 1
    state[GUESSES, i] = guesses
    reward[i] = np.float32(over & (guesses == state[PASSWORD, i]))
    terminated[i] = over


def observe(i, state, observation):
    """Show the guesses."""
    for k in range(observation.shape[0]):
        sign = 2 * ((state[GUESSES, i] >> k) & 1) - 1
        observation[k, i] = np.float32(sign if k < state[POSITION, i] else 0)


def password(length: int) -> tuple[int, ...]:
    """Return the string to guess."""
    return tuple(int(bit) for bit in GOLDEN[:length])


def picture(length: int) -> Picture:
    """Draw the password above the guesses: 1 is blue, 0 orange, what is to come grey."""
    width = 160 / length
    radius = min(14.0, 0.4 * width)
    colours = ("#e08a3c", "#e0e0e0", "#4a7fc8")
    shapes: list[Circle | Text] = [Text(20, 14, "password", 8, "#303030"), Text(20, 62, "guesses", 8, "#303030")]
    for k, bit in enumerate(password(length)):
        x = 20 + width * (k + 0.5)
        shapes.append(Circle(x, 36, radius, colours[2 * bit]))
        shapes.append(Circle(x, 84, radius, colours, index=f"observation_{k} + 1"))
    return Picture(width=200, height=106, shapes=tuple(shapes))


def environment(*, length: int = 5) -> Environment:
    """Build Password.

    Args:
        length: Bits of the password, 1 to 30.

    Raises:
        ValueError: If the length is out of range.
    """
    if not 1 <= length <= 30:
        raise ValueError(f"length={length} is out of range; pass 1 to 30.")
    return Environment(
        id="workbench/Password-v0",
        state=("position", "guesses"),
        observation=Box(-1.0, 1.0, shape=(length,)),
        action=Discrete(2),
        time_limit=length + 1,  # never reached: the last bit ends the episode
        reset=reset,
        step=step,
        observe=observe,
        settings={"length": length, "password": sum(bit << k for k, bit in enumerate(password(length)))},
        integer=True,
        picture=picture(length),
        optimal_return=1.0,
        options={"length": length},
    )
