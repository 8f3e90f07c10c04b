"""Very many iterations take no more memory, descriptors or files than a few; and nothing drifts."""

import os
from pathlib import Path

import pytest

import workbench as wb
from tests.training import trivial
from tests.training.trivial import LANES
from workbench.events import Progress
from workbench.training import journal, metrics, rows

ITERATIONS = 200_000


def resident():
    """Memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow(minutes=2)
def test_very_many_iterations_leave_memory_descriptors_and_files_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_RATE", 1e9)  # a row an iteration, as if it had gone on for a day
    monkeypatch.setattr(metrics, "MOST_ROWS", 1 << 12)
    monkeypatch.setattr(journal, "SEGMENTS", 8)
    made = trivial.trainer(
        tmp_path / "run",
        checkpoint_seconds=0.2,
        metrics_bytes=1 << 21,
        evaluate_every=LANES * 5_000,
        evaluate_episodes=2,
    )
    made.on(Progress, lambda event: setattr(made.algorithm, "learning_rate", 0.1 + event.steps % 7 / 100))
    seen = []
    for _ in range(8):
        made.train(LANES * ITERATIONS // 8)
        seen.append((resident(), descriptors(), size(made.run_dir), len(made.metrics)))
    memory, files, disk, lengths = zip(*seen, strict=True)
    assert made.steps == LANES * ITERATIONS
    assert made.loop.iterations == ITERATIONS
    assert made.metrics.last("episodes") == LANES * ITERATIONS
    assert made.metrics.series("iterations")[1].sum() == pytest.approx(ITERATIONS, rel=1e-3)
    assert max(memory[3:]) < memory[2] + (4 << 20)
    assert len(set(files)) == 1
    assert max(disk) < (1 << 21) + (1 << 21)  # metrics; and two checkpoints, and the overview with its changes
    assert max(lengths) < 3 * (1 << 12)
    spent = sum(made.loop.spent.values()) * 1e-9
    assert made.seconds < spent
    again = wb.read_metrics(made.run_dir)
    assert again.last("steps") == LANES * ITERATIONS
    assert again.series("iterations")[1].sum() == pytest.approx(ITERATIONS, rel=1e-3)


def test_counters_go_beyond_sixty_four_bits(tmp_path):
    made = trivial.trainer(tmp_path / "run", checkpoint_seconds=3600.0)
    made.train(LANES)
    made.loop.steps = made.loop.episodes = made.loop.iterations = 2**70
    made.loop.nanoseconds = 2**75
    made.train(LANES)
    again = trivial.trainer(tmp_path / "run", resume="auto")
    assert again.steps == 2**70 + LANES
    assert again.loop.iterations == 2**70 + 1
    assert again.loop.nanoseconds > 2**75
    assert again.loop.nanoseconds - 2**75 < 10**12
