"""JupyterLab's server lists runs, so that the side panel works while a kernel is busy or gone.

Enabled by `extensions/jupyterlab/etc/`; the front end is `extensions/jupyterlab/src/`. Importing this brings no torch,
and the server's start imports nothing but the handlers.
"""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Say what to load: this module."""
    return [{"module": "workbench.labserver"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the handlers to a server that starts."""
    from workbench.labserver.handlers import add_handlers

    add_handlers(server)
