"""T steps of each lane, tile by tile: act, step, remember; then advantages, while all of it is in the cache.

T: horizon, L: lanes of a tile, I: components of an observation. What is remembered lies in blocks: step t of tile n is
block `n * T + t`, of L numbers, or of I rows of L.
"""

from typing import Any

import numpy as np

from workbench_kernels.environment import nothing
from workbench_kernels.learner.categorical import choose, hand_over
from workbench_kernels.learner.network import forward, outputs_at, parameters_of, rows_of, scratch_at
from workbench_kernels.learner.team import claim
from workbench_kernels.learner.tiles import LANE_COUNT, LANES
from workbench_kernels.returns import advantage_of

ZERO = np.float32(0.0)
GOES_ON, TERMINATED, TRUNCATED = np.uint8(0), np.uint8(1), np.uint8(2)
"""How a step ends; truncated only where it is not terminated."""

see: Any = nothing
part: Any = nothing
"""A target's: make arrays of addresses, and step lanes from one to before another."""


def judge_final(parameters, work, waiting, count, network, target):
    """Write the values of the observations that `count` episodes were cut at to their places in `target`."""
    inputs, width, depth, outputs, activation = network
    final = rows_of(width, depth, outputs) * LANES
    forward(parameters, work, final, work, inputs, width, depth, outputs, activation)
    values = outputs_at(width, depth) + (outputs - 1) * LANES
    for n in range(count):
        target[waiting[n]] = work[values + n]


def advantages(first, horizon, last, work, value, reward, end, gamma, lam, advantage, target):
    """Write generalised advantages and the critic's targets of one tile, from the last step to the first.

    Args:
        first: The tile's first block. horizon: T.
        last: Place in `work` of the values [L] after the last step; the row behind is scratch.
        value, reward: float32. end: uint8; blocks.
        gamma, lam: float32.
        advantage: float32, blocks, written.
        target: float32, blocks; holds the value of the successor where an episode was truncated; written.
    """
    last, trace = np.uintp(last), np.uintp(last + LANES)
    for lane in range(LANE_COUNT):
        work[trace + lane] = ZERO
    for back in range(horizon):
        at = np.uintp((first + horizon - 1 - back) * LANES)
        for lane in range(LANE_COUNT):
            how = end[at + lane]
            following = target[at + lane] if how == TRUNCATED else work[last + lane]
            bootstrap = ZERO if how == TERMINATED else following
            kept = work[trace + lane] if how == GOES_ON else ZERO
            found = advantage_of(reward[at + lane], value[at + lane], bootstrap, kept, gamma, lam)
            work[trace + lane] = found
            work[last + lane] = value[at + lane]
            advantage[at + lane] = found
            target[at + lane] = found + value[at + lane]


