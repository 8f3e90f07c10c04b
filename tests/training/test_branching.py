"""Single steps, checkpoints that stay, and going back: what was stays as it is, and what comes goes elsewhere."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.analysis.runs import find_runs, open_run
from workbench.errors import CheckpointError, InputError
from workbench.training.control import Control
from workbench.training.layout import checkpoints_of, kept_of, steps_of
from workbench.training.metrics import read_metrics

PER = 64


def small(path, **more):
    settings = {"lanes": 8, "seed": 3} | more
    return wb.Trainer("CartPole-v1", wb.PPO(horizon=8, minibatches=1), run_dir=path, **settings)


def trained(path, iterations, **more):
    """Train so many iterations, with a checkpoint of each that stays."""
    trainer = small(path, **more)
    for _ in range(iterations):
        trainer.train(PER)
        trainer.save()
    return trainer


def weights(trainer):
    return [x.detach().numpy().copy() for x in trainer.algorithm.model.state_dict().values()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def listing(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Single steps.


def test_a_paused_trainer_takes_single_steps(tmp_path):
    trainer = small(tmp_path / "run")
    taken = threading.Semaphore(0)
    trainer.on(wb.events.Progress, lambda event: taken.release())
    trainer.start(100 * PER, paused=True)
    assert (trainer.status, trainer.steps) == ("paused", 0)
    for count in (1, 2):
        trainer.step()
        assert taken.acquire(timeout=30)
        assert (trainer.status, trainer.steps, trainer.metrics.last("steps")) == ("paused", count * PER, count * PER)
    trainer.step(3)
    for _ in range(3):
        assert taken.acquire(timeout=30)
    assert trainer.steps == 5 * PER
    trainer.resume()
    trainer.wait(60)
    assert trainer.steps == 100 * PER
    trainer.close()


def test_single_steps_are_the_steps_of_a_run(tmp_path):
    stepped, whole = small(tmp_path / "a"), small(tmp_path / "b")
    stepped.start(4 * PER, paused=True)
    stepped.step(4)
    stepped.wait(60)
    whole.train(4 * PER)
    assert same(weights(stepped), weights(whole))
    stepped.close()
    whole.close()


def test_steps_that_were_left_over_end_with_the_pause():
    control = Control()
    control.pause()
    control.step(2)
    control.resume()
    control.pause()
    waiting = threading.Thread(target=control.wait_while_paused)
    waiting.start()
    control.ask(lambda: None).result(timeout=30)
    assert waiting.is_alive()
    control.stop()
    waiting.join(30)
    assert not waiting.is_alive()


@pytest.mark.parametrize("iterations", [0, -1, 1.5, True, "one"])
def test_a_step_is_a_count(tmp_path, iterations):
    trainer = small(tmp_path / "run")
    with pytest.raises(InputError, match="pass an integer of at least 1"):
        trainer.step(iterations)
    trainer.close()


def test_a_step_needs_training_under_way(tmp_path):
    trainer = small(tmp_path / "run")
    with pytest.raises(InputError, match=r"begin it with start\(steps, paused=True\)"):
        trainer.step()
    trainer.close()


# Checkpoints that stay.


def test_what_was_saved_stays(tmp_path):
    trainer = small(tmp_path / "run", keep_last=1, keep_best=False)
    trainer.train(2 * PER)
    kept = trainer.save()
    trainer.train(6 * PER)
    assert kept in trainer.checkpoints()
    assert kept_of(trainer.run_dir) == [kept.name]
    assert [steps_of(path) for path in trainer.checkpoints()] == [2 * PER, 8 * PER]
    trainer.close()


def test_a_list_of_what_stays_that_is_torn_is_empty(tmp_path):
    (tmp_path / "kept.json").write_bytes(b"{")
    assert kept_of(tmp_path) == []


# Going back.


def test_going_back_leaves_the_run_and_goes_on_elsewhere(tmp_path):
    trainer = trained(tmp_path / "run", 8)
    before, old = listing(tmp_path / "run"), trainer.run_dir
    told = []
    trainer.on(wb.events.Rewound, told.append)
    trainer.rewind(4 * PER)
    assert (trainer.steps, trainer.goal, trainer.status) == (4 * PER, 8 * PER, "stopped")
    assert trainer.metrics.last("steps") == 4 * PER
    assert trainer.run_dir.name.startswith(f"run@{4 * PER}-")
    assert told == [wb.events.Rewound(8 * PER, 4 * PER, str(old), str(trainer.run_dir))]
    assert read_metrics(trainer.run_dir).last("steps") == 4 * PER
    trainer.train(2 * PER)
    door = before.pop(Path("control.json"))
    assert listing(old) == before
    assert json.loads((trainer.run_dir / "control.json").read_bytes()) == json.loads(door)
    branch = open_run(trainer.run_dir)
    assert branch.description["branched_from"] == {"run": "run", "steps": 4 * PER}
    assert branch.metrics().last("steps") == 6 * PER
    assert [steps_of(path) for path in branch.checkpoints()] == [4 * PER, 6 * PER]
    assert len(find_runs(tmp_path)) == 2
    trainer.close()


def test_the_same_way_again_is_the_same(tmp_path):
    trainer = trained(tmp_path / "run", 8)
    first = weights(trainer)
    trainer.rewind(5 * PER)
    assert not same(weights(trainer), first)
    trainer.train(3 * PER)
    assert same(weights(trainer), first)
    trainer.close()


def test_another_way_is_another(tmp_path):
    trainer = trained(tmp_path / "run", 8)
    first = weights(trainer)
    trainer.rewind(5 * PER)
    trainer.algorithm.learning_rate = 0.05
    trainer.train(3 * PER)
    assert not same(weights(trainer), first)
    assert trainer.metrics.changes() == [{"steps": 5 * PER, "name": "learning_rate", "old": 0.0025, "new": 0.05}]
    trainer.close()


def test_changes_after_the_checkpoint_are_put_back(tmp_path):
    trainer = trained(tmp_path / "run", 3)
    trainer.algorithm.clip = 0.1
    trainer.train(4 * PER)
    trainer.rewind(2 * PER)
    assert trainer.algorithm.clip == 0.2
    assert trainer.metrics.changes() == []
    trainer.train(PER)
    assert read_metrics(trainer.run_dir).changes() == []
    trainer.close()


def test_a_branch_branches(tmp_path):
    trainer = trained(tmp_path / "run", 8)
    trainer.rewind(4 * PER)
    trainer.train(2 * PER)
    trainer.rewind(5 * PER)
    assert trainer.run_dir.name.startswith(f"run@{4 * PER}-")
    assert json.loads((trainer.run_dir / "run.json").read_text())["branched_from"]["run"].startswith("run@")
    trainer.train(PER)
    loaded = wb.load(trainer.run_dir)
    assert loaded.steps == 5 * PER
    loaded.close()
    trainer.close()


def test_training_that_runs_is_stopped_and_kept_first(tmp_path):
    trainer = small(tmp_path / "run")
    reached = threading.Event()
    trainer.on(wb.events.Progress, lambda event: reached.set())
    trainer.start(10**9)
    assert reached.wait(60)
    saved = steps_of(trainer.save())
    trainer.rewind(10**9)
    old = tmp_path / "run"
    assert steps_of(checkpoints_of(old)[-1]) == read_metrics(old).last("steps") >= saved
    assert (trainer.steps, trainer.status) == (saved, "stopped")
    trainer.wait()
    trainer.close()


def test_the_best_and_a_folder_can_be_named(tmp_path):
    trainer = trained(tmp_path / "run", 4)
    trainer.train(40 * PER)
    best = trainer.directory.best
    trainer.rewind("best")
    assert trainer.steps == best["steps"]
    (third,) = (path for path in checkpoints_of(tmp_path / "run") if steps_of(path) == 3 * PER)
    trainer.rewind(third)
    assert trainer.steps == 3 * PER
    trainer.close()


def test_what_is_not_there_is_refused_and_nothing_changes(tmp_path):
    trainer = small(tmp_path / "run", keep_last=1, keep_best=False)
    trainer.train(4 * PER)
    for to, text in ((3, "there are: 256"), ("best", "no best checkpoint"), ("none", "is no checkpoint")):
        with pytest.raises(CheckpointError, match=text):
            trainer.rewind(to)
    assert (trainer.steps, trainer.run_dir) == (4 * PER, tmp_path / "run")
    trainer.close()


def test_a_callback_cannot_go_back(tmp_path):
    trainer = small(tmp_path / "run")
    trainer.on(wb.events.Progress, lambda event: trainer.rewind(0))
    with pytest.raises(InputError, match="rewind after the training"):
        trainer.train(2 * PER)
    trainer.close()
