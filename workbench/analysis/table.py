"""A table of runs: what distinguishes them, how far they came, and what they reached."""

import html as markup
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.analysis.grouping import differing, known_names, short, value
from workbench.analysis.runs import Run, find_runs
from workbench.errors import InputError, unknown_name

if TYPE_CHECKING:
    import pandas

    from workbench.analysis.compare import Comparison
    from workbench.analysis.importance import Importance

STATIC = Path(__file__).parent / "static"
RETURNS = ("episode_return", "evaluation_return")
MEASURED = ("state", "steps", "seconds", "steps_per_second", *RETURNS)
MOST_LINES = 40
MOST_ROWS = 1000
KINDS = (".html", ".md", ".csv")
TITLES = {"env": "environment", "git": "revision", "episode_return": "return", "evaluation_return": "evaluation"}


def record(run: Run) -> dict[str, Any]:
    """Return what is known of a run: what it is, and how far it came; only `run` and `error` if it cannot be read.

    `steps`, `seconds` and `episode_return` are as its newest row says; nan before the first episode ended.
    """
    if run.error is not None:
        return {"run": str(run.path), "error": run.error}
    status = run.status()
    curves = run.curves(["seconds", "steps_per_second", *RETURNS])
    found: dict[str, Any] = {"run": str(run.path), "env": run.environment, "algorithm": run.algorithm, "seed": run.seed}
    found |= {"created": run.description.get("created"), "git": value(run, "git"), "state": status.state}
    found["dirty"] = (run.description.get("git") or {}).get("dirty")
    found["steps"] = max([status.steps, *(int(steps[-1]) for steps, _ in curves.values())])
    found["seconds"] = max(status.seconds, float(curves["seconds"][1][-1]) if "seconds" in curves else 0.0)
    for name in ("steps_per_second", *RETURNS):
        found[name] = float(curves[name][1][-1]) if name in curves else math.nan
    return found


