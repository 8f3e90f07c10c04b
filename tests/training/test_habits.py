"""What a trainer does of its own accord: it evaluates, it saves, and it keeps the best."""

import json
import shutil

import numpy as np
import pytest

import workbench as wb
from tests.training import trivial
from tests.training.comparing import assert_same_state
from tests.training.trivial import LANES
from workbench.errors import CheckpointError, InputError
from workbench.events import CheckpointSaved, Evaluated, Progress
from workbench.training import habits
from workbench.training.evaluation import Evaluation
from workbench.training.layout import best_of, checkpoints_of, steps_of


def kept(run_dir):
    return [steps_of(path) for path in checkpoints_of(run_dir)]


def test_the_newest_stay_however_many_are_asked_for(tmp_path):
    for keep in (1, 3):
        made = trivial.trainer(tmp_path / str(keep), keep_last=keep, keep_best=False, checkpoint_seconds=3600.0)
        for _ in range(5):
            made.train(LANES)
        assert kept(made.run_dir) == [LANES * n for n in range(6 - keep, 6)]


def climbing(algorithm, peak):
    """Let episodes pay more and more until the iteration `peak`, and less again after it."""
    algorithm.returns = lambda collected: float(peak - abs(collected - peak))


def test_the_best_by_training_survives_rotation_and_is_loaded(tmp_path):
    made = trivial.trainer(tmp_path / "run", checkpoint_seconds=3600.0)
    climbing(made.algorithm, 80)
    for _ in range(6):
        made.train(LANES * 30)
    assert kept(made.run_dir) == [LANES * n for n in (90, 150, 180)]  # the newest two, and the best
    best = best_of(made.run_dir)
    mean = np.mean([80 - abs(n - 80) for n in range(41, 91)])
    assert best == {
        "checkpoint": f"{LANES * 90:015d}",
        "steps": LANES * 90,
        "mean_return": mean,
        "measured_by": "training",
    }
    assert made.loop.recent.maxlen == 100  # of two lanes each
    assert wb.training.run_directory.choose(made.run_dir, "best")[1].about["steps"] == LANES * 90
    assert wb.training.run_directory.choose(made.run_dir)[1].about["steps"] == LANES * 180


def evaluating(made, monkeypatch, mean):
    """Replace evaluations by what `mean` says of the steps; count them."""
    calls = []

    def evaluate(episodes, seed=None, attempt=0):
        calls.append(made.steps)
        value = float(mean(made.steps))
        return Evaluation(np.array([value - 1.0, value + 1.0]), np.array([3, 5]))

    monkeypatch.setattr(made._care, "evaluate", evaluate)
    return calls


def test_evaluations_come_every_so_many_steps_and_are_rows_and_events(tmp_path, monkeypatch):
    made, events = trivial.trainer(tmp_path / "run", evaluate_every=10 * LANES + 1, evaluate_episodes=2), []
    calls = evaluating(made, monkeypatch, lambda steps: -abs(steps - 60))
    made.subscribe(events.append)
    made.train(LANES * 50)
    expected = [22, 42, 64, 84]  # the first iteration at or after each multiple of 21
    assert calls == expected
    assert [(event.steps, event.mean) for event in events if isinstance(event, Evaluated)] == [
        (steps, -abs(steps - 60)) for steps in expected
    ]
    steps, returns = made.metrics.series("evaluation_return")
    assert steps.tolist() == expected
    assert returns.tolist() == [-38.0, -18.0, -4.0, -24.0]
    assert made.metrics.series("evaluation_length")[1].tolist() == [4.0] * 4
    assert made.metrics.series("evaluation_std")[1].tolist() == [1.0] * 4
    assert best_of(made.run_dir) == {
        "checkpoint": f"{64:015d}", "steps": 64, "mean_return": -4.0, "measured_by": "evaluation",
    }  # fmt: skip
    assert 64 in kept(made.run_dir)
    assert [event.steps for event in events if isinstance(event, CheckpointSaved)] == [0, 22, 42, 64, 100]


def test_evaluations_come_every_so_many_seconds(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(habits.time, "monotonic", lambda: now[0])
    made = trivial.trainer(tmp_path / "run", evaluate_seconds=10.0, keep_best=False)
    calls = evaluating(made, monkeypatch, lambda steps: 0.0)
    made.on(Progress, lambda event: now.__setitem__(0, now[0] + 3.0))
    made.train(LANES * 14)
    assert calls == [LANES * 5, LANES * 9, LANES * 13]


def test_an_evaluation_is_no_training_time_and_changes_nothing(tmp_path):
    settings = {"lanes": 16, "seed": 3, "backend": "torch"}
    one = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), run_dir=tmp_path / "one", **settings)
    other = wb.Trainer(
        "CartPole-v1",
        wb.PPO(horizon=8),
        run_dir=tmp_path / "other",
        evaluate_every=128,
        evaluate_episodes=3,
        **settings,
    )
    one.train(3 * 128)
    other.train(3 * 128)
    assert_same_state(one, other)
    assert len(other.metrics.series("evaluation_return")[0]) == 3
    frame = other.metrics.to_pandas()
    parts = frame[["forward_seconds", "environment_seconds", "rollout_seconds", "learn_seconds"]].sum(axis=1)
    assert (parts <= frame["seconds"]).all()
    assert (parts > 0.5 * frame["seconds"]).all()
    assert frame["other_seconds"].is_monotonic_increasing
    assert frame["other_seconds"].iloc[-1] > 0


