"""What `workbench doctor` says of planted situations: each pain that a program can detect, there and not there."""

import json
import re
import sys
from pathlib import Path

import psutil
import pytest

from workbench import machine
from workbench.commands import frontends
from workbench.commands.doctor import show
from workbench.commands.finding import Check

DOCS = Path(__file__).parents[1] / "docs"
HOSTS = (
    "TERM_PROGRAM", "VSCODE_PID", "COLAB_RELEASE_TAG", "JUPYTERHUB_SERVICE_PREFIX", "SSH_CONNECTION", "MPLBACKEND",
    "JPY_PARENT_PID", "JUPYTERLAB_SETTINGS_DIR", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "MUJOCO_GL", "DISPLAY",
    "WAYLAND_DISPLAY",
)  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A machine with nothing on it: no settings, no extensions, no kernels, no servers, no host around this process."""
    for name in HOSTS:
        monkeypatch.delenv(name, raising=False)
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("ENV_JUPYTER_PATH", "SYSTEM_JUPYTER_PATH"):
        monkeypatch.setattr(f"jupyter_core.paths.{name}", [str(tmp_path / "share" / "jupyter")])
    for name in ("ENV_CONFIG_PATH", "SYSTEM_CONFIG_PATH"):
        monkeypatch.setattr(f"jupyter_core.paths.{name}", [str(tmp_path / "etc")])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def told(check):
    return [(each.name, each.state, each.found) for each in check()]


def extensions(folder, **versions):
    """Install labextensions: what shows ipywidgets, and anywidget's."""
    for name, version in versions.items():
        path = frontends.MANAGER if name == "manager" else name
        package = {"name": path, "version": version, "jupyterlab": {"_build": {"load": "a.js", "extension": "./b"}}}
        write(folder / "labextensions" / path / "package.json", package)


@pytest.mark.parametrize(
    ("kernel", "lab", "state"), [("7.0.0", "4.4.0", "ok"), ("6.29.5", "4.4.0", "note"), ("7.4.0", "4.3.9", "note")]
)
def test_subshells_need_both_sides(monkeypatch, kernel, lab, state):
    monkeypatch.setattr(machine, "installed", {"ipykernel": kernel, "jupyterlab": lab}.get)
    (check,) = frontends.check_subshells()
    assert (check.state, bool(check.fix), check.page) == (state, state == "note", "pains/busy-kernel")


def test_subshells_that_somebody_switched_off(place):
    settings = place / "jupyter_config_dir" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    write(settings / "kernels-settings.jupyterlab-settings", '{\n  // mine\n  "commsOverSubshells": "disabled",\n}')
    (check,) = frontends.check_subshells()
    assert (check.state, "switched off in JupyterLab" in check.found) == ("note", True)


def test_what_shows_widgets_is_missing_old_elsewhere_or_off(place):
    missing = "not there: the page shows pictures or an error"
    rows = ("ipywidgets in JupyterLab", "anywidget in JupyterLab")
    assert told(frontends.check_labextensions) == [(row, "note", missing) for row in rows]
    own = machine.installed("anywidget")
    extensions(place / "share" / "jupyter", manager="5.0.16", anywidget=own)
    assert told(frontends.check_labextensions) == [(rows[0], "ok", "5.0.16"), (rows[1], "ok", own)]
    user = place / "jupyter_data_dir"  # looked at first: what lies there hides the environment's
    extensions(user, manager="3.1.11", anywidget="0.0.1")
    first, second = frontends.check_labextensions()
    assert (first.state, second.state) == ("note", "note")
    assert first.found.startswith(f"3.1.11 from {user / 'labextensions'} does not fit ipywidgets ")
    assert second.found == f"0.0.1 from {user / 'labextensions'} does not fit anywidget {own}"
    extensions(user, manager="5.0.16", anywidget=own)
    write(place / "etc" / "labconfig" / "page_config.json", {"disabledExtensions": {"anywidget": True}})
    assert [each.found for each in frontends.check_labextensions()] == ["5.0.16", "switched off"]


class Process:
    """A process of which only the command is known."""

    def __init__(self, commands, pid):
        if pid not in commands:
            raise psutil.NoSuchProcess(pid)
        self.cmdline = lambda: commands[pid]


@pytest.fixture
def server(place, monkeypatch):
    """A JupyterLab of another environment, which began this process."""
    prefix = place / "other"
    commands = {17: [str(prefix / "bin" / "python3.12"), str(prefix / "bin" / "jupyter-lab")], 18: ["python"]}
    monkeypatch.setattr(psutil, "Process", lambda pid: Process(commands, pid))
    monkeypatch.setenv("JPY_PARENT_PID", "17")
    return prefix


def test_a_server_of_another_environment(server, monkeypatch):
    ((row, state, found),) = told(frontends.check_servers)
    assert (row, state) == ("JupyterLab's server", "note")
    assert found == f"runs in {server}, without @jupyter-widgets/jupyterlab-manager, anywidget"
    extensions(server / "share" / "jupyter", manager="5.0.16", anywidget="0.0.1")
    (check,) = frontends.check_servers()
    assert (check.state, "with anywidget 0.0.1" in check.found) == ("note", True)
    assert check.fix.startswith(f"{server / 'bin' / 'python'} -m pip install")
    extensions(server / "share" / "jupyter", anywidget=machine.installed("anywidget"))
    assert told(frontends.check_servers) == [(row, "ok", f"runs in {server}, which shows widgets")]
    for pid in ("18", "19", ""):
        monkeypatch.setenv("JPY_PARENT_PID", pid)
        assert told(frontends.check_servers) == []


