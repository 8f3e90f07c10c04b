"""The native learner against torch's: weights, losses, gradients and checkpoints; and the environment's own steps."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numba
import numpy as np
import pytest
import torch

import workbench as wb
from tests.algorithms import onestate
from workbench.algorithms import PPO
from workbench.backends import HONOURED, objection
from workbench.backends.native import BLOCKS, NativeLearner
from workbench.data import Batch
from workbench.envs import NativeVectorEnvironment, make
from workbench.errors import CheckpointError, EnvironmentFaultError, InputError
from workbench.hyperparameters import declared
from workbench.spec import spec_of
from workbench.training.learner import TorchLearner
from workbench.training.seeding import seeds_from
from workbench_kernels.envs import make as kernel
from workbench_kernels.learner.rollout import TERMINATED, TRUNCATED
from workbench_kernels.learner.tiles import LANES
from workbench_kernels.targets import learning

CPU = torch.device("cpu")


def native(env, lanes=70, seed=0, workers=2, **settings):
    env = make(env, lanes)
    algorithm, seeds = PPO(**settings), seeds_from(seed)
    assert objection(algorithm, env, CPU) is None
    algorithm.setup(spec_of(env), CPU, seeds)
    return NativeLearner(algorithm, env, seeds["environment"], workers)


def rollout_of(learner):
    """What was remembered, as torch's learner keeps it: [T, B, ...]."""
    horizon, lanes, tiles = learner.algorithm.horizon, learner.source.env.lanes, learner._tiles

    def ordered(x):
        x = x.reshape(tiles, horizon, -1, LANES).permute(1, 0, 3, 2)
        return x.reshape(horizon, tiles * LANES, -1)[:, :lanes].clone()

    fields = {name: ordered(x) for name, x in learner.evidence().items()}
    single = [name for name in fields if name != "observation" and fields[name].shape[-1] == 1]
    discrete = fields["action"].dtype == torch.int32
    fields |= {name: fields[name].squeeze(-1) for name in single if discrete or name != "action"}
    if discrete:
        fields["action"] = fields["action"].long()
    return Batch(**fields)


