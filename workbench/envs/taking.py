"""Check actions from outside and copy them to where they are read."""

from typing import Any

import gymnasium
import numpy as np

from workbench.errors import InputError


def take(space: gymnasium.Space[Any], actions: Any, discrete: Any, continuous: Any) -> None:
    """Copy the actions of B lanes.

    Args:
        space: The flat action space of one lane (`ActionHeads.space`).
        actions: [B] or [B, D] integers, [B, K] floats, or a dict of both.
        discrete: [B, D] int64, written.
        continuous: [B, K] float32, written.

    Raises:
        InputError: If they have another shape or kind, or lie outside the space.
    """
    if isinstance(space, gymnasium.spaces.Dict):
        try:
            parts = actions["discrete"], actions["continuous"]
        except (TypeError, KeyError, IndexError):
            raise InputError(
                f"actions {type(actions).__name__} do not fit {space}; pass a dict with 'discrete' and 'continuous'."
            ) from None
        _take(space["discrete"], parts[0], discrete)
        _take(space["continuous"], parts[1], continuous)
    else:
        _take(space, actions, continuous if isinstance(space, gymnasium.spaces.Box) else discrete)


def _take(space: Any, actions: Any, out: Any) -> None:
    low: Any
    high: Any
    shape = (len(out), *space.shape)
    try:
        given: Any = np.asarray(actions)
    except ValueError as error:
        raise InputError(f"actions are no array ({error}); pass one of shape {list(shape)}.") from None
    if given.shape != shape:
        raise InputError(f"actions have shape {list(given.shape)}; pass {list(shape)}, lanes first.")
    if isinstance(space, gymnasium.spaces.Box):
        if given.dtype.kind not in "iuf":
            raise InputError(f"actions of dtype {given.dtype} do not fit {space}; pass floats.")
        given = given.astype(np.float32, copy=False)
        low, high = space.low, space.high
    else:
        if given.dtype.kind not in "iu":
            raise InputError(f"actions of dtype {given.dtype} do not fit {space}; pass integers.")
        low, high = 0, (space.n if isinstance(space, gymnasium.spaces.Discrete) else space.nvec) - 1
    # A NaN is within no bounds.
    fits = (given >= low) & (given <= high)
    if not fits.all():
        place = tuple(np.argwhere(~fits)[0].tolist())
        advice = "; clip in the policy" if isinstance(space, gymnasium.spaces.Box) else ""
        raise InputError(f"actions{list(place)}={given[place].item()} lies outside {space}{advice}.")
    out.reshape(given.shape)[...] = given
