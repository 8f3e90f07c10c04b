"""The one-state MDP: a reward of 1 a step, for ever or for `LIMIT` steps. It observes the episode's age in steps."""

from types import SimpleNamespace

import numpy as np

from workbench_kernels.spaces import Box, Discrete

LIMIT = 5
ONE = np.float32(1.0)
END = np.float32(LIMIT)


def reset(i, state, random):
    state[0, i] = np.float32(0.0)


def go_on(i, state, action, reward, terminated, random):
    state[0, i] += ONE
    reward[i] = ONE
    terminated[i] = False


def end(i, state, action, reward, terminated, random):
    state[0, i] += ONE
    reward[i] = ONE
    terminated[i] = state[0, i] >= END


def observe(i, state, observation):
    observation[0, i] = state[0, i]


def _environment(name, step, limit):
    spaces = {"STATE": ("age",), "OBSERVATION": Box((0.0,), (float(LIMIT),)), "ACTIONS": Discrete(2)}
    return SimpleNamespace(ID=name, TIME_LIMIT=limit, reset=reset, step=step, observe=observe, **spaces)


class _Hashable(SimpleNamespace):
    __hash__ = object.__hash__


truncating = _Hashable(**vars(_environment("Truncating-v0", go_on, LIMIT)))
terminating = _Hashable(**vars(_environment("Terminating-v0", end, 10**6)))
