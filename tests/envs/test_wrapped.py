"""Vector environments that others built, in each of Gymnasium's three autoreset modes."""

import functools

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
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


class Brief(Masked):
    """Ends after `length` steps, and then forbids everything, as a game that is over does."""

    def __init__(self, length):
        self.length = length

    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        over = self.age >= self.length
        return observation, reward, over, False, {"action_mask": info["action_mask"] * (not over)}


@pytest.mark.parametrize("mode", MODES)
def test_masks_are_those_of_the_observation_to_act_on(mode):
    env = make(SyncVectorEnv([lambda: Brief(3), lambda: Brief(5)], autoreset_mode=mode), 2)
    env.reset(seed=0)
    for _ in range(12):
        for lane in np.flatnonzero(env.active):
            assert np.flatnonzero(~env.action_mask[lane]) == env.observation[lane]
        env.step(env.action_mask.argmax(1))
        assert not env.reward.any()


class Seldom(Masked):
    """Says only after action 1 what is legal."""

    def step(self, action):
        *result, info = super().step(action)
        return *result, info if action == 1 else {}


@pytest.mark.parametrize("mode", MODES)
def test_lanes_that_bring_no_mask_may_do_anything(mode):
    env = wrapped(Seldom, mode)
    env.reset()
    assert env.action_mask.tolist() == [[False, True, True]] * 3
    env.step([1, 2, 1])
    assert env.action_mask.tolist() == [[True, False, True], [True] * 3, [True, False, True]]
    env.step([2, 2, 2])
    assert env.action_mask.all()


class InObservation(gymnasium.Env):
    """Its observations are dictionaries that bring the action mask: after action k, k is the only legal one."""

    action_space = spaces.Discrete(3)

    def __init__(self, rest=("observation",), mask=None):
        self.rest = rest
        parts = {name: spaces.Box(0, 9, (1,), np.float32) for name in rest}
        self.observation_space = spaces.Dict({**parts, "action_mask": spaces.MultiBinary(3) if mask is None else mask})

    def _observe(self):
        mask = np.zeros(self.observation_space["action_mask"].shape, np.int8)
        mask[self.last : self.last + 1] = 1
        return {**{name: np.array([self.last], np.float32) for name in self.rest}, "action_mask": mask}

    def reset(self, *, seed=None, options=None):
        self.last, self.age = 0, 0
        return self._observe(), {}

    def step(self, action):
        self.last, self.age = int(action), self.age + 1
        return self._observe(), 0.0, self.age == 3, False, {}


@pytest.mark.parametrize("rest", [("observation",), ("board", "hand")])
@pytest.mark.parametrize("mode", MODES)
def test_masks_in_observations_are_taken_out_of_them_as_emulated_environments_do(mode, rest):
    env = wrapped(functools.partial(InObservation, rest), mode)
    emulated = make(InObservation, 3, rest=rest)
    assert env.single_observation_space == emulated.single_observation_space
    env.reset()
    emulated.reset()
    for action in range(1, 3):
        np.testing.assert_array_equal(env.action_mask, emulated.action_mask)
        np.testing.assert_array_equal(env.observation, emulated.observation)
        env.step([action] * 3)
        emulated.step([action] * 3)
    env.step([1, 1, 1])
    emulated.step([1, 1, 1])
    assert env.terminated.all()
    np.testing.assert_array_equal(env.final_observation, emulated.final_observation)


class Wrong(Masked):
    def __init__(self, mask):
        self.mask = mask

    def _out(self):
        return super()._out()[0], {"action_mask": np.array(self.mask, np.int8)}


def test_masks_that_do_not_fit_are_refused():
    for env, message in (
        (lambda: Wrong([1, 1]), "action_mask has 2 components, and the actions have 3 choices"),
        (lambda: Wrong([0, 0, 0]), "action_mask forbids every action; leave one legal"),
        (
            lambda: InObservation(mask=spaces.MultiBinary(4)),
            "action_mask has 4 components, and the actions have 3 choices",
        ),
    ):
        with pytest.raises(InputError, match=message):
            wrapped(env, AutoresetMode.SAME_STEP).reset()


def test_a_mask_that_comes_late_is_refused():
    class Late(Masked):
        def reset(self, **given):
            return super().reset(**given)[0], {}

    env = wrapped(Late, AutoresetMode.SAME_STEP)
    env.reset()
    with pytest.raises(InputError, match="action_mask comes with a step, and none came with the first reset"):
        env.step([1, 1, 1])