def tile_rollout(
    tile,
    addresses,
    lanes,
    horizon,
    limit,
    parameters,
    network,
    bounds,
    key,
    gamma,
    lam,
    blocks,
    episodes,
    work,
    waiting,
):
    """Take T steps in the lanes of one tile; see `rollout`."""
    inputs, width, depth, outputs, activation = network
    observation, action, log_prob, value, reward, end, advantage, target, doubt = blocks
    running_return, running_length, finished_return, finished_length, finished_step, finished = episodes
    arrays = see(addresses, lanes)
    chosen, earned, terminated, truncated, shown, cut_at = (
        arrays[3], arrays[4], arrays[6], arrays[7], arrays[8], arrays[9]
    )  # fmt: skip
    low, count = np.uintp(tile * LANES), np.uintp(min(LANES, lanes - tile * LANES))
    results, scratch = outputs_at(width, depth), scratch_at(width, depth, outputs)
    values = np.uintp(results + (outputs - 1) * LANES)
    final, own = rows_of(width, depth, outputs) * LANES, parameters_of(inputs, width, depth, outputs)
    pending = 0
    ended = 0
    for t in range(horizon):
        block = tile * horizon + t
        at, seen = np.uintp(block * LANES), block * inputs * LANES
        for k in range(inputs):
            row = np.uintp(seen + k * LANES)
            for lane in range(count):
                number = shown[k, low + lane]
                observation[row + lane] = number
                doubt[low + lane] += number - number  # stays 0 unless one is not finite
        forward(parameters, observation, seen, work, inputs, width, depth, outputs, activation)
        choose(work, results, scratch, outputs - 1, parameters, own, action, log_prob, block, key, t, low)
        for lane in range(LANE_COUNT):
            value[at + lane] = work[values + lane]
        hand_over(chosen, action, block, low, count, outputs - 1, bounds)
        part(addresses, lanes, tile * LANES, min(tile * LANES + LANES, lanes), limit, True)
        for lane in range(count):
            won = earned[low + lane]
            reward[at + lane] = won
            doubt[low + lane] += won - won
            running_return[low + lane] += won
            running_length[low + lane] += np.int32(1)
        over = GOES_ON
        for lane in range(count):
            i = low + lane
            how = TERMINATED if terminated[i] else (TRUNCATED if truncated[i] else GOES_ON)
            end[at + lane] = how
            over |= how
        if over != GOES_ON:
            for lane in range(count):
                i = low + lane
                if end[at + lane] != GOES_ON:
                    entry = tile * horizon * LANES + ended
                    finished_return[entry] = running_return[i]
                    finished_length[entry] = running_length[i]
                    finished_step[entry] = t
                    ended += 1
                    running_return[i] = ZERO
                    running_length[i] = 0
                if end[at + lane] == TRUNCATED:
                    for k in range(inputs):
                        work[final + k * LANES + pending] = cut_at[k, i]
                    waiting[pending] = at + lane
                    pending += 1
                    if pending == LANES:
                        judge_final(parameters, work, waiting, pending, network, target)
                        pending = 0
    if pending:
        judge_final(parameters, work, waiting, pending, network, target)
    finished[tile] = ended
    for k in range(inputs):
        row = np.uintp(final + k * LANES)
        for lane in range(count):
            work[row + lane] = shown[k, low + lane]
    forward(parameters, work, final, work, inputs, width, depth, outputs, activation)
    advantages(tile * horizon, horizon, values, work, value, reward, end, gamma, lam, advantage, target)


def rollout(
    addresses,
    lanes,
    horizon,
    limit,
    parameters,
    network,
    bounds,
    key,
    gamma,
    lam,
    blocks,
    episodes,
    team,
    work,
    waiting,
):
    """Take T steps in every lane of the tiles that this thread gets.

    Args:
        addresses, lanes, limit: The environment's arrays, lanes and time limit.
        horizon: T.
        parameters: float32, flat; the policy's own behind the network's.
        network: Inputs I, width, depth, outputs (the policy's, and the value) and the activation.
        bounds: Centre, half, low and high [K] of the actions' numbers, float32; choices have none.
        key: uint64 of 32 bits, of this rollout's random numbers.
        gamma, lam: float32, of the advantages.
        blocks: Observations, actions, log-probabilities, values, rewards, ends, advantages, targets; and [tiles * L]
            float32 sums that are not 0 where an observation or a reward was not finite.
        episodes: Running returns and lengths [B]; of the episodes that ended, tile by tile, return, length and step;
            and how many [tiles].
        team: The counters of `team`, all zero at first.
        work: This thread's workspace: `rows_of` rows, and I for observations.
        waiting: int64 [L], this thread's.
    """
    tiles = (lanes + LANES - 1) // LANES
    tile = claim(team, tiles)
    while tile >= 0:
        tile_rollout(
            tile, addresses, lanes, horizon, limit, parameters, network, bounds, key, gamma, lam, blocks, episodes,
            work, waiting,
        )  # fmt: skip
        tile = claim(team, tiles)
