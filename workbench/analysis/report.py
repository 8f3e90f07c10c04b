"""A comparison in words and numbers: its table, its text, and how the numbers were made."""

import html as markup
import math
from typing import TYPE_CHECKING, Any

from workbench.analysis.panels import described, spoken
from workbench.analysis.statistics import Estimate

if TYPE_CHECKING:
    import pandas

    from workbench.analysis.compare import Comparison

ALL = "all, normalised"


def headline(comparison: "Comparison") -> tuple[str, str]:
    """Return what is compared, and of which runs."""
    where = ", ".join(task.environment for task in comparison.tasks)
    return f"{where} · {spoken(comparison.metric)}", f"{_count(comparison)} in {_groups(comparison)}"


def _count(comparison: "Comparison") -> str:
    runs = sum(len(result.runs) for task in comparison.tasks for result in task.results.values())
    return "1 run" if runs == 1 else f"{runs} runs"


def _groups(comparison: "Comparison") -> str:
    groups = len(comparison.groups)
    return "1 group" if groups == 1 else f"{groups} groups"


def table(comparison: "Comparison") -> "pandas.DataFrame":
    """Return the table that `Comparison.table` describes."""
    import pandas

    rows: list[dict[str, Any]] = []
    for task in comparison.tasks:
        for label, result in task.results.items():
            row: dict[str, Any] = {"environment": task.environment, "group": label, "runs": len(result.runs)}
            row |= dict(zip(("score", "low", "high"), result.score, strict=True))
            row |= {"target": task.target, "steps_to_target": result.steps_to_target.value}
            row |= {"seconds_to_target": result.seconds_to_target.value}
            if len(comparison.tasks) == 1 and comparison.gaps:
                row["optimality_gap"] = comparison.gaps[label].value
            rows.append(row)
    if len(comparison.tasks) > 1:
        for label in comparison.groups:
            row = {"environment": ALL, "group": label}
            row["runs"] = sum(len(task.results[label].runs) for task in comparison.tasks if label in task.results)
            row |= dict(zip(("score", "low", "high"), comparison.summary[label], strict=True))
            rows.append(row | {"optimality_gap": comparison.gaps[label].value})
    return pandas.DataFrame(rows)


def text(comparison: "Comparison") -> str:
    """Return a few lines: no times of training, so that the same runs give the same text."""
    several = len(comparison.tasks) > 1
    rows = [("", "runs", "score", "interval", "steps to target")]
    for task in comparison.tasks:
        for label, result in task.results.items():
            name = f"{task.environment}: {label}" if several else label
            rows.append((name, str(len(result.runs)), *_score(result.score), _reached(result.steps_to_target.value)))
    if several:
        rows += [(f"{ALL}: {label}", "", *_score(comparison.summary[label]), "") for label in comparison.groups]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(part.ljust(width) if place == 0 else part.rjust(width) for place, (part, width) in enumerate(cells))
        for row in rows
        for cells in [list(zip(row, widths, strict=True))]
    ]
    for each in comparison.improvements:
        interval = _interval(each.probability, "{:.2f}")
        lines.append(f"P({each.better} > {each.worse}) = {each.probability.value:.2f}{interval}")
    if comparison.left_out:
        lines.append(_left_out(comparison))
    return "\n".join([f"Comparison: {': '.join(headline(comparison))}", *(line.rstrip() for line in lines)])


def notes(comparison: "Comparison") -> list[str]:
    """Return how the numbers were made, in sentences."""
    several = len(comparison.tasks) > 1
    percent = f"{100 * comparison.bootstrap.confidence:g} %"
    budgets = ", ".join(
        f"{described(task.budget)} steps{f' of {task.environment}' if several else ''}" for task in comparison.tasks
    )
    found = [
        f"A run's score is its mean {spoken(comparison.metric)} over the last tenth of {budgets}.",
        f"Lines and scores are interquartile means over runs; bands and intervals hold {percent} of "
        f"{comparison.bootstrap.resamples:,} stratified bootstrap resamples; a group of one run has none.",
        "Training time is collecting and learning. Steps and time until a return are medians over runs.",
    ]
    if comparison.normalised:
        bounds = ", ".join(
            f"{task.environment} {task.bounds[0]:.4g} to {task.bounds[1]:.4g}" for task in comparison.tasks
        )
        found.append(f"Normalised scores are 0 to 1 between these: {bounds}.")
    if comparison.left_out:
        found.append(_left_out(comparison))
    return found


def _left_out(comparison: "Comparison") -> str:
    names = list(comparison.left_out)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Left out, for want of values: {', '.join(names[:3])}{more}."


def cells(comparison: "Comparison") -> tuple[list[str], list[list[str]]]:
    """Return the table as people read it: its head and its rows."""
    several = len(comparison.tasks) > 1
    gaps = bool(comparison.gaps)
    head = [*(["environment"] if several else []), "group", "runs", "score", "interval"]
    targets = {described(task.target) for task in comparison.tasks}
    aim = targets.pop() if len(targets) == 1 else "target"
    head += [f"steps to {aim}", f"seconds to {aim}", *(["optimality gap"] if gaps else [])]
    rows = []
    for task in comparison.tasks:
        for label, result in task.results.items():
            row = [*([task.environment] if several else []), label, str(len(result.runs)), *_score(result.score)]
            row += [_reached(result.steps_to_target.value), _reached(result.seconds_to_target.value)]
            rows.append(row + ([_gap(comparison, label)] if gaps and not several else [""] if gaps else []))
    if several:
        rows += [
            [ALL, label, "", *_score(comparison.summary[label]), "", "", _gap(comparison, label)]
            for label in comparison.groups
        ]
    return head, rows


def _gap(comparison: "Comparison", label: str) -> str:
    return f"{comparison.gaps[label].value:.3f}"


def markdown(comparison: "Comparison") -> str:
    """Return the table and the notes in Markdown."""
    return markdown_page(headline(comparison), cells(comparison), notes(comparison))


def markdown_page(headline: tuple[str, str], cells: tuple[list[str], list[list[str]]], notes: list[str]) -> str:
    """Write a headline, a table and notes in Markdown."""
    listed = "\n".join(f"- {note}" for note in notes)
    return f"# {headline[0]}\n\n{headline[1]}.\n\n{markdown_table(*cells)}\n\n{listed}\n"


def html(comparison: "Comparison") -> str:
    """Return the table and the notes in HTML."""
    words = 2 if len(comparison.tasks) > 1 else 1
    return html_table(*cells(comparison), words) + html_notes(notes(comparison))


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(part.replace("|", "\\|") for part in line) + " |" for line in lines)


def html_table(head: list[str], rows: list[list[str]], words: int) -> str:
    """Write a table in HTML, whose first `words` columns are words; the others are numbers."""

    def line(tag: str, parts: list[str]) -> str:
        made = [
            f"<{tag}{' class=wbc-word' if place < words else ''}>{markup.escape(part)}</{tag}>"
            for place, part in enumerate(parts)
        ]
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"


def html_notes(sentences: list[str]) -> str:
    """Write sentences as a paragraph."""
    return f"<p class=wbc-notes>{markup.escape(' '.join(sentences))}</p>"


def _score(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.4g}", _interval(estimate, "{:.4g}").strip() or "-"


def _interval(estimate: Estimate, form: str) -> str:
    return "" if math.isnan(estimate.low) else f" [{form.format(estimate.low)}, {form.format(estimate.high)}]"


def _reached(value: float) -> str:
    return "never" if math.isinf(value) else described(value)
