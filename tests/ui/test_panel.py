"""The panel over a made-up trainer: messages in, traits out, and nothing left behind."""

import gc
import weakref

import numpy as np
import pytest
from faketrainer import FakeTrainer

from workbench.ui.commands import STEPS_WITHOUT_GOAL
from workbench.ui.panel import Panel


def say(panel, kind, **content):
    """Deliver a message of the page, as the comm does."""
    panel._handle_custom_msg({"kind": kind, "view": "page", "serial": content.pop("serial", 1), **content}, [])


def unpack(panel):
    numbers = np.frombuffer(panel.curves, "<f4")
    curves, start = {}, 0
    for name, count in panel.outline:
        curves[name] = numbers[start : start + count], numbers[start + count : start + 2 * count]
        start += 2 * count
    assert start == len(numbers)
    return curves


def test_a_new_trainer_is_described(panel):
    assert panel.state["environment"] == "CartPole-v1"
    assert panel.state["algorithm"] == "PPO"
    assert panel.state["status"] == "new"
    assert panel.state["episode_return"] is None
    assert panel.state["values"]["learning_rate"] == 3e-3


def test_only_live_hyperparameters_are_offered(panel):
    offered = {each["name"]: each for each in panel.settings}
    assert "horizon" not in offered
    assert offered["learning_rate"] == {
        "name": "learning_rate",
        "kind": "float",
        "low": 1e-6,
        "high": 1e-1,
        "default": 3e-3,
        "log": True,
        "choices": None,
        "help": "of Adam, per update",
    }
    assert offered["advantage"]["choices"] == ["gae", "vtrace"]


def test_start_pause_resume_stop(panel, trainer, eventually):
    say(panel, "start")
    eventually(lambda: panel.state["status"] == "running" and panel.state["steps"] > 0, "steps")
    assert trainer.goal == STEPS_WITHOUT_GOAL
    say(panel, "pause", serial=2)
    eventually(lambda: panel.state["status"] == "paused", "the pause")
    say(panel, "resume", serial=3)
    eventually(lambda: panel.state["status"] == "running", "the resumption")
    say(panel, "stop", serial=4)
    eventually(lambda: panel.state["status"] == "stopped", "the stop")
    assert panel.state["acknowledged"] == {"page": 4}
    assert panel.state["steps"] == trainer.steps


def test_start_goes_on_to_the_goal(panel, trainer, eventually):
    trainer.start(10**9)
    eventually(lambda: trainer.steps > 0, "steps")
    trainer.stop()
    eventually(lambda: trainer.status == "stopped", "the stop")
    say(panel, "start")
    eventually(lambda: panel.state["status"] == "running", "the start")
    assert trainer.goal == 10**9


@pytest.mark.parametrize(("target", "kept"), [(1e9, 1e9), (0.0, None), (None, None)])
def test_start_keeps_a_target_that_is_not_reached(panel, trainer, eventually, target, kept):
    trainer.start(10**9, target)
    eventually(lambda: trainer.steps > 0, "steps")
    trainer.stop()
    eventually(lambda: trainer.status == "stopped", "the stop")
    say(panel, "start")
    eventually(lambda: panel.state["status"] == "running", "the start")
    assert trainer.target_return == kept


@pytest.mark.parametrize("kind", ["pause", "resume", "stop"])
def test_a_late_command_is_harmless(panel, trainer, eventually, kind):
    say(panel, kind)
    eventually(lambda: panel.state["acknowledged"] == {"page": 1}, "the acknowledgement")
    assert trainer.status == "new"
    assert panel.state["notice"] is None


def test_a_second_start_is_harmless(panel, trainer, eventually):
    trainer.start(10**9)
    say(panel, "start")
    eventually(lambda: panel.state["acknowledged"] == {"page": 1}, "the acknowledgement")
    assert panel.state["notice"] is None


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        ("learning_rate", 0.01, 0.01),
        ("learning_rate", "2e-4", 2e-4),
        ("epochs", 7, 7),
        ("epochs", "7", 7),
        ("anneal", True, True),
        ("advantage", "vtrace", "vtrace"),
    ],
)
def test_a_slider_sets_the_hyperparameter(panel, trainer, eventually, name, sent, expected):
    say(panel, "set", name=name, value=sent)
    assert getattr(trainer.algorithm, name) == expected
    eventually(lambda: panel.state["values"][name] == expected, "the new value")


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        ("learning_rate", 7.0, "PPO.learning_rate=7.0 is out of range; choose a value from 1e-06 to 0.1."),
        ("learning_rate", "fast", "PPO.learning_rate='fast' is not of type float; pass a float."),
        ("horizon", 64, "PPO.horizon is not live"),
        ("advantage", "mc", "PPO.advantage='mc' is not accepted"),
    ],
)
def test_a_bad_value_is_refused_with_a_message(panel, trainer, eventually, name, sent, message):
    before = getattr(trainer.algorithm, name)
    say(panel, "set", name=name, value=sent)
    eventually(lambda: panel.state["notice"] is not None, "the refusal")
    assert panel.state["notice"]["name"] == name
    assert message in panel.state["notice"]["text"]
    assert getattr(trainer.algorithm, name) == before
    say(panel, "dismiss", serial=2)
    eventually(lambda: panel.state["notice"] is None, "the dismissal")


