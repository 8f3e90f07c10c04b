"""The scene over real trainers: frames in answer to a page, nothing without one, and training none the wiser."""

import gc
import threading
import weakref

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.errors import InputError
from workbench.ui.scene import director as directing
from workbench.ui.scene import projector as projecting
from workbench.ui.scene.widget import Scene

SMALL = {"horizon": 8, "minibatches": 2, "epochs": 1}
LANES = 4


class Page:
    """Answers for a page: takes frames, and says what it wants."""

    def __init__(self, scene):
        self.scene, self.frames = scene, []
        self._came = threading.Condition()
        scene.projector.say = self._take

    def _take(self, header, buffers):
        with self._came:
            self.frames.append((header, buffers))
            self._came.notify_all()

    def say(self, kind, **content):
        self.scene._handle_custom_msg({"kind": kind, **content}, [])

    def more(self, **content):
        self.say("more", frame=self.frames[-1][0]["number"] if self.frames else -1, **content)

    def after(self, count):
        """Wait until more than `count` frames have come, and return the newest."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.frames) > count, 60), "waited a minute for a frame"
            return self.frames[-1]

    def next(self, **content):
        """Ask for one more frame, and return it."""
        count = len(self.frames)
        self.more(**content)
        return self.after(count)

    def ask(self, kind, **content):
        """Ask for something, and return the next frame."""
        count = len(self.frames)
        self.say(kind, **content)
        self.more()
        return self.after(count)

    def until(self, condition):
        """Answer frames until one's header is as wished, and return it."""
        frame = self.next(hello=True)
        while not condition(frame[0]):
            frame = self.next(hello=True)
        return frame


def array(buffer, dtype, columns):
    return np.frombuffer(buffer, dtype).reshape(-1, columns)


@pytest.fixture
def build(tmp_path):
    made = []

    def built(env="CartPole-v1", lanes=LANES, watched=LANES, algorithm=None, **options):
        number = len(made)
        algorithm = wb.PPO(**SMALL) if algorithm is None else algorithm
        trainer = wb.Trainer(env, algorithm, seed=3, lanes=lanes, run_dir=tmp_path / str(number), **options)
        scene = Scene(trainer, watched)
        made.append((trainer, scene))
        return trainer, scene, Page(scene)

    yield built
    for trainer, scene in made:
        scene.close()
        trainer.close()


def test_a_frame_holds_what_the_lanes_hold(build):
    trainer, _, page = build("MinAtar/Breakout-v1", lanes=6)
    trainer.train(6 * 8 * 3)
    header, buffers = page.next(hello=True)
    held = trainer.env.buffers
    assert header["mode"] == "training"
    assert header["lanes"] == LANES
    assert (array(buffers[0], "<i4", LANES) == held.state[:, :LANES]).all()
    assert (array(buffers[1], "<f4", LANES) == held.observation[:, :LANES]).all()
    total, length, reward, value, _ = array(buffers[2], "<f4", LANES)
    episodes = trainer.loop.learner.episodes
    assert (total == episodes.running_return[:LANES]).all()
    assert (length == episodes.running_length[:LANES]).all()
    assert (reward == held.reward[:LANES]).all()
    page.say("select", lane=2)
    _, buffers = page.next()
    with torch.no_grad():
        policy, values, _ = trainer.algorithm.model(torch.from_numpy(held.observation.T.copy()))
    assert value == pytest.approx(values[:LANES].numpy())
    assert np.frombuffer(buffers[3], "<f4")[:3] == pytest.approx(policy.log_probs.exp()[2].numpy())


