"""A healthy environment, and environments with one fault each."""

import random
import subprocess
import sys
import threading

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Sequence, Text, Tuple


class Healthy(gymnasium.Env):
    """A random walk: it ends by chance, and at step 40 at the latest."""

    observation_space = Box(-10, 10, (3,), np.float32)
    action_space = Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.age = 0
        self.position = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return self.observe(), self.info()

    def step(self, action):
        self.age += 1
        move = self.np_random.normal(scale=0.1, size=3).astype(np.float32)
        self.position = np.clip(self.position + move + action[0] / 10, -10, 10)
        return self.observe(), self.reward(), self.terminated(), self.age >= 40, self.info()

    def observe(self):
        return self.position.astype(np.float32)

    def reward(self):
        return float(self.position[0])

    def terminated(self):
        return bool(self.np_random.random() < 0.05)

    def info(self):
        return {"age": self.age}


class HealthyNested(Healthy):
    """Nested spaces on both sides, with a start and mixed dtypes."""

    observation_space = Dict(
        {"walk": Healthy.observation_space, "seen": Tuple((Discrete(3, start=1), MultiDiscrete([4, 5])))}
    )
    action_space = Dict({"move": Healthy.action_space, "turn": Discrete(3, start=-1)})

    def step(self, action):
        assert action["turn"] in (-1, 0, 1)
        return super().step(action["move"])

    def observe(self):
        return {"walk": super().observe(), "seen": (1 + self.age % 3, np.array([self.age % 4, self.age % 5]))}


class HealthyMasked(Healthy):
    """Forbids one action at a time, and refuses it."""

    action_space = Discrete(4, start=2)

    def mask(self):
        mask = np.ones(4, np.int8)
        mask[self.age % 4] = 0
        return mask

    def info(self):
        return {"age": self.age, "action_mask": self.mask()}

    def step(self, action):
        assert self.mask()[action - 2]
        return super().step(np.zeros(2, np.float32))


class NeedsArgument(Healthy):
    def __init__(self, size):
        self.size = size


class FailsToBuild(Healthy):
    def __init__(self):
        raise OSError("no licence for the simulator")


class NoEnvironment:
    def reset(self):
        return 0


class NoSpaces(Healthy):
    @property
    def observation_space(self):
        raise AttributeError("observation_space is set later")


class ForeignSpace(Healthy):
    observation_space = "Box(3)"


class ForeignAction(Healthy):
    action_space = 2


class TextSpace(Healthy):
    observation_space = Dict({"walk": Healthy.observation_space, "word": Text(5)})

    def observe(self):
        return {"walk": super().observe(), "word": "left"}


class SequenceAction(Healthy):
    action_space = Sequence(Discrete(2))

    def step(self, action):
        return super().step(np.zeros(2, np.float32))


class OldReset(Healthy):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0]


class OldStep(Healthy):
    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated or truncated, info


class NoSeed(Healthy):
    def reset(self, *, options=None):
        return super().reset()


class NoOptions(Healthy):
    def reset(self, *, seed=None):
        return super().reset(seed=seed)


class RaisesAtStep(Healthy):
    def step(self, action):
        if self.age == 20:
            self.age //= 0
        return super().step(action)


class RaisesAtReset(Healthy):
    def reset(self, *, seed=None, options=None):
        if seed is None:
            raise KeyError("seed")
        return super().reset(seed=seed)


class WrongShape(Healthy):
    def observe(self):
        return super().observe()[:2] if self.age == 3 else super().observe()


class WideDtype(Healthy):
    def observe(self):
        return super().observe().astype(np.float64)


class WrongDtype(Healthy):
    observation_space = Box(0, 255, (3,), np.uint8)

    def observe(self):
        return np.abs(super().observe())


class ListObservation(Healthy):
    def observe(self):
        return super().observe().tolist()


class NoNumbers(Healthy):
    def observe(self):
        return "left"


class OutOfBounds(Healthy):
    def observe(self):
        return super().observe() + np.float32(100) * (self.age == 7)


class DiscreteBeyond(Healthy):
    observation_space = Tuple((Discrete(4), Healthy.observation_space))

    def observe(self):
        return min(self.age, 4), super().observe()


class NotANumber(Healthy):
    def observe(self):
        return super().observe() * (np.float32("nan") if self.age == 5 else np.float32(1))


class MissingKey(HealthyNested):
    def observe(self):
        observation = super().observe()
        if self.age == 4:
            del observation["seen"]
        return observation


class ExtraKey(HealthyNested):
    def observe(self):
        return {**super().observe(), "more": 1}


class NoDict(HealthyNested):
    def observe(self):
        return super().observe()["walk"]


