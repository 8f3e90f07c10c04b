"""A notebook on a page of a real JupyterLab, in a browser of its own, that nothing drives while something is measured.

Developer tools that stay attached, as those that drive a page do, cost it time, and keep memory with every message.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import websocket
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SIZE = 1280, 2600
DEADLINE = 60.0
SHOWN = ('[data-testid="panel"]', '[data-testid="scene"]')


class Chromium:
    """The system's Chromium, without a window.

    Args:
        folder: Where it keeps what it has to.
    """

    def __init__(self, folder: str) -> None:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        assert path, "no browser: install the system's chromium"
        options = [*FLAGS, f"--user-data-dir={folder}", "--window-size={},{}".format(*SIZE)]
        tools = ["--remote-debugging-port=0", "--remote-allow-origins=*"]
        self._process = subprocess.Popen(
            [path, "--headless=new", *options, *tools, "about:blank"], stderr=subprocess.DEVNULL
        )
        self._port = self._find_port(Path(folder) / "DevToolsActivePort")

    def _find_port(self, told: Path) -> int:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self._process.poll() is None:
            if told.exists() and (lines := told.read_text().split()):
                return int(lines[0])
            time.sleep(0.05)
        self.close()
        raise RuntimeError("Chromium did not say where its developer tools listen")

    @property
    def tools(self) -> str:
        """Where its developer tools listen."""
        return f"http://127.0.0.1:{self._port}"

    def ask(self, *questions: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Attach developer tools to the page of JupyterLab, ask, and detach them."""
        with urlopen(f"{self.tools}/json") as reply:
            page = next(each for each in json.load(reply) if each["type"] == "page" and "/lab" in each["url"])
        connection = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=DEADLINE)
        try:
            return [self._answer(connection, number, *each) for number, each in enumerate(questions, 1)]
        finally:
            connection.close()

    @staticmethod
    def _answer(connection: websocket.WebSocket, number: int, method: str, given: dict[str, Any]) -> dict[str, Any]:
        connection.send(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            message = json.loads(connection.recv())
            if message.get("id") == number:
                return message["result"]

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


@contextmanager
def notebook(cells: Sequence[str]) -> Iterator[Chromium]:
    """Open a notebook and run its cells; once a panel and a scene are shown and the last cell runs, leave it alone."""
    from jupyterserver import JupyterServer
    from lab import Lab

    with tempfile.TemporaryDirectory() as folder, JupyterServer(Path(folder) / "lab") as server:
        chromium = Chromium(folder + "/chromium")
        try:
            with sync_playwright() as playwright:
                page = playwright.chromium.connect_over_cdp(chromium.tools).contexts[0].pages[0]
                lab = Lab(page, server)
                lab.open(lab.write("measured.ipynb", *cells))
                for index in range(len(cells) - 1):
                    lab.finish(index, timeout=180_000)
                for each in SHOWN:
                    page.locator(each).first.wait_for()
                lab.run(len(cells) - 1)
            yield chromium
        finally:
            chromium.close()


def processes() -> dict[str, list[psutil.Process]]:
    """Return the kernel, the page's renderer, and the browser's other processes, of those that this one began."""
    found: dict[str, list[psutil.Process]] = {"kernel": [], "renderer": [], "browser": []}
    for each in psutil.Process().children(recursive=True):
        line = " ".join(each.cmdline())
        if "ipykernel" in line:
            found["kernel"].append(each)
        elif "chrom" in line:
            found["renderer" if "--type=renderer" in line else "browser"].append(each)
    return found
