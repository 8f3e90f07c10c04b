"""Environments that play in the browser, by their own machine code and under the reader's keys."""

import shutil

import pytest
from jupyterserver import REPOSITORY

import workbench as wb
from workbench_kernels.envs import ENVIRONMENTS

pytestmark = pytest.mark.browser

TUTORIAL = REPOSITORY / "notebooks" / "tutorials" / "02_your_own_environment.ipynb"


@pytest.fixture
def opened(chromium, tmp_path):
    pages = []

    def open_page(played):
        page, faults = chromium.new_page(), []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(played.save(tmp_path / "page.html").as_uri())
        pages.append((page, faults))
        return page

    yield open_page
    for page, faults in pages:
        page.close()
        assert faults == []


def test_a_held_key_acts(opened, artefacts):
    # Pushed one way all the time, a pole falls within some ten steps: episodes pass.
    page = opened(wb.play("CartPole-v1", keys={"ArrowRight": 1}, steps_per_second=200))
    page.click("canvas")
    page.keyboard.down("ArrowRight")
    count = "Number(document.querySelector('#episodes').value)"
    page.wait_for_function(f"(before) => {count} >= before + 3", arg=page.evaluate(count))
    page.screenshot(path=artefacts / "play-cartpole.png")
    assert 8 <= float(page.locator("#return").text_content()) <= 11


@pytest.mark.parametrize("id", sorted(ENVIRONMENTS))
def test_every_environment_plays(opened, id):
    page = opened(wb.play(id, steps_per_second=500))
    before = page.evaluate("document.querySelector('canvas').toDataURL()")
    changed = page.wait_for_function(
        "(before) => document.querySelector('canvas').toDataURL() !== before"
        " || Number(document.querySelector('#episodes').value) >= 2",
        arg=before,
    )
    assert changed.json_value()


def test_the_tutorial_on_your_own_environment_plays_in_its_cell(open_lab, server, artefacts):
    shutil.copyfile(TUTORIAL, server.notebooks / TUTORIAL.name)
    lab = open_lab(server)
    lab.open(TUTORIAL.name)
    lab.run_all(timeout=300_000)
    frame = lab.page.frame_locator(".jp-OutputArea iframe")
    canvas = frame.locator("canvas")
    canvas.scroll_into_view_if_needed()
    canvas.click()
    lab.page.keyboard.down("ArrowUp")  # burning all the time, the rocket leaves through the ceiling
    episodes = frame.locator("#episodes")
    before = int(episodes.text_content())
    frame.locator(f"#episodes:not(:text-is('{before}'))").wait_for()
    lab.page.screenshot(path=artefacts / "own-environment.png")
    cells = [cell for cell in lab.save(TUTORIAL.name).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
