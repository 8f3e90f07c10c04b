"""The long run, in small: what it looks at is there, and it goes on from its checkpoint."""

import json
import sys

import pytest

from benchmarks import billion


def test_a_run_is_watched_read_back_and_gone_on_with(monkeypatch, tmp_path, capsys):
    output = tmp_path / "record.json"
    arguments = ["--steps", "3e5", "--lanes", "64", "--interval", "0.01", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["billion.py", *arguments])
    billion.main()
    record = json.loads(output.read_text())
    assert record == json.loads(capsys.readouterr().out)
    iteration = 64 * 32
    assert record["steps"] == 300_000 // iteration * iteration + iteration
    assert record["metrics"]["complete"]
    assert record["metrics"]["iterations"] == record["steps"] // iteration
    resumed = record["resumed"]
    assert (resumed["from"], resumed["to"]) == (record["steps"], record["steps"] + billion.MORE * iteration)
    assert resumed["iterations"] == billion.MORE
    assert resumed["finite"]
    last = record["seen"][-1]
    assert 0 <= last["steps"] <= record["steps"]
    assert last["resident_bytes"] > 10**8
    assert last["files"] >= 1
    assert last["bytes"] > 100
    assert last["descriptors"] > 2


def test_growth_is_that_of_the_second_half():
    seen = [{"steps": s, "bytes": b} for s, b in ((0, 1), (4, 50), (5, 100), (7, 400), (10, 150))]
    assert billion.growth(seen, "bytes") == pytest.approx(0.5)
