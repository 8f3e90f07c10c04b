"""What distinguishes runs: the settings that differ, and the groups that these make."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from workbench.analysis.runs import Run
from workbench.errors import InputError, unknown_name

By = str | Sequence[str] | Callable[[Run], Any]
PLACES = ("lanes", "learner", "device")
"""Entries of run.json that make a difference to a run, beside its hyperparameters and the environment's options."""

SHORT = {"env": "env", "algorithm": "algorithm", "seed": "seed"}


def settings(run: Run) -> dict[str, Any]:
    """Return all that a run was set to: hyperparameters, the environment's options, lanes, learner and device."""
    description = run.description
    found: dict[str, Any] = dict(description.get("hyperparameters") or {})
    found |= {name: value for name, value in (description.get("options") or {}).items() if name not in found}
    return found | {name: description[name] for name in PLACES if name in description and name not in found}


def value(run: Run, name: str) -> Any:
    """Return a setting of a run, or the entry of that name in its run.json; None if it has neither."""
    found = settings(run)
    if name in found:
        return found[name]
    if name in ("git", "revision"):
        return (run.description.get("git") or {}).get("revision")
    return run.description.get(name)


def names(runs: Iterable[Run]) -> set[str]:
    """Return all names that `value` knows of any of the runs."""
    return {"git"}.union(*({*settings(run), *run.description} for run in runs))


def differing(runs: Sequence[Run]) -> list[str]:
    """Return the settings in which runs of one environment and one algorithm differ, in the order they are declared."""
    seen: dict[tuple[str, str], dict[str, list[Any]]] = {}
    for run in runs:
        kind = seen.setdefault((run.description["env"], run.description["algorithm"]), {})
        for name, setting in settings(run).items():
            values = kind.setdefault(name, [])
            if setting not in values:
                values.append(setting)
    found: dict[str, None] = {}
    for kind in seen.values():
        found |= {name: None for name, values in kind.items() if len(values) > 1}
    return list(found)


def grouped(runs: Sequence[Run], by: By | None = None) -> dict[str, list[Run]]:
    """Put runs that are alike together, under labels that say what distinguishes them.

    Args:
        runs: At least one.
        by: Names of settings or entries of run.json, or a function that gives a run's label; the algorithm and the
            settings that differ if None.

    Raises:
        UnknownNameError: If no run has a setting of that name.
        InputError: If `by` is of another kind.
    """
    if callable(by):
        return _sorted({str(by(run)): None for run in runs}, runs, lambda run: str(by(run)))
    chosen = _chosen(runs, by)
    keys = {run.path: tuple(value(run, name) for name in chosen) for run in runs}
    varying = [place for place in range(len(chosen)) if len({repr(key[place]) for key in keys.values()}) > 1]
    if by is not None:
        varying = list(range(len(chosen)))

    def label(run: Run) -> str:
        parts = [written(chosen[place], keys[run.path][place]) for place in varying if _has(run, chosen[place])]
        return " · ".join(parts) or written("algorithm", run.description["algorithm"])

    order = sorted(runs, key=lambda run: [_rank(part) for part in keys[run.path]])
    return _sorted({label(run): None for run in order}, runs, label)


def _chosen(runs: Sequence[Run], by: Any) -> list[str]:
    if by is None:
        return ["algorithm", *differing(runs)]
    chosen = [by] if isinstance(by, str) else by
    if not (isinstance(chosen, Sequence) and chosen and all(isinstance(name, str) for name in chosen)):
        raise InputError(f"by={by!r} names nothing to group by; pass names of settings, or a function of a run.")
    known = names(runs)
    for name in chosen:
        if name not in known:
            raise unknown_name("by", name, known)
    return list(chosen)


def _has(run: Run, name: str) -> bool:
    return value(run, name) is not None or name in settings(run)


def _sorted(labels: Iterable[str], runs: Sequence[Run], label: Callable[[Run], str]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {each: [] for each in labels}
    for run in runs:
        groups[label(run)].append(run)
    return groups


def _rank(part: Any) -> tuple[int, float, str]:
    """Order numbers by their size, before all else by its text."""
    if isinstance(part, int | float):
        return (0, float(part), "")
    return (1, 0.0, repr(part))


def written(name: str, setting: Any) -> str:
    """Write one setting: learning_rate=0.003; algorithms and environments need no name before them."""
    if name == "algorithm":
        return str(setting).upper()
    if name == "env":
        return str(setting)
    return f"{name}={short(setting)}"


def short(setting: Any) -> str:
    """Write a setting's value in a few characters."""
    if isinstance(setting, bool) or setting is None:
        return str(setting)
    if isinstance(setting, float):
        return f"{setting:.4g}"
    if isinstance(setting, Mapping):
        return ", ".join(f"{key}={short(part)}" for key, part in setting.items())
    if isinstance(setting, list | tuple):
        return "x".join(map(short, setting)) if setting else "none"
    return str(setting)
