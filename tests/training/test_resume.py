"""Resumed equals uninterrupted: bit for bit, on one thread; after a stop, after changes, and after kill -9."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import workbench as wb
from tests.training.comparing import assert_same_state, untimed
from workbench.errors import InputError, RunDirectoryError
from workbench.events import Progress
from workbench.training import run_directory
from workbench.training.layout import checkpoints_of, steps_of

STEPS = 8 * 16 * 12  # twelve iterations


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(run_dir, **settings):
    return wb.Trainer("CartPole-v1", wb.PPO(horizon=8, epochs=2), seed=4, lanes=16, run_dir=run_dir, **settings)


def trained(run_dir, steps):
    made = trainer(run_dir)
    made.train(steps)
    return made


def assert_same(one, other):
    assert_same_state(one, other)
    left, right = untimed(one.metrics), untimed(other.metrics)
    assert left.equals(right)
    assert untimed(wb.read_metrics(other.run_dir)).equals(right)
    assert one.metrics.changes() == other.metrics.changes()


def test_training_in_two_parts_equals_training_in_one(tmp_path):
    whole = trained(tmp_path / "whole", STEPS)
    parts = trained(tmp_path / "parts", STEPS // 3)
    loaded = wb.load(parts.run_dir)
    assert_same(parts, loaded)
    loaded.train(STEPS - STEPS // 3)
    assert_same(whole, loaded)
    assert loaded.seconds > parts.seconds


def test_a_saved_copy_goes_on_alike_and_elsewhere(tmp_path):
    whole = trained(tmp_path / "whole", STEPS)
    part = trained(tmp_path / "part", STEPS // 2)
    copy = wb.load(part.save(tmp_path / "copy"))
    copy.train(STEPS // 2)
    assert_same(whole, copy)
    assert part.steps == STEPS // 2
    assert wb.load(part.run_dir).steps == STEPS // 2


@pytest.mark.parametrize("steps", [STEPS // 2, STEPS])
def test_a_copy_of_what_was_loaded_has_its_rows_and_changes_alike(steps, tmp_path):
    whole = trainer(tmp_path / "whole", keep_last=3, checkpoint_seconds=3600.0)
    whole.train(STEPS // 2)
    whole.algorithm.clip = 0.1
    whole.train(STEPS // 2)
    (checkpoint,) = (path for path in checkpoints_of(whole.run_dir) if steps_of(path) == steps)
    loaded = wb.load(checkpoint)
    loaded.algorithm.learning_rate = 1e-4
    copies = [loaded.save(tmp_path / "copy")]
    copies.append(wb.load(copies[0]).save(tmp_path / "copy of the copy"))
    for each in (*map(wb.load, copies), *map(wb.read_metrics, copies)):
        metrics = each.metrics if isinstance(each, wb.Trainer) else each
        assert untimed(metrics).equals(untimed(loaded.metrics))
        assert metrics.changes() == loaded.metrics.changes()
    assert loaded.metrics.last("steps") == steps
    assert [change["name"] for change in loaded.metrics.changes()][-1] == "learning_rate"
    copy = wb.load(copies[1])
    for each in (loaded, copy):
        each.train(STEPS // 2)
    assert_same(loaded, copy)


def test_live_changes_are_resumed_too(tmp_path):
    whole, parts = trainer(tmp_path / "whole"), trainer(tmp_path / "parts")
    for each in (whole, parts):
        each.train(STEPS // 2)
        each.algorithm.learning_rate = 1e-4
        each.algorithm.clip = 0.1
        each.train(STEPS // 4)
        each.algorithm.entropy_coefficient = 0.0
    parts.save(parts.run_dir)
    loaded = wb.load(parts.run_dir)
    assert loaded.algorithm.learning_rate == 1e-4
    assert loaded.algorithm.entropy_coefficient == 0.0
    for each in (whole, loaded):
        each.train(STEPS // 4)
    assert_same(whole, loaded)
    assert [(change["steps"], change["name"]) for change in loaded.metrics.changes()] == [
        (STEPS // 2, "learning_rate"),
        (STEPS // 2, "clip"),
        (STEPS * 3 // 4, "entropy_coefficient"),
    ]


VICTIM = """
import torch, workbench as wb
torch.set_num_threads(1)
algorithm = wb.PPO(horizon=8, epochs=2)
trainer = wb.Trainer("CartPole-v1", algorithm, seed=4, lanes=16, run_dir={run_dir!r}, checkpoint_seconds=0.05)
trainer.train(10**9)
"""


def rows(path):
    return path.read_text().count("\n") if path.exists() else 0


def test_a_killed_run_goes_on_from_its_last_checkpoint_as_if_nothing_had_happened(tmp_path):
    run_dir = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([sys.executable, "-c", VICTIM.format(run_dir=str(run_dir))], env=environment)
    deadline = time.monotonic() + 120
    try:
        while not (rows(run_dir / "metrics.jsonl") > 20 and len(list(run_dir.glob("checkpoints/[0-9]*"))) > 1):
            assert process.poll() is None
            assert time.monotonic() < deadline, "it hangs"
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed = trainer(run_dir, resume="auto", checkpoint_seconds=0.05)
    assert resumed.steps > 0
    assert resumed.resumed_from == checkpoints_of(run_dir)[-1]
    written = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines() if line.endswith("}")]
    assert resumed.steps <= written[-1]["steps"]
    goal = resumed.steps + 8 * 16 * 3
    resumed.train(goal - resumed.steps)
    whole = trained(tmp_path / "whole", goal)
    assert_same_state(whole, resumed)
    assert resumed.metrics.last("episodes") == whole.metrics.last("episodes")
    assert list(run_dir.rglob(".*")) == []


def test_resume_goes_on_with_what_is_there_and_begins_what_is_not(tmp_path):
    first = trainer(tmp_path / "run", resume="auto")
    assert first.status == "new"
    assert first.resumed_from is None
    first.train(STEPS // 2)
    with pytest.raises(RunDirectoryError, match=r"holds another run; .*resume='auto', or workbench\.load"):
        trainer(tmp_path / "run").train(1)
    again = trainer(tmp_path / "run", resume="auto")
    again.train(STEPS // 2)
    assert_same(trained(tmp_path / "whole", STEPS), again)


def test_resume_survives_a_kill_before_the_first_checkpoint(tmp_path):
    trained(tmp_path / "run", 1)
    for path in checkpoints_of(tmp_path / "run"):
        path.rename(tmp_path / path.name)
    again = trainer(tmp_path / "run", resume="auto")
    again.train(STEPS)
    assert_same(trained(tmp_path / "whole", STEPS), again)


def test_resume_refuses_another_configuration(tmp_path):
    trained(tmp_path / "run", 1)
    for change, message in (
        ({"env": "Acrobot-v1"}, "env='Acrobot-v1' does not fit the run .* which has env='CartPole-v1'"),
        ({"seed": 5}, "seed=5 does not fit the run .* which has seed=4"),
        ({"lanes": 8}, "lanes=8 does not fit"),
        ({"algorithm": wb.PPO(horizon=8, epochs=2, clip=0.3)}, r"clip=0\.3 does not fit .* which has clip=0\.2"),
    ):
        arguments = {"env": "CartPole-v1", "algorithm": wb.PPO(horizon=8, epochs=2), "seed": 4, "lanes": 16, **change}
        with pytest.raises(InputError, match=message):
            wb.Trainer(**arguments, run_dir=tmp_path / "run", resume="auto")
    with pytest.raises(InputError, match="resume='always' is unknown; choose 'never' or 'auto'"):
        trainer(tmp_path / "run", resume="always")


def test_a_damaged_checkpoint_is_passed_over_and_told(tmp_path):
    made = trainer(tmp_path / "run", checkpoint_seconds=3600.0, keep_best=False)
    made.train(STEPS // 2)
    made.train(STEPS // 2)
    older, newest = checkpoints_of(made.run_dir)[-2:]
    tensors = newest / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    with pytest.warns(
        UserWarning, match=rf"going on from checkpoint '.*{older.name}', since .*{newest.name}' is damaged"
    ):
        again = trainer(tmp_path / "run", resume="auto", keep_best=False)
    assert again.steps == steps_of(older) == STEPS // 2
    with pytest.warns(UserWarning, match="is damaged"):
        assert wb.load(made.run_dir).steps == again.steps
    again.train(STEPS - again.steps)
    assert_same(trained(tmp_path / "whole", STEPS), again)
    assert wb.load(newest).steps == STEPS  # a sound one in its place


def test_what_a_kill_left_half_written_is_removed_when_training_goes_on(tmp_path):
    made = trained(tmp_path / "run", STEPS // 2)
    left = [".run.json.12", ".best.json.12", ".metrics.000001-000002.jsonl", "checkpoints/.0009.ab/x", "faults/.0.ab/x"]
    for name in left:
        (made.run_dir / name).parent.mkdir(exist_ok=True, parents=True)
        (made.run_dir / name).write_text("half")
    wb.load(made.run_dir).train(STEPS // 2)
    assert list(made.run_dir.rglob(".*")) == []


def test_a_run_is_written_by_one_trainer_at_a_time(tmp_path):
    first = trained(tmp_path / "run", STEPS)
    second = wb.load(first.run_dir)
    refusals = []

    def meanwhile(event):
        if isinstance(event, Progress) and not refusals:
            with pytest.raises(RunDirectoryError, match="is being written by another trainer; wait for it to end"):
                second.train(1)
            refusals.append(event)

    first.subscribe(meanwhile)
    first.train(STEPS)
    assert len(refusals) == 1
    wb.load(first.run_dir).train(STEPS)


def test_a_beginning_that_fails_can_be_tried_again(tmp_path):
    whole = trained(tmp_path / "whole", STEPS)
    fresh, loaded = trainer(tmp_path / "fresh"), wb.load(trained(tmp_path / "part", STEPS // 2).run_dir)
    (loaded.run_dir / "metrics.jsonl").rename(tmp_path / "kept")
    for made, steps in ((fresh, STEPS), (loaded, STEPS // 2)):
        (made.run_dir / "metrics.jsonl").mkdir(parents=True)
        for _ in range(2):
            with pytest.raises(RunDirectoryError, match=r"metrics of run_dir='.*' cannot be written"):
                made.train(steps)
        (made.run_dir / "metrics.jsonl").rmdir()
        if made is loaded:
            (tmp_path / "kept").rename(made.run_dir / "metrics.jsonl")
        made.train(steps)
        assert_same(whole, made)


def test_a_run_that_was_saved_before_it_was_trained_is_trained(tmp_path):
    made = trainer(tmp_path / "run")
    made.save(made.run_dir)
    made.train(STEPS)
    assert_same(trained(tmp_path / "whole", STEPS), made)


def test_nobody_saves_into_the_run_of_another(tmp_path):
    first = trained(tmp_path / "run", STEPS)
    with pytest.raises(RunDirectoryError, match=r"run_dir='.*run' holds another run"):
        trainer(tmp_path / "run").save(first.run_dir)
    second = wb.load(first.run_dir)
    refusals = []

    def meanwhile(event):
        if isinstance(event, Progress) and not refusals:
            first.save(first.run_dir)
            with pytest.raises(RunDirectoryError, match="is being written by another trainer"):
                second.save(first.run_dir)
            refusals.append(event)

    first.subscribe(meanwhile)
    first.train(STEPS)
    assert len(refusals) == 1


def test_of_two_that_begin_at_once_one_is_refused(tmp_path, monkeypatch):
    first, second = trainer(tmp_path / "run"), trainer(tmp_path / "run")
    write, refusals = run_directory.write_json, []

    def meanwhile(path, content):
        if path == tmp_path / "run" / "run.json":
            with pytest.raises(RunDirectoryError, match="is being written by another trainer"):
                second.train(1)
            refusals.append(path)
        write(path, content)

    monkeypatch.setattr(run_directory, "write_json", meanwhile)
    first.train(STEPS)
    assert len(refusals) == 1


def test_nothing_is_saved_over_a_run_that_is_being_written(tmp_path):
    first, other = trainer(tmp_path / "run"), trained(tmp_path / "other", 1)
    refusals = []

    def meanwhile(event):
        if isinstance(event, Progress) and not refusals:
            with pytest.raises(RunDirectoryError, match=r"run_dir='.*run' is being written by another trainer"):
                other.save(first.run_dir)
            refusals.append(event)

    first.subscribe(meanwhile)
    first.train(STEPS)
    assert len(refusals) == 1
    assert wb.load(first.run_dir).steps == STEPS
    other.save(first.run_dir)
    assert wb.load(first.run_dir).steps == other.steps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run"]


def test_gymnasiums_environments_resume_with_their_counters_and_other_episodes(tmp_path):
    env = wb.make("CartPole-v1", 4, backend="serial")
    first = wb.Trainer(env, wb.PPO(horizon=8), run_dir=tmp_path / "gym", seed=1)
    beginning = env.observation.copy()
    first.train(8 * 4 * 3)
    loaded = wb.load(first.run_dir)
    assert loaded.env.backend == "serial"
    assert loaded.steps == first.steps
    assert not loaded.loop.running.running_length.any()  # new episodes, counted from their start
    assert (loaded.env.observation != beginning).any()  # and not the first ones over again
    loaded.train(8 * 4)
    assert loaded.steps == first.steps + 8 * 4
