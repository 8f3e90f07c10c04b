"""What `workbench doctor` sees of notebooks: who shows widgets, from which environment, and what stands between.

Everything is read from files, from the environment and from processes; no server or kernel is asked, none is begun.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workbench import machine
from workbench.commands.finding import NOTE, OK, Check

SUBSHELLS = "7.0"
"""The first ipykernel that answers the panel while a cell blocks."""

SUBSHELL_FRONT_END = "4.4"
"""The first JupyterLab that asks for it."""

MANAGER, OLDEST_MANAGER = "@jupyter-widgets/jupyterlab-manager", "5"
"""What shows ipywidgets 8 in JupyterLab; 3 and 4 were for ipywidgets 7."""

LIMITS = {"iopub_msg_rate_limit": 1000.0, "iopub_data_rate_limit": 1e6}
"""Jupyter's own: messages, and bytes of printed text, a second."""

NEEDED = 100.0
"""Messages a second that a panel and some scenes may send."""

INTERACTIVE = ("ipympl", "widget", "nbagg", "notebook")
LAB = "rl-workbench[lab]"
BUSY, MISSING, MATPLOTLIB = "pains/busy-kernel", "pains/anywidget-missing", "pains/matplotlib"
LIMIT, OFFLINE, PROXIES, VIDEOS = "pains/message-limit", "pains/vscode-offline", "pains/proxies", "pains/videos"


def read_json(path: Path) -> dict[str, Any]:
    """Return what a settings file says; nothing where it is not there or cannot be read. It may have comments."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    try:
        import json5 as reader
    except ImportError:
        import json as reader  # type: ignore[no-redef]
    try:
        found = reader.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def check_subshells() -> Iterator[Check]:
    """See whether buttons are heard while a cell blocks: by the versions, and by JupyterLab's setting."""
    kernel, front_end = machine.installed("ipykernel"), machine.installed("jupyterlab")
    if not (kernel and front_end):
        return
    waits = "the panel waits while a cell blocks"
    if machine.older(kernel, SUBSHELLS) or machine.older(front_end, SUBSHELL_FRONT_END):
        upgrade = f"pip install 'ipykernel>={SUBSHELLS}' 'jupyterlab>={SUBSHELL_FRONT_END}'"
        yield Check("subshells", NOTE, f"{waits} (ipykernel {kernel}, JupyterLab {front_end})", upgrade, BUSY)
    elif _kernel_settings().get("commsOverSubshells") == "disabled":
        fix = "JupyterLab, Settings, Kernels: let comms use subshells"
        yield Check("subshells", NOTE, f"{waits}: switched off in JupyterLab's settings", fix, BUSY)
    else:
        yield Check("subshells", OK, "the panel answers while a cell blocks", page=BUSY)


def _kernel_settings() -> dict[str, Any]:
    from jupyter_core.paths import jupyter_config_dir

    own = Path(jupyter_config_dir()) / "lab" / "user-settings"
    folder = Path(os.environ.get("JUPYTERLAB_SETTINGS_DIR") or own)
    return read_json(folder / "@jupyterlab" / "apputils-extension" / "kernels-settings.jupyterlab-settings")


def labextension(name: str, folders: Iterable[str | Path]) -> tuple[Path, str] | None:
    """Return where JupyterLab finds a prebuilt extension, which is the first of `folders`, and its version."""
    for folder in folders:
        version = read_json(Path(folder) / name / "package.json").get("version")
        if version:
            return Path(folder), str(version)
    return None


def check_labextensions() -> Iterator[Check]:
    """See whether the JupyterLab of this environment has what shows widgets, in versions that fit the kernel's."""
    if machine.installed("jupyterlab") is None:
        return
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.config import get_page_config

    folders = jupyter_path("labextensions")
    disabled = get_page_config(folders)["disabledExtensions"]
    for name, package in ((MANAGER, "ipywidgets"), ("anywidget", "anywidget")):
        yield _judged(name, package, labextension(name, folders), name in disabled)


def _judged(name: str, package: str, found: tuple[Path, str] | None, disabled: bool) -> Check:
    row = f"{package} in JupyterLab"
    if found is None:
        return Check(row, NOTE, "not there: the page shows pictures or an error", f"pip install '{LAB}'", MISSING)
    if disabled:
        return Check(row, NOTE, "switched off", f"jupyter labextension enable {name}", MISSING)
    folder, version = found
    if not _fits(package, version):
        wanted = f"{package} {machine.installed(package)}"
        fix = f"remove {folder / name}, or install the same version in both places"
        return Check(row, NOTE, f"{version} from {folder} does not fit {wanted}", fix, MISSING)
    return Check(row, OK, version, page=MISSING)


