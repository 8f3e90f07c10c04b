"""Which hyperparameters matter: the share of the scores' variance that each explains, and all runs as lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.analysis.alignment import by_steps, score
from workbench.analysis.display import mime_bundle, save, widget_of
from workbench.analysis.forest import decomposed, grow, predicted
from workbench.analysis.grouping import differing, value
from workbench.analysis.panels import Panel, Row, Rows, spoken
from workbench.analysis.runs import Run, columns_of
from workbench.analysis.statistics import Estimate
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LEAST = 10
TREES = 100
SPLIT = 4
"""Runs that a tree still splits."""

EFFECTS = 2
"""Of the most important hyperparameters are shown."""


@dataclass(frozen=True, eq=False)
class Importance:
    """How much of the difference between runs each hyperparameter explains. As a cell's value: plots.

    Attributes:
        environment: Of all the runs.
        metric: What their scores are of.
        names: Of the hyperparameters that differ, the most important first.
        shares: Of the variance between runs that each explains alone: median and middle 95 % over resampled runs.
        effects: The score that the forest foretells at each level of each, the others as in the runs, [L] each.
        together: What several of them explain only together.
        explained: How well the forest foretells runs that it was not grown from: 1 is exact, 0 or less not at all.
        runs: Which ones.
        scores: Of the runs, [n].
        settings: Values of the hyperparameters, in the order of `names`, for each run.
    """

    environment: str
    metric: str
    names: list[str]
    shares: list[Estimate]
    effects: list[Estimate]
    together: Estimate
    explained: float
    runs: list[Run]
    scores: Float64
    settings: list[list[Any]]

    kind = "importance"

    def __repr__(self) -> str:
        return f"<Importance of {len(self.names)} hyperparameters, {len(self.runs)} runs of {self.environment}>"

    def __str__(self) -> str:
        width = max(map(len, [*self.names, TOGETHER]))
        lines = [f"{name:<{width}}  {_percent(share)}" for name, share in self._rows()]
        return "\n".join([f"Importance: {': '.join(self.headline)}", *lines, self._verdict()])

    def _rows(self) -> list[tuple[str, Estimate]]:
        rows = list(zip(self.names, self.shares, strict=True))
        return [*rows, (TOGETHER, self.together)] if len(self.names) > 1 else rows

    def _verdict(self) -> str:
        told = f"Of runs left out, the forest foretells {max(self.explained, 0.0):.0%} of the variance of the scores"
        return f"{told}{'; so it tells little about what matters.' if self.explained < 0.25 else '.'}"

    @property
    def groups(self) -> list[str]:
        """None: there is but one colour."""
        return []

    @property
    def headline(self) -> tuple[str, str]:
        """What it is, and of which runs."""
        return f"{self.environment} · importance for the {spoken(self.metric)}", f"{len(self.runs)} runs"

    def panels(self) -> list[Panel]:
        """Return what the plots show."""
        from workbench.analysis.coordinates import effect, parallel

        rows = [Row(name, 9 if name == TOGETHER else 0, *share) for name, share in self._rows()]
        shares = Rows("importance", "share of the variance between runs", rows, (-0.03, 1.03))
        return [parallel(self), shares, *(effect(self, place) for place in range(min(EFFECTS, len(self.names))))]

    def table(self) -> "pandas.DataFrame":
        """Return one row a hyperparameter: `name`, `share` of the variance with `low` and `high`."""
        import pandas

        return pandas.DataFrame([{"name": name, **_columns(share)} for name, share in self._rows()])

    def plots(self, dark: bool = False) -> Any:
        """Return the plots as a HoloViews layout, for its bokeh backend."""
        from workbench.analysis.plots import layout

        return layout(self.panels(), dark)

    def figure(self) -> "Figure":
        """Return the plots as a matplotlib figure."""
        from workbench.analysis.figures import draw

        return draw(self)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        rows = [[name, f"{share.value:.1%}", f"{share.low:.1%} to {share.high:.1%}"] for name, share in self._rows()]
        return ["hyperparameter", "share of the variance", "interval"], rows

    def _notes(self) -> list[str]:
        return [
            f"A random forest of {TREES} trees, each grown from the runs resampled; the variance of its predictions is "
            "taken apart by functional analysis of variance over the values that the runs have. Shares are "
            "medians, and intervals the middle 95 %, of the trees.",
            self._verdict(),
        ]

    def markdown(self) -> str:
        """Return the table and how it was made, in Markdown."""
        from workbench.analysis.report import markdown_page

        return markdown_page(self.headline, self._cells(), self._notes())

    def html(self) -> str:
        """Return the table and how it was made, in HTML."""
        from workbench.analysis.report import html_notes, html_table

        return html_table(*self._cells(), words=1) + html_notes(self._notes())

    def save(self, path: str | Path) -> Path:
        """Write it to a file: .html, .md, .csv, .png or .svg, as `Comparison.save`."""
        return save(self, path)

    def _repr_mimebundle_(self, **_chosen: Any) -> Any:
        return mime_bundle(self)

    def _display_(self) -> Any:
        return widget_of(self)


TOGETHER = "several together"


def importance(runs: Sequence[Run], metric: str | None = None, seed: int = 0) -> Importance:
    """Say how much of the difference between runs each hyperparameter explains.

    A random forest foretells scores from the hyperparameters that differ; the variance of what it foretells is taken
    apart (Hutter, Hoos, Leyton-Brown 2014, functional ANOVA). Runs that differ only in their seed keep it from taking
    noise for an effect.

    Args:
        runs: At least ten of one environment and one algorithm, with values of the metric.
        metric: A column of the metrics; "episode_return" if None.
        seed: Of the forest.

    Raises:
        InputError: If there are too few runs, several environments or algorithms, or nothing differs.
    """
    chosen = metric or "episode_return"
    kept, scores = _scored(runs, chosen)
    kinds = sorted({(run.environment, run.algorithm) for run in kept})
    if len(kinds) > 1:
        told = ", ".join(f"{algorithm} on {environment}" for environment, algorithm in kinds)
        raise InputError(f"runs are of several kinds ({told}); choose one with .where(env=..., algorithm=...).")
    if len(kept) < LEAST:
        raise InputError(
            f"runs have {len(kept)} with a {spoken(chosen)}, and importance needs {LEAST} or more; train more of them."
        )
    names = differing(kept)
    if not names:
        raise InputError("runs differ in no hyperparameter; train some with other values.")
    columns = [[value(run, name) for run in kept] for name in names]
    found = _forest(columns, scores, seed)
    order = sorted(range(len(names)), key=lambda place: -found.shares[place].value)
    return Importance(
        environment=kinds[0][0],
        metric=chosen,
        names=[names[place] for place in order],
        shares=[found.shares[place] for place in order],
        effects=[found.effects[place] for place in order],
        together=found.together,
        explained=found.explained,
        runs=kept,
        scores=scores,
        settings=[[columns[place][row] for place in order] for row in range(len(kept))],
    )


def _scored(runs: Sequence[Run], metric: str) -> tuple[list[Run], Float64]:
    kept, scores = [], []
    for run, columns in zip(runs, columns_of(runs, [metric]), strict=True):
        series = by_steps(columns, metric)
        found = score(series, series.end)
        if math.isfinite(found):
            kept.append(run)
            scores.append(found)
    return kept, np.array(scores)


def levels(column: Sequence[Any]) -> tuple[Int64, bool, list[Any]]:
    """Number a setting's values: the number of each run's, [n], whether they have an order, and the values."""
    known = [entry for entry in column if entry is not None]
    ordered = len(known) == len(column) and all(isinstance(entry, int | float) for entry in known)
    distinct: list[Any] = []
    for entry in column:
        if entry not in distinct:
            distinct.append(entry)
    distinct.sort(key=(lambda entry: entry) if ordered else repr)
    return np.array([distinct.index(entry) for entry in column]), ordered, distinct


@dataclass(frozen=True)
class _Found:
    """What a forest says of each setting, and of all."""

    shares: list[Estimate]
    effects: list[Estimate]
    together: Estimate
    explained: float


def _forest(columns: Sequence[Sequence[Any]], scores: Float64, seed: int) -> _Found:
    """Grow trees from the runs resampled, take each apart, and let it foretell the runs that it did not see."""
    numbered = [levels(column) for column in columns]
    x = np.stack([numbers for numbers, _, _ in numbered], axis=1)
    sizes = [len(distinct) for _, _, distinct in numbered]
    ordered = [order for _, order, _ in numbered]
    shares = [np.bincount(x[:, place], minlength=size) / len(x) for place, size in enumerate(sizes)]
    random = np.random.default_rng(seed)
    told, counted = np.zeros(len(x)), np.zeros(len(x))
    trees = []
    for _ in range(TREES):
        drawn = random.integers(len(x), size=len(x))
        leaves = grow(x[drawn], scores[drawn], ordered, sizes, SPLIT)
        trees.append(decomposed(leaves, shares))
        outside = np.setdiff1d(np.arange(len(x)), drawn)
        told[outside] += predicted(leaves, x[outside])
        counted[outside] += 1
    seen = counted > 0
    error = float(np.mean((told[seen] / counted[seen] - scores[seen]) ** 2))
    variance = float(scores.var())
    whole = np.array([tree.total for tree in trees])[:, None]
    single = np.array([tree.single for tree in trees])
    parts = np.divide(single, whole, out=np.zeros_like(single), where=whole > 0)
    rest = np.where(whole[:, 0] > 0, np.clip(1.0 - parts.sum(axis=1), 0.0, 1.0), 0.0)
    return _Found(
        [_spread(part) for part in parts.T],
        [_spread(np.array([tree.effects[place] for tree in trees])) for place in range(len(columns))],
        _spread(rest),
        1.0 - error / variance if variance > 0 else 0.0,
    )


def _spread(parts: Float64) -> Estimate:
    """Return the median over the trees, and where the middle 95 % of them are, of [trees] or [trees, L]."""
    low, middle, high = np.quantile(parts, [0.025, 0.5, 0.975], axis=0)
    return Estimate(float(middle), float(low), float(high)) if parts.ndim == 1 else Estimate(middle, low, high)


def _columns(share: Estimate) -> dict[str, float]:
    return dict(zip(("share", "low", "high"), share, strict=True))


def _percent(share: Estimate) -> str:
    return f"{share.value:6.1%}  [{share.low:.1%}, {share.high:.1%}]"
