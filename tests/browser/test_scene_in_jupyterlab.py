"""The scene in a real JupyterLab, over a real trainer: lanes that move, a policy that can be looked at, and keys."""

import base64

import pytest
from accessible import violations

pytestmark = pytest.mark.browser

MAKE = """import numpy as np, torch
import workbench as wb
trainer = wb.Trainer("{env}", seed=1, run_dir="{run}"{more})
view = trainer.watch(lanes={lanes})
view"""
START = "trainer.start(10**10)"
STOP = "trainer.stop(); trainer.wait()"
THINK = """player = view.scene.projector.director.player
moment = player.moment
row = torch.from_numpy(np.ascontiguousarray(moment.observation[:, 0]))[None]
with torch.no_grad():
    policy, value, _ = trainer.algorithm.model(row)
print(*policy.log_probs.exp()[0].tolist(), value.item())"""
COUNT = """from workbench.ui.scene import projector as module
module.SLOW = 0.0  # as if frames came slowly, which they do not
projector, answers = view.scene.projector, []
projector._pace.pause = lambda: 0.0
ask, first = projector.ask, projector._number
projector.ask = lambda *messages: (answers.extend(each for each in messages if each["kind"] == "more"), ask(*messages))
trainer.start(10**10)
print(first, module.AHEAD)"""
TOLD = "trainer.stop(); trainer.wait(); print(projector._number - first, len(answers))"
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
        self.hook("caption").filter(has_text="Lane").wait_for()

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


def test_slow_frames_are_answered_now_and_then(open_lab, server, tmp_path):
    stage = Stage(open_lab(server), tmp_path, "answers.ipynb", COUNT, TOLD)
    first, ahead = map(int, stage.lab.finish(3).split())
    stage.page.wait_for_function(
        "least => Number(document.querySelector('[data-testid=scene]').dataset.number) > least", arg=first + 40
    )
    frames, answers = map(int, stage.lab.finish(4).split())
    assert frames > 40
    assert abs(answers - frames / ahead) <= 3


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
    stage.page.wait_for_function(  # the policy at play is the last one
        "() => (({ weights, steps }) => weights === steps)(document.querySelector('[data-testid=scene]').dataset)"
    )
    shown = [*stage.numbers("policy"), float(stage.hook("value").get_attribute("data-value"))]
    assert shown == pytest.approx([float(x) for x in stage.lab.finish(3).split()], abs=1e-5)
    stage.page.screenshot(path=artefacts / "scene-play.png")
    assert violations(stage.page, ".jp-OutputArea [data-testid=scene]") == []


def test_keys_take_over_while_they_are_held(open_lab, server, tmp_path, artefacts):
    print_taken = """player = view.scene.projector.director.player
taken = [(float(each.taken[0, 0]), each.hand) for each in player.moments]
print(taken[-4:])"""
    stage = Stage(open_lab(server), tmp_path, "keys.ipynb", print_taken)
    stage.play()
    stage.pause()
    stage.hook("restart").click()
    stage.goes_to(0)
    stage.hook("stage").focus()
    for place in range(1, 4):
        stage.page.keyboard.press("ArrowLeft")
        stage.goes_to(place)
    # A policy that was not trained leans neither way: three steps of its own to the left would be no proof.
    assert stage.lab.finish(3) == "[(0.0, 0), (0.0, 0), (0.0, 0), (nan, -1)]\n"
    stage.hook("stage").focus()
    stage.page.keyboard.press("ArrowRight")
    stage.goes_to(4)
    stage.hook("back").click()
    stage.goes_to(3)
    assert stage.page.locator('[data-name="right"][data-hand="true"]').count() == 1
    assert stage.page.locator('[data-name="left"][data-hand]').count() == 0

    # From an earlier moment on, another action makes another future.
    stage.hook("stage").focus()
    stage.page.keyboard.press("ArrowLeft")
    stage.goes_to(4)
    assert stage.lab.finish(3) == "[(0.0, 0), (0.0, 0), (0.0, 0), (nan, -1)]\n"

    stage.hook("stage").focus()
    stage.page.keyboard.press("Space")
    stage.until(playing="true")
    stage.page.keyboard.down("ArrowRight")
    stage.page.locator('[data-testid="scene-key-ArrowRight"][aria-pressed="true"]').wait_for()
    stage.page.screenshot(path=artefacts / "scene-keys.png")
    stage.page.wait_for_function(
        "() => document.querySelector('[data-testid=scene-caption]').textContent.includes('last episode')"
    )
    stage.page.keyboard.up("ArrowRight")
    stage.page.locator('[data-testid="scene-key-ArrowRight"][aria-pressed="false"]').wait_for()
    stage.page.keyboard.press("Space")
    stage.until(playing="false")


def test_an_episode_is_recorded_as_a_film_that_plays(open_lab, server, tmp_path):
    stage = Stage(open_lab(server), tmp_path, "film.ipynb")
    stage.play()
    stage.hook("record").click()
    with stage.page.expect_download() as download:
        stage.hook("film").wait_for()  # an untrained policy drops the pole soon, and the recording ends by itself
    assert download.value.suggested_filename == "CartPole-v1-seed-0.webm"
    film = download.value.path().read_bytes()
    print(len(film), film[:60], stage.hook("film").text_content())
    address = "data:video/webm;base64," + base64.b64encode(film).decode()
    played = stage.page.evaluate(
        """address => new Promise((resolve, reject) => {
          const video = document.createElement('video');
          video.muted = true;
          video.onerror = () => reject(video.error.message);
          video.onended = () => resolve([video.videoWidth, video.videoHeight, video.currentTime]);
          video.src = address;
          video.play();
        })""",
        address,
    )
    assert played[:2] == [640, 292]
    assert played[2] > 0.1


def test_it_works_in_the_dark_and_without_subshells(open_lab, dark_server_without_subshells, tmp_path, artefacts):
    stage = Stage(open_lab(dark_server_without_subshells), tmp_path, "dark.ipynb", env="MinAtar/Breakout-v1", lanes=8)
    stage.lab.finish(1)
    stage.until(status="running", dark="true")
    assert stage.page.evaluate(CHANGES, 5) == 5
    stage.play()
    assert stage.page.evaluate(CHANGES, 10) == 10
    stage.page.screenshot(path=artefacts / "scene-dark.png")
    assert violations(stage.page, ".jp-OutputArea [data-testid=scene]") == []
    stage.lab.finish(2)
    stage.until(status="stopped")


def test_an_environment_of_others_is_seen_at_play(open_lab, server, tmp_path, artefacts):
    stage = Stage(open_lab(server), tmp_path, "films.ipynb", env="MountainCar-v0", more=", backend='serial', lanes=4")
    stage.play()
    image = stage.page.locator('[data-testid="scene-stage"] img')
    first = image.get_attribute("src")
    stage.page.wait_for_function(
        "src => { const image = document.querySelector('[data-testid=scene-stage] img');"
        " return image.src !== src && image.naturalWidth > 100; }",
        arg=first,
    )
    stage.page.screenshot(path=artefacts / "scene-films.png")
