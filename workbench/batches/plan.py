"""What a batch consists of: one task for each combination of a grid's values and each seed."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import InputError, unknown_name

SEED = "seed"
PLAIN = (bool, int, float, str)
"""What a parameter may be, beside None: papermill writes it into the notebook as a literal."""

LONGEST = 80
"""Characters of a folder's name, at most."""

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One execution of the notebook.

    Attributes:
        number: From 0, in the grid's order.
        parameters: What the notebook gets.
    """

    number: int
    parameters: Parameters

    @property
    def name(self) -> str:
        """The name of its folder: the number, and what tells it from the others."""
        what = "-".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.number:04d}-{re.sub(r'[^A-Za-z0-9=._+-]+', '_', what)}"[:LONGEST].rstrip("-_")


def tasks_of(grid: Mapping[str, Any], seeds: int | Iterable[int] | None) -> list[Task]:
    """Return a task for each combination of values and each seed; the seed changes fastest.

    Args:
        grid: By parameter, a value or a sequence of values.
        seeds: How many, from 0, or which; None to pass none.

    Raises:
        InputError: If something is no value, or there is nothing to vary over.
    """
    axes = {name: _values(name, values) for name, values in grid.items()}
    if seeds is not None:
        if SEED in axes:
            raise InputError("seed is in grid and in seeds; leave one of them out.")
        axes[SEED] = _seeds(seeds)
    return [
        Task(number, dict(zip(axes, values, strict=True)))
        for number, values in enumerate(itertools.product(*axes.values()))
    ]


def _values(name: str, values: Any) -> list[Any]:
    several = isinstance(values, Iterable) and not isinstance(values, str)
    listed = list(values) if several else [values]
    if not listed:
        raise InputError(f"grid[{name!r}] is empty; give it at least one value.")
    for value in listed:
        if value is not None and not isinstance(value, PLAIN):
            raise InputError(f"grid[{name!r}] holds {value!r}; pass numbers, strings, booleans or None.")
    return listed


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    listed = list(range(seeds)) if isinstance(seeds, int) and not isinstance(seeds, bool) else seeds
    if isinstance(listed, bool) or not isinstance(listed, Iterable):
        raise InputError(f"seeds={seeds!r} is no number of seeds; pass an integer, or the seeds.")
    listed = list(listed)
    if not listed or any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in listed):
        raise InputError(f"seeds={seeds!r} holds no seeds; pass a number of at least 1, or integers from 0.")
    return listed


def parameters_of(notebook: Path) -> Parameters:
    """Return the parameters that a notebook declares, and their defaults as source text.

    Raises:
        InputError: If there is no such notebook, or no cell of it is tagged `parameters`.
    """
    import papermill

    if not notebook.is_file():
        raise InputError(f"notebook={str(notebook)!r} is not there; pass the path of a notebook.")
    try:
        found = papermill.inspect_notebook(str(notebook))
    except Exception as error:  # whatever nbformat and papermill think of a file that is no notebook
        raise InputError(f"notebook={str(notebook)!r} cannot be read ({error}); pass a Jupyter notebook.") from error
    if not found:
        raise InputError(f"notebook={str(notebook)!r} has no parameters; tag the cell that sets them 'parameters'.")
    return {name: each["default"] for name, each in found.items()}


def check_known(names: Iterable[str], known: Iterable[str]) -> None:
    """Make sure that a notebook has these parameters: one that it has not would change nothing.

    Raises:
        UnknownNameError: If it has not.
    """
    for name in names:
        if name not in known:
            raise unknown_name("parameter", name, known)