class NoTuple(HealthyNested):
    def observe(self):
        observation = super().observe()
        return {**observation, "seen": list(observation["seen"])}


class Aliased(Healthy):
    def observe(self):
        if not self.age:
            self.shown = np.empty(3, np.float32)
        self.shown[:] = self.position
        return self.shown


class UnboundedAction(Healthy):
    action_space = Box(-np.inf, np.inf, (2,), np.float32)


class WideAction(Healthy):
    action_space = Box(0, 2, (2,), np.float32)


class RaisesAtCorner(Healthy):
    def step(self, action):
        if (np.abs(action) == 1).all():
            raise ValueError("the arm has no room")
        return super().step(action)


class NotANumberAtCorner(Healthy):
    def step(self, action):
        with np.errstate(divide="ignore"):
            self.reach = np.float32(1) / (1 - np.abs(action).max())
        return super().step(action)

    def observe(self):
        return super().observe() * (0 if not self.age or np.isfinite(self.reach) else np.float32("nan"))


class Unseeded(Healthy):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None)


class SeedsOnce(Healthy):
    seeded = False

    def reset(self, *, seed=None, options=None):
        first, self.seeded = not self.seeded, True
        return super().reset(seed=seed if first else None)


class IgnoresSeed(Healthy):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=17 if seed is not None else None)


class NumpyRandom(Healthy):
    def observe(self):
        return np.clip(super().observe() + np.random.rand(3).astype(np.float32), -10, 10)  # noqa: NPY002


class PythonRandom(Healthy):
    def reward(self):
        return random.random()


class SeedsNumpy(Healthy):
    """Comes out the same, and spoils it for everybody else."""

    def reset(self, *, seed=None, options=None):
        np.random.seed(0)  # noqa: NPY002
        return super().reset(seed=seed)


class NoSecondReset(Healthy):
    ready = True

    def reset(self, *, seed=None, options=None):
        assert self.ready or seed is not None, "reset before the end of the episode"
        self.ready = False
        return super().reset(seed=seed)

    def step(self, action):
        result = super().step(action)
        self.ready = result[2] or result[3]
        return result


class Endless(Healthy):
    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        return observation, reward, False, False, info


class LimitAsTermination(Healthy):
    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        return observation, reward, self.age == 25, False, info


class IntegerFlag(Healthy):
    def terminated(self):
        return int(super().terminated())


class NoFlag(Healthy):
    def terminated(self):
        return "no" if super().terminated() else None


class ArrayFlag(Healthy):
    def step(self, action):
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, np.array([terminated, terminated]) & False, self.age >= 40, info


class ArrayReward(Healthy):
    def reward(self):
        return np.array([super().reward()])


class TextReward(Healthy):
    def reward(self):
        return str(super().reward())


class InfiniteReward(Healthy):
    def reward(self):
        return float("inf") if self.age == 9 else super().reward()


class HugeReward(Healthy):
    def reward(self):
        return 1e6 * super().reward()


class NoReward(Healthy):
    def reward(self):
        return 0.0


class NoInfo(Healthy):
    def info(self):
        return None


class ChangingInfo(Healthy):
    def info(self):
        return {"age": self.age, **({"bonus": 1} if self.age % 3 == 0 else {})}


class WrongMask(HealthyMasked):
    def info(self):
        return {"action_mask": self.mask()[:3]}

    def step(self, action):
        return Healthy.step(self, np.zeros(2, np.float32))


class NothingLegal(HealthyMasked):
    def mask(self):
        return np.zeros(4, np.int8) if self.age == 6 else super().mask()

    def step(self, action):
        return Healthy.step(self, np.zeros(2, np.float32))


class FloatMask(HealthyMasked):
    def info(self):
        return {"action_mask": self.mask().astype(np.float32)}


class LateMask(HealthyMasked):
    def info(self):
        return super().info() if self.age else {"age": 0}

    def step(self, action):
        return Healthy.step(self, np.zeros(2, np.float32))


class ContinuousMask(Healthy):
    def info(self):
        return {"action_mask": np.ones(2, np.int8)}


class ClosesOnce(Healthy):
    closed = False

    def close(self):
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class NeverCloses(Healthy):
    def close(self):
        raise RuntimeError("the server does not answer")


class LeavesThread(Healthy):
    """A test sets `end`, and the threads end."""

    end = threading.Event()

    def __init__(self):
        threading.Thread(target=self.end.wait, name="simulator", daemon=True).start()


class LeavesProcess(Healthy):
    """A test closes the standard input of `started`, and the processes end."""

    started = []  # noqa: RUF012

    def __init__(self):
        self.started.append(
            subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
        )
