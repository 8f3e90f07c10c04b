"""The one-state MDP: a reward of 1 a step, for ever or for `LIMIT` steps. It observes the episode's age in steps."""

import numpy as np

from workbench_kernels import Box, Discrete, Environment

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


def observe_nothing(i, state, observation):
    observation[0, i] = np.float32(0.0)


def _environment(name, step, limit):
    return Environment(
        id=name,
        state=("age",),
        observation=Box((0.0,), (float(LIMIT),)),
        action=Discrete(2),
        time_limit=limit,
        reset=reset,
        step=step,
        observe=observe,
    )


truncating = _environment("Truncating-v0", go_on, LIMIT)
terminating = _environment("Terminating-v0", end, 10**6)
