"""Write the parts of the site that the code already states: hyperparameters, help texts, measured figures, the API.

`conf.py` calls `write` before every build. Run as a program it brings the measured figures in README.md up to date:

    python docs/generate.py
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

from records import (
    billion,
    evidence,
    guests,
    kernels,
    magnitude,
    native,
    native_summary,
    returns,
    returns_summary,
    table,
    throughput,
)

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ROOT / "docs" / "generated"
PARTS = GENERATED / "parts"
RESULTS = ROOT / "benchmarks" / "results"
EVIDENCE, THROUGHPUT = RESULTS / "ppo_cartpole.json", RESULTS / "throughput.json"
KERNELS = RESULTS / "kernels.json"
GUESTS = RESULTS / "guests.json"
NATIVE, RETURNS, BILLION = (RESULTS / f"{name}.json" for name in ("native", "returns", "billion"))
CURVE = ROOT / "docs" / "images" / "ppo_cartpole.png"
CURVES = ROOT / "docs" / "images" / "returns.png"
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)
"""The part of README.md that `readme` rewrites."""

HANDING_ON = (
    "workbench_kernels",
    "workbench.envs.emulation",
    "workbench.envs.mujoco",
    "workbench.networks",
    "workbench.sinks",
)
"""Packages that only hand on what their modules define."""

PRIVATE = (
    *(
        f"workbench.analysis.{name}"
        for name in ("alignment", "coordinates", "display", "figures", "forest", "grouping")
    ),
    *(f"workbench.analysis.{name}" for name in ("measures", "panels", "plots", "report", "selection")),
    "workbench.benchmark",
    *(f"workbench.checking.{name}" for name in ("experiments", "pettingzoo", "players", "readings", "recording")),
    *(f"workbench.checking.{name}" for name in ("speed", "surroundings", "tuning", "values")),
    "workbench.cli",
    "workbench.commands",
    "workbench.labserver",
    "workbench.machine",
    "workbench.openmp",
    "workbench.ui",
)
"""Modules behind the command line, the panel and the doctor: those have pages of their own."""


def hyperparameter_table(owner: Any) -> str:
    """Write a row for every hyperparameter that the `configurable` class `owner` declares."""
    from workbench.hyperparameters import declared

    def accepts(each: Any) -> str:
        if each.choices is not None:
            return ", ".join(f"`{choice}`" for choice in each.choices)
        return str(each.range()).removeprefix("of ") + (", logarithmic" if each.log else "")

    rows = (
        (
            f"`{each.name}`",
            each.kind.__name__,
            f"`{each.default}`",
            accepts(each),
            "live" if each.live else "",
            each.help,
        )
        for each in declared(owner).values()
    )
    return table(("name", "type", "default", "accepts", "", "what it is"), rows)


def environments(record: dict[str, Any] | None) -> str:
    """Write a row for every native environment: what it is, its spaces and options, and how fast it was measured."""
    from workbench_kernels.envs import ENVIRONMENTS, make

    ours = [row for row in record["rows"] if row["what"] == "rl-workbench"] if record else []
    speeds = {row["environment"]: magnitude(row["steps_per_second"]) for row in ours}
    rows = []
    for name, entry in ENVIRONMENTS.items():
        environment = make(name)
        module = importlib.import_module(f"workbench_kernels.envs.{entry.file}")
        defaults = inspect.signature(module.environment).parameters.values()
        options = {**{option.name: option.default for option in defaults}, **entry.options}
        space = environment.action
        shape = "x".join(map(str, environment.observation.shape))
        rows.append(
            (
                f"`{name}`",
                f"[{summary(module).partition(': ')[2]}](../generated/api/{module.__name__}.md)",
                f"{shape} {environment.observation.dtype}",
                f"{space.n}" if hasattr(space, "n") else f"{space.size}, continuous",
                environment.agents,
                "-" if environment.optimal_return is None else f"{environment.optimal_return:g}",
                ", ".join(f"`{option}={value}`" for option, value in options.items()) or "-",
                speeds.get(name, "-"),
            )
        )
    head = ("id", "what it is", "observation", "actions", "agents", "best return", "options", "steps/s")
    return table(head, rows)


def measured(path: Path) -> dict[str, Any] | None:
    """Read a recorded measurement; None where this checkout holds none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def help_text(*arguments: str) -> str:
    """Return what `workbench ARGUMENTS --help` prints on a terminal of 96 columns."""
    from workbench.cli import main

    text = io.StringIO()
    with (
        mock.patch.dict(os.environ, COLUMNS="96"),
        contextlib.redirect_stdout(text),
        contextlib.suppress(SystemExit),
    ):
        main([*arguments, "--help"])
    return text.getvalue()


def command_line() -> str:
    """Write the help of every command."""
    from workbench.cli import COMMANDS

    return "".join(f"### workbench {name}\n\n```text\n{help_text(name)}```\n\n" for name in COMMANDS)


def public_modules() -> Iterator[ModuleType]:
    """Yield every module of the two packages that a program may import."""
    for package in ("workbench", "workbench_kernels"):
        root = importlib.import_module(package)
        names = sorted(found.name for found in pkgutil.walk_packages(root.__path__, f"{package}."))
        for name in [package, *names] if package == "workbench_kernels" else names:
            hidden = any(f"{name}.".startswith(f"{other}.") for other in PRIVATE)
            if not hidden and name != "workbench.version":
                yield importlib.import_module(name)


