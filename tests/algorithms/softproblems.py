"""Small problems whose soft optimum is known: a bandit with numbers for actions, and Markov decision processes.

Soft: the return counts alpha nats of the policy's entropy a step as reward.
"""

import numpy as np
import torch

from workbench.algorithms import SAC
from workbench.envs.native import NativeVectorEnvironment
from workbench.spec import spec_of
from workbench.training.learner import TorchLearner
from workbench.training.seeding import seeds_from
from workbench_kernels import Box, Discrete, Environment
from workbench_kernels.rng import uniform

GAMMA = 0.8
ONE, ZERO, HALF = np.float32(1.0), np.float32(0.0), np.float32(0.5)


def bandit(mu, bound):
    """Build a bandit: an action from -bound to bound, a reward of -(action - mu)**2 / 2, and the end."""
    best = np.float32(mu)

    def reset(i, state, random):
        state[0, i] = ZERO

    def step(i, state, action, reward, terminated, random):
        distance = action[0, i] - best
        reward[i] = -HALF * distance * distance
        terminated[i] = True

    def observe(i, state, observation):
        observation[0, i] = ONE

    return Environment(
        id="SoftBandit-v0",
        state=("nothing",),
        observation=Box((0.0,), (1.0,)),
        action=Box((-bound,), (bound,)),
        time_limit=10,
        reset=reset,
        step=step,
        observe=observe,
    )


def best_squashed_normal(mu, bound, alpha):
    """Return the median and the standard deviation, in units of the action, of the best tanh of a normal distribution.

    By gradient ascent on E[reward + alpha * entropy], a Gauss-Hermite quadrature of it in float64.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(100)
    z, w = torch.from_numpy(points), torch.from_numpy(weights / weights.sum())
    parameters = torch.tensor([0.0, -0.5], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], lr=0.5, max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14)

    def loss():
        optimiser.zero_grad()
        mean, log_std = parameters
        u = mean + log_std.exp() * z
        action = bound * torch.tanh(u)
        # The density of the action: that of u over the slope of the tanh, whose logarithm is -2 log cosh u.
        entropy = log_std - 2 * torch.log(torch.cosh(u))
        value = -((w * (-0.5 * (action - mu) ** 2 + alpha * entropy)).sum())
        value.backward()
        return value

    optimiser.step(loss)
    mean, log_std = parameters.detach()
    actions = bound * torch.tanh(mean + log_std.exp() * z)
    centre = (w * actions).sum()
    return float(bound * torch.tanh(mean)), float((w * (actions - centre) ** 2).sum().sqrt())


AGES = 5
"""Steps of the one state's episodes."""


def one_state(terminates):
    """Build the process of one state: a reward of 1 a step; after `AGES` steps it terminates, or a time limit cuts it.

    Nothing tells the age, so that the observation a time limit cuts at is one that is learned from elsewhere.
    """
    over = np.float32(AGES if terminates else 1e9)

    def reset(i, state, random):
        state[0, i] = ZERO

    def step(i, state, action, reward, terminated, random):
        state[0, i] += ONE
        reward[i] = ONE
        terminated[i] = state[0, i] >= over

    def observe(i, state, observation):
        observation[0, i] = ONE

    return Environment(
        id="OneState-v0",
        state=("age",),
        observation=Box((0.0,), (1.0,)),
        action=Discrete(2),
        time_limit=10**6 if terminates else AGES,
        reset=reset,
        step=step,
        observe=observe,
    )


STATES, CHOICES = 3, 2
REWARDS = np.array([[0.0, 0.5], [1.0, -0.5], [0.3, 0.0]], np.float32)
"""By state and choice, for every step."""
GO = np.array([[0.8, 0.3], [0.5, 0.9], [0.1, 0.6]], np.float32)
"""Probability to go on to the next state, the first behind the last; else one stays."""
END = np.array([[0.0, 0.0], [0.0, 0.3], [0.2, 0.0]], np.float32)
"""Probability that it is over with the step."""
LIMIT = 6


def _reset(i, state, random):
    state[0, i] = np.float32(np.int64(uniform(i, random) * np.float32(STATES)))


def _step(i, state, action, reward, terminated, random):
    now, choice = np.int64(state[0, i]), np.int64(action[i])
    reward[i] = REWARDS[now, choice]
    terminated[i] = uniform(i, random) < END[now, choice]
    if uniform(i, random) < GO[now, choice]:
        state[0, i] = np.float32((now + 1) % STATES)


def _observe(i, state, observation):
    for k in range(STATES):
        observation[k, i] = ONE if np.int64(state[0, i]) == k else ZERO


process = Environment(
    id="SoftProcess-v0",
    state=("state",),
    observation=Box((0.0,) * STATES, (1.0,) * STATES),
    action=Discrete(CHOICES),
    time_limit=LIMIT,
    reset=_reset,
    step=_step,
    observe=_observe,
)


def soft_values(alpha):
    """Return Q [STATES, CHOICES] of the best soft policy, which is softmax(Q / alpha): soft value iteration.

    The time limit is no part of the problem.
    """
    q = np.zeros((STATES, CHOICES))
    for _ in range(1000):
        v = alpha * np.log(np.exp(q / alpha).sum(1))
        q = REWARDS + GAMMA * (1.0 - END) * (GO * np.roll(v, -1)[:, None] + (1.0 - GO) * v[:, None])
    return q


def trained(environment, updates, lanes=16, **settings):
    """Take so many updates, a third of them with smaller steps; return the algorithm."""
    defaults = {"horizon": 4, "ratio": 0.25, "batch": 128, "width": 32, "activation": "silu", "learning_rate": 5e-3}
    defaults |= {"gamma": GAMMA, "polyak": 0.1, "tune_temperature": False, "learning_starts": 500, "capacity": 20_000}
    algorithm = SAC(**defaults | settings)
    env = NativeVectorEnvironment(environment, lanes, seed=0)
    seeds = seeds_from(1)
    algorithm.setup(spec_of(env), torch.device("cpu"), seeds)
    learner = TorchLearner(algorithm, env, torch.device("cpu"), seeds["environment"])
    steps = updates / algorithm.ratio + algorithm.learning_starts
    while (done := learner.source.collected * lanes) < steps:
        if done > 0.67 * steps:
            algorithm.learning_rate = 5e-4
        learner.collect()
        learner.learn()
    return algorithm
