"""Recorded episodes: what they show, of which environments, and when."""

import dataclasses

import gymnasium
import numpy as np
import pytest
import torch
from PIL import Image

import workbench as wb
from tests.sinks.recorder import Recorder
from workbench.errors import InputError
from workbench.events import Progress, Recorded
from workbench.sinks import Video, recording, video
from workbench_kernels.envs import make as kernel

ITERATION = 8 * 16


@pytest.fixture
def build(tmp_path):
    made = []

    def build(env="CartPole-v1", lanes=16, **settings):
        run_dir = tmp_path / f"run{len(made)}"
        made.append(wb.Trainer(env, wb.PPO(horizon=8), lanes=lanes, run_dir=run_dir, **settings))
        return made[-1]

    yield build
    for trainer in made:
        trainer.close()


def frames(path):
    """Return the frames of a GIF, [F, H, W, 3], and the milliseconds between two."""
    with Image.open(path) as image:
        shown = []
        for index in range(image.n_frames):
            image.seek(index)
            shown.append(np.array(image.convert("RGB")))
        return np.stack(shown), image.info["duration"]


class Counts(gymnasium.Env):
    """Paints the number of its step; an episode has 5 steps, each of reward 2."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    observation_space = gymnasium.spaces.Box(0.0, 9.0, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode=None, size=4):
        self.render_mode, self.size, self.count = render_mode, size, 0

    def reset(self, *, seed=None, options=None):
        self.count = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.count += 1
        return np.full(1, self.count, np.float32), 2.0, self.count == 5, False, {}

    def render(self):
        return np.full((self.size, self.size, 3), 40 * self.count, np.uint8)


class Blind(Counts):
    """Has no option for pictures."""

    def __init__(self):
        super().__init__()


def test_an_episode_of_a_native_environment_is_shown_from_its_start_to_its_end(build):
    trainer = build("workbench/Memory-v0")
    recorded = trainer.record()
    path = trainer.run_dir / "videos" / f"{0:015d}.gif"
    assert recorded.written() == path
    length = int(trainer.evaluate(1, seed=trainer._evaluation_seed).lengths[0])
    shown, _ = frames(path)
    assert recorded.seen == length + 1
    assert shown.std() > 0
    played = trainer.evaluate(1, seed=trainer._evaluation_seed)
    assert recorded.episode_return == played.mean


def test_the_pictures_are_those_of_the_environment(build):
    trainer = build()
    shown, delay = frames(trainer.record().written())
    lane = recording._lane(trainer.env)
    lane.reset(seed=trainer._evaluation_seed)
    whole = lane.render()[0]
    expected = video._shrunk(whole, 2)
    assert shown.shape[1:] == expected.shape
    assert np.abs(shown[0].astype(int) - expected).max() <= 8  # of 256 colours
    assert delay in (30, 33)


def test_the_last_picture_is_of_the_end_and_not_of_the_next_beginning(build):
    trainer = build("workbench/RandomWalk-v0")
    recorded = trainer.record()
    lane = recording._lane(trainer.env)
    lane.reset(seed=trainer._evaluation_seed)
    while not lane.terminated[0] and not lane.truncated[0]:
        observation = torch.from_numpy(np.array(lane.observation))
        action, _, _ = trainer.algorithm.act(observation, None, "greedy", None, torch.zeros(1, dtype=torch.bool))
        lane.step(action.numpy())
    end = lane.render()[0]
    lane.reset()
    assert np.abs(lane.render()[0].astype(int) - end).max() > 50
    shown = frames(recorded.written())[0][-1]
    expected = video._shrunk(end, -(-max(end.shape) // video.SIDE))
    assert np.abs(shown.astype(int) - expected).max() <= 8


def test_environments_of_others_are_asked_for_pictures(build):
    trainer = build(Counts, lanes=2)
    recorded = trainer.record()
    shown, delay = frames(recorded.written())
    assert [int(frame[0, 0, 0]) // 40 for frame in shown] == [0, 1, 2, 3, 4]
    assert delay == 100
    assert recorded.episode_return == 10.0


def test_the_options_of_an_environment_are_kept(build):
    from workbench.envs import make

    trainer = build(make(Counts, 2, size=6), lanes=None)
    assert frames(trainer.record().written())[0].shape == (5, 6, 6, 3)


@pytest.mark.parametrize("env", [lambda: Counts(render_mode="rgb_array")])
def test_an_environment_that_no_name_leads_to_may_make_pictures_itself(build, env):
    assert len(frames(build(env, lanes=2).record().written())[0]) == 5


def test_agents_of_one_environment_are_recorded_together(build):
    trainer = build("workbench/SimpleSpread-v0", lanes=2)
    recorded = trainer.record()
    assert len(frames(recorded.written())[0]) > 10
    assert np.isfinite(recorded.episode_return)


def test_what_has_no_pictures_is_refused(build):
    plain = dataclasses.replace(kernel("CartPole-v1"), id="Plain-v0", picture=None)
    with pytest.raises(InputError, match=r"env='Plain-v0' cannot be recorded: .*picture"):
        recording.check_pictures(wb.make(plain, 1))
    with pytest.raises(InputError, match="has no pictures; let what makes it set render_mode='rgb_array'"):
        build(Blind, lanes=2).record()
    with pytest.raises(InputError, match="has no pictures"):
        build(Blind, lanes=2, record_every=100)
    with pytest.raises(InputError, match="draws no pictures here"):
        build(gymnasium.make_vec("CartPole-v1", 2), lanes=None).record()


@pytest.mark.parametrize("every", [0, -1, 2.5, True, "100"])
def test_record_every_is_a_number_of_steps(build, every):
    with pytest.raises(InputError, match=f"record_every={every!r} is no number of steps"):
        build(record_every=every)


def test_an_endless_episode_is_cut_short(build, monkeypatch):
    monkeypatch.setattr(recording, "STEPS", 3)
    recorded = build().record()
    assert recorded.seen == 4
    assert np.isnan(recorded.episode_return)


def test_episodes_are_recorded_at_the_first_row_and_every_so_many_steps(build):
    sink = Recorder()
    trainer, heard = build(sinks=[sink], record_every=3 * ITERATION), []
    trainer.on(Recorded, heard.append)
    trainer.train(7 * ITERATION)
    steps = [ITERATION, 3 * ITERATION, 6 * ITERATION]
    assert [event.steps for event in heard] == steps
    paths = [trainer.run_dir / "videos" / f"{at:015d}.gif" for at in steps]
    assert sink.told("video") == [(at, "episode", path) for at, path in zip(steps, paths, strict=True)]
    assert sorted((trainer.run_dir / "videos").iterdir()) == paths
    assert all(len(frames(path)[0]) > 5 for path in paths)


def test_a_run_that_goes_on_records_at_the_same_steps(build):
    trainer, heard = build(record_every=3 * ITERATION), []
    trainer.train(4 * ITERATION)
    trainer.close()
    loaded = wb.load(trainer.run_dir, record_every=3 * ITERATION)
    loaded.on(Recorded, heard.append)
    loaded.train(3 * ITERATION)
    loaded.close()
    assert [event.steps for event in heard] == [6 * ITERATION]


def test_recording_does_not_change_training(build):
    rows = []
    for every in (None, 2 * ITERATION):
        trainer = build(record_every=every)
        trainer.train(4 * ITERATION)
        rows.append(trainer.metrics.series("value_loss")[1].tolist())
    assert rows[0] == rows[1]


def test_a_callback_records_and_sinks_hear_of_it(build):
    sink = Recorder()
    trainer = build(sinks=[sink])
    end = trainer.on(Progress, lambda event: trainer.record())
    trainer.train(2 * ITERATION)
    end()
    trainer.start(10**9)
    while trainer.steps < 4 * ITERATION:
        asked = trainer.record()
    trainer.stop()
    trainer.wait()
    paths = [path for _, _, path in sink.told("video")]
    assert paths[:2] == [trainer.run_dir / "videos" / f"{ITERATION * k:015d}.gif" for k in (1, 2)]
    assert asked.written() in paths
    assert all(path.exists() for path in paths)


def test_what_is_recorded_while_nothing_trains_is_the_callers_alone(build):
    sink = Recorder()
    trainer = build(sinks=[sink])
    trainer.record()
    trainer.train(ITERATION)
    trainer.record()
    assert sink.told("video") == []
    assert trainer.status == "stopped"


def test_a_long_video_keeps_every_second_frame_and_its_duration(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "FRAMES", 8)
    made = Video(tmp_path / "a.gif", 25.0)
    for count in range(20):
        made.add(np.full((4, 4, 3), 10 * count, np.uint8))
    shown, delay = frames(made.written())
    assert [int(frame[0, 0, 0]) // 10 for frame in shown] == [0, 4, 8, 12, 16]
    assert delay == 160


def test_a_large_frame_is_shrunk_by_means_of_squares():
    frame = np.zeros((7, 9, 3), np.uint8)
    frame[0, :2], frame[2:4, 2:4] = 100, 40
    expected = np.zeros((3, 4, 3), np.uint8)
    expected[0, 0], expected[1, 1] = 50, 40
    np.testing.assert_array_equal(video._shrunk(frame, 2), expected)


def test_a_notebook_shows_the_moving_picture(tmp_path):
    made = Video(tmp_path / "a.gif", 30.0)
    made.add(np.zeros((4, 4, 3), np.uint8))
    assert made._repr_html_().startswith('<img src="data:image/gif;base64,R0lGODlh')
    assert repr(made) == f"Video({str(tmp_path / 'a.gif')!r}, episode_return=nan)"
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
