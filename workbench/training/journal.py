"""What happened in a run, as JSON lines on disk: one file that grows, and numbered segments that were closed.

`metrics.jsonl` takes one entry a line, flushed as a whole: a kill loses at most the line being written, and a reader
passes over a torn one. When it has grown large it becomes `metrics.000007.jsonl`. When all segments together are too
large, two neighbours become one of half as many rows, `metrics.000001-000002.jsonl`: of those that are made of as many,
the fewest and the oldest, so that the whole course stays, and stays even.
"""

import contextlib
import itertools
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
import numpy.typing as npt

from workbench.errors import RunDirectoryError
from workbench.training.files import sync_folder, write_file
from workbench.training.rows import Table, coalesced, is_total

FILE = "metrics.jsonl"
SEGMENT = re.compile(r"metrics\.(\d{6,})(?:-(\d{6,}))?\.jsonl")
SEGMENTS = 16
"""Segments that the limit allows for: the file that grows is closed at a sixteenth of it."""

LIMIT = 128 << 20
"""Bytes of all files together, where none are asked for."""

BEGIN = '{"steps": '
"""Of a row, as it is written here."""

Entry = dict[str, Any]
Float64 = npt.NDArray[np.float64]


def segments(directory: Path) -> list[Path]:
    """Return the closed segments, oldest first; without those that are part of a longer one."""
    found = sorted(
        ((*_span(path), path) for path in directory.glob("metrics.*.jsonl") if SEGMENT.fullmatch(path.name)),
        key=lambda item: (item[0], -item[1]),
    )
    kept: list[Path] = []
    end = 0
    for _, last, path in found:
        if last > end:
            kept.append(path)
            end = last
    return kept


def _span(path: Path) -> tuple[int, int]:
    match = SEGMENT.fullmatch(path.name)
    assert match is not None
    return int(match[1]), int(match[2] or match[1])


def exists(directory: Path) -> bool:
    """Tell whether `directory` holds the entries of a run."""
    return (directory / FILE).exists() or bool(segments(directory))


def read(directory: Path) -> Iterator[Entry]:
    """Yield the entries of a run, oldest first, also while it is writing; torn lines are passed over."""
    with contextlib.ExitStack() as stack:
        for file in _opened(directory, stack):
            yield from entries(file)


def position(directory: Path) -> tuple[int, int]:
    """Return where the entries of a run end at present: the number of the last closed segment, and bytes after it."""
    closed = segments(directory)
    try:
        size = (directory / FILE).stat().st_size
    except FileNotFoundError:
        size = 0
    return _span(closed[-1])[1] if closed else 0, size


def after(directory: Path, number: int, offset: int) -> list[Entry] | None:
    """Return the entries after a `position`; None where segments were merged across it, or it is not there."""
    with contextlib.ExitStack() as stack:
        files = _opened(directory, stack, number)
        across = any(_span(path)[0] <= number < _span(path)[1] for path in segments(directory))
        if across or not files or os.fstat(files[0].fileno()).st_size < offset:
            return None
        files[0].seek(offset)
        return [entry for file in files for entry in entries(file)]


def part(directory: Path, low: float, high: float) -> dict[str, Float64]:
    """Return the rows of a run from `low` to `high` environment steps, and one beyond either end; also while it writes.

    Of rows that lie elsewhere only the steps are read, so that a part costs little more than what it holds.

    Returns:
        [N] by name, nan where a row lacks one; `steps` rises.
    """
    table = Table()
    none = math.nan, ""
    before = beyond = none
    with contextlib.ExitStack() as stack:
        for line in itertools.chain.from_iterable(_opened(directory, stack)):
            steps = _steps(line)
            entry = {} if steps < low or steps > high else next(entries((line,)), {})
            steps = entry.pop("steps", steps)
            if steps < low:
                before = steps, line
            elif steps > high:
                beyond = beyond if beyond[1] else (steps, line)
            elif "resumed_at" in entry:
                mark = entry["resumed_at"]
                table.rewind(mark)
                before, beyond = (each if each[0] <= mark else none for each in (before, beyond))
            elif not math.isnan(steps):
                table.append(steps, entry)
    for entry in entries((before[1],)):
        for name, values in table.columns.items():
            values.insert(0, entry.get(name, math.nan))
    for entry in entries((beyond[1],)):
        table.append(entry.pop("steps"), entry)
    return {name: np.array(values) for name, values in table.columns.items()}


def _steps(line: str) -> float:
    """Return the steps of a row without reading it all; nan of a line that says something else, or otherwise."""
    try:
        return float(line[len(BEGIN) : line.index(",", len(BEGIN))]) if line.startswith(BEGIN) else math.nan
    except ValueError:
        return math.nan


def _opened(directory: Path, stack: contextlib.ExitStack, number: int = 0) -> list[TextIO]:
    """Open the files of a run that come after the segment `number`, as they are at one moment."""
    files: list[TextIO] = []
    before = None
    while before is None or before != segments(directory):  # else a segment was closed meanwhile
        before = segments(directory)
        files.clear()
        later = [path for path in before if _span(path)[1] > number]
        with contextlib.suppress(FileNotFoundError):
            for path in (*later, directory / FILE):
                files.append(stack.enter_context(path.open(encoding="utf-8", errors="replace")))  # noqa: PERF401
    return files


