"""Names for people: what parts of well-known environments are called, and which key takes which action."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium

Keys = Mapping[str, Any]
"""Actions by the browser's `KeyboardEvent.key`: a choice, or K numbers."""

LEFT, UP, RIGHT, DOWN = "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"
SIDEWAYS = {LEFT: 0, RIGHT: 1}
MOVES = {UP: 0, RIGHT: 1, DOWN: 2, LEFT: 3}
DIGITS = 10
VERSION = re.compile(r"-v\d+$")


@dataclass(frozen=True)
class Names:
    """What an environment's parts are called.

    Attributes:
        actions: Of each choice, or of each number of an action.
        observation: Of the components.
        keys: Which key takes which action.
    """

    actions: tuple[str, ...] = ()
    observation: tuple[str, ...] = ()
    keys: Keys = field(default_factory=dict)


CARTPOLE = Names(("left", "right"), ("position", "velocity", "angle", "angular velocity"), SIDEWAYS)
CAR = Names(("left", "coast", "right"), ("position", "velocity"), {LEFT: 0, DOWN: 1, RIGHT: 2})
GRID = Names(("up", "right", "down", "left"), (), MOVES)
CELLS = {str(k + 1): k for k in range(9)}
KNOWN: dict[str, Names] = {
    "CartPole": CARTPOLE,
    "CartPolePositions": Names(CARTPOLE.actions, ("position", "angle"), SIDEWAYS),
    "MountainCar": CAR,
    "MountainCarContinuous": Names(("force",), CAR.observation, {LEFT: [-1.0], RIGHT: [1.0]}),
    "Acrobot": Names(
        ("torque down", "no torque", "torque up"),
        ("cos angle 1", "sin angle 1", "cos angle 2", "sin angle 2", "velocity 1", "velocity 2"),
        {LEFT: 0, DOWN: 1, RIGHT: 2},
    ),
    "Pendulum": Names(
        ("torque",), ("cos angle", "sin angle", "angular velocity"), {LEFT: [2.0], RIGHT: [-2.0], DOWN: [0.0]}
    ),
    "Pong": Names(("stay", "up", "down"), (), {LEFT: 0, UP: 1, DOWN: 2}),
    "Breakout": Names(("stay", "left", "right"), (), {DOWN: 0, LEFT: 1, RIGHT: 2}),
    "2048": GRID,
    "FourRooms": GRID,
    "Maze": GRID,
    "ConstrainedGrid": GRID,
    "Snake": GRID,
    "TicTacToe": Names(tuple(f"cell {k + 1}" for k in range(9)), (), CELLS),
    "Connect4": Names(tuple(f"column {k + 1}" for k in range(7)), (), {str(k + 1): k for k in range(7)}),
    "SimpleSpread": Names(("stay", "left", "right", "down", "up"), (), {LEFT: 1, RIGHT: 2, DOWN: 3, UP: 4, "0": 0}),
    "MinAtar/Asterix": Names(("stay", "left", "up", "right", "down"), (), {"0": 0, LEFT: 1, UP: 2, RIGHT: 3, DOWN: 4}),
    "MinAtar/Breakout": Names(("stay", "left", "right"), (), {DOWN: 0, LEFT: 1, RIGHT: 2}),
    "MinAtar/Freeway": Names(("stay", "up", "down"), (), {LEFT: 0, UP: 1, DOWN: 2}),
    "MinAtar/Seaquest": Names(
        ("stay", "left", "up", "right", "down", "fire"), (), {"0": 0, LEFT: 1, UP: 2, RIGHT: 3, DOWN: 4, " ": 5}
    ),
    "MinAtar/SpaceInvaders": Names(("stay", "left", "right", "fire"), (), {DOWN: 0, LEFT: 1, RIGHT: 2, " ": 3}),
    "LunarLander": Names(
        ("nothing", "fire left", "fire main", "fire right"),
        ("x", "y", "velocity x", "velocity y", "angle", "angular velocity", "left leg", "right leg"),
        {DOWN: 0, LEFT: 1, UP: 2, RIGHT: 3},
    ),
    "FrozenLake": Names(("left", "down", "right", "up"), (), {LEFT: 0, DOWN: 1, RIGHT: 2, UP: 3}),
    "Taxi": Names(
        ("south", "north", "east", "west", "pick up", "drop off"),
        (),
        {DOWN: 0, UP: 1, RIGHT: 2, LEFT: 3, "p": 4, "d": 5},
    ),
    "CliffWalking": GRID,
}
"""By the environment's name, without its version."""


def names_of(id: str, space: Any) -> Names:
    """Return the names for environment `id`, whose policy acts in `space`; numbers where nothing better is known."""
    name = VERSION.sub("", id.removeprefix("workbench/"))
    known, plain = KNOWN.get(name, Names()), _actions(space)
    if known.actions and len(known.actions) != len(plain):  # it was built with other actions
        known = Names()
    return Names(known.actions or plain, known.observation, known.keys or _keys(space))


def _actions(space: Any) -> tuple[str, ...]:
    if isinstance(space, gymnasium.spaces.Discrete):
        return tuple(map(str, range(int(space.n))))
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return tuple(f"{k}: {choice}" for k, n in enumerate(space.nvec) for choice in range(n))
    if isinstance(space, gymnasium.spaces.Box):
        return tuple(map(str, range(space.low.size)))
    return (*_actions(space["discrete"]), *_actions(space["continuous"]))


def _keys(space: Any) -> dict[str, Any]:
    if isinstance(space, gymnasium.spaces.Discrete):
        return {str(k): k for k in range(min(DIGITS, int(space.n)))}
    if isinstance(space, gymnasium.spaces.Box) and space.low.size <= 2:
        low, high = space.low.reshape(-1), space.high.reshape(-1)
        keys = {}
        for k, (down, up) in enumerate(((LEFT, RIGHT), (DOWN, UP))[: len(low)]):
            for key, bound, other in ((down, low[k], -1.0), (up, high[k], 1.0)):
                action = [0.0] * len(low)
                action[k] = float(bound) if abs(bound) < 1e6 else other
                keys[key] = action
        return keys
    return {}
