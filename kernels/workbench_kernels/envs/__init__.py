"""The environments, one file each: lane functions, and `environment(**options)`, which describes them to targets."""

import functools
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from workbench_kernels.environment import Environment


class Entry(NamedTuple):
    """Where an environment stands: the file in this folder, and the options that its id implies."""

    file: str
    options: Mapping[str, Any] = {}


ENVIRONMENTS: dict[str, Entry] = {
    "Acrobot-v1": Entry("acrobot"),
    "CartPole-v1": Entry("cartpole"),
    "MountainCar-v0": Entry("mountain_car"),
    "MountainCarContinuous-v0": Entry("mountain_car_continuous"),
    "Pendulum-v1": Entry("pendulum"),
    "MinAtar/Asterix-v0": Entry("minatar_asterix", {"minimal": False}),
    "MinAtar/Asterix-v1": Entry("minatar_asterix"),
    "MinAtar/Breakout-v0": Entry("minatar_breakout", {"minimal": False}),
    "MinAtar/Breakout-v1": Entry("minatar_breakout"),
    "MinAtar/Freeway-v0": Entry("minatar_freeway", {"minimal": False}),
    "MinAtar/Freeway-v1": Entry("minatar_freeway"),
    "MinAtar/Seaquest-v0": Entry("minatar_seaquest", {"minimal": False}),
    "MinAtar/Seaquest-v1": Entry("minatar_seaquest"),
    "MinAtar/SpaceInvaders-v0": Entry("minatar_space_invaders", {"minimal": False}),
    "MinAtar/SpaceInvaders-v1": Entry("minatar_space_invaders"),
    "workbench/Bandit-v0": Entry("bandit"),
    "workbench/CartPolePositions-v0": Entry("cartpole_positions"),
    "workbench/ConstantReward-v0": Entry("constant_reward"),
    "workbench/ContextualBandit-v0": Entry("contextual_bandit"),
    "workbench/DeepSea-v0": Entry("deep_sea"),
    "workbench/Identity-v0": Entry("identity"),
    "workbench/Memory-v0": Entry("memory"),
    "workbench/Password-v0": Entry("password"),
    "workbench/RandomWalk-v0": Entry("random_walk"),
    "workbench/RepeatCopy-v0": Entry("repeat_copy"),
    "workbench/Squared-v0": Entry("squared"),
    "workbench/Stochastic-v0": Entry("stochastic"),
    "workbench/2048-v0": Entry("game_2048"),
    "workbench/Breakout-v0": Entry("breakout"),
    "workbench/Connect4-v0": Entry("connect4"),
    "workbench/Pong-v0": Entry("pong"),
    "workbench/Snake-v0": Entry("snake"),
    "workbench/TicTacToe-v0": Entry("tic_tac_toe"),
    "workbench/BitFlip-v0": Entry("bit_flip"),
    "workbench/ConstrainedGrid-v0": Entry("constrained_grid"),
    "workbench/FourRooms-v0": Entry("four_rooms"),
    "workbench/MatrixGame-v0": Entry("matrix_game"),
    "workbench/Maze-v0": Entry("maze"),
    "workbench/SimpleSpread-v0": Entry("simple_spread"),
}
"""By id: the original's, where an environment is step for step another library's, else "workbench/NAME-vN"."""


def namespaced(id: str) -> str:
    """Return the id under which Gymnasium knows the environment `id`: "workbench/CartPole-v1"."""
    return id if id.startswith("workbench/") else f"workbench/{id.replace('/', '-')}"


def make(id: str, **options: Any) -> Environment:
    """Return the environment `id`, the same object for the same options.

    Raises:
        KeyError: If no environment has this id.
        TypeError: If it has no such option.
        ValueError: If an option is out of range.
    """
    entry = ENVIRONMENTS[id]
    chosen = sorted({**entry.options, **options}.items())
    return _built(entry.file, tuple((name, type(value), value) for name, value in chosen))


@functools.cache
def _built(file: str, options: tuple[tuple[str, type, Any], ...]) -> Environment:
    # The types tell False from 0, which are equal.
    module = importlib.import_module(f"workbench_kernels.envs.{file}")
    environment: Environment = module.environment(**{name: value for name, _, value in options})
    return environment
