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


def _steps(t, i, terminated, truncated):
    """The steps from t to the end of t's episode or of the batch."""
    for k in range(t, len(terminated)):
        yield k
        if terminated[k, i] or truncated[k, i]:
            return


def _bootstrap(k, i, next_value, terminated):
    return 0.0 if terminated[k, i] else float(next_value[k, i])


def n_step(reward, next_value, terminated, truncated, gamma, n):
    """G = sum over k < n of gamma^k r_{t+k}, plus gamma^n V, fewer steps where the episode or the batch ends: O(nT)."""
    target = np.zeros(reward.shape)
    for t, i in np.ndindex(*reward.shape):
        steps = list(_steps(t, i, terminated, truncated))[:n]
        target[t, i] = sum(gamma ** (k - t) * float(reward[k, i]) for k in steps)
        target[t, i] += gamma ** len(steps) * _bootstrap(steps[-1], i, next_value, terminated)
    return target


def lambda_return(reward, next_value, terminated, truncated, gamma, lam):
    """G = (1 - lam) * sum over n < N of lam^(n-1) G^(n), plus lam^(N-1) G^(N), N steps being left: O(T^3)."""
    target = np.zeros(reward.shape)
    longer = [n_step(reward, next_value, terminated, truncated, gamma, n + 1) for n in range(len(reward))]
    for t, i in np.ndindex(*reward.shape):
        left = len(list(_steps(t, i, terminated, truncated)))
        weights = [(1 - lam) * lam**n for n in range(left - 1)] + [lam ** (left - 1)]
        target[t, i] = sum(w * longer[n][t, i] for n, w in enumerate(weights))
    return target


def vtrace(ratio, reward, value, next_value, terminated, truncated, gamma, lam, rho_bar, c_bar):
    """Targets by the sum of Espeholt et al. 2018, eq. 1, and advantages from those targets: O(T^2)."""
    rho, c = np.minimum(rho_bar, ratio.astype(float)), lam * np.minimum(c_bar, ratio.astype(float))
    target, advantage = np.zeros(reward.shape), np.zeros(reward.shape)
    for t, i in np.ndindex(*reward.shape):
        target[t, i] = value[t, i]
        for k in _steps(t, i, terminated, truncated):
            delta = float(reward[k, i]) + gamma * _bootstrap(k, i, next_value, terminated) - float(value[k, i])
            target[t, i] += gamma ** (k - t) * np.prod(c[t:k, i]) * rho[k, i] * delta
    for t, i in np.ndindex(*reward.shape):
        following = _bootstrap(t, i, next_value, terminated)
        if t + 1 < len(reward) and not (terminated[t, i] or truncated[t, i]):
            following = lam * target[t + 1, i] + (1 - lam) * following
        advantage[t, i] = rho[t, i] * (float(reward[t, i]) + gamma * following - float(value[t, i]))
    return target, advantage


def retrace(ratio, reward, value, next_value, terminated, truncated, gamma, lam):
    """Targets by the sum of Munos et al. 2016, eq. 3: O(T^2)."""
    c = lam * np.minimum(1.0, ratio.astype(float))
    target = value.astype(float)
    for t, i in np.ndindex(*reward.shape):
        for k in _steps(t, i, terminated, truncated):
            delta = float(reward[k, i]) + gamma * _bootstrap(k, i, next_value, terminated) - float(value[k, i])
            target[t, i] += gamma ** (k - t) * np.prod(c[t + 1 : k + 1, i]) * delta
    return target


def episodes(rewards, ended, active):
    """The (return, active steps) of every episode that ends, in order of time, then lane; rewards are [T, B]."""
    totals = []
    for t, i in np.argwhere(ended):
        earlier = np.flatnonzero(ended[:t, i])
        start = earlier[-1] + 1 if len(earlier) else 0
        totals.append((rewards[start : t + 1, i].astype(np.float64).sum(), active[start : t + 1, i].sum()))
    return totals
