"""Environments that play in the browser, by their own machine code and under the reader's keys."""

import pytest

import workbench as wb
from workbench_kernels.envs import ENVIRONMENTS

pytestmark = pytest.mark.browser


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
    page.wait_for_function(
        "(before) => document.querySelector('canvas').toDataURL() !== before"
        " || Number(document.querySelector('#episodes').value) >= 2",
        arg=before,
    )