@pytest.mark.parametrize("algorithm", [wb.PPO(**SMALL), wb.SAC()], ids=["PPO", "SAC"])
def test_numbers_come_with_their_spread(build, algorithm):
    trainer, _, page = build("Pendulum-v1", algorithm=algorithm)
    header, buffers = page.next(hello=True)
    assert (header["numbers"], header["parts"], header["notice"]) == (2, 1, None)
    close = np.frombuffer(buffers[3], "<f4")
    found = trainer.algorithm.outlook(torch.from_numpy(trainer.env.observation)).numbers()
    assert close[:2] == pytest.approx(found[0].numpy())
    assert close[1] > 0
    assert np.isnan(close[2:]).all()


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_training_is_the_same_whether_it_is_watched_or_not(build, backend):
    plain, _, _ = build(backend=backend)
    watched, _, page = build(backend=backend)
    steps = LANES * 8 * 120
    plain.train(steps)
    page.next(hello=True)
    watched.start(steps)
    for _ in range(3):
        page.next()
    page.ask("mode", mode="play")
    page.ask("policy", policy="sample")
    while watched.status == "running":
        page.next(hello=True)
    watched.wait()
    assert watched.steps == plain.steps
    for one, other in zip(plain.algorithm.model.parameters(), watched.algorithm.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (plain.env.buffers.state == watched.env.buffers.state).all()


def test_a_page_that_never_answers_gets_one_frame(build, monkeypatch, eventually):
    read = []
    seen = directing.moment_in_training
    monkeypatch.setattr(directing, "moment_in_training", lambda *given: read.append(1) or seen(*given))
    trainer, scene, page = build()
    trainer.train(LANES * 8 * 20)
    assert (page.frames, read) == ([], [])  # nobody looks
    page.more(hello=True)
    page.after(0)
    trainer.train(LANES * 8 * 200)
    page.say("more", frame=page.frames[-1][0]["number"] + 1)  # not the last one
    eventually(lambda: not scene.publisher.alive, "the thread's end")
    assert len(page.frames) == 1
    assert len(read) == 1
    assert page.next()[0]["steps"] == trainer.steps


def test_slow_frames_of_training_are_answered_now_and_then_and_those_of_play_one_by_one(build, monkeypatch, eventually):
    monkeypatch.setattr(projecting, "SLOW", 0.0)
    trainer, scene, page = build()
    trainer.start(10**9)
    page.more(hello=True)
    page.after(projecting.AHEAD - 1)
    seen = trainer.steps
    eventually(lambda: trainer.steps > seen + 1000 * LANES and not scene.projector.wanted, "steps")
    answers = [header["answer"] for header, _ in page.frames]
    assert answers == [False] * (projecting.AHEAD - 1) + [True]
    trainer.pause()
    eventually(lambda: trainer.status == "paused", "the pause")
    assert page.next(hello=True)[0]["answer"] is False  # more may come, but the person asks for something else
    page.say("play")
    eventually(lambda: page.frames[-1][0]["mode"] == "play", "a frame of play")
    assert [header["answer"] for header, _ in page.frames if header["mode"] == "play"] == [True]
    assert not scene.projector.wanted


def test_lanes_at_play_stand_still_unless_a_page_wants_to_see_them(build, eventually):
    _, scene, page = build()
    page.next(hello=True)
    page.ask("play")
    page.until(lambda header: header.get("kept", 0) > 3)
    kept = len(scene.projector.director.player.moments)
    eventually(lambda: not scene.publisher.alive, "the thread's end")
    assert len(scene.projector.director.player.moments) == kept
    assert page.until(lambda header: header["kept"] > kept)


def test_what_plays_is_the_last_policy_though_nothing_moves_any_more(build):
    trainer, scene, page = build()
    page.next(hello=True)
    page.ask("play")
    page.until(lambda header: header.get("kept", 0) > 1)
    page.ask("pause")
    trainer.train(LANES * 8 * 3)
    count = len(page.frames)
    page.more()
    while page.frames[-1][0]["weights"] != trainer.steps:
        page.after(count)
        count = len(page.frames)
        page.more()
    shown = np.frombuffer(page.frames[-1][1][3], "<f4")[:2]
    row = torch.from_numpy(scene.projector.director.player.env.observation)[:1]
    assert shown == pytest.approx(trainer.algorithm.outlook(row).numbers()[0].numpy(), rel=1e-5)


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        ({"kind": "look", "place": "x"}, "place='x' is no place"),
        ({"kind": "key", "key": "q"}, "key='q' takes no action; press one of: 'ArrowLeft', 'ArrowRight'."),
        ({"kind": "pace", "pace": 0}, "pace=0 is none"),
        ({"kind": "restart", "seed": "-1"}, "seed='-1' is not a seed"),
        ({"kind": "restart", "seed": str(2**64)}, "is not a seed"),
        ({"kind": "mode", "mode": "film"}, "mode='film' is unknown; choose 'training' or 'play'."),
        ({"kind": "lanes", "lanes": 65}, "lanes=65 cannot be shown"),
        ({"kind": "dance"}, "message kind='dance' is unknown"),
    ],
)
def test_a_malformed_message_is_explained(build, message, notice):
    _, _, page = build()
    page.next(hello=True)
    assert notice in page.ask(**message)[0]["notice"]
    assert page.ask("dismiss")[0]["notice"] is None


def test_what_a_cell_asks_for_is_checked_before_anything_is_done(build):
    _, scene, page = build()
    page.next(hello=True)
    with pytest.raises(InputError, match="policy='best' is unknown"):
        scene.play(pace=5, policy="best")
    scene.play(pace=5, seed=7)
    header, _ = page.until(lambda header: header["mode"] == "play" and header["lanes"] > 0)
    assert (header["pace"], header["seed"], header["playing"]) == (5.0, "7", True)
    scene.pause()
    page.until(lambda header: not header["playing"])
    scene.step()
    scene.training()
    page.until(lambda header: header["mode"] == "training")


def test_a_failing_environment_stops_the_play_and_is_named(build, monkeypatch):
    _, scene, page = build()
    page.next(hello=True)
    page.ask("play")
    page.until(lambda header: header.get("kept", 0) > 1)
    monkeypatch.setattr(scene.projector.director.player.env, "step", lambda _: 1 / 0)
    header, _ = page.until(lambda header: header["notice"])
    assert header["notice"].startswith("ZeroDivisionError: division by zero")
    assert header["playing"] is False


