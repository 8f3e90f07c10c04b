"""Recursions over time. A kernel is one cell (t, i) of a batch; a target supplies the loops over time and lanes.

T: horizon, B: lanes. With time as the target's loop, lanes are the inner one and vectorise.
"""

import numpy as np

ZERO = np.float32(0.0)
ONE = np.float32(1.0)


def advantage_of(reward, value, bootstrap, trace, gamma, lam):
    """Return the advantage of one step, from the value of its successor and the advantage after it; see `gae`."""
    return reward + gamma * bootstrap - value + gamma * lam * trace


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
    advantage[t, i] = advantage_of(reward[t, i], value[t, i], bootstrap, trace, gamma, lam)


def lambda_return(t, i, reward, next_value, terminated, ended, gamma, lam, target):
    """Write the lambda-return (Sutton and Barto 2018, eq. 12.18), from the last step to the first.

        G_t = r_t + gamma * (1 - terminated_t) * ((1 - lam) * V(s'_t) + lam * G_{t+1})

    At a time limit and at the last row, V(s'_t) stands for G_{t+1}. With lam = 1 it is the discounted return, with
    lam = 0 the one-step target.

    Args:
        t, i: The cell.
        reward, next_value: [T, B] float32, as in `gae`.
        terminated, ended: [T, B] bool; terminated implies ended.
        gamma, lam: float32 in [0, 1], per step.
        target: [T, B] float32, discounted return, written. May not alias an input.
    """
    cut = t == reward.shape[0] - 1 or ended[t, i]
    following = next_value[t, i] if cut else target[t + 1, i]
    mixed = next_value[t, i] + lam * (following - next_value[t, i])
    target[t, i] = reward[t, i] + gamma * (ZERO if terminated[t, i] else mixed)


def n_step(t, i, reward, next_value, terminated, ended, gamma, target):
    """Lengthen the returns in `target` by one step (Sutton and Barto 2018, eq. 7.1), from the first step to the last.

        G_t^(n) = r_t + gamma * (1 - terminated_t) * G_{t+1}^(n-1)

    With G^(0) = V(s_t) at first, n passes give the n-step returns; they bootstrap where an episode is truncated and
    at the last row.

    Args:
        t, i: The cell.
        reward, next_value: [T, B] float32, as in `gae`.
        terminated, ended: [T, B] bool; terminated implies ended.
        gamma: float32 in [0, 1], per step.
        target: [T, B] float32, discounted return, read and written. May not alias an input.
    """
    cut = t == reward.shape[0] - 1 or ended[t, i]
    following = next_value[t, i] if cut else target[t + 1, i]
    target[t, i] = reward[t, i] + gamma * (ZERO if terminated[t, i] else following)


def vtrace(
    t, i, ratio, reward, value, next_value, terminated, ended, gamma, lam, rho_bar, c_bar, correction, advantage
):
    """Write the V-trace targets and advantages (Espeholt et al. 2018, eq. 1 and section 4.2), last step first.

        rho_t = min(rho_bar, ratio_t),  c_t = lam * min(c_bar, ratio_t)
        v_t - V(s_t) = rho_t * (r_t + gamma * V(s'_t) - V(s_t)) + gamma * c_t * (v_{t+1} - V(s_{t+1}))
        A_t          = rho_t * (r_t + gamma * (lam * v_{t+1} + (1 - lam) * V(s_{t+1})) - V(s_t))

    `terminated` cuts the bootstrap and `ended` the trace, as in `gae`. On-policy, ratio 1 and both bars at least 1, the
    correction and the advantage are both GAE.

    Args:
        t, i: The cell.
        ratio: [T, B] float32, pi(a_t | s_t) / mu(a_t | s_t) of the target and the behaviour policy.
        reward, value, next_value, terminated, ended, gamma, lam: As in `gae`.
        rho_bar, c_bar: float32, the truncation levels; 1 in the paper.
        correction: [T, B] float32, v_t - V(s_t), written; the critic's target is `value` + `correction`.
        advantage: [T, B] float32, written. Neither may alias an input.
    """
    cut = t == reward.shape[0] - 1 or ended[t, i]
    trace = ZERO if cut else correction[t + 1, i]
    bootstrap = ZERO if terminated[t, i] else next_value[t, i]
    rho, c = min(rho_bar, ratio[t, i]), min(c_bar, ratio[t, i])
    delta = reward[t, i] + gamma * bootstrap - value[t, i]
    correction[t, i] = rho * delta + gamma * lam * c * trace
    advantage[t, i] = rho * (delta + gamma * lam * trace)


def retrace(t, i, ratio, reward, value, next_value, terminated, ended, gamma, lam, correction):
    """Write the Retrace(lambda) correction of action values (Munos et al. 2016, eq. 4), last step first.

        c_t = lam * min(1, ratio_t)
        Q_t^ret - Q(s_t, a_t) = r_t + gamma * E_pi Q(s'_t, .) - Q(s_t, a_t)
                                + gamma * c_{t+1} * (Q_{t+1}^ret - Q(s_{t+1}, a_{t+1}))

    `terminated` cuts the bootstrap and `ended` the trace, as in `gae`.

    Args:
        t, i: The cell.
        ratio: [T, B] float32, pi(a_t | s_t) / mu(a_t | s_t) of the target and the behaviour policy.
        reward: [T, B] float32.
        value: [T, B] float32, Q(s_t, a_t).
        next_value: [T, B] float32, the mean of Q(s'_t, .) under pi, s'_t the successor before auto-reset.
        terminated, ended, gamma, lam: As in `gae`.
        correction: [T, B] float32, written; the critic's target is `value` + `correction`. May not alias an input.
    """
    cut = t == reward.shape[0] - 1 or ended[t, i]
    trace = ZERO if cut else min(ONE, ratio[t + 1, i]) * correction[t + 1, i]
    bootstrap = ZERO if terminated[t, i] else next_value[t, i]
    correction[t, i] = reward[t, i] + gamma * bootstrap - value[t, i] + gamma * lam * trace


def episodes(t, i, reward, ended, active, episode_return, episode_length):
    """Write the return and length of the running episode, this step included, from the first step to the last.

    Args:
        t, i: The cell.
        reward: [T, B] float32.
        ended: [T, B] bool, whether the episode ends with this step.
        active: [T, B] bool, whether an agent acts; steps without one are no part of the length.
        episode_return: [T + 1, B] float32, row t + 1 written; row 0 is carried over from before, 0 at an episode's
            start.
        episode_length: [T + 1, B] int32, likewise, in steps. Where an episode ended, its totals stand; the next starts
            at 0.
    """
    fresh = t > 0 and ended[t - 1, i]
    episode_return[t + 1, i] = reward[t, i] + (ZERO if fresh else episode_return[t, i])
    episode_length[t + 1, i] = np.int32(active[t, i]) + (np.int32(0) if fresh else episode_length[t, i])
