"""Environments for the tests of emulation: importable, so that workers find them."""

import os
import signal
import threading
import time
from types import MappingProxyType

import gymnasium
import numpy as np
from gymnasium import spaces


class Counter(gymnasium.Env):
    """Observes how many steps its episode has, and its seed; ends after `length` steps, alternately by either flag."""

    observation_space = spaces.Box(-1, 2**31, (2,), np.float64)
    action_space = spaces.Discrete(5, start=-2)

    def __init__(self, length=4):
        self.length, self.episodes, self.seed = length, 0, -1

    def reset(self, *, seed=None, options=None):
        self.seed = self.seed if seed is None else seed
        self.age = (options or {}).get("age", 0)
        return np.array([self.age, self.seed], np.float64), {}

    def step(self, action):
        assert -2 <= action <= 2
        self.age += 1
        over = self.age >= self.length
        self.episodes += over
        by_limit = over and self.episodes % 2 == 0
        return np.array([self.age, self.seed], np.float64), float(action), over and not by_limit, by_limit, {}


class Nested(gymnasium.Env):
    """Random nested observations and actions; remembers nothing but its random stream."""

    action_space = spaces.Dict({"push": spaces.Box(-2, 2, (2,), np.float64), "gear": spaces.MultiDiscrete([2, 3])})

    def __init__(self):
        self.observation_space = spaces.Dict(
            {
                "image": spaces.Box(0, 255, (5, 3), np.uint8),
                "parts": spaces.Tuple((spaces.Box(-1, 1, (2,), np.float32), spaces.Discrete(4, start=1))),
                "flags": spaces.MultiBinary(3),
            }
        )

    def _observe(self):
        return self.observation_space.sample()

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.observation_space.seed(seed)
        return self._observe(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        return self._observe(), float(action["push"].sum() + 10 * action["gear"].sum()), False, False, {}


class Masked(gymnasium.Env):
    """Forbids the action that was taken last, and counts as its reward how often it was taken all the same."""

    observation_space = spaces.Box(0, 3, (1,), np.float32)
    action_space = spaces.Discrete(3)

    def _out(self):
        mask = np.ones(3, np.int8)
        mask[self.last] = 0
        return np.array([self.last], np.float32), {"action_mask": mask}

    def reset(self, *, seed=None, options=None):
        self.last, self.age = 0, 0
        return self._out()

    def step(self, action):
        violated, self.last, self.age = action == self.last, int(action), self.age + 1
        observation, info = self._out()
        return observation, float(violated), False, self.age >= 9, info


class Failing(Counter):
    """Fails at step `at` of the copy that was seeded with `victim`, in the way that `how` names."""

    def __init__(self, how, at=3, victim=12):
        super().__init__(length=100)
        self.how, self.at, self.victim = how, at, victim

    def step(self, action):
        result = super().step(action)
        if self.seed == self.victim and self.age == self.at:
            if self.how == "raise":
                raise ArithmeticError("the pole broke")
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "hang":
                threading.Event().wait()
            return (np.zeros(3), *result[1:])
        return result


class Sleeper(Counter):
    """Takes a while, which is not the processor's."""

    def __init__(self, seconds=0.001):
        super().__init__(length=50)
        self.seconds = seconds

    def step(self, action):
        time.sleep(self.seconds)
        return super().step(action)


class Scripted:
    """A PettingZoo ParallelEnv (by its attributes) whose agents live as a script says.

    `script[t]` maps each agent that lives at time t to how it leaves with the step that follows: "" (it stays),
    "terminated", "truncated" or "gone" (without a word). Who is in `script[t + 1]` and not in `script[t]` is born. An
    agent observes [its number, t]; its reward is 100 * its number + t, plus its action.
    """

    metadata = MappingProxyType({"name": "scripted"})

    def __init__(self, script, possible=None):
        self.script = script
        if possible is not None:
            self.possible_agents = possible
        self.agents = []

    def observation_space(self, agent):
        return spaces.Box(-1, 1000, (2,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(7)

    def _observe(self, agents):
        return {agent: np.array([int(agent), self.t], np.float32) for agent in agents}

    def reset(self, seed=None, options=None):
        self.t = 0
        self.agents = list(self.script[0])
        return self._observe(self.agents), {agent: {} for agent in self.agents}

    def step(self, actions):
        assert set(actions) == set(self.agents)
        fates = self.script[self.t]
        rewards = {agent: 100.0 * int(agent) + self.t + actions[agent] for agent in self.agents}
        self.t += 1
        acted, over = self.agents, self.t >= len(self.script)
        self.agents = [] if over else list(self.script[self.t])
        terminated = {agent: fates[agent] == "terminated" for agent in acted}
        truncated = {agent: fates[agent] == "truncated" for agent in acted}
        if over:
            truncated |= {agent: True for agent in acted if fates[agent] == ""}
        seen = {agent for agent in acted if fates[agent] != "gone"} | set(self.agents)
        return self._observe(seen), rewards, terminated, truncated, {agent: {} for agent in seen}

    def close(self):
        pass
