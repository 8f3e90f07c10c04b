"""PettingZoo environments: a healthy one, in which agents come and go, and some with one fault each."""

import functools

import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv
from pettingzoo.utils import parallel_to_aec

from workbench.checking.speed import LEAST_STEPS


class Healthy(ParallelEnv):
    """Each of three agents leaves at a step of its own."""

    metadata = {"name": "healthy", "render_modes": []}  # noqa: RUF012
    render_mode = None

    def __init__(self):
        self.possible_agents = ["a", "b", "c"]
        self.agents = []

    @functools.cache  # noqa: B019
    def observation_space(self, agent):
        return Box(-1, 1, (2,), np.float32)

    @functools.cache  # noqa: B019
    def action_space(self, agent):
        return Discrete(3)

    def reset(self, seed=None, options=None):
        if seed is not None or not hasattr(self, "random"):
            self.random = np.random.default_rng(seed)
        self.agents, self.age = list(self.possible_agents), 0
        self.ends = {agent: int(self.random.integers(5, 20)) for agent in self.agents}
        return self.observe(self.agents), {agent: {} for agent in self.agents}

    def observe(self, agents):
        return {agent: self.random.uniform(-1, 1, 2).astype(np.float32) for agent in agents}

    def step(self, actions):
        self.age += 1
        acting = list(self.agents)
        truncated = {agent: self.age >= self.ends[agent] for agent in acting}
        self.agents = [agent for agent in acting if not truncated[agent]]
        rewards = {agent: float(self.random.normal()) for agent in acting}
        return self.observe(acting), rewards, dict.fromkeys(acting, False), truncated, {agent: {} for agent in acting}

    def close(self):
        pass


def healthy_turns():
    return parallel_to_aec(Healthy())


class Vanishes(Healthy):
    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        if self.age == 3:
            self.agents.remove("b")
            del observations["b"]
        return observations, rewards, terminated, truncated, infos


class Stranger(Healthy):
    def reset(self, seed=None, options=None):
        observations, infos = super().reset(seed)
        self.agents.append("d")
        self.ends["d"] = 5
        return {**observations, **self.observe(["d"])}, {**infos, "d": {}}


class Unlisted(Healthy):
    def __init__(self):
        super().__init__()
        del self.possible_agents

    def reset(self, seed=None, options=None):
        self.possible_agents = ["a", "b", "c"]
        result = super().reset(seed)
        del self.possible_agents
        return result


class Blind(Healthy):
    def step(self, actions):
        observations, *rest = super().step(actions)
        if self.age == 4:
            del observations[self.agents[0]]
        return observations, *rest


class LeavesUnseen(Healthy):
    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        return {agent: observations[agent] for agent in self.agents}, rewards, terminated, truncated, infos


class Nobody(Healthy):
    def reset(self, seed=None, options=None):
        super().reset(seed)
        self.agents = []
        return {}, {}


class FreshSpaces(Healthy):
    def action_space(self, agent):
        return Discrete(3)


class Unlike(Healthy):
    @functools.cache  # noqa: B019
    def action_space(self, agent):
        return Discrete(3 if agent == "a" else 2)


class Named(Healthy):
    """The agents of every episode have names of their own."""

    def __init__(self):
        self.agents = []

    @property
    def possible_agents(self):
        raise AttributeError("possible_agents")

    def reset(self, seed=None, options=None):
        if seed is not None or not hasattr(self, "random"):
            self.random = np.random.default_rng(seed)
        self.age = 0
        self.agents = [f"walker {self.random.integers(10**9)}" for _ in range(2)]
        self.ends = dict.fromkeys(self.agents, 6)
        return self.observe(self.agents), {agent: {} for agent in self.agents}


class Shapeshifts(Named):
    """Agents keep their names, and have other spaces in every other episode."""

    wide = False

    def reset(self, seed=None, options=None):
        self.wide = not self.wide and seed is None
        super().reset(seed)
        self.agents = ["a", "b", "c"]
        self.ends = dict.fromkeys(self.agents, 6)
        return self.observe(self.agents), {agent: {} for agent in self.agents}

    def observation_space(self, agent):
        return self.spaces[self.wide][0]

    def action_space(self, agent):
        return self.spaces[self.wide][1]

    spaces = (Box(-1, 1, (2,), np.float32), Discrete(5)), (Box(-1, 1, (3,), np.float32), Discrete(2))

    def observe(self, agents):
        size = 2 + self.wide
        return {agent: self.random.uniform(-1, 1, size).astype(np.float32) for agent in agents}

    def step(self, actions):
        assert all(self.action_space(agent).contains(action) for agent, action in actions.items())
        return super().step(actions)


class Duck:
    """A parallel environment that is none of PettingZoo's classes."""

    __init__, reset, step, observe, close = (
        getattr(Healthy, name) for name in ("__init__", "reset", "step", "observe", "close")
    )
    observation_space, action_space = Healthy.observation_space, Healthy.action_space


class LeavesTerminated(Healthy):
    """Who is out is told no last observation, which is in order after a termination."""

    def reset(self, seed=None, options=None):
        result = super().reset(seed)
        self.ends["c"] = LEAST_STEPS  # the step after which the doctor looks at what copying costs
        return result

    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        observations = {agent: observations[agent] for agent in self.agents}
        return observations, rewards, truncated, terminated, infos


class ArrayFlag(Healthy):
    def step(self, actions):
        observations, rewards, terminated, *rest = super().step(actions)
        return observations, rewards, {agent: np.zeros(2, bool) for agent in terminated}, *rest


class ExitsUnderTest(Healthy):
    """Only PettingZoo's test asks a further copy for what is inside it."""

    copies = 0

    def __init__(self):
        super().__init__()
        type(self).copies += 1
        self.number = self.copies

    @property
    def unwrapped(self):
        if self.number > 1:
            raise SystemExit(3)
        return self


class OneNumber(Healthy):
    def step(self, actions):
        observations, rewards, *rest = super().step(actions)
        return observations, sum(rewards.values()), *rest


class Revives(Healthy):
    """What PettingZoo's own test refuses."""

    def step(self, actions):
        result = super().step(actions)
        if self.age == 12:
            self.agents = ["a", "b", "c"]
            self.ends = dict.fromkeys(self.agents, 15)
            result[0].update(self.observe(self.agents))
        return result


class WrongReward(Healthy):
    def step(self, actions):
        observations, rewards, *rest = super().step(actions)
        return observations, {**rewards, **({"c": None} if self.age == 2 else {})}, *rest


def never_removed():
    env = healthy_turns()
    inner = env.step

    def step(action):
        if action is not None:
            inner(action)

    env.step = step
    return env
