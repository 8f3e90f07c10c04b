"""List the native environments and the algorithms; with --runs, the runs under a folder."""

import argparse
import sys
from typing import Any

from workbench.commands.output import print_json
from workbench.commands.settings import describe, flag


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add the arguments of `list`."""
    parser.add_argument(flag("runs"), metavar="DIR", help="list the runs under this folder instead")


def first_line(documented: Any) -> str:
    """Return the first line of a docstring, without the full stop."""
    return (documented.__doc__ or "").strip().split("\n")[0].rstrip(".")


def implied(name: str) -> str:
    """Say which options an id implies."""
    from workbench.envs import NATIVE

    return "".join(f"; {option}={value}" for option, value in NATIVE[name].options.items())


def environments() -> list[dict[str, Any]]:
    """Describe the native environments."""
    from workbench.envs import NATIVE, environment

    return [
        {
            "id": name,
            "summary": first_line(sys.modules[kernel.step.__module__]).partition(": ")[2] + implied(name),
            "observation": list(kernel.observation.shape),
            "actions": str(kernel.action),
            "agents": kernel.agents,
            "time_limit": kernel.time_limit,
        }
        for name, kernel in ((name, environment(name)) for name in sorted(NATIVE))
    ]


def algorithms() -> list[dict[str, Any]]:
    """Describe the algorithms and their hyperparameters."""
    from workbench.algorithms import ALGORITHMS
    from workbench.hyperparameters import declared

    return [
        {
            "name": name,
            "summary": first_line(cls),
            "hyperparameters": {key: {"default": h.default, "help": describe(h)} for key, h in declared(cls).items()},
        }
        for name, cls in sorted(ALGORITHMS.items())
    ]


def show(kind: str, rows: list[tuple[str, str]]) -> None:
    """Print a heading and two aligned columns."""
    width = max((len(name) for name, _ in rows), default=0)
    print(kind)
    for name, text in rows:
        print(f"  {name:<{width}}  {text}")


def run(options: argparse.Namespace) -> int:
    """List; return 0."""
    if options.runs is not None:
        from workbench.commands.runs import list_runs

        list_runs(options.runs, as_json=options.json)
        return 0
    known, learners = environments(), algorithms()
    if options.json:
        print_json({"environments": known, "algorithms": learners})
        return 0
    show("environments", [(entry["id"], entry["summary"]) for entry in known])
    print("  and every id registered with Gymnasium, through an adapter\n")
    show("algorithms", [(entry["name"], entry["summary"]) for entry in learners])
    print("\n`workbench train --algorithm NAME --help` lists an algorithm's hyperparameters.")
    return 0
