"""The panel, the scene, a comparison and the table of runs in marimo."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.analysis.made import make_run, rising

pytestmark = pytest.mark.browser

APP = """
import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import workbench as wb

    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, seed=1, run_dir="trained")
    again = mo.ui.button(label="again", value=0, on_click=lambda count: count + 1)
    again
    return again, trainer, wb


@app.cell
def _(again, trainer):
    again.value
    trainer
    return


@app.cell
def _(trainer):
    trainer.watch(2)
    return


@app.cell
def _(wb):
    wb.compare("made")
    return


@app.cell
def _(wb):
    wb.runs("made")
    return
"""
DEADLINE = 60.0


@pytest.fixture
def marimo(tmp_path):
    """The address of marimo with the app above; whatever it began is ended."""
    (tmp_path / "app.py").write_text(APP)
    for number, rate in enumerate((1e-3, 1e-3, 1e-2, 1e-2)):
        make_run(tmp_path / "made", f"run-{number}", rising(100.0 * (number + 1)), seed=number, learning_rate=rate)
    (tmp_path / "marimo").mkdir()
    (tmp_path / "marimo" / "marimo.toml").write_text('[display]\ntheme = "dark"\n')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--no-token", "--port", str(port)]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1"],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        await_server(address, process, tmp_path / "log")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def await_server(address, process, log):
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"marimo did not start:\n{log.read_text()}")


def test_everything_is_live_in_marimo_and_lives_on_when_its_cell_runs_again(marimo, chromium, artefacts):
    page = chromium.new_page(viewport={"width": 1100, "height": 2000}, color_scheme="light")
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        page.goto(marimo)
        panel = page.locator('[data-testid="panel"]')
        page.locator('[data-testid="comparison"][data-drawn="6"]').wait_for(timeout=60_000)
        page.get_by_text("4 runs", exact=True).first.wait_for()
        panel.get_by_test_id("panel-toggle").click()
        page.locator('[data-testid="panel"][data-status="running"]').wait_for()
        steps = page.get_by_test_id("panel-steps")

        def rise():
            """Wait until other steps are shown than now: they only rise."""
            expect(steps).not_to_have_attribute("data-steps", steps.get_attribute("data-steps"), timeout=30_000)

        rise()
        page.locator('[data-testid="scene"] canvas').first.wait_for()
        for shown in ("panel", "scene", "comparison"):
            page.locator(f'[data-testid="{shown}"][data-dark="true"]').wait_for()
        page.screenshot(path=artefacts / "marimo-running.png")
        page.get_by_role("button", name="again").click()
        rise()  # as the new panel found them
        rise()
        rise()
        panel.get_by_test_id("panel-toggle").click()
        page.locator('[data-testid="panel"][data-status="paused"]').wait_for()
        panel.get_by_test_id("panel-stop").click()
        page.locator('[data-testid="panel"][data-status="stopped"]').wait_for()
        assert panel.count() == 1
        page.screenshot(path=artefacts / "marimo-stopped.png")
    finally:
        page.close()
    assert faults == []
