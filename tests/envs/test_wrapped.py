"""Vector environments that others built, in each of Gymnasium's three autoreset modes."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

import workbench as wb
from tests.envs.emulation.guests import Counter, Masked, Nested
from workbench.data import RolloutSource
from workbench.envs import WrappedVectorEnvironment, make
from workbench.errors import CheckpointError, EnvironmentFaultError, InputError
from workbench.spec import VectorEnvironment, spec_of

MODES = list(AutoresetMode)


def wrapped(env, mode, lanes=3):
    return make(SyncVectorEnv([env] * lanes, autoreset_mode=mode), lanes)


def transitions(env, steps, seed=5):
    """What each lane lives through: (observation, action, reward, terminated, truncated, successor)."""
    env.reset(seed=seed)
    found = [[] for _ in range(env.lanes)]
    for _ in range(steps):
        before, acts = env.observation.copy(), env.active.copy()
        # The action depends on the observation alone, so that every mode sees the same.
        actions = (before[:, 0].astype(int) + 1) % 5
        env.step(actions)
        ended = env.terminated | env.truncated
        for lane in np.flatnonzero(acts):
            after = env.final_observation[lane] if ended[lane] else env.observation[lane]
            flags = env.reward[lane], env.terminated[lane], env.truncated[lane]
            found[lane].append((*before[lane], actions[lane], *flags, *after))
    return found


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_transitions(mode):
    env = wrapped(Counter, mode)
    assert isinstance(env, VectorEnvironment)
    expected = transitions(make(Counter, 3), 20)
    for lane, found in enumerate(transitions(env, 26)):
        assert len(found) >= 20
        assert found[:20] == expected[lane]
    env.close()


@pytest.mark.parametrize("mode", MODES)
def test_rollouts_leave_out_the_steps_that_only_reset(mode):
    env = wrapped(Counter, mode)
    algorithm = wb.PPO(horizon=16)
    algorithm.setup(spec_of(env), torch.device("cpu"), {"weights": 0, "actions": 0, "shuffle": 0})
    rollout = algorithm.prepare(RolloutSource(env, 16, torch.device("cpu"), seed=0).collect(algorithm.act))
    valid = rollout.valid if "valid" in rollout.fields else torch.ones(16, 3, dtype=torch.bool)
    # Four steps an episode, and one to reset it where resets take one.
    assert valid.sum() == 3 * (13 if mode is AutoresetMode.NEXT_STEP else 16)
    age = rollout.observation[..., 0][valid]
    assert set(age.tolist()) == {0.0, 1.0, 2.0, 3.0}
    assert (rollout.final_observation[:, 0] == 4).all()
    assert len(rollout.final_index) == rollout.truncated[valid].sum()


def test_nested_spaces_and_asynchronous_environments_work():
    env = make(AsyncVectorEnv([Nested] * 2, autoreset_mode=AutoresetMode.SAME_STEP), 2)
    env.reset(seed=2)
    single = make(Nested, 2, seed=2)
    single.reset()
    actions = {"discrete": np.ones((2, 2), int), "continuous": np.full((2, 2), 0.5, np.float32)}
    for _ in range(3):
        np.testing.assert_array_equal(env.observation, single.observation)
        np.testing.assert_array_equal(env.step(actions)[1], single.step(actions)[1])
    env.close()


def test_masks_arrive():
    env = wrapped(Masked, AutoresetMode.SAME_STEP)
    env.reset()
    for _ in range(12):
        assert (env.action_mask.sum(1) == 2).all()
        env.step(env.action_mask.argmax(1))
        assert not env.reward.any()


def test_same_step_without_a_last_observation_is_a_fault():
    env = SyncVectorEnv([Counter] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    step = env.step
    env.step = lambda actions: (*step(actions)[:4], {})
    env = make(env, 2)
    env.reset()
    with pytest.raises(
        EnvironmentFaultError, match=r"lane 0 of 'SyncVectorEnv' ended without info\['final_obs'\] at step 4"
    ):
        for _ in range(4):
            env.step([0, 0])


@pytest.mark.parametrize("mode", MODES)
def test_a_trainer_takes_it_and_evaluates_in_it(tmp_path, mode):
    env = gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    trainer = wb.Trainer(env, wb.PPO(horizon=8), run_dir=tmp_path / "run")
    trainer.train(128)
    assert len(trainer.evaluate(episodes=6).returns) == 6
    trainer.train(128)
    assert 256 - 2 * 32 <= trainer.steps <= 256 + 2 * 32
    assert np.isfinite(trainer.metrics.to_pandas()["value_loss"]).all()
    trainer.close()
    with pytest.raises(
        CheckpointError, match=r"trained in a vector environment, 'CartPole-v1', .* pass it again as env="
    ):
        wb.load(tmp_path / "run")
    again = gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    loaded = wb.load(tmp_path / "run", env=again)
    assert loaded.steps == trainer.steps
    loaded.close()


def test_what_makes_no_sense_is_refused():
    env = gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync")
    with pytest.raises(InputError, match="lanes=3 does not fit env, which has 4"):
        wb.Trainer(env, lanes=3)
    with pytest.raises(InputError, match="backend='processes', workers=None given with a vector environment"):
        wb.Trainer(env, backend="processes")
    with pytest.raises(InputError, match="backend='serial' given with an environment that is built already"):
        make(env, 4, backend="serial")
    assert isinstance(make(env, 4), WrappedVectorEnvironment)
    env.close()
