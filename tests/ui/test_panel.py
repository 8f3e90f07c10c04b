"""The panel over a made-up trainer: messages in, traits out, and nothing left behind."""

import gc
import math
import weakref

import numpy as np
import pytest
from faketrainer import FakeTrainer

from workbench.events import HyperparameterChanged
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
    def broken(steps, target_return, paused):
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
    drawn = ["episode_return", "policy_loss", "value_loss", "entropy", "steps_per_second"]
    assert list(curves) == [*drawn, "seconds", "episodes"]
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
    eventually(lambda: len(panel.outline) == 7, "the curves")
    assert len(panel.curves) <= 7 * 2 * 4 * 1000


# Looking closer, and going back.


def heard(panel, monkeypatch):
    """Collect the messages that a panel sends to its pages."""
    messages = []
    monkeypatch.setattr(panel, "send", lambda content, buffers: messages.append((content, buffers)))
    return messages


def test_a_part_of_the_run_is_sent_in_full_to_the_page_that_asks(panel, trainer, eventually, monkeypatch):
    for _ in range(20_000):
        trainer.row()
    messages = heard(panel, monkeypatch)
    say(panel, "window", low=2048 * 100, high=2048 * 150, serial=1)
    eventually(lambda: messages, "the part")
    content, (curves,) = messages[0]
    assert {name: content[name] for name in ("kind", "view", "low", "high")} == {
        "kind": "window",
        "view": "page",
        "low": 2048.0 * 100,
        "high": 2048.0 * 150,
    }
    assert content["outline"][0] == ("episode_return", 53)
    steps = np.frombuffer(curves, "<f4")[:53]
    np.testing.assert_array_equal(steps, np.arange(99, 152) * 2048)
    eventually(lambda: not panel.publisher.alive, "the publisher to rest")
    assert len(messages) == 1


def test_a_part_that_grows_is_sent_again_until_the_page_sees_the_whole(panel, trainer, eventually, monkeypatch):
    messages = heard(panel, monkeypatch)
    trainer.row()
    say(panel, "window", low=0, high=1e18, serial=1)
    eventually(lambda: messages, "the part")
    trainer.row()
    panel.publisher.wake()
    eventually(lambda: len(messages) == 2, "the part that grew")
    say(panel, "window", serial=2)
    eventually(lambda: panel.state["acknowledged"] == {"page": 2}, "the end")
    trainer.row()
    panel.publisher.wake()
    eventually(lambda: panel.outline[0][1] == 3, "the curves")
    assert len(messages) == 2


def test_changes_are_marked(panel, trainer, eventually):
    change = {"steps": 2048, "name": "clip", "old": 0.2, "new": 0.1}
    trainer.metrics.changed.append(change)
    trainer._emitter.emit(HyperparameterChanged(2048, "clip", 0.2, 0.1))
    eventually(lambda: panel.marks == [change], "the mark")


def test_a_step_begins_with_a_pause(panel, trainer, eventually):
    say(panel, "step")
    eventually(lambda: panel.state["status"] == "paused" and panel.state["steps"] == 2048, "a step")
    say(panel, "step", serial=2)
    eventually(lambda: panel.state["steps"] == 2 * 2048, "another step")


def test_what_is_saved_can_be_gone_back_to(panel, trainer, eventually):
    for _ in range(3):
        trainer.row()
    say(panel, "save")
    eventually(lambda: panel.state["checkpoints"], "the checkpoint")
    saved = {"name": f"{6144:015d}", "steps": 6144, "kept": False, "best": False}
    assert panel.state["checkpoints"] == [saved]
    assert panel.state["notice"] == {"name": None, "text": f"Saved after 6,144 steps: {6144:015d}.", "tone": "good"}
    for _ in range(4):
        trainer.row()
    say(panel, "rewind", to=saved["name"], serial=2)
    eventually(lambda: panel.state["steps"] == 6144, "the way back")
    eventually(lambda: "goes on in" in panel.state["notice"]["text"], "what there is to say")
    assert unpack(panel)["episode_return"][0].tolist() == [2048, 4096, 6144]
    eventually(lambda: panel.left, "what was left")
    left = np.frombuffer(panel.left_curves, "<f4")
    assert panel.left[0] == ["episode_return", 5]
    assert left[:5].tolist() == [2048.0 * k for k in range(3, 8)]


def test_a_checkpoint_that_is_not_there_is_refused(panel, trainer, eventually):
    say(panel, "rewind", to="nowhere")
    eventually(lambda: panel.state["notice"] is not None, "the notice")
    assert panel.state["notice"]["tone"] == "error"
    assert "is no checkpoint" in panel.state["notice"]["text"]


@pytest.mark.parametrize("to", [None, True, 1.5, "a/b", "../x", "/etc"])
def test_a_page_names_checkpoints_of_its_own_run(panel, trainer, eventually, to):
    say(panel, "rewind", to=to)
    eventually(lambda: panel.state["notice"] is not None, "the notice")
    assert "names no checkpoint of this run" in panel.state["notice"]["text"]


def test_progress_waits_for_its_turn_and_all_else_does_not(panel, trainer, eventually, monkeypatch):
    monkeypatch.setattr(panel._pace, "pause", lambda: math.inf)
    say(panel, "start")
    eventually(lambda: panel.state["status"] == "running", "the start")
    panel._publisher.close()  # from here on it is looked only when told
    panel.publish()
    before = panel.state["steps"], len(panel.curves)
    seen = trainer.steps
    eventually(lambda: trainer.steps > seen, "steps")
    assert panel.publish()
    assert (panel.state["steps"], len(panel.curves)) == before
    say(panel, "set", name="clip", value=0.3, serial=2)
    panel.publish()
    assert panel.state["values"]["clip"] == 0.3
    assert panel.state["acknowledged"] == {"page": 2}
    assert panel.state["steps"] > seen


def test_a_page_that_is_looked_at_again_is_told_at_once(panel, trainer, eventually):
    panel._handle_custom_msg({"kind": "cost", "view": "page", "seconds": None}, [])
    trainer.start(10**9)
    eventually(lambda: panel.state["status"] == "running", "the start")
    shown = panel.state["steps"]
    eventually(lambda: trainer.steps > shown + 100_000, "steps")
    assert panel.state["steps"] == shown
    panel._handle_custom_msg({"kind": "cost", "view": "page", "seconds": 0.001}, [])
    eventually(lambda: panel.state["steps"] > shown, "what was missed")
    assert panel.state["acknowledged"] == {}


def test_state_and_curves_are_one_message(panel, trainer, eventually, monkeypatch):
    trainer.start(10**9)
    eventually(lambda: panel.state["steps"] > 0, "steps")
    panel._publisher.close()
    trainer.stop()
    eventually(lambda: trainer.status == "stopped", "the stop")
    sent = []
    monkeypatch.setattr(panel, "send_state", lambda key=None: sent.append(set(key)))
    panel.publish()
    assert len(sent) == 1
    assert sent[0] >= {"state", "curves"}
