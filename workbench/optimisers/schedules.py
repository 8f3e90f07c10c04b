"""Factors of a hyperparameter over a run, as functions of how much of it is done, from 0 to 1."""

import math
from collections.abc import Callable


def constant(progress: float) -> float:  # noqa: ARG001
    """Stay at 1."""
    return 1.0


def linear(progress: float) -> float:
    """Fall from 1 to 0 evenly."""
    return 1.0 - progress


def cosine(progress: float) -> float:
    """Fall from 1 to 0, slowly at both ends (Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[float], float]] = {"constant": constant, "linear": linear, "cosine": cosine}
"""By name."""
