"""JupyterLab's extension: the side panel, the status bar, the launcher's tiles, in a real JupyterLab."""

import nbformat
import pytest
from accessible import violations
from jupyterserver import REPOSITORY
from playwright.sync_api import expect

from tests.labserver.runfolders import write_run

pytestmark = pytest.mark.browser

BEGIN = (
    "import workbench as wb\n"
    "trainer = wb.Trainer('CartPole-v1', wb.PPO(horizon=32), lanes=32, seed=1, run_dir='runs/busy')\n"
    "trainer.start(10**12)"
)
FURTHER = "([path, least]) => Number(document.querySelector(`[data-run='${path}']`)?.dataset.steps) > least"
ROWS = [(step, {"episode_return": float(step), "steps_per_second": 1e6, "seconds": step / 1e6}) for step in (1, 2, 3)]


def open_runs(lab, at="lab?reset"):
    """Open JupyterLab, with the side panel of runs."""
    lab.page.goto(f"http://127.0.0.1:{lab.server.port}/{at}&token={lab.server.token}")
    lab.page.wait_for_function(
        "() => window.jupyterapp?.commands?.hasCommand('rl-workbench:show-runs')", timeout=60_000
    )
    lab.page.evaluate("() => window.jupyterapp.restored")
    lab.page.locator(".jp-Launcher:focus, .jp-Launcher :focus").wait_for(
        state="attached"
    )  # it comes late, and takes it
    show_runs(lab)


def show_runs(lab):
    lab.page.evaluate("() => window.jupyterapp.commands.execute('rl-workbench:show-runs')")
    lab.page.locator(".rlw-Panel").wait_for()


def run(lab, path, state=None):
    """Wait for a run of the list."""
    found = lab.page.locator(f"[data-run='{path}']" + (f"[data-state='{state}']" if state else ""))
    found.wait_for()
    return found


def steps(lab, path):
    return int(run(lab, path).get_attribute("data-steps"))


def tile(lab, label):
    return lab.page.locator(".jp-LauncherCard[data-category='RL Workbench']", has_text=label)


def opened(lab, name):
    """Wait until the notebook called `name` has a kernel that is idle."""
    lab.page.wait_for_function(
        """name => {
          const widget = window.jupyterapp.shell.currentWidget;
          const kernel = widget?.sessionContext?.session?.kernel;
          return widget?.context?.path === name && kernel?.status === 'idle';
        }""",
        arg=name,
        timeout=60_000,
    )


def source(lab, index, text):
    script = """([index, text]) => window.jupyterapp.shell.currentWidget.content.widgets[index]
      .model.sharedModel.setSource(text)"""
    lab.page.evaluate(script, [index, text])


def test_a_run_is_listed_and_steered_while_the_kernel_is_busy(open_lab, server, artefacts):
    lab = open_lab(server, height=800)
    lab.open(lab.write("busy.ipynb", BEGIN, "trainer.wait()", "print(trainer.status)"))
    lab.finish(0)
    lab.run(1)
    show_runs(lab)
    row = run(lab, "runs/busy", "running")
    before = steps(lab, "runs/busy")
    lab.page.wait_for_function(FURTHER, arg=["runs/busy", before])
    status = lab.page.get_by_test_id("rlw-status")
    assert "steps/s" in status.inner_text()
    assert "return" in status.inner_text()
    row.locator(".rlw-Run-head").click()
    assert "runs/busy" in row.locator("dl").inner_text()
    lab.page.screenshot(path=artefacts / "extension-busy.png")

    row.get_by_role("button", name="Pause").click()
    paused = run(lab, "runs/busy", "paused")
    assert "paused" in status.inner_text()
    paused.get_by_role("button", name="Resume").click()
    resumed = run(lab, "runs/busy", "running")
    before = steps(lab, "runs/busy")
    lab.page.wait_for_function(FURTHER, arg=["runs/busy", before])
    resumed.get_by_role("button", name="Stop").click()
    run(lab, "runs/busy", "stopped")
    lab.finished(1)
    assert lab.finish(2) == "stopped\n"
    status.wait_for(state="hidden")


