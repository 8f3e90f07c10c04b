"""SAC's parts against naive ones: its losses and their gradients, its values, what it explores, and how it resumes."""

import math

import gymnasium
import numpy as np
import pytest
import torch

import workbench as wb
from tests.algorithms import softproblems
from tests.algorithms.softproblems import AGES, GAMMA, trained
from tests.training.test_resume import assert_same
from workbench.algorithms import SAC
from workbench.data import Batch
from workbench.envs.native import NativeVectorEnvironment
from workbench.errors import InputError
from workbench.events import Progress
from workbench.networks.soft import Ensemble
from workbench.spaces import SpaceTree
from workbench.spec import EnvironmentSpec
from workbench.training.seeding import seeds_from

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ready(action, components=3, seed=0, **settings):
    """Return an algorithm that is set up for rows of `components` numbers."""
    algorithm = SAC(**{"width": 16, "activation": "tanh"} | settings)
    observation = gymnasium.spaces.Box(-1, 1, (components,), np.float32)
    algorithm.setup(EnvironmentSpec(SpaceTree(observation), action, 4), CPU, seeds_from(seed))
    return algorithm


DISCRETE, NUMBERS = gymnasium.spaces.Discrete(4), gymnasium.spaces.Box(-2, 2, (2,), np.float32)


def transitions(discrete, count=32, seed=0, **more):
    draw = torch.Generator().manual_seed(seed)
    normal = [torch.randn(count, 3, generator=draw) for _ in range(2)]
    choices, numbers = torch.randint(4, (count,), generator=draw), 2 * torch.rand(count, 2, generator=draw) - 1
    action = choices if discrete else numbers
    reward, discount = torch.randn(count, generator=draw), 0.9 * torch.randint(2, (count,), generator=draw)
    return Batch(
        observation=normal[0], next_observation=normal[1], action=action, reward=reward, discount=discount, **more
    )


# One state: a time limit is no part of it.

ALPHA = 0.1
BONUS = ALPHA * math.log(2.0)


def one_state_value(terminates, n_step=1):
    algorithm = trained(
        softproblems.one_state(terminates), updates=300, batch=64, temperature=ALPHA, random_steps=0, n_step=n_step
    )
    with torch.no_grad():
        return algorithm.model.critic(torch.ones(1, 1)).numpy()


def fixed_point(n, terminates):
    """Return Q, if all ages of an episode are seen as often, and a return has n steps or those up to its end.

    Rewards of later steps count without the entropy of their policy.
    """
    constant = slope = 0.0
    for age in range(AGES):
        m = min(n, AGES - age)
        constant += sum(GAMMA**k for k in range(m)) / AGES
        slope += 0.0 if terminates and age + m == AGES else GAMMA**m / AGES
    return (constant + slope * BONUS) / (1.0 - slope)


@pytest.mark.parametrize("n_step", [1, 3])
def test_a_time_limit_bootstraps(n_step):
    expected = fixed_point(n_step, terminates=False)
    assert n_step == 3 or expected == pytest.approx((1.0 + GAMMA * BONUS) / (1.0 - GAMMA))
    np.testing.assert_allclose(one_state_value(terminates=False, n_step=n_step), expected, atol=0.1)


@pytest.mark.parametrize("n_step", [1, 3])
def test_a_termination_does_not(n_step):
    expected = fixed_point(n_step, terminates=True)
    assert abs(expected - fixed_point(n_step, terminates=False)) > 1.0
    np.testing.assert_allclose(one_state_value(terminates=True, n_step=n_step), expected, atol=0.1)


def test_a_truncation_taken_for_a_termination_is_noticed(monkeypatch):
    step = NativeVectorEnvironment.step

    def merged(self, actions):
        result = step(self, actions)
        self.terminated |= self.truncated
        return result

    monkeypatch.setattr(NativeVectorEnvironment, "step", merged)
    np.testing.assert_allclose(one_state_value(terminates=False), fixed_point(1, terminates=True), atol=0.1)


# The losses and their gradients.


