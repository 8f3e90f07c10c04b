"""What MinAtar's five games share (Young and Tian 2019, arXiv:1903.03176): a grid of 10 x 10 cells, and sticky actions.

Six actions exist: stay, left, up, right, down, fire. A game's minimal set leaves out those that never do anything in
it. With probability `sticky` a step repeats the action taken before it instead of the one asked for; the action taken
last is kept across resets. Every number drawn is one draw of the lane's stream, and stickiness draws before the game.

State rows: `last_action` first, then the game's own, then the settings of `describe`.
"""

from collections.abc import Sequence

import numpy as np

from workbench_kernels.environment import Environment, Lane
from workbench_kernels.pictures import Channels, Picture
from workbench_kernels.rng import SHIFT_40, draw
from workbench_kernels.spaces import Box, Discrete

SIDE = 10
CELLS = SIDE * SIDE
LAST = SIDE - 1

STAY, LEFT, UP, RIGHT, DOWN, FIRE = ALL_ACTIONS = tuple(range(6))

TIME_LIMIT = 100_000
"""MinAtar registers its games without a limit; ours only ends episodes that a perfect player would never end."""

LAST_ACTION = 0
STICKY, CODE, RAMPING = range(3)
"""Offsets of the settings from the first of them."""

BITS = 4
ACTION_MASK = 7
UNIT = 2**24


def threshold(probability):
    """Return the number of the 2**24 equally likely draws that lie below `probability`, from 0 to 1."""
    return int(np.ceil(probability * UNIT))


def happens(i, random, below):
    """Draw whether an event of probability `below` / 2**24 happens in lane `i`: `uniform() < probability`, exactly."""
    return np.int32(draw(i, random) >> SHIFT_40) < below


def take_action(i, state, action, random, settings):
    """Return the action that lane `i` takes, one of all six, and remember it. `settings`: the first settings row."""
    repeated = happens(i, random, state[settings + STICKY, i])
    wanted = (state[settings + CODE, i] >> (BITS * action[i])) & ACTION_MASK
    taken = state[LAST_ACTION, i] if repeated else wanted
    state[LAST_ACTION, i] = taken
    return taken


def describe(
    name: str,
    *,
    state: Sequence[str],
    palette: Sequence[str],
    minimal_actions: Sequence[int],
    reset: Lane,
    step: Lane,
    observe: Lane,
    sticky: float,
    minimal: bool,
    ramping: bool | None = None,
) -> Environment:
    """Build the game `name`.

    Args:
        name: As in the id, "MinAtar/NAME-v1" with the minimal actions and "MinAtar/NAME-v0" with all six.
        state: The game's own rows; `last_action` comes before them.
        palette: A colour for each channel; there are as many channels.
        minimal_actions: The actions that do something in this game.
        reset, step, observe: The lane functions.
        sticky: Probability that a step repeats the action before it.
        minimal: Whether to offer only the minimal actions.
        ramping: Whether the game becomes harder with time; None where it never does, and then there is no such setting.

    Raises:
        ValueError: If `sticky` is no probability.
    """
    if not 0.0 <= sticky <= 1.0:
        raise ValueError(f"sticky={sticky} is no probability; pass 0 to 1.")
    actions = minimal_actions if minimal else ALL_ACTIONS
    settings = {"sticky": threshold(sticky), "code": sum(a << (BITS * k) for k, a in enumerate(actions))}
    options = {"sticky": sticky, "minimal": minimal}
    if ramping is not None:
        settings["ramping"] = int(ramping)
        options["ramping"] = ramping
    return Environment(
        id=f"MinAtar/{name}-v{int(minimal)}",
        state=("last_action", *state),
        settings=settings,
        observation=Box(0, 1, shape=(len(palette), SIDE, SIDE), dtype="uint8"),
        action=Discrete(len(actions)),
        time_limit=TIME_LIMIT,
        reset=reset,
        step=step,
        observe=observe,
        integer=True,
        lane_major=True,
        picture=Picture(width=100, height=100, shapes=(Channels(tuple(palette)),), background="#101018"),
        options=options,
    )
