"""The scene in a real JupyterLab, over a real trainer: lanes that move, a policy that can be looked at, and keys."""

import base64

import pytest

pytestmark = pytest.mark.browser

MAKE = """import numpy as np, torch
import workbench as wb
trainer = wb.Trainer("{env}", seed=1, run_dir="{run}"{more})
view = trainer.watch(lanes={lanes})
view"""
START = "trainer.start(10**10)"
STOP = "trainer.stop(); trainer.wait()"
THINK = """player = view.scene._director.player
moment = player.moment
row = torch.from_numpy(np.ascontiguousarray(moment.observation[:, 0]))[None]
with torch.no_grad():
    policy, value, _ = trainer.algorithm.model(row)
print(*policy.log_probs.exp()[0].tolist(), value.item())"""
CHANGES = """count => {
  const canvas = document.querySelector('[data-testid="scene-canvas"]');
  const seen = new Set();
  return new Promise(resolve => {
    const look = () => {
      seen.add(canvas.toDataURL());
      if (seen.size >= count) resolve(seen.size); else requestAnimationFrame(look);
    };
    look();
  });
}"""


class Stage:
    """A scene on a page."""

    def __init__(self, lab, tmp_path, name, *cells, env="CartPole-v1", lanes=4, more=""):
        self.lab, self.page = lab, lab.page
        make = MAKE.format(env=env, lanes=lanes, run=tmp_path / "run", more=more)
        lab.open(lab.write(name, make, START, STOP, *cells))
        lab.finish(0, timeout=120_000)
        self.hook("canvas").wait_for()

    def hook(self, name):
        return self.page.locator(f'.jp-OutputArea [data-testid="scene-{name}"]').first

    @property
    def root(self):
        return self.page.locator('.jp-OutputArea [data-testid="scene"]').first

    def until(self, **data):
        """Wait until the scene says so in its data."""
        parts = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
        self.page.locator(f'.jp-OutputArea [data-testid="scene"]{parts}').first.wait_for()

    def play(self):
        self.hook("way-play").click()
        self.until(mode="play", playing="true")
        self.page.wait_for_function(
            "() => Number(document.querySelector('[data-testid=scene-moment]').dataset.kept) > 3"
        )

    def pause(self):
        self.hook("toggle").click()
        self.until(playing="false")

    def place(self):
        return int(self.hook("moment").get_attribute("data-place"))

    def goes_to(self, place):
        self.page.locator(f'[data-testid="scene-moment"][data-place="{place}"]').first.wait_for()

    def picture(self):
        return self.hook("canvas").evaluate("canvas => canvas.toDataURL()")

    def numbers(self, part):
        rows = self.page.locator(f'[data-testid="scene-{part}"] .wbs-row').all()
        return [float(row.get_attribute("data-value")) for row in rows]


def test_training_is_watched_and_the_policy_plays(open_lab, server, tmp_path, artefacts):
    stage = Stage(open_lab(server), tmp_path, "watched.ipynb", THINK)
    assert stage.page.locator('[data-testid^="scene-lane-"]').count() == 4
    stage.lab.finish(1)
    stage.until(status="running", mode="training")
    assert stage.page.evaluate(CHANGES, 5) == 5
    stage.page.screenshot(path=artefacts / "scene-training.png")

    stage.play()
    stage.pause()
    kept = stage.place()
    stage.hook("step").click()
    stage.goes_to(kept + 1)
    last = stage.picture()
    stage.hook("back").click()
    stage.goes_to(kept)
    assert stage.picture() != last
    stage.hook("step").click()
    stage.goes_to(kept + 1)
    assert stage.picture() == last

    stage.hook("slider").focus()
    stage.page.keyboard.press("Home")
    stage.goes_to(0)
    stage.page.keyboard.press("ArrowRight")
    stage.goes_to(1)

    stage.lab.finish(2)
    stage.until(status="stopped")
    stage.hook("restart").click()
    stage.goes_to(0)
    shown = [*stage.numbers("policy"), float(stage.hook("value").get_attribute("data-value"))]
    assert shown == pytest.approx([float(x) for x in stage.lab.finish(3).split()], abs=1e-5)
    stage.page.screenshot(path=artefacts / "scene-play.png")
