"""A multilayer perceptron on tiles. I: inputs, W: units a hidden layer, D: hidden layers, O: outputs, L: lanes.

The workspace of one worker, in rows of L floats:

    hidden    D * W    what the hidden layers give
    inner     D * W    what their activations were given
    outputs   O
    delta     O        the loss's gradient in the outputs
    error     2 * W    the loss's gradient in a hidden layer, and in the one below
    turned    W        a tile, transposed
    scratch   SCRATCH + O
"""

import numpy as np

from workbench_kernels.learner.tiles import ANY, LANES, SUMS, ZEROS, dense, row_sums, transpose
from workbench_kernels.mathematics import exponential

RELU, TANH, SILU = range(3)
ACTIVATIONS = {"relu": RELU, "tanh": TANH, "silu": SILU}
SCRATCH = 16
"""Rows beside one for each output, for what else is computed of a tile."""

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
TWO = np.float32(2.0)


def parameters_of(inputs, width, depth, outputs):
    """Return how many parameters the network has."""
    return (inputs + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * outputs


def rows_of(width, depth, outputs):
    """Return how many rows of L floats a workspace has."""
    return 2 * depth * width + 2 * outputs + 3 * width + SCRATCH + outputs


def outputs_at(width, depth):
    """Return where the outputs begin in a workspace."""
    return 2 * depth * width * LANES


def delta_at(width, depth, outputs):
    """Return where the gradient in the outputs begins in a workspace."""
    return outputs_at(width, depth) + outputs * LANES


def scratch_at(width, depth, outputs):
    """Return where the scratch rows begin in a workspace."""
    return delta_at(width, depth, outputs) + (outputs + 3 * width) * LANES


def activate(work, at, inner, count, activation):
    """Apply the activation to `count` floats at `at`; what it was given is kept at `inner` where SiLU needs it.

    Rectified are sums as `dense` stores them.
    """
    at, inner, count = np.uintp(at), np.uintp(inner), np.uintp(count)
    if activation == TANH:
        for n in range(count):
            work[at + n] = ONE - TWO / (exponential(TWO * work[at + n]) + ONE)
    elif activation == SILU:
        for n in range(count):
            work[inner + n] = work[at + n]
        for n in range(count):
            work[at + n] = work[at + n] / (ONE + exponential(-work[at + n]))


def damp(work, error, at, inner, count, activation):
    """Multiply the gradient at `error` by the activation's derivative, where it gave what is at `at`."""
    error, at, inner, count = np.uintp(error), np.uintp(at), np.uintp(inner), np.uintp(count)
    if activation == RELU:
        for n in range(count):
            # A choice would be a store to some lanes only, for which processors without AVX-512 take 20 times as long.
            work[error + n] *= ONE if work[at + n] > ZERO else ZERO
    elif activation == TANH:
        for n in range(count):
            work[error + n] *= ONE - work[at + n] * work[at + n]
    else:
        for n in range(count):
            share = ONE / (ONE + exponential(-work[inner + n]))
            work[error + n] *= share + work[at + n] * (ONE - share)


def forward(parameters, observation, source, work, inputs, width, depth, outputs, activation):
    """Compute the hidden layers and the outputs of one tile.

    Args:
        parameters: Flat, as in the package's docstring.
        observation, source: The tile [I, L] begins at `source`.
        work: The workspace; written.
        inputs, width, depth, outputs, activation: Of the network.
    """
    tile = width * LANES
    place = 0
    least = ZERO if activation == RELU else ANY
    for d in range(depth):
        at = d * tile
        given = inputs if d == 0 else width
        bias = place + width * given
        if d == 0:
            dense(work, at, parameters, place, given, 1, observation, source, width, given, LANES, bias, least)
        else:
            dense(work, at, parameters, place, given, 1, work, at - tile, width, given, LANES, bias, least)
        activate(work, at, at + depth * tile, tile, activation)
        place += (given + 1) * width
    at = outputs_at(width, depth)
    last, bias = (depth - 1) * tile, place + width * outputs
    dense(work, at, parameters, place, width, 1, work, last, outputs, width, LANES, bias, ANY)


def backward(parameters, gradient, first, observation, source, work, inputs, width, depth, outputs, activation):
    """Add the gradient of one tile, of the loss's gradient in the outputs that stands in the workspace.

    Args:
        parameters, observation, source, work, inputs, width, depth, outputs, activation: As in `forward`, which
            went before.
        gradient, first: One float a parameter from `first` on, in the parameters' order, but the first layer's weights
            are transposed, [I, W]: lanes of its few inputs would not fill vector registers.
    """
    tile = width * LANES
    place = parameters_of(inputs, width, depth, outputs) - (width + 1) * outputs
    error = delta_at(width, depth, outputs)
    other = error + outputs * LANES
    spare = other + tile
    turned = spare + tile
    rows = outputs
    for below in range(depth - 1, -1, -1):
        hidden = below * tile
        transpose(work, turned, work, hidden, width, LANES)
        dense(gradient, first + place, work, error, LANES, 1, work, turned, rows, LANES, width, SUMS, ANY)
        row_sums(gradient, first + place + rows * width, work, error, rows, LANES)
        dense(work, other, parameters, place, 1, width, work, error, width, rows, LANES, ZEROS, ANY)
        damp(work, other, hidden, hidden + depth * tile, tile, activation)
        error = other
        other, spare = spare, other
        rows = width
        place -= ((width if below > 0 else inputs) + 1) * width
    transpose(work, turned, work, error, width, LANES)
    dense(gradient, first, observation, source, LANES, 1, work, turned, inputs, LANES, width, SUMS, ANY)
    row_sums(gradient, first + inputs * width, work, error, width, LANES)
