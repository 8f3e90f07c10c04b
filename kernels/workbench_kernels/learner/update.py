"""PPO's updates on what was remembered: minibatches of blocks, gradients, clipping, Adam.

A block is one step of one tile: L transitions. P: parameters.
"""

import numpy as np

from workbench_kernels.learner.categorical import PARAMETERS, judge, slopes
from workbench_kernels.learner.network import backward, delta_at, forward, outputs_at, parameters_of, scratch_at
from workbench_kernels.learner.surrogate import LOG_ROWS, surrogate
from workbench_kernels.learner.team import DONE, STARTED, advance, claim, wait
from workbench_kernels.learner.tiles import LANES

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
TINY = np.float32(1e-8)
NORM_MARGIN = np.float32(1e-6)
SHARES = 8
"""Pieces of a minibatch: threads take one after another, and their gradients are summed in order."""


def moments(order, start, stop, horizon, lanes, advantage):
    """Return how many transitions the blocks order[start:stop] hold, their mean advantage and its deviation."""
    count = 0
    total, square = 0.0, 0.0
    for n in range(start, stop):
        at = order[n] * LANES
        width = min(LANES, lanes - order[n] // horizon * LANES)
        count += width
        for lane in range(width):
            total += advantage[at + lane]
    mean = total / count
    for n in range(start, stop):
        at = order[n] * LANES
        for lane in range(min(LANES, lanes - order[n] // horizon * LANES)):
            off = advantage[at + lane] - mean
            square += off * off
    return count, np.float32(mean), np.float32(np.sqrt(square / count))


def share_gradient(
    share, order, start, stop, horizon, lanes, parameters, network, blocks, settings, count, mean, deviation, gradient,
    sums, work,
):  # fmt: skip
    """Sum the gradient and the logs of one share of a minibatch; see `learn`."""
    inputs, width, depth, outputs, activation = network
    observation, action, log_prob, _, _, _, advantage, target, _ = blocks
    clip, entropy_coefficient, value_coefficient = settings
    own = parameters_of(inputs, width, depth, outputs)
    size = own + PARAMETERS * (outputs - 1)
    first = share * size
    begin = np.uintp(first)
    for p in range(np.uintp(size)):
        gradient[begin + p] = ZERO
    scale, inverse = ONE / np.float32(count), ONE / (deviation + TINY)
    results, delta, scratch = (
        outputs_at(width, depth),
        delta_at(width, depth, outputs),
        scratch_at(width, depth, outputs),
    )
    values, slope = results + (outputs - 1) * LANES, delta + (outputs - 1) * LANES
    for n in range(start + share * (stop - start) // SHARES, start + (share + 1) * (stop - start) // SHARES):
        block = order[n]
        seen = block * inputs * LANES
        filled = min(LANES, lanes - block // horizon * LANES)
        forward(parameters, observation, seen, work, inputs, width, depth, outputs, activation)
        judge(work, results, scratch, outputs - 1, parameters, own, action, block)
        surrogate(
            work, values, slope, scratch, log_prob, advantage, target, block * LANES, filled, mean, inverse, scale,
            clip, value_coefficient, sums, share * LOG_ROWS,
        )  # fmt: skip
        slopes(
            work, results, delta, scratch, outputs - 1, parameters, own, action, block, filled,
            entropy_coefficient * scale, gradient, first + own,
        )  # fmt: skip
        backward(parameters, gradient, first, observation, seen, work, inputs, width, depth, outputs, activation)


def summed(gradient, network, size):
    """Sum the shares' gradients into the first, in the parameters' order; return the square of its norm."""
    inputs, width = network[:2]
    for share in range(1, SHARES):
        first = np.uintp(share * size)
        for p in range(np.uintp(size)):
            gradient[p] += gradient[first + p]
    # The space of the second share holds the first layer while it is turned.
    spare = size
    for p in range(inputs * width):
        gradient[spare + p] = gradient[p]
    for r in range(width):
        for k in range(inputs):
            gradient[r * inputs + k] = gradient[spare + k * width + r]
    square = 0.0
    for p in range(size):
        square += np.float64(gradient[p]) * np.float64(gradient[p])
    return square


def power(base, exponent):
    """Return base**exponent, the exponent a whole number of at least 0, without a library's call."""
    result = 1.0
    while exponent > 0:
        if exponent % 2 == 1:
            result *= base
        base *= base
        exponent //= 2
    return result


def adam(parameters, gradient, size, scale, mean, square, steps, learning_rate, beta_1, beta_2, epsilon):
    """Take one step of Adam (Kingma and Ba 2015, algorithm 1) against `gradient` times `scale`; `steps` counts it."""
    correction = np.float32(1.0 - power(beta_1, steps))
    root = np.float32(np.sqrt(1.0 - power(beta_2, steps)))
    second, new, new_square = np.float32(beta_2), np.float32(1.0 - beta_1), np.float32(1.0 - beta_2)
    rate, small = np.float32(learning_rate) / correction, np.float32(epsilon)
    for p in range(np.uintp(size)):
        slope = gradient[p] * scale
        mean[p] += new * (slope - mean[p])
        square[p] = second * square[p] + new_square * slope * slope
        parameters[p] -= rate * mean[p] / (np.sqrt(square[p]) / root + small)


def learn(
    leads, order, size, horizon, lanes, parameters, network, blocks, settings, optimiser, mean, square, steps, gradient,
    sums, team, work,
):  # fmt: skip
    """Learn from the blocks in `order`, minibatch after minibatch; every thread of a team runs this.

    Args:
        leads: Whether this thread sums the shares and takes the optimiser's steps. One does.
        order: int64 [epochs, blocks], each row a permutation.
        size: Blocks of a minibatch; the last of an epoch holds the rest.
        horizon, lanes: T and B; lanes beyond B do not count.
        parameters, network, blocks: As in `rollout.rollout`; the parameters are written.
        settings: Clip, entropy coefficient and value coefficient, float32.
        optimiser: Learning rate, beta 1, beta 2, epsilon and the norm that the gradient is scaled down to; float64.
        mean, square: float32 [P], of Adam.
        steps: Adam's steps so far.
        gradient: float32 [SHARES * P], written; in the end it begins with the last minibatch's.
        sums: float64 [SHARES * 9], added to, as `surrogate.LOGS` orders them.
        team: The counters of `team`, all zero at first.
        work: This thread's workspace.

    Returns:
        The updates taken, the transitions in them, and the sum of the gradients' norms.
    """
    inputs, width, depth, outputs, _ = network
    learning_rate, beta_1, beta_2, epsilon, greatest = optimiser
    count = parameters_of(inputs, width, depth, outputs) + PARAMETERS * (outputs - 1)
    taken, transitions, norms = 0, 0, 0.0
    for epoch in range(order.shape[0]):
        row = order[epoch]
        for start in range(0, row.shape[0], size):
            stop = min(start + size, row.shape[0])
            held, middle, deviation = moments(row, start, stop, horizon, lanes, blocks[6])
            if leads:
                advance(team, STARTED)
            else:
                wait(team, STARTED, taken + 1)
            share = claim(team, (taken + 1) * SHARES)
            while share >= 0:
                share_gradient(
                    share - taken * SHARES, row, start, stop, horizon, lanes, parameters, network, blocks, settings,
                    held, middle, deviation, gradient, sums, work,
                )  # fmt: skip
                advance(team, DONE)
                share = claim(team, (taken + 1) * SHARES)
            taken += 1
            transitions += held
            if leads:
                wait(team, DONE, taken * SHARES)
                norm = np.float32(np.sqrt(summed(gradient, network, count)))
                scale = min(ONE, np.float32(greatest) / (norm + NORM_MARGIN))
                adam(
                    parameters, gradient, count, scale, mean, square, steps + taken, learning_rate, beta_1, beta_2,
                    epsilon,
                )  # fmt: skip
                norms += np.float64(norm)
    return taken, transitions, norms
