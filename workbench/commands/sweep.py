"""Execute a notebook over a grid of parameters and seeds, several at a time.

  workbench sweep train.ipynb --grid learning_rate=1e-3,3e-3 --grid clip=0.1,0.2 --seeds 5

Values are read as Python reads them: numbers, True, False, None; 0..4 stands
for 0,1,2,3,4; anything else is text. A batch that was interrupted goes on when the same command is given
again with its --folder. The exit code is 1 if a task failed.
"""

import argparse
import ast
import re
from typing import Any

from workbench.commands.output import INTERRUPTED, print_json, shown
from workbench.commands.settings import add_flags, flag, from_flags, option
from workbench.errors import InputError

RANGE = re.compile(r"([+-]?\d+)\.\.([+-]?\d+)")
LONGEST = 10_000
"""Numbers of a range, at most."""

SETTINGS = (
    option("seeds", int, "how many, for the notebook's parameter `seed`; left out, none is passed", low=1),
    option("folder", str, "where the batch is kept; left out, a fresh one under batches/"),
    option("workers", int, "notebooks at a time; left out, half as many as there are cores", low=1),
    option("timeout", float, "seconds that one notebook may take", low=0.001),
    option("retries", int, "how often one is begun again whose kernel did not start", default=2, low=0),
)


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add the arguments of `sweep`."""
    parser.add_argument("notebook", metavar="NOTEBOOK", help="its path; a cell of it is tagged `parameters`")
    grid = "values of one parameter; give it once for each"
    parser.add_argument(flag("grid"), action="append", default=[], metavar="NAME=VALUE,...", help=grid)
    add_flags(parser, SETTINGS)


def run(options: argparse.Namespace) -> int:
    """Execute the batch; return 1 if a task did not end well."""
    settings: dict[str, Any] = from_flags(SETTINGS, options, "sweep")
    if options.json:
        settings["report"] = silent
    grid = dict(parsed(text) for text in options.grid)
    from workbench.batches import sweep

    try:
        batch = sweep(options.notebook, grid, **settings)
    except KeyboardInterrupt:
        print("interrupted; the same command with the same --folder goes on")
        return INTERRUPTED
    states = list(batch.states().values())
    if options.json:
        print_json({"folder": str(batch.path), "results": batch.results().to_dict("records")})
    else:
        print(f"results: {shown(batch.path / 'results.parquet')}, summary: {shown(batch.path / 'summary.ipynb')}")
    return 0 if all(state == "done" for state in states) else 1


def silent(*_: Any) -> None:
    """Print nothing: standard output is one JSON object."""


def parsed(text: str) -> tuple[str, list[Any]]:
    """Read `NAME=VALUE,...`.

    Raises:
        InputError: If there is no name, or no value.
    """
    name, separator, values = text.partition("=")
    if not (name.isidentifier() and separator and values):
        raise InputError(f"--grid={text!r} names no values; write NAME=VALUE,VALUE.")
    return name, [value for each in values.split(",") for value in _values(each)]


def _values(text: str) -> list[Any]:
    """Return what `text` stands for: a value, or the whole numbers of a range.

    Raises:
        InputError: If it is a range of too many, or of none.
    """
    ends = RANGE.fullmatch(text)
    if ends is None:
        return [_value(text)]
    low, high = map(int, ends.groups())
    if not 0 <= high - low < LONGEST:
        raise InputError(f"--grid holds {text!r}; write a range upwards, of at most {LONGEST} numbers.")
    return list(range(low, high + 1))


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