def test_masks_of_several_components_come_as_tuples():
    class Pair(Masked):
        action_space = spaces.MultiDiscrete([3, 2])

        def _out(self):
            observation, info = super()._out()
            return observation, {"action_mask": (info["action_mask"], np.array([1, 0]))}

        def step(self, action):
            return super().step(action[0])

    env = wrapped(Pair, AutoresetMode.NEXT_STEP)
    env.reset()
    env.step([[1, 0], [2, 0], [1, 0]])
    expected = [[True, False, True, True, False], [True, True, False, True, False], [True, False, True, True, False]]
    assert env.action_mask.tolist() == expected


class Keeper(gymnasium.vector.VectorEnv):
    """Keeps the actions it was given."""

    single_observation_space = observation_space = spaces.Box(0, 1, (1,), np.float32)

    def __init__(self, space):
        self.num_envs, self.single_action_space, self.kept = 2, space, []
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.action_space = gymnasium.vector.utils.batch_space(space, 2)

    def reset(self, *, seed=None, options=None):
        return np.zeros((2, 1), np.float32), {}

    def step(self, actions):
        self.kept.append(actions)
        return np.zeros((2, 1), np.float32), np.zeros(2), *np.zeros((2, 2), bool), {}


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(5, start=-2),
        spaces.Discrete(3, start=2**62),
        spaces.MultiDiscrete([3, 4], start=[-1, 5]),
        spaces.MultiDiscrete([[3, 2], [4, 5]], dtype=np.uint8),
        spaces.Box(-1, 2, (2, 3), np.float32),
        spaces.Box(0.1, 0.1 + 1e-12, (2,), np.float64),
        spaces.Box(-1, 1, (2,), np.float16),
        spaces.Dict(gear=spaces.Discrete(3), push=spaces.Box(-1, 1, (2,), np.float64)),
    ],
    ids=str,
)
def test_actions_are_decoded_alike_at_once_and_lane_by_lane(space):
    inner = Keeper(space)
    env = make(inner, 2)
    env.reset()
    env.single_action_space.seed(1)
    given = []
    for _ in range(3):
        samples = [env.single_action_space.sample() for _ in range(2)]
        flat = isinstance(env.single_action_space, spaces.Dict)
        env.step({name: np.stack([x[name] for x in samples]) for name in samples[0]} if flat else np.stack(samples))
        given.append(
            [env.heads.decode(d.copy(), c.copy()) for d, c in zip(env._discrete, env._continuous, strict=True)]
        )
    for kept, expected in zip(inner.kept, given, strict=True):  # each step has an array of its own
        assert inner.action_space.contains(kept)
        out = gymnasium.vector.utils.create_empty_array(space, 2)
        for got, want in zip(
            *map(leaves, (kept, gymnasium.vector.utils.concatenate(space, expected, out))), strict=True
        ):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)


def leaves(value):
    return list(value.values()) if isinstance(value, dict) else [value]


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


class Random(gymnasium.Env):
    observation_space, action_space = spaces.Box(0, 1, (1,), np.float64), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.random(1), {}

    def step(self, action):
        return self.np_random.random(1), 0.0, True, False, {}


def test_training_goes_on_with_fresh_episodes_after_each_evaluation(tmp_path):
    trainer = wb.Trainer(wrapped(Random, AutoresetMode.SAME_STEP), wb.PPO(horizon=8), run_dir=tmp_path / "run")
    begun = [trainer.env.observation[:, 0].tolist()]
    for _ in range(3):
        trainer.evaluate(6)
        begun.append(trainer.env.observation[:, 0].tolist())
        trainer.train(24)
    assert len({tuple(x) for x in begun}) == 4
    trainer.close()


def test_what_makes_no_sense_is_refused():
    env = gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync")
    with pytest.raises(InputError, match="lanes=3 does not fit env, which has 4"):
        wb.Trainer(env, lanes=3)
    with pytest.raises(InputError, match="backend='processes', workers=None given with a vector environment"):
        wb.Trainer(env, backend="processes")
    with pytest.raises(InputError, match="backend='serial' given with an environment that is built already"):
        make(env, 4, backend="serial")
    with pytest.raises(InputError, match=r"threads=2, timeout=3\.0 given with a vector environment, which is built"):
        make(env, 4, threads=2, timeout=3.0)
    assert isinstance(make(env, 4), WrappedVectorEnvironment)
    env.close()
