"""What is shipped, what it pulls in, and what it requires."""

import argparse
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

from workbench import machine

ROOT = Path(__file__).parents[1]
EXTRAS = (
    *("IPython", "anywidget", "bokeh", "holoviews", "ipykernel", "ipywidgets", "jupyter_client", "jupyterlab"),
    *("matplotlib", "nbconvert", "pandas", "panel", "papermill", "PIL", "playwright", "pytest"),
    *("tensorboard", "trackio", "wandb"),
)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*( ; .+)?", line) for line in lines)
    return {normal(name): version.split(" ")[0] for name, _, version in (line.partition("==") for line in lines)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        yield archive


def tracked(folder, *inner):
    """Return the files that git knows below `folder`, or below these folders in it, from there."""
    done = subprocess.run(["git", "ls-files", *inner], check=True, capture_output=True, text=True, cwd=ROOT / folder)
    assert done.stdout
    return done.stdout.splitlines()


def data_folder(wheel):
    """Return the folder of a wheel whose content an installer puts below the environment."""
    (folder,) = {name.split("/")[0] for name in wheel.namelist() if ".data/data/" in name}
    return f"{folder}/data"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def modules_after(statement):
    """Run `statement` in a fresh interpreter; return the top-level names of what it imported."""
    program = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("statement", ["import workbench", "import workbench.cli", "import workbench.trainer"])
def test_the_core_imports_no_extra(statement):
    assert modules_after(statement).isdisjoint(EXTRAS)


def test_the_wheel_holds_both_packages_and_their_data(wheel):
    names = set(wheel.namelist())
    for package in (ROOT / "workbench", ROOT / "kernels" / "workbench_kernels"):
        for source in (*package.rglob("*.py"), *package.rglob("*.mjs")):
            assert source.relative_to(package.parent).as_posix() in names
    assert {"workbench/py.typed", "workbench_kernels/py.typed"} <= names
    for folder in ("ui", "analysis"):
        static = [path for path in (ROOT / "workbench" / folder / "static").iterdir() if path.is_file()]
        assert static
        assert {f"workbench/{folder}/static/{path.name}" for path in static} <= names


def test_the_wheel_holds_nothing_else(wheel):
    beside = {"_rl_workbench_gymnasium.py", "rl_workbench_gymnasium.pth"}
    assert beside <= set(wheel.namelist())
    shared = {
        f"{data_folder(wheel)}/{path}" for path in tracked("extensions/jupyterlab", "etc/jupyter", "share/jupyter")
    }
    for name in wheel.namelist():
        packaged = name.split("/")[0] in {"workbench", "workbench_kernels"} or ".dist-info/" in name
        assert packaged or name in beside | shared
        assert "__pycache__" not in name


def test_the_wheel_brings_the_extension_of_jupyterlab_as_it_is_committed(wheel):
    for path in tracked("extensions/jupyterlab", "etc/jupyter", "share/jupyter"):
        assert wheel.read(f"{data_folder(wheel)}/{path}") == (ROOT / "extensions/jupyterlab" / path).read_bytes()
    configuration = f"{data_folder(wheel)}/etc/jupyter/jupyter_server_config.d/rl-workbench.json"
    assert "workbench.labserver" in wheel.read(configuration).decode()


def test_the_wheel_holds_the_tutorials(wheel):
    tutorials = {name for name in tracked("notebooks/tutorials") if name.endswith(".ipynb")}
    shipped = {name for name in wheel.namelist() if name.startswith("workbench/labserver/tutorials/")}
    assert {name.rpartition("/")[2] for name in shipped} == tutorials
    assert {f"workbench/labserver/templates/{name}.ipynb" for name in ("experiment", "continue", "dashboard")} <= set(
        wheel.namelist()
    )


def test_an_editable_install_brings_the_extension_too(tmp_path):
    """hatchling, which pip asks for it, copies shared data into an editable wheel as well."""
    program = "import sys; from hatchling.build import build_editable; print(build_editable(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True, cwd=ROOT
    )
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as editable:
        for path in tracked("extensions/jupyterlab", "etc/jupyter", "share/jupyter"):
            assert f"{data_folder(editable)}/{path}" in editable.namelist()