def test_checkpoints_that_take_long_come_less_often(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(habits.time, "monotonic", lambda: now[0])
    made, saved = trivial.trainer(tmp_path / "run", checkpoint_seconds=1.0), []
    write = made.directory.checkpoint

    def slow(*arguments):
        now[0] += 0.5
        return write(*arguments)

    made.directory.checkpoint = slow
    made.on(CheckpointSaved, lambda event: saved.append(event.steps))
    made.algorithm.returns = lambda collected: now.__setitem__(0, now[0] + 1.0) or 1.0
    made.train(LANES * 24)
    assert saved == [0, LANES * 10, LANES * 20, LANES * 24]  # half a second after ten


def test_resuming_from_before_the_best_forgets_it_and_from_after_keeps_it(tmp_path):
    made = trivial.trainer(tmp_path / "run", keep_last=9, checkpoint_seconds=3600.0)
    climbing(made.algorithm, 80)
    for _ in range(6):
        made.train(LANES * 30)
    shutil.copytree(made.run_dir, tmp_path / "copy")
    for steps, best in ((60, 61), (120, 90)):
        again = trivial.trainer(made.run_dir, resume="auto", checkpoint_seconds=3600.0)
        checkpoint = wb.training.checkpoints.read_checkpoint(made.run_dir / "checkpoints" / f"{LANES * steps:015d}")
        wb.training.resuming.go_on(again, made.run_dir, checkpoint)
        again.algorithm.returns = lambda collected: -5.0
        again.train(LANES)
        assert best_of(made.run_dir)["steps"] == LANES * best
        shutil.rmtree(made.run_dir)
        shutil.copytree(tmp_path / "copy", made.run_dir)


@pytest.mark.parametrize("which", ["last", "best"])
def test_saving_what_was_loaded_into_its_run_leaves_the_best_and_what_was_saved(which, tmp_path):
    made = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=16, run_dir=tmp_path / "run", evaluate_every=1 << 20)
    made.train(128)
    made._care.checkpoint({"mean_return": 9.0, "measured_by": "evaluation"})
    for _ in range(3):
        made.train(128)
    best = best_of(made.run_dir)
    loaded = wb.load(made.run_dir, which=which, keep_last=1)
    loaded.save(made.run_dir)
    assert best_of(made.run_dir) == best
    assert best["steps"] == 128
    saved = f"{128:015d}.2" if which == "best" else f"{512:015d}.1"
    assert saved in [path.name for path in checkpoints_of(made.run_dir)]


def test_which_is_loaded(tmp_path):
    made = wb.Trainer(
        "CartPole-v1", wb.PPO(horizon=8), lanes=16, run_dir=tmp_path / "run", evaluate_every=256, keep_last=3
    )
    made.train(128)
    with pytest.raises(CheckpointError, match=r"has no best checkpoint; pass which='last'"):
        wb.load(made.run_dir, which="best")
    made.train(128 * 5)
    best = json.loads((made.run_dir / "best.json").read_text())
    loaded = wb.load(made.run_dir, which="best")
    assert loaded.steps == best["steps"]
    assert loaded.evaluate(100).mean == best["mean_return"]  # it is that very policy
    assert loaded._care.habits.keep_last == 3  # and it is looked after as the run was
    assert wb.load(made.run_dir, keep_last=5)._care.habits.keep_last == 5
    assert wb.load(made.run_dir).steps == 128 * 6
    with pytest.raises(InputError, match="which='worst' is unknown; choose 'last' or 'best'"):
        wb.load(made.run_dir, which="worst")


@pytest.mark.parametrize(
    "settings",
    [
        {"keep_last": 0},
        {"keep_last": 1.5},
        {"keep_last": None},
        {"evaluate_every": 0},
        {"evaluate_seconds": -1.0},
        {"evaluate_seconds": 0.0},
        {"evaluate_seconds": "10"},
        {"evaluate_seconds": float("nan")},
        {"checkpoint_seconds": -0.1},
        {"checkpoint_seconds": "10"},
        {"checkpoint_seconds": float("inf")},
        {"checkpoint_seconds": None},
        {"evaluate_episodes": 0},
        {"on_nan": "ignore"},
        {"rollback_learning_rate": 0.0},
        {"rollback_learning_rate": 2.0},
        {"rollback_learning_rate": "a"},
        {"metrics_bytes": 10},
    ],
)
def test_habits_out_of_range_are_refused(settings, tmp_path):
    ((name, value),) = settings.items()
    with pytest.raises(InputError, match=f"^{name}={value!r} .*(pass|choose) "):
        trivial.trainer(tmp_path / "run", **settings)
