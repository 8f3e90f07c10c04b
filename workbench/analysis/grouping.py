"""What distinguishes runs: the settings that differ, and the groups that these make."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from workbench.analysis.runs import Run
from workbench.errors import InputError, unknown_name

By = str | Sequence[str] | Callable[[Run], Any]
PLACES = ("lanes", "learner", "device")
"""Entries of run.json that make a difference to a run, beside its hyperparameters and the environment's options."""

ALIASES = {"environment": "env", "revision": "git"}


def settings(run: Run) -> dict[str, Any]:
    """Return all that a run was set to: hyperparameters, the environment's options, lanes, learner and device."""
    description = run.description
    places = {name: description[name] for name in PLACES if name in description}
    return {**places, **(description.get("options") or {}), **run.hyperparameters}


def value(run: Run, name: str) -> Any:
    """Return a setting of a run, or the entry of that name in its run.json; None if it has neither."""
    name = ALIASES.get(name, name)
    if name == "git":
        return (run.description.get("git") or {}).get("revision")
    return settings(run).get(name, run.description.get(name))


def known_names(runs: Iterable[Run]) -> set[str]:
    """Return all names that `value` knows of any of the runs."""
    found = {*ALIASES, *ALIASES.values()}
    for run in runs:
        found |= {*settings(run), *run.description}
    return found


def differing(runs: Iterable[Run]) -> list[str]:
    """Return the settings in which runs of one environment and one algorithm differ, as they are declared."""
    seen: dict[tuple[str, str], dict[str, list[Any]]] = {}
    for run in runs:
        kind = seen.setdefault((run.environment, run.algorithm), {})
        for name, setting in settings(run).items():
            values = kind.setdefault(name, [])
            if setting not in values:
                values.append(setting)
    return list(dict.fromkeys(name for kind in seen.values() for name, values in kind.items() if len(values) > 1))


def grouped(runs: Sequence[Run], by: By | None = None) -> dict[str, list[Run]]:
    """Put runs that are alike together, under labels that say what distinguishes them.

    Args:
        runs: At least one.
        by: Names of settings or of entries of run.json, or a function that gives a run's label; the algorithm and the
            settings that differ if None.

    Raises:
        UnknownNameError: If no run has a setting of that name.
        InputError: If `by` is of another kind.
    """
    groups: dict[str, list[Run]] = {}
    if callable(by):
        for run in runs:
            groups.setdefault(str(by(run)), []).append(run)
        return groups
    chosen = _names(runs, by)
    keys = [[value(run, name) for name in chosen] for run in runs]
    if by is None:  # a setting that all share, such as the algorithm, need not be told
        told = [place for place in range(len(chosen)) if any(key[place] != keys[0][place] for key in keys)]
    else:
        told = list(range(len(chosen)))
    for run, key in sorted(zip(runs, keys, strict=True), key=lambda pair: [_rank(part) for part in pair[1]]):
        parts = [written(chosen[place], key[place]) for place in told if key[place] is not None]
        groups.setdefault(" · ".join(parts) or run.algorithm.upper(), []).append(run)
    return groups


def _names(runs: Sequence[Run], by: Any) -> list[str]:
    if by is None:
        return ["algorithm", *differing(runs)]
    chosen = [by] if isinstance(by, str) else by
    if not (isinstance(chosen, Sequence) and chosen and all(isinstance(name, str) for name in chosen)):
        raise InputError(f"by={by!r} names nothing to group by; pass names of settings, or a function of a run.")
    known = known_names(runs)
    for name in chosen:
        if name not in known:
            raise unknown_name("by", name, known)
    return list(chosen)


def _rank(part: Any) -> tuple[int, float, str]:
    """Order numbers by their size, all else by its text."""
    return (0, float(part), "") if isinstance(part, int | float) else (1, 0.0, str(part))


def written(name: str, setting: Any) -> str:
    """Write a setting as part of a label, learning_rate=0.003; an algorithm or an environment needs no name."""
    if name == "algorithm":
        return str(setting).upper()
    return short(setting) if ALIASES.get(name, name) == "env" else f"{name}={short(setting)}"


def short(setting: Any) -> str:
    """Write a setting's value in a few characters."""
    if isinstance(setting, float):
        return f"{setting:.4g}"
    if isinstance(setting, Mapping):
        return ", ".join(f"{key}={short(part)}" for key, part in setting.items())
    if isinstance(setting, list | tuple):
        return "x".join(map(short, setting))
    return str(setting)
