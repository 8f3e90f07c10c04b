"""Check this installation: what is there, what is missing, and how to mend it.

The exit code is 1 if something is broken.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench import machine
from workbench.commands import frontends
from workbench.commands.finding import BROKEN, NOTE, OK, Check, compare
from workbench.commands.output import print_json

LABEXTENSION, SERVER_EXTENSION = "rl-workbench", "workbench.labserver"
"""What JupyterLab and its server know our extension as."""


def check_python() -> Iterator[Check]:
    """Look at Python and the machine."""
    yield Check("python", OK, f"{platform.python_version()} at {sys.executable}")
    yield Check("platform", OK, platform.platform())
    features = ", ".join(machine.processor_features()) or "no known vector extensions"
    yield Check("processor", OK, f"{machine.processor()}; {machine.processors()} usable; {features}")


def check_requirements() -> Iterator[Check]:
    """Compare the installed libraries with what the package requires."""
    yield Check("rl-workbench", OK, str(machine.versions()["workbench"]))
    for name, oldest in machine.required().items():
        yield compare(name, oldest, BROKEN, f"pip install '{name}>={oldest}'")


def check_compiler() -> Iterator[Check]:
    """Compile and run an environment, and see how its threads come about."""
    import numba

    from workbench.benchmark import random_policy

    result = random_policy("CartPole-v1", lanes=4096, seconds=0.05, seed=0, repeats=1)
    yield Check(
        "native environments", OK, f"{result.environment} runs at {result.steps_per_second / 1e6:.0f} M steps/s"
    )
    layer = numba.threading_layer()
    fix = "install libgomp (Debian: apt-get install libgomp1), or pip install tbb" if layer == "workqueue" else ""
    yield Check("numba threads", NOTE if fix else OK, f"{numba.get_num_threads()}, layer {layer}", fix)


def check_cache() -> Iterator[Check]:
    """See whether compiled environments can be kept between processes."""
    import workbench_kernels

    where = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(workbench_kernels.__file__).parent)
    try:
        where.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=where):
            yield Check("compilation cache", OK, str(where))
    except OSError as error:
        fix = "set NUMBA_CACHE_DIR to a folder you can write, or every process may compile anew"
        yield Check("compilation cache", NOTE, f"{where} cannot be written ({error.strerror})", fix)


def check_torch() -> Iterator[Check]:
    """Look at torch's threads and devices."""
    import torch

    policy = os.environ.get("OMP_WAIT_POLICY", "ACTIVE").lower()
    bounded = policy == "passive" or "GOMP_SPINCOUNT" in os.environ
    fix = "" if bounded else "import workbench before torch: threads that spin make a busy machine very slow"
    yield Check("torch threads", NOTE if fix else OK, f"{torch.get_num_threads()}, waiting {policy}", fix)
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        yield Check("cuda", OK, f"{names} (CUDA {torch.version.cuda})")
    else:
        yield Check("cuda", OK, "none; training runs on the CPU")


def check_notebook() -> Iterator[Check]:
    """Look at the notebook's packages and the bundled panel."""
    fix = "pip install 'rl-workbench[lab]'"
    checks = [
        compare(name, oldest, NOTE, fix, frontends.MISSING if name in ("anywidget", "ipywidgets") else "")
        for name, oldest in machine.required("lab").items()
    ]
    yield from checks
    missing = [check.name for check in checks if check.state != OK]
    yield Check(
        "[lab] extra",
        NOTE if missing else OK,
        f"lacks {', '.join(missing)}" if missing else "complete",
        fix if missing else "",
    )
    bundle = sorted(path.name for path in (Path(__file__).parents[1] / "ui" / "static").glob("*.*"))
    reinstall = "reinstall rl-workbench: its wheel carries the panel"
    yield Check(
        "panel", OK if bundle else BROKEN, ", ".join(bundle) or "its files are missing", "" if bundle else reinstall
    )


def check_extension() -> Iterator[Check]:
    """See whether JupyterLab finds the side panel of runs, and its server what answers it."""
    if machine.installed("jupyterlab") is None:
        return
    from jupyter_core.paths import jupyter_config_path, jupyter_path
    from jupyter_server.extension.config import ExtensionConfigManager
    from jupyterlab_server.config import get_page_config

    page = get_page_config(jupyter_path("labextensions"))
    manager = ExtensionConfigManager(read_config_path=jupyter_config_path())
    name = "JupyterLab extension"
    if LABEXTENSION not in [each["name"] for each in page["federated_extensions"]]:
        fix = "reinstall rl-workbench (in a checkout: make lab): it brings the extension"
        yield Check(name, NOTE, "not installed: no side panel of runs", fix)
    elif LABEXTENSION in page["disabledExtensions"]:
        yield Check(name, NOTE, "switched off", f"jupyter labextension enable {LABEXTENSION}")
    elif not manager.enabled(SERVER_EXTENSION):
        fix = f"jupyter server extension enable {SERVER_EXTENSION}, and restart JupyterLab"
        yield Check(name, NOTE, "its side of the server is switched off", fix)
    else:
        yield Check(name, OK, "installed and enabled")


GROUPS: tuple[Callable[[], Iterator[Check]], ...] = (
    check_python,
    check_requirements,
    check_torch,
    check_compiler,
    check_cache,
    check_notebook,
    check_extension,
    *frontends.GROUPS,
)


def examine() -> Iterator[Check]:
    """Run every check; one that fails is itself a finding."""
    for group in GROUPS:
        try:
            yield from group()
        except Exception as error:  # a diagnosis reports what it meets, whatever that is
            name = group.__name__.removeprefix("check_").replace("_", " ")
            yield Check(
                name,
                BROKEN,
                f"{type(error).__name__}: {error}",
                "reinstall: pip install --force-reinstall rl-workbench",
            )


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add nothing: `doctor` takes no arguments of its own."""


def show(check: Check) -> None:
    """Print one finding, its fix and the page that says more, each on a line of its own."""
    mark = {OK: "✓", NOTE: "!", BROKEN: "✗"}[check.state]
    if "utf" not in (sys.stdout.encoding or "").lower():
        mark = {OK: "ok", NOTE: "note", BROKEN: "BROKEN"}[check.state]
    print(f"{mark} {check.name}: {check.found}")
    if check.fix:
        print(f"    fix: {check.fix}")
    if check.page and check.state != OK:
        print(f"    see: docs/{check.page}.md")


def run(options: argparse.Namespace) -> int:
    """Report; return 1 if anything is broken."""
    checks: list[Check] = []
    for check in examine():
        checks.append(check)
        if not options.json:
            show(check)
    broken = sum(check.state == BROKEN for check in checks)
    if options.json:
        record: dict[str, Any] = {"healthy": broken == 0, "versions": machine.versions()}
        print_json({**record, "checks": [asdict(check) for check in checks]})
    else:
        notes = sum(check.state == NOTE for check in checks)
        print(f"\n{broken} broken, {notes} to improve" if broken or notes else "\nall is well")
    return 1 if broken else 0
