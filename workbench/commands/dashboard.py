"""Watch, compare and steer the runs of a folder in the browser.

The page is served to this machine alone, at an address with a token; whoever
has the address can steer the trainers that listen. Ctrl-C ends it.
"""

import argparse
import secrets
import sys
from pathlib import Path

from workbench.commands.output import print_json
from workbench.commands.settings import add_flags, flag, from_flags, option
from workbench.errors import InputError

SETTINGS = (
    option("port", int, "where to listen; 0 lets the system choose", default=5007, low=0, high=65535),
    option("address", str, "at which of this machine's addresses", default="127.0.0.1"),
)
WARNING = (
    "warning: --address={address} opens this to other machines, without encryption: whoever sees the address with its "
    "token can steer your trainings. An SSH tunnel to 127.0.0.1 is safer."
)


def configure(parser: argparse.ArgumentParser, given: list[str]) -> None:
    """Add the arguments of `dashboard`."""
    parser.add_argument(
        "path", nargs="?", default="runs", metavar="RUNS", help="a folder that holds runs, or a run (default runs)"
    )
    add_flags(parser, SETTINGS)
    parser.add_argument(flag("no_browser"), action="store_true", help="only print the address")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C; return 0.

    Raises:
        InputError: If the folder is not there, Panel is missing, or it cannot be listened.
    """
    settings = from_flags(SETTINGS, options, "dashboard")
    folder = Path(options.path)
    if not folder.is_dir():
        raise InputError(f"RUNS={options.path!r} is no folder; name one that holds runs, such as runs.")
    from workbench.dashboards import needs_panel

    needs_panel()
    from workbench.dashboards.server import LOOPBACK, serve

    def ready(place: str) -> None:
        if settings["address"] not in LOOPBACK:
            print(WARNING.format(address=settings["address"]), file=sys.stderr)
        if options.json:
            print_json({"address": place, "folder": str(folder)})
        else:
            print(f"{folder}: {place}\nCtrl-C ends it.", flush=True)

    token = secrets.token_urlsafe(24)
    serve(
        folder, settings["address"], settings["port"], token, show=not (options.no_browser or options.json), ready=ready
    )
    return 0
