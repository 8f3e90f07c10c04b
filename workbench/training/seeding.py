"""Independent seeds from one: numpy's SeedSequence, a child for each purpose."""

import numpy as np

PURPOSES = ("weights", "actions", "shuffle", "environment", "evaluation")


def seeds_from(seed: int) -> dict[str, int]:
    """Return a 63-bit seed for each purpose; the same `seed` gives the same ones always."""
    children = np.random.SeedSequence(seed).spawn(len(PURPOSES))
    words = (child.generate_state(1, np.uint64)[0] for child in children)
    return {name: int(word >> np.uint64(1)) for name, word in zip(PURPOSES, words, strict=True)}


def seed_at(seed: int, steps: int) -> int:
    """Return the 63-bit seed of the episodes that begin anew after `steps` steps of a run with `seed`."""
    word = np.random.SeedSequence((seed, steps)).generate_state(1, np.uint64)[0]
    return int(word >> np.uint64(1))
