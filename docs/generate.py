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
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ROOT / "docs" / "generated"
PARTS = GENERATED / "parts"
RESULTS = ROOT / "benchmarks" / "results"
EVIDENCE, THROUGHPUT = RESULTS / "ppo_cartpole.json", RESULTS / "throughput.json"
KERNELS = RESULTS / "kernels.json"
GUESTS = RESULTS / "guests.json"
CURVE = ROOT / "docs" / "images" / "ppo_cartpole.png"
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)
"""The part of README.md that `readme` rewrites."""

HANDING_ON = ("workbench_kernels", "workbench.envs.emulation", "workbench.envs.mujoco", "workbench.sinks")
"""Packages that only hand on what their modules define."""

PRIVATE = (
    "workbench.benchmark",
    *(f"workbench.checking.{name}" for name in ("experiments", "pettingzoo", "players", "readings", "recording")),
    *(f"workbench.checking.{name}" for name in ("speed", "surroundings", "tuning", "values")),
    "workbench.cli",
    "workbench.commands",
    "workbench.machine",
    "workbench.openmp",
    "workbench.ui",
)
"""Modules behind the command line, the panel and the doctor: those have pages of their own."""


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Write a Markdown table."""
    lines = [list(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


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


def magnitude(number: float) -> str:
    """Write a rate in three significant digits: `950`, `12.3 k`, `154 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def _where(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    return f"Machine: {record['machine']}. Versions: {versions}.\n"


def evidence(record: dict[str, Any], picture: str | None) -> str:
    """Write what one algorithm reached: seeds, times, the machine, and the curve where there is a picture of it.

    Args:
        record: machine, versions, configuration, and seeds: a list of seed, seconds, steps and evaluation_mean.
        picture: The address of the curve, as the page sees it.
    """
    settings = ", ".join(f"`{name}={value}`" for name, value in record["configuration"].items())
    rows = [
        (run["seed"], f"{run['seconds']:.2f}", f"{run['steps']:,}", f"{run['evaluation_mean']:.1f}")
        for run in record["seeds"]
    ]
    columns = ("seed", "training time, s", "environment steps", "mean return, 100 greedy episodes")
    curve = f"![Episode return over environment steps, one line a seed]({picture})\n\n" if picture else ""
    return f"{curve}{table(columns, rows)}\nConfiguration: {settings}.\n\n{_where(record)}"


def throughput(record: dict[str, Any]) -> str:
    """Write the measured steps per second, one row a measurement."""
    rows = [
        (
            row["what"],
            magnitude(row["steps_per_second"]),
            f"{row['lanes']:,}",
            row["policy"],
            row["backend"],
            row["threads"],
            row["repeats"],
            row["configuration"],
        )
        for row in record["rows"]
    ]
    head = ("what", "steps/s", "lanes", "policy", "backend", "threads", "repeats", "configuration")
    return f"{table(head, rows)}\n{_where(record)}"


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


def guests(record: dict[str, Any]) -> str:
    """Write what it costs to step environments of others, to flatten observations, and what native lanes bring them."""
    names = list(record["ratios"])
    found = {(row["what"], row["environment"]): row for row in record["rows"]}
    stepped = [
        (who, *(f"{magnitude(found[who, name]['steps_per_second'])}" for name in names))
        for who in dict.fromkeys(row["what"] for row in record["rows"])
    ]
    lanes = record["rows"][0]["lanes"]
    times = [
        (name, *(f"{ratios[who]:.1f}" for who in ("Gymnasium AsyncVectorEnv", "SB3 SubprocVecEnv")))
        for name, ratios in record["ratios"].items()
    ]
    sb3 = record["sb3"]
    trained = [
        (name, magnitude(each["training"]), magnitude(each["environment"])) for name, each in sb3["medians"].items()
    ]
    cheetah = [(name, magnitude(rate)) for name, rate in record["mujoco"]["steps_per_second"].items()]
    return (
        f"Steps per second of {lanes} lanes:\n\n{table(('who steps', *names), stepped)}\n"
        "How many times the faster of our two ways with processes is as fast:\n\n"
        f"{table(('environment', 'as AsyncVectorEnv', 'as SubprocVecEnv'), times)}\n"
        f"Stable-Baselines3's PPO on CartPole-v1, {sb3['lanes']} lanes:\n\n"
        f"{table(('lanes of', 'training, steps/s', 'stepping alone, steps/s'), trained)}\n"
        f"{record['mujoco']['id']}, {record['mujoco']['lanes']} lanes, {record['mujoco']['workers']} workers:\n\n"
        f"{table(('who steps', 'steps/s'), cheetah)}\n"
        f"Medians of {record['repeats']} rounds of {record['seconds']} s. {_where(record)}"
    )


def kernels(record: dict[str, Any]) -> str:
    """Write what was measured beside the native environments: the originals, and the advantages."""
    others = [
        (row["environment"], row["what"], f"{row['lanes']:,}", magnitude(row["steps_per_second"]))
        for row in record["rows"]
        if row["what"] != "rl-workbench"
    ]
    advantages = [
        (
            row["what"],
            f"{row['milliseconds']:.3f}",
            f"{row['gigabytes_per_second']:.1f}",
            f"{row['share_of_memory']:.0%}",
            f"{row['times_torch']:.1f}",
        )
        for row in record["recursions"]
    ]
    columns = ("advantages of [128, 4096]", "ms", "GB/s", "of the memory's rate", "times torch's loop")
    return (
        f"{table(('environment', 'whose', 'lanes', 'steps/s'), others)}\n{table(columns, advantages)}\n"
        f"Medians of {record['repeats']} measurements of {record['seconds']} s; native environments with 4,096 lanes, "
        f"on the faster of one thread and all. The memory moved {record['memory_gigabytes_per_second']:.0f} GB/s. "
        f"{_where(record)}"
    )


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
        role = "py:class" if isinstance(thing, type) else "py:func"
        rows.append((f"{{{role}}}`wb.{name} <{thing.__module__}.{thing.__qualname__}>`", summary(thing)))
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

    learned, speed, suite, others = map(measured, (EVIDENCE, THROUGHPUT, KERNELS, GUESTS))
    picture = "/images/ppo_cartpole.png" if CURVE.exists() else None
    absent = "This checkout holds no recorded measurement (`{}`).\n"
    return {
        "ppo_hyperparameters.md": hyperparameter_table(PPO),
        "sac_hyperparameters.md": hyperparameter_table(SAC),
        "ppo_evidence.md": evidence(learned, picture) if learned else absent.format(EVIDENCE.relative_to(ROOT)),
        "throughput.md": throughput(speed) if speed else absent.format(THROUGHPUT.relative_to(ROOT)),
        "environments.md": environments(suite),
        "kernels.md": kernels(suite) if suite else absent.format(KERNELS.relative_to(ROOT)),
        "guests.md": guests(others) if others else absent.format(GUESTS.relative_to(ROOT)),
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
    block = "\n## Measured\n\n" + "\n".join(lines) + "\n" if lines else ""
    return BLOCK.sub(lambda found: found[1] + block + found[2], text)


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")
