"""What the environment doctor found: findings, speed, recommended settings, and a table of all that."""

import io
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from workbench.checking.speed import Settings, Speed
from workbench.checking.tuning import Tuning

OK, ADVICE, WARNING, ERROR = "ok", "advice", "warning", "error"
WIDTH = 120
"""Columns of a report that no terminal shows."""

_MARKS = {OK: ("✓", "green"), ADVICE: ("·", "cyan"), WARNING: ("!", "yellow"), ERROR: ("✗", "red")}


@dataclass(frozen=True)
class Finding:
    """One observation about an environment.

    Attributes:
        level: "ok", "advice" (works, could be better), "warning" (works here, may not elsewhere) or "error".
        what: What it is about, such as "observation dtype".
        message: The value that was seen, and how to mend it.
    """

    level: str
    what: str
    message: str


@dataclass(frozen=True, repr=False)
class Report:
    """The result of `workbench.check`; its representation is a table.

    Attributes:
        id: Names the environment.
        kind: "gymnasium", "parallel" or "turns" (both PettingZoo's); empty if it could not be built.
        steps, episodes: How much was played for the findings; episodes that ended.
        findings: One or more a check.
        speed: None if the environment failed before it could be measured.
        recommended: Settings that follow from the speed; None without it.
        tuning: Measured settings, if they were asked for.
    """

    id: str
    kind: str
    steps: int
    episodes: int
    findings: tuple[Finding, ...]
    speed: Speed | None = None
    recommended: Settings | None = None
    tuning: Tuning | None = None

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not self.at(ERROR)

    def at(self, level: str) -> tuple[Finding, ...]:
        """Return the findings of one level."""
        return tuple(finding for finding in self.findings if finding.level == level)

    def with_error(self, what: str, message: str) -> "Report":
        """Return this report with one more error."""
        return replace(self, findings=(*self.findings, Finding(ERROR, what, message)))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {"ok": self.ok, **asdict(self)}

    def __repr__(self) -> str:
        """Write the table; in colour where standard output is a terminal."""
        from rich.console import Console

        file = io.StringIO()
        terminal = sys.stdout.isatty()
        console = Console(
            file=file, force_terminal=terminal, width=None if terminal else WIDTH, highlight=False, soft_wrap=False
        )
        for part in self._parts():
            console.print(part)
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines())

    def _parts(self) -> Iterator[Any]:
        from rich.table import Table
        from rich.text import Text

        yield Text(f"{self.id} ({self.kind or 'not built'}): {self.steps:,} steps, {self.episodes:,} episodes", "bold")
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        unicode = "utf" in (sys.stdout.encoding or "").lower()
        for finding in self.findings:
            mark, colour = _MARKS[finding.level]
            table.add_row(Text(mark if unicode else finding.level, colour), finding.what, Text(finding.message))
        yield table
        if self.speed:
            yield _pairs("speed", self.speed.lines())
        if self.recommended:
            yield _pairs("recommended", self.recommended.lines())
        if self.tuning:
            yield _pairs("measured", self.tuning.lines())
        counts = {level: len(self.at(level)) for level in (ERROR, WARNING, ADVICE)}
        plural = {level: "s" if count != 1 and level != ADVICE else "" for level, count in counts.items()}
        said = [f"{count} {level}{plural[level]}" for level, count in counts.items() if count]
        yield Text("\n" + (", ".join(said) or "all is well"))


def _pairs(title: str, lines: list[tuple[str, str]]) -> Any:
    """Lay out a heading and two columns."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(Text(name), Text(value))
    return Group(Text(f"\n{title}", "bold"), table)