def summary(documented: Any) -> str:
    """Return the first sentence of a docstring, on one line."""
    text = " ".join((documented.__doc__ or "").strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s(?=[A-Z`{])", text)[0].removesuffix(".")


def top_level() -> str:
    """Write what `import workbench as wb` offers, and where it is documented."""
    import workbench

    rows = []
    for name in workbench.__all__:
        if name.startswith("_"):
            continue
        thing = getattr(workbench, name)
        if isinstance(thing, ModuleType):
            role, place = "py:mod", thing.__name__
        else:
            role, place = (
                "py:class" if isinstance(thing, type) else "py:func",
                f"{thing.__module__}.{thing.__qualname__}",
            )
        rows.append((f"{{{role}}}`wb.{name} <{place}>`", summary(thing)))
    return table(("name", "what it does"), rows)


def api() -> dict[str, str]:
    """Return the pages of the API reference, by file name."""
    pages = {}
    rows: dict[str, list[tuple[str, str]]] = {"workbench": [], "workbench_kernels": []}
    for module in public_modules():
        name = module.__name__
        options = "   :members:\n   :member-order: bysource\n"
        if name in HANDING_ON:  # what they hand on has a page of its own
            options += "   :ignore-module-all:\n"
        pages[f"{name}.md"] = f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{options}```\n"
        rows[name.partition(".")[0]].append((f"[{name}]({name}.md)", summary(module)))
    listed = "\n".join(name.removesuffix(".md") for name in pages)
    pages["index.md"] = (
        "# API reference\n\nMade from the docstrings. What most programs need stands in the package itself, "
        "`import workbench as wb`:\n\n"
        f"{top_level()}\n## The modules of workbench\n\n{table(('module', 'what it holds'), rows['workbench'])}\n"
        "## The kernels\n\nUndecorated Python in the numba subset; a target compiles them.\n\n"
        f"{table(('module', 'what it holds'), rows['workbench_kernels'])}\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    )
    return pages


def tutorials(folder: Path) -> dict[str, str]:
    """Return the notebooks with their outputs, less the state of live widgets, and the page that lists them."""
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["metadata"].pop("widgets", None)
        found[path.name] = json.dumps(notebook, ensure_ascii=False)
    names = "\n".join(name.removesuffix(".ipynb") for name in found)
    page = (
        "# Tutorials\n\nEach is a notebook under `notebooks/tutorials/`, shown with the outputs of a real run. "
        f"`make lab` opens them.\n\n```{{toctree}}\n{names}\n```\n"
    )
    return {**found, "index.md": page}


def parts() -> dict[str, str]:
    """Return the fragments that pages include, by file name."""
    from workbench.algorithms import PPO, SAC

    picture = "/images/ppo_cartpole.png" if CURVE.exists() else None
    curves = "/images/returns.png" if CURVES.exists() else None

    def part(path: Path, write: Callable[[dict[str, Any]], str]) -> str:
        record = measured(path)
        return (
            write(record) if record else f"This checkout holds no recorded measurement (`{path.relative_to(ROOT)}`).\n"
        )

    return {
        "ppo_hyperparameters.md": hyperparameter_table(PPO),
        "sac_hyperparameters.md": hyperparameter_table(SAC),
        "ppo_evidence.md": part(EVIDENCE, lambda record: evidence(record, picture)),
        "ppo_returns.md": part(RETURNS, lambda record: returns(record, "ppo", curves)),
        "sac_returns.md": part(RETURNS, lambda record: returns(record, "sac", None)),
        "native.md": part(NATIVE, native),
        "billion.md": part(BILLION, billion),
        "throughput.md": part(THROUGHPUT, throughput),
        "environments.md": environments(measured(KERNELS)),
        "kernels.md": part(KERNELS, kernels),
        "guests.md": part(GUESTS, guests),
        "command_line.md": command_line(),
    }


def write() -> None:
    """Write everything under `docs/generated/`; leave alone what has not changed, so that Sphinx reads it once."""
    files = {f"parts/{name}": text for name, text in parts().items()}
    files |= {f"api/{name}": text for name, text in api().items()}
    files |= {f"tutorials/{name}": text for name, text in tutorials(ROOT / "notebooks" / "tutorials").items()}
    for path in [path for path in GENERATED.rglob("*") if path.is_file()]:
        if path.relative_to(GENERATED).as_posix() not in files:
            path.unlink()
    for name, text in files.items():
        target = GENERATED / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def readme() -> str:
    """Return README.md with its measured figures brought up to date."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    learned, speed = measured(EVIDENCE), measured(THROUGHPUT)
    lines = []
    if speed:
        rows = [
            (row["what"], f"{row['lanes']:,}", row["threads"], magnitude(row["steps_per_second"]))
            for row in speed["rows"]
        ]
        lines.append(table(("what", "lanes", "threads", "steps/s"), rows))
        lines.append(f"Medians on {speed['machine']}; all settings: [throughput](docs/throughput.md).\n")
    if learned:
        times = [run["seconds"] for run in learned["seeds"]]
        means = [run["evaluation_mean"] for run in learned["seeds"]]
        lines.append(
            f"PPO with its defaults on CartPole-v1, {len(times)} seeds on {learned['machine']}: {min(times):.1f} to "
            f"{max(times):.1f} s of training, then a mean return of {min(means):.1f} to {max(means):.1f} over 100 "
            "greedy episodes ([evidence](docs/algorithms/ppo.md#evidence)).\n"
        )
    fast, reached = measured(NATIVE), measured(RETURNS)
    if fast:
        lines.append(native_summary(fast))
    if reached:
        lines.append(returns_summary(reached))
    block = "\n## Measured\n\n" + "\n".join(lines) + "\n" if lines else ""
    return BLOCK.sub(lambda found: found[1] + block + found[2], text)


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")
