"""Compare runs: seeds grouped, metrics aligned, differences with their uncertainty."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.analysis.display import mime_bundle, save
from workbench.analysis.grouping import By, grouped
from workbench.analysis.measures import Course, Task, course, measured
from workbench.analysis.panels import Panel, panels
from workbench.analysis.runs import Run, find_runs, open_run
from workbench.analysis.statistics import (
    Bootstrap,
    Estimate,
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from workbench.errors import InputError, RunDirectoryError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

Float64 = npt.NDArray[np.float64]

THRESHOLDS = 101
MOST_PAIRS = 10
METRICS = ("evaluation_return", "episode_return")
"""The first of these that all runs have is what is compared."""


@dataclass(frozen=True)
class Improvement:
    """How probably a run of `better` scores more than one of `worse`."""

    better: str
    worse: str
    probability: Estimate


@dataclass(frozen=True)
class Comparison:
    """Groups of runs side by side. As a cell's value: plots; `table()` and `save(path)` for the rest.

    Attributes:
        metric: What is compared.
        groups: Labels, which say what distinguishes the groups.
        tasks: What was measured in each environment.
        normalised: Whether the scores below are between the tasks' bounds, 0 to 1.
        summary: The interquartile mean of each group's scores over all environments.
        gaps: By how much each falls short of a normalised score of 1; empty unless normalised.
        thresholds, profiles: Scores [T], and the share of each group's runs that score more, [T].
        improvements: Groups against each other; the best one against each if there are many.
        left_out: Names of runs that have no values, and why.
    """

    metric: str
    groups: list[str]
    tasks: list[Task]
    bootstrap: Bootstrap
    normalised: bool
    summary: dict[str, Estimate]
    gaps: dict[str, Estimate]
    thresholds: Float64
    profiles: dict[str, Estimate]
    improvements: list[Improvement]
    left_out: dict[str, str] = field(default_factory=dict)

    kind = "comparison"

    @property
    def headline(self) -> tuple[str, str]:
        """What is compared, and of which runs."""
        from workbench.analysis.report import headline

        return headline(self)

    def panels(self) -> list[Panel]:
        """Return what the plots show."""
        return panels(self)

    def __repr__(self) -> str:
        runs = sum(len(result.runs) for task in self.tasks for result in task.results.values())
        where = ", ".join(task.environment for task in self.tasks)
        return f"<Comparison of {len(self.groups)} groups, {runs} runs of {where}: {self.metric}>"

    def __str__(self) -> str:
        from workbench.analysis.report import text

        return text(self)

    def table(self) -> "pandas.DataFrame":
        """Return one row a group and environment, and where there are several environments, one over all of them.

        Columns: `environment`, `group`, `runs`; `score` with `low` and `high`, its interval; `target`, and the median
        `steps_to_target` and `seconds_to_target` (infinite where half of the runs never reach it); `optimality_gap`, of
        normalised scores.
        """
        from workbench.analysis.report import table

        return table(self)

    def plots(self, dark: bool = False) -> Any:
        """Return the plots as a HoloViews layout, for its bokeh backend.

        Args:
            dark: Whether for a dark page.
        """
        from workbench.analysis.plots import layout

        return layout(self.panels(), dark)

    def figure(self) -> "Figure":
        """Return the plots as a matplotlib figure."""
        from workbench.analysis.figures import draw

        return draw(self)

    def markdown(self) -> str:
        """Return the table and how it was made, in Markdown."""
        from workbench.analysis.report import markdown

        return markdown(self)

    def html(self) -> str:
        """Return the table and how it was made, in HTML."""
        from workbench.analysis.report import html

        return html(self)

    def save(self, path: str | Path) -> Path:
        """Write the comparison to a file of the kind that its ending says.

        Args:
            path: Ends in .html (a page with live plots, that fetches nothing), .md, .csv (the table), .png or .svg.

        Raises:
            InputError: If it ends otherwise, or the `lab` extra is missing.
        """
        return save(self, path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return mime_bundle(self)


def compare(
    runs: Any,
    *,
    by: By | None = None,
    metric: str | None = None,
    at: float | None = None,
    target: float | Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare runs: learning curves, scores, and how surely one group is better than another.

        wb.compare("runs")                                     # all of a folder
        wb.compare(wb.runs().where(algorithm="ppo"))           # some of them
        wb.compare([first, second], by="seed")                 # trainers
        wb.compare({"ours": "runs/ours", "theirs": "runs/theirs"})

    Runs that differ in nothing but their seed make a group. A run's score is the mean of the metric over the last tenth
    of the steps that all runs of its environment have taken. Intervals are percentiles of a bootstrap over the runs of a
    group, within each environment (Agarwal et al. 2021, arXiv:2108.13264).

    Args:
        runs: Runs, trainers, paths of runs or of folders of runs, or what `wb.runs` returns; several of these; or a
            dictionary of them, whose keys name the groups.
        by: What makes a group: names of hyperparameters or of entries of run.json, or a function that gives a run's
            label; the algorithm and the settings that differ if None.
        metric: A column of the metrics; "evaluation_return" where all runs have it if None, else "episode_return".
        at: Environment steps at which runs are judged, those that ended before by their last values; the end of the
            shortest if None.
        target: A return whose first reach is told, or one for each environment; nine tenths of the way to the best
            group's score if None.
        bounds: Scores that count as 0 and 1, for each environment; needed for the optimality gap. Several environments
            are averaged between the lowest and the highest value on any curve where it says nothing.
        confidence: Of the intervals, in (0, 1).
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        InputError: If there is nothing to compare, or an argument is out of range.
        RunDirectoryError: If a path holds no run.
    """
    bootstrap = Bootstrap(confidence, resamples, seed)
    groups = _named(runs) if isinstance(runs, Mapping) else grouped(_listed(runs), by)
    chosen, courses, left_out = _courses(groups, metric)
    environments = list(dict.fromkeys(each.run.environment for group in courses.values() for each in group))
    targets, limits = _targets(target, environments), _bounds(bounds, environments)
    tasks = []
    for environment in environments:
        here = {label: [each for each in group if each.run.environment == environment] for label, group in courses.items()}
        present = {label: group for label, group in here.items() if group}
        tasks.append(
            measured(
                environment,
                present,
                bootstrap,
                at=at,
                target=targets.get(environment),
                bounds=limits.get(environment),
            )
        )
    normalised = len(tasks) > 1 or bool(limits)
    return _concluded(chosen, list(courses), tasks, bootstrap, normalised, left_out)


