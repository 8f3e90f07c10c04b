"""Metrics on disk: segments that are closed, merged, taken back and torn, and read as if none of that had happened."""

import itertools
import json
import os
import threading
from pathlib import Path

import pytest

from workbench.errors import RunDirectoryError
from workbench.training import journal
from workbench.training.journal import Journal, compact, read, segments
from workbench.training.metrics import Metrics, read_metrics

SMALL = 1 << 14


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def write(directory, numbers, limit=SMALL):
    made = Journal(limit)
    made.open(directory)
    for steps in numbers:
        made.write({"steps": steps, "iterations": 1, "loss": float(steps)})
    made.close()


def size(directory):
    return sum(path.stat().st_size for path in directory.iterdir())


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_file_that_grows_is_closed_and_numbered_and_read_on(tmp_path):
    write(tmp_path, range(1, 101), limit=1 << 16)
    assert names(tmp_path) == ["metrics.000001.jsonl", "metrics.jsonl"]
    assert [entry["steps"] for entry in read(tmp_path)] == list(range(1, 101))
    write(tmp_path, range(101, 201), limit=1 << 16)
    assert names(tmp_path) == ["metrics.000001.jsonl", "metrics.000002.jsonl", "metrics.jsonl"]
    assert [entry["steps"] for entry in read(tmp_path)] == list(range(1, 201))


def test_the_size_stays_bounded_and_the_course_whole(tmp_path):
    sizes = []
    made = Journal(SMALL)
    made.open(tmp_path)
    for steps in range(1, 20_001):
        made.write({"steps": steps, "iterations": 1, "loss": float(steps)})
        if steps % 500 == 0:
            sizes.append(size(tmp_path))
    made.close()
    assert max(sizes) <= SMALL
    assert sizes[-1] > SMALL // 2
    assert len(names(tmp_path)) <= journal.SEGMENTS + 1
    rows = list(read(tmp_path))
    assert sum(row["iterations"] for row in rows) == 20_000  # nothing is lost, it is only told together
    assert sum(row["iterations"] * row["loss"] for row in rows) == pytest.approx(20_000 * 20_001 / 2)
    steps = [row["steps"] for row in rows]
    assert steps == sorted(steps)
    assert max(later - earlier for earlier, later in itertools.pairwise(steps)) <= 20_000 / 50  # evenly, all along
    assert {type(row["iterations"]) for row in rows} == {int}


def test_rows_that_are_taken_back_stay_so_when_segments_merge(tmp_path):
    metrics = Metrics(SMALL)
    metrics.open(tmp_path)
    for steps in range(1, 101):
        metrics.append(steps, {"iterations": 1, "loss": 1.0})
    metrics.append_change(90, "clip", 0.2, 0.1)
    metrics.take_back(40)
    for steps in range(41, 301):
        metrics.append(steps, {"iterations": 1, "loss": 2.0})
    metrics.append_change(300, "clip", 0.2, 0.3)
    metrics.close()
    assert len(segments(tmp_path)) > 3
    before = [entry for entry in read(tmp_path) if "steps" in entry]
    while len(segments(tmp_path)) > 1:
        compact(tmp_path, sum(path.stat().st_size for path in segments(tmp_path)) - 1)
    kept = read_metrics(tmp_path)
    steps, loss = kept.series("loss")
    assert len(steps) < len(before) / 2
    assert kept.series("iterations")[1].sum() == 300
    assert set(loss[steps <= 40]) == {1.0}
    assert set(loss[steps > 60]) == {2.0}
    assert [change["new"] for change in kept.changes()] == [0.3]


def test_a_mark_that_reaches_back_beyond_the_merged_segments_is_kept(tmp_path):
    first = [{"steps": n, "iterations": 1} for n in range(1, 11)]
    second = [{"resumed_at": 4}, {"steps": 5, "iterations": 1}]
    third = [{"steps": 6, "iterations": 1}]
    for number, entries in enumerate((first, second, third), start=1):
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        (tmp_path / f"metrics.{number:06d}.jsonl").write_text(lines)
    entries = list(journal.merged(*segments(tmp_path)[1:]))
    assert entries == [{"resumed_at": 4}, {"steps": 6, "iterations": 2}]


def test_what_a_kill_leaves_of_a_merge_is_not_read_twice(tmp_path):
    write(tmp_path, range(1, 61), limit=1 << 14)
    first, second = segments(tmp_path)[:2]
    expected = [entry["steps"] for entry in read(tmp_path)]
    merged = tmp_path / "metrics.000001-000002.jsonl"
    merged.write_text(first.read_text() + second.read_text())  # complete, and its parts not yet removed
    assert [entry["steps"] for entry in read(tmp_path)] == expected
    compact(tmp_path, 1 << 30)
    assert not first.exists()
    assert not second.exists()
    assert [entry["steps"] for entry in read(tmp_path)] == expected


def test_reading_while_segments_are_closed_and_merged_misses_nothing(tmp_path):
    stop, faults = threading.Event(), []

    def look():
        while not stop.is_set():
            rows = list(read(tmp_path))
            steps = [row["steps"] for row in rows]
            if steps != sorted(set(steps)) or sum(row["iterations"] for row in rows) != (steps[-1] if steps else 0):
                faults.append(steps)

    write(tmp_path, [1])
    thread = threading.Thread(target=look)
    thread.start()
    try:
        write(tmp_path, range(2, 3_000), limit=1 << 13)
    finally:
        stop.set()
        thread.join()
    assert faults == []