def test_a_run_stays_when_its_kernel_is_gone_and_goes_on_in_a_new_notebook(open_lab, server):
    lab = open_lab(server)
    lab.open(
        lab.write(
            "gone.ipynb", BEGIN.replace("busy", "gone").replace("trainer.start", "trainer.train(2048); trainer.start")
        )
    )
    lab.finish(0)
    show_runs(lab)
    run(lab, "runs/gone", "running")
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.shutdown()")
    row = lab.page.locator("[data-run='runs/gone'][data-state='stopped'], [data-run='runs/gone'][data-state='lost']")
    row.wait_for()
    before = steps(lab, "runs/gone")
    row.locator(".rlw-Run-head").click()
    row.get_by_role("button", name="Load in a new notebook").click()
    opened(lab, "continue.ipynb")
    assert lab.finish(1) == ""
    assert "CartPole-v1" in lab.finish(2)
    source(lab, 3, "print(trainer.steps >= 2048, trainer.run_dir.name)")
    assert lab.finish(3) == "True gone\n"
    row = run(lab, "runs/gone")
    assert steps(lab, "runs/gone") <= before
    assert row.get_by_role("button", name="Open notebook").is_visible()


def test_the_launcher_makes_an_experiment_that_runs(open_lab, server, artefacts):
    lab = open_lab(server)
    for name in ("experiment.ipynb", "experiment-2.ipynb"):
        open_runs(lab)
        tile(lab, "New experiment").click()
        opened(lab, name)
    lab.run_all(timeout=300_000)
    assert "mean=" in lab.finished(4)
    source(lab, 5, "print(trainer.run_dir.name)")
    run(lab, f"runs/{lab.finish(5).strip()}", "stopped")
    saved = lab.save("experiment-2.ipynb")
    assert saved.metadata["kernelspec"]["name"] == "python3"
    assert [output for cell in saved.cells for output in cell.get("outputs", []) if output.output_type == "error"] == []
    lab.page.screenshot(path=artefacts / "extension-experiment.png")


def test_the_tutorials_are_put_on_a_shelf_once(open_lab, server):
    lab = open_lab(server)
    for _ in range(2):
        open_runs(lab)
        tile(lab, "Tutorials").click()
        opened(lab, "rl-workbench-tutorials/01_first_run.ipynb")
    shelf = server.notebooks / "rl-workbench-tutorials"
    shipped = (REPOSITORY / "notebooks" / "tutorials").glob("*.ipynb")
    assert {path.name for path in shelf.glob("*.ipynb")} == {path.name for path in shipped}
    notebook = nbformat.read(shelf / "01_first_run.ipynb", as_version=4)
    notebook.cells = notebook.cells[:1]
    nbformat.write(notebook, shelf / "01_first_run.ipynb")
    open_runs(lab)
    tile(lab, "Tutorials").click()
    opened(lab, "rl-workbench-tutorials/01_first_run.ipynb")
    assert len(nbformat.read(shelf / "01_first_run.ipynb", as_version=4).cells) == 1


def test_the_list_is_filtered_and_walked_by_the_keyboard(open_lab, dark_server_without_subshells, artefacts):
    server = dark_server_without_subshells
    for day, env in enumerate(("CartPole-v1", "Acrobot-v1", "Pendulum-v1"), 1):
        write_run(server.notebooks / "listed" / env, env=env, created=f"2026-01-0{day}T00:00:00+00:00", rows=ROWS)
    server._setting("rl-workbench", "plugin", {"folder": "listed"})
    lab = open_lab(server, height=800)
    open_runs(lab)
    heads = lab.page.locator(".rlw-Run-head")
    run(lab, "listed/CartPole-v1")
    assert [text.split("\n")[0] for text in heads.all_inner_texts()] == ["Pendulum-v1", "Acrobot-v1", "CartPole-v1"]
    expect(lab.page.locator(".rlw-Spark")).to_have_count(3)
    field, focused = lab.page.get_by_role("searchbox", name="Filter the runs"), lab.page.locator(":focus")
    field.focus()
    lab.page.keyboard.press("Tab")
    for key, expected in (
        ("ArrowDown", "Acrobot"),
        ("End", "CartPole"),
        ("ArrowDown", "CartPole"),
        ("Home", "Pendulum"),
    ):
        lab.page.keyboard.press(key)
        expect(focused).to_contain_text(expected)
    lab.page.keyboard.press("Enter")
    expect(heads.first).to_have_attribute("aria-expanded", "true")
    for expected in ("Show folder", "Load in a new notebook"):
        lab.page.keyboard.press("Tab")
        expect(focused).to_have_text(expected)
    lab.page.screenshot(path=artefacts / "extension-dark.png")
    assert violations(lab.page, ".rlw-Panel") == []

    field.fill("acro ppo")
    expect(heads).to_have_count(1)
    field.fill("nothing")
    lab.page.get_by_role("button", name="Show all").click()
    expect(heads).to_have_count(3)


