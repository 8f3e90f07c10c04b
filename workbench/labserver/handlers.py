"""The addresses below `/rl-workbench/`; whoever asks has Jupyter's token, or is logged in."""

import asyncio
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from workbench.errors import WorkbenchError
from workbench.labserver import notebooks
from workbench.version import __version__

NAME = r"([A-Za-z0-9_-]+)"


class Handler(APIHandler):
    """Answers in JSON; an error that the user can act on is answered with its text and status 400."""

    auth_resource = "rl-workbench"

    def initialize(self, root: Path, listing: Callable[[], Any]) -> None:
        """Take what the handlers of one server share.

        Args:
            root: The folder that the server shows.
            listing: Returns what reads the runs.
        """
        self.root, self.listing = root, listing

    def set_default_headers(self) -> None:
        """Mark our answers: "not found" by one of them is not that of a server without this extension."""
        super().set_default_headers()
        self.set_header("X-RL-Workbench", __version__)

    async def answer(self, work: Callable[[], Any]) -> None:
        """Do `work` in a thread, so that the server serves others meanwhile, and send what it returns."""
        try:
            content = await asyncio.to_thread(work)
        except WorkbenchError as error:
            self.set_status(400)
            content = {"message": str(error)}
        await self.finish(json.dumps(content, allow_nan=False))


class RunsHandler(Handler):
    """`GET runs?folder=runs`: the runs below the root."""

    _track_activity = False  # a page that looks on its own keeps no server from being culled

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send `runs`, the newest first, and their `total`."""
        folder = self.get_query_argument("folder", "runs")
        await self.answer(lambda: self.listing().read(folder))


class ActionHandler(Handler):
    """`POST actions`: steer the trainer of a run."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Do what the body asks, a `run` and a `kind`, and say when it is done."""
        from workbench.labserver.steering import steer

        message = self.get_json_body()
        await self.answer(lambda: steer(self.root, message))


class TemplateHandler(Handler):
    """`GET templates/NAME?run=runs/...`: a new notebook."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Send its `name`, `folder` and `content`."""
        run = self.get_query_argument("run", None)
        await self.answer(lambda: notebooks.template(self.root, name, run))


class TutorialsHandler(Handler):
    """`GET tutorials`: which there are."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send `tutorials`."""
        await self.answer(lambda: notebooks.tutorials(self.root))


class TutorialHandler(Handler):
    """`GET tutorials/NAME`: one of them."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Send its `name` and `content`."""
        await self.answer(lambda: notebooks.tutorial(name))


def add_handlers(server: Any) -> None:
    """Serve the addresses of this extension below the root folder of `server`, a `ServerApp`."""
    root = Path(server.root_dir).expanduser()

    @functools.cache
    def listing() -> Any:
        """Import what reads runs at the first use: numpy and pandas take a while, and not every session asks."""
        from workbench.labserver.listing import Listing

        return Listing(root)

    shared = {"root": root, "listing": listing}
    handlers = {
        "runs": RunsHandler,
        "actions": ActionHandler,
        f"templates/{NAME}": TemplateHandler,
        "tutorials": TutorialsHandler,
        f"tutorials/{NAME}": TutorialHandler,
    }
    base = url_path_join(server.web_app.settings["base_url"], "rl-workbench")
    server.web_app.add_handlers(".*$", [(url_path_join(base, at), kind, shared) for at, kind in handlers.items()])
