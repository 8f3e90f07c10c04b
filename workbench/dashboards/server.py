"""Serve the dashboard of a folder: on loopback, to whoever has the token that stands in its address.

Two things keep strangers out. A page from elsewhere cannot speak to it: a websocket is refused unless it comes from a
page of this server. And nothing is shown, and nobody steered, without the token.
"""

import contextlib
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn

from workbench.dashboards.app import FIRST, Dashboard
from workbench.dashboards.batches import batches_of
from workbench.dashboards.folder import folder_at
from workbench.errors import InputError
from workbench.training.interrupts import stop_on_termination

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")
TOKEN = "token"
STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 0 16px; background: #f6f7f9; }
@media (prefers-color-scheme: dark) { body { background: #16181c; } }
"""
REFUSED = (
    "<p style='font: 15px/1.5 system-ui, sans-serif; margin: 20vh auto 0; max-width: 34em'>This address lacks its "
    "token. Open the one that <code>workbench dashboard</code> printed.</p>"
)


def page(folder: Path, token: str) -> Callable[[], Any]:
    """Return what makes the page of one visitor: the dashboard, or without the token a refusal."""
    batches = batches_of(folder)

    def made() -> Any:
        given = pn.state.session_args.get(TOKEN, [b""])[0]
        if not secrets.compare_digest(given, token.encode()):
            return pn.pane.HTML(REFUSED, sizing_mode="stretch_width")
        pn.extension(raw_css=[STYLE])
        return Dashboard(folder, batches)

    return made


def serve(folder: Path, address: str, port: int, token: str, *, show: bool, ready: Callable[[str], None]) -> None:
    """Serve the dashboard until the process is interrupted.

    Args:
        folder: That holds the runs.
        address: Where to listen.
        port: There; the system chooses one if it is 0.
        token: That a visitor must show.
        show: Whether to open a browser.
        ready: Told the address to open, once it answers.

    Raises:
        InputError: If it cannot be listened there.
    """
    names = _names(address)
    port = _free(address, port)
    shared = folder_at(folder)  # pages find it read, or being read, while the browser still fetches their code
    threading.Thread(target=shared.look, args=(FIRST,), daemon=True).start()
    server = pn.io.server.get_server(
        page(folder, token),
        port=port,
        address=address,
        websocket_origin=[f"{name}:{port}" for name in names],
        title=f"{folder.resolve().name} · rl-workbench",
        show=False,
        start=False,
    )
    loop = server.io_loop
    with contextlib.suppress(KeyboardInterrupt), stop_on_termination(lambda: loop.add_callback_from_signal(loop.stop)):
        server.start()
        ready(f"http://{names[0]}:{port}/?{TOKEN}={token}")
        if show:
            server.show(f"/?{TOKEN}={token}")
        loop.start()
    server.stop()


def _names(address: str) -> list[str]:
    """Return by which names a browser may come, the one to tell first."""
    if address in LOOPBACK:
        return ["127.0.0.1" if address == "localhost" else _bracketed(address), "localhost"]
    if address not in EVERYWHERE:
        return [_bracketed(address)]
    machine = socket.gethostname()
    found = {_bracketed(str(where[0])) for *_, where in socket.getaddrinfo(machine, None)}
    return [machine, *sorted({*found, socket.getfqdn(), "localhost", "127.0.0.1"} - {machine})]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _free(address: str, port: int) -> int:
    """Return the port to listen at, which nobody does: the names of allowed pages hold it, so it must be known before.

    Raises:
        InputError: If it cannot be listened there.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # it may have been closed just now
            probe.bind((address, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise InputError(
            f"--address={address!r} with --port={port} cannot be listened at ({error}); name another port, or an "
            f"address of this machine."
        ) from None
