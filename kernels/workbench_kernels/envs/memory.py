"""workbench/Memory-v0: recall one bit of what was seen at the start (bsuite; Osband et al. 2020, arXiv:1908.03568).

Step for step bsuite's MemoryChain with `length` its memory_length and `bits` its num_bits.

State: steps taken, which bit will be asked, the right answer, and the bits.
Observation: [2 + bits]. At time t: 1 - t / length; the index of the bit asked if t = length - 1, else 0; the bits as
1 and -1 if t = 0, else 0. As in the original, time stands still in the first step: after n > 0 steps t = n - 1.
Actions: 0 or 1; only the last one matters. It is taken on seeing the question.
Reward: at the end 1 if the action is the bit asked, else -1; 0 before. End: after length + 1 steps.

Optimal return: 1, for a policy that remembers. The bits are fair, so one that does not gets 0 whatever it does (for
length > 1; else question and bits are seen together).
"""

import numpy as np

from workbench_kernels.environment import Environment
from workbench_kernels.pictures import Circle, Picture, Rectangle, Text
from workbench_kernels.rng import draw, integer
from workbench_kernels.spaces import Box, Discrete

STEPS, QUERY, ANSWER, BITS = range(4)
ZERO, ONE = np.float32(0.0), np.float32(1.0)


def picture(bits: int) -> Picture:
    """Draw what is seen: the bits, 1 blue and 0 orange, and the time left; a frame marks the bit that is asked."""
    width = 160 / bits
    radius = min(16.0, 0.35 * width)
    colours = ("#e08a3c", "#e8e8e8", "#4a7fc8")
    ask = "steps == length"
    frame = Circle(f"20 + {width} * (query + 0.5)", 34, 1.25 * radius, "#303030", visible=ask)
    shown = tuple(
        Circle(20 + width * (k + 0.5), 34, radius, colours, index=f"observation_{2 + k} + 1") for k in range(bits)
    )
    time = Rectangle("20 + 80 * observation_0", 72, "160 * observation_0", 10, "#8888a8")
    words = (Text(20, 92, "which was it?", 8, "#303030", visible=ask),)
    return Picture(width=200, height=106, shapes=(frame, *shown, time, *words))


def environment(*, length: int = 10, bits: int = 1) -> Environment:
    """Build Memory.

    Args:
        length: Times from the first, when the bits are shown, to the end, at least 1.
        bits: How many bits are shown, 1 to 64.

    Raises:
        ValueError: If an option is out of range.
    """
    if length < 1:
        raise ValueError(f"length={length} leaves nothing to remember over; pass at least 1.")
    if not 1 <= bits <= 64:
        raise ValueError(f"bits={bits} is out of range; pass 1 to 64.")
    setting = BITS + bits

    def reset(i, state, random):
        """Choose the bits and the question of lane `i`."""
        state[STEPS, i] = 0
        word = draw(i, random)
        for k in range(bits):
            state[BITS + k, i] = np.int32((word >> np.uint64(k)) & np.uint64(1))
        query = integer(i, random, bits)
        state[QUERY, i] = query
        state[ANSWER, i] = state[BITS + query, i]

    def step(i, state, action, reward, terminated, random):
        """Let time pass; compare the action at the end."""
        end = state[setting, i] + 1
        steps = min(state[STEPS, i] + 1, end)
        state[STEPS, i] = steps
        judged = ONE if action[i] == state[ANSWER, i] else -ONE
        reward[i] = judged if steps == end else ZERO
        terminated[i] = steps == end

    def observe(i, state, observation):
        """Show the time, the question and the bits."""
        length = state[setting, i]
        time = max(state[STEPS, i] - 1, 0)
        observation[0, i] = np.float32(length - time) / np.float32(length)
        observation[1, i] = np.float32(state[QUERY, i] if time == length - 1 else 0)
        for k in range(bits):
            observation[2 + k, i] = np.float32(2 * state[BITS + k, i] - 1 if time == 0 else 0)

    return Environment(
        id="workbench/Memory-v0",
        state=("steps", "query", "answer", *(f"bit_{k}" for k in range(bits))),
        observation=Box((0.0, 0.0, *(-1.0,) * bits), (1.0, bits - 1.0, *(1.0,) * bits)),
        action=Discrete(2),
        time_limit=length + 2,  # never reached: the answer ends the episode
        reset=reset,
        step=step,
        observe=observe,
        settings={"length": length},
        integer=True,
        picture=picture(bits),
        optimal_return=1.0,
        options={"length": length, "bits": bits},
    )
