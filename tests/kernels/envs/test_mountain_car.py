"""MountainCar and MountainCarContinuous against Gymnasium's, from the same states and actions."""

import numba
import numpy as np
import pytest

from tests.kernels.batch import TARGETS
from tests.kernels.envs import classic_control
from tests.kernels.test_cpu_target import vectorised
from workbench_kernels.envs import make
from workbench_kernels.targets import cpu

DISCRETE, CONTINUOUS = IDS = ("MountainCar-v0", "MountainCarContinuous-v0")
LEFT_END = np.float32(-1.2)


def assert_cars_agree(ours, theirs, goal):
    classic_control.assert_flags_agree(ours, theirs, theirs.observation[:, 0].astype(np.float64) - goal, rounding=2e-7)
    stopped = ours.observation[:, 0] == LEFT_END
    # Whether the wall stops the car may hang on the last digit of its position; whether it is there, on no more.
    unsure = stopped != (theirs.observation[:, 0] == LEFT_END)
    assert unsure.sum() <= 2
    assert (ours.observation[:, 1][stopped] == 0).all()
    for each in (ours, theirs):
        each.observation[:, 1][unsure] = 0
    classic_control.assert_components_agree(ours, theirs, (2e-7, 2e-8))
    assert stopped.sum() > 0.001 * stopped.size
    assert theirs.terminated.sum() > 0.001 * stopped.size
    assert theirs.truncated.sum() > 20


@pytest.mark.parametrize(("goal_velocity", "lanes"), [(0.0, 500), (0.03, 100)])
def test_discrete_transitions_equal_gymnasiums(goal_velocity, lanes):
    ours, draw = classic_control.batch(DISCRETE, lanes, goal_velocity=goal_velocity)

    def pump(cars):
        swing = 1 + np.sign(cars.state[1])
        return np.where(draw.random(lanes) < 0.3, draw.integers(0, 3, lanes), swing).astype(np.int32)

    original = classic_control.original(DISCRETE, goal_velocity=goal_velocity)
    ours, theirs = classic_control.follow(ours, original, pump, steps=200)
    assert_cars_agree(ours, theirs, goal=0.5)
    np.testing.assert_array_equal(ours.reward, theirs.reward)


@pytest.mark.parametrize(("goal_velocity", "lanes"), [(0.0, 500), (0.03, 200)])
def test_continuous_transitions_equal_gymnasiums(goal_velocity, lanes):
    ours, draw = classic_control.batch(CONTINUOUS, lanes, goal_velocity=goal_velocity)

    def pump(cars):  # the original clips the force at 1, but not its cost
        return (np.sign(cars.state[1]) * draw.uniform(-0.3, 1.3, (1, lanes))).astype(np.float32)

    original = classic_control.original(CONTINUOUS, goal_velocity=goal_velocity)
    ours, theirs = classic_control.follow(ours, original, pump, steps=200)
    assert_cars_agree(ours, theirs, goal=0.45)
    same = ours.terminated == theirs.terminated
    np.testing.assert_allclose(ours.reward[same], theirs.reward[same].astype(np.float64), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("id", "goal"), [(DISCRETE, 0.5), (CONTINUOUS, 0.45)])
def test_steps_to_the_ends_of_the_road_and_the_goal_equal_gymnasiums(id, goal):
    lanes = 3000
    ours, draw = classic_control.batch(id, lanes)
    ours.elapsed[::10] = ours.limit - 1
    edge, speed = draw.choice([-1.2, goal, 0.6], lanes), draw.uniform(-0.0715, 0.0715, lanes).clip(-0.07, 0.07)
    ours.state[0] = np.clip(edge - speed + draw.uniform(-0.004, 0.004, lanes), -1.2, 0.6)
    ours.state[1] = speed
    action = draw.integers(0, 3, lanes) if id == DISCRETE else draw.uniform(-1, 1, (1, lanes)).astype(np.float32)
    ours, theirs = classic_control.follow(ours, classic_control.original(id), lambda _: action, steps=1)
    assert_cars_agree(ours, theirs, goal)
    assert (ours.observation[:, 0] == np.float32(0.6)).sum() > 100
    assert (np.abs(ours.observation[:, 1]) == np.float32(0.07)).sum() > 10


@pytest.mark.parametrize("id", IDS)
def test_a_goal_velocity_keeps_slow_cars_from_arriving(id):
    for goal_velocity, arrived in [(0.0, [False, True, True]), (0.03, [False, False, True])]:
        cars, _ = classic_control.batch(id, 3, goal_velocity=goal_velocity)
        cars.state[0], cars.state[1] = 0.52, [-0.01, 0.02, 0.04]
        cars.step(1)
        np.testing.assert_array_equal(cars.terminated, arrived)


@pytest.mark.parametrize("id", IDS)
def test_a_goal_velocity_beyond_the_cars_speed_is_refused(id):
    for goal_velocity in (0.08, -0.08, float("nan")):
        with pytest.raises(ValueError, match=r"goal_velocity=.*; pass -0.07 to 0.07"):
            make(id, goal_velocity=goal_velocity)


@pytest.mark.parametrize("id", IDS)
def test_spaces_and_the_time_limit_are_gymnasiums(id):
    classic_control.assert_declared_as_the_original(id)


@pytest.mark.parametrize("id", IDS)
def test_resets_are_spread_as_gymnasiums(id):
    classic_control.assert_resets_agree(id, low=(-0.6, 0), high=(-0.4, 0))


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
@pytest.mark.parametrize("id", IDS)
def test_every_target_gives_the_oracles_bits(id, target):
    classic_control.assert_bits_agree(id, target, spread=(0.8, 0.07))


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is no machine code with the JIT off")
@pytest.mark.parametrize("id", IDS)
def test_a_step_uses_packed_instructions(monkeypatch, tmp_path, id):
    # Machine code that comes from the cache cannot be inspected.
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assembly = next(iter(cpu.vector_step(make(id)).compiled.inspect_asm().values()))
    assert vectorised(assembly)
