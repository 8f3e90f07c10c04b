"""Numbers that are not finite stop a run with a diagnosis, or send it back to before; wherever they come from."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import workbench as wb
from tests.training import trivial
from tests.training.trivial import LANES
from workbench.errors import NotFiniteError, NumericsError
from workbench.events import CheckpointSaved, Progress, RolledBack
from workbench.training import faults
from workbench.training.layout import checkpoints_of, steps_of

ITERATION = 8 * 16


def trainer(run_dir, backend="torch", **settings):
    settings.setdefault("checkpoint_seconds", 3600.0)
    return wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=16, run_dir=run_dir, backend=backend, seed=5, **settings)


def plant_in_reward(made):
    step = made.env._step

    def faulty(*arguments):
        step(*arguments)
        made.env.reward[3] = np.nan

    made.env._step = faulty


def plant_in_observation(made):
    step = made.env._step

    def faulty(*arguments):
        step(*arguments)
        made.env.observation[3, 1] = np.inf

    made.env._step = faulty


def plant_in_weights(made):
    with torch.no_grad():
        made.algorithm.model.trunk[1].weight[5, 7] = math.nan


def plant_in_optimiser(made):
    made.algorithm.optimiser.state[made.algorithm.model.head.bias]["exp_avg"][1] = math.nan


def plant_in_loss(made):
    prepare = made.algorithm.prepare

    def prepared(rollout):
        batch = prepare(rollout)
        batch.fields["advantage"] = batch.fields["advantage"].clone()
        batch.fields["advantage"][2, 3] = math.inf
        return batch

    made.algorithm.prepare = prepared


PLANTS = {
    plant_in_reward: (NotFiniteError, r"reward of lane 3 is nan at step 16 of 'CartPole-v1'; mend the environment"),
    plant_in_observation: (NotFiniteError, r"observation of lane 3 is \[.*inf.*\] at step 17"),
    plant_in_weights: (
        NumericsError,
        r"after step 256 .*model\.trunk\.1\.weight has [\d,]+ of 4,096 numbers that are not",
    ),
    plant_in_optimiser: (NumericsError, r"after step 256 .*model\.trunk\.0\.weight has .* that are not finite"),
    plant_in_loss: (NumericsError, r"after step 256 policy_loss is nan"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_diagnosed_and_its_batch_kept(plant, tmp_path):
    kind, message = PLANTS[plant]
    made = trainer(tmp_path / "run")
    made.train(2 * ITERATION)
    plant(made)
    with pytest.raises(kind, match=message) as caught:
        made.train(3 * ITERATION)
    folder = made.run_dir / "faults" / f"{2 * ITERATION:015d}"
    last = made.run_dir / "checkpoints" / f"{2 * ITERATION:015d}"
    assert f"the batch is kept in {str(folder)!r}" in str(caught.value)
    assert f"go on from {str(last)!r}." in str(caught.value)
    assert ("mend the environment" if kind is NotFiniteError else "lower learning_rate") in str(caught.value)
    about = json.loads((folder / "fault.json").read_text(), parse_constant=pytest.fail)
    assert about["steps"] == 2 * ITERATION
    assert about["what"] in str(caught.value)
    batch = load_file(folder / "batch.safetensors")
    assert batch["reward"].shape == (8, 16)
    if kind is NumericsError:
        assert about["losses"] or about["state"]
        assert batch["observation"].shape == (8, 16, 4)
    if plant is plant_in_optimiser:
        assert any(name.startswith("optimiser.state.") for name in about["state"])
        assert "model.head.bias" in about["gradients"]
    if plant is plant_in_loss:
        assert batch["advantage"][2, 3] == math.inf
    if plant is plant_in_reward:
        assert batch["reward"][:, 3].isnan().all()
    assert made.status == "failed"
    assert wb.load(made.run_dir).steps == 2 * ITERATION
    assert len(wb.read_metrics(made.run_dir)) == 2


@pytest.mark.parametrize("plant", [plant_in_weights, plant_in_optimiser])
def test_the_native_learner_is_watched_too(plant, tmp_path):
    made = trainer(tmp_path / "run", backend="native")
    made.train(2 * ITERATION)
    plant(made)
    with pytest.raises(NumericsError, match=PLANTS[plant][1]):
        made.train(3 * ITERATION)
    assert "observation" in load_file(next(made.run_dir.glob("faults/*/batch.safetensors")))


def test_no_checkpoint_is_written_of_what_is_not_finite(tmp_path):
    made = trainer(tmp_path / "run")
    made.train(ITERATION)
    plant_in_weights(made)
    with pytest.raises(NumericsError, match=r"model\.trunk\.1\.weight has 1 of 4,096 numbers that are not finite"):
        made.save(tmp_path / "copy")
    assert [steps_of(path) for path in checkpoints_of(made.run_dir)] == [0, ITERATION]


def test_a_measure_that_a_batch_leaves_undefined_is_no_fault(tmp_path):
    made = trivial.trainer(tmp_path / "run")
    update = made.algorithm.update
    made.algorithm.update = lambda batch: update(batch) | {"explained_variance": torch.tensor(-math.inf)}
    made.train(LANES * 3)
    assert "explained_variance" not in made.metrics.names()
    assert len(made.metrics) == 3


def diverging(made, iterations):
    """Let the loss be no number in these iterations, and in every further try of them."""
    made.algorithm.loss = lambda collected: math.nan if collected in iterations else 0.5


def test_a_rollback_goes_on_from_the_last_good_checkpoint_with_other_numbers(tmp_path):
    made, events = trivial.trainer(tmp_path / "run", on_nan="rollback", rollback_learning_rate=0.5, seed=1), []
    made.on(RolledBack, events.append)
    faulty = {"left": 1}

    def loss(collected):
        if collected == 8 and faulty["left"]:
            faulty["left"] -= 1
            return math.nan
        return 0.5

    made.algorithm.loss = loss
    made.on(Progress, lambda event: made.save(made.run_dir) if event.steps == LANES * 5 else None)
    made.train(LANES * 12)
    assert [(event.steps, event.to) for event in events] == [(LANES * 7, LANES * 5)]
    assert "policy_loss is nan" in events[0].reason
    assert made.steps == LANES * 12
    assert made.status == "stopped"
    assert made.algorithm.learning_rate == 0.05
    changes = [(change["steps"], change["name"], change["new"]) for change in made.metrics.changes()]
    assert changes == [(LANES * 5, "learning_rate", 0.05)]
    smooth = trivial.trainer(tmp_path / "smooth", seed=1)
    smooth.train(LANES * 12)
    assert not torch.equal(made.algorithm.generator.get_state(), smooth.algorithm.generator.get_state())
    for metrics in (made.metrics, wb.read_metrics(made.run_dir)):
        assert metrics.series("policy_loss")[0].tolist() == [LANES * n for n in range(1, 13)]
    assert (made.run_dir / "faults" / f"{LANES * 7:015d}" / "fault.json").exists()


def test_rows_of_several_iterations_do_not_count_what_was_rolled_back(tmp_path):
    made, left = trivial.trainer(tmp_path / "run", on_nan="rollback"), [1]
    made.loop._pace.span = 4
    made.algorithm.loss = lambda collected: left.pop() * math.nan if collected == 8 and left else 0.5
    made.train(LANES * 12)
    for metrics in (made.metrics, wb.read_metrics(made.run_dir)):
        steps, iterations = metrics.series("iterations")
        assert steps.tolist() == [LANES * n for n in (4, 8, 12)]
        assert iterations.tolist() == [4, 4, 4]
        assert metrics.series("episodes")[1].tolist() == steps.tolist()


def test_rollbacks_end_when_they_do_not_help(tmp_path):
    made, events = trivial.trainer(tmp_path / "run", on_nan="rollback"), []
    made.on(RolledBack, events.append)
    diverging(made, {8})
    with pytest.raises(NumericsError, match=r"after step 14 policy_loss is nan; .*lower learning_rate, and go on from"):
        made.train(LANES * 12)
    assert len(events) == 3
    assert made.status == "failed"


def test_each_rollback_lowers_the_learning_rate_further(tmp_path):
    made, rates = trivial.trainer(tmp_path / "run", on_nan="rollback", rollback_learning_rate=0.5), []
    made.on(RolledBack, lambda event: rates.append(made.algorithm.learning_rate))
    diverging(made, {8})
    with pytest.raises(NumericsError):
        made.train(LANES * 12)
    assert rates == [0.05, 0.025, 0.0125]


def test_rollbacks_count_anew_once_the_run_has_got_beyond_the_fault(tmp_path):
    made, events = trivial.trainer(tmp_path / "run", on_nan="rollback", keep_last=1), []
    made.on(RolledBack, events.append)
    left = dict.fromkeys((5, 10, 15, 20), 2)

    def loss(collected):
        if left.get(collected, 0):
            left[collected] -= 1
            return math.nan
        return 0.5

    made.algorithm.loss = loss
    made.on(Progress, lambda event: made.save(made.run_dir) if event.steps % (4 * LANES) == 0 else None)
    made.train(LANES * 24)
    assert made.steps == LANES * 24
    assert [event.to for event in events] == [LANES * n for n in (4, 4, 8, 8, 12, 12, 16, 16)]


def test_a_faulty_environment_is_rolled_back_too(tmp_path):
    made, events = trainer(tmp_path / "run", on_nan="rollback"), []
    made.on(RolledBack, events.append)
    made.train(2 * ITERATION)
    step, left = made.env._step, [1]

    def faulty(*arguments):
        step(*arguments)
        if left[0]:
            left[0] -= 1
            made.env.reward[3] = np.nan

    made.env._step = faulty
    made.train(2 * ITERATION)
    assert [(event.steps, event.to) for event in events] == [(2 * ITERATION, 2 * ITERATION)]
    assert made.steps == 4 * ITERATION


def test_another_failure_stays_what_it_is(tmp_path):
    made, saved = trivial.trainer(tmp_path / "run", on_nan="rollback"), []
    made.on(CheckpointSaved, lambda event: saved.append(event.steps))

    def loss(collected):
        raise ZeroDivisionError("mine")

    made.train(LANES * 2)
    made.algorithm.loss = loss
    with pytest.raises(ZeroDivisionError, match=r"^mine$"):
        made.train(LANES * 2)
    assert saved[-1] == LANES * 2
    assert not (made.run_dir / "faults").exists()


def test_evidence_is_bounded(tmp_path):
    for steps in range(5):
        faults.keep_evidence(tmp_path, steps, {"steps": steps}, {"x": torch.zeros(2)})
    faults.keep_evidence(tmp_path, 4, {"steps": "again"}, {"x": torch.zeros(2)})
    assert sorted(path.name for path in (tmp_path / "faults").iterdir()) == [f"{n:015d}" for n in (2, 3, 4)]
    assert json.loads((tmp_path / "faults" / f"{4:015d}" / "fault.json").read_text()) == {"steps": "again"}


def test_evidence_of_several_processes_lies_side_by_side(tmp_path):
    for steps in range(4):
        for process in (0, 1):
            faults.keep_evidence(tmp_path, steps, {"process": process}, {"x": torch.zeros(2)}, process)
    assert sorted(path.name for path in (tmp_path / "faults").iterdir()) == [
        f"{steps:015d}{which}" for steps in (1, 2, 3) for which in ("", ".1")
    ]
    about = json.loads((tmp_path / "faults" / f"{3:015d}.1" / "fault.json").read_text())
    assert about == {"process": 1}
