"""A sink on its thread: order, bounds, failures, and what is left at the end."""

import threading
from pathlib import Path

import pytest

from tests.sinks.recorder import Recorder
from workbench.sinks import delivery
from workbench.sinks.delivery import CAPACITY, Delivery
from workbench.sinks.sink import Run

RUN = Run(Path("run"), {}, 0)


def deliver(sink, turn=None):
    return Delivery(sink, RUN, turn or threading.Lock())


def test_calls_come_in_order_from_one_other_thread_and_all_of_them_before_the_end():
    sink = Recorder()
    made = deliver(sink)
    for steps in range(500):
        made.scalars(steps, {"x": float(steps)})
    made.offer(lambda sink: sink.video(500, "episode", Path("a.gif")))
    made.end("steps")
    made.join()
    told = [("open", RUN), *(("scalars", steps, {"x": float(steps)}) for steps in range(500))]
    assert sink.calls == [*told, ("video", 500, "episode", Path("a.gif")), ("close", "steps")]
    (thread,) = sink.threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_training_never_waits_for_a_slow_sink_and_the_newest_numbers_arrive_all_the_same():
    sink = Recorder()
    sink.gate.clear()
    made = deliver(sink)
    count = CAPACITY + 50
    for steps in range(count):
        made.scalars(steps, {"x": float(steps), **({"rare": 7.0} if steps == CAPACITY + 10 else {})})
    assert not made.offer(lambda sink: sink.video(0, "episode", Path("a.gif")))
    sink.gate.set()
    made.end("steps")
    made.join()
    rows = sink.told("scalars")
    assert [steps for steps, _ in rows[:CAPACITY]] == list(range(CAPACITY))
    assert rows[-1] == (count - 1, {"x": float(count - 1), "rare": 7.0})
    assert CAPACITY < len(rows) < count
    assert sink.told("video") == []


def test_late_numbers_go_with_the_next_row_that_finds_room():
    sink = Recorder()
    sink.gate.clear()
    made = deliver(sink)
    while made.offer(lambda sink: None):
        pass
    made.scalars(1, {"a": 1.0, "b": 1.0})
    made.scalars(2, {"a": 2.0})
    sink.gate.set()
    drained = threading.Event()
    made._calls.put(lambda sink: drained.set(), timeout=60)
    assert drained.wait(60)
    made.scalars(3, {"a": 3.0})
    made.end("steps")
    made.join()
    assert sink.told("scalars") == [(3, {"a": 3.0, "b": 1.0})]


@pytest.mark.parametrize("where", ["open", "scalars", "close"])
def test_the_first_call_that_fails_is_the_last_and_is_reported_once(where):
    sink = Recorder(fail_at=where)
    made = deliver(sink)
    for steps in range(3):
        made.scalars(steps, {})
    made.end("steps")
    made.join()
    with pytest.warns(RuntimeWarning) as caught:
        made.report()
    made.report()
    (warning,) = caught
    assert str(warning.message) == (
        f"sink Recorder failed and hears no more (RuntimeError: {where} does not work); training goes on, and the run "
        "directory holds all of it."
    )
    names = [call[0] for call in sink.calls]
    assert (
        names
        == {
            "open": ["open"],
            "scalars": ["open", "scalars", "close"],
            "close": ["open", *["scalars"] * 3, "close"],
        }[where]
    )


def test_a_sink_that_failed_takes_what_comes_without_an_end():
    sink = Recorder(fail_at="open")
    made = deliver(sink)
    for steps in range(3 * CAPACITY):
        made.scalars(steps, {})
    made.end("steps")
    made.join()
    assert sink.calls == [("open", RUN)]


@pytest.mark.parametrize("full", [False, True])
def test_a_sink_that_hangs_is_left_behind_and_reported(full, monkeypatch):
    monkeypatch.setattr(delivery, "PATIENCE", 0.01)
    sink = Recorder()
    sink.gate.clear()
    made = deliver(sink)
    if full:
        while made.offer(lambda sink: None):
            pass
    made.end("steps")
    made.join()
    with pytest.warns(RuntimeWarning, match="takes nothing" if full else "has not closed"):
        made.report()
    sink.gate.set()
    if full:
        made.end("steps")
    made._thread.join(60)


class Turn:
    """A lock that tells the sink's calls when it is taken and given back."""

    def __init__(self, calls):
        self.calls, self.lock = calls, threading.Lock()

    def __enter__(self):
        self.lock.acquire()
        self.calls.append(("taken",))

    def __exit__(self, *error):
        self.calls.append(("given back",))
        self.lock.release()


def test_one_delivery_to_a_sink_follows_another():
    sink = Recorder()
    turn = Turn(sink.calls)
    sink.gate.clear()
    first, second = deliver(sink, turn), deliver(sink, turn)
    for made in (second, first):
        made.scalars(1, {})
        made.end("steps")
    sink.gate.set()
    first.join()
    second.join()
    assert [call[0] for call in sink.calls] == ["taken", "open", "scalars", "close", "given back"] * 2
