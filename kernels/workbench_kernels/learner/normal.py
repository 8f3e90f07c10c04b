"""Numbers: the policy of a Box action, on tiles: normal, its spread a parameter. K: numbers, L: lanes of a tile.

The functions are those of `categorical`. The network's first K outputs are means; K logarithms of standard deviations
stand behind the network's parameters. Samples are in units in which the bounds are [-1, 1].
"""

import numpy as np

from workbench_kernels.learner.surrogate import ENTROPY_ROW, LOG_PROB_ROW, OWN, SLOPE
from workbench_kernels.learner.tiles import LANE_COUNT, LANES
from workbench_kernels.mathematics import cosine, exponential, logarithm
from workbench_kernels.rng import high_uniform, low_uniform, philox

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)
MINUS_TWO = np.float32(-2.0)
TWO_PI = np.float32(6.28318530718)
HALF_LOG_TWO_PI = np.float32(0.918938533205)

PARAMETERS = 1
"""Of its own, for each output."""


def choose(work, outputs, scratch, numbers, parameters, own, action, log_prob, block, key, step, first):
    """Draw K numbers for each lane (Box and Muller 1958).

    Args:
        work, outputs, scratch: Workspace, where its outputs and its scratch rows begin.
        numbers: K.
        parameters, own: float32; the logarithms of the standard deviations begin at `own`.
        action: float32 [blocks, K, L], flat; block `block` is written, unclipped.
        log_prob: float32 [blocks, L], likewise, in nats.
        block: Of the tile and the step.
        key: uint64 of 32 bits, of the random numbers.
        step, first: Their counters: the step, and the tile's first lane.
    """
    at = np.uintp(block * LANES)
    stream = np.uint64(first)
    for lane in range(LANE_COUNT):
        log_prob[at + lane] = ZERO
    for k in range(numbers):
        log_std = parameters[own + k]
        std = exponential(log_std)
        means, row = np.uintp(outputs + k * LANES), np.uintp((block * numbers + k) * LANES)
        count = np.uint64(step * numbers + k)
        for lane in range(LANE_COUNT):
            bits = philox(count, stream + np.uint64(lane), key)
            radius = np.sqrt(MINUS_TWO * logarithm(ONE - low_uniform(bits)))
            deviate = radius * cosine(TWO_PI * high_uniform(bits))
            action[row + lane] = work[means + lane] + std * deviate
            log_prob[at + lane] -= HALF * deviate * deviate + log_std + HALF_LOG_TWO_PI


def hand_over(chosen, action, block, low, count, numbers, bounds):
    """Give the environment's lanes from `low` on their actions, in its units and bounds: chosen [K, B] float32.

    `bounds` are centre, half, low and high, float32 [K] each.
    """
    centre, half, least, greatest = bounds
    for k in range(numbers):
        row = np.uintp((block * numbers + k) * LANES)
        for lane in range(count):
            number = centre[k] + half[k] * action[row + lane]
            chosen[k, low + lane] = min(max(number, least[k]), greatest[k])


def judge(work, outputs, scratch, numbers, parameters, own, action, block):
    """Write the log-densities of a block's actions and the entropies to their scratch rows."""
    entropies, log_probs = np.uintp(scratch + ENTROPY_ROW * LANES), np.uintp(scratch + LOG_PROB_ROW * LANES)
    for lane in range(LANE_COUNT):
        work[log_probs + lane] = ZERO
        work[entropies + lane] = ZERO
    for k in range(numbers):
        log_std = parameters[own + k]
        narrowness = exponential(-log_std)
        means, row = np.uintp(outputs + k * LANES), np.uintp((block * numbers + k) * LANES)
        deviates = np.uintp(scratch + (OWN + k) * LANES)
        for lane in range(LANE_COUNT):
            deviate = (action[row + lane] - work[means + lane]) * narrowness
            work[deviates + lane] = deviate
            work[log_probs + lane] -= HALF * deviate * deviate + log_std + HALF_LOG_TWO_PI
            work[entropies + lane] += HALF + HALF_LOG_TWO_PI + log_std


def slopes(work, outputs, delta, scratch, numbers, parameters, own, action, block, lanes, evenness, gradient, into):
    """Write the loss's gradient in the means, of that in the log-density (row SLOPE), and add that in the spread.

    Args:
        work, outputs, delta, scratch: Workspace, where its outputs, their gradient and its scratch rows begin.
        numbers, parameters, own, action, block: As in `judge`, which went before.
        lanes: How many lanes of the tile count.
        evenness: float32, the weight of each transition's entropy.
        gradient, into: float32; K numbers are added from `into` on.
    """
    slope = np.uintp(scratch + SLOPE * LANES)
    for k in range(numbers):
        narrowness = exponential(-parameters[own + k])
        out, deviates = np.uintp(delta + k * LANES), np.uintp(scratch + (OWN + k) * LANES)
        wider = -evenness * np.float32(lanes)
        for lane in range(LANE_COUNT):
            work[out + lane] = work[slope + lane] * work[deviates + lane] * narrowness
        for lane in range(LANE_COUNT):
            wider += work[slope + lane] * (work[deviates + lane] * work[deviates + lane] - ONE)
        gradient[into + k] += wider
