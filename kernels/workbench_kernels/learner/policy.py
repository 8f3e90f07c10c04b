"""Categorical policies on tiles: choices, and PPO's loss with its gradient. A: choices, L: lanes.

Rows of L floats, one after another from the place that is given: A logits and the value are a network's outputs.
"""

import numpy as np

from workbench_kernels.learner.tiles import LANE_COUNT, LANES, row_sums
from workbench_kernels.mathematics import exponential, logarithm
from workbench_kernels.rng import low_uniform, philox

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)

TOP, TOTAL, MEAN, CHOSEN = range(4)
"""Scratch rows: the greatest logit; the sum of exp(logit - top); the logits' mean under the policy; the chosen one."""

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
"""What is summed over transitions, in scratch rows after the first four."""

FIRST_LOG, LOG_ROWS, TALLY, SHARES = 4, len(LOGS), 15, 16
"""Scratch rows: where the logs begin, how many they are, the row of their sums, where those of one a choice begin."""

VALUE, ENTROPY, KL, CLIPPED, TARGET, TARGET_SQUARE, ERROR, ERROR_SQUARE = (
    np.uintp(n * LANES) for n in range(1, LOG_ROWS)
)


def normalise(work, outputs, scratch, choices):
    """Write exp(logit - top) of each choice to the rows behind the scratch rows, and the rows TOP and TOTAL."""
    top, total = np.uintp(scratch + TOP * LANES), np.uintp(scratch + TOTAL * LANES)
    logits = np.uintp(outputs)
    for lane in range(LANE_COUNT):
        work[top + lane] = work[logits + lane]
        work[total + lane] = ZERO
    for a in range(1, choices):
        logits = np.uintp(outputs + a * LANES)
        for lane in range(LANE_COUNT):
            work[top + lane] = max(work[top + lane], work[logits + lane])
    for a in range(choices):
        logits, shares = np.uintp(outputs + a * LANES), np.uintp(scratch + (SHARES + a) * LANES)
        for lane in range(LANE_COUNT):
            share = exponential(work[logits + lane] - work[top + lane])
            work[shares + lane] = share
            work[total + lane] += share


def choose(work, outputs, scratch, choices, action, log_prob, at, key, step, first):
    """Draw an action for each lane, by inverting the distribution with one uniform number.

    Args:
        work, outputs, scratch: Workspace, where its outputs and its scratch rows begin.
        choices: A.
        action: int32, written from `at` on.
        log_prob: float32, written from `at` on, in nats.
        at: The tile's place.
        key: uint64 of 32 bits, of the random numbers.
        step, first: uint64, their counters: the step, and the tile's first lane.
    """
    normalise(work, outputs, scratch, choices)
    top, total = np.uintp(scratch + TOP * LANES), np.uintp(scratch + TOTAL * LANES)
    point, chosen = np.uintp(scratch + MEAN * LANES), np.uintp(scratch + CHOSEN * LANES)
    at, logits = np.uintp(at), np.uintp(outputs)
    for lane in range(LANE_COUNT):
        uniform = low_uniform(philox(step, first + np.uint64(lane), key))
        work[point + lane] = uniform * work[total + lane]
        work[chosen + lane] = work[logits + lane]
        action[at + lane] = 0
    for a in range(choices - 1):
        shares, logits = np.uintp(scratch + (SHARES + a) * LANES), np.uintp(outputs + (a + 1) * LANES)
        following = np.int32(a + 1)
        for lane in range(LANE_COUNT):
            left = work[point + lane] - work[shares + lane]
            work[point + lane] = left
            action[at + lane] = following if left >= ZERO else action[at + lane]
            work[chosen + lane] = work[logits + lane] if left >= ZERO else work[chosen + lane]
    for lane in range(LANE_COUNT):
        log_prob[at + lane] = work[chosen + lane] - work[top + lane] - logarithm(work[total + lane])