def test_where_there_are_no_runs_the_panel_says_what_to_do(open_lab, dark_server_without_subshells, artefacts):
    server = dark_server_without_subshells
    server._setting("rl-workbench", "plugin", {"folder": "nowhere/runs"})
    lab = open_lab(server, height=800)
    open_runs(lab)
    empty = lab.page.get_by_test_id("rlw-empty")
    assert "nowhere/runs" in empty.inner_text()
    lab.page.screenshot(path=artefacts / "extension-empty.png")
    server._setting("rl-workbench", "plugin", {"folder": "../outside"})
    open_runs(lab)
    lab.page.get_by_role("alert").filter(has_text="leads out of the server's folder").wait_for()
    empty.get_by_role("button", name="New experiment").wait_for(state="detached")


def test_the_palette_pauses_and_shows(open_lab, server):
    lab = open_lab(server)
    lab.open(lab.write("palette.ipynb", BEGIN.replace("busy", "palette"), "trainer.stop(); trainer.wait()"))
    lab.finish(0)
    lab.page.get_by_test_id("rlw-status").wait_for()

    def choose(label):
        lab.page.keyboard.press("Control+Shift+C")
        lab.page.locator(".jp-CommandPalette input, #command-palette input, .lm-CommandPalette-input").first.fill(label)
        lab.page.locator(".lm-CommandPalette-item", has_text=label).first.click()

    choose("Show Runs")
    run(lab, "runs/palette", "running")
    choose("Pause Training")
    run(lab, "runs/palette", "paused")
    choose("Resume Training")
    run(lab, "runs/palette", "running")
    choose("Stop Training")
    run(lab, "runs/palette", "stopped")
    lab.finish(1)


def test_the_dashboard_opens_in_a_notebook_that_runs(open_lab, dark_server_without_subshells, artefacts):
    server = dark_server_without_subshells
    write_run(server.notebooks / "board" / "runs" / "a", rows=ROWS)
    server._setting("rl-workbench", "plugin", {"folder": "board/runs"})
    lab = open_lab(server)
    open_runs(lab)
    run(lab, "board/runs/a")
    for _ in range(2):
        lab.page.get_by_role("button", name="Dashboard").click()
        opened(lab, "board/dashboard.ipynb")
        lab.page.get_by_text("1 run", exact=True).wait_for()
        expect(lab.page.locator(".jp-Dialog")).to_have_count(0)
    lab.page.screenshot(path=artefacts / "extension-dashboard.png")
    assert "wb.dashboard(runs)" in lab.save("board/dashboard.ipynb").cells[1].source
    assert [path.name for path in (server.notebooks / "board").glob("*.ipynb")] == ["dashboard.ipynb"]


def test_a_dashboard_that_somebody_else_wrote_is_opened_and_not_run(open_lab, dark_server_without_subshells):
    server = dark_server_without_subshells
    write_run(server.notebooks / "theirs" / "runs" / "a", rows=ROWS)
    server._setting("rl-workbench", "plugin", {"folder": "theirs/runs"})
    lab = open_lab(server)
    lab.write("theirs/dashboard.ipynb", "open('trace', 'w')")
    open_runs(lab)
    run(lab, "theirs/runs/a")
    lab.page.get_by_role("button", name="Dashboard").click()
    opened(lab, "theirs/dashboard.ipynb")
    assert lab.finish(0)  # Had it been run when it was opened, this would be its second time.
    count = "() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.executionCount"
    assert lab.page.evaluate(count) == 1