def _fits(package: str, version: str) -> bool:
    """Tell whether JupyterLab's part is of a version that the package here asks for."""
    if package == "ipywidgets":
        return not machine.older(version, OLDEST_MANAGER)
    own = machine.installed(package)
    return own is None or own.split(".")[:2] == version.split(".")[:2]  # a widget asks for ~0.11.*


def check_servers() -> Iterator[Check]:
    """See whether the JupyterLab that began this kernel, or runs here, is of another environment, and what that has."""
    for prefix in sorted(set(_prefixes_of_servers())):
        if prefix == Path(sys.prefix).resolve():
            continue
        folders = [prefix / "share" / "jupyter" / "labextensions"]
        lacking = [name for name in (MANAGER, "anywidget") if labextension(name, folders) is None]
        found = labextension("anywidget", folders)
        fix = f"{prefix / 'bin' / 'python'} -m pip install '{LAB}', and restart JupyterLab"
        if lacking:
            yield Check("JupyterLab's server", NOTE, f"runs in {prefix}, without {', '.join(lacking)}", fix, MISSING)
        elif found and not _fits("anywidget", found[1]):
            other = f"runs in {prefix} with anywidget {found[1]}; here it is {machine.installed('anywidget')}"
            yield Check("JupyterLab's server", NOTE, other, fix, MISSING)
        else:
            yield Check("JupyterLab's server", OK, f"runs in {prefix}, which shows widgets", page=MISSING)


def _prefixes_of_servers() -> Iterator[Path]:
    """Yield the environments of Jupyter's servers: of the one that began this process, and of those that run."""
    try:
        import psutil
        from jupyter_server.serverapp import list_running_servers
    except ImportError:
        return
    parent = os.environ.get("JPY_PARENT_PID", "")
    pids = [int(parent)] if parent.isdecimal() else []
    for pid in [*pids, *(int(each["pid"]) for each in list_running_servers())]:
        try:
            command = psutil.Process(pid).cmdline()
        except psutil.Error:
            continue
        if command and "python" in Path(command[0]).name and Path(command[0]).is_absolute():
            yield Path(command[0]).parent.parent.resolve()


def check_kernels() -> Iterator[Check]:
    """See whether the kernels that notebooks offer have this package, and what shows it."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        return
    for name, entry in sorted(KernelSpecManager().get_all_specs().items()):
        python = Path(entry["spec"]["argv"][0])
        if entry["spec"].get("language") != "python" or not python.is_absolute():
            continue
        prefix = python.parent.parent
        if prefix.resolve() == Path(sys.prefix).resolve():
            continue
        fix = f"choose another kernel, or {python} -m pip install '{LAB}'"
        if not _has(prefix, "rl_workbench"):
            if name == "python3":
                yield Check("kernel python3", NOTE, f"runs {python}, without rl-workbench", fix, MISSING)
        elif not _has(prefix, "anywidget"):
            yield Check(f"kernel {name}", NOTE, f"runs {python}, without anywidget", fix, MISSING)
        else:
            yield Check(f"kernel {name}", OK, f"runs {python}", page=MISSING)


def _has(prefix: Path, distribution: str) -> bool:
    return any(prefix.glob(f"[lL]ib*/**/site-packages/{distribution}-*.dist-info"))


def check_limits() -> Iterator[Check]:
    """See whether Jupyter's limits on messages are lower than its own; a panel that is cut off by one stands still."""
    try:
        from jupyter_core.paths import jupyter_config_path
    except ImportError:
        return
    found = dict(LIMITS)
    for folder in reversed(jupyter_config_path()):
        for path in sorted(Path(folder).glob("jupyter_*config.json")) + sorted(Path(folder).glob("jupyter_*config.py")):
            found |= _limits_in(path)
    messages, data = found["iopub_msg_rate_limit"], found["iopub_data_rate_limit"]
    told = f"{messages:,.0f} messages and {data:,.0f} bytes of text a second"
    if 0 < messages < NEEDED:
        fix = f"set ServerApp.iopub_msg_rate_limit to {LIMITS['iopub_msg_rate_limit']:.0f}: the panel may stand still"
        yield Check("message limit", NOTE, told, fix, LIMIT)
    else:
        yield Check("message limit", OK, told, page=LIMIT)


