"""Steer a trainer that runs in another process, by the run directory that it writes.

    workbench steer RUN pause
    workbench steer RUN set learning_rate 1e-3

It does at once what the buttons of its panel do. `look` changes nothing.
"""

import argparse
from typing import Any

from workbench.commands.output import print_json, print_pairs, shown
from workbench.errors import InputError
from workbench.ui.steering import SteeringError, ask


def configure(parser: argparse.ArgumentParser, given: list[str]) -> None:
    """Add the arguments of `steer`."""
    parser.add_argument("path", metavar="RUN", help="the run directory of a trainer that runs")
    parser.add_argument("kind", metavar="COMMAND", help="pause, resume, step, stop, start, save, rewind, set or look")
    parser.add_argument(
        "details",
        nargs="*",
        metavar="DETAIL",
        help="of set: a live hyperparameter and its value; of rewind: steps, or best",
    )


def message_of(kind: str, details: list[str]) -> dict[str, Any]:
    """Return the message for what was typed.

    Raises:
        InputError: If something is missing or too much.
    """
    if kind == "set":
        if len(details) != 2:
            raise InputError("set takes a name and a value, as in `workbench steer RUN set learning_rate 1e-3`.")
        return {"kind": kind, "name": details[0], "value": details[1]}
    if kind == "rewind":
        if len(details) != 1:
            raise InputError("rewind takes the steps of a checkpoint or best, as in `workbench steer RUN rewind best`.")
        return {"kind": kind, "to": int(details[0]) if details[0].isdecimal() else details[0]}
    if details:
        raise InputError(f"{details[0]!r} is one argument too many: {kind} takes none.")
    return {"kind": kind}


def run(options: argparse.Namespace) -> int:
    """Ask; return 0.

    Raises:
        SteeringError: If no trainer listens, or it refuses.
    """
    reply = ask(options.path, message_of(options.kind, options.details))
    if not reply["accepted"]:
        raise SteeringError(reply["notice"])
    if options.json:
        print_json(reply)
        return 0
    state = reply["state"]
    values = {name.replace("_", " "): value for name, value in state["values"].items()}
    progress = f"{state['steps']:,}" + (f" of {state['goal']:,}" if state["goal"] else "")
    print_pairs({"run": shown(options.path), "state": state["status"], "steps": progress, **values})
    return 0
