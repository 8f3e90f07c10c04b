"""What the adapters' tests share: copies of a vector environment's own transitions, and a guest with nested spaces."""

import gymnasium
import numpy as np

from workbench.envs import NativeVectorEnvironment, environment, make
from workbench.envs.outward.lanes import copied


def native(id, lanes, *, seed=3, time_limit=None, **options):
    return NativeVectorEnvironment(environment(id, **options), lanes, seed=seed, time_limit=time_limit)


def transition(env, actions):
    """What a step of `env` says, in copies: observation, successor, reward, terminated, truncated."""
    observation, reward, terminated, truncated, info = copied(env.step(actions))
    ended = terminated | truncated
    assert (info["_final_obs"] == ended).all()
    after = copied(observation)
    for part, final in zip(leaves(after), leaves(info["final_obs"]), strict=True):
        part[ended] = final[ended]
    return observation, after, reward, terminated, truncated


def leaves(nested):
    parts = nested.values() if isinstance(nested, dict) else nested if isinstance(nested, tuple) else None
    return [nested] if parts is None else [leaf for part in parts for leaf in leaves(part)]


def equal(one, other):
    assert len(leaves(one)) == len(leaves(other))
    for x, y in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)


class Nested(gymnasium.Env):
    """Counts its steps, as a number and as pixels; the first of its two flags and the push come back."""

    observation_space = gymnasium.spaces.Dict(
        count=gymnasium.spaces.Box(-1, 9, (1,), np.float32),
        pixels=gymnasium.spaces.Box(0, 255, (2, 3), np.uint8),
        flag=gymnasium.spaces.Discrete(3),
    )
    late = gymnasium.spaces.Dict({**observation_space, "flag": gymnasium.spaces.Discrete(3, start=1)})
    actions = gymnasium.spaces.MultiDiscrete([3, 2])
    both = gymnasium.spaces.Dict(flags=actions, push=gymnasium.spaces.Box(-1, 1, (2,), np.float32))

    def __init__(self, joint=False, start=0, length=4):
        if start:
            self.observation_space = self.late
        self.action_space = self.both if joint else self.actions
        self.joint, self.start, self.length = joint, start, length

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count, self.flag, self.goal = 0, 0, int(self.np_random.integers(2, self.length + 1))
        return self.observe(), {}

    def observe(self):
        return {
            "count": np.array([self.count], np.float32),
            "pixels": np.full((2, 3), self.count, np.uint8),
            "flag": np.int64(self.start + self.flag),
        }

    def step(self, action):
        flags = action["flags"] if self.joint else action
        self.count += 1
        self.flag = int(flags[0])
        reward = float(flags[1]) + (float(action["push"].sum()) if self.joint else 0.0)
        return self.observe(), reward, self.count >= self.goal, self.count >= self.length, {}


def nested(lanes, *, backend="serial", **options):
    return make(Nested, lanes, backend=backend, seed=5, **options)


def wrapped(mode):
    """Two lanes of Gymnasium's, with its autoreset `mode`."""
    env = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    return make(env, 2)
