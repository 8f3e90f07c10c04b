"""Acting and learning at once: the actor's lag is measured and corrected, and nothing races or stays behind."""

import threading
import traceback

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.errors import InputError, NotFiniteError
from workbench.events import Progress
from workbench.training.asynchronous import AsynchronousLearner

ITERATION = 8 * 16


@pytest.fixture
def build(tmp_path):
    made = []

    def build(run="run", **settings):
        algorithm = wb.PPO(**{"advantage": "vtrace", "horizon": 8, **settings})
        made.append(
            wb.Trainer("CartPole-v1", algorithm, backend="asynchronous", lanes=16, run_dir=tmp_path / run, seed=2)
        )
        return made[-1]

    yield build
    for trainer in made:
        trainer.close()
    assert not actors()


CHANNEL = "workbench-control"  # listens as long as its trainer lives


def actors():
    return [
        thread for thread in threading.enumerate() if thread.name.startswith("workbench") and thread.name != CHANNEL
    ]


class Turns:
    """Lets the actor finish so many rollouts when it is told to, and no other."""

    def __init__(self, learner):
        self.learner, self.allowed = learner, threading.Semaphore(0)
        collect = learner.source.collect

        def waiting(act):
            self.allowed.acquire()
            return collect(act)

        learner.source.collect = waiting

    def finish(self, count):
        before = len(self.learner._outcomes)
        for _ in range(count):
            self.allowed.release()
        with self.learner._changed:
            assert self.learner._changed.wait_for(lambda: len(self.learner._outcomes) == before + count, 60)

    def end(self):
        self.learner._halt.set()
        self.allowed.release()
        self.learner.hold()


def test_the_lag_is_the_gradient_steps_between_what_acted_and_what_learns(build):
    learner = build().loop.learner
    turns = Turns(learner)
    turns.allowed.release()
    learner.collect()  # of the first weights
    turns.finish(1)  # so is this one
    rows = [learner.learn()]
    learner.collect()
    turns.finish(3)  # the last two are of the weights after 16 steps, or all; the newest one is taken
    rows.append(learner.learn())
    learner.collect()
    rows.append(learner.learn())
    turns.end()
    assert [row["policy_lag"] for row in rows] == [0, 16, 16]
    assert [row["policy_lag_max"] for row in rows] == [0, 16, 16]
    assert [row["rollouts_dropped"] for row in rows] == [0, 0, 2]
    assert learner.dropped == 2


def test_dropped_rollouts_count_as_steps_and_episodes(build):
    learner = build().loop.learner
    turns = Turns(learner)
    turns.allowed.release()
    assert learner.collect().steps == ITERATION
    turns.finish(12)
    outcome = learner.collect()
    turns.end()
    assert outcome.steps == 12 * ITERATION
    assert len(outcome.returns) == len(outcome.lengths) > 0
    played = 13 * ITERATION + ITERATION  # one more, at the end
    assert outcome.lengths.sum() + learner.episodes.running_length.sum() <= played
    np.testing.assert_array_equal(outcome.returns, outcome.lengths)  # CartPole pays 1 a step


def test_a_newer_policys_log_probabilities_take_the_place_of_the_stored_ones(build):
    algorithm, rollout = lagged(build())
    with torch.no_grad():
        policy, value, _ = algorithm.model(rollout.observation.flatten(0, 1))
        now = policy.log_prob(rollout.action.flatten()).view_as(rollout.log_prob)
    prepared = algorithm.prepare(rollout)
    torch.testing.assert_close(prepared.log_prob, now)
    torch.testing.assert_close(prepared.value, value.view_as(now))
    assert (now - rollout.log_prob).abs().max() > 1e-3


def lagged(trainer):
    """Return an algorithm, and a rollout of its weights of 16 steps ago."""
    learner = trainer.loop.learner
    turns = Turns(learner)
    turns.allowed.release()
    learner.collect()
    turns.finish(1)
    learner.learn()
    learner.collect()
    turns.end()
    return learner.algorithm, learner._experience


def errors_of(algorithm, rollout):
    """Return the greatest difference of the targets from V-trace written out, in float64."""
    with torch.no_grad():
        policy, value, _ = algorithm.model(rollout.observation.flatten(0, 1))
        now = policy.log_prob(rollout.action.flatten()).view_as(rollout.log_prob)
        value = value.view_as(now).double()
        final = algorithm.model.value(rollout.final_observation).double()
        following = torch.cat([value[1:], algorithm.model.value(rollout.last_observation)[None].double()])
    following.view(-1)[rollout.final_index] = final
    rho = (now - rollout.log_prob).exp().double().clamp(max=1.0)
    trace, target = torch.zeros(value.shape[1], dtype=torch.float64), value.clone()
    for t in reversed(range(len(value))):
        goes_on, bootstraps = (~(rollout.terminated | rollout.truncated))[t], ~rollout.terminated[t]
        delta = rho[t] * (rollout.reward[t] + algorithm.gamma * bootstraps * following[t] - value[t])
        trace = delta + algorithm.gamma * algorithm.gae_lambda * rho[t] * goes_on * trace
        target[t] += trace
    return (algorithm.prepare(rollout).target - target).abs().max()


def test_targets_of_an_old_policys_rollout_are_vtraces(build):
    assert errors_of(*lagged(build())) < 1e-4


def test_a_missing_correction_is_seen(build, monkeypatch):
    algorithm, rollout = lagged(build())
    present = type(algorithm)._present
    monkeypatch.setattr(type(algorithm), "_present", lambda *given: (rollout.log_prob, present(*given)[1]))
    assert errors_of(algorithm, rollout) > 1e-2


