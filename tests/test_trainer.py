"""The trainer: what it does, what it refuses, and what it leaves behind."""

import gc
import threading

import numpy as np
import pytest

import workbench as wb
from tests.training.comparing import untimed
from workbench.envs import make
from workbench.errors import (
    AlreadyRunningError,
    EnvironmentFaultError,
    InputError,
    NumericsError,
    RunDirectoryError,
    UnknownNameError,
)
from workbench.events import CheckpointSaved, HyperparameterChanged, Progress, Started, Stopped
from workbench_kernels.envs import make as kernel

ITERATION = 8 * 16


@pytest.fixture
def build(tmp_path):
    made = []

    def build(env="CartPole-v1", algorithm=None, lanes=16, **settings):
        algorithm = wb.PPO(horizon=8) if algorithm is None else algorithm
        settings.setdefault("run_dir", tmp_path / f"run{len(made)}")
        made.append(wb.Trainer(env, algorithm, lanes=lanes, **settings))
        return made[-1]

    yield build
    for trainer in made:
        trainer.close()
    gc.collect()  # those that a test loaded and let go of
    assert [thread for thread in threading.enumerate() if thread.name.startswith("workbench")] == []


class Gate:
    """Holds the training thread at its next iteration until it is opened."""

    def __init__(self, trainer):
        self.reached, self.opened = threading.Event(), threading.Event()
        trainer.subscribe(self)

    def __call__(self, event):
        if isinstance(event, Progress) and not self.opened.is_set():
            self.reached.set()
            assert self.opened.wait(60)


def test_training_counts_steps_and_tells_what_happens(build):
    trainer, events = build(checkpoint_seconds=3600.0), []
    assert trainer.status == "new"
    trainer.subscribe(events.append)
    trainer.train(3 * ITERATION - 5)
    assert trainer.status == "stopped"
    assert trainer.steps == trainer.goal + 5 == 3 * ITERATION
    assert trainer.seconds > 0
    assert [type(event) for event in events] == [
        Started, CheckpointSaved, Progress, Progress, Progress, CheckpointSaved, Stopped,
    ]  # fmt: skip
    assert events[-1].reason == "steps"
    frame = trainer.metrics.to_pandas()
    assert frame["steps"].tolist() == [ITERATION, 2 * ITERATION, 3 * ITERATION]
    assert {"episode_return", "steps_per_second", "policy_loss", "value_loss", "entropy", "kl"} <= set(frame.columns)
    assert wb.read_metrics(trainer.run_dir).to_pandas().equals(frame)


def test_start_returns_at_once_and_a_second_start_is_refused(build):
    trainer = build()
    gate = Gate(trainer)
    trainer.start(10**9)
    assert gate.reached.wait(60)
    assert trainer.status == "running"
    for again in (trainer.start, trainer.train):
        with pytest.raises(AlreadyRunningError, match=r"is already running; call stop\(\) or wait\(\) first"):
            again(10)
    trainer.stop()
    gate.opened.set()
    trainer.wait(60)
    assert trainer.status == "stopped"
    assert trainer.steps == ITERATION


def test_pause_holds_and_resume_goes_on(build):
    trainer = build()
    gate = Gate(trainer)
    trainer.start(10**9)
    assert gate.reached.wait(60)
    trainer.pause()
    gate.opened.set()
    assert trainer.evaluate(3).returns.shape == (3,)  # answered on the training thread, while it waits
    assert trainer.status == "paused"
    assert trainer.steps == ITERATION
    gate.opened.clear()
    gate.reached.clear()
    trainer.resume()
    assert gate.reached.wait(60)
    assert trainer.status == "running"
    trainer.pause()
    trainer.stop()  # ends a paused run as well
    gate.opened.set()
    trainer.wait(60)
    assert trainer.steps == 2 * ITERATION


def test_wait_gives_up_after_its_timeout(build):
    trainer = build()
    gate = Gate(trainer)
    trainer.start(10**9)
    with pytest.raises(TimeoutError, match=r"timeout=0\.01 s"):
        trainer.wait(0.01)
    trainer.stop()
    gate.opened.set()
    trainer.wait(60)


