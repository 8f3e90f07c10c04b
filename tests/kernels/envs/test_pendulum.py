"""Pendulum against Gymnasium's Pendulum-v1, from the same states and actions."""

import numba
import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from tests.kernels.envs import classic_control
from tests.kernels.test_cpu_target import vectorised
from workbench_kernels.envs import make
from workbench_kernels.targets import cpu

ID = "Pendulum-v1"


@pytest.mark.parametrize(("g", "lanes"), [(10.0, 500), (9.81, 50)])
def test_transitions_equal_gymnasiums(g, lanes):
    ours, draw = classic_control.batch(ID, lanes, g=g)

    def push(_):  # the original clips torques at 2
        return draw.uniform(-3, 3, (1, lanes)).astype(np.float32)

    ours, theirs = classic_control.follow(ours, classic_control.original(ID, g=g), push, steps=200)
    classic_control.assert_components_agree(ours, theirs, (1e-6, 1e-6, 2e-6))
    np.testing.assert_allclose(ours.reward, theirs.reward.astype(np.float64), rtol=0, atol=4e-6)
    np.testing.assert_array_equal(ours.truncated, theirs.truncated)
    assert ours.truncated.sum() == lanes
    assert not ours.terminated.any()
    assert not theirs.terminated.any()
    assert (np.abs(ours.observation[:, 2]) == 8).mean() > 0.001  # at its greatest speed


def test_an_episode_of_full_turns_follows_gymnasiums_whose_angle_grows():
    ours, original = Lanes(make(ID), 1), classic_control.original(ID)
    ours.state[:, 0] = (0.0, 8.0, 10.0)
    original.reset()
    original.unwrapped.state = np.array([0.0, 8.0])
    for _ in range(199):
        ours.step(2.0)
        observation, reward, *_ = original.step(np.array([2.0], np.float32))
        np.testing.assert_allclose(ours.observation[:, 0], observation, rtol=0, atol=1e-3)
        # The cost of an angle jumps nowhere, but its slope does.
        np.testing.assert_allclose(ours.reward[0], reward, rtol=0, atol=1e-2)
    assert abs(original.unwrapped.state[0]) > 20 * np.pi


def test_an_acceleration_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match=r"g=inf is no acceleration; pass"):
        make(ID, g=float("inf"))


def test_spaces_and_the_time_limit_are_gymnasiums():
    classic_control.assert_declared_as_the_original(ID)


def test_resets_are_spread_as_gymnasiums():
    classic_control.assert_resets_agree(ID, low=(-np.pi, -1), high=(np.pi, 1))


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "python"])
def test_every_target_gives_the_oracles_bits(target):
    classic_control.assert_bits_agree(ID, target, spread=(3, 8), terminates=False)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is no machine code with the JIT off")
def test_a_step_uses_packed_instructions(monkeypatch, tmp_path):
    # Machine code that comes from the cache cannot be inspected.
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assembly = next(iter(cpu.vector_step(make(ID)).compiled.inspect_asm().values()))
    assert vectorised(assembly)
