"""Serve the dashboard of a folder: on loopback, to whoever has the token that stands in its address.

Two things keep strangers out. A page from elsewhere cannot speak to it: a websocket is refused unless it comes from a
page of this server. And nothing is shown, and nobody steered, without the token.
"""

import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn

from workbench.dashboards.app import Dashboard
from workbench.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
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

    def made() -> Any:
        given = pn.state.session_args.get(TOKEN, [b""])[0]
        if not secrets.compare_digest(given, token.encode()):
            return pn.pane.HTML(REFUSED, sizing_mode="stretch_width")
        pn.extension(raw_css=[STYLE])
        return Dashboard(folder)

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
    host = "localhost" if address in LOOPBACK else socket.gethostname() if address in ("0.0.0.0", "::") else address
    port = port or _free(address)
    origins = [f"{name}:{port}" for name in {*(LOOPBACK[:2] if address in LOOPBACK else ()), host, address}]
    try:
        server = pn.io.server.get_server(
            page(folder, token),
            port=port,
            address=address,
            websocket_origin=origins,
            title=f"{folder.name or folder} · rl-workbench",
            show=False,
            start=False,
        )
    except OSError as error:
        raise InputError(
            f"--port={port} of {address!r} cannot be listened at ({error.strerror}); choose another."
        ) from None
    place = f"http://{'127.0.0.1' if address in LOOPBACK else host}:{port}/?{TOKEN}={token}"
    ready(place)
    if show:
        server.show(f"/?{TOKEN}={token}")
    server.run_until_shutdown()


def _free(address: str) -> int:
    """Return a port that nobody listens at: the origins must be known before the server is."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