def test_a_live_hyperparameter_changes_while_it_runs_and_is_recorded(build):
    trainer, changes = build(), []
    trainer.subscribe(lambda event: changes.append(event) if isinstance(event, HyperparameterChanged) else None)
    gate = Gate(trainer)
    trainer.start(2 * ITERATION)
    assert gate.reached.wait(60)
    trainer.algorithm.learning_rate = 1e-5
    with pytest.raises(InputError, match=r"PPO\.learning_rate=5 is out of range; choose a value from 1e-06 to 0\.1"):
        trainer.algorithm.learning_rate = 5
    with pytest.raises(InputError, match=r"PPO\.horizon=4 cannot change once training has begun"):
        trainer.algorithm.horizon = 4
    gate.opened.set()
    trainer.wait(60)
    assert trainer.metrics.series("learning_rate")[1].tolist() == [wb.PPO().learning_rate, 1e-5]
    assert trainer.algorithm.optimiser.param_groups[0]["lr"] == 1e-5
    assert changes == [HyperparameterChanged(ITERATION, "learning_rate", wb.PPO().learning_rate, 1e-5)]


def test_evaluation_plays_complete_episodes_and_repeats_itself(build):
    trainer = build()
    result = trainer.evaluate(episodes=7)
    assert result.returns.shape == result.lengths.shape == (7,)
    np.testing.assert_array_equal(result.returns, result.lengths)  # CartPole pays 1 a step
    assert result.mean == pytest.approx(result.returns.mean())
    assert result.std == pytest.approx(result.returns.std())
    np.testing.assert_array_equal(result.returns, trainer.evaluate(episodes=7).returns)
    assert (result.returns != trainer.evaluate(episodes=7, seed=1).returns).any()
    assert repr(result).startswith("Evaluation(mean=")
    for episodes in (0, -3, 2.5, True):
        with pytest.raises(InputError, match="episodes="):
            trainer.evaluate(episodes)


def test_more_episodes_than_lanes_are_shared_out_fairly(build, monkeypatch):
    monkeypatch.setattr("workbench.training.evaluation.MAX_LANES", 4)
    trainer = build()
    result = trainer.evaluate(episodes=10)
    assert result.returns.shape == (10,)


def test_evaluating_does_not_change_training(build):
    one, other = build(seed=3), build(seed=3)
    one.train(2 * ITERATION)
    other.train(ITERATION)
    other.evaluate(5)
    other.train(ITERATION)
    np.testing.assert_array_equal(untimed(one.metrics), untimed(other.metrics))


def test_a_target_return_stops_the_run(build):
    trainer, events = build(), []
    trainer.subscribe(events.append)
    trainer.train(10**6, target_return=5.0)  # any policy reaches it: the 100 episodes and the evaluation decide
    assert events[-1].reason == "target"
    assert trainer.loop.episodes >= 100


def test_bad_arguments_are_refused(build, tmp_path):
    with pytest.raises(UnknownNameError, match=r"environment 'CartPol-v1' is unknown; did you mean 'CartPole-v"):
        build("CartPol-v1")
    with pytest.raises(
        UnknownNameError, match=r"PPO hyperparameter 'learnin_rate' is unknown; did you mean 'learning_rate'"
    ):
        wb.PPO(learnin_rate=1)
    with pytest.raises(UnknownNameError, match=r"algorithm 'pppo' is unknown; did you mean 'ppo'"):
        build(algorithm="pppo")
    with pytest.raises(InputError, match=r"PPO\.clip=3\.0 is out of range; choose a value from 0 to 1"):
        wb.PPO(clip=3.0)
    with pytest.raises(InputError, match=r"PPO\.epochs='four' is not of type int"):
        wb.PPO(epochs="four")
    with pytest.raises(InputError, match="lanes=0"):
        build(lanes=0)
    with pytest.raises(InputError, match="seed=-1"):
        build(seed=-1)
    with pytest.raises(InputError, match="device='gpu' is not available"):
        build(device="gpu")
    with pytest.raises(InputError, match=r"lanes=3 does not fit env, which has 16"):
        build(make("CartPole-v1", 16), lanes=3)
    trainer = build()
    for steps in (0, -1, 2.5, "many", True, float("inf"), float("nan"), None):
        with pytest.raises(InputError, match=f"^steps={steps!r} is not a number of environment steps"):
            trainer.train(steps)
    for target in (float("nan"), "475"):
        with pytest.raises(InputError, match=f"^target_return={target!r} is no finite number; pass one, or None"):
            trainer.train(10, target_return=target)


def test_numbers_of_numpy_are_numbers(build):
    trainer = build()
    trainer.train(np.int64(ITERATION), target_return=np.float32(1e6))
    trainer.train(float(ITERATION))
    assert trainer.goal == 2 * ITERATION


