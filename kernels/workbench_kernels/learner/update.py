"""PPO's updates on what was remembered: minibatches of blocks, gradients, clipping, Adam.

A block is L transitions, one of each lane of a tile. `rollout` leaves one step of all in a block; each epoch turns the
steps of each lane by a shift of its own: lanes whose episodes began together would fill a minibatch with transitions
that are all alike. T: horizon, P: parameters.
"""

import numpy as np

from workbench_kernels.learner.categorical import PARAMETERS, judge, slopes
from workbench_kernels.learner.network import backward, delta_at, forward, outputs_at, parameters_of, scratch_at
from workbench_kernels.learner.surrogate import LOG_ROWS, surrogate
from workbench_kernels.learner.team import DONE, STARTED, advance, claim, wait
from workbench_kernels.learner.tiles import LANE_COUNT, LANES, row_sums

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
TINY = np.float32(1e-8)
NORM_MARGIN = np.float32(1e-6)
SHARES = 8
"""Pieces of a minibatch: threads take one after another, and their gradients are summed in order."""


def filled(block, horizon, lanes):
    """Return how many lanes of a block's tile are in use."""
    return min(LANES, lanes - block // horizon * LANES)


def stagger(x, first, rows, horizon, shift, low, work):
    """Turn the steps of each lane of a tile by its shift.

    Args:
        x: Blocks of `rows` rows of L numbers that float32 can hold.
        first, horizon: The tile's first block, and T.
        shift, low: int32 in [0, T), of the tile's lanes from `low` on: the step that becomes the first.
        work: At least T rows.
    """
    stride, wide = np.uintp(rows * LANES), np.uintp(LANES)
    for k in range(rows):
        place = np.uintp(first * rows * LANES + k * LANES)
        for lane in range(LANE_COUNT):
            late = np.uintp(shift[low + lane])
            early = np.uintp(horizon) - late
            for t in range(early):
                work[t * wide + lane] = x[place + (late + t) * stride + lane]
            for t in range(late):
                work[(early + t) * wide + lane] = x[place + t * stride + lane]
        for t in range(np.uintp(horizon)):
            for lane in range(LANE_COUNT):
                x[place + t * stride + lane] = work[t * wide + lane]


def summed(first, horizon, count, work, advantage, total, scatter):
    """Write each block's sum of advantages, and of their squared distances from their mean.

    Args:
        first, horizon: The tile's first block, and T.
        count: How many lanes of the tile count; advantages of the others become 0.
        work: At least T rows.
        advantage: float32, blocks.
        total, scatter: float32 [blocks], written.
    """
    counted, share = np.uintp(count), ONE / np.float32(count)
    for t in range(horizon):
        at = np.uintp((first + t) * LANES)
        for lane in range(counted, LANE_COUNT):
            advantage[at + lane] = ZERO
        total[first + t] = ZERO
        scatter[first + t] = ZERO
    row_sums(total, first, advantage, first * LANES, horizon, LANES)
    for t in range(horizon):
        at, row = np.uintp((first + t) * LANES), np.uintp(t * LANES)
        mean = total[first + t] * share
        for lane in range(LANE_COUNT):
            off = advantage[at + lane] - mean
            work[row + lane] = off * off
        for lane in range(counted, LANE_COUNT):
            work[row + lane] = ZERO
    row_sums(scatter, first, work, 0, horizon, LANES)


def shuffle_tile(tile, shift, horizon, lanes, inputs, numbers, blocks, moments_of, work):
    """Stagger what is remembered of one tile, and sum its blocks; see `learn`."""
    observation, action, log_prob, _, _, _, advantage, target, _ = blocks
    first, low = tile * horizon, np.uintp(tile * LANES)
    for x in (log_prob, advantage, target):
        stagger(x, first, 1, horizon, shift, low, work)
    stagger(observation, first, inputs, horizon, shift, low, work)
    stagger(action, first, numbers, horizon, shift, low, work)
    total, scatter = moments_of
    summed(first, horizon, filled(first, horizon, lanes), work, advantage, total, scatter)


def moments(order, start, stop, horizon, lanes, total, scatter):
    """Return how many transitions the blocks order[start:stop] hold, their mean advantage and its deviation."""
    count = 0
    everything, square = 0.0, 0.0
    for n in range(start, stop):
        count += filled(order[n], horizon, lanes)
        everything += total[order[n]]
    mean = everything / count
    for n in range(start, stop):
        width = filled(order[n], horizon, lanes)
        off = total[order[n]] / width - mean
        square += scatter[order[n]] + width * off * off
    return count, np.float32(mean), np.float32(np.sqrt(square / count))


def share_gradient(
    share, order, start, stop, horizon, lanes, parameters, network, blocks, settings, count, mean, deviation, gradient,
    sums, work,
):  # fmt: skip
    """Sum the gradient and the logs of one share of a minibatch; see `learn`."""
    inputs, width, depth, outputs, activation = network
    observation, action, log_prob, _, _, _, advantage, target, _ = blocks
    clip, entropy_coefficient, value_coefficient, centre, bias = settings
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
        at, seen, counted = block * LANES, block * inputs * LANES, filled(block, horizon, lanes)
        forward(parameters, observation, seen, work, inputs, width, depth, outputs, activation)
        judge(work, results, scratch, outputs - 1, parameters, own, action, block)
        surrogate(
            work, values, slope, scratch, log_prob, advantage, target, at, counted, mean, inverse, scale, clip,
            value_coefficient, centre, bias, sums, share * LOG_ROWS,
        )  # fmt: skip
        slopes(
            work, results, delta, scratch, outputs - 1, parameters, own, action, block, counted,
            entropy_coefficient * scale, gradient, first + own,
        )  # fmt: skip
        backward(parameters, gradient, first, observation, seen, work, inputs, width, depth, outputs, activation)


def gathered(gradient, network, size):
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


def begin(leads, team, rounds):
    """Begin a round of pieces, `rounds` being done: the leader says so, and the others wait for it."""
    if leads:
        advance(team, STARTED)
    else:
        wait(team, STARTED, rounds + 1)


def learn(
    leads, order, shifts, minibatches, horizon, lanes, parameters, network, blocks, moments_of, settings, optimiser,
    mean, square, steps, gradient, sums, team, work,
):  # fmt: skip
    """Learn from the blocks in `order`, minibatch after minibatch; every thread of a team runs this.

    Args:
        leads: Whether this thread sums the shares and takes the optimiser's steps. One does.
        order: int64 [epochs, blocks], each row a permutation.
        shifts: int32 [epochs, tiles * L] in [0, T): by how many steps each lane's are turned.
        minibatches: Parts of an epoch, as equal as can be; at most the blocks.
        horizon, lanes: T and B; lanes beyond B do not count.
        parameters, network, blocks: As in `rollout.rollout`; the parameters are written, and the blocks turned.
        moments_of: float32 [blocks] each, written: sums of advantages, and of their squared distances from the mean.
        settings: Clip, entropy coefficient, value coefficient, and `surrogate`'s centre and bias; float32.
        optimiser: Learning rate, beta 1, beta 2, epsilon and the norm that the gradient is scaled down to; float64.
        mean, square: float32 [P], of Adam.
        steps: Adam's steps so far.
        gradient: float32 [SHARES * P], written; in the end it begins with the last minibatch's.
        sums: float64 [SHARES * 9], added to, as `surrogate.LOGS` orders them.
        team: The counters of `team`, all zero at first.
        work: This thread's workspace, as in `rollout.rollout`, and at least T rows.

    Returns:
        The updates taken, the transitions in them, and the sum of the gradients' norms.
    """
    inputs, width, depth, outputs, _ = network
    learning_rate, beta_1, beta_2, epsilon, greatest = optimiser
    count = parameters_of(inputs, width, depth, outputs) + PARAMETERS * (outputs - 1)
    total, scatter = moments_of
    tiles = (lanes + LANES - 1) // LANES
    numbers = outputs - 1 if PARAMETERS else 1
    rounds, pieces = 0, 0
    taken, transitions, norms = 0, 0, 0.0
    for epoch in range(order.shape[0]):
        row = order[epoch]
        begin(leads, team, rounds)
        tile = claim(team, pieces + tiles)
        while tile >= 0:
            shuffle_tile(tile - pieces, shifts[epoch], horizon, lanes, inputs, numbers, blocks, moments_of, work)
            advance(team, DONE)
            tile = claim(team, pieces + tiles)
        rounds += 1
        pieces += tiles
        wait(team, DONE, pieces)
        for part in range(minibatches):
            start, stop = part * row.shape[0] // minibatches, (part + 1) * row.shape[0] // minibatches
            held, middle, deviation = moments(row, start, stop, horizon, lanes, total, scatter)
            begin(leads, team, rounds)
            share = claim(team, pieces + SHARES)
            while share >= 0:
                share_gradient(
                    share - pieces, row, start, stop, horizon, lanes, parameters, network, blocks, settings, held,
                    middle, deviation, gradient, sums, work,
                )  # fmt: skip
                advance(team, DONE)
                share = claim(team, pieces + SHARES)
            rounds += 1
            pieces += SHARES
            taken += 1
            transitions += held
            if leads:
                wait(team, DONE, pieces)
                norm = np.float32(np.sqrt(gathered(gradient, network, count)))
                scale = min(ONE, np.float32(greatest) / (norm + NORM_MARGIN))
                adam(
                    parameters, gradient, count, scale, mean, square, steps + taken, learning_rate, beta_1, beta_2,
                    epsilon,
                )  # fmt: skip
                norms += np.float64(norm)
    return taken, transitions, norms
