"""The display in a real kernel without a front end: what the saved notebook holds."""

import base64
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from workbench.ui.display import WIDGET


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    cells = [
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        "from faketrainer import FakeTrainer\ntrainer = FakeTrainer()\ntrainer",
        "trainer",
        "trainer.start(40 * 2048); trainer.wait()",
        "import gc, weakref\n"
        "def show():\n    passing = FakeTrainer()\n    passing._ipython_display_()\n    return weakref.ref(passing)\n"
        "reference = show()\n",
        "gc.collect(); print(reference())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    folder = tmp_path_factory.mktemp("executed")
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def test_every_output_holds_the_last_state(executed):
    for cell in executed.cells[:2]:
        (output,) = cell.outputs
        assert set(output.data) == {WIDGET, "text/plain", "image/png"}
        assert output.data["text/plain"].splitlines()[1] == "stopped at 81,920 of 81,920 steps"
        assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
        assert output.metadata["image/png"] == {"width": 806, "height": 412}


def test_the_outputs_share_one_widget(executed):
    models = {cell.outputs[0].data[WIDGET]["model_id"] for cell in executed.cells[:2]}
    assert len(models) == 1


def test_showing_keeps_no_trainer_alive(executed):
    assert executed.cells[4].outputs[0].text == "None\n"


def test_a_page_without_a_kernel_shows_the_picture(executed):
    """Leave out the widgets' state, which nbclient saves: nbconvert would ask the network for their code."""
    notebook = nbformat.from_dict({**executed, "metadata": {}})
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert page.count('src="data:image/png;base64,') == 2