def naive_losses(algorithm, batch):
    """Return SAC's three losses as the papers write them, each critic by itself; noise as the algorithm draws it."""
    model, generator = algorithm.model, torch.Generator()
    generator.set_state(algorithm.action_generator.get_state())
    alpha = model.log_temperature.detach().exp()

    def single(critics, k, observation, action):
        """Return the values [N] of critic k, through dense layers of its own."""
        x = observation if algorithm._discrete else torch.cat([observation, action], 1)
        layers = list(zip(critics.ensemble.weight, critics.ensemble.bias, strict=True))
        for j, (weight, bias) in enumerate(layers):
            x = torch.nn.functional.linear(x, weight[k].T, bias[k, 0])
            x = torch.tanh(x) if j < len(layers) - 1 else x
        return x.gather(1, action[:, None])[:, 0] if algorithm._discrete else x[:, 0]

    def soft_value(critics, observation, mask):
        policy = model.actor(observation, mask)
        if not algorithm._discrete:
            action, log_prob = policy.rsample(generator)
            values = torch.stack([single(critics, k, observation, action) for k in range(2)])
            return values.min(0).values - alpha * log_prob, -log_prob
        total = torch.zeros(len(observation))
        for choice in range(policy.log_probs.shape[1]):
            action = torch.full((len(observation),), choice)
            values = torch.stack([single(critics, k, observation, action) for k in range(2)])
            log_prob = policy.log_prob(action)
            total = total + log_prob.exp() * (values.min(0).values - alpha * log_prob)
        return total, policy.entropy()

    masks = [batch.fields.get(name) for name in ("action_mask", "next_action_mask")]
    with torch.no_grad():
        target = batch.reward + batch.discount * soft_value(model.target, batch.next_observation, masks[1])[0]
    weight = torch.ones(len(target))
    if "probability" in batch.fields:
        weight = batch.probability**-algorithm.priority_correction
        weight = weight / weight.max()
    values = [single(model.critic, k, batch.observation, batch.action) for k in range(2)]
    value_loss = sum((weight * (q - target) ** 2).mean() / 2 for q in values)
    soft, entropy = soft_value(model.critic, batch.observation, masks[0])
    desired = -2.0 * torch.ones(())
    if algorithm._discrete:
        legal = torch.full((len(target),), 4.0) if masks[0] is None else masks[0].sum(1)
        desired = algorithm.target_fraction * legal.log()
    temperature_loss = model.log_temperature * (entropy.detach() - desired).mean()
    return -soft.mean(), value_loss, temperature_loss, torch.stack(values) - target


CASES = {
    "discrete": (DISCRETE, {}),
    "numbers": (NUMBERS, {}),
    "priorities": (NUMBERS, {"priority": 0.6}),
    "masked": (DISCRETE, {"target_fraction": 0.3}),
    "hot": (NUMBERS, {"temperature": 20.0}),
}


def case(name):
    action, settings = CASES[name]
    algorithm = ready(action, **settings)
    more = {}
    draw = torch.Generator().manual_seed(5)
    if "priority" in settings:
        more["probability"] = torch.rand(32, generator=draw) + 0.01
    if name == "masked":
        for field in ("action_mask", "next_action_mask"):
            more[field] = torch.rand(32, 4, generator=draw) < 0.6
            more[field][:, 0] |= ~more[field].any(1)
    batch = transitions(action is DISCRETE, **more)
    if name == "masked":
        batch.fields["action"] = batch.action_mask.float().argmax(1)
    for x in algorithm.model.actor.parameters():  # away from the uniform start
        x.data += 0.3 * torch.randn(x.shape, generator=draw)
    for x in algorithm.model.target.parameters():
        x.data += 0.1 * torch.randn(x.shape, generator=draw)
    return algorithm, batch


@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients_are_those_of_the_papers(name):
    """Each part's gradient is that of its own loss: the policy's moves no critic, nothing else moves alpha."""
    algorithm, batch = case(name)
    model = algorithm.model
    policy_loss, value_loss, temperature_loss, error = naive_losses(algorithm, batch)
    parts = {"actor": (policy_loss, model.actor), "critic": (value_loss, model.critic)}
    expected = {
        key: torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
        for key, (loss, module) in parts.items()
    }
    (slope,) = torch.autograd.grad(temperature_loss, model.log_temperature)
    log = algorithm.update(batch)
    assert log["policy_loss"] == pytest.approx(float(policy_loss.detach()), rel=1e-5)
    assert log["value_loss"] == pytest.approx(float(value_loss.detach()), rel=1e-5)
    for key, (_, module) in parts.items():
        for found, gradient in zip(module.parameters(), expected[key], strict=True):
            torch.testing.assert_close(found.grad, gradient, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model.log_temperature.grad, slope)
    torch.testing.assert_close(algorithm._error, error.detach().abs(), rtol=1e-4, atol=1e-5)
    assert all(x.grad is None for x in model.target.parameters())


