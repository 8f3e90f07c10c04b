"""Choices: the policy of a Discrete action, on tiles. A: choices, L: lanes of a tile.

`categorical` and `normal` have the same functions; a target binds one. The network's first A outputs are logits.
"""

import numpy as np

from workbench_kernels.learner.surrogate import ENTROPY_ROW, LOG_PROB_ROW, OWN, SLOPE
from workbench_kernels.learner.tiles import LANE_COUNT, LANES
from workbench_kernels.mathematics import exponential, logarithm
from workbench_kernels.rng import low_uniform, philox

ZERO = np.float32(0.0)
ONE = np.float32(1.0)

TOP, TOTAL, MEAN, CHOSEN = range(4)
"""Scratch rows: the greatest logit; the sum of exp(logit - top); the logits' mean under the policy; the chosen one."""

PARAMETERS = 0
"""Of its own, for each output."""


def normalise(work, outputs, scratch, choices):
    """Write exp(logit - top) of each choice to the policy's own rows, and the rows TOP and TOTAL."""
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
        logits, shares = np.uintp(outputs + a * LANES), np.uintp(scratch + (OWN + a) * LANES)
        for lane in range(LANE_COUNT):
            share = exponential(work[logits + lane] - work[top + lane])
            work[shares + lane] = share
            work[total + lane] += share


def choose(work, outputs, scratch, choices, parameters, own, action, log_prob, block, key, step, first):
    """Draw an action for each lane, by inverting the distribution with one uniform number.

    Args:
        work, outputs, scratch: Workspace, where its outputs and its scratch rows begin.
        choices: A.
        parameters, own: Not used.
        action: int32 [blocks, L], flat; block `block` is written.
        log_prob: float32, likewise, in nats.
        block: Of the tile and the step.
        key: uint64 of 32 bits, of the random numbers.
        step, first: Their counters: the step, and the tile's first lane.
    """
    normalise(work, outputs, scratch, choices)
    top, total = np.uintp(scratch + TOP * LANES), np.uintp(scratch + TOTAL * LANES)
    point, chosen = np.uintp(scratch + MEAN * LANES), np.uintp(scratch + CHOSEN * LANES)
    at, logits = np.uintp(block * LANES), np.uintp(outputs)
    count, stream = np.uint64(step), np.uint64(first)
    for lane in range(LANE_COUNT):
        uniform = low_uniform(philox(count, stream + np.uint64(lane), key))
        work[point + lane] = uniform * work[total + lane]
        work[chosen + lane] = work[logits + lane]
        action[at + lane] = 0
    for a in range(choices - 1):
        shares, logits = np.uintp(scratch + (OWN + a) * LANES), np.uintp(outputs + (a + 1) * LANES)
        following = np.int32(a + 1)
        for lane in range(LANE_COUNT):
            left = work[point + lane] - work[shares + lane]
            work[point + lane] = left
            action[at + lane] = following if left >= ZERO else action[at + lane]
            work[chosen + lane] = work[logits + lane] if left >= ZERO else work[chosen + lane]
    for lane in range(LANE_COUNT):
        log_prob[at + lane] = work[chosen + lane] - work[top + lane] - logarithm(work[total + lane])


def hand_over(chosen, action, block, low, count, choices, bounds):
    """Give the environment's lanes from `low` on their actions: chosen [B] int32."""
    at = np.uintp(block * LANES)
    for lane in range(count):
        chosen[low + lane] = action[at + lane]


def judge(work, outputs, scratch, choices, parameters, own, action, block):
    """Write the log-probabilities of a block's actions and the entropies to their scratch rows."""
    normalise(work, outputs, scratch, choices)
    top, total = np.uintp(scratch + TOP * LANES), np.uintp(scratch + TOTAL * LANES)
    middle, chosen = np.uintp(scratch + MEAN * LANES), np.uintp(scratch + CHOSEN * LANES)
    at = np.uintp(block * LANES)
    for lane in range(LANE_COUNT):
        work[middle + lane] = ZERO
        work[chosen + lane] = ZERO
    for a in range(choices):
        logits, shares = np.uintp(outputs + a * LANES), np.uintp(scratch + (OWN + a) * LANES)
        for lane in range(LANE_COUNT):
            logit = work[logits + lane]
            share = work[shares + lane] / work[total + lane]
            work[shares + lane] = share
            work[middle + lane] += share * logit
            work[chosen + lane] += logit if action[at + lane] == a else ZERO
    entropies, log_probs = np.uintp(scratch + ENTROPY_ROW * LANES), np.uintp(scratch + LOG_PROB_ROW * LANES)
    for lane in range(LANE_COUNT):
        level = work[top + lane] + logarithm(work[total + lane])
        work[log_probs + lane] = work[chosen + lane] - level
        work[entropies + lane] = level - work[middle + lane]


def slopes(work, outputs, delta, scratch, choices, parameters, own, action, block, lanes, evenness, gradient, into):
    """Write the loss's gradient in the logits, of that in the log-probability (row SLOPE) and an entropy bonus.

    Args:
        work, outputs, delta, scratch: Workspace, where its outputs, their gradient and its scratch rows begin.
        choices, action, block: As in `judge`, which went before.
        lanes: How many lanes of the tile count.
        evenness: float32, the weight of each transition's entropy.
        parameters, own, gradient, into: Not used: logits have no parameters beside the network's.
    """
    slope, middle = np.uintp(scratch + SLOPE * LANES), np.uintp(scratch + MEAN * LANES)
    at, counted = np.uintp(block * LANES), np.uintp(lanes)
    for a in range(choices):
        logits, shares = np.uintp(outputs + a * LANES), np.uintp(scratch + (OWN + a) * LANES)
        out = np.uintp(delta + a * LANES)
        for lane in range(LANE_COUNT):
            share = work[shares + lane]
            taken = ONE if action[at + lane] == a else ZERO
            less_even = evenness * share * (work[logits + lane] - work[middle + lane])
            work[out + lane] = work[slope + lane] * (taken - share) + less_even
        for lane in range(counted, LANE_COUNT):
            work[out + lane] = ZERO