def _concluded(
    metric: str, groups: list[str], tasks: list[Task], bootstrap: Bootstrap, normalised: bool, left_out: dict[str, str]
) -> Comparison:
    """Conclude from all environments together, of those that every group was run in."""
    shared = [task for task in tasks if len(task.results) == len(groups)]
    if not shared:
        raise InputError(
            "no environment was run by every group, so that the groups cannot be compared; group the runs by what they "
            'share, such as by="algorithm", or pass the runs of one environment.'
        )
    scores = {
        label: {
            task.environment: task.normalised(task.results[label].scores) if normalised else task.results[label].scores
            for task in shared
        }
        for label in groups
    }
    few = {label: min(map(len, found.values())) < 2 for label, found in scores.items()}
    resampling = {label: None if few[label] else bootstrap for label in groups}
    everything = np.concatenate([values for found in scores.values() for values in found.values()])
    low, high = float(everything.min()), float(everything.max())
    if normalised:
        low, high = min(low, 0.0), max(high, 1.0)
    margin = 0.04 * (high - low) or 1.0
    thresholds = np.linspace(low - margin, high + margin, THRESHOLDS)
    summary = {label: interquartile_mean(found, resampling[label]) for label, found in scores.items()}
    summary = {label: Estimate(*map(float, found)) for label, found in summary.items()}
    ranked = sorted(groups, key=lambda label: -summary[label].value)
    pairs = [(better, worse) for place, better in enumerate(ranked) for worse in ranked[place + 1 :]]
    if len(pairs) > MOST_PAIRS:
        pairs = pairs[: len(groups) - 1]  # those of the best
    improvements = []
    for better, worse in pairs:
        several = None if few[better] or few[worse] else bootstrap
        probability = probability_of_improvement(scores[better], scores[worse], several)
        improvements.append(Improvement(better, worse, Estimate(*map(float, probability))))
    gaps = {label: optimality_gap(found, 1.0, resampling[label]) for label, found in scores.items()} if normalised else {}
    return Comparison(
        metric=metric,
        groups=groups,
        tasks=tasks,
        bootstrap=bootstrap,
        normalised=normalised,
        summary=summary,
        gaps={label: Estimate(*map(float, gap)) for label, gap in gaps.items()},
        thresholds=thresholds,
        profiles={label: performance_profile(found, thresholds, resampling[label]) for label, found in scores.items()},
        improvements=improvements,
        left_out=left_out,
    )


def _listed(runs: Any) -> list[Run]:
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


def _named(groups: Mapping[Any, Any]) -> dict[str, list[Run]]:
    return {str(label): _listed(runs) for label, runs in groups.items()}


def _courses(
    groups: Mapping[str, Sequence[Run]], metric: str | None
) -> tuple[str, dict[str, list[Course]], dict[str, str]]:
    """Read one metric of all runs; leave out runs without rows, and groups without runs."""
    left_out: dict[str, str] = {}
    kept: dict[str, list[Run]] = {}
    columns: list[set[str]] = []
    for label, runs in groups.items():
        for run in runs:
            curves = run.curves()
            if any(name in curves for name in METRICS) or metric in curves:
                kept.setdefault(label, []).append(run)
                columns.append(set(curves))
            else:
                left_out[run.name] = "no episode has ended"
    if not kept:
        raise InputError("runs have no metrics yet; wait until an episode has ended in one of them.")
    common = set.intersection(*columns)
    chosen = metric or next((name for name in METRICS if name in common), METRICS[-1])
    courses: dict[str, list[Course]] = {}
    for label, runs in kept.items():
        for run in runs:
            try:
                found = course(run, chosen)
            except RunDirectoryError as error:  # it went meanwhile
                left_out[run.name] = str(error)
                continue
            if len(found.steps.values):
                courses.setdefault(label, []).append(found)
            else:
                left_out[run.name] = f"it has no {chosen}"
    if not courses:
        known = ", ".join(sorted(common))
        raise InputError(f"metric={chosen!r} is in none of the runs; all of them have {known}.")
    return chosen, courses, left_out


def _targets(target: Any, environments: Sequence[str]) -> dict[str, float]:
    if target is None:
        return {}
    if isinstance(target, Mapping):
        _check_environments("target", target, environments)
        return {environment: float(value) for environment, value in target.items()}
    if isinstance(target, bool) or not isinstance(target, int | float) or not math.isfinite(target):
        raise InputError(f"target={target!r} is no finite number; pass a return, or one for each environment.")
    return dict.fromkeys(environments, float(target))


def _bounds(bounds: Any, environments: Sequence[str]) -> dict[str, tuple[float, float]]:
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
