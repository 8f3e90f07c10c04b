"""What tests of the classic control environments share: Gymnasium's beside ours, from the same states and actions."""

import functools
from types import SimpleNamespace

import gymnasium
import numpy as np

from tests.kernels.batch import Lanes
from workbench_kernels.envs import make
from workbench_kernels.spaces import Discrete

OUTPUTS = ("observation", "reward", "terminated", "truncated")
BUFFERS = ("state", "final_observation", "random", "elapsed", *OUTPUTS)


@functools.cache
def original(id, **options):
    env = gymnasium.make(id, disable_env_checker=True, **options)
    env.reset(seed=0)
    return env


def batch(id, lanes, **options):
    """Return reset lanes whose ages are spread over the time limit, so that it is met as well as terminations."""
    ours, draw = Lanes(make(id, **options), lanes, seed=1), np.random.default_rng(2)
    ours.elapsed[...] = draw.integers(0, ours.limit, lanes)
    return ours, draw


def follow(ours, original, choose, steps):
    """Advance `ours`, and Gymnasium's from each of its states with its action; return what both gave, [T, ..., B]."""
    low, high = ours.environment.observation.bounds()
    rows = len(ours.environment.state)
    mine, other = [], []
    for _ in range(steps):
        before, age, action = ours.state[:rows].T.astype(np.float64), ours.elapsed.copy(), choose(ours)
        ours.step(action)
        successor = np.where(ours.terminated | ours.truncated, ours.final_observation, ours.observation)
        assert (np.clip(successor.T, low, high) == successor.T).all()
        mine.append((successor, ours.reward.copy(), ours.terminated.copy(), ours.truncated.copy()))
        for i in range(ours.lanes):
            original.unwrapped.state = before[i]
            original._elapsed_steps = int(age[i])
            other.append(original.step(action[:, i] if action.ndim > 1 else int(action[i]))[:4])
    observation, *scalars = (np.stack(column) for column in zip(*other, strict=True))
    theirs = [observation.reshape(steps, ours.lanes, -1).swapaxes(1, 2), *(x.reshape(steps, -1) for x in scalars)]
    return (
        SimpleNamespace(**dict(zip(OUTPUTS, map(np.stack, zip(*mine, strict=True)), strict=True))),
        SimpleNamespace(**dict(zip(OUTPUTS, theirs, strict=True))),
    )


def assert_flags_agree(ours, theirs, distance, rounding):
    """Demand equal flags, but where the original is within `rounding` of its threshold: in five transitions at most."""
    np.testing.assert_array_equal(ours.truncated, theirs.truncated)
    close = np.abs(distance) <= rounding
    np.testing.assert_array_equal(ours.terminated[~close], theirs.terminated[~close])
    assert close.sum() <= 5


def assert_components_agree(ours, theirs, tolerances):
    for k, tolerance in enumerate(tolerances):
        np.testing.assert_allclose(
            ours.observation[:, k], theirs.observation[:, k], rtol=0, atol=tolerance, err_msg=f"component {k}"
        )


def assert_declared_as_the_original(id):
    ours, theirs = make(id), original(id)
    spaces = [(ours.observation, theirs.observation_space)]
    if isinstance(ours.action, Discrete):
        assert ours.action.n == theirs.action_space.n
    else:
        spaces.append((ours.action, theirs.action_space))
    for our_space, their_space in spaces:
        np.testing.assert_array_equal(our_space.bounds(), (their_space.low, their_space.high))
    assert ours.time_limit == theirs.spec.max_episode_steps


def distance(a, b):
    """Return the Kolmogorov-Smirnov distance of two samples."""
    a, b, points = np.sort(a), np.sort(b), np.concatenate([a, b])
    return np.abs(np.searchsorted(a, points, "right") / a.size - np.searchsorted(b, points, "right") / b.size).max()


def assert_resets_agree(id, low, high):
    """Demand that states after resets lie within the bounds, are spread as the original's, and independently."""
    rows = len(low)
    ours, env = Lanes(make(id), 4000, seed=5).state[:rows], original(id)
    env.reset(seed=7)
    theirs = []
    for _ in range(1000):
        env.reset()
        theirs.append(np.array(env.unwrapped.state, np.float32))
    theirs = np.stack(theirs).T
    for k in range(rows):
        for sample in (ours[k], theirs[k]):
            assert np.float32(low[k]) <= sample.min()
            assert sample.max() <= np.float32(high[k])
        assert np.ptp(ours[k]) >= 0.995 * (high[k] - low[k])
        assert distance(ours[k], theirs[k]) < 0.0577  # the 1 % point for 4000 and 1000 draws
    varied = [k for k in range(rows) if high[k] > low[k]]
    assert np.abs(np.corrcoef(ours[varied]) - np.eye(len(varied))).max() < 0.06


def play(id, target, spread):
    """Play a few lanes from states all over, past terminations and time limits; return the buffers after each step."""
    lanes, draw = Lanes(make(id), 33, target=target, seed=9, limit=25), np.random.default_rng(1)
    for k, size in enumerate(spread):
        lanes.state[k] = draw.uniform(-size, size, 33)
    record = []
    for _ in range(60):
        if isinstance(lanes.environment.action, Discrete):
            lanes.step(draw.integers(0, lanes.environment.action.n, 33))
        else:
            lanes.step(draw.uniform(-3, 3, 33).astype(np.float32))
        record.append({name: getattr(lanes, name).copy() for name in BUFFERS})
    return record


@functools.cache
def _oracle(id, spread):
    return play(id, "python", spread)


def assert_bits_agree(id, target, spread, *, terminates=True):
    """Demand the python target's bits of `target`, from states uniform on +-`spread`."""
    oracle = _oracle(id, spread)
    assert any(step["terminated"].any() for step in oracle) == terminates
    for ours, theirs in zip(play(id, target, spread), oracle, strict=True):
        for name, expected in theirs.items():
            np.testing.assert_array_equal(ours[name], expected, err_msg=name)
