"""The panel in a real JupyterLab, over a made-up trainer: what is asked of the page, it does."""

import base64

import pytest
from accessible import violations

pytestmark = pytest.mark.browser

SHOW = "from faketrainer import FakeTrainer\ntrainer = FakeTrainer(period={period})\ntrainer"
TRAIN = "trainer.train(10**9)"
RATE = "print(trainer.algorithm.learning_rate)"
COSTS = """from workbench.ui.display import widget_of
costs = widget_of(trainer)._pace._costs.values()
print(sum(cost for cost in costs if cost is not None), sum(cost is None for cost in costs))"""
WATCH = """() => {
  const root = document.querySelector('[data-testid="panel"]');
  const output = root.closest('.jp-OutputArea');
  window.frames_seen = [];
  const look = () => {
    const now = document.querySelector('[data-testid="panel"]');
    window.frames_seen.push([now === root, output.clientHeight, output.innerText.includes('Loading widget')]);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def shown(lab, name, *cells, period=0.02):
    lab.open(lab.write(name, SHOW.format(period=period), *cells))
    lab.run(0)
    lab.panel("new")
    return lab


def test_a_blocked_cell_is_paused_steered_and_stopped(open_lab, server, artefacts):
    lab = shown(open_lab(server), "blocked.ipynb", TRAIN, RATE)
    lab.run(1)
    lab.panel("running")
    assert lab.points(more_than=lab.points(more_than=5)) > 5
    lab.page.screenshot(path=artefacts / "panel-light.png")
    assert violations(lab.page, ".jp-OutputArea [data-testid=panel]") == []

    lab.hook("toggle").click()
    lab.panel("paused")
    lab.answered("clip", "0.25")
    steps = lab.steps()
    lab.answered("clip", "0.3")
    assert lab.steps() == steps

    lab.hook("toggle").click()
    lab.panel("running")
    lab.page.wait_for_function(
        "steps => Number(document.querySelector('[data-testid=panel-steps]').dataset.steps) > steps", arg=steps
    )
    lab.hook("stop").click()
    lab.finished(1)
    lab.panel("stopped")


def test_the_slider_changes_the_trainer_and_python_changes_the_slider(open_lab, server):
    lab = shown(open_lab(server), "slider.ipynb", RATE, "trainer.algorithm.learning_rate = 0.0005")
    slider, entry = lab.hook("slider-learning_rate"), lab.hook("entry-learning_rate")
    assert entry.input_value() == "0.003"
    slider.focus()
    for _ in range(3):
        lab.page.keyboard.press("ArrowRight")
    assert lab.settled("learning_rate") == "0.00422"
    box = slider.bounding_box()
    lab.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    value = float(lab.settled("learning_rate"))
    assert 2.5e-4 < value < 4e-4  # the middle of 1e-6 to 1e-1, on a logarithmic scale
    assert float(lab.finish(1)) == value
    lab.finish(2)
    lab.page.wait_for_function("entry => entry.value === '5e-4'", arg=entry.element_handle())


def test_a_bad_value_is_refused_by_python_and_explained(open_lab, server):
    lab = shown(open_lab(server), "refused.ipynb", RATE)
    lab.hook("entry-learning_rate").fill("7")
    lab.page.keyboard.press("Enter")
    lab.page.get_by_text("PPO.learning_rate=7.0 is out of range; choose a value from 1e-06 to 0.1.").wait_for()
    assert lab.finish(1) == "0.003\n"
    lab.answered("learning_rate", "0.01")
    assert lab.page.get_by_text("is out of range").count() == 0


def test_keys_alone_drive_the_panel(open_lab, server):
    lab = shown(open_lab(server), "keys.ipynb")
    lab.hook("toggle").focus()
    lab.page.keyboard.press("Enter")
    lab.panel("running")
    lab.page.keyboard.press("Space")
    lab.panel("paused")
    lab.page.wait_for_function("() => document.activeElement?.dataset.testid === 'panel-toggle'")
    for name in ("step", "stop"):
        lab.page.keyboard.press("Tab")
        assert lab.page.evaluate("() => document.activeElement.dataset.testid") == f"panel-{name}"
    lab.page.keyboard.press("Enter")
    lab.panel("stopped")


def test_refreshing_the_still_picture_neither_flickers_nor_loses_the_view(open_lab, server):
    lab = shown(open_lab(server), "flicker.ipynb", "trainer.start(10**9)", "trainer.wait()")
    lab.finish(1)
    lab.points(more_than=20)
    lab.page.evaluate(WATCH)
    lab.hook("toggle").click()
    lab.panel("paused")
    lab.hook("toggle").click()
    lab.panel("running")
    lab.hook("stop").click()
    lab.panel("stopped")
    lab.finish(2)
    frames = lab.page.evaluate("() => window.frames_seen")
    assert {tuple(frame) for frame in frames} == {(True, frames[0][1], False)}
    (output,) = lab.save("flicker.ipynb").cells[0].outputs
    assert output.data["text/plain"].splitlines()[1].startswith("stopped at ")
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")


def test_a_reloaded_page_shows_the_panel_again(open_lab, server):
    lab = shown(open_lab(server), "reload.ipynb", "trainer.start(10**9)", "trainer.stop()")
    lab.finish(1)
    before = lab.points(more_than=20)
    lab.save("reload.ipynb")
    lab.open("reload.ipynb")
    lab.panel("running")
    assert lab.points(more_than=before) > before
    lab.hook("toggle").click()
    lab.panel("paused")
    lab.hook("stop").click()
    lab.panel("stopped")


def test_a_notebook_opened_again_shows_the_last_picture_until_its_cell_runs(open_lab, server, artefacts):
    train = "trainer.start(40 * 2048); trainer.wait()"
    lab = open_lab(server)
    lab.open(lab.write("opened-again.ipynb", f"{SHOW.format(period=0.001)}\n{train}\ntrainer"))
    lab.finish(0)
    lab.panel("stopped")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    lab.open("opened-again.ipynb")
    still = lab.page.locator(".jp-OutputArea img.rlw-Still")
    still.wait_for()
    drawn = still.evaluate("image => image.decode().then(() => [image.naturalWidth, image.width])")
    assert drawn == [2 * 806, 806]
    for words in ("model not found", "Loading widget"):
        assert not lab.page.get_by_text(words).is_visible()
    lab.page.screenshot(path=artefacts / "panel-opened-again.png")
    lab.finish(0)
    lab.panel("stopped")
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    lab.finish(0)
    lab.panel("stopped")
    lab.hook("toggle").click()  # it is the new kernel's panel
    lab.panel("running")
    lab.hook("stop").click()
    lab.panel("stopped")
    still.wait_for(state="detached")


def test_two_trainers_of_one_kernel_are_steered_each_by_its_own_panel(open_lab, server):
    lab = shown(
        open_lab(server, height=2600), "two.ipynb", "other = FakeTrainer(period=0.02)\nother", "print(other.steps)"
    )
    lab.run(1)
    one, other = (lab.page.locator(".jp-OutputArea [data-testid=panel]").nth(place) for place in range(2))
    other.get_by_test_id("panel-toggle").click()
    lab.page.locator(".jp-OutputArea [data-testid=panel][data-status=running]").wait_for()
    assert (one.get_attribute("data-status"), other.get_attribute("data-status")) == ("new", "running")
    one.get_by_test_id("panel-toggle").click()
    other.get_by_test_id("panel-stop").click()
    lab.page.locator(".jp-OutputArea [data-testid=panel][data-status=stopped]").wait_for()
    assert one.get_attribute("data-status") == "running"
    steps = other.get_by_test_id("panel-steps").get_attribute("data-steps")
    assert lab.finish(2) == f"{steps}\n"
    one.get_by_test_id("panel-stop").click()
    lab.page.locator(".jp-OutputArea [data-testid=panel][data-status=stopped]").nth(1).wait_for()


def test_two_views_follow_one_trainer_and_a_closed_one_is_gone(open_lab, server):
    lab = shown(open_lab(server), "views.ipynb", "trainer", "trainer.start(10**9)", "print('')", COSTS)
    lab.finish(1)
    lab.finish(2)
    running = lab.page.locator('[data-testid="panel"][data-status="running"]')
    running.nth(1).wait_for()
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.clearExecution()")
    lab.page.wait_for_function("() => document.querySelectorAll('[data-testid=\"panel\"]').length === 1")
    lab.points(more_than=5)
    shown_costs, hidden = lab.finish(
        4
    ).split()  # each page says what a drawing takes it, and when nobody looks any more
    assert 0.0 < float(shown_costs) < 1.0
    assert hidden == "1"
    lab.hook("stop").click()
    lab.panel("stopped")


def test_the_error_of_a_failed_run_is_shown(open_lab, server):
    cells = "trainer.fail_after = 8192\ntrainer.start(10**9)"
    lab = shown(open_lab(server), "failed.ipynb", cells)
    lab.finish(1)
    lab.panel("failed")
    assert "RuntimeError: observation of lane 3 is NaN at step 17" in lab.hook("notice").inner_text()


def test_without_subshells_the_panel_says_why_it_waits(open_lab, dark_server_without_subshells, artefacts):
    lab = shown(open_lab(dark_server_without_subshells, width=560), "waits.ipynb", "trainer.train(2048 * 400)", RATE)
    lab.run(1)
    lab.points(more_than=100)
    lab.hook("toggle").click()
    lab.page.get_by_text("The kernel has not answered yet").wait_for()
    lab.page.screenshot(path=artefacts / "panel-dark-narrow.png")
    assert violations(lab.page, ".jp-OutputArea [data-testid=panel]") == []
    lab.finished(1)
    lab.panel("stopped")  # The pause arrives after the end and does no harm.
    lab.hook("notice").wait_for(state="hidden")
    assert lab.page.locator('[data-testid="panel"]').evaluate("panel => panel.scrollWidth <= panel.clientWidth")


def test_without_subshells_training_in_the_background_is_steered_at_once(open_lab, dark_server_without_subshells):
    lab = shown(open_lab(dark_server_without_subshells), "background.ipynb", "trainer.start(10**9)")
    lab.finish(1)
    lab.points(more_than=5)
    lab.hook("toggle").click()
    lab.panel("paused")
    lab.hook("stop").click()
    lab.panel("stopped")