@pytest.fixture(params=["CartPole-v1", "Pendulum-v1"])
def env(request):
    return request.param


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
@pytest.mark.parametrize("depth", [1, 3])
def test_losses_gradients_and_updates_are_torchs(env, depth, activation):
    learner = native(env, horizon=5, epochs=1, minibatches=1, width=32, depth=depth, activation=activation)
    algorithm = learner.algorithm
    with torch.no_grad():
        for parameter in algorithm.model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    learner.collect()
    rollout = rollout_of(learner)
    policy, value, _ = algorithm.model(rollout.observation.flatten(0, 1))
    torch.testing.assert_close(
        policy.log_prob(rollout.action.flatten(0, 1)), rollout.log_prob.flatten(), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(value, rollout.value.flatten(), atol=1e-5, rtol=1e-5)
    # Old policies, so that some ratios are clipped.
    learner.blocks[2][:] += 0.3 * np.random.default_rng(0).normal(size=len(learner.blocks[2])).astype(np.float32)
    rollout = rollout_of(learner)
    batch = Batch(**{name: x.flatten(0, 1) for name, x in rollout.fields.items()})
    before = learner.parameters.copy()
    ours = learner.learn()
    norms = learner.gradient_norms()
    gradient, after = learner._gradient[: learner._size].copy(), learner.parameters.copy()
    learner.parameters[:] = before
    learner._means[:] = learner._squares[:] = 0
    for state in algorithm.optimiser.state.values():
        state["step"].zero_()
    theirs = {name: float(x) for name, x in algorithm.update(batch).items()}
    assert 0.05 < theirs["clip_fraction"] < 0.95
    assert ours == pytest.approx({name: theirs[name] for name in ours}, rel=1e-5, abs=1e-5)
    norm = theirs["gradient_norm"]
    assert norm > algorithm.max_gradient_norm
    wanted = (
        np.concatenate([p.grad.numpy().ravel() for p in learner._ordered]) * (norm + 1e-6) / algorithm.max_gradient_norm
    )
    np.testing.assert_allclose(gradient, wanted, atol=1e-5 * max(1.0, np.abs(wanted).max()))
    told = TorchLearner.gradient_norms(SimpleNamespace(algorithm=algorithm))
    assert [norms[p] for p in learner._ordered] == pytest.approx([told[p] for p in learner._ordered], rel=1e-5)
    np.testing.assert_allclose(after, learner.parameters, atol=2e-6)
    assert np.abs(after - before).max() > 1e-3


def test_rollouts_are_the_environments_own_steps(env):
    learner = native(env, lanes=70, horizon=260, minibatches=1)
    twin = make(env, 70)
    twin.reset(seed=seeds_from(0)["environment"])
    finished, running, length = [], np.zeros(70), np.zeros(70, int)
    found = []
    for _ in range(2):
        outcome = learner.collect()
        assert outcome.steps == 70 * 260
        found += zip(outcome.returns.tolist(), outcome.lengths.tolist(), strict=True)
        rollout = rollout_of(learner)
        finals = []
        for t in range(260):
            np.testing.assert_array_equal(rollout.observation[t], twin.observation)
            outward = learner.algorithm.model.policy.outward(rollout.action[t]).numpy()
            _, reward, terminated, truncated, _ = twin.step(outward)
            np.testing.assert_allclose(rollout.reward[t], reward, atol=1e-5)
            np.testing.assert_array_equal(rollout.end[t] == TERMINATED, terminated)
            np.testing.assert_array_equal(rollout.end[t] == TRUNCATED, truncated & ~terminated)
            running += reward
            length += 1
            for lane in np.flatnonzero(terminated | truncated):
                finished.append((running[lane], length[lane]))
                running[lane], length[lane] = 0, 0
            finals.append(torch.from_numpy(twin.final_observation.copy()))
        check_advantages(learner, rollout, finals, twin)
    assert len(finished) > 70
    np.testing.assert_allclose(found, finished, rtol=1e-5)


def check_advantages(learner, rollout, finals, twin):
    """Against the torch kernels, with values of the observations that episodes were cut at."""
    import workbench.functional as F

    algorithm = learner.algorithm
    with torch.no_grad():
        last = algorithm.model.value(torch.from_numpy(twin.observation.copy()))
        final = torch.stack([algorithm.model.value(x) for x in finals])
    following = torch.cat([rollout.value[1:], last[None]])
    cut = rollout.end == TRUNCATED
    assert cut.any() or twin.time_limit > 260
    following = torch.where(cut, final, following)
    advantage = F.gae(
        rollout.reward, rollout.value, following, rollout.end == TERMINATED, cut, algorithm.gamma, algorithm.gae_lambda
    )
    torch.testing.assert_close(rollout.advantage, advantage, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(rollout.target, advantage + rollout.value, atol=2e-4, rtol=1e-4)


def test_a_time_limit_does_not_end_the_world_and_termination_does():
    """The one-state MDP: V -> 1 / (1 - gamma) if truncated, (1 - gamma^T) / (1 - gamma) if terminated."""
    gamma = 0.5
    # Seen by its age, the state at the limit would be worth what the network guesses: nothing acts from there.
    ageless = replace(onestate.truncating, id="Ageless-v0", observe=onestate.observe_nothing)
    for environment, wanted in (
        (ageless, np.full(onestate.LIMIT, 1 / (1 - gamma))),
        (onestate.terminating, (1 - gamma ** np.arange(onestate.LIMIT, 0, -1.0)) / (1 - gamma)),
    ):
        settings = {"epochs": 8, "gamma": gamma, "learning_rate": 3e-3, "learning_rate_schedule": "linear"}
        learner = native(environment, lanes=64, horizon=20, gae_lambda=0.9, **settings)
        for n in range(150):
            learner.algorithm.clock = (n, 150)
            learner.collect()
            learner.learn()
        ages = torch.arange(onestate.LIMIT, dtype=torch.float32)[:, None] * (environment is not ageless)
        with torch.no_grad():
            np.testing.assert_allclose(learner.algorithm.model.value(ages), wanted, atol=0.05)


def test_what_is_prepared_is_what_training_calls(env):
    learner = native(env, lanes=64, horizon=8)
    compiled = learner._rollout, learner._learn
    learner.prepare()
    before = [list(each.signatures) for each in compiled]
    learner.collect()
    learner.learn()
    assert before == [list(each.signatures) for each in compiled]
    assert all(before)


def test_registers_are_stored_whole(env, monkeypatch, tmp_path):
    """A store to some lanes only takes 20 times as long where there is no AVX-512."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # what is found in a cache has no listing
    learning.compile_rollout.cache_clear()
    learning.compile_learn.cache_clear()
    learner = native(env, lanes=64, horizon=8)
    learner.prepare()
    for compiled in (learner._rollout, learner._learn):
        (listing,) = compiled.inspect_asm().values()
        parts = re.split(r"^(?=[^.\s]\S*:$)", listing, flags=re.MULTILINE)
        found = [part.split(":", 1)[0] for part in parts if "maskmov" in part]
        assert [name for name in found if "targets6matrix" not in name] == []  # that one's is for no factors at all


def test_a_rollout_is_shown_in_the_order_of_time_though_updates_turn_it(env):
    learner = native(env, lanes=64, horizon=8)
    for _ in range(2):
        learner.collect()
        kept = {name: x.clone() for name, x in learner.evidence().items()}
        for name, x in zip(BLOCKS, learner.transitions, strict=True):
            np.testing.assert_array_equal(kept[name], x)
        learner.learn()
        assert (kept["observation"].numpy() != learner.transitions[0]).any()
        for name, x in learner.evidence().items():
            assert torch.equal(x, kept[name]), name


def test_the_number_of_threads_changes_no_bit(env):
    results = []
    for workers in (1, 2, 3):
        learner = native(env, lanes=200, horizon=16, workers=workers)
        rows = []
        for _ in range(5):
            outcome = learner.collect()
            rows.append((learner.learn(), outcome.returns.tolist()))
        results.append((learner.parameters.tobytes(), rows))
        learner.close()
    assert results[0] == results[1] == results[2]


def test_weights_and_adams_state_are_torchs_own_memory(env):
    learner = native(env, lanes=64, horizon=8)
    learner.collect()
    learner.learn()
    model, optimiser = learner.algorithm.model, learner.algorithm.optimiser
    for state in (optimiser.state[p] for p in model.parameters()):
        assert float(state["step"]) == learner.algorithm.epochs * learner.algorithm.minibatches
        assert state["exp_avg"].abs().sum() > 0
    before = learner.parameters.copy()
    with torch.no_grad():
        model.head.bias += 1.0
    assert (learner.parameters - before).sum() == pytest.approx(model.head.bias.numel())
    before = learner.parameters.copy()
    model.load_state_dict({name: x + 1 for name, x in model.state_dict().items()})
    np.testing.assert_array_equal(learner.parameters, before + 1)
    kept = optimiser.state_dict()
    means = learner._means.copy()
    learner._means[:] = 0
    for each in kept["state"].values():
        each["exp_avg"] = torch.ones_like(each["exp_avg"])
    optimiser.load_state_dict(kept)
    assert (learner._means == 1).all()
    assert means.any()


@pytest.mark.parametrize("first", ["native", "torch"])
def test_either_backend_goes_on_with_the_others_checkpoint(env, first, tmp_path):
    trainer = wb.Trainer(env, wb.PPO(horizon=16), seed=3, lanes=64, run_dir=tmp_path / "run", backend=first)
    trainer.train(16 * 64 * 3)
    state = {name: x.clone() for name, x in trainer.algorithm.model.state_dict().items()}
    other = "torch" if first == "native" else "native"
    import json

    description = json.loads((tmp_path / "run" / "run.json").read_text())
    assert description["learner"] == first
    (tmp_path / "run" / "run.json").write_text(json.dumps(description | {"learner": other}))
    loaded = wb.load(tmp_path / "run")
    assert loaded.backend == other
    for name, x in loaded.algorithm.model.state_dict().items():
        assert torch.equal(x, state[name])
    np.testing.assert_array_equal(loaded.env.buffers.state, trainer.env.buffers.state)
    steps = [float(s["step"]) for s in loaded.algorithm.optimiser.state.values()]
    assert steps == [3.0 * 16] * len(steps)
    loaded.train(16 * 64 * 2)
    assert loaded.steps == trainer.steps + 16 * 64 * 2
    trainer.close()
    loaded.close()


def test_resumed_is_uninterrupted(env, tmp_path):
    whole = wb.Trainer(env, wb.PPO(horizon=8), seed=2, lanes=100, run_dir=tmp_path / "whole", backend="native")
    whole.train(800 * 6)
    part = wb.Trainer(env, wb.PPO(horizon=8), seed=2, lanes=100, run_dir=tmp_path / "part", backend="native")
    part.train(800 * 2)
    part.close()
    rest = wb.load(tmp_path / "part")
    assert rest.backend == "native"
    rest.train(800 * 4)
    for name, x in whole.algorithm.model.state_dict().items():
        assert torch.equal(x, rest.algorithm.model.state_dict()[name])
    assert whole.loop.recent == rest.loop.recent
    whole.close()
    rest.close()


@pytest.mark.parametrize("what", ["observation", "reward"])
def test_numbers_that_are_none_are_named(what, monkeypatch):
    learner = native("CartPole-v1", lanes=70, horizon=4)
    b = learner.source.env.buffers
    if what == "observation":
        b.observation[2, 66] = np.nan
        place = "observation of lane 66 is .*nan.* at step 0"
    else:
        take = learner._rollout

        def faulty(*arguments):
            take(*arguments)
            learner.blocks[4][(1 * 4 + 3) * LANES + 2] = np.inf
            learner._doubt[66] = np.nan

        learner._rollout = faulty
        place = "reward of lane 66 is inf at step 3"
    with pytest.raises(EnvironmentFaultError, match=place):
        learner.collect()


def test_it_says_where_it_does_not_apply(tmp_path):
    env = make("CartPole-v1", 4)
    assert objection(PPO(), env, CPU) is None
    assert objection(PPO(epochs=1, gamma=0.9, learning_rate_schedule="linear", width=48), env, CPU) is None
    for settings, word in (
        ({"network": "lstm"}, "PPO.network='mlp' only, not 'lstm'"),
        ({"width": 40}, "PPO.width=40 is no multiple of 16"),
        ({"update_rule": "muon"}, "PPO.update_rule='adam' only"),
    ):
        assert word in objection(PPO(**settings), env, CPU)
    assert "images" in objection(PPO(), make("MinAtar/Breakout-v1", 4), CPU)
    assert "not stepped by kernels" in objection(PPO(), make("CartPole-v1", 4, backend="serial"), CPU)
    assert "no CPU" in objection(PPO(), env, torch.device("meta"))
    with pytest.raises(InputError, match=r"backend='native' does not apply, because it knows PPO.network='mlp' only"):
        wb.Trainer("CartPole-v1", wb.PPO(network="gru"), backend="native", run_dir=tmp_path / "run")
    trainer = wb.Trainer("CartPole-v1", wb.PPO(network="gru"), run_dir=tmp_path / "run")
    assert trainer.backend == "torch"
    assert "torch" in repr(trainer)
    trainer.close()


def test_every_hyperparameter_that_it_honours_is_declared():
    assert set(declared(PPO)) >= HONOURED


@pytest.mark.parametrize("name", [name for name, each in declared(PPO).items() if each.live])
def test_a_live_hyperparameter_takes_effect_or_is_refused(name, tmp_path):
    ends = []
    for changed in (False, True):
        run_dir = tmp_path / str(changed)
        trainer = wb.Trainer("CartPole-v1", PPO(horizon=8), lanes=64, seed=3, backend="native", run_dir=run_dir)
        trainer.train(8 * 64)
        value = getattr(trainer.algorithm, name)
        if changed and name not in HONOURED:
            with pytest.raises(InputError, match=rf"PPO.{name}=1\.0 cannot change .* pass backend='torch'"):
                setattr(trainer.algorithm, name, 1.0)
        elif changed:
            setattr(trainer.algorithm, name, value / 2)
        trainer.train(8 * 64)
        trainer.close()
        ends.append(trainer.loop.learner.parameters.copy())
    effective = name in HONOURED - {"rho_clip", "c_clip", "kl_target", "priority_correction"}
    assert np.array_equal(*ends) != effective


def test_a_run_that_torch_went_on_with_otherwise_is_not_resumed_here(tmp_path):
    trainer = wb.Trainer("CartPole-v1", PPO(horizon=8), lanes=64, backend="torch", run_dir=tmp_path / "run")
    trainer.train(8 * 64)
    trainer.algorithm.kl_stop = 0.5
    trainer.train(8 * 64)
    trainer.close()
    algorithm = PPO(horizon=8)
    with pytest.raises(CheckpointError, match=r"PPO.kl_stop=0.5 cannot change .* pass backend='torch'.*[a-z]\.$"):
        wb.Trainer("CartPole-v1", algorithm, lanes=64, run_dir=tmp_path / "run", resume="auto")
    again = wb.Trainer("CartPole-v1", algorithm, lanes=64, backend="torch", run_dir=tmp_path / "run", resume="auto")
    assert (again.steps, again.algorithm.kl_stop) == (2 * 8 * 64, 0.5)
    again.close()


def test_threads_end_with_the_trainer(tmp_path):
    import threading

    before = set(threading.enumerate())
    trainer = wb.Trainer("CartPole-v1", wb.PPO(), lanes=256, run_dir=tmp_path / "run", backend="native")
    trainer.train(256 * 32 * 2)
    trainer.close()
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("which", ["learning_rate_schedule", "entropy_schedule"])
def test_schedules_are_honoured(which):
    moves = {}
    for schedule, done in (("constant", 75), ("linear", 75), ("linear", 0)):
        settings = {which: schedule, "learning_rate": 1e-2, "entropy_coefficient": 0.5}
        # Adam's first step says no more of a gradient than its sign.
        epochs = 1 if which == "learning_rate_schedule" else 8
        learner = native("CartPole-v1", lanes=64, horizon=4, epochs=epochs, minibatches=1, **settings)
        learner.algorithm.clock = (done, 100)
        learner.collect()
        before = learner.parameters.copy()
        row = learner.learn()
        if which == "learning_rate_schedule":
            assert row["learning_rate"] == pytest.approx(1e-2 if schedule == "constant" or done == 0 else 2.5e-3)
        moves[schedule, done] = learner.parameters - before
    constant, late, early = moves.values()
    np.testing.assert_array_equal(early, constant)
    if which == "learning_rate_schedule":
        np.testing.assert_allclose(late, constant / 4, atol=1e-6)
    else:
        assert np.abs(late - constant).max() > 1e-3


@pytest.mark.parametrize(("lanes", "horizon", "minibatches"), [(64, 32, 20), (128, 5, 6), (16, 8, 8)])
def test_an_epoch_has_as_many_minibatches_as_were_asked_for(lanes, horizon, minibatches):
    learner = native("CartPole-v1", lanes, horizon=horizon, epochs=3, minibatches=minibatches)
    learner.collect()
    learner.learn()
    (step,) = {float(state["step"]) for state in learner.algorithm.optimiser.state.values()}
    assert step == 3 * minibatches


@pytest.mark.parametrize("centre", [0.0, 1e4])
def test_the_explained_variance_does_not_hang_on_where_the_targets_are(centre):
    learner = native("CartPole-v1", lanes=64, horizon=16, epochs=1, minibatches=1)
    learner.collect()
    target, value = learner.blocks[7].astype(np.float64), learner.blocks[3].astype(np.float64)
    expected = 1 - (target - value).var() / target.var()
    learner.blocks[7][:] += np.float32(centre)
    assert learner.learn()["explained_variance"] == pytest.approx(expected, abs=0.01)


class Shaped(NativeVectorEnvironment):
    """Rewards a hundredth."""

    def step(self, actions):
        out = super().step(actions)
        self.reward[...] *= 0.01
        return out


def test_what_a_subclass_does_is_not_passed_over(tmp_path):
    trainer = wb.Trainer(Shaped(kernel("CartPole-v1"), 64), PPO(horizon=8), run_dir=tmp_path / "run")
    assert trainer.backend == "torch"
    trainer.train(8 * 64 * 10)
    assert trainer.metrics.last("episode_return") < 10.0
    trainer.close()
    assert "not stepped by kernels" in objection(
        PPO(), NativeVectorEnvironment(kernel("CartPole-v1"), 4, target="python"), CPU
    )
    with pytest.raises(InputError, match=r"does not reset lanes that end; build it with autoreset=True"):
        wb.Trainer(NativeVectorEnvironment(kernel("CartPole-v1"), 4, autoreset=False), run_dir=tmp_path / "other")


def test_auto_leaves_wide_layers_to_torch_and_native_takes_them(tmp_path):
    for backend, taken in (("auto", "torch"), ("native", "native")):
        run_dir = tmp_path / backend
        trainer = wb.Trainer("CartPole-v1", PPO(width=1024, depth=1), lanes=4, backend=backend, run_dir=run_dir)
        assert trainer.backend == taken
        trainer.close()


def test_without_compiled_kernels_auto_takes_torch(tmp_path):
    script = f"""
import workbench as wb
trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=4), lanes=4, run_dir={str(tmp_path / "run")!r})
assert trainer.backend == "torch"
trainer.train(64)
"""
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"})


def test_a_backend_that_is_unknown_is_answered_with_those_of_the_trainer(tmp_path):
    known = "'auto', 'native', 'torch', 'asynchronous', 'serial', 'threads', 'processes'"
    with pytest.raises(InputError, match=f"backend='naitive' is unknown; choose {known}"):
        wb.Trainer("CartPole-v1", backend="naitive", run_dir=tmp_path / "run")


def test_an_interrupt_between_the_threads_leaves_none_of_them_waiting(monkeypatch):
    learner = native("CartPole-v1", lanes=256, horizon=4, workers=2)
    learner.collect()

    def interrupted(leads, *arguments):
        if leads:
            raise KeyboardInterrupt
        return original(leads, *arguments)

    original = learner._learn
    monkeypatch.setattr(learner, "_learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learner.learn()
    monkeypatch.undo()
    learner.collect()
    assert np.isfinite(learner.learn()["value_loss"])
    learner.close()


def test_a_closed_trainer_may_go_on(tmp_path):
    trainer = wb.Trainer("CartPole-v1", PPO(horizon=8), lanes=256, run_dir=tmp_path / "run", backend="native")
    trainer.train(8 * 256)
    trainer.close()
    trainer.train(8 * 256)
    assert trainer.steps == 2 * 8 * 256
    trainer.close()
