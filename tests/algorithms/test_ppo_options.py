"""Every option of PPO against the formula it stands for, in float64 where a formula is compared."""

import gymnasium
import numpy as np
import pytest
import torch

from tests.algorithms.test_ppo import CPU, ppo
from tests.envs.emulation.guests import Masked
from tests.oracles import returns as oracle
from workbench.algorithms import PPO
from workbench.data import Batch, RolloutSource
from workbench.envs import make
from workbench.errors import InputError, UnknownNameError
from workbench.optimisers import MuonAdam
from workbench.spec import spec_of
from workbench.training.seeding import seeds_from

MEMORIES = ("lstm", "gru", "transformer")


class Mixture(gymnasium.Env):
    """Earns most for the choice that the observation shows, together with half of it as a number."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Dict(
        {"choice": gymnasium.spaces.Discrete(2), "number": gymnasium.spaces.Box(-2, 2, (1,), np.float32)}
    )

    def _next(self):
        self.shown = self.np_random.choice([-1.0, 1.0])
        return np.array([self.shown], np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._next(), {}

    def step(self, action):
        right = action["choice"] == int(self.shown > 0)
        reward = float(right) - abs(float(action["number"][0]) - self.shown / 2)
        return self._next(), reward, False, False, {}


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
            x += amount * torch.randn(x.shape, generator=draw, dtype=x.dtype)
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
    assert ("valid" in batch.fields) == (algorithm.network in ("lstm", "gru"))  # 16 steps in segments of 5 or 7 leave rests


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
        policy, value, last_carry = algorithm.model(inputs[0], None, start, inputs[3])
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
    assert prepared.first.any() if algorithm.network != "mlp" else True
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
    assert ratio < 2e-6
    assert value < 2e-5
