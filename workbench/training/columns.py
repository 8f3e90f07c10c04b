"""A few columns of a run in all its rows, read without the others: what comparisons are made of."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workbench.errors import RunDirectoryError
from workbench.training import journal, overview

Float64 = npt.NDArray[np.float64]
Columns = dict[str, Float64]
"""By name, [N] float64 and nan where a row lacks it; `steps` among them."""

MARK = "resumed_at"
LARGEST = 1 << 30
"""Bytes of a file that are read as one block."""


def read_columns(directory: Path, names: Sequence[str]) -> Columns:
    """Read `steps` and the named columns of a run, also while it is writing; without those that nobody recorded.

    They come from the run's overview and the rows after it where that has them, else from the journal. The values are
    those of `read_metrics` as long as the run has no more rows than that keeps; of longer runs, the overview's are the
    trainer's own, and the journal's those of the files.

    Raises:
        RunDirectoryError: If there are no metrics.
    """
    wanted = tuple(dict.fromkeys(("steps", *names)))
    found = overview.read_whole(directory, wanted) if {*wanted} <= {*overview.WHOLE} else None
    if found is not None:
        kept, entries = found
        parts = [_filled(kept, wanted), _of_entries(entries, wanted)]
    elif journal.exists(directory):
        parts = [_parsed(content, wanted) for content in journal.contents(directory)]
    else:
        raise RunDirectoryError(f"directory={str(directory)!r} holds no {journal.FILE}; pass a run directory.")
    joined = {name: np.concatenate([np.empty(0), *(part[name] for part in parts)]) for name in (*wanted, MARK)}
    return _valid(joined)


def _filled(columns: Columns, wanted: Sequence[str]) -> Columns:
    """Return all that is wanted, nan where nobody recorded it."""
    unknown = np.full(len(columns.get("steps", ())), math.nan)
    return {name: columns.get(name, unknown) for name in (*wanted, MARK)}


def _of_entries(entries: Iterable[journal.Entry], wanted: Sequence[str]) -> Columns:
    listed = list(entries)
    return {
        name: np.array([entry.get(name, math.nan) for entry in listed], dtype=np.float64) for name in (*wanted, MARK)
    }


def _parsed(content: bytes, wanted: Sequence[str]) -> Columns:
    """Read the wanted numbers of a file's lines; with pyarrow, which is much the faster, where every line is whole."""
    try:
        import pyarrow
        import pyarrow.json
    except ImportError:
        return _of_lines(content, wanted)
    whole = content if content.endswith(b"}") else content[: content.rfind(b"\n") + 1]
    schema = pyarrow.schema([(name, pyarrow.float64()) for name in (*wanted, MARK)])
    try:
        table = pyarrow.json.read_json(
            pyarrow.BufferReader(whole),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=min(len(whole) + 1, LARGEST)),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pyarrow.ArrowInvalid:  # it is empty, or a line is torn
        return _of_lines(content, wanted)
    return {name: table[name].to_numpy() for name in (*wanted, MARK)}


def _of_lines(content: bytes, wanted: Sequence[str]) -> Columns:
    return _of_entries(journal.entries(content.decode(errors="replace").split("\n")), wanted)


def _valid(columns: Columns) -> Columns:
    """Leave out the rows that were taken back, and what is no row."""
    steps, marks = columns["steps"], columns.pop(MARK)
    kept = ~np.isnan(steps)
    for place in np.flatnonzero(~np.isnan(marks)):
        kept[:place] &= steps[:place] <= marks[place]
    found = {name: values[kept] for name, values in columns.items()}
    return {name: values for name, values in found.items() if name == "steps" or not np.isnan(values).all()}
