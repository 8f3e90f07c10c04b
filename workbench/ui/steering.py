"""Ask a trainer in another process for something: the client of `workbench.ui.channel`, and what the two agree on.

A trainer that may be steered says where it listens in `control.json` of its run directory, which only its user can
read. A message is one line of JSON with the token from there; so is the reply.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

FILE = "control.json"
LONGEST = 1 << 16
"""Bytes of a message, at most."""

PATIENCE = 30.0
"""Seconds to wait for a reply: a trainer that saves first ends its iteration."""


class SteeringError(WorkbenchError, RuntimeError):
    """Nobody can be steered there, or the trainer refused."""


class SilentError(SteeringError):
    """A trainer listens there, but has not answered in time."""


def ask(run_dir: str | Path, message: dict[str, Any], timeout: float = PATIENCE) -> dict[str, Any]:
    """Ask the trainer that writes `run_dir` for one thing; return what it replies.

    Args:
        run_dir: The folder of a run.
        message: What a page may ask, such as {"kind": "pause"} or {"kind": "set", "name": ..., "value": ...}; or
            {"kind": "look"}, which changes nothing.
        timeout: Seconds to wait for the reply.

    Returns:
        `accepted`, whether it was done; `notice`, why not; `state`, what the panel shows of the trainer now; to "look"
        also `settings`, the declarations of its live hyperparameters.

    Raises:
        SteeringError: If no trainer listens there; `SilentError` if one does, but does not answer in time.
    """
    where = _read(Path(run_dir))
    line = json.dumps({**message, "token": where["token"]}).encode() + b"\n"
    if len(line) > LONGEST:
        raise SteeringError(f"the message has {len(line):,} bytes; send at most {LONGEST:,}.")
    try:
        with socket.create_connection((where["host"], where["port"]), timeout) as connection:
            connection.sendall(line)
            with connection.makefile("rb") as stream:
                reply = json.loads(stream.readline())
    except TimeoutError:
        raise SilentError(
            f"the trainer of {str(run_dir)!r} has not answered within {timeout:g} s: its iteration takes long, or its "
            f"machine is busy; ask again later."
        ) from None
    except (OSError, ValueError) as error:
        raise SteeringError(_gone(run_dir, f"nobody answers at {where['host']}:{where['port']} ({error})")) from None
    if not isinstance(reply, dict):
        raise SteeringError(_gone(run_dir, f"somebody else answers at {where['host']}:{where['port']}"))
    return reply


def listens(run_dir: str | Path) -> bool:
    """Tell whether a trainer says that it listens in `run_dir`, as far as can be told without asking it."""
    try:
        _read(Path(run_dir))
    except SteeringError:
        return False
    return True


def _read(run_dir: Path) -> dict[str, Any]:
    """Return where the trainer of a run listens.

    Raises:
        SteeringError: If it does not say so, or its process is gone.
    """
    try:
        where = json.loads((run_dir / FILE).read_bytes())
        host, port, token, pid = where["host"], where["port"], where["token"], where["pid"]
        sound = isinstance(host, str) and isinstance(token, str) and isinstance(port, int) and isinstance(pid, int)
    except FileNotFoundError:
        why = "it has ended, its trainer was closed, or it was started with control='off'"
        raise SteeringError(f"no trainer of run {str(run_dir)!r} listens: {why}.") from None
    except PermissionError:
        raise SteeringError(
            f"{str(run_dir / FILE)!r} may be read by the user who trains alone; ask as that user."
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SteeringError(f"{str(run_dir / FILE)!r} cannot be read ({error!r}); remove it.") from None
    if not sound:
        raise SteeringError(f"{str(run_dir / FILE)!r} names no address; remove it.")
    here = where.get("machine") == socket.gethostname()
    if here and not _alive(pid):
        raise SteeringError(_gone(run_dir, f"its process {pid} is no more"))
    if not here and host in ("127.0.0.1", "::1"):
        raise SteeringError(
            f"the trainer of run {str(run_dir)!r} listens on {where.get('machine')!r} alone; steer it there, or train "
            f"with control=HOST, a host name or address of that machine."
        )
    found: dict[str, Any] = where
    return found


def _alive(pid: int) -> bool:
    if os.name != "posix":  # elsewhere a signal of 0 is no question
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _gone(run_dir: str | Path, why: str) -> str:
    return (
        f"the trainer of run {str(run_dir)!r} does not listen any more: {why}. `workbench resume {run_dir}` goes on "
        f"with the run."
    )
