"""The curves in a real JupyterLab: zoomed, over other axes, marked, a million points long; and the run's history."""

import re

import pytest

pytestmark = pytest.mark.browser

FAKE = "from faketrainer import FakeTrainer\ntrainer = FakeTrainer(period=0.02)\n"
MANY = """import numpy as np
from faketrainer import FakeTrainer

class Long:
    def __init__(self, rows):
        self.steps = 2048.0 * np.arange(1, rows + 1)
        self.values = 200 + 100 * np.sin(np.arange(rows) / 5e4) + np.random.default_rng(0).normal(size=rows)
        self.values[123_456] = 900.0
    def __len__(self): return len(self.steps)
    def names(self): return ["episode_return", "episode_length", "policy_loss", "value_loss", "entropy", "kl"]
    def series(self, name): return self.steps, self.values
    def changes(self): return []
    def last(self, name, default=float("nan")): return self.steps[-1] if name == "steps" else self.values[-1]

trainer = FakeTrainer()
trainer.metrics, trainer.steps, trainer.status = Long(1_000_000), 2048 * 1_000_000, "stopped"
trainer"""
REAL = """import tempfile, workbench as wb
folder = tempfile.mkdtemp()
trainer = wb.Trainer("CartPole-v1", seed=1, run_dir=folder + "/run")
trainer"""


def shown(lab, name, *cells):
    lab.open(lab.write(name, *cells))
    lab.run(0)
    lab.page.locator('.jp-OutputArea [data-testid="panel"]').first.wait_for()
    return lab


def plot(lab, name="episode_return"):
    return lab.hook(f"plot-{name}").locator(".u-over")


def drag(lab, start, end):
    """Drag across the large plot, from one part of its width to another."""
    box = plot(lab).bounding_box()
    y = box["y"] + box["height"] / 2
    lab.page.mouse.move(box["x"] + start * box["width"], y)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + end * box["width"], y, steps=5)
    lab.page.mouse.up()


def points(lab, condition):
    script = f"""() => {{
      const points = Number(document.querySelector('[data-testid="panel-plot-episode_return"]').dataset.points);
      return {condition} ? points : 0;
    }}"""
    return lab.page.wait_for_function(script).json_value()


def reading_at(lab, part, name="episode_return"):
    box = plot(lab, name).bounding_box()
    lab.page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
    return lab.hook(f"reading-{name}").inner_text()


def test_a_million_points_are_thin_from_afar_and_whole_from_near(open_lab, server, artefacts):
    lab = shown(open_lab(server), "million.ipynb", MANY)
    assert 500 < points(lab, "points > 0") <= 1000
    drag(lab, 0.12, 0.13)
    lab.page.locator('[data-testid="panel"] [data-detail="true"]').wait_for()
    near = points(lab, "points > 0")
    drag(lab, 0.4, 0.6)
    lab.page.locator('[data-testid="panel"] [data-detail="true"]').wait_for()
    lab.page.screenshot(path=artefacts / "panel-zoomed.png")
    assert near <= 1000
    assert lab.hook("show").input_value() == "own"
    plot(lab).dblclick()
    lab.page.locator('[data-testid="panel"] [data-detail="false"]').wait_for()
    assert lab.hook("show").input_value() == "all"


def test_curves_are_drawn_over_episodes_and_time(open_lab, server):
    lab = shown(
        open_lab(server), "axes.ipynb", FAKE + "for _ in range(200): trainer.seconds += 0.5; trainer.row()\ntrainer"
    )
    assert points(lab, "points === 200") == 200
    assert "at 205 k steps" in reading_at(lab, 0.5)
    lab.hook("over").select_option("seconds")
    assert re.search(r"after (49\.5|50\.0|50\.5) s", reading_at(lab, 0.5))
    lab.hook("over").select_option("episodes")
    assert "at episode 2.05 k" in reading_at(lab, 0.5)
    lab.hook("show").select_option("half")
    assert "at episode 3.0" in reading_at(lab, 0.5)


def test_changes_are_marked_and_listed(open_lab, server, artefacts):
    lab = shown(open_lab(server), "marks.ipynb", REAL, "trainer.start(10**9)", "trainer.algorithm.clip = 0.3")
    lab.finish(1)
    lab.points(more_than=5)
    lab.finish(2)
    lab.hook("history").locator("summary").click()
    lab.hook("changes").get_by_text("clip 0.2 → 0.3").wait_for()
    lab.hook("stop").click()
    lab.panel("stopped")
    lab.page.screenshot(path=artefacts / "panel-marks.png")


def test_a_run_is_saved_stepped_and_rewound(open_lab, server, artefacts):
    lab = shown(
        open_lab(server),
        "rewound.ipynb",
        REAL,
        "trainer.start(10**9, paused=True)",  # a million steps, the panel's own goal, are over within a second
        "print(trainer.steps, trainer.run_dir.name)",
    )
    lab.finish(1)
    lab.panel("paused")
    lab.hook("step").click()
    lab.page.wait_for_function("() => document.querySelector('[data-testid=panel-steps]').dataset.steps === '4096'")
    lab.panel("paused")
    lab.hook("save").click()
    lab.page.get_by_text("Saved after 4,096 steps").wait_for()
    lab.hook("toggle").click()
    lab.panel("running")
    lab.points(more_than=20)
    lab.hook("history").locator("summary").click()
    lab.hook("rewind-4096").click()
    lab.page.get_by_text("Back at 4,096 steps.").wait_for()
    lab.panel("stopped")
    assert lab.steps() == 4096
    steps, name = lab.finish(2).split()
    assert steps == "4096"
    assert name.startswith("run@4096-")
    lab.page.screenshot(path=artefacts / "panel-rewound.png")
    lab.hook("toggle").click()
    lab.panel("running")
    lab.points(more_than=5)
    lab.page.screenshot(path=artefacts / "panel-branch.png")
    lab.hook("stop").click()
    lab.panel("stopped")
