"""Sinks beside a trainer: what they hear, how little they can hurt it, and how a run goes on."""

import signal
import threading

import pytest

import workbench as wb
from tests.sinks import readers
from tests.sinks.recorder import Recorder
from workbench.events import Progress
from workbench.sinks import hub
from workbench.training import habits

ITERATION = 8 * 16


@pytest.fixture
def build(tmp_path):
    made = []

    def build(sinks=(), env="CartPole-v1", **settings):
        settings.setdefault("run_dir", tmp_path / f"run{len(made)}")
        made.append(wb.Trainer(env, wb.PPO(horizon=8), lanes=16, sinks=sinks, **settings))
        return made[-1]

    yield build
    for trainer in made:
        trainer.close()


def test_a_sink_hears_every_row_of_the_run_directory(build):
    sink = Recorder()
    trainer = build([sink])
    trainer.train(5 * ITERATION)
    (opened,) = sink.told("open")
    run = opened[0]
    assert (run.directory, run.steps) == (trainer.run_dir, 0)
    assert run.description["hyperparameters"]["horizon"] == 8
    frame = wb.read_metrics(trainer.run_dir).to_pandas()
    rows = sink.told("scalars")
    assert [steps for steps, _ in rows] == frame["steps"].tolist()
    for (_, row), (_, kept) in zip(rows, frame.iterrows(), strict=True):
        assert row == kept.dropna().drop("steps").to_dict()
    assert sink.calls[-1] == ("close", "steps")


def test_a_sink_hears_distributions(build):
    sink = Recorder()
    trainer = build([sink], backend="torch")
    trainer.train(ITERATION)
    told = {name: (steps, histogram) for steps, name, histogram in sink.told("histogram")}
    weights = {f"weights/model.{name}": parameter for name, parameter in trainer.algorithm.model.named_parameters()}
    gradients = {name.replace("weights", "gradients", 1) for name in weights}
    assert weights.keys() | gradients | {"actions"} <= told.keys()
    for name, parameter in weights.items():
        steps, histogram = told[name]
        assert steps == ITERATION
        assert histogram.counts.sum() == parameter.numel()
        low, high = parameter.min().item(), parameter.max().item()
        assert histogram.edges[0] <= low <= high <= histogram.edges[-1]
    actions = told["actions"][1]
    assert actions.counts.sum() == ITERATION
    assert (actions.edges[0], actions.edges[-1]) == (0.0, 1.0)
    assert actions.counts[[0, -1]].sum() == ITERATION


def test_returns_of_the_newest_episodes_are_a_distribution(build):
    trainer = build()
    trainer.train(10 * ITERATION)
    returns = dict(hub.distributions(trainer.loop))["episode_returns"]
    assert returns.tolist() == list(trainer.loop.recent)
    assert len(returns) > 10