def test_an_algorithm_belongs_to_one_trainer(build):
    algorithm = wb.PPO(horizon=8)
    build(algorithm=algorithm)
    with pytest.raises(InputError, match=r"already belongs to another trainer; pass a new PPO"):
        build(algorithm=algorithm)


def test_an_algorithm_that_was_refused_may_be_used_again(build):
    algorithm = wb.PPO(horizon=8)
    with pytest.raises(InputError, match="record_every=0 is no number of steps"):
        build(algorithm=algorithm, record_every=0)
    build(algorithm=algorithm).train(ITERATION)


def test_environments_and_algorithms_are_taken_by_name_class_or_instance(build):
    assert build(kernel("CartPole-v1"), "ppo").id == "CartPole-v1"
    assert build(make("CartPole-v1", 4), wb.PPO, lanes=None).env.lanes == 4


def test_grids_of_bytes_are_learned_from_and_evaluated(build):
    trainer = build("MinAtar/Breakout-v1")
    trainer.train(ITERATION)
    assert len(trainer.evaluate(episodes=3).returns) == 3
    assert trainer.metrics.to_pandas()["steps"].iloc[-1] == ITERATION


def test_a_run_directory_that_cannot_be_written_is_refused_and_one_that_is_used_is_kept(build, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match=r"run_dir='.*below' cannot be written: .*; choose another"):
        build(run_dir=tmp_path / "file" / "below").train(ITERATION)
    first = build(run_dir=tmp_path / "used")
    first.train(ITERATION)
    before = (tmp_path / "used" / "metrics.jsonl").read_text()
    second = build(run_dir=tmp_path / "used")
    with pytest.raises(RunDirectoryError, match=r"holds another run; .*workbench\.load"):
        second.train(ITERATION)
    assert second.status == "new"
    assert (tmp_path / "used" / "metrics.jsonl").read_text() == before


def test_a_run_stays_in_one_place_wherever_the_process_goes(build, tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    trainer = build(run_dir="run")
    assert trainer.run_dir == tmp_path / "here" / "run"
    trainer.on(Started, lambda event: monkeypatch.chdir(tmp_path / "there"))
    trainer.train(2 * ITERATION)
    monkeypatch.chdir(tmp_path / "here")
    loaded = wb.load("run")
    monkeypatch.chdir(tmp_path / "there")
    assert len(wb.read_metrics(loaded.save("copy"))) == 2
    loaded.train(ITERATION)
    assert len(wb.read_metrics(trainer.run_dir)) == 3
    assert [path.name for path in sorted(tmp_path.glob("*/*"))] == ["run", "copy"]
    assert wb.load(trainer.run_dir).steps == 3 * ITERATION


def test_nothing_is_lost_when_the_environment_fails(build):
    trainer = build(backend="torch")
    trainer.train(2 * ITERATION)
    step = trainer.env._step

    def faulty(*arguments):
        step(*arguments)
        trainer.env.reward[3] = np.nan

    trainer.env._step = faulty
    with pytest.raises(EnvironmentFaultError, match="reward of lane 3 is nan at step 16 of 'CartPole-v1'"):
        trainer.train(ITERATION)
    assert trainer.status == "failed"
    assert isinstance(trainer.error, EnvironmentFaultError)
    assert len(wb.read_metrics(trainer.run_dir)) == 2
    assert wb.load(trainer.run_dir).steps == 2 * ITERATION


def test_whatever_fails_at_the_end_the_run_can_go_on(build, monkeypatch):
    trainer, events = build(), []
    trainer.on(Stopped, events.append)
    with monkeypatch.context() as patched:
        patched.setattr(trainer.loop, "end_row", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trainer.train(ITERATION)
    assert [event.reason for event in events] == ["failed"]
    trainer.train(ITERATION)
    assert trainer.status == "stopped"
    wb.load(trainer.run_dir).train(ITERATION)


def test_a_failure_in_the_background_is_raised_by_wait(build):
    trainer = build(backend="torch")

    def diverge(batch):
        return {name: x * float("nan") for name, x in update(batch).items()}

    update, trainer.algorithm.update = trainer.algorithm.update, diverge
    trainer.start(ITERATION)
    said = r"after step 0 policy_loss is nan, value_loss is nan; .*lower learning_rate"
    with pytest.raises(NumericsError, match=said):
        trainer.wait(60)
    assert trainer.status == "failed"


def test_it_says_what_it_is(build):
    trainer = build(seed=2)
    assert repr(trainer) == "<Trainer CartPole-v1 PPO native seed=2: new, 0 steps>"