def test_the_wheel_carries_its_licence_and_its_command(wheel):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "workbench = workbench.cli:main" in wheel.read(entry_points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_everything_declared_is_pinned_at_or_above_its_oldest(project, pins):
    # What others are only compared with is not installed here, and our own extras have pins of their own.
    groups = [each for name, each in project["optional-dependencies"].items() if name != "compare"]
    lines = [line for group in (project["dependencies"], *groups) for line in group]
    for requirement in (line for line in lines if not line.startswith("rl-workbench[")):
        name, oldest = re.match(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)(?:,<[\d.]+)?$", requirement).groups()
        assert not machine.older(pins[normal(name)], oldest), requirement
    assert pins["torch"] == "2.13.0"


def test_the_requirements_are_read_back_from_the_installed_package(project):
    declared = {re.match(r"[\w.-]+", line)[0] for line in project["optional-dependencies"]["lab"]}
    assert set(machine.required("lab")) == declared
    assert "torch" in machine.required()
    assert "ruff" not in machine.required()


@pytest.mark.parametrize(
    ("found", "oldest", "answer"),
    [("2.13.0+cpu", "2.9", False), ("2.8.1", "2.9", True), ("0.10", "0.9.18", False), ("4.4", "4.4", False)],
)
def test_versions_compare_by_number(found, oldest, answer):
    assert machine.older(found, oldest) is answer


def test_an_absent_library_has_no_version():
    assert machine.installed("no-such-distribution") is None


def test_make_help_lists_every_target():
    done = subprocess.run(["make", "help"], check=True, capture_output=True, text=True, cwd=ROOT)
    for target in ("demo", "lab", "test", "check", "learning", "bounds", "browser", "docs", "wheel", "bench", "clean"):
        assert re.search(rf"^  {target} +\S", done.stdout, re.MULTILINE)


def test_no_project_file_names_a_registry_or_a_machine():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT).stdout.split()
    own = [
        name for name in tracked if name in {"Makefile", "constraints.txt", "pyproject.toml"} or name.startswith(".ci/")
    ]
    for name in own:
        assert not re.search(r"index-url|find-links|https?://|/(home|root|opt)/", (ROOT / name).read_text()), name


@pytest.fixture(scope="module")
def page_maker():
    location = ROOT / "notebooks" / "to_html.py"
    specification = importlib.util.spec_from_file_location("to_html", location)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_page_shows_the_picture_of_a_widget_and_fetches_nothing(page_maker):
    outputs = [
        nbformat.v4.new_output(
            "display_data", {page_maker.WIDGET_VIEW: {"model_id": "a"}, "image/png": "iVBORw0KGgo="}
        ),
        nbformat.v4.new_output(
            "display_data", {page_maker.WIDGET_VIEW: {"model_id": "b"}, "text/plain": "Trainer at 7"}
        ),
        nbformat.v4.new_output("stream", text="Evaluation"),
    ]
    cells = [nbformat.v4.new_markdown_cell("# First run"), nbformat.v4.new_code_cell("trainer", outputs=outputs)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    page = page_maker.to_html(notebook, "First run")
    assert "data:image/png;base64,iVBORw0KGgo=" in page
    assert "Trainer at 7" in page
    assert page_maker.WIDGET_VIEW not in page
    assert not re.findall(r"<script[^>]*src=|<link[^>]*href=|@import", page)
    assert "<title>First run</title>" in page


@pytest.mark.parametrize(
    ("text", "value"), [("lanes=64", 64), ("rate=1e-3", 1e-3), ("live=true", True), ("env=CartPole-v1", "CartPole-v1")]
)
def test_a_page_takes_papermill_parameters(page_maker, text, value):
    assert page_maker.parameter(text)[1] == value


def test_a_page_refuses_a_parameter_without_a_value(page_maker):
    with pytest.raises(argparse.ArgumentTypeError, match="lanes=1024"):
        page_maker.parameter("lanes")
