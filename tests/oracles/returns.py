"""Advantages and episode totals written from their definitions, without a recursion."""

import numpy as np


def gae(reward, value, next_value, terminated, truncated, gamma, lam):
    """A_t = sum over l of (gamma * lam)^l * delta_{t+l}, up to the end of t's episode: O(T^2)."""
    horizon, lanes = reward.shape
    advantage = np.zeros((horizon, lanes))
    for i in range(lanes):
        for t in range(horizon):
            for k in range(t, horizon):
                bootstrap = 0.0 if terminated[k, i] else float(next_value[k, i])
                delta = float(reward[k, i]) + gamma * bootstrap - float(value[k, i])
                advantage[t, i] += (gamma * lam) ** (k - t) * delta
                if terminated[k, i] or truncated[k, i]:
                    break
    return advantage


def episodes(rewards, ended):
    """The (return, length) of every episode that ends, in order of time, then lane; rewards [T, B] start afresh."""
    totals = []
    for t, i in np.argwhere(ended):
        earlier = np.flatnonzero(ended[:t, i])
        start = earlier[-1] + 1 if len(earlier) else 0
        totals.append((rewards[start : t + 1, i].astype(np.float64).sum(), t + 1 - start))
    return totals
