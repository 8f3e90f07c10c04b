"""What a page is told of each environment, and what stays of a scene where there is no kernel."""

import base64
import io
import json
import subprocess
import sys
from dataclasses import replace

import gymnasium
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import workbench as wb
from workbench.errors import InputError
from workbench.ui.scene.about import about
from workbench.ui.scene.display import WIDGET, picture
from workbench.ui.scene.familiar import KNOWN, names_of
from workbench_kernels.envs import ENVIRONMENTS, make
from workbench_kernels.pictures.raster import rasterise


@pytest.mark.parametrize("id", sorted(ENVIRONMENTS))
def test_every_environment_is_described_and_its_keys_take_actions_it_has(id):
    env = wb.make(id, 2)
    told = json.loads(json.dumps(about(wb.envs.adopt(env), wb.PPO()), allow_nan=False))
    assert told["picture"]["shapes"]
    action = told["action"]
    assert len(action["names"]) == sum(action["choices"]) + action["numbers"]
    assert told["observation"] == [] or len(told["observation"]) == env.tree.rows(1).shape[-1]
    assert told["keys"] or action["numbers"] > 2
    for taken in told["keys"].values():
        if action["choices"]:
            assert 0 <= taken < action["choices"][0]
        else:
            assert all(low <= x <= high for x, low, high in zip(taken, action["low"], action["high"], strict=True))


@pytest.mark.parametrize(("id", "count"), [("LunarLander-v3", 4), ("FrozenLake-v1", 4), ("Taxi-v4", 6)])
def test_names_of_well_known_environments_of_others_fit(id, count):
    names = names_of(id, gymnasium.spaces.Discrete(count))
    assert len(names.actions) == count
    assert not names.actions[0].isdigit()
    assert sorted(names.keys.values()) == list(range(count))


def test_an_environment_with_other_actions_than_its_names_say_is_numbered():
    names = names_of("CartPole-v1", gymnasium.spaces.Discrete(3))
    assert names.actions == ("0", "1", "2")
    assert names.keys == {"0": 0, "1": 1, "2": 2}
    assert len(KNOWN["CartPole"].actions) == 2


def test_numbers_without_bounds_have_keys_that_stay_small():
    names = names_of("mine", gymnasium.spaces.Box(-np.inf, np.inf, (2,)))
    assert names.keys == {
        "ArrowLeft": [-1.0, 0.0],
        "ArrowRight": [1.0, 0.0],
        "ArrowDown": [0.0, -1.0],
        "ArrowUp": [0.0, 1.0],
    }
    assert names_of("mine", gymnasium.spaces.Box(-1.0, 1.0, (3,))).keys == {}


def test_without_a_picture_one_sentence_says_so(tmp_path):
    plain = replace(make("CartPole-v1"), picture=None)
    trainer = wb.Trainer(plain, lanes=4, run_dir=tmp_path)
    told = about(trainer.env, trainer.algorithm)
    assert told["picture"] is None
    assert told["reason"].startswith("picture=None of 'CartPole-v1'")
    assert picture(trainer, 4) is None
    trainer.close()


def test_the_still_picture_shows_each_lane(tmp_path):
    trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, run_dir=tmp_path)
    trainer.train(8 * 8)
    paper = np.asarray(Image.open(io.BytesIO(picture(trainer, 6))))
    height, width = 192 + 4, 480 + 4
    assert paper.shape == (2 * height + 8, 4 * width + 3 * 8, 3)
    held = trainer.env.buffers
    for k in range(6):
        top, left = (k // 4) * (height + 8) + 2, (k % 4) * (width + 8) + 2
        expected = rasterise(trainer.env.environment, held.state[:, k], held.observation[:, k], scale=1.6)
        assert (paper[top : top + 192, left : left + 480] == expected).all()
    assert (paper[height + 8 :, 2 * (width + 8) :] == 255).all()
    trainer.close()


def test_a_notebook_keeps_the_last_lanes_and_a_text_without_a_kernel(tmp_path):
    cells = [
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        "import workbench as wb\n"
        "trainer = wb.Trainer('CartPole-v1', wb.PPO(horizon=8), lanes=4, run_dir='run')\ntrainer.watch(lanes=4)",
        "trainer.start(4 * 8 * 5); trainer.wait()",
        "print(trainer.watch() is trainer.watch(), trainer.watch(lanes=2).scene.lanes)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    (output,) = notebook.cells[0].outputs
    assert set(output.data) == {WIDGET, "text/plain", "image/png"}
    assert output.data["text/plain"].splitlines()[:2] == [
        "Scene of Trainer: PPO on CartPole-v1",
        "stopped at 160 of 160 steps",
    ]
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
    assert output.metadata["image/png"]["width"] == (4 * 484 + 3 * 8) // 2
    assert notebook.cells[2].outputs[0].text.startswith("True")


@pytest.mark.parametrize("lanes", [0, 65, True, 2.0])
def test_so_many_lanes_cannot_be_shown(tmp_path, lanes):
    trainer = wb.Trainer("CartPole-v1", lanes=4, run_dir=tmp_path)
    with pytest.raises(InputError, match=f"lanes={lanes} cannot be shown; pass an integer from 1 to 64"):
        trainer.watch(lanes)
    trainer.close()


def test_without_the_extra_one_sentence_says_how_to_get_it():
    code = (
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}; sys.modules['anywidget'] = None\n"
        "import workbench as wb\ntry:\n    wb.Trainer('CartPole-v1', lanes=4).watch()\n"
        "except wb.errors.InputError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == 'watch() needs anywidget: for the live panel: pip install "rl-workbench[lab]".\n'