def test_an_unknown_message_is_refused(panel, eventually):
    say(panel, "explode")
    eventually(lambda: panel.state["notice"] is not None, "the refusal")
    assert "kind='explode' is unknown" in panel.state["notice"]["text"]


def test_a_fault_of_the_trainer_reaches_the_page(panel, trainer, eventually, monkeypatch, caplog):
    def broken(steps, target_return):
        raise OSError("disk full")

    monkeypatch.setattr(trainer, "start", broken)
    say(panel, "start")
    eventually(lambda: panel.state["notice"] is not None, "the notice")
    assert panel.state["notice"]["text"] == "OSError: disk full"
    assert "start failed" in caplog.text


def test_a_failed_run_shows_its_error(eventually):
    trainer = FakeTrainer(fail_after=4096)
    panel = Panel(trainer)
    trainer.start(10**6)
    eventually(lambda: panel.state["status"] == "failed", "the failure")
    assert panel.state["error"] == "RuntimeError: observation of lane 3 is NaN at step 17"
    panel.close()


def test_a_change_in_python_reaches_the_page(panel, trainer, eventually):
    eventually(lambda: not panel.publisher.alive, "the publisher to rest")
    panel.glance()
    assert not panel.publisher.alive
    trainer.algorithm.learning_rate = 0.05
    panel.glance()
    eventually(lambda: panel.state["values"]["learning_rate"] == 0.05, "the new value")


def test_curves_follow_the_training(panel, trainer, eventually):
    trainer.start(40 * 2048)
    eventually(lambda: panel.state["status"] == "stopped" and panel.outline[0][1:] == [40], "all rows")
    curves = unpack(panel)
    assert list(curves) == ["episode_return", "steps_per_second", "policy_loss", "value_loss", "entropy"]
    steps, values = trainer.metrics.series("episode_return")
    np.testing.assert_array_equal(curves["episode_return"][0], steps.astype("f4"))
    np.testing.assert_array_equal(curves["episode_return"][1], values.astype("f4"))


def test_the_thread_ends_when_nothing_happens_and_comes_back(panel, trainer, eventually):
    eventually(lambda: not panel.publisher.alive, "the publisher to rest")
    trainer.start(5 * 2048)
    eventually(lambda: panel.state["steps"] == 5 * 2048, "the last step")
    eventually(lambda: not panel.publisher.alive, "the publisher to rest again")


def test_a_closed_panel_leaves_no_thread(trainer, eventually):
    panel = Panel(trainer)
    trainer.start(10**9)
    eventually(lambda: panel.state["steps"] > 0, "steps")
    panel.close()
    eventually(lambda: not panel.publisher.alive, "the publisher to end")
    trainer.pause()
    trainer.stop()
    assert not panel.publisher.alive


def test_a_panel_keeps_no_trainer_alive(eventually):
    trainer = FakeTrainer()
    panel = Panel(trainer)
    reference = weakref.ref(trainer)
    eventually(lambda: not panel.publisher.alive, "the publisher to rest")
    del trainer
    gc.collect()
    assert reference() is None
    panel.glance()
    eventually(lambda: panel.state["status"] == "gone", "the farewell")
    say(panel, "start")
    panel.close()


def test_a_closed_panel_is_collected(trainer, eventually):
    panel = Panel(trainer)
    publisher, reference = panel.publisher, weakref.ref(panel)
    panel.close()
    eventually(lambda: not publisher.alive, "the publisher to end")
    del panel
    gc.collect()
    assert reference() is None


def test_traffic_stays_small(panel, trainer, eventually):
    for _ in range(20_000):
        trainer.row()
    panel.publisher.wake()
    eventually(lambda: len(panel.outline) == 5, "the curves")
    assert len(panel.curves) <= 5 * 2 * 4 * 1000