def test_distributions_come_at_a_bounded_rate(build, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(hub.time, "monotonic", lambda: now[0])
    sink = Recorder()
    trainer = build([sink], backend="torch")
    trainer.on(Progress, lambda event: now.__setitem__(0, now[0] + hub.PERIOD / 4))
    trainer.train(9 * ITERATION)
    assert [steps for steps, name, _ in sink.told("histogram") if name == "actions"] == [
        ITERATION, 5 * ITERATION, 9 * ITERATION,
    ]  # fmt: skip


def test_of_many_values_every_so_many_are_counted(build, monkeypatch):
    monkeypatch.setattr(hub, "VALUES", 100)
    trainer = build()
    trainer.train(ITERATION)
    taken = dict(hub.distributions(trainer.loop))
    assert taken["weights/model.head.bias"].size == 3
    whole = trainer.algorithm.model.trunk[0].weight.detach().flatten().tolist()
    assert 200 < len(whole) <= 300
    assert taken["weights/model.trunk.0.weight"].tolist() == whole[::3]


def test_a_sink_hears_of_changed_hyperparameters(build):
    sink = Recorder()
    trainer = build([sink])
    trainer.on(Progress, lambda event: setattr(trainer.algorithm, "clip", 0.1))
    trainer.train(2 * ITERATION)
    changed = (ITERATION, {"hyperparameters/clip": 0.1})
    assert [told for told in sink.told("scalars") if "hyperparameters/clip" in told[1]] == [changed]


def test_a_sink_that_fails_is_reported_once_and_training_goes_on_with_the_others(build):
    broken, sink = Recorder(fail_at="scalars", error=OSError), Recorder()
    trainer = build([broken, sink])
    with pytest.warns(RuntimeWarning, match=r"sink Recorder failed and hears no more \(OSError") as caught:
        trainer.train(4 * ITERATION)
    assert len(caught) == 1
    assert (trainer.steps, trainer.status) == (4 * ITERATION, "stopped")
    assert len(broken.told("scalars")) == 1
    assert len(sink.told("scalars")) == 4


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_failure_of_a_sink_ends_no_training_where_warnings_are_errors(build, capsys):
    trainer = build([Recorder(fail_at="open")])
    trainer.train(4 * ITERATION)
    assert (trainer.steps, trainer.status) == (4 * ITERATION, "stopped")
    assert capsys.readouterr().err.startswith("sink Recorder failed and hears no more (RuntimeError: open does")


def test_numbers_that_cannot_be_counted_end_no_training(build, monkeypatch):
    sink = Recorder()
    monkeypatch.setattr(hub, "distributions", lambda loop: 1 / 0)
    trainer = build([sink])
    with pytest.warns(RuntimeWarning, match=r"sinks have not heard all \(ZeroDivisionError: division by zero\)"):
        trainer.train(2 * ITERATION)
    assert trainer.status == "stopped"
    assert len(sink.told("scalars")) == 2
    assert sink.calls[-1] == ("close", "steps")


def test_saving_after_a_training_of_another_thread_tells_nobody(build, tmp_path):
    sink = Recorder()
    trainer = build([sink])
    trainer.start(ITERATION)
    trainer.wait()
    told = list(sink.calls)
    trainer.algorithm.clip = 0.1
    trainer.save(tmp_path / "copy")
    assert (trainer.status, trainer.error) == ("stopped", None)
    assert sink.calls == told
    assert wb.load(tmp_path / "copy").metrics.changes()[-1]["new"] == 0.1


def test_each_training_opens_and_closes_and_a_failed_one_says_so(build):
    sink = Recorder()
    trainer = build([sink])
    trainer.train(ITERATION)
    trainer.start(ITERATION)
    trainer.wait()
    trainer.on(Progress, lambda event: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.train(ITERATION)
    assert [run.steps for (run,) in sink.told("open")] == [0, ITERATION, 2 * ITERATION]
    assert len({run.id for (run,) in sink.told("open")}) == 1
    assert sink.told("close") == [("steps",), ("steps",), ("failed",)]
    assert all(not thread.is_alive() for thread in sink.threads)


def test_runs_of_one_second_have_ids_of_their_own_and_keep_them(build, monkeypatch, tmp_path):
    monkeypatch.setattr(habits, "now", lambda: "2026-01-01T00:00:00+00:00")
    first, second, sink = build(), build(), Recorder()
    for trainer in (first, second):
        trainer.train(ITERATION)
    first.save(first.run_dir)
    copy = first.save(tmp_path / "copy")
    for path in (first.run_dir, second.run_dir, copy, first.run_dir):
        loaded = wb.load(path, sinks=[sink])
        loaded.train(ITERATION)
        loaded.close()
    ids = [run.id for (run,) in sink.told("open")]
    assert len(set(ids)) == 3
    assert ids[3] == ids[0]


def test_sinks_open_again_after_a_run_was_loaded(build):
    first = build(["tensorboard"])
    first.train(3 * ITERATION)
    first.close()
    sink = Recorder()
    loaded = wb.load(first.run_dir, sinks=["tensorboard", sink])
    loaded.train(2 * ITERATION)
    loaded.close()
    assert [run.steps for (run,) in sink.told("open")] == [3 * ITERATION]
    steps = [event.step for event in readers.tensorboard(first.run_dir / "tensorboard").Scalars("value_loss")]
    assert steps == [ITERATION * k for k in range(1, 6)]


def test_what_came_after_the_checkpoint_that_is_loaded_is_forgotten(build):
    first = build(["tensorboard"], checkpoint_seconds=1e9)
    first.train(3 * ITERATION)
    first.close()
    loaded = wb.load(first.run_dir / "checkpoints" / f"{0:015d}", sinks=["tensorboard"])
    loaded.algorithm.learning_rate = 1e-5
    loaded.train(2 * ITERATION)
    loaded.close()
    read = readers.tensorboard(first.run_dir / "tensorboard")
    assert [event.step for event in read.Scalars("learning_rate")] == [ITERATION, 2 * ITERATION]
    assert [event.value for event in read.Scalars("learning_rate")] == pytest.approx([1e-5] * 2)


def test_interrupted_training_loses_nothing_and_leaves_no_thread(build):
    sink, before = Recorder(), set(threading.enumerate())
    trainer = build([sink, "tensorboard"])
    trainer.on(Progress, lambda event: signal.raise_signal(signal.SIGINT) if event.steps == 4 * ITERATION else None)
    trainer.train(10**9)
    assert trainer.steps == 4 * ITERATION
    steps = [ITERATION * k for k in range(1, 5)]
    assert [at for at, _ in sink.told("scalars")] == steps
    assert sink.calls[-1] == ("close", "stopped")
    assert [event.step for event in readers.tensorboard(trainer.run_dir / "tensorboard").Scalars("entropy")] == steps
    trainer.close()
    assert {thread for thread in threading.enumerate() if thread not in before and "native" not in thread.name} == set()