def test_a_trainer_is_not_kept_alive_and_the_page_is_told(tmp_path, eventually):
    trainer = wb.Trainer("CartPole-v1", wb.PPO(**SMALL), lanes=4, run_dir=tmp_path)
    scene = Scene(trainer, 2)
    page = Page(scene)
    page.next(hello=True)
    page.ask("play")
    page.until(lambda header: header.get("kept", 0) > 1)
    page.ask("pause")
    reference = weakref.ref(trainer)
    trainer.close()
    del trainer
    gc.collect()
    eventually(lambda: reference() is None, "the trainer's end")
    page.say("step")
    eventually(lambda: page.frames[-1][0]["status"] == "gone", "the last frame")
    eventually(lambda: not scene.publisher.alive, "the thread's end")
    scene.close()


def test_closing_leaves_no_thread(build, eventually):
    trainer, scene, page = build()
    trainer.start(10**9)
    page.next(hello=True)
    assert scene.publisher.alive
    scene.close()
    eventually(lambda: not scene.publisher.alive, "the thread's end")
    count = len(page.frames)
    page.more(hello=True)
    assert not scene.publisher.alive
    assert len(page.frames) == count


def test_what_training_leaves_undone_is_asked_again(build, monkeypatch):
    trainer, scene, page = build()
    director = scene.projector.director
    trainer.loop.control.ask(lambda: None)  # as if training had ended just before it saw a request
    monkeypatch.setattr(trainer, "glance", lambda _: trainer.loop.control.ask(lambda: 1 / 0))
    director._glance.ask(trainer, lambda: None)
    monkeypatch.undo()
    header, _ = page.next(hello=True)
    assert header["steps"] == 0
    assert not director._glance.pending


def test_what_fails_at_a_glance_is_told_to_who_asked(build):
    trainer, scene, page = build()
    with pytest.raises(ZeroDivisionError):
        trainer.glance(lambda: 1 / 0).result()
    scene.projector.director._glance.ask(trainer, lambda: 1 / 0)
    assert page.next(hello=True)[0]["notice"].startswith("ZeroDivisionError")
    page.until(lambda header: header["lanes"] == LANES)


def test_training_begins_while_somebody_looks(build):
    trainer, _, _ = build()
    looking, go_on = threading.Event(), threading.Event()

    def look():
        looking.set()
        assert go_on.wait(60)

    thread = threading.Thread(target=lambda: trainer.glance(look))
    thread.start()
    assert looking.wait(60)
    threading.Timer(0.05, go_on.set).start()
    trainer.train(LANES * 8)
    thread.join()
    assert trainer.steps == LANES * 8


def test_more_lanes_are_shown_on_request(build):
    _, scene, page = build(lanes=16)
    assert page.next(hello=True)[0]["lanes"] == LANES
    page.ask("lanes", lanes=16)
    page.until(lambda header: header["lanes"] == 16)
    page.ask("lanes", lanes=64)
    assert scene.lanes == 64
    page.until(lambda header: header["lanes"] == 16)  # training has no more
    page.ask("mode", mode="play")
    page.until(lambda header: header["lanes"] == 64)


def test_lanes_of_others_are_filmed_at_play(build):
    trainer, _, page = build("MountainCar-v0", backend="serial")
    header, buffers = page.next(hello=True)
    assert header["lanes"] == LANES
    assert (buffers[0], buffers[5]) == (b"", b"")
    assert array(buffers[1], "<f4", 1)[:, 0] == pytest.approx(trainer.env.observation[0])
    page.ask("play")
    header, buffers = page.until(lambda header: header.get("kept", 0) > 2)
    assert header["lanes"] == 1
    assert header["branches"] is False
    assert buffers[5].startswith(b"\xff\xd8\xff")
    page.ask("look", place=0)
    page.until(lambda header: header["place"] == 0 and not header["playing"])
    assert "cannot be put back to an earlier step" in page.ask("branch")[0]["notice"]


def test_frames_of_training_leave_it_its_cores_but_a_person_is_answered(build, monkeypatch, eventually):
    trainer, scene, page = build()
    told = []
    monkeypatch.setattr(scene.projector._pace, "hear", lambda view, cost: told.append(cost))
    monkeypatch.setattr(scene.projector._pace, "pause", lambda: 1e9)
    trainer.start(10**9)
    page.until(lambda header: header["status"] == "running" and header["lanes"] == LANES)
    shown, seen = len(page.frames), trainer.steps
    page.more(cost=0.01)
    eventually(lambda: 0.01 in told and trainer.steps > seen + 1000 * LANES, "steps")
    assert len(page.frames) == shown
    assert page.ask("select", lane=1)[0]["lane"] == 1
    trainer.pause()
    eventually(lambda: trainer.status == "paused", "the pause")
    assert page.until(lambda header: header["status"] == "paused" and header["steps"] == trainer.steps)
