"""What each package's own reader gives back of what its sink was told, without a network."""

import numpy as np
import pytest

from tests.sinks import readers
from workbench.sinks import Histogram, Run, TensorBoard, Trackio, Video, WandB

PROJECT = "tests"
VALUES = np.linspace(-2.0, 2.0, 640)
DESCRIPTION = {
    "env": "CartPole-v1",
    "seed": 1,
    "created": "2026-01-01T00:00:00+00:00",
    "algorithm": "ppo",
    "hyperparameters": {"clip": 0.2},
}


@pytest.fixture
def run(tmp_path):
    directory = tmp_path / f"run-{tmp_path.name}"  # Trackio keeps all runs together
    directory.mkdir()

    def run(steps=0):
        return Run(directory, DESCRIPTION, steps)

    return run


def gif(path):
    video = Video(path, 30.0)
    for brightness in range(3):
        video.add(np.full((6, 8, 3), 100 * brightness, np.uint8))
    return video.written()


def tell(sink, run, steps, value=float, *, media=True, reason="steps"):
    """Let `sink` hear a row at each of `steps`, and a histogram and a video at the last of them."""
    sink.open(run)
    for step in steps:
        sink.scalars(step, {"value_loss": value(step), "entropy": -1.0})
    if media:
        sink.histogram(steps[-1], "weights/head", Histogram.of(VALUES))
        sink.video(steps[-1], "episode", gif(run.directory / "episode.gif"))
    sink.close(reason)


def test_tensorboard(run):
    tell(TensorBoard(), run(), [100, 200, 3_000_000_000])
    read = readers.tensorboard(run().directory / "tensorboard")
    assert [(event.step, event.value) for event in read.Scalars("value_loss")] == [
        (100, 100.0), (200, 200.0), (3_000_000_000, 3e9),
    ]  # fmt: skip
    assert [event.value for event in read.Scalars("entropy")] == [-1.0] * 3
    (event,) = read.Histograms("weights/head")
    told = event.histogram_value
    assert (event.step, told.min, told.max, told.num) == (3_000_000_000, -2.0, 2.0, 640)
    assert told.sum / told.num == pytest.approx(VALUES.mean(), abs=1e-3)
    assert told.sum_squares / told.num == pytest.approx((VALUES**2).mean(), rel=1e-2)
    between = dict(zip(told.bucket_limit, told.bucket, strict=True))
    assert between.pop(-2.0) == 0
    assert set(between.values()) == {10.0}
    (image,) = read.Images("episode")
    assert (image.width, image.height) == (8, 6)
    assert image.encoded_image_string == (run().directory / "episode.gif").read_bytes()
    (text,) = read.Tensors("run")
    assert b"| clip | 0.2 |" in text.tensor_proto.string_val[0]


def test_tensorboard_forgets_what_came_after_the_checkpoint_that_a_run_goes_on_from(run):
    tell(TensorBoard(), run(), [100, 200, 300, 400], media=False)
    tell(TensorBoard(), run(200), [250, 300], value=lambda step: -step, media=False)
    read = readers.tensorboard(run().directory / "tensorboard")
    assert [(event.step, event.value) for event in read.Scalars("value_loss")] == [
        (100, 100.0), (200, 200.0), (250, -250.0), (300, -300.0),
    ]  # fmt: skip
    assert len(read.Tensors("run")) == 1


def test_tensorboard_writes_elsewhere_when_told_so(run, tmp_path):
    tell(TensorBoard(tmp_path / "other"), run(), [100], media=False)
    assert readers.tensorboard(tmp_path / "other").Scalars("value_loss")[0].value == 100.0
    assert not (run().directory / "tensorboard").exists()


def test_wandb_offline(run):
    tell(WandB(project=PROJECT), run(), [100, 3_000_000_000])
    rows, id = readers.wandb_rows(run().directory)
    assert id == run().id
    assert [(row["steps"], row["value_loss"]) for row in rows if "value_loss" in row] == [
        (100, 100.0), (3_000_000_000, 3e9),
    ]  # fmt: skip
    (counted,) = [row for row in rows if "weights/head.values" in row]
    assert counted["weights/head.values"] == [10] * 64
    assert (counted["weights/head.bins"][0], counted["weights/head.bins"][-1]) == (-2.0, 2.0)
    (path,) = [row["episode.path"] for row in rows if "episode.path" in row]
    assert {row["steps"] for row in rows if "value_loss" not in row} == {3_000_000_000}
    (copied,) = run().directory.glob(f"wandb/offline-run-*/files/{path}")
    assert copied.read_bytes() == (run().directory / "episode.gif").read_bytes()


def test_wandb_keeps_the_run_and_its_axis_when_it_goes_on_from_an_earlier_checkpoint(run):
    tell(WandB(project=PROJECT), run(), [100, 200, 300], media=False)
    tell(WandB(project=PROJECT, tags=["again"]), run(200), [250], media=False)
    rows, id = readers.wandb_rows(run().directory)
    assert id == run().id
    assert [row["steps"] for row in rows] == [100, 200, 300, 250]


@pytest.mark.parametrize(("reason", "code"), [("steps", 0), ("stopped", 0), ("failed", 1)])
def test_wandb_says_how_a_run_ended_and_of_what_it_was(run, reason, code):
    tell(WandB(project=PROJECT), run(), [100], media=False, reason=reason)
    (file,) = run().directory.glob("wandb/offline-run-*/run-*.wandb")
    records = list(readers.wandb(file))
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [code]
    (begun,) = [record.run for record in records if record.HasField("run")]
    assert (begun.project, begun.display_name) == (PROJECT, run().name)
    config = {item.key: item.value_json for item in begun.config.update}
    assert config["hyperparameters"] == '{"clip":0.2}'
    (axis,) = [record.metric for record in records if record.HasField("metric")]
    assert (axis.glob_name, axis.step_metric) == ("*", "steps")


def test_trackio(run, capsys):
    tell(Trackio(project=PROJECT, auto_log_cpu=False), run(), [100, 3_000_000_000])
    rows = readers.trackio(PROJECT, run().name)
    assert {step: row["value_loss"] for step, row in rows.items()} == {100: 100.0, 3_000_000_000: 3e9}
    last = rows[3_000_000_000]
    assert last["weights/head"]["values"] == [10] * 64
    assert last["episode"]["_type"] == "trackio.video"
    assert capsys.readouterr().out == ""


def test_trackio_goes_on_with_a_run_and_begins_another_one_of_the_same_name(run):
    for steps in (0, 100, 0):
        tell(Trackio(project=PROJECT, auto_log_cpu=False), run(steps), [steps + 100], media=False)
    from trackio.sqlite_storage import SQLiteStorage

    named = [record for record in SQLiteStorage.get_run_records(PROJECT) if record["name"] == run().name]
    kept = [[row["step"] for row in SQLiteStorage.get_logs(PROJECT, run().name, run_id=each["id"])] for each in named]
    assert sorted(kept) == [[100], [100, 200]]
