"""What the side panel may ask of a trainer that goes on in another process."""

from pathlib import Path
from typing import Any

from workbench.errors import InputError
from workbench.labserver.places import inside
from workbench.ui.steering import SteeringError, ask

KINDS = ("start", "pause", "resume", "stop")
PATIENCE = 10.0
"""Seconds to wait for a trainer's answer."""


def steer(root: Path, message: Any) -> dict[str, Any]:
    """Ask the trainer of a run below `root` to `start`, `pause`, `resume` or `stop`; return its `status` then.

    Args:
        root: Of the server.
        message: `run`, the run directory below the root, and `kind`, one of `KINDS`.

    Raises:
        InputError: If the message asks for something else, or for a run outside of the root.
        SteeringError: If nobody listens there, or the trainer refuses.
    """
    run, kind = (message.get(name) if isinstance(message, dict) else None for name in ("run", "kind"))
    if kind not in KINDS:
        raise InputError(f"kind={kind!r} is unknown; send one of: {', '.join(KINDS)}.")
    if not isinstance(run, str):
        raise InputError(f"run={run!r} is no path; send the run directory below the server's folder.")
    reply = ask(inside(root, run, "run"), {"kind": kind}, PATIENCE)
    if not reply.get("accepted"):
        raise SteeringError(str(reply.get("notice")))
    return {"accepted": True}
