"""Environments that end the program, or try to, where others raise an ordinary exception."""

import sys

import numpy as np

from tests.checking.sick_environments import Healthy


class ExitsAtStep(Healthy):
    def step(self, action):
        sys.exit(3)


class ExitsAtConstruction(Healthy):
    def __init__(self):
        sys.exit(3)


class ExitsAtReset(Healthy):
    def reset(self, *, seed=None, options=None):
        sys.exit(3)


class ExitsAtSecondReset(Healthy):
    """Takes a reset only where an episode has ended."""

    def reset(self, *, seed=None, options=None):
        if seed is None and self.age < 2:
            sys.exit(3)
        return super().reset(seed=seed)

    def terminated(self):
        return super().terminated() and self.age > 2


class ExitsAtCorner(Healthy):
    def step(self, action):
        if (np.abs(action) == 1).all():
            sys.exit(3)
        return super().step(action)


class ExitsAtClose(Healthy):
    def close(self):
        sys.exit(3)


class ExitsInSecondCopy(Healthy):
    """The second copy alone exits."""

    copies = 0

    def __init__(self):
        type(self).copies += 1
        if self.copies == 2:
            sys.exit(3)


class PanicError(BaseException):
    """What extensions raise that are written in other languages."""


class Panics(Healthy):
    def step(self, action):
        raise PanicError("of an extension")
