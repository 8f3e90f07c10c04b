"""PPO's loss on tiles, of the log-probabilities that a policy wrote. L: lanes of a tile.

Scratch rows of L floats are shared by the policy (`categorical`, `normal`) and the loss.
"""

import numpy as np

from workbench_kernels.learner.tiles import LANE_COUNT, LANES, row_sums
from workbench_kernels.mathematics import exponential

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)

SLOPE = 0
"""Scratch row of the loss's gradient in the log-probability. Before, this and the next three are the policy's."""

LOGS = (
    "policy_loss",
    "value_loss",
    "entropy",
    "kl",
    "clip_fraction",
    "target",
    "target_square",
    "error",
    "error_square",
)
"""What is summed over transitions, in scratch rows after the first four. Before, the policy writes log-probabilities to
the divergence's row, and entropies."""

FIRST_LOG, LOG_ROWS, TALLY, OWN = 4, len(LOGS), 15, 16
"""Scratch rows: where the logs begin, how many they are, the row of their sums, where those of the policy's begin."""

ENTROPY_ROW, LOG_PROB_ROW = FIRST_LOG + 2, FIRST_LOG + 3
VALUE, ENTROPY, KL, CLIPPED, TARGET, TARGET_SQUARE, ERROR, ERROR_SQUARE = (
    np.uintp(n * LANES) for n in range(1, LOG_ROWS)
)


def surrogate(
    work,
    values,
    slope,
    scratch,
    log_prob,
    advantage,
    target,
    at,
    lanes,
    mean,
    inverse,
    scale,
    clip,
    value_coefficient,
    centre,
    bias,
    tallies,
    into,
):
    """Write the gradient of PPO's loss (Schulman et al. 2017, eq. 9) in log-probabilities and values, and add the logs.

    Args:
        work, values, slope, scratch: Workspace, where its values, their gradient and its scratch rows begin.
        log_prob, advantage, target: float32, of the block from `at` on.
        at: The block's place.
        lanes: How many lanes count; rows of the others become 0.
        mean, inverse: float32, of the minibatch's advantages: the mean, and one over the standard deviation.
        scale: float32, one over the transitions of the minibatch.
        clip, value_coefficient: float32, of PPO.
        centre, bias: float32, near the targets and near the errors: what is logged of these are distances from them, so
            that the squares keep their digits.
        tallies, into: float64; nine sums are added from `into` on, as `LOGS` orders them.
    """
    top, first = np.uintp(scratch + SLOPE * LANES), np.uintp(scratch + FIRST_LOG * LANES)
    at, counted, values, slope = np.uintp(at), np.uintp(lanes), np.uintp(values), np.uintp(slope)
    # Several short loops: the fewer rows one touches, the surer it vectorises.
    for lane in range(LANE_COUNT):
        log_ratio = work[first + KL + lane] - log_prob[at + lane]
        ratio = exponential(log_ratio)
        standard = (advantage[at + lane] - mean) * inverse
        free, held = ratio * standard, min(max(ratio, ONE - clip), ONE + clip) * standard
        work[top + lane] = -free * scale if free <= held else ZERO
        work[first + lane] = -min(free, held)
        work[first + KL + lane] = ratio - ONE - log_ratio
        work[first + CLIPPED + lane] = ONE if abs(ratio - ONE) > clip else ZERO
    for lane in range(LANE_COUNT):
        wanted = target[at + lane]
        error = work[values + lane] - wanted
        work[slope + lane] = value_coefficient * error * scale
        work[first + VALUE + lane] = HALF * error * error
        distance = wanted - centre
        work[first + TARGET + lane] = distance
        work[first + TARGET_SQUARE + lane] = distance * distance
        error -= bias
        work[first + ERROR + lane] = error
        work[first + ERROR_SQUARE + lane] = error * error
    for lane in range(counted, LANE_COUNT):
        work[top + lane] = ZERO
        work[slope + lane] = ZERO
        for k in range(LOG_ROWS):
            work[np.uintp(scratch + (FIRST_LOG + k) * LANES) + lane] = ZERO
    tally = scratch + TALLY * LANES
    for k in range(LOG_ROWS):
        work[tally + k] = ZERO
    row_sums(work, tally, work, first, LOG_ROWS, LANES)
    for k in range(LOG_ROWS):
        tallies[into + k] += work[tally + k]
