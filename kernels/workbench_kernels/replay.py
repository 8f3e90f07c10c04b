"""What came after a remembered step. A kernel is one cell (t, i) of a batch [T, B]; a target supplies the loops.

Lanes have columns of C rows each, one behind the other: slot b * C + r is row r of lane b. A column is a ring, and its
rows follow in the order of time. A row is a step, or only an observation: one that an episode ended with, or the last.
"""

import numpy as np

ZERO = np.float32(0.0)
ONE = np.float32(1.0)


def look_ahead(t, i, slot, is_step, reward, terminated, rows, n, gamma, total, discount, successor):
    """Write the n-step return of a remembered step, and what to bootstrap it with (Sutton and Barto 2018, eq. 7.1).

        total    = r_t + gamma * r_{t+1} + ... + gamma**(m-1) * r_{t+m-1}
        discount = gamma**m, or 0 where the last of the m steps is terminated

    m is n, or fewer where the episode ends before, or has not come further yet. A time limit bootstraps from the
    observation it cut the episode at, which has the row behind its last step.

    Args:
        t, i: The cell.
        slot: [T, B] int64, of steps.
        is_step: [S] bool, whether a row is a step; S slots.
        reward: [S] float32, per step.
        terminated: [S] bool.
        rows: C, int64.
        n: int64, at least 1.
        gamma: float32 in [0, 1], per step.
        total, discount: [T, B] float32, written.
        successor: [T, B] int64, written: the slot of the observation to bootstrap from.
    """
    here = slot[t, i]
    column = here - here % rows
    running, factor = ZERO, ONE
    for _ in range(n):
        running += factor * reward[here]
        factor = ZERO if terminated[here] else factor * gamma
        here += 1
        if here == column + rows:
            here = column
        if not is_step[here]:
            break
    total[t, i] = running
    discount[t, i] = factor
    successor[t, i] = here