def contents(directory: Path) -> list[bytes]:
    """Return the bytes of the files of a run, oldest first, as they are at one moment."""
    with contextlib.ExitStack() as stack:
        return [file.buffer.read() for file in _opened(directory, stack)]


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of lines; torn ones are passed over."""
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict) and (entry.keys() & {"steps", "change", "resumed_at"}):
            yield entry


def copy(directory: Path, target: Path) -> None:
    """Copy the files of a run into another folder."""
    for path in (*segments(directory), *directory.glob(FILE)):
        shutil.copyfile(path, target / path.name)


class Journal:
    """Writes the entries of a run into a directory.

    Args:
        limit: Bytes of all files together, about.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._directory: Path | None = None
        self._file: IO[bytes] | None = None
        self._size = 0
        self._torn = False

    def open(self, directory: Path) -> None:
        """Append to what is in `directory`.

        Raises:
            RunDirectoryError: If the file cannot be written.
        """
        self._directory = directory
        with self._writing():
            self._open(directory / FILE)

    def _open(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._torn = self._size > 0 and _last_byte(path) != b"\n"

    def write(self, entry: Entry) -> None:
        """Add an entry, as a whole; after `close` it is added all the same, and before `open` to nothing.

        Raises:
            RunDirectoryError: If it cannot be written.
        """
        if self._directory is None:
            return
        if self._file is None:
            self.open(self._directory)
            self.write(entry)
            self.close()
            return
        with self._writing():
            self._append(json.dumps(entry).encode() + b"\n")
            if self._size > self.limit // SEGMENTS:
                self._rotate()

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        rest = memoryview(b"\n" + data if self._torn else data)
        self._torn = True  # by a kill, or by a disk that takes less than it is given
        while rest:
            rest = rest[self._file.write(rest) :]
        self._torn = False
        self._size += len(data)

    def sync(self) -> None:
        """Bring everything written down to the disk."""
        if self._file is not None:
            with self._writing():
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunDirectoryError(
                f"metrics of run_dir={str(self._directory)!r} cannot be written: {error}; make room, or choose another."
            ) from error

    def _rotate(self) -> None:
        """Close the file that grew, give it its number, and make room."""
        assert self._file is not None
        assert self._directory is not None
        os.fsync(self._file.fileno())
        self.close()  # whatever fails from here on, the next entry opens it again
        closed = segments(self._directory)
        number = _span(closed[-1])[1] + 1 if closed else 1
        (self._directory / FILE).rename(self._directory / f"metrics.{number:06d}.jsonl")
        self._open(self._directory / FILE)
        sync_folder(self._directory)
        compact(self._directory, self.limit - self.limit // SEGMENTS)


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def compact(directory: Path, limit: int) -> None:
    """Halve the rows of neighbouring segments until all of them together have `limit` bytes."""
    while True:
        closed = segments(directory)
        for path in directory.glob("metrics.*.jsonl"):
            if SEGMENT.fullmatch(path.name) and path not in closed:  # part of a longer one
                path.unlink()
        if len(closed) < 2 or sum(path.stat().st_size for path in closed) <= limit:
            return
        first, second = min(itertools.pairwise(closed), key=_unlike)
        lines = [json.dumps(entry).encode() + b"\n" for entry in merged(first, second)]
        path = directory / f"metrics.{_span(first)[0]:06d}-{_span(second)[1]:06d}.jsonl"
        temporary = directory / f".{path.name}"
        temporary.unlink(missing_ok=True)
        write_file(temporary, lines)
        temporary.rename(path)
        sync_folder(directory)
        first.unlink()
        second.unlink()


def _unlike(pair: tuple[Path, Path]) -> tuple[bool, int]:
    """Order neighbours: first those whose rows stand for as many iterations, which leaves the course even."""
    (begin, middle), (_, end) = map(_span, pair)
    return 2 * (middle + 1 - begin) != end + 1 - begin, end - begin


def merged(*paths: Path) -> Iterator[Entry]:
    """Yield the entries of neighbouring segments with half as many rows."""
    table, changes = Table(), list[Entry]()
    mark: int | None = None
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as file:
            for entry in entries(file):
                if "resumed_at" in entry:
                    table.rewind(entry["resumed_at"])
                    changes = [change for change in changes if change["steps"] <= entry["resumed_at"]]
                    mark = entry["resumed_at"] if mark is None else min(mark, entry["resumed_at"])
                elif "change" in entry:
                    changes.append(entry["change"])
                else:
                    table.append(entry.pop("steps"), entry)
    if mark is not None:  # rows of earlier segments may be taken back by it
        yield {"resumed_at": mark}
    table.halve(0, len(table))
    if len(changes) > len(table):  # a schedule's, not a person's
        changes = coalesced(changes)
    yield from ({"change": change} for change in changes)
    for index in range(len(table)):
        row = {name: values[index] for name, values in table.columns.items()}
        yield {
            name: int(value) if value.is_integer() and (is_total(name) or name == "iterations") else value
            for name, value in row.items()
            if not math.isnan(value)
        }
