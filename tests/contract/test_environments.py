"""What holds for every registered environment, on every target that runs here."""

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import ENVIRONMENTS, make
from workbench_kernels.spaces import Discrete

COMPILED = [name for name in TARGETS if name != "python"]
OUTPUTS = (
    "state",
    "random",
    "elapsed",
    "reward",
    "cost",
    "terminated",
    "truncated",
    "observation",
    "final_observation",
    "action_mask",
    "global_state",
    "final_global_state",
)


@pytest.fixture(params=sorted(ENVIRONMENTS))
def environment(request):
    return make(request.param)


class Actions:
    """Random actions; of the legal ones where the environment says which."""

    def __init__(self, lanes, seed):
        self.lanes, self.draw = lanes, np.random.default_rng(seed)

    def __call__(self):
        action, shape = self.lanes.environment.action, self.lanes.action.shape
        if not isinstance(action, Discrete):
            low, high = (np.broadcast_to(x, (action.size,))[:, None] for x in action.bounds())
            return self.draw.uniform(low, high, shape).astype(self.lanes.action.dtype)
        if not self.lanes.environment.has("action_mask"):
            return self.draw.integers(action.n, size=shape)
        score = self.draw.random(self.lanes.action_mask.shape) * self.lanes.action_mask
        return score.argmax(axis=-2)


def assert_equal(ours, oracle):
    for name in OUTPUTS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


@pytest.mark.parametrize("target", COMPILED)
def test_every_target_gives_the_oracles_bits(environment, target):
    lanes = 5 if target == "cpu" else 37  # one block, and three
    oracle = Lanes(environment, lanes, target="python", seed=11, limit=25)
    ours = Lanes(environment, lanes, target=target, seed=11, limit=25)
    assert_equal(ours, oracle)
    actions = Actions(oracle, seed=1)
    for _ in range(70):
        action = actions()
        oracle.step(action)
        ours.step(action)
        assert_equal(ours, oracle)


def test_observations_masks_and_rewards_are_what_the_description_says(environment):
    lanes = Lanes(environment, 64, seed=2)
    low, high = (x.reshape(-1, 1) for x in environment.observation.bounds())
    actions = Actions(lanes, seed=3)
    for _ in range(300):
        for name in ("observation", "final_observation"):
            assert (getattr(lanes, name) >= low).all(), name
            assert (getattr(lanes, name) <= high).all(), name
        assert np.isfinite(lanes.reward).all()
        assert np.isfinite(lanes.cost).all()
        assert np.isfinite(lanes.global_state).all()
        if environment.has("action_mask"):
            assert lanes.action_mask.any(axis=-2).all()
        action = actions()
        # Whatever stood there before must not matter.
        for name in ("observation", "reward", "terminated", "truncated", "action_mask", "global_state"):
            getattr(lanes, name)[...] = 1
        lanes.step(action)


def test_a_lane_depends_on_nothing_but_its_seed_and_its_number(environment):
    few, many = Lanes(environment, 3, seed=5), Lanes(environment, 20, seed=5)
    other = Lanes(environment, 20, seed=6)
    actions = Actions(many, seed=4)
    for _ in range(40):
        action = actions()
        many.step(action)
        few.step(action[..., :3])
        other.step(action)
        for name in OUTPUTS:
            if name != "final_observation":
                np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[..., :3], err_msg=name)
    assert (other.random != many.random).any()


def test_what_a_checkpoint_keeps_is_enough_to_go_on(environment):
    first, second = Lanes(environment, 6, seed=7), Lanes(environment, 6, seed=8)
    actions = Actions(first, seed=5)
    for _ in range(30):
        first.step(actions())
    for name in first.saved:
        getattr(second, name)[...] = getattr(first, name)
    for _ in range(30):
        action = actions()
        first.step(action)
        second.step(action)
        for name in ("state", "random", "elapsed", "reward", "cost", "observation", "action_mask", "global_state"):
            np.testing.assert_array_equal(getattr(second, name), getattr(first, name), err_msg=name)


def test_a_time_limit_truncates_and_the_lane_starts_again_unless_it_is_told_not_to(environment):
    lanes, kept = Lanes(environment, 8, seed=9, limit=1), Lanes(environment, 8, seed=9, limit=1)
    action = Actions(lanes, seed=6)()
    lanes.step(action)
    kept.step(action, autoreset=False)
    assert lanes.truncated.all()
    assert kept.truncated.all()
    assert (lanes.elapsed == 0).all()
    assert (kept.elapsed == 1).all()
    np.testing.assert_array_equal(lanes.final_observation, kept.observation)
    np.testing.assert_array_equal(lanes.final_global_state, kept.global_state)
    np.testing.assert_array_equal(lanes.reward, kept.reward)
    np.testing.assert_array_equal(lanes.terminated, kept.terminated)


def test_settings_outlive_resets(environment):
    lanes = Lanes(environment, 9, seed=10, limit=4)
    actions = Actions(lanes, seed=7)
    for _ in range(20):
        lanes.step(actions())
    for row, value in enumerate(environment.settings.values(), start=len(environment.state)):
        np.testing.assert_array_equal(lanes.state[row], np.asarray(value, lanes.state.dtype))


def test_episodes_end_and_every_environment_has_a_picture(environment):
    lanes = Lanes(environment, 32, seed=12, limit=min(environment.time_limit, 200))
    actions = Actions(lanes, seed=8)
    ended = 0
    for _ in range(210):
        lanes.step(actions())
        ended += int((np.all(lanes.terminated.reshape(-1, 32), axis=0) | lanes.truncated).sum())
    assert ended >= 32
    assert environment.picture is not None
