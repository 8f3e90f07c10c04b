"""Independent seeds from one: numpy's SeedSequence, a child for each purpose."""

from typing import Any

import numpy as np
import torch

from workbench.training.saved import walk

PURPOSES = ("weights", "actions", "shuffle", "environment", "evaluation")


def seeds_from(seed: int) -> dict[str, int]:
    """Return a 63-bit seed for each purpose; the same `seed` gives the same ones always."""
    children = np.random.SeedSequence(seed).spawn(len(PURPOSES))
    words = (child.generate_state(1, np.uint64)[0] for child in children)
    return {name: int(word >> np.uint64(1)) for name, word in zip(PURPOSES, words, strict=True)}


def seed_at(seed: int, steps: int, *more: int) -> int:
    """Return the 63-bit seed of the episodes that begin anew after `steps` steps of a run with `seed`."""
    word = np.random.SeedSequence((seed, steps, *more)).generate_state(1, np.uint64)[0]
    return int(word >> np.uint64(1))


def reseed(owner: Any, seed: int, *more: int) -> None:
    """Start the generators that `owner` saves anew, each with a stream of its own.

    Args:
        owner: What names its parts in `saved`.
        seed, more: What the streams depend on; integers of at least 0.
    """
    sequence = np.random.SeedSequence((seed, *more))
    for _, value in walk(owner):
        (child,) = sequence.spawn(1)
        if isinstance(value, torch.Generator):
            value.manual_seed(int(child.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        elif isinstance(value, np.random.Generator):
            value.bit_generator.state = np.random.Generator(type(value.bit_generator)(child)).bit_generator.state
