"""Errors a user can act on: each message names the argument, the value and the fix."""

from collections.abc import Iterable
from difflib import get_close_matches


class WorkbenchError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(WorkbenchError, ValueError):
    """An argument is out of range, of the wrong kind, or does not fit the other arguments."""


class UnknownNameError(InputError):
    """A name is not in its registry; the message suggests the nearest one."""


class EnvironmentFaultError(WorkbenchError, RuntimeError):
    """An environment returned something that is not a number, or failed."""


class NotFiniteError(EnvironmentFaultError):
    """An environment returned an observation or a reward that is not a finite number."""


class NumericsError(WorkbenchError, ArithmeticError):
    """A loss or a parameter is no longer a finite number."""


class CheckpointError(WorkbenchError, ValueError):
    """A checkpoint or run directory is truncated, foreign, or does not fit."""


class RunDirectoryError(WorkbenchError, OSError):
    """A run directory cannot be created or written."""


class AlreadyRunningError(WorkbenchError, RuntimeError):
    """A second start was asked of a trainer that is running."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for `name`, which is not among the `known` names of this `kind`."""
    choices = sorted(known)
    nearest = get_close_matches(name, choices, n=1, cutoff=0.5)
    fix = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(choices)}."
    return UnknownNameError(f"{kind} {name!r} is unknown; {fix}")
