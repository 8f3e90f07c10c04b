"""Callbacks: what a function may do while it hears an event, and what becomes of its errors."""

import gc
import threading
import traceback
import weakref

import pytest

import workbench as wb
from workbench.errors import InputError
from workbench.events import CheckpointSaved, Emitter, Progress, Started, Stopped

ITERATION = 8 * 16


@pytest.fixture
def build(tmp_path):
    made = []

    def build(**settings):
        made.append(wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=16, run_dir=tmp_path / "run", **settings))
        return made[-1]

    yield build
    for trainer in made:
        trainer.close()


def stopped(trainer):
    heard = []
    trainer.on(Stopped, heard.append)
    return heard


def test_a_callback_hears_its_kind_of_event_on_the_training_thread_until_it_is_taken_back(build):
    trainer, heard, threads = build(), [], set()

    def hear(event):
        heard.append(event)
        threads.add(threading.current_thread())

    end = trainer.on(Progress, hear)
    trainer.on(Started, hear)
    trainer.start(2 * ITERATION)
    (thread,) = {trainer._thread}
    trainer.wait()
    assert isinstance(heard[0], Started)
    assert {type(event) for event in heard[1:]} == {Progress}
    assert heard[-1].steps == 2 * ITERATION
    assert threads == {thread}
    end()
    count = len(heard)
    trainer.train(ITERATION)
    assert [type(event) for event in heard[count:]] == [Started]


def test_what_is_no_event_is_refused(build):
    with pytest.raises(InputError, match=r"kind=.* is no event; choose one of workbench.events: Started, Progress"):
        build().on(print, Progress)


def test_a_callback_stops_training(build):
    trainer = build()
    reasons = stopped(trainer)
    trainer.on(Progress, lambda event: trainer.stop())
    trainer.train(10**9)
    assert (trainer.steps, trainer.status) == (ITERATION, "stopped")
    assert [event.reason for event in reasons] == ["stopped"]


def test_a_callback_sets_live_hyperparameters(build):
    trainer = build()
    trainer.on(Progress, lambda event: setattr(trainer.algorithm, "learning_rate", 1e-5 * event.steps))
    trainer.train(3 * ITERATION)
    changes = [(change["steps"], change["new"]) for change in trainer.metrics.changes()]
    assert changes == [(n * ITERATION, 1e-5 * n * ITERATION) for n in (1, 2, 3)]


def test_a_callback_saves_and_evaluates_between_two_iterations(build, tmp_path):
    trainer, found = build(), []

    def look(event):
        found.append(trainer.evaluate(episodes=3).returns.tolist())
        trainer.save(tmp_path / f"at{event.steps}")

    trainer.on(Progress, look)
    trainer.train(2 * ITERATION)
    assert len(found) == 2
    loaded = wb.load(tmp_path / f"at{ITERATION}")
    try:
        assert loaded.steps == ITERATION
        assert loaded.evaluate(episodes=3).returns.tolist() == found[0]
    finally:
        loaded.close()


def fails(event):
    raise KeyError("my own mistake")


def test_a_callback_that_raises_at_the_last_row_fails_the_run_too(build):
    trainer = build()
    trainer.on(Progress, fails)
    reasons = stopped(trainer)
    with pytest.raises(KeyError, match="my own mistake"):
        trainer.train(ITERATION)
    assert (trainer.steps, trainer.status) == (ITERATION, "failed")
    assert [event.reason for event in reasons] == ["failed"]


@pytest.mark.parametrize("run", ["train", "start"])
def test_a_callback_that_raises_ends_training_with_its_own_traceback_and_everything_saved(build, run):
    trainer, heard = build(), []
    trainer.on(Progress, fails)
    trainer.on(Progress, heard.append)
    saved = []
    trainer.on(CheckpointSaved, saved.append)
    reasons = stopped(trainer)
    with pytest.raises(KeyError, match="my own mistake") as caught:
        trainer.train(10**9) if run == "train" else (trainer.start(10**9), trainer.wait())
    assert "fails" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert (trainer.steps, trainer.status) == (ITERATION, "failed")
    assert [event.steps for event in heard] == [ITERATION]  # those that come after it hear what it heard
    assert [event.steps for event in saved] == [0, ITERATION]
    assert [event.reason for event in reasons] == ["failed"]
    loaded = wb.load(trainer.run_dir)
    assert loaded.steps == ITERATION
    loaded.close()


def test_a_callback_that_raises_at_the_end_is_heard_too(build):
    trainer = build()
    trainer.on(Stopped, fails)
    with pytest.raises(KeyError, match="my own mistake"):
        trainer.train(ITERATION)
    assert trainer.status == "failed"


def test_training_goes_on_after_a_callback_failed(build):
    trainer = build()
    end = trainer.on(Progress, fails)
    with pytest.raises(KeyError):
        trainer.train(3 * ITERATION)
    end()
    trainer.train(ITERATION)
    assert (trainer.steps, trainer.status) == (2 * ITERATION, "stopped")


def test_without_anybody_told_the_first_error_is_raised_once_all_have_heard():
    emitter, heard = Emitter(), []
    emitter.subscribe(fails)
    emitter.subscribe(heard.append)
    with pytest.raises(KeyError):
        emitter.emit(Stopped(1, "steps"))
    assert heard == [Stopped(1, "steps")]


def test_what_ends_a_subscription_keeps_nobody_alive():
    emitter = Emitter()
    end = emitter.subscribe(lambda event: None)
    reference = weakref.ref(emitter)
    del emitter
    gc.collect()
    assert reference() is None
    end()
