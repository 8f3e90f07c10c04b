"""PPO's updates on what was remembered: minibatches of blocks, gradients, clipping, Adam.

A block is L transitions, one of each lane of a tile, and each lane's of a step of its own: lanes whose episodes began
together would otherwise fill a minibatch with transitions that are all alike. P: parameters.
"""

import numpy as np

from workbench_kernels.learner.categorical import PARAMETERS, judge, slopes
from workbench_kernels.learner.network import backward, delta_at, forward, outputs_at, parameters_of, scratch_at
from workbench_kernels.learner.surrogate import ADVANTAGE, LOG_ROWS, OLD, SEEN, WANTED, surrogate
from workbench_kernels.learner.team import DONE, STARTED, advance, claim, wait
from workbench_kernels.learner.tiles import LANE_COUNT, LANES

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
TINY = np.float32(1e-8)
NORM_MARGIN = np.float32(1e-6)
SHARES = 8
"""Pieces of a minibatch: threads take one after another, and their gradients are summed in order."""


def filled(block, horizon, lanes):
    """Return how many lanes of a block's tile are in use."""
    return min(LANES, lanes - block // horizon * LANES)


def place_of(block, lane, horizon, shift):
    """Return where the transition of a lane of a block stands in arrays of one number a transition."""
    tile = block // horizon
    step = block - tile * horizon + np.int64(shift[tile * LANES + lane])
    return (tile * horizon + (step if step < horizon else step - horizon)) * LANES + lane


def moments(order, start, stop, shift, horizon, lanes, advantage):
    """Return how many transitions the blocks order[start:stop] hold, their mean advantage and its deviation."""
    count = 0
    total, square = 0.0, 0.0
    for n in range(start, stop):
        width = filled(order[n], horizon, lanes)
        count += width
        for lane in range(width):
            total += advantage[place_of(order[n], lane, horizon, shift)]
    mean = total / count
    for n in range(start, stop):
        for lane in range(filled(order[n], horizon, lanes)):
            off = advantage[place_of(order[n], lane, horizon, shift)] - mean
            square += off * off
    return count, np.float32(mean), np.float32(np.sqrt(square / count))


def gather(block, horizon, shift, blocks, inputs, numbers, picked, picked_action):
    """Copy the transitions of a block: rows of `picked` as `surrogate` orders them, and the actions' `numbers` rows."""
    observation, action, log_prob, _, _, _, advantage, target, _ = blocks
    seen = np.uintp(SEEN)
    for lane in range(LANE_COUNT):
        place = np.uintp(place_of(block, np.int64(lane), horizon, shift))
        picked[OLD + lane] = log_prob[place]
        picked[ADVANTAGE + lane] = advantage[place]
        picked[WANTED + lane] = target[place]
        first = place - lane
        for k in range(np.uintp(numbers)):
            picked_action[k * LANE_COUNT + lane] = action[first * np.uintp(numbers) + k * LANE_COUNT + lane]
        for k in range(np.uintp(inputs)):
            picked[seen + k * LANE_COUNT + lane] = observation[first * np.uintp(inputs) + k * LANE_COUNT + lane]


def share_gradient(
    share, order, start, stop, shift, horizon, lanes, parameters, network, blocks, settings, count, mean, deviation,
    gradient, sums, work, picked, picked_action,
):  # fmt: skip
    """Sum the gradient and the logs of one share of a minibatch; see `learn`."""
    inputs, width, depth, outputs, activation = network
    clip, entropy_coefficient, value_coefficient, centre, bias = settings
    own = parameters_of(inputs, width, depth, outputs)
    size = own + PARAMETERS * (outputs - 1)
    numbers = outputs - 1 if PARAMETERS else 1
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
        counted = filled(order[n], horizon, lanes)
        gather(order[n], horizon, shift, blocks, inputs, numbers, picked, picked_action)
        forward(parameters, picked, SEEN, work, inputs, width, depth, outputs, activation)
        judge(work, results, scratch, outputs - 1, parameters, own, picked_action, 0)
        surrogate(
            work, values, slope, scratch, picked, counted, mean, inverse, scale, clip, value_coefficient, centre,
            bias, sums, share * LOG_ROWS,
        )  # fmt: skip
        slopes(
            work, results, delta, scratch, outputs - 1, parameters, own, picked_action, 0, counted,
            entropy_coefficient * scale, gradient, first + own,
        )  # fmt: skip
        backward(parameters, gradient, first, picked, SEEN, work, inputs, width, depth, outputs, activation)


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
    leads, order, shifts, minibatches, horizon, lanes, parameters, network, blocks, settings, optimiser, mean, square,
    steps, gradient, sums, team, work, picked, picked_action,
):  # fmt: skip
    """Learn from the blocks in `order`, minibatch after minibatch; every thread of a team runs this.

    Args:
        leads: Whether this thread sums the shares and takes the optimiser's steps. One does.
        order: int64 [epochs, blocks], each row a permutation.
        shifts: int32 [epochs, tiles * L] in [0, T): how many steps later than the block's each lane's transition is,
            the first step following the last.
        minibatches: Parts of an epoch, as equal as can be; at most the blocks.
        horizon, lanes: T and B; lanes beyond B do not count.
        parameters, network, blocks: As in `rollout.rollout`; the parameters are written.
        settings: Clip, entropy coefficient, value coefficient, and `surrogate`'s centre and bias; float32.
        optimiser: Learning rate, beta 1, beta 2, epsilon and the norm that the gradient is scaled down to; float64.
        mean, square: float32 [P], of Adam.
        steps: Adam's steps so far.
        gradient: float32 [SHARES * P], written; in the end it begins with the last minibatch's.
        sums: float64 [SHARES * 9], added to, as `surrogate.LOGS` orders them.
        team: The counters of `team`, all zero at first.
        work: This thread's workspace.
        picked, picked_action: float32 [(3 + inputs) * L] and as a block's actions: this thread's copy of a block.

    Returns:
        The updates taken, the transitions in them, and the sum of the gradients' norms.
    """
    inputs, width, depth, outputs, _ = network
    learning_rate, beta_1, beta_2, epsilon, greatest = optimiser
    count = parameters_of(inputs, width, depth, outputs) + PARAMETERS * (outputs - 1)
    taken, transitions, norms = 0, 0, 0.0
    for epoch in range(order.shape[0]):
        row, shift = order[epoch], shifts[epoch]
        for part in range(minibatches):
            start, stop = part * row.shape[0] // minibatches, (part + 1) * row.shape[0] // minibatches
            held, middle, deviation = moments(row, start, stop, shift, horizon, lanes, blocks[6])
            if leads:
                advance(team, STARTED)
            else:
                wait(team, STARTED, taken + 1)
            share = claim(team, (taken + 1) * SHARES)
            while share >= 0:
                share_gradient(
                    share - taken * SHARES, row, start, stop, shift, horizon, lanes, parameters, network, blocks,
                    settings, held, middle, deviation, gradient, sums, work, picked, picked_action,
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
