"""The command line: `workbench COMMAND ...`.

Each command is a module of `workbench.commands`. Only the one asked for is imported, so that help is quick.
"""

import argparse
import os
import sys
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from workbench.commands.output import INTERRUPTED
from workbench.commands.settings import flag
from workbench.errors import InputError, WorkbenchError, unknown_name
from workbench.version import __version__

COMMANDS = {
    "train": ("train", "train an algorithm in an environment"),
    "resume": ("resume", "go on from a run's last checkpoint"),
    "eval": ("evaluate", "play episodes with a trained agent and report their returns"),
    "steer": ("steer", "pause, stop or change a training that runs in another process"),
    "dashboard": ("dashboard", "watch, compare and steer the runs of a folder in the browser"),
    "list": ("catalogue", "list environments, algorithms and runs"),
    "sweep": ("sweep", "execute a notebook over a grid of parameters and seeds"),
    "check": ("check", "look an environment over, and say how to run it"),
    "bench": ("bench", "measure steps per second"),
    "wasm": ("wasm", "write an environment as a WebAssembly module"),
    "doctor": ("doctor", "check this installation and say how to mend it"),
}
"""For each command: its module in `workbench.commands`, and what it does."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises what it finds wrong and leaves the printing to `main`."""

    def error(self, message: str) -> NoReturn:
        """Raise `message` as an error about input."""
        raise InputError(f"{message}; see `{self.prog} --help`.")

    def parse_strictly(self, arguments: list[str]) -> argparse.Namespace:
        """Parse `arguments`; suggest the nearest flag for an unknown one."""
        options, rest = self.parse_known_args(arguments)
        for text in rest:
            if text.startswith("--"):
                known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
                raise unknown_name(f"{self.prog} flag", text.split("=")[0], known)
        if rest:
            self.error(f"{rest[0]!r} is one argument too many")
        return options


def overview() -> Parser:
    """Build the parser that knows the commands by name only."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    parser = Parser(
        prog="workbench",
        usage="workbench COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A research workbench for reinforcement learning.",
        epilog=f"commands:\n{commands}\n\n`workbench COMMAND --help` says more. An example:\n"
        "  workbench train CartPole-v1 --target-return 475 --seed 1",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rl-workbench {__version__}")
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="one of the commands below")
    return parser


def load(name: str) -> ModuleType:
    """Import the module of the command called `name`."""
    if name not in COMMANDS:
        raise unknown_name("command", name, COMMANDS)
    return import_module(f"workbench.commands.{COMMANDS[name][0]}")


def dispatch(arguments: list[str]) -> int:
    """Run the command that `arguments` name; return its exit code."""
    first = arguments[0] if arguments else None
    if first is None or first.startswith("-"):
        parser = overview()
        parser.parse_strictly(arguments)
        parser.print_help()
        return 0
    module = load(first)
    parser = Parser(prog=f"workbench {first}", description=module.__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(flag("json"), action="store_true", help="print one JSON object and nothing else")
    module.configure(parser, arguments[1:])
    return int(module.run(parser.parse_strictly(arguments[1:])))


def main(argv: list[str] | None = None) -> int:
    """Run `workbench` with the arguments `argv`, by default the process's own.

    Returns:
        The exit code: 0, 2 for an error the user can act on, 130 after Ctrl-C, else what the command says.
    """
    try:
        code = dispatch(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except WorkbenchError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `workbench list | head` closes the pipe early; Python would complain once more while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
