"""Every option of PPO against the formula it stands for, in float64 where a formula is compared."""

import functools

import gymnasium
import numpy as np
import pytest
import torch

import workbench.functional as F
from tests.algorithms.test_ppo import CPU, ppo
from tests.envs.emulation.guests import Masked, Scripted
from tests.oracles import returns as oracle
from workbench.algorithms import ALGORITHMS, PPO
from workbench.algorithms.tuned import TUNED
from workbench.data import Batch, RolloutSource
from workbench.data.segments import Segments
from workbench.envs import make
from workbench.errors import InputError, UnknownNameError
from workbench.optimisers import MuonAdam
from workbench.spaces import SpaceTree
from workbench.spec import EnvironmentSpec
from workbench.training.seeding import seeds_from

MEMORIES = ("lstm", "gru", "transformer")


class Mixture(gymnasium.Env):
    """Earns most for the choice that the observation shows, together with half of it as a number; lasts 7 steps."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Dict(
        {"choice": gymnasium.spaces.Discrete(2), "number": gymnasium.spaces.Box(-2, 2, (1,), np.float32)}
    )

    def _next(self):
        self.age += 1
        self.shown = self.np_random.choice([-1.0, 1.0])
        return np.array([self.shown], np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.age = -1
        return self._next(), {}

    def step(self, action):
        right = action["choice"] == int(self.shown > 0)
        reward = float(right) - abs(float(action["number"][0]) - self.shown / 2)
        return self._next(), reward, False, self.age >= 6, {}


def collected(algorithm, env, rollouts=1):
    source = RolloutSource(env, algorithm.horizon, CPU, seed=0)
    for _ in range(rollouts):
        rollout = source.collect(algorithm.act)
    return rollout


def moved(algorithm, amount=0.05, seed=1):
    """Move the weights, as learning does."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for x in algorithm.model.parameters():
            x.add_(amount * torch.randn(x.shape, generator=draw, dtype=x.dtype))
    return algorithm


def doubled(batch):
    return Batch(**{name: x.double() if x.dtype == torch.float32 else x for name, x in batch.fields.items()})


def gradient(algorithm, batch):
    """The gradient that one update follows."""
    log = algorithm.update(batch)
    return torch.cat([x.grad.flatten() for x in algorithm.model.parameters()]).clone(), log


def written_out(algorithm, batch, bonus, penalty):
    """The gradient of the loss, transition by transition and case by case."""
    fields = batch.fields
    policy, value, _ = algorithm.model(batch.observation, *(fields.get(k) for k in ("action_mask", "carry", "first")))
    action = batch.action.flatten(0, 1) if "carry" in fields else batch.action
    log_prob, entropy = policy.log_prob(action), policy.entropy()
    inside = fields["valid"].flatten().tolist() if "valid" in fields else [True] * len(value)
    old, raw, target, before = (fields[k].flatten().tolist() for k in ("log_prob", "advantage", "target", "value"))
    importance = fields["importance"].flatten().tolist() if "importance" in fields else [1.0] * len(value)
    kept = np.array([a for a, ok in zip(raw, inside, strict=True) if ok])
    losses = []
    for n in np.flatnonzero(inside):
        a = (raw[n] - kept.mean()) / (kept.std() + 1e-8) * importance[n]
        ratio = torch.exp(log_prob[n] - old[n])
        low, high = 1 - algorithm.clip, 1 + algorithm.clip
        if a >= 0:
            gain = ratio * a if ratio < high else torch.tensor(high * a)
        else:
            gain = ratio * a if ratio > low else torch.tensor(low * a)
            if algorithm.dual_clip and ratio > algorithm.dual_clip:
                gain = torch.tensor(algorithm.dual_clip * a)
        error = (value[n] - target[n]) ** 2
        if algorithm.value_clip:
            change = value[n] - before[n]
            near = before[n] + (change if abs(change) < algorithm.value_clip else algorithm.value_clip * change.sign())
            if (near - target[n]) ** 2 > error:
                error = (near - target[n]) ** 2
        kl = ratio - 1 - (log_prob[n] - old[n])
        losses.append(-gain + algorithm.value_coefficient * error / 2 - bonus * entropy[n] + penalty * kl)
    loss = sum(losses) / len(losses)
    grads = torch.autograd.grad(loss, list(algorithm.model.parameters()), allow_unused=True)
    return torch.cat(
        [
            (torch.zeros_like(x) if g is None else g).flatten()
            for x, g in zip(algorithm.model.parameters(), grads, strict=True)
        ]
    )


