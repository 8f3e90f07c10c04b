"""Recursions over time. A kernel is one cell (t, i) of a batch; a target supplies the loops over time and lanes.

T: horizon, B: lanes. With time as the target's loop, lanes are the inner one and vectorise.
"""

import numpy as np

ZERO = np.float32(0.0)
ONE = np.float32(1.0)


def gae(t, i, reward, value, next_value, terminated, ended, gamma, lam, advantage):
    """Write the generalised advantage estimate (Schulman et al. 2016, eq. 16), from the last step to the first.

        delta_t = r_t + gamma * (1 - terminated_t) * V(s'_t) - V(s_t)
        A_t     = delta_t + gamma * lam * (1 - ended_t) * A_{t+1}

    `terminated` cuts the bootstrap, `ended` (terminated or truncated) cuts the trace, so a time limit still bootstraps.

    Args:
        t, i: The cell.
        reward: [T, B] float32, reward units per step.
        value, next_value: [T, B] float32, V(s_t), and V of the successor *before* auto-reset; discounted return.
        terminated, ended: [T, B] bool; terminated implies ended.
        gamma, lam: float32 in [0, 1], per step.
        advantage: [T, B] float32, written. May not alias an input.
    """
    last = t == reward.shape[0] - 1
    following = ZERO if last else advantage[t + 1, i]
    bootstrap = ZERO if terminated[t, i] else next_value[t, i]
    trace = ZERO if ended[t, i] else following
    delta = reward[t, i] + gamma * bootstrap - value[t, i]
    advantage[t, i] = delta + gamma * lam * trace


def episodes(t, i, reward, ended, episode_return, episode_length):
    """Write the return and length of the running episode, this step included, from the first step to the last.

    Args:
        t, i: The cell.
        reward: [T, B] float32.
        ended: [T, B] bool, whether the episode ends with this step.
        episode_return: [T + 1, B] float32, row t + 1 written; row 0 is carried over from before, 0 at an episode's
            start.
        episode_length: [T + 1, B] int32, likewise, in steps. Where an episode ended, its totals stand; the next starts
            at 0.
    """
    fresh = t > 0 and ended[t - 1, i]
    episode_return[t + 1, i] = reward[t, i] + (ZERO if fresh else episode_return[t, i])
    episode_length[t + 1, i] = np.int32(1) + (np.int32(0) if fresh else episode_length[t, i])