def test_targets_follow_by_their_share():
    algorithm, batch = case("numbers")
    before = [x.clone() for x in algorithm.model.target.parameters()]
    algorithm.polyak = 0.25
    algorithm.update(batch)
    for old, now, fast in zip(
        before, algorithm.model.target.parameters(), algorithm.model.critic.parameters(), strict=True
    ):
        torch.testing.assert_close(now, old + 0.25 * (fast - old))


@pytest.mark.parametrize("action", [DISCRETE, NUMBERS])
def test_the_temperature_falls_above_the_target_entropy_and_rises_below(action):
    for target, fraction, falls in ((-1.0, 0.5, True), (0.69, 1.0, False)):
        algorithm = ready(action, target_entropy=target, target_fraction=fraction)
        for _ in range(3):
            log = algorithm.update(transitions(action is DISCRETE))
        entropy, alpha = float(log["entropy"]), float(algorithm.model.log_temperature.detach().exp())
        desired = algorithm._desired(transitions(action is DISCRETE))
        assert (entropy > desired) == falls
        assert (alpha < 1.0) == falls


def test_a_fixed_temperature_stays():
    algorithm = ready(DISCRETE, tune_temperature=False, temperature=0.3)
    for _ in range(3):
        log = algorithm.update(transitions(True))
    assert float(log["temperature"]) == pytest.approx(0.3)


def test_an_ensemble_is_its_members_side_by_side_and_they_differ():
    ensemble = Ensemble(3, [4, 8, 8, 2], "silu", torch.Generator().manual_seed(0))
    x = torch.randn(5, 4)
    found = ensemble(x)
    assert found.shape == (3, 5, 2)
    for k in range(3):
        y = x
        for j, (weight, bias) in enumerate(zip(ensemble.weight, ensemble.bias, strict=True)):
            y = torch.nn.functional.linear(y, weight[k].T, bias[k, 0])
            y = torch.nn.functional.silu(y) if j < 2 else y
        torch.testing.assert_close(found[k], y)
    assert (found[0] - found[1]).abs().min() > 1e-3


# What it does, and when it learns.


def test_it_explores_at_random_at_first_within_what_is_legal():
    algorithm = ready(DISCRETE, random_steps=4000)
    algorithm.model.actor.head.bias.data[1] = 50.0  # a policy that would always do the same
    mask = torch.tensor([[True, False, True, True]]).expand(1000, 4)
    found = torch.cat([algorithm.act(torch.zeros(1000, 3), None, "sample", mask)[0] for _ in range(4)])
    counts = found.bincount(minlength=4)
    assert counts[1] == 0
    assert (counts[[0, 2, 3]] - 4000 / 3).abs().max() < 5 * math.sqrt(4000 * 2 / 9)
    assert set(algorithm.act(torch.zeros(1000, 3), None, "sample")[0].tolist()) == {1}


def test_random_numbers_fill_their_box():
    algorithm = ready(NUMBERS, random_steps=10_000)
    action, _, extras = algorithm.act(torch.zeros(10_000, 3), None, "sample")
    torch.testing.assert_close(action, 2.0 * extras["action"])
    assert action.min() == pytest.approx(-2, abs=0.01)
    assert action.max() == pytest.approx(2, abs=0.01)
    assert action.std() == pytest.approx(2 / math.sqrt(3), rel=0.03)


def test_greedy_actions_are_not_random_and_not_counted():
    algorithm = ready(NUMBERS)
    observation = torch.randn(5, 3)
    first, second = (algorithm.act(observation, None, "greedy")[0] for _ in range(2))
    torch.testing.assert_close(first, 2.0 * algorithm.model.actor(observation).mode())
    assert torch.equal(first, second)
    assert algorithm.acted == 0


@pytest.mark.parametrize(("ratio", "expected"), [(0.3, [0, 0, 6, 6, 6, 7, 6]), (2.0, [0, 0, 42, 42, 42, 42, 42])])
def test_updates_follow_steps_by_the_ratio_and_nothing_is_lost(tmp_path, ratio, expected):
    """Of 21 steps a round, after the 60 that are remembered first."""
    algorithm = SAC(horizon=7, ratio=ratio, batch=8, width=8, learning_starts=60)
    trainer = wb.Trainer("CartPole-v1", algorithm, lanes=3, run_dir=tmp_path / "run")
    counts, update = [], algorithm.update

    def counted(batch):
        counts[-1] += 1
        return update(batch)

    object.__setattr__(algorithm, "update", counted)
    for _ in expected:
        counts.append(0)
        trainer.train(21)
    assert counts == expected


