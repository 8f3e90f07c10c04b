"""The panel's sections in a real JupyterLab: the network and the environment, seen while they are open only."""

import json

import pytest
from accessible import violations

pytestmark = pytest.mark.browser

MAKE = """import json, time
import workbench as wb
from workbench.ui import display
trainer = wb.Trainer("{env}", wb.PPO(activation="tanh"), seed=1, run_dir="{run}")
trainer.train(200_000)
trainer"""
START = "trainer.start(10**10)"
STOP = "trainer.stop(); trainer.wait()"
LAYERS = """print(json.dumps([[x.name, x.norm, x.gradient, x.idle] for x in trainer.network().layers]))"""
QUIET = """sections = display._shown[trainer].panel._sections
lookout, scene = sections._lookout, sections._projector
while lookout._asked or scene.wanted:  # what was asked before the sections were folded is answered
    time.sleep(0.01)
before, steps = (lookout._next, scene._number), trainer.steps
while time.monotonic() < lookout._next or trainer.steps < steps + 200_000:
    time.sleep(0.01)
print((lookout._next, scene._number) == before)"""
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


def shown(lab, name):
    row = lab.page.locator(f'.jp-OutputArea [data-testid="network-layer-{name}"]')
    return [float(row.get_attribute(f"data-{each}")) for each in ("norm", "gradient")]


def looks(lab, more_than):
    """Wait until the network is shown after more steps, and return of how many."""
    script = """least => {
      const steps = Number(document.querySelector('[data-testid="panel-network"]').dataset.steps ?? -1);
      return steps > least ? steps : 0;
    }"""
    return lab.page.wait_for_function(script, arg=more_than).json_value()


def test_the_network_and_the_environment_are_seen_while_their_sections_are_open(open_lab, server, tmp_path, artefacts):
    lab = open_lab(server, height=1500)
    lab.open(
        lab.write("sections.ipynb", MAKE.format(env="CartPole-v1", run=tmp_path / "run"), START, STOP, LAYERS, QUIET)
    )
    lab.finish(0, timeout=120_000)
    lab.panel("stopped")
    lab.hook("network").locator("summary").click()
    looks(lab, 0)
    told = json.loads(lab.finish(3))
    assert [name for name, *_ in told] == ["trunk.0", "trunk.1", "head"]
    for name, norm, gradient, _ in told:
        assert shown(lab, name) == pytest.approx([norm, gradient])
    lab.page.screenshot(path=artefacts / "panel-network.png")
    assert violations(lab.page, ".jp-OutputArea [data-testid=panel]") == []

    lab.finish(1)
    steps = looks(lab, 200_704)
    assert looks(lab, steps) > steps
    lab.hook("network").locator("summary").click()

    lab.hook("watch").locator("summary").click()
    lab.page.locator('.jp-OutputArea [data-testid="scene"][data-status="running"]').wait_for()
    assert lab.page.evaluate(CHANGES, 5) == 5
    lab.page.locator('[data-testid="scene-way-play"]').click()
    lab.page.locator('.jp-OutputArea [data-testid="scene"][data-mode="play"][data-playing="true"]').wait_for()
    assert lab.page.evaluate(CHANGES, 5) == 5
    lab.page.screenshot(path=artefacts / "panel-watch.png")
    assert violations(lab.page, ".jp-OutputArea [data-testid=panel]") == []
    lab.hook("watch").locator("summary").click()
    lab.page.locator('.jp-OutputArea [data-testid="scene"]').wait_for(state="detached")
    assert lab.finish(4) == "True\n"
    lab.finish(2)
