"""Which runs an analysis is of, and what of them: arguments of all kinds become runs, courses and limits."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.analysis.alignment import by_seconds, by_steps
from workbench.analysis.measures import Course
from workbench.analysis.runs import Run, columns_of, find_runs, open_run
from workbench.errors import InputError
from workbench.training.columns import Columns

METRICS = ("evaluation_return", "episode_return")
"""The first of these that all runs have is what is compared."""


def listed(runs: Any) -> list[Run]:
    """Return the runs that were asked for, each once."""
    found: dict[Path, Run] = {}
    for run in _each(runs):
        found.setdefault(run.path.resolve(), run)
    sound = [run for run in found.values() if run.error is None]
    if not sound:
        raise InputError(f"runs={runs!r} holds no run that can be read; name a folder of runs, such as runs.")
    return sound


def _each(runs: Any) -> Iterable[Run]:
    if isinstance(runs, Run):
        return [runs]
    if isinstance(runs, str | Path):
        return find_runs(runs)
    directory = getattr(runs, "run_dir", None)
    if directory is not None:
        if not directory.exists():
            raise InputError(f"runs={runs!r} has not trained yet; call train() first.")
        return [open_run(directory)]
    if isinstance(runs, Iterable):
        return [run for each in runs for run in _each(each)]
    raise InputError(f"runs={runs!r} is no run; pass runs, trainers, or paths of runs or of folders of runs.")


def named(groups: Mapping[Any, Any]) -> dict[str, list[Run]]:
    """Return groups of runs that were given their labels."""
    return {str(label): listed(runs) for label, runs in groups.items()}


def courses(
    groups: Mapping[str, Sequence[Run]], metric: str | None
) -> tuple[str, dict[str, list[Course]], dict[str, str]]:
    """Read one metric of all runs; leave out runs without values, and groups without runs."""
    left_out: dict[str, str] = {}
    placed = [(label, run) for label, runs in groups.items() for run in runs]
    judged = METRICS if metric is None else (metric, *METRICS)
    read: list[tuple[str, Run, Columns]] = []
    for (label, run), columns in zip(placed, columns_of([run for _, run in placed], [*judged, "seconds"]), strict=True):
        if not columns.keys().isdisjoint(judged):
            read.append((label, run, columns))
        else:
            left_out[run.name] = "no episode has ended" if "steps" in columns else "it has no metrics"
    if not read:
        raise InputError("runs have no metrics yet; wait until an episode has ended in one of them.")
    chosen = metric or next((name for name in METRICS if all(name in each for _, _, each in read)), METRICS[-1])
    found: dict[str, list[Course]] = {}
    for label, run, columns in read:
        if chosen in columns:
            course = Course(run, by_steps(columns, chosen), by_seconds(columns, chosen))
            found.setdefault(label, []).append(course)
        else:
            left_out[run.name] = f"it has no {chosen}"
    if not found:
        common = set.intersection(*({"steps", *run.curves()} for _, run, _ in read))
        raise InputError(f"metric={chosen!r} is in none of the runs; all of them have {', '.join(sorted(common))}.")
    return chosen, found, left_out


def check_budget(at: Any, groups: Mapping[str, Sequence[Course]]) -> None:
    """Refuse steps to judge by that are none, or before a run has any value."""
    if at is None:
        return
    if isinstance(at, bool) or not isinstance(at, int | float) or not (math.isfinite(at) and at > 0):
        raise InputError(f"at={at!r} is no number of environment steps; pass a positive one, or None.")
    first = max((each.steps.at[0], each.run.name) for group in groups.values() for each in group)
    if first[0] > at:
        raise InputError(
            f"at={at:g} is before the first value of run {first[1]!r}, at {first[0]:,.0f} steps; choose more."
        )


def targets(target: Any, environments: Sequence[str]) -> dict[str, float]:
    """Return the target of each environment that has one."""
    if target is None:
        return {}
    given = target if isinstance(target, Mapping) else dict.fromkeys(environments, target)
    _check_environments("target", given, environments)
    for each in given.values():
        if isinstance(each, bool) or not isinstance(each, int | float) or not math.isfinite(each):
            raise InputError(f"target={target!r} is no finite number; pass a return, or one for each environment.")
    return {environment: float(value) for environment, value in given.items()}


def spans(bounds: Any, environments: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the bounds of each environment that has them."""
    if bounds is None:
        return {}
    if not isinstance(bounds, Mapping):
        example = {environments[0]: (0, 500)}
        raise InputError(f"bounds={bounds!r} names no environment; pass a dictionary such as {example}.")
    _check_environments("bounds", bounds, environments)
    for environment, (low, high) in bounds.items():
        if not low < high:
            raise InputError(f"bounds of {environment!r} are {low} and {high}; the first has to be less.")
    return {environment: (float(low), float(high)) for environment, (low, high) in bounds.items()}


def _check_environments(argument: str, given: Iterable[str], environments: Sequence[str]) -> None:
    for environment in given:
        if environment not in environments:
            raise InputError(f"{argument} names {environment!r}; the runs are of {', '.join(environments)}.")
