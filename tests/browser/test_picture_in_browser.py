"""The browser's canvas and numpy draw the same pictures."""

import base64
import json

import numpy as np
import pytest

from tests.contract.test_environments import Actions
from tests.kernels.batch import Lanes
from workbench.ui.panel import STATIC
from workbench_kernels.envs import ENVIRONMENTS, make
from workbench_kernels.pictures.description import describe
from workbench_kernels.pictures.raster import rasterise

pytestmark = pytest.mark.browser
SCALE = 2.0
STEPS = 12

DRAW = """([picture, lane, scale]) => {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  window.draw(context, picture, lane, scale);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let k = 0; k < data.length; k += 4) text += String.fromCharCode(data[k], data[k + 1], data[k + 2]);
  return btoa(text);
}"""


@pytest.fixture(scope="module")
def page(chromium):
    page = chromium.new_page()
    page.set_content("<!doctype html><title>picture</title>")
    code = (STATIC / "picture.js").read_text(encoding="utf-8")
    address = "data:text/javascript;base64," + base64.b64encode(code.encode()).decode()
    page.evaluate("async (address) => { window.draw = (await import(address)).draw; }", address)
    yield page
    page.close()


@pytest.mark.parametrize("id", sorted(ENVIRONMENTS))
def test_the_canvas_draws_what_numpy_draws(page, id):
    environment = make(id)
    lanes = Lanes(environment, 2, seed=3)
    actions = Actions(lanes, seed=4)
    for _ in range(STEPS):
        lanes.step(actions(), autoreset=True)
    state, observation = lanes.state[:, 1], lanes.observation[..., 1].reshape(-1)
    ours = rasterise(environment, state, observation, scale=SCALE).astype(int)
    picture = json.loads(json.dumps(describe(environment)))
    lane = {"state": state.astype(float).tolist(), "observation": observation.astype(float).tolist()}
    pixels = np.frombuffer(base64.b64decode(page.evaluate(DRAW, [picture, lane, SCALE])), np.uint8)
    theirs = pixels.reshape(ours.shape).astype(int)
    # Edges are smoothed by different rules; whatever is larger than an edge must be the same.
    far = np.abs(ours - theirs).max(axis=-1) > 100
    assert far.mean() < 0.002, f"{far.mean():.2%} of the pixels differ"
    assert np.abs(ours - theirs).mean() < 1.0
    assert (ours != ours[0, 0]).any()
