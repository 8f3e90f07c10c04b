"""Gymnasium environments that misbehave on purpose."""

import gymnasium
import numpy as np


class Faulty(gymnasium.Env):
    """Counts its steps; from `at` on, returns a `value` that is no number as an observation or a reward."""

    observation_space = gymnasium.spaces.Box(-1e6, 1e6, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, at=10**9, what="reward", value=np.nan, length=7):
        self.at, self.what, self.value, self.length = at, what, value, length
        self.age = self.steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.age = 0
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        self.age += 1
        self.steps += 1
        bad = self.steps >= self.at
        observation = self.value if bad and self.what == "observation" else self.age
        reward = self.value if bad and self.what == "reward" else 1.0
        return np.array([observation], dtype=np.float32), reward, self.age >= self.length, False, {}


def register(name, **settings):
    gymnasium.register(name, entry_point=Faulty, kwargs=settings, disable_env_checker=True)
    return name