def ppo_loss(
    work,
    outputs,
    delta,
    scratch,
    choices,
    action,
    log_prob,
    advantage,
    target,
    at,
    lanes,
    mean,
    inverse,
    scale,
    clip,
    entropy_coefficient,
    value_coefficient,
    tallies,
    into,
):
    """Write the gradient of PPO's loss (Schulman et al. 2017, eq. 9) in the outputs, and add what is logged.

    Args:
        work, outputs, delta, scratch: Workspace, where its outputs, their gradient and its scratch rows begin.
        choices: A.
        action: int32. log_prob, advantage, target: float32; each from `at` on.
        at: The tile's place.
        lanes: How many lanes of the tile count.
        mean, inverse: float32, of the minibatch's advantages: the mean, and one over the standard deviation.
        scale: float32, one over the transitions of the minibatch.
        clip, entropy_coefficient, value_coefficient: float32, of PPO.
        tallies, into: float64; nine sums are added from `into` on, as `LOGS` orders them.
    """
    normalise(work, outputs, scratch, choices)
    top, total = np.uintp(scratch + TOP * LANES), np.uintp(scratch + TOTAL * LANES)
    middle, chosen = np.uintp(scratch + MEAN * LANES), np.uintp(scratch + CHOSEN * LANES)
    at, counted, values = np.uintp(at), np.uintp(lanes), np.uintp(outputs + choices * LANES)
    for lane in range(LANE_COUNT):
        work[middle + lane] = ZERO
        work[chosen + lane] = ZERO
    for a in range(choices):
        logits, shares = np.uintp(outputs + a * LANES), np.uintp(scratch + (SHARES + a) * LANES)
        for lane in range(LANE_COUNT):
            logit = work[logits + lane]
            share = work[shares + lane] / work[total + lane]
            work[shares + lane] = share
            work[middle + lane] += share * logit
            work[chosen + lane] += logit if action[at + lane] == a else ZERO
    slope = np.uintp(delta + choices * LANES)
    first = np.uintp(scratch + FIRST_LOG * LANES)
    # Several short loops: the fewer rows one touches, the surer it vectorises.
    for lane in range(LANE_COUNT):
        level = work[top + lane] + logarithm(work[total + lane])
        work[first + KL + lane] = work[chosen + lane] - level - log_prob[at + lane]
        work[first + ENTROPY + lane] = level - work[middle + lane]
    for lane in range(LANE_COUNT):
        ratio = exponential(work[first + KL + lane])
        standard = (advantage[at + lane] - mean) * inverse
        free, held = ratio * standard, min(max(ratio, ONE - clip), ONE + clip) * standard
        # The surrogate's gradient in the log-probability; none where the clip holds it.
        work[top + lane] = -free * scale if free <= held else ZERO
        work[first + lane] = -min(free, held)
        work[first + KL + lane] = ratio - ONE - work[first + KL + lane]
        work[first + CLIPPED + lane] = ONE if abs(ratio - ONE) > clip else ZERO
    for lane in range(LANE_COUNT):
        wanted = target[at + lane]
        error = work[values + lane] - wanted
        work[slope + lane] = value_coefficient * error * scale
        work[first + VALUE + lane] = HALF * error * error
        work[first + TARGET + lane] = wanted
        work[first + TARGET_SQUARE + lane] = wanted * wanted
        work[first + ERROR + lane] = error
        work[first + ERROR_SQUARE + lane] = error * error
    for lane in range(counted, LANE_COUNT):
        work[top + lane] = ZERO
        work[slope + lane] = ZERO
        for k in range(LOG_ROWS):
            work[np.uintp(scratch + (FIRST_LOG + k) * LANES) + lane] = ZERO
    evenness = entropy_coefficient * scale
    for a in range(choices):
        logits, shares = np.uintp(outputs + a * LANES), np.uintp(scratch + (SHARES + a) * LANES)
        slope = np.uintp(delta + a * LANES)
        for lane in range(LANE_COUNT):
            share = work[shares + lane]
            taken = ONE if action[at + lane] == a else ZERO
            less_even = evenness * share * (work[logits + lane] - work[middle + lane])
            work[slope + lane] = (work[top + lane] * (taken - share) + less_even) if lane < counted else ZERO
    tally = scratch + TALLY * LANES
    for k in range(LOG_ROWS):
        work[tally + k] = ZERO
    row_sums(work, tally, work, first, LOG_ROWS, LANES)
    for k in range(LOG_ROWS):
        tallies[into + k] += work[tally + k]