@dataclass(frozen=True)
class RunTable:
    """Runs as a table. As a cell's value: sorted by a click, filtered by a word; it goes as it is into `wb.compare`.

    Attributes:
        folder: Where they were searched.
        runs: The runs, oldest first.
    """

    folder: Path
    runs: list[Run]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __getitem__(self, place: int) -> Run:
        return self.runs[place]

    def __repr__(self) -> str:
        return f"<RunTable of {len(self.runs)} runs in {self.folder}>"

    def __str__(self) -> str:
        head, rows = self._cells()
        shown = [head, *rows[-MOST_LINES:]]
        widths = [max(len(row[place]) for row in shown) for place in range(len(head))]
        lines = [
            "  ".join(part.ljust(width) for part, width in zip(row, widths, strict=True)).rstrip() for row in shown
        ]
        if len(rows) > MOST_LINES:
            lines.append(f"and {len(rows) - MOST_LINES} older runs; to_pandas() has them all")
        return "\n".join(lines) if rows else f"no runs in {self.folder}"

    @cached_property
    def _records(self) -> list[dict[str, Any]]:
        return [record(run) for run in self.runs]

    @cached_property
    def _sound(self) -> list[Run]:
        return [run for run in self.runs if run.error is None]

    @cached_property
    def differing(self) -> list[str]:
        """The settings in which runs of one environment and one algorithm differ."""
        return differing(self._sound)

    def where(self, **conditions: Any) -> "RunTable":
        """Return the runs that meet all conditions.

            table.where(env="CartPole-v1", learning_rate=[1e-3, 3e-3], steps=lambda steps: steps > 1e6)

        Args:
            conditions: By the name of a hyperparameter, of an entry of run.json, or of one of `state`, `steps`,
                `seconds`, `steps_per_second`, `episode_return`, `evaluation_return`: the value, a list of values, or a
                function that tells whether a value will do.

        Raises:
            UnknownNameError: If no run has anything of that name.
        """
        known = known_names(self._sound) | set(MEASURED)
        for name in conditions:
            if self._sound and name not in known:
                raise unknown_name("condition", name, known)
        records = dict(zip([run.path for run in self.runs], self._records, strict=True))

        def kept(run: Run) -> bool:
            return all(
                _meets(records[run.path][name] if name in MEASURED else value(run, name), condition)
                for name, condition in conditions.items()
            )

        return RunTable(self.folder, [run for run in self._sound if kept(run)] if conditions else self.runs)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return one row a run: what distinguishes it, and what it reached; `error` where it cannot be read."""
        import pandas

        rows = []
        for run, found in zip(self.runs, self._records, strict=True):
            row = {**found, "run": run.name}
            if run.error is None:
                row |= {name: _plain(value(run, name)) for name in self.differing}
            rows.append(row)
        first = ["run", "env", "algorithm", *self.differing, "seed", "git", "dirty", "created", *MEASURED]
        extra = ["error"] if any("error" in row for row in rows) else []
        return pandas.DataFrame(rows, columns=[*dict.fromkeys(first), *extra])

    def compare(self, **options: Any) -> "Comparison":
        """Compare these runs; the arguments are those of `wb.compare`."""
        from workbench.analysis.compare import compare

        return compare(self, **options)

    def importance(self, metric: str | None = None, seed: int = 0) -> "Importance":
        """Say which hyperparameters matter, of at least ten runs of one environment and one algorithm.

        Args:
            metric: A column of the metrics; "episode_return" if None.
            seed: Of the forest.

        Raises:
            InputError: If there are too few runs, several environments or algorithms, or nothing differs.
        """
        from workbench.analysis.importance import importance

        return importance(self._sound, metric, seed)

    def save(self, path: str | Path) -> Path:
        """Write the table to a file: .html (a page), .md or .csv.

        Raises:
            InputError: If it ends otherwise.
        """
        target = Path(path)
        kind = target.suffix.lower()
        if kind not in KINDS:
            raise InputError(f"path={str(path)!r} has no known ending; choose one of {', '.join(KINDS)}.")
        if kind == ".csv":
            content = self.to_pandas().to_csv(index=False)
        elif kind == ".md":
            from workbench.analysis.report import markdown_table

            content = markdown_table(*self._cells()) + "\n"
        else:
            head = "<meta charset=utf-8><meta name=color-scheme content='light dark'><title>Runs</title>"
            content = f"<!doctype html><html lang=en><head>{head}</head><body>{self.html()}</body></html>\n"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        return target

    def html(self) -> str:
        """Return the table in HTML, with the code that sorts and filters it; it fetches nothing and needs no kernel."""
        style, script = ((STATIC / f"table.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
        head, rows = self._cells()
        columns = list(zip(*rows, strict=True)) or [()] * len(head)
        numeric = [_is_numeric(column) for column in columns]
        heads = "".join(
            f"<th scope=col{' class=wbr-number' if number else ''}>{markup.escape(name)}</th>"
            for name, number in zip(head, numeric, strict=True)
        )
        body = "".join(
            f"<tr>{''.join(map(self._cell, [found] * len(head), head, row, numeric))}</tr>"
            for found, row in zip(self._records[-MOST_ROWS:], rows[-MOST_ROWS:], strict=True)
        )
        count = f"{len(rows)} runs" if len(rows) != 1 else "1 run"
        more = f", the newest {MOST_ROWS:,} of them here" if len(rows) > MOST_ROWS else ""
        return (
            f"<div class=wbr data-testid=runs><style>{style}</style><div class=wbr-bar>"
            '<input class=wbr-filter type=search placeholder="Filter" aria-label="Filter runs" hidden>'
            f"<span class=wbr-count role=status>{count}{more}</span></div>"
            f"<div class=wbr-scroll><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
            f"<script>{script}</script></div>"
        )

    @staticmethod
    def _cell(found: Mapping[str, Any], name: str, text: str, number: bool) -> str:
        shown = markup.escape(text)
        if name == "state":
            return f'<td><span class=wbr-state data-state="{shown}">{shown}</span></td>'
        key = next((key for key, title in TITLES.items() if title == name), name)
        exact = found.get(key)
        if number and isinstance(exact, int | float) and math.isfinite(exact):
            return f'<td class=wbr-number data-value="{exact!r}">{shown}</td>'
        return f"<td{' class=wbr-number' if number else ''}>{shown}</td>"

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        """Return the table as people read it: its head and its rows."""
        evaluated = any(math.isfinite(found.get("evaluation_return", math.nan)) for found in self._records)
        told = ["state", "env", "algorithm", *self.differing, "seed", "git", "steps", "episode_return"]
        names = list(dict.fromkeys([*told, *(["evaluation_return"] if evaluated else []), "created"]))
        rows = []
        for run, found in zip(self.runs, self._records, strict=True):
            if run.error is not None:
                rows.append([run.name, "unreadable", run.error, *[""] * (len(names) - 2)])
                continue
            values = {name: found[name] if name in found else value(run, name) for name in names}
            texts = {name: _written(name, each) for name, each in values.items()}
            if found["dirty"]:
                texts["git"] += "*"
            rows.append([run.name, *texts.values()])
        head = ["run", *(TITLES.get(name, name) for name in names)]
        filled = [place for place in range(len(head)) if place == 0 or any(row[place] for row in rows)]
        return [head[place] for place in filled], [[row[place] for place in filled] for row in rows]

    def _repr_mimebundle_(self, **_chosen: Any) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()} if self.runs else {"text/plain": str(self)}


def runs(folder: str | Path = "runs", **conditions: Any) -> RunTable:
    """Return the runs in a folder as a table, the oldest first.

        wb.runs()                                          # as a cell's value: a table that sorts and filters
        wb.runs(algorithm="ppo", state="stopped")          # some of them
        wb.compare(wb.runs().where(seed=[1, 2, 3]))

    Args:
        folder: Where to look, three folders deep.
        conditions: As those of `RunTable.where`.

    Raises:
        InputError: If `folder` is not there.
        UnknownNameError: If a condition names nothing that any run has.
    """
    return RunTable(Path(folder), find_runs(folder)).where(**conditions)


def _meets(found: Any, condition: Any) -> bool:
    if callable(condition):
        return bool(condition(found))
    if isinstance(condition, list | tuple | set) and not isinstance(found, list | tuple):
        return any(_meets(found, each) for each in condition)
    if isinstance(found, float) and isinstance(condition, int | float):
        return math.isclose(found, condition, rel_tol=1e-9)
    if isinstance(found, list | tuple):
        return isinstance(condition, list | tuple) and list(found) == list(condition)
    return bool(found == condition)


def _plain(setting: Any) -> Any:
    return setting if isinstance(setting, int | float | str | bool) or setting is None else short(setting)


def _written(name: str, found: Any) -> str:
    if found is None or (isinstance(found, float) and math.isnan(found)):
        return ""
    if name == "steps":
        return f"{found:,}"
    if name in RETURNS:
        return f"{found:.1f}"
    if name == "git":
        return str(found)[:7]
    if name == "created":
        return str(found)[:16].replace("T", " ")
    return short(found)


def _is_numeric(column: tuple[str, ...]) -> bool:
    found = [text.replace(",", "") for text in column if text]

    def is_number(text: str) -> bool:
        try:
            return math.isfinite(float(text))
        except ValueError:
            return False

    return bool(found) and all(map(is_number, found))