OPTIONS = {
    "default": {},
    "dual_clip": {"dual_clip": 1.5},
    "value_clip": {"value_clip": 0.05},
    "kl_penalty": {"kl_penalty": 0.7},
    "schedules": {"entropy_coefficient": 0.5, "entropy_schedule": "linear"},
    "priority": {"priority": 0.9, "segment": 3},
    "separate_critic": {"separate_critic": True},
    "lstm": {"network": "lstm", "segment": 5},
    "gru and priority": {"network": "gru", "segment": 5, "priority": 0.5, "separate_critic": True},
    "transformer": {"network": "transformer", "segment": 16},
    "everything": {
        "dual_clip": 1.5,
        "value_clip": 0.05,
        "kl_penalty": 0.7,
        "entropy_schedule": "cosine",
        "network": "lstm",
        "segment": 7,
        "priority": 0.9,
        "normalise_observation": True,
    },
}


CASES = [(name, env) for name in OPTIONS for env in ("CartPole-v1", "Pendulum-v1")] + [
    ("default", Masked),
    ("default", Mixture),
    ("lstm", Masked),
    ("lstm", Mixture),
]


@pytest.mark.parametrize(("name", "env"), CASES)
@pytest.mark.parametrize("accumulation", [1, 3])
def test_the_gradient_is_that_of_the_loss_written_out(name, env, accumulation):
    lanes = make(env, 3)
    settings = {"width": 12, "horizon": 16, "minibatches": 2, "max_gradient_norm": 1e3, **OPTIONS[name]}
    algorithm = ppo(lanes, accumulation=accumulation, **settings)
    algorithm.clock = (30, 100)
    prepared = algorithm.prepare(collected(algorithm, lanes, 2))
    batch = doubled(next(algorithm.batches(prepared)))
    draw = torch.Generator().manual_seed(0)
    for field, amount in (("log_prob", 0.5), ("value", 0.1)):  # so that some are beyond the clips and some are not
        x = batch.fields[field]
        batch.fields[field] = x + amount * torch.randn(x.shape, generator=draw, dtype=x.dtype)
    algorithm.model.double()
    progress = {"linear": 0.7, "cosine": 0.5 * (1 + np.cos(0.3 * np.pi)), "constant": 1.0}[algorithm.entropy_schedule]
    expected = written_out(algorithm, batch, algorithm.entropy_coefficient * progress, algorithm.kl_penalty)
    found, log = gradient(algorithm, batch)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    assert log["gradient_norm"].item() == pytest.approx(expected.norm().item(), rel=1e-6)
    assert 0.2 < log["clip_fraction"] < 0.95
    assert ("valid" in batch.fields) == (
        algorithm.network in ("lstm", "gru")
    )  # 16 steps in segments of 5 or 7 leave rests


