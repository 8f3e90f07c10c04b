"""One JupyterLab and one Chromium for the tests of this folder; a missing browser is an error, not a skip."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from jupyterserver import JupyterServer
from lab import Lab
from playwright.sync_api import sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FAKE = Path(__file__).parents[1] / "ui"
sys.path.insert(0, str(FAKE))


@pytest.fixture(scope="session")
def chromium():
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, f"no browser: install the system's chromium (looked for {', '.join(names)})."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with JupyterServer(tmp_path_factory.mktemp("lab"), also_import=FAKE) as running:
        yield running


@pytest.fixture(scope="session")
def dark_server_without_subshells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dark")
    with JupyterServer(folder, theme="JupyterLab Dark", subshells=False, also_import=FAKE) as running:
        yield running


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    """Where screenshots go: the folder named by TEST_ARTEFACTS, else a temporary one."""
    folder = Path(os.environ.get("TEST_ARTEFACTS") or tmp_path_factory.mktemp("artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_lab(chromium, artefacts, request):
    """Return a function that opens a page on a server; what goes wrong on the page fails the test."""
    pages = []

    def opened(server, width=1280, height=1100):
        page = chromium.new_page(viewport={"width": width, "height": height}, device_scale_factor=2)
        page.set_default_timeout(30_000)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        pages.append((page, faults))
        return Lab(page, server)

    yield opened
    for number, (page, faults) in enumerate(pages):
        page.screenshot(path=artefacts / f"{request.node.name}-{number}.png")
        page.close()
        assert faults == []