def test_the_actor_has_weights_of_its_own_and_they_follow(build):
    learner = build().loop.learner
    own, learned = learner._actor.model, learner.algorithm.model
    learner.collect()
    learner.hold()
    assert all(a is not b for a, b in zip(own.parameters(), learned.parameters(), strict=True))
    learner.learn()
    assert any(not torch.equal(a, b) for a, b in zip(own.parameters(), learned.parameters(), strict=True))
    learner.collect()
    learner.hold()
    assert all(torch.equal(a, b) for a, b in zip(own.parameters(), learned.parameters(), strict=True))


def test_the_actor_goes_on_while_the_learner_learns(build):
    trainer = build(epochs=1)
    learner = trainer.loop.learner
    turns = Turns(learner)
    update, passed = learner.algorithm.update, []

    def slow(batch):
        turns.finish(1)  # would wait in vain if the actor waited for the learner
        passed.append(batch)
        return update(batch)

    learner.algorithm.update = slow
    turns.allowed.release()
    learner.collect()
    learner.learn()
    turns.end()
    assert len(passed) == learner.algorithm.minibatches


def test_lag_and_drops_are_in_the_rows_and_no_thread_stays(build):
    trainer = build()
    rows = []
    trainer.on(Progress, lambda event: rows.append(event.row))
    trainer.train(40 * ITERATION)
    assert not actors()
    assert all(row["policy_lag_max"] >= row["policy_lag"] >= 0 and row["rollouts_dropped"] >= 0 for row in rows)
    assert {"policy_lag", "policy_lag_max", "rollouts_dropped"} <= set(wb.read_metrics(trainer.run_dir).names())
    assert trainer.steps >= 40 * ITERATION


def test_a_checkpoint_holds_the_environment_between_two_rollouts_and_is_loaded_asynchronous(build):
    trainer = build()
    trainer.train(5 * ITERATION)
    loaded = wb.load(trainer.run_dir)
    assert loaded.backend == "asynchronous"
    assert isinstance(loaded.loop.learner, AsynchronousLearner)
    buffers, kept = trainer.env.buffers, loaded.env.buffers
    np.testing.assert_array_equal(buffers.state, kept.state)
    np.testing.assert_array_equal(buffers.random, kept.random)
    assert trainer.loop.source.collected == loaded.loop.source.collected
    assert loaded.loop.source.collected % 8 == 0
    generators = (each.algorithm.action_generator.get_state() for each in (trainer, loaded))
    assert torch.equal(*generators)
    np.testing.assert_array_equal(trainer.loop.running.running_length, buffers.elapsed)
    loaded.train(3 * ITERATION)
    loaded.close()


def test_nothing_runs_while_it_is_evaluated_saved_or_paused(build, tmp_path):
    trainer = build()
    seen = []

    def look(event):
        trainer.evaluate(3)
        seen.append(len(actors()))
        trainer.save(tmp_path / "copy")
        seen.append(len(actors()))

    trainer.on(Progress, look)
    trainer.train(3 * ITERATION)
    assert seen
    assert not any(seen)
    paused = threading.Event()
    trainer.on(Progress, lambda event: (trainer.pause(), paused.set()))
    trainer.start(10**9)
    assert paused.wait(60)
    trainer.evaluate(3)  # answered in the pause
    assert trainer.status == "paused"
    assert [thread.name for thread in actors()] == ["workbench CartPole-v1"]  # the training thread alone
    trainer.stop()
    trainer.wait(60)
    assert not actors()


def test_a_failing_actor_surfaces_with_its_traceback_and_can_go_on(build):
    trainer = build()
    step, left = trainer.env.step, [20]

    def faulty(action):
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("the cart is gone")
        return step(action)

    trainer.env.step = faulty
    with pytest.raises(RuntimeError, match="the cart is gone") as found:
        trainer.train(10**6)
    assert "faulty" in "".join(traceback.format_exception(found.value))
    assert trainer.status == "failed"
    assert not actors()
    trainer.train(ITERATION)
    assert trainer.status == "stopped"


def test_a_number_that_is_none_names_lane_and_step_and_a_failing_learner_ends_the_actor(build):
    trainer = build()
    step = trainer.env._step

    def bad(*arguments):
        step(*arguments)
        trainer.env.reward[3] = np.nan

    trainer.env._step = bad
    with pytest.raises(NotFiniteError, match="reward of lane 3 is nan"):
        trainer.train(10**6)
    trainer.env._step = step

    def failing(batch):
        raise RuntimeError("no update today")

    trainer.algorithm.update = failing
    with pytest.raises(RuntimeError, match="no update today"):
        trainer.train(10**6)
    assert not actors()


def test_what_it_does_not_fit_is_refused(build, tmp_path):
    with pytest.raises(InputError, match=r"needs PPO\.advantage='vtrace', for old policies want the correction"):
        build(advantage="gae")
    with pytest.raises(InputError, match=r"needs PPO\.normalise_return=False"):
        build(normalise_return=True)

    class Other(wb.PPO):
        pass

    with pytest.raises(InputError, match=r"trains PPO\(advantage='vtrace'\), not Other; pass backend='auto'"):
        wb.Trainer("CartPole-v1", Other, backend="asynchronous", run_dir=tmp_path / "other")


@pytest.mark.learning
def test_it_solves_cartpole(tmp_path):
    trainer = wb.Trainer(
        "CartPole-v1", wb.PPO(advantage="vtrace"), seed=1, backend="asynchronous", run_dir=tmp_path / "run"
    )
    trainer.train(6_000_000, target_return=475.0)
    assert trainer.evaluate(episodes=100, seed=1001).mean >= 475.0
    assert trainer.metrics.series("policy_lag")[1].max() > 0
    trainer.close()