def test_priorities_become_the_errors(tmp_path):
    algorithm = SAC(horizon=4, ratio=0.25, batch=8, width=8, learning_starts=16, priority=0.5)
    trainer = wb.Trainer("CartPole-v1", algorithm, lanes=4, run_dir=tmp_path / "run")
    replay, seen, update = trainer.loop.source, {}, algorithm.update

    def watched(batch):
        log = update(batch)
        seen.update(zip(batch.slot.tolist(), algorithm._error.mean(0).tolist(), strict=True))
        return log

    object.__setattr__(algorithm, "update", watched)
    trainer.train(16)
    leaves = replay.priorities.tree[len(replay.priorities.tree) // 2 :]
    assert len(seen) > 4
    for slot, error in seen.items():
        assert leaves[slot] == pytest.approx((error + 1e-6) ** 0.5, rel=1e-5)


def test_images_go_through_convolutions(tmp_path):
    algorithm = SAC(horizon=2, batch=4, width=8, learning_starts=8, capacity=100)
    trainer = wb.Trainer("MinAtar/Breakout-v1", algorithm, lanes=4, run_dir=tmp_path / "run")
    assert [network.encoder.images for network in (algorithm.model.actor, algorithm.model.critic)]
    assert trainer.loop.source.rows.flat["observation"].dtype.itemsize == 1
    trainer.train(24)
    assert math.isfinite(trainer.metrics.last("value_loss"))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            gymnasium.spaces.MultiDiscrete([2, 3]),
            r"MultiDiscrete.* is neither one choice nor numbers; SAC needs Discrete or Box",
        ),
        (gymnasium.spaces.Box(-np.inf, 1, (2,), np.float32), r"no bounds for component 0; SAC squashes actions"),
    ],
)
def test_actions_that_it_has_no_policy_for_are_refused(action, message):
    with pytest.raises(InputError, match=message):
        ready(action)


def test_too_small_a_capacity_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"capacity=20 is less than 3 rows for each of 8 lanes"):
        wb.Trainer("CartPole-v1", SAC(capacity=20), lanes=8, run_dir=tmp_path / "run")


# How it resumes.

STEPS = 8 * 4 * 12
RESUMED = [
    ("Pendulum-v1", {}),
    ("CartPole-v1", {"n_step": 3, "priority": 0.6}),
    ("CartPole-v1", {"capacity": 120, "target_fraction": 0.2}),  # a ring that is full
    ("workbench/Connect4-v0", {}),  # masks, and agents that wait for their turns
    ("Pendulum-v1", {"memory": 0.0, "ratio": 0.37}),
]


def trainer(run_dir, env, settings):
    defaults = {"horizon": 8, "ratio": 0.25, "batch": 16, "width": 16, "learning_starts": 64, "random_steps": 50}
    return wb.Trainer(env, SAC(**defaults | settings), seed=4, lanes=4, run_dir=run_dir)


@pytest.mark.parametrize(("env", "settings"), RESUMED, ids=str)
def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path, env, settings):
    whole, part = (trainer(tmp_path / name, env, settings) for name in ("whole", "part"))
    whole.train(STEPS)
    part.train(STEPS // 2)
    assert 0 < part.steps < whole.steps
    resumed = wb.load(part.run_dir)
    resumed.train(STEPS - STEPS // 2)
    assert_same(whole, resumed)


def test_without_the_replay_a_resumed_run_fills_it_anew_with_what_its_policy_does(tmp_path):
    part = trainer(tmp_path / "part", "CartPole-v1", {"keep_replay": False})
    part.train(STEPS // 2)
    resumed = wb.load(part.run_dir)
    assert resumed.loop.source.remembered == 0
    before = [x.clone() for x in resumed.algorithm.model.parameters()]
    resumed.train(32)
    assert resumed.algorithm.acted == part.algorithm.acted + 32
    assert all(torch.equal(x, y) for x, y in zip(before, resumed.algorithm.model.parameters(), strict=True))
    resumed.train(64)
    assert not all(torch.equal(x, y) for x, y in zip(before, resumed.algorithm.model.parameters(), strict=True))


def test_live_changes_count_from_the_next_update(tmp_path):
    made = trainer(tmp_path / "run", "Pendulum-v1", {})
    changed = []

    def change(event):
        if isinstance(event, Progress) and not changed:
            made.algorithm.learning_rate, made.algorithm.n_step = 1e-5, 4
            changed.append(event.steps)

    made.subscribe(change)
    made.train(STEPS)
    made.train(32)
    assert changed
    assert made.algorithm.optimiser.param_groups[0]["lr"] == 1e-5