def test_a_server_of_this_environment_is_not_told(server, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(server))
    assert told(frontends.check_servers) == []


def test_servers_that_run_are_found(server, place, monkeypatch):
    monkeypatch.delenv("JPY_PARENT_PID")
    monkeypatch.setattr("jupyter_server.serverapp.list_running_servers", lambda: iter([{"pid": 17}]))
    assert len(told(frontends.check_servers)) == 1


def kernel(place, name, python, language="python"):
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    content = {"argv": argv, "display_name": name, "language": language}
    write(place / "jupyter_data_dir" / "kernels" / name / "kernel.json", content)


def test_kernels_of_other_environments(place, monkeypatch):
    monkeypatch.setattr("jupyter_client.kernelspec.KernelSpecManager.ensure_native_kernel", False)
    other = place / "other"
    packages = other / "lib" / "python3.12" / "site-packages"
    kernel(place, "python3", other / "bin" / "python")
    kernel(place, "theirs", place / "third" / "bin" / "python")
    kernel(place, "r", other / "bin" / "R", language="R")
    kernel(place, "mine", Path(sys.prefix) / "bin" / "python")
    kernel(place, "here", "python")
    python = other / "bin" / "python"
    assert told(frontends.check_kernels) == [("kernel python3", "note", f"runs {python}, without rl-workbench")]
    (packages / "rl_workbench-0.1.dist-info").mkdir(parents=True)
    assert told(frontends.check_kernels) == [("kernel python3", "note", f"runs {python}, without anywidget")]
    (packages / "anywidget-0.11.0.dist-info").mkdir()
    assert told(frontends.check_kernels) == [("kernel python3", "ok", f"runs {python}")]


@pytest.mark.parametrize(
    ("name", "content", "state", "found"),
    [
        ("none.txt", "", "ok", "1,000 messages and 1,000,000 bytes"),
        ("jupyter_server_config.json", {"ServerApp": {"iopub_msg_rate_limit": 20}}, "note", "20 messages"),
        ("jupyter_server_config.py", "c = get_config()\nc.ServerApp.iopub_msg_rate_limit = 1e1", "note", "10 messages"),
        ("jupyter_lab_config.py", "# c.ServerApp.iopub_msg_rate_limit = 10", "ok", "1,000 messages"),
        ("jupyter_notebook_config.py", "c.NotebookApp.iopub_data_rate_limit=5_000_000", "ok", "5,000,000 bytes"),
        ("jupyter_server_config.json", {"ServerApp": {"iopub_msg_rate_limit": 0}}, "ok", "0 messages"),  # means none
    ],
)
def test_limits_lower_than_jupyters(place, name, content, state, found):
    write(place / "jupyter_config_dir" / name, content)
    (check,) = frontends.check_limits()
    assert (check.state, found in check.found) == (state, True)


def test_vs_code_finds_the_script_fetches_it_or_has_none(place, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(place / "env"))
    assert told(frontends.check_front_end) == []
    monkeypatch.setenv("TERM_PROGRAM", "vscode")
    nothing = "VS Code, with no script of anywidget here and no jupyter.widgetScriptSources"
    assert told(frontends.check_front_end) == [("front end", "note", nothing)]
    write(place / ".vscode" / "settings.json", '{ // here\n "jupyter.widgetScriptSources": ["unpkg.com"], }')
    assert told(frontends.check_front_end)[0][2] == "VS Code, which fetches anywidget's script from unpkg.com"
    write(place / "env" / "share" / "jupyter" / "nbextensions" / "anywidget" / "index.js", "")
    assert told(frontends.check_front_end)[0][1] == "ok"


def test_colab(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "1")
    (check,) = frontends.check_front_end()
    assert "enable_custom_widget_manager" in check.fix


@pytest.mark.parametrize(("backend", "rows"), [("agg", 0), ("", 0), ("module://ipympl.backend_nbagg", 1), ("nbAgg", 1)])
def test_a_backend_that_callbacks_corrupt(monkeypatch, backend, rows):
    monkeypatch.setenv("MPLBACKEND", backend)
    assert len(told(frontends.check_backend)) == rows


def test_ports_that_no_browser_reaches(monkeypatch):
    assert told(frontends.check_reach) == []
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")
    assert [state for _, state, _ in told(frontends.check_reach)] == ["ok"]
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert told(frontends.check_reach) == [("ports", "note", "behind JupyterHub at /user/ada/")]


def test_what_pictures_need(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(machine, "installed", {"mujoco": "3.3"}.get)
    assert [(name, state) for name, state, _ in told(frontends.check_pictures)] == [
        ("recording", "note"),
        ("MuJoCo's pictures", "note"),
    ]
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setattr(machine, "installed", {"mujoco": "3.3", "pillow": "12.0"}.get)
    assert told(frontends.check_pictures) == [("recording", "ok", "pillow 12.0")]


def test_a_page_is_named_where_something_is_to_be_done(capsys):
    show(Check("a", "note", "b", "c", "pains/proxies"))
    assert capsys.readouterr().out.splitlines()[1:] == ["    fix: c", "    see: docs/pains/proxies.md"]
    show(Check("a", "ok", "b", page="pains/proxies"))
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_every_page_that_is_named_is_there():
    source = Path(frontends.__file__).read_text()
    named = set(re.findall(r'"((?:pains/[\w-]+)|front-ends)"', source))
    assert len(named) >= 8
    for name in named:
        assert (DOCS / f"{name}.md").is_file(), name