@pytest.mark.parametrize("settings", [{}, {"network": "lstm", "segment": 5}, {"priority": 0.5}], ids=str)
def test_pieces_of_a_minibatch_give_the_gradient_of_the_whole(settings):
    env, found = make("CartPole-v1", 4), {}
    for accumulation in (1, 2, 5):
        algorithm = ppo(env, accumulation=accumulation, horizon=32, minibatches=1, **settings)
        prepared = algorithm.prepare(collected(algorithm, env))
        found[accumulation] = gradient(moved(algorithm), next(algorithm.batches(prepared)))
    for accumulation in (2, 5):
        torch.testing.assert_close(found[accumulation][0], found[1][0], rtol=1e-5, atol=1e-6)
        for name, x in found[1][1].items():
            torch.testing.assert_close(found[accumulation][1][name], x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", ["mlp", *MEMORIES])
def test_on_policy_vtrace_is_gae(network):
    env = make("CartPole-v1", 5)
    settings = {"horizon": 60, "network": network, "segment": 7, "width": 16}
    algorithm = ppo(env, **settings)
    rollout = collected(algorithm, env, 2)
    assert rollout.terminated.any()
    plain = algorithm.prepare(rollout)
    other = ppo(env, advantage="vtrace", **settings)
    other.model = other._network = algorithm.model
    corrected = other.prepare(rollout)
    for name in ("value", "advantage", "target"):
        torch.testing.assert_close(corrected.fields[name], plain.fields[name], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("network", ["mlp", "gru"])
def test_off_policy_vtrace_corrects_with_the_present_policys_ratio(network):
    env = make("CartPole-v1", 5)
    algorithm = ppo(env, advantage="vtrace", horizon=40, network=network, segment=40, rho_clip=1.1, c_clip=0.9)
    rollout = collected(algorithm, env)
    moved(algorithm, 0.3)
    ready = algorithm.prepare(rollout)
    with torch.no_grad():
        inputs = (rollout.observation, None, *(rollout.fields.get(k) for k in ("carry", "first")))
        start = None if network == "mlp" else inputs[2][0]
        policy, value, _ = algorithm.model(inputs[0], None, start, inputs[3])
        _, last, _ = algorithm.model(rollout.last_observation, None, rollout.fields.get("last_carry"))
    ratio = (policy.log_prob(rollout.action.flatten()).view(40, 5) - rollout.log_prob).exp()
    value = value.view(40, 5)
    assert ratio.max() > 1.1
    assert ratio.min() < 0.9
    next_value = torch.cat([value[1:], last[None]])
    arrays = [x.numpy() for x in (ratio, rollout.reward, value, next_value, rollout.terminated, rollout.truncated)]
    target, advantage = oracle.vtrace(*arrays, algorithm.gamma, algorithm.gae_lambda, 1.1, 0.9)
    np.testing.assert_allclose(ready.target, target, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ready.advantage, advantage, rtol=1e-4, atol=1e-4)


def first_ratios(env, **settings):
    """The largest distance from 1 of a ratio before the first step, and of a value from the one it had."""
    algorithm = ppo(env, epochs=1, **settings)
    moved(algorithm, 0.3)
    prepared = algorithm.prepare(collected(algorithm, env, 2))
    assert (prepared.terminated | prepared.truncated).any() or algorithm.network == "mlp"
    ratio = value = 0.0
    for batch in algorithm.batches(prepared):
        fields = batch.fields
        with torch.no_grad():
            policy, values, _ = algorithm.model(
                batch.observation, *(fields.get(k) for k in ("action_mask", "carry", "first"))
            )
        ordered = "carry" in fields
        inside = fields.get("valid", torch.ones(len(values), dtype=torch.bool)).flatten()
        action = batch.action.flatten(0, 1) if ordered else batch.action
        found = (policy.log_prob(action) - batch.log_prob.flatten()).exp()
        ratio = max(ratio, (found[inside] - 1).abs().max().item())
        value = max(value, (values - batch.value.flatten())[inside].abs().max().item())
    return ratio, value


@pytest.mark.parametrize("network", MEMORIES)
@pytest.mark.parametrize(("horizon", "segment"), [(48, 16), (50, 7), (30, 100)])
def test_with_a_memory_the_first_ratio_is_one_across_the_ends_of_episodes(network, horizon, segment):
    env = make("CartPole-v1", 6)
    ratio, value = first_ratios(
        env, network=network, horizon=horizon, segment=segment, width=16, separate_critic=horizon == 50
    )
    assert ratio < 1e-5
    assert value < 2e-5


def test_a_carry_that_is_not_put_back_would_be_noticed(monkeypatch):
    take = Segments.take

    def forgetful(self, names, *draw):
        batch = take(self, names, *draw)
        return Batch(**batch.fields | {"carry": torch.zeros_like(batch.carry)})

    monkeypatch.setattr(Segments, "take", forgetful)
    assert first_ratios(make("CartPole-v1", 6), network="lstm", horizon=48, segment=7)[0] > 1e-3


def test_with_a_memory_agents_that_wait_their_turn_are_remembered_too():
    script = [{"0": "", "1": ""}, {"0": "", "1": ""}, {"0": "terminated", "1": ""}, {"1": ""}, {"1": "", "2": ""}]
    env = make(functools.partial(Scripted, script, ["0", "1", "2"]), 2)
    assert first_ratios(env, network="gru", horizon=23, segment=4)[0] < 1e-5


@pytest.mark.parametrize(
    ("env", "settings"),
    [
        ("Pendulum-v1", {}),
        ("Pendulum-v1", {"squashed": True}),
        (Mixture, {}),
        (Mixture, {"network": "lstm", "squashed": True}),
        (Masked, {"network": "gru", "segment": 5}),
        ("CartPole-v1", {"priority": 0.7, "segment": 5}),
        ("CartPole-v1", {"normalise_observation": True}),
        ("CartPole-v1", {"precision": "bfloat16"}),
    ],
    ids=str,
)
def test_the_first_ratio_is_one_for_every_space_and_option(env, settings):
    low = settings.get("precision") == "bfloat16"
    ratio, value = first_ratios(make(env, 5), horizon=20, **settings)
    assert ratio < (2e-2 if low else 1e-5)
    assert value < (0.1 if low else 1e-4)


# What ends the passes over a rollout, and what follows them.


def learned(algorithm, env, rollouts=1):
    source, logs = RolloutSource(env, algorithm.horizon, CPU, seed=0), []
    for _ in range(rollouts):
        prepared = algorithm.prepare(source.collect(algorithm.act))
        logs = [algorithm.update(batch) for batch in algorithm.batches(prepared)]
    return logs


def test_the_rest_of_the_passes_is_skipped_once_the_kl_is_too_great():
    env = make("CartPole-v1", 16)
    free = learned(ppo(env, learning_rate=1e-2), env)
    kls = [log["kl"].item() for log in free]
    assert len(kls) == 16
    bound = 0.02
    before = next(k for k, kl in enumerate(kls) if kl > bound)
    assert 0 < before < 15
    algorithm = ppo(env, learning_rate=1e-2, kl_stop=bound)
    logs = learned(algorithm, env)
    assert [log["kl"].item() for log in logs] == kls[: before + 1]
    assert [log["updates_before_stop"].item() for log in logs if "updates_before_stop" in log] == [before]
    # The one that found out took no step.
    taken = {int(state["step"]) for state in algorithm.optimiser.state.values()}
    assert taken == {before}


@pytest.mark.parametrize(("learning_rate", "factor"), [(1e-6, 0.5), (3e-2, 2.0)])
def test_the_penalty_adapts_to_the_kl_of_the_last_pass(learning_rate, factor):
    env = make("CartPole-v1", 16)
    algorithm = ppo(env, learning_rate=learning_rate, kl_penalty=0.3)
    logs = learned(algorithm, env)
    assert algorithm.penalty.coefficient == pytest.approx(0.3 * factor)
    last = np.mean([log["kl"].item() for log in logs[-4:]])
    assert (last > 0.015) == (factor == 2.0)


def test_without_a_penalty_nothing_adapts():
    env = make("CartPole-v1", 16)
    algorithm = ppo(env, learning_rate=3e-2)
    learned(algorithm, env)
    assert algorithm.penalty.coefficient == 0.0


def test_schedules_follow_the_run_and_leave_the_hyperparameters_alone():
    env = make("CartPole-v1", 8)
    algorithm = ppo(env, learning_rate=4e-3, learning_rate_schedule="linear")
    rates = []
    for clock in ((0, 1000), (250, 1000), (500, 1000)):
        algorithm.clock = clock
        rates.append(learned(algorithm, env)[0]["learning_rate"].item())
        assert algorithm.optimiser.param_groups[0]["lr"] == pytest.approx(rates[-1])
    assert rates == pytest.approx([4e-3, 3e-3, 2e-3])
    algorithm.learning_rate = 1e-3  # as a slider does
    assert learned(algorithm, env)[0]["learning_rate"].item() == pytest.approx(5e-4)
    assert algorithm.learning_rate == 1e-3


def test_a_schedule_of_its_own_length_does_not_look_at_the_goal():
    algorithm = PPO(schedule_steps=400)
    for clock, progress in (((0, 1000), 0.0), ((100, 1000), 0.25), ((100, 7), 0.25), ((900, 1000), 1.0)):
        algorithm.clock = clock
        assert algorithm.progress == progress
    assert PPO().progress == 0.0


def test_priorities_prefer_segments_with_great_advantages_and_correct_themselves_in_the_end():
    env = make("CartPole-v1", 8)
    algorithm = ppo(env, horizon=32, segment=8, minibatches=2, epochs=50, priority=1.0, priority_correction=0.2)
    prepared = algorithm.prepare(collected(algorithm, env))
    prepared.fields["advantage"] = torch.full((32, 8), 0.01)
    prepared.fields["advantage"][8:16, 3] = -1.0
    prepared.fields["target"] = torch.arange(32 * 8, dtype=torch.float32).view(32, 8)
    for steps, correction in ((0, 0.2), (100, 1.0)):
        algorithm.clock = steps, 100
        batches = list(algorithm.batches(prepared))
        assert len(batches) == 100
        rows = torch.stack([batch.target for batch in batches]).view(100, 8, 16)  # [minibatch, step, segment]
        assert (rows.diff(dim=1) == 8).all()  # steps of one lane follow one another
        great = rows[:, 0] == 8 * 8 + 3
        share = 1.0 / (1.0 + 31 * 0.01)  # of the sums of |advantage|
        assert great.float().mean().item() == pytest.approx(share, abs=0.05)
        importance = torch.stack([batch.importance for batch in batches]).view(100, 8, 16)[:, 0]
        torch.testing.assert_close(importance[great], torch.full((int(great.sum()),), (32 * share) ** -correction))


# Normalisation.


def test_observations_are_normalised_by_what_was_seen_before_the_rollout():
    env = make("Pendulum-v1", 16)
    algorithm = ppo(env, normalise_observation=True, horizon=8)
    source = RolloutSource(env, 8, CPU, seed=0)
    rollout = algorithm.prepare(source.collect(algorithm.act))
    seen = rollout.observation.flatten(0, 1).clone()
    moments = algorithm.model.encoder.normaliser.moments
    for batch in algorithm.batches(rollout):
        assert moments.count == 0  # until the last update
        algorithm.update(batch)
    assert moments.count == 8 * 16
    torch.testing.assert_close(moments.mean.float(), seen.mean(0))
    with torch.no_grad():
        features = algorithm.model.encoder(seen)
    torch.testing.assert_close(features.std(0, correction=0), torch.ones(3), atol=1e-4, rtol=0.0)


def test_rewards_are_divided_by_the_deviation_of_their_return():
    env = make("Pendulum-v1", 16)
    algorithm = ppo(env, normalise_return=True, gamma=0.0, horizon=8)
    rollout = collected(algorithm, env)
    ready = algorithm.prepare(rollout)
    # With gamma = 0 the return is the reward, and the advantage what it earned more than expected.
    scaled = rollout.reward / rollout.reward.std(correction=0)
    torch.testing.assert_close(ready.advantage, scaled - rollout.value, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ready.target, scaled, rtol=1e-4, atol=1e-4)


# How the gradient is computed and followed.


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_gives_nearly_the_same_gradient_in_float32(precision):
    env, found = make("CartPole-v1", 8), {}
    for name in ("float32", precision):
        algorithm = ppo(env, precision=name)
        algorithm.scale.scale = min(algorithm.scale.scale, 2.0**8)  # the first ones overflow otherwise
        (first, *_) = algorithm.batches(ppo(env).prepare(collected(ppo(env), env)))
        found[name], log = gradient(algorithm, first)
        assert {x.dtype for x in algorithm.model.parameters()} == {torch.float32}
        assert log["gradient_norm"].isfinite()
    assert found[precision].dtype == torch.float32
    assert not torch.equal(found[precision], found["float32"])
    assert torch.cosine_similarity(found[precision], found["float32"], 0) > 0.999
    assert found[precision].norm().item() == pytest.approx(found["float32"].norm().item(), rel=0.02)


def test_a_step_whose_gradient_overflows_in_float16_is_left_out():
    env = make("CartPole-v1", 8)
    algorithm = ppo(env, precision="float16", minibatches=1, epochs=2)
    algorithm.scale.scale = 2.0**60
    weights = [x.detach().clone() for x in algorithm.model.parameters()]
    skipped, other = algorithm.batches(algorithm.prepare(collected(algorithm, env)))
    log = algorithm.update(skipped)
    assert "gradient_norm" not in log  # so that nobody takes it for a fault
    assert all(torch.equal(x, y) for x, y in zip(weights, algorithm.model.parameters(), strict=True))
    assert algorithm.scale.scale == 2.0**59
    algorithm.scale.scale = 2.0**10
    assert algorithm.update(other)["gradient_norm"].isfinite()
    assert not torch.equal(weights[0], next(algorithm.model.parameters()))


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")  # torch's own, when it loads its compiler
def test_a_compiled_network_gives_the_same(monkeypatch, backend):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    env, found = make("CartPole-v1", 8), {}
    for compiled in (False, True):
        algorithm = ppo(env, compile=compiled, horizon=4, epochs=1, width=8)
        found[compiled] = [algorithm.model.state_dict(), learned(algorithm, env)]
    assert found[True][0].keys() == found[False][0].keys()
    for ours, plain in zip(found[True][1], found[False][1], strict=True):
        for name, x in plain.items():
            torch.testing.assert_close(ours[name], x, rtol=1e-4, atol=1e-5)


def test_vtraces_gradient_holds_the_ratio_to_what_acted_once():
    env = make("CartPole-v1", 16)
    algorithm = ppo(env, advantage="vtrace", normalise_return=False, clip=0.2, value_coefficient=0.0)
    algorithm.entropy_coefficient = 0.0
    rollout = Batch(**{name: x.clone() for name, x in collected(algorithm, env).fields.items()})
    moved(algorithm, 0.2)
    policy, value, _ = algorithm.model(rollout.observation.flatten(0, 1))
    log_prob, value = policy.log_prob(rollout.action.flatten()), value.detach().view_as(rollout.reward)
    ratio = (log_prob.detach().view_as(value) - rollout.log_prob).exp()
    assert ((ratio - 1).abs() > algorithm.clip).float().mean() > 0.1  # the clip must not look back at what acted
    with torch.no_grad():
        following = torch.cat([value[1:], algorithm.model.value(rollout.last_observation)[None]])
        following.view(-1)[rollout.final_index] = algorithm.model.value(rollout.final_observation)
    ends = rollout.terminated, rollout.truncated
    _, advantage = F.vtrace(ratio, rollout.reward, value, following, *ends, algorithm.gamma, algorithm.gae_lambda, 1, 1)
    weights = [x for name, x in algorithm.model.named_parameters() if "value" not in name]
    published = torch.autograd.grad(-(advantage.flatten() * log_prob).mean(), weights, allow_unused=True)
    everything = torch.arange(rollout.reward.numel())
    batch = Segments(algorithm.prepare(rollout), 1).take(algorithm.trained_on, everything)
    loss, _, _ = algorithm._loss(batch, rollout.reward.numel())
    ours = torch.autograd.grad(loss, weights, allow_unused=True)
    for one, other in zip(ours, published, strict=True):
        if other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_priorities_that_come_later_are_of_segments_too():
    env = make("CartPole-v1", 8)
    algorithm = ppo(env, priority=0.0)
    rollout = collected(algorithm, env)
    sizes = []
    for priority in (0.0, 0.5):
        algorithm.priority = priority
        sizes.append(len(Segments(rollout, algorithm._length)))
    assert sizes == [8 * 32, 8 * 2]


def test_muon_follows_hidden_matrices_and_adam_is_the_default():
    env = make("CartPole-v1", 8)
    algorithm = ppo(env, update_rule="muon", learning_rate_schedule="linear")
    assert isinstance(algorithm.optimiser, MuonAdam)
    assert algorithm.optimiser.hidden.param_groups[0]["params"] == [algorithm.model.trunk[1].weight]
    algorithm.clock = (1, 2)
    learned(algorithm, env)
    assert {group["lr"] for group in algorithm.optimiser.param_groups} == {algorithm.learning_rate / 2}
    (group,) = ppo(env).optimiser.param_groups
    assert type(ppo(env).optimiser) is torch.optim.Adam
    assert (group["eps"], group["lr"]) == (1e-5, PPO().learning_rate)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dual_clip": 0.5}, r"PPO.dual_clip=0.5 is out of range; choose a value of 0, or from 1 to 100"),
        ({"update_rule": "muon", "depth": 1}, r"PPO.update_rule='muon' has no matrix between hidden layers"),
        ({"network": "lstm", "minibatches": 5}, r"PPO.minibatches=5 is more than the 4 segments of 16 steps"),
        ({"squashed": True}, r"action space .* has no bounds for component 0; PPO squashes"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    box = SpaceTree(gymnasium.spaces.Box(-1, 1, (3,)))
    with pytest.raises(InputError, match=message):
        PPO(**settings).setup(EnvironmentSpec(box, gymnasium.spaces.Box(-np.inf, np.inf, (1,)), 2), CPU, seeds_from(0))


def test_what_was_tuned_is_found_by_name(monkeypatch):
    monkeypatch.setitem(TUNED, ("ppo", "Somewhere-v0"), {"clip": 0.1})
    assert PPO.tuned("Somewhere-v0").clip == 0.1
    with pytest.raises(UnknownNameError, match=r"environment tuned for ppo 'Somewhere' is unknown; did you mean"):
        PPO.tuned("Somewhere")
    for (name, _), settings in TUNED.items():
        ALGORITHMS[name](**settings)  # every one is accepted
