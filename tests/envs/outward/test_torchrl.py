"""TorchRL over our lanes. The oracle is the vector environment itself, given the same actions."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from tests.envs.outward.guests import copied, equal, native, nested, transition, wrapped
from workbench.envs import NativeVectorEnvironment, environment, make
from workbench.envs.outward import as_torchrl
from workbench.errors import InputError

LANES = 4
MAKERS = {
    "discrete": lambda: native("CartPole-v1", LANES),
    "box, cut short": lambda: native("Pendulum-v1", LANES, time_limit=7),
    "pixels and masks": lambda: native("workbench/2048-v0", LANES, time_limit=9),
    "costs": lambda: native("workbench/ConstrainedGrid-v0", LANES, time_limit=9),
    "nested, in threads": lambda: nested(LANES, start=1, backend="threads", workers=2),
    "nested actions too": lambda: nested(LANES, joint=True),
}


@pytest.fixture(autouse=True)
def _seeded():
    import torch

    torch.manual_seed(0)


def arrays(value):
    """A tensor, or a nested dict of them, as arrays."""
    from tensordict import TensorDictBase

    value = value.to_dict() if isinstance(value, TensorDictBase) else value
    return {name: arrays(x) for name, x in value.items()} if isinstance(value, dict) else value.numpy()


def replay(rollout, reference, started=False):
    """Compare a rollout [B, T] with `reference`; return how many episodes ended."""
    observation = copied(reference.observation if started else reference.reset()[0])
    ends = 0
    for t in range(rollout.shape[1]):
        step = rollout[:, t]
        equal(arrays(step["observation"]), observation)
        if "action_mask" in step.keys():  # noqa: SIM118
            equal(arrays(step["action_mask"]), reference.action_mask)
        flags = [step[name].any() for name in ("done", "terminated", "truncated")]
        assert not any(flags)
        observation, after, reward, terminated, truncated = transition(reference, arrays(step["action"]))
        equal(arrays(step["next", "observation"]), after)
        for name, wanted in (("reward", reward), ("terminated", terminated), ("truncated", truncated)):
            equal(arrays(step["next", name]), wanted[:, None])
        equal(arrays(step["next", "done"]), (terminated | truncated)[:, None])
        if "cost" in step.keys():  # noqa: SIM118
            equal(arrays(step["next", "cost"]), reference.cost[:, None])
        ends += (terminated | truncated).sum()
    return ends


@pytest.mark.parametrize("kind", MAKERS)
def test_rollouts_are_the_vector_environments_transitions(kind):
    from torchrl.envs import check_env_specs

    env = as_torchrl(MAKERS[kind]())
    assert env.batch_size == (LANES,)
    rollout = env.rollout(60, break_when_any_done=False)
    assert replay(rollout, MAKERS[kind]()) > LANES
    check_env_specs(env)
    env.close()


def test_a_seed_begins_anew_and_a_reset_goes_on():
    env, reference = as_torchrl(native("CartPole-v1", LANES)), native("CartPole-v1", LANES)
    equal(arrays(env.reset()["observation"]), reference.reset()[0])
    equal(arrays(env.reset()["observation"]), reference.reset()[0])
    env.set_seed(12)
    equal(arrays(env.reset()["observation"]), reference.reset(seed=12)[0])
    equal(arrays(env.reset()["observation"]), reference.reset()[0])
    with pytest.raises(InputError, match="seed=-1"):
        env.set_seed(-1)


# TorchRL's own class, as its module is imported.
@pytest.mark.filterwarnings("ignore:Creating .* which inherits from WeightUpdaterBase is deprecated:DeprecationWarning")
def test_collectors_see_the_same_transitions():
    from torchrl.collectors import Collector
    from torchrl.envs.utils import RandomPolicy

    env = as_torchrl(native("CartPole-v1", LANES))
    collector = Collector(env, RandomPolicy(env.action_spec), frames_per_batch=40 * LANES, total_frames=80 * LANES)
    reference, ends = native("CartPole-v1", LANES), 0
    for k, batch in enumerate(collector):
        ends += replay(batch, reference, started=k > 0)
    assert ends > LANES
    collector.shutdown()


def test_a_step_counter_cuts_episodes_as_a_time_limit_does():
    """Lanes are reset in the midst of their episodes, and the others do not notice."""
    from torchrl.envs import StepCounter, TransformedEnv

    env = TransformedEnv(as_torchrl(native("CartPole-v1", LANES)), StepCounter(max_steps=13))
    reference = native("CartPole-v1", LANES, time_limit=13)
    assert replay(env.rollout(80, break_when_any_done=False), reference) > 4 * LANES
    guest = TransformedEnv(as_torchrl(nested(LANES)), StepCounter(max_steps=1))
    assert guest.rollout(2, break_when_any_done=False).shape == (LANES, 2)  # all lanes at once are reset
    guest = as_torchrl(nested(LANES))
    step = guest.reset()
    import torch

    step["_reset"] = torch.arange(LANES)[:, None] == 1
    with pytest.raises(InputError, match="cannot reset some lanes alone"):
        guest.reset(step)


def test_lanes_that_are_done_rest_until_all_are():
    env = as_torchrl(native("CartPole-v1", LANES))
    rollout = env.rollout(400, break_when_all_done=True)
    reference = native("CartPole-v1", LANES)
    observation, _ = reference.reset()
    alive = np.ones(LANES, bool)
    for t in range(rollout.shape[1]):
        step = rollout[:, t]
        equal(arrays(step["observation"])[alive], observation[alive])
        observation, after, _, terminated, truncated = transition(reference, arrays(step["action"]))
        equal(arrays(step["next", "observation"])[alive], after[alive])
        equal(arrays(step["next", "terminated"])[alive, 0], terminated[alive])
        alive &= ~(terminated | truncated)
    assert not alive.any()
    guest = as_torchrl(nested(LANES))
    with pytest.raises(InputError, match="cannot step some lanes alone"):
        guest.rollout(9, break_when_all_done=True)


def test_a_lane_that_is_not_stepped_stays_as_it_is():
    import torch

    inner = native("CartPole-v1", LANES)
    env, reference = as_torchrl(inner), native("CartPole-v1", LANES)
    step = env.reset()
    reference.reset()
    acting = np.array([True, False, True, False])
    before = [array.copy() for array in inner.buffers.arrays]
    step["action"], step["_step"] = torch.ones(LANES, dtype=torch.int64), torch.as_tensor(acting)
    following = env.step(step)["next"]
    _, after, reward, _, _ = transition(reference, np.ones(LANES, np.int64))
    equal(arrays(following["observation"])[acting], after[acting])
    equal(arrays(following["observation"])[~acting], arrays(step["observation"])[~acting])
    equal(arrays(following["reward"])[:, 0], np.where(acting, reward, 0))
    for array, content in zip(inner.buffers.arrays, before, strict=True):
        np.testing.assert_array_equal(array[..., ~acting], content[..., ~acting])


def test_a_lane_that_ended_waits_for_its_reset_while_others_are_stepped():
    import torch

    env, reference = as_torchrl(native("CartPole-v1", LANES)), native("CartPole-v1", LANES)
    step, ended = env.reset(), np.zeros(LANES, bool)
    reference.reset()
    while not ended.any():
        step["action"] = torch.ones(LANES, dtype=torch.int64)
        begin, _, _, terminated, truncated = transition(reference, np.ones(LANES, np.int64))
        step, ended = env.step_mdp(env.step(step)), terminated | truncated
    last = arrays(step["observation"]).copy()
    step["action"], step["_step"] = torch.ones(LANES, dtype=torch.int64), torch.as_tensor(~ended)
    step = env.step_mdp(env.step(step))
    equal(arrays(step["observation"])[ended], last[ended])
    assert step["done"][:, 0].numpy()[ended].all()
    others = arrays(step["observation"])[~ended].copy()
    step["_reset"] = torch.as_tensor(ended[:, None])
    step = env.reset(step)
    equal(arrays(step["observation"])[ended], begin[ended])
    equal(arrays(step["observation"])[~ended], others)
    step["_reset"] = torch.as_tensor(ended[:, None])
    step = env.reset(step)
    assert (arrays(step["observation"])[ended] != begin[ended]).all()
    equal(arrays(step["observation"])[~ended], others)


def test_actions_are_read_where_they_lie_and_results_are_nobody_elses():
    import torch

    class Watched(NativeVectorEnvironment):
        def step(self, actions):
            self.seen = actions.ctypes.data
            return super().step(actions)

    inner = Watched(environment("CartPole-v1"), LANES)
    env = as_torchrl(inner)
    step = env.reset()
    step["action"] = torch.ones(LANES, dtype=torch.int64)
    following = env.step(step)["next"]
    assert inner.seen == step["action"].data_ptr()
    results = [step["observation"], *(following[name] for name in ("observation", "reward", "terminated", "truncated"))]
    mine = [inner.observation, inner.reward, inner.terminated, inner.truncated]
    assert not any(np.shares_memory(x.numpy(), y) for x in results for y in mine)
    kept = following["observation"].clone()
    again = env.step(env.step_mdp(step).set("action", step["action"]))
    assert (following["observation"] == kept).all()
    assert (again["next", "observation"] != kept).any()


class Shown(gymnasium.Env):
    """Observes samples of a space, and takes pushes without an upper end or a lower one."""

    pushes = gymnasium.spaces.Box(np.array([0, -np.inf], np.float32), np.array([np.inf, 1], np.float32))

    def __init__(self, space, action_space=pushes):
        self.observation_space, self.action_space = space, action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(3)
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        return self.observation_space.sample(), 1.0, False, False, {}


@pytest.mark.parametrize(
    "space",
    [
        Shown.pushes,
        gymnasium.spaces.Box(-1, 1, (2,), np.float32),
        gymnasium.spaces.Box(-3e38, 3e38, (2,), np.float32),
        gymnasium.spaces.Dict(turn=gymnasium.spaces.Discrete(2), push=Shown.pushes),
    ],
)
def test_random_actions_are_numbers_whatever_the_bounds_and_keep_to_them(space):
    import torch
    from torchrl.envs import check_env_specs

    env = as_torchrl(make(Shown, 3, space=Shown.pushes, action_space=space))
    check_env_specs(env)
    rollout = env.rollout(30)
    assert rollout.shape == (3, 30)
    actions = rollout["action"] if isinstance(space, gymnasium.spaces.Box) else rollout["action", "continuous"]
    assert torch.isfinite(actions).all()
    assert len(actions.unique()) == actions.numel()


@pytest.mark.parametrize(
    ("space", "dtype"),
    [
        (gymnasium.spaces.Box(0, 2**16 - 1, (2,), np.uint16), np.int32),
        (gymnasium.spaces.Box(0, 2**32 - 1, (2,), np.uint32), np.int64),
        (gymnasium.spaces.MultiDiscrete([3, 2], dtype=np.uint16), np.int32),
        (gymnasium.spaces.MultiDiscrete([3, 2], dtype=np.int32, start=[1, 1]), np.int32),
    ],
)
def test_integers_that_torch_does_not_calculate_with_come_in_a_wider_dtype(space, dtype):
    from torchrl.envs import check_env_specs

    env, reference = as_torchrl(make(Shown, 3, space=space)), make(Shown, 3, space=space)
    check_env_specs(env)
    env, reference = as_torchrl(make(Shown, 3, space=space)), make(Shown, 3, space=space)
    seen = env.reset()["observation"].numpy()
    assert seen.dtype == dtype
    equal(seen, reference.reset()[0])


def test_what_does_not_fit_is_refused():
    for env, message in (
        (gymnasium.make_vec("CartPole-v1", 2), r"pass it through workbench.make first: workbench.make\(env, 2\)"),
        (wrapped(AutoresetMode.NEXT_STEP), "next-step autoreset.*build it with same-step autoreset"),
        (make(Shown, 2, space=gymnasium.spaces.Box(0, 9, (2,), np.uint64)), "uint64.* observe int64"),
        ("CartPole-v1", "is not a vector environment"),
        (native("workbench/SimpleSpread-v0", 2), "has 3 agents a lane.*PettingZooWrapper"),
        (nested(4, batch=2), "staggers its lanes"),
    ):
        with pytest.raises(InputError, match=message):
            as_torchrl(env)
    env = as_torchrl(native("CartPole-v1", 2))
    step = env.rand_action(env.reset())
    env.close()
    for call in (env.reset, lambda: env.step(step)):
        with pytest.raises(InputError, match="'CartPole-v1' is closed"):
            call()
