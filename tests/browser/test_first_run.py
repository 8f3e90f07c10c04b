"""A real trainer under the panel, and the tutorial as a reader runs it."""

import shutil

import pytest
from jupyterserver import REPOSITORY

pytestmark = pytest.mark.browser

TUTORIAL = REPOSITORY / "notebooks" / "tutorials" / "01_first_run.ipynb"
GUESTS = TUTORIAL.with_name("03_environments_of_others.ipynb")
SHOW = 'import workbench as wb\n\ntrainer = wb.Trainer("CartPole-v1", wb.PPO(), seed=1)\ntrainer'
TRAIN = "trainer.train(10**9);"
RATE = "print(trainer.algorithm.learning_rate)"
STEPS = "print(trainer.steps, trainer.status)"
MORE_STEPS = "steps => Number(document.querySelector('[data-testid=panel-steps]').dataset.steps) > steps"


def test_ppo_is_watched_paused_steered_and_stopped_while_its_cell_blocks(open_lab, server, artefacts):
    lab = open_lab(server)
    lab.page.set_default_timeout(120_000)  # The first steps compile the environment.
    lab.open(lab.write("cartpole.ipynb", SHOW, TRAIN, RATE, STEPS))
    lab.run(0)
    lab.panel("new")
    lab.run(1)
    lab.panel("running")
    first = lab.points(more_than=2)
    assert lab.points(more_than=first) > first

    lab.hook("toggle").click()
    lab.panel("paused")
    lab.answered("clip", "0.25")  # The iteration under way ends before the pause: wait for an answer, then look.
    lab.page.wait_for_function(
        """() => {
          const steps = document.querySelector('[data-testid=panel-steps]').dataset.steps;
          const seen = window.steps_seen ?? [];
          window.steps_seen = [...seen, steps].slice(-100);
          return seen.length === 100 && new Set(window.steps_seen).size === 1;
        }"""
    )
    steps = lab.steps()
    slider = lab.hook("slider-learning_rate")
    box = slider.bounding_box()
    lab.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    rate = lab.settled("learning_rate")
    assert 2.5e-4 < float(rate) < 4e-4  # the middle of 1e-6 to 1e-1, on a logarithmic scale; the default is 2.5e-3
    assert lab.steps() == steps

    lab.hook("toggle").click()
    lab.page.wait_for_function(MORE_STEPS, arg=steps)
    lab.page.screenshot(path=artefacts / "cartpole.png")
    lab.hook("stop").click()
    lab.finished(1)
    lab.panel("stopped")
    assert float(lab.finish(2)) == float(rate)
    assert lab.finish(3) == f"{lab.steps()} stopped\n"


def test_the_tutorial_runs_from_top_to_bottom(open_lab, server, artefacts):
    shutil.copyfile(TUTORIAL, server.notebooks / TUTORIAL.name)
    lab = open_lab(server)
    lab.open(TUTORIAL.name)
    lab.run_all(timeout=300_000)
    lab.page.locator('[data-testid="panel"]').first.scroll_into_view_if_needed()
    assert lab.points(more_than=5) > 5
    lab.page.screenshot(path=artefacts / "tutorial.png")
    cells = [cell for cell in lab.save(TUTORIAL.name).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_a_class_of_a_cell_trains_in_processes_under_the_panel(open_lab, server, artefacts):
    shutil.copyfile(GUESTS, server.notebooks / GUESTS.name)
    lab = open_lab(server)
    lab.page.set_default_timeout(120_000)
    lab.open(GUESTS.name)
    lab.page.get_by_role("menuitem", name="Run", exact=True).click()
    lab.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    lab.page.get_by_text("it learned to keep the room warm: True").last.wait_for(timeout=120_000)
    lab.panel("stopped")
    assert lab.points(more_than=2)
    lab.page.screenshot(path=artefacts / "guests.png")