def _limits_in(path: Path) -> dict[str, float]:
    """Return the limits that a file of settings gives; code is looked at, not run."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    pattern = r"""^[^#\n]*\b(iopub_(?:msg|data)_rate_limit)["']?\s*[=:]\s*([\d._eE+]+)"""
    return {name: float(number) for name, number in re.findall(pattern, text, re.MULTILINE)}


def check_front_end() -> Iterator[Check]:
    """See what this process is a part of, where that matters for widgets."""
    if os.environ.get("TERM_PROGRAM") == "vscode" or "VSCODE_PID" in os.environ:
        yield _vs_code()
    elif "COLAB_RELEASE_TAG" in os.environ:
        fix = "if the panel stays empty: google.colab.output.enable_custom_widget_manager()"
        yield Check("front end", NOTE, "Colab", fix, "front-ends")


def _vs_code() -> Check:
    script = Path(sys.prefix) / "share" / "jupyter" / "nbextensions" / "anywidget" / "index.js"
    if script.is_file():
        return Check("front end", OK, "VS Code, which finds anywidget's script in this environment", page=OFFLINE)
    sources = [source for path in _settings_of_vs_code() for source in _sources_in(path)]
    if sources:
        found = f"VS Code, which fetches anywidget's script from {', '.join(dict.fromkeys(sources))}"
    else:
        found = "VS Code, with no script of anywidget here and no jupyter.widgetScriptSources"
    return Check("front end", NOTE, found, "pip install --force-reinstall anywidget", OFFLINE)


def _settings_of_vs_code() -> list[Path]:
    home = Path.home()
    users = ("Library/Application Support/Code", "AppData/Roaming/Code", ".config/Code")
    return [
        Path.cwd() / ".vscode" / "settings.json",
        home / ".vscode-server" / "data" / "Machine" / "settings.json",
        *(home / user / "User" / "settings.json" for user in users),
    ]


def _sources_in(path: Path) -> list[str]:
    sources = read_json(path).get("jupyter.widgetScriptSources")
    return [str(source) for source in sources] if isinstance(sources, list) else []


def check_backend() -> Iterator[Check]:
    """See whether pyplot draws in widgets, which callbacks then corrupt."""
    backend = os.environ.get("MPLBACKEND", "")
    if any(name in backend.lower() for name in INTERACTIVE):
        fix = "draw in cells, not in callbacks; or unset MPLBACKEND"
        yield Check("pyplot", NOTE, f"MPLBACKEND={backend} draws in widgets", fix, MATPLOTLIB)


def check_reach() -> Iterator[Check]:
    """See whether a browser reaches the ports of this machine."""
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if hub:
        fix = "use wb.dashboard(...) in a notebook; the dashboard's port is not at the hub's address"
        yield Check("ports", NOTE, f"behind JupyterHub at {hub}", fix, PROXIES)
    elif "SSH_CONNECTION" in os.environ:
        found = "this is an SSH session: ssh -L 5007:127.0.0.1:5007 MACHINE brings the dashboard to you"
        yield Check("ports", OK, found, page=PROXIES)


def check_pictures() -> Iterator[Check]:
    """See whether episodes can be recorded."""
    fix = "pip install 'rl-workbench[video]'"
    pillow = machine.installed("pillow")
    yield Check(
        "recording",
        OK if pillow else NOTE,
        f"pillow {pillow}" if pillow else "lacks pillow",
        "" if pillow else fix,
        VIDEOS,
    )
    screen = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if machine.installed("mujoco") and sys.platform == "linux" and not screen and "MUJOCO_GL" not in os.environ:
        fix = "set MUJOCO_GL=egl (a GPU) or MUJOCO_GL=osmesa (Debian: libosmesa6) before Python starts"
        yield Check("MuJoCo's pictures", NOTE, "no screen, and MUJOCO_GL is not set", fix, VIDEOS)


GROUPS = (
    check_subshells,
    check_labextensions,
    check_servers,
    check_kernels,
    check_limits,
    check_front_end,
    check_backend,
    check_reach,
    check_pictures,
)
