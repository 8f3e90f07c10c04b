"""Compare runs: seeds grouped, metrics aligned, differences with their uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.analysis.display import mime_bundle, save, widget_of
from workbench.analysis.grouping import By, grouped
from workbench.analysis.measures import Task, measured
from workbench.analysis.panels import Panel, panels
from workbench.analysis.selection import check_budget, courses, listed, named, spans, targets
from workbench.analysis.statistics import (
    Bootstrap,
    Estimate,
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

Float64 = npt.NDArray[np.float64]

THRESHOLDS = 101
MOST_PAIRS = 10


@dataclass(frozen=True)
class Improvement:
    """How probably a run of `better` scores more than one of `worse`."""

    better: str
    worse: str
    probability: Estimate


@dataclass(frozen=True, eq=False)
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

    def _repr_mimebundle_(self, **_chosen: Any) -> Any:
        return mime_bundle(self)

    def _display_(self) -> Any:
        return widget_of(self)


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
    of the steps that all runs of its environment have taken. Intervals are percentiles of a bootstrap over the runs of
    a group, within each environment (Agarwal et al. 2021, arXiv:2108.13264).

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
    groups = named(runs) if isinstance(runs, Mapping) else grouped(listed(runs), by)
    chosen, found, left_out = courses(groups, metric)
    environments = list(dict.fromkeys(each.run.environment for group in found.values() for each in group))
    aims, limits = targets(target, environments), spans(bounds, environments)
    tasks = []
    for environment in environments:
        here = {
            label: [each for each in group if each.run.environment == environment] for label, group in found.items()
        }
        present = {label: group for label, group in here.items() if group}
        check_budget(at, present)
        aim, span = aims.get(environment), limits.get(environment)
        tasks.append(measured(environment, present, bootstrap, at=at, target=aim, bounds=span))
    return _concluded(chosen, list(found), tasks, bootstrap, len(tasks) > 1 or bool(limits), left_out)


Scores = dict[str, dict[str, Float64]]
"""Of each group in each environment, [n]."""


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
    scores: Scores = {label: {} for label in groups}
    for task in shared:
        for label in groups:
            found = task.results[label].scores
            scores[label][task.environment] = task.normalised(found) if normalised else found
    several = {label: bootstrap if min(map(len, found.values())) > 1 else None for label, found in scores.items()}
    summary = {label: _single(interquartile_mean(found, several[label])) for label, found in scores.items()}
    gaps = {label: _single(optimality_gap(found, 1.0, several[label])) for label, found in scores.items()}
    thresholds = _thresholds(scores, normalised)
    return Comparison(
        metric=metric,
        groups=groups,
        tasks=tasks,
        bootstrap=bootstrap,
        normalised=normalised,
        summary=summary,
        gaps=gaps if normalised else {},
        thresholds=thresholds,
        profiles={label: performance_profile(found, thresholds, several[label]) for label, found in scores.items()},
        improvements=_improvements(scores, summary, several),
        left_out=left_out,
    )


def _thresholds(scores: Scores, normalised: bool) -> Float64:
    """Return the scores at which performance profiles are told, [T]: a little more than all scores span."""
    everything = np.concatenate([values for found in scores.values() for values in found.values()])
    low, high = float(everything.min()), float(everything.max())
    if normalised:
        low, high = min(low, 0.0), max(high, 1.0)
    margin = 0.04 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, THRESHOLDS)


def _improvements(
    scores: Scores, summary: dict[str, Estimate], several: dict[str, Bootstrap | None]
) -> list[Improvement]:
    """Set each group against those with lower scores; if that is too many pairs, the best one alone."""
    ranked = sorted(scores, key=lambda label: -summary[label].value)
    pairs = [(better, worse) for place, better in enumerate(ranked) for worse in ranked[place + 1 :]]
    if len(pairs) > MOST_PAIRS:
        pairs = pairs[: len(ranked) - 1]
    found = []
    for better, worse in pairs:
        bootstrap = several[better] if several[worse] is not None else None
        probability = probability_of_improvement(scores[better], scores[worse], bootstrap)
        found.append(Improvement(better, worse, _single(probability)))
    return found


def _single(estimate: Estimate) -> Estimate:
    return Estimate(*map(float, estimate))
