"""Notebooks that can be made: valid, runnable, filled in."""

import nbformat
import pytest

from tests.labserver.runfolders import write_run
from workbench.errors import InputError, UnknownNameError
from workbench.labserver.notebooks import template, tutorial, tutorials


def code(made):
    return [cell["source"] for cell in made["content"]["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", ["experiment", "continue", "dashboard"])
def test_a_template_is_a_valid_notebook_that_was_never_run(tmp_path, name):
    made = template(tmp_path, name)
    assert (made["name"], made["folder"]) == (f"{name}.ipynb", None)
    notebook = nbformat.from_dict(made["content"])
    nbformat.validate(notebook)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in notebook.cells if "outputs" in cell)


def test_an_experiment_runs_from_top_to_bottom_and_can_be_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in code(template(tmp_path, "experiment")):
        exec(cell.replace("2_000_000, target_return=475", "4_000"), names)
    (run,) = (tmp_path / "runs").iterdir()
    names["trainer"].close()
    again = template(tmp_path, "continue", f"runs/{run.name}")
    assert again["folder"] == "."
    further = {}
    for cell in code(again):
        exec(cell.replace("1_000_000", "4_000"), further)
    further["trainer"].wait()
    assert further["trainer"].steps > names["trainer"].steps
    assert list((tmp_path / "runs").iterdir()) == [run]
    further["trainer"].close()


@pytest.mark.parametrize(
    ("path", "folder", "line"),
    [
        ("work/runs/a", "work", 'run = "runs/a"'),
        ("runs/a", ".", 'run = "runs/a"'),
        ("a", ".", 'run = "a"'),
        ('work/runs/"; x', "work", r'run = "runs/\"; x"'),
    ],
)
def test_a_notebook_about_a_run_stands_beside_its_folder(tmp_path, path, folder, line):
    write_run(tmp_path / path)
    made = template(tmp_path, "continue", path)
    assert made["folder"] == folder
    assert code(made)[0] == line


@pytest.mark.parametrize(
    ("path", "folder", "line"),
    [("work/runs/a", "work", 'runs = "runs"'), ("work/other/a", "work", 'runs = "other"'), ("a", ".", 'runs = "."')],
)
def test_a_dashboard_is_of_the_folder_that_holds_the_run(tmp_path, path, folder, line):
    write_run(tmp_path / path)
    made = template(tmp_path, "dashboard", path)
    assert made["folder"] == folder
    assert code(made)[0] == line


@pytest.mark.parametrize("run", ["runs/none", "../outside", ""])
def test_a_run_that_is_not_there_is_refused(tmp_path, run):
    write_run(tmp_path / "outside")
    (tmp_path / "root").mkdir()
    with pytest.raises(InputError, match=r"^run="):
        template(tmp_path / "root", "continue", run)


@pytest.mark.parametrize("name", ["nothing", "../templates/experiment", ""])
def test_an_unknown_name_is_refused(tmp_path, name):
    with pytest.raises(UnknownNameError, match=r"^template"):
        template(tmp_path, name)
    with pytest.raises(UnknownNameError, match=r"^tutorial"):
        tutorial(name)


def test_the_tutorials_are_told_in_their_order(tmp_path):
    found = tutorials(tmp_path)["tutorials"]
    assert [entry["name"] for entry in found[:2]] == ["01_first_run", "02_your_own_environment"]
    assert all(entry["title"] and not entry["title"].startswith("#") and entry["path"] is None for entry in found)
    for entry in found:
        nbformat.validate(nbformat.from_dict(tutorial(entry["name"])["content"]))


def test_a_tutorial_below_the_root_need_not_be_copied(tmp_path, monkeypatch):
    shelf = tmp_path / "root" / "tutorials"
    shelf.mkdir(parents=True)
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title\n\ntext")]), shelf / "a.ipynb"
    )
    monkeypatch.setattr("workbench.labserver.notebooks.TUTORIALS", (shelf,))
    (entry,) = tutorials(tmp_path / "root")["tutorials"]
    assert entry == {"name": "a", "title": "A title", "path": "tutorials/a.ipynb"}
