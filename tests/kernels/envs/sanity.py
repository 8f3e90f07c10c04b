"""What the tests of the sanity environments share: whole episodes under a scripted policy, and the checks of a picture.

A policy takes the observations [O, B] seen so far, the latest last, and returns an action of each lane.
"""

import numpy as np

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.pictures.raster import rasterise
from workbench_kernels.spaces import Discrete

OUTPUTS = ("state", "random", "elapsed", "reward", "terminated", "truncated", "observation", "final_observation")

VARIED = [name for name in TARGETS if name not in ("python", "cpu, threads")]
"""Targets that other options are tried on; the contract tests hold every target to the default ones."""


def play(environment, policy, lanes=4000, *, seed=0, discount=1.0):
    """Return what one episode of each lane earns [B], and the lanes, which stand where their episodes ended."""
    batch = Lanes(environment, lanes, seed=seed)
    seen = [batch.observation.copy()]
    earned, weight = np.zeros(lanes), 1.0
    going = np.ones(lanes, bool)
    while going.any():
        batch.step(policy(seen), autoreset=False)
        earned += weight * np.where(going, batch.reward, 0.0)
        going &= ~(batch.terminated | batch.truncated)
        seen.append(batch.observation.copy())
        weight *= discount
    return earned, batch


def assert_mean(samples, expected):
    """Hold a mean to what it should be, within five standard errors."""
    error = samples.std() / np.sqrt(samples.size)
    assert error > 0, "nothing is random here; compare exactly"
    assert abs(samples.mean() - expected) < 5 * error, (samples.mean(), expected, error)


def always(action):
    """Return the policy that does nothing else."""
    return lambda seen: np.full(seen[-1].shape[1], action)


def at_random(n, seed=0):
    """Return the policy that chooses among `n` actions."""
    draw = np.random.default_rng(seed)
    return lambda seen: draw.integers(n, size=seen[-1].shape[1])


def assert_bits(environment, target, *, steps=60, lanes=35, limit=None):
    """Hold a target to the bits of the Python target, with resets."""
    oracle = Lanes(environment, lanes, target="python", seed=3, limit=limit)
    ours = Lanes(environment, lanes, target=target, seed=3, limit=limit)
    draw, ended = np.random.default_rng(4), 0
    for _ in range(steps):
        if isinstance(environment.action, Discrete):
            action = draw.integers(environment.action.n, size=lanes)
        else:
            action = draw.uniform(-1, 1, ours.action.shape).astype(np.float32)
        oracle.step(action)
        ours.step(action)
        ended += int((ours.terminated | ours.truncated).sum())
        for name in OUTPUTS:
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)
    assert ended > 0


def assert_pictured(environment, *, policy, steps=1):
    """Draw a lane at the start and `steps` later; both must show something, and not the same."""
    batch = Lanes(environment, 1, seed=1, limit=10**6)
    seen, pictures = [batch.observation.copy()], []
    for _ in range(steps):
        pictures.append(rasterise(environment, batch.state[:, 0], batch.observation[:, 0]))
        batch.step(policy(seen), autoreset=False)
        seen.append(batch.observation.copy())
    pictures.append(rasterise(environment, batch.state[:, 0], batch.observation[:, 0]))
    assert len(np.unique(pictures[0].reshape(-1, 3), axis=0)) > 2
    assert (pictures[0] != pictures[-1]).any()