def test_a_segment_that_is_closed_between_two_looks_is_read(tmp_path, monkeypatch):
    write(tmp_path, range(1, 6))
    look, looked = journal.segments, []

    def closing(directory):
        found = look(directory)
        if not looked:
            looked.append(directory)
            (tmp_path / "metrics.jsonl").rename(tmp_path / "metrics.000001.jsonl")
            (tmp_path / "metrics.jsonl").write_text('{"steps": 6}\n')
        return found

    monkeypatch.setattr(journal, "segments", closing)
    assert [entry["steps"] for entry in read(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_torn_lines_are_passed_over_wherever_they_are(tmp_path):
    write(tmp_path, range(1, 11), limit=1 << 30)
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(file.read_bytes() + b'{"steps": 11, "lo')  # a kill
    write(tmp_path, range(11, 61), limit=1 << 14)
    with (tmp_path / "metrics.jsonl").open("ab") as live:
        live.write(b"\xff\xfe[1]\n[2, 3]\n7\nnull\n" + b'{"steps"')
    assert [entry["steps"] for entry in read(tmp_path)] == list(range(1, 61))
    assert len(segments(tmp_path)) >= 1


class Stubborn:
    """A disk that takes half a line and is full then, once."""

    def __init__(self, file):
        self.file, self.full = file, True

    def write(self, data):
        if self.full:
            self.full = False
            self.file.write(data[:5])
            raise OSError(28, "No space left on device")
        return self.file.write(data[:7])

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_full_disk_is_named_and_leaves_one_torn_line_at_most(tmp_path):
    made = Journal()
    made.open(tmp_path)
    made.write({"steps": 1})
    made._file = Stubborn(made._file)
    with pytest.raises(
        RunDirectoryError, match=r"metrics of run_dir='.*' cannot be written: .*No space left.*; make room"
    ):
        made.write({"steps": 2})
    made.write({"steps": 3})
    made.close()
    assert [entry["steps"] for entry in read(tmp_path)] == [1, 3]


@pytest.mark.parametrize("operation", ["rename", "open"])
def test_a_file_that_cannot_be_closed_and_numbered_is_gone_on_with(operation, tmp_path, monkeypatch):
    made, work, failures = Journal(1 << 16), getattr(Path, operation), []
    made.open(tmp_path)

    def full(self, *arguments, **settings):
        if self.name == "metrics.jsonl" and not failures:
            failures.append(self)
            raise OSError(28, "No space left on device")
        return work(self, *arguments, **settings)

    monkeypatch.setattr(Path, operation, full)
    with pytest.raises(RunDirectoryError, match=r"^metrics of run_dir='[^']*' cannot be written: \[Errno 28\] No"):
        for steps in range(1, 1000):
            made.write({"steps": steps})
    for again in range(steps + 1, steps + 4):
        made.write({"steps": again})
    made.close()
    assert [entry["steps"] for entry in read(tmp_path)] == list(range(1, steps + 4))
    assert len(segments(tmp_path)) == 1


def test_changes_of_a_schedule_do_not_grow_without_bound(tmp_path):
    metrics = Metrics(SMALL)
    metrics.open(tmp_path)
    for steps in range(5_000):
        metrics.append_change(steps, "learning_rate", steps, steps + 1)
        metrics.append(steps, {"iterations": 1})
    metrics.close()
    assert size(tmp_path) <= SMALL
    for record, fewest, most in ((metrics, 2_000, 4_100), (read_metrics(tmp_path), 50, 500)):
        changes = record.changes()
        assert fewest < len(changes) < most
        assert (changes[0]["old"], changes[-1]["new"]) == (0, 5_000)
        assert all(one["new"] == other["old"] for one, other in itertools.pairwise(changes))


# Parts of it.


def kept(directory, low, high):
    """The rows of a part, by a way that reads everything: those inside, and one beyond either end."""
    steps, losses = read_metrics(directory).series("loss")
    inside = [index for index, at in enumerate(steps) if low <= at <= high]
    first, last = (inside[0], inside[-1]) if inside else (len(steps), -1)
    return steps[max(0, first - 1) : last + 2].tolist(), losses[max(0, first - 1) : last + 2].tolist()


@pytest.mark.parametrize(("low", "high"), [(200, 300), (0, 150), (950, 1e18), (995, 996.5), (0, 1e18)])
def test_a_part_holds_its_rows_and_one_beyond_either_end(tmp_path, low, high):
    write(tmp_path, range(1, 1001), limit=1 << 16)
    assert len(names(tmp_path)) > 5
    found = journal.part(tmp_path, low, high)
    assert (found["steps"].tolist(), found["loss"].tolist()) == kept(tmp_path, low, high)


def test_a_part_leaves_out_what_was_taken_back_and_torn(tmp_path):
    made = Journal()
    made.open(tmp_path)
    for steps in (1, 2, 3, 4, 5):
        made.write({"steps": steps, "loss": 1.0})
    made.write({"resumed_at": 3})
    made.write({"change": {"steps": 3, "name": "clip", "old": 1, "new": 2}})
    for steps in (4, 6):
        made.write({"steps": steps, "loss": 2.0, "kl": 0.5})
    made.close()
    with (tmp_path / journal.FILE).open("a") as file:
        file.write('{"kl": 0.25, "steps": 7}\n{"steps": 8, "lo')
    found = journal.part(tmp_path, 3, 7)
    assert found["steps"].tolist() == [2, 3, 4, 6, 7]
    assert [str(each) for each in found["loss"]] == ["1.0", "1.0", "2.0", "2.0", "nan"]
    assert [str(each) for each in found["kl"]] == ["nan", "nan", "0.5", "0.5", "0.25"]


def test_a_part_of_what_does_not_exist_is_empty(tmp_path):
    assert journal.part(tmp_path, 0, 1)["steps"].tolist() == []
