"""PPO against what can be said exactly: the one-state MDP, the first epoch, and the loss written out in float64."""

import gymnasium
import numpy as np
import pytest
import torch

from tests.algorithms import onestate
from tests.envs.emulation.guests import Masked
from workbench.algorithms import PPO
from workbench.data import Batch, RolloutSource
from workbench.envs import make
from workbench.errors import EnvironmentFaultError, InputError
from workbench.networks import CategoricalHead
from workbench.spaces import SpaceTree
from workbench.spec import EnvironmentSpec, spec_of
from workbench.training.seeding import seeds_from

CPU = torch.device("cpu")


def ppo(env, **settings):
    algorithm = PPO(**settings)
    algorithm.setup(spec_of(env), CPU, seeds_from(0))
    return algorithm


class Table(torch.nn.Module):
    """A critic that is a table over the steps since the episode began, and a policy that does not matter.

    It sees the steps, or it counts them: then they are what it carries, and an observation says nothing.
    """

    def __init__(self, entries, counts):
        super().__init__()
        self.values = torch.zeros(entries)
        self.policy = CategoricalHead(gymnasium.spaces.Discrete(2))
        self.counts = counts
        self.carry_size = int(counts)

    def forward(self, observation, mask=None, carry=None, first=None):
        if not self.counts:
            found = self.values[observation[..., 0].long()].flatten()
            return self.policy(torch.zeros(len(found), 2)), found, carry
        steps, age = observation.shape[-3] if observation.ndim == 3 else 1, carry
        if age is None:
            age = torch.zeros(observation.shape[-2], 1)
        first = torch.zeros(steps, len(age), dtype=torch.bool) if first is None else first.view(steps, -1)
        found = []
        for t in range(steps):
            age = torch.where(first[t][:, None], 0.0, age)
            found.append(self.values[age[:, 0].long().clamp(max=onestate.LIMIT)])  # beyond a rest it goes on
            age = age + 1
        return self.policy(torch.zeros(steps * len(age), 2)), torch.cat(found), age

    def value(self, observation, carry=None, first=None):
        return self(observation, None, carry, first)[1]

    def observe(self, observation, valid=None):
        pass


WAYS = [("gae", False), ("gae", True), ("vtrace", False), ("vtrace", True)]


def tabular(env, advantage, counts, **settings):
    algorithm = ppo(env, advantage=advantage, network="lstm" if counts else "mlp", segment=3, minibatches=1, **settings)
    algorithm.model = algorithm._network = Table(onestate.LIMIT + 1, counts)
    return algorithm


def learned_values(environment, gamma, gae_lambda, advantage="gae", counts=False, sweeps=150):
    """Fit a table to PPO's own targets, averaged over the visits of each entry, until it no longer moves."""
    env = make(environment, 3)
    algorithm = tabular(env, advantage, counts, gamma=gamma, gae_lambda=gae_lambda, horizon=7)
    source = RolloutSource(env, algorithm.horizon, CPU, seed=0)
    for _ in range(sweeps):
        rollout = algorithm.prepare(source.collect(algorithm.act))
        entries = rollout.observation[..., 0].long().flatten()
        sums = torch.zeros(onestate.LIMIT + 1).index_add(0, entries, rollout.target.flatten())
        visits = torch.bincount(entries, minlength=onestate.LIMIT + 1)
        algorithm.model.values = torch.where(visits > 0, sums / visits.clamp(min=1), algorithm.model.values)
        # The successor at the time limit is never acted from: in the one state there is, it is worth what the start is.
        algorithm.model.values[onestate.LIMIT] = algorithm.model.values[0]
    return algorithm.model.values[: onestate.LIMIT].numpy()


@pytest.mark.parametrize(
    ("gae_lambda", "advantage", "counts"), [(0.0, *WAYS[0]), (1.0, *WAYS[0]), *((0.95, *way) for way in WAYS)]
)
def test_a_time_limit_does_not_end_the_world_and_termination_does(gae_lambda, advantage, counts):
    gamma, limit = 0.9, onestate.LIMIT
    truncated = learned_values(onestate.truncating, gamma, gae_lambda, advantage, counts)
    np.testing.assert_allclose(truncated, 1 / (1 - gamma), rtol=1e-4)
    terminated = learned_values(onestate.terminating, gamma, gae_lambda, advantage, counts)
    remaining = limit - np.arange(limit)
    np.testing.assert_allclose(terminated, (1 - gamma**remaining) / (1 - gamma), rtol=1e-4)
    assert terminated[0] == pytest.approx((1 - gamma**limit) / (1 - gamma), rel=1e-4)


def test_the_oracle_sees_a_merged_time_limit(monkeypatch):
    """The planted bug of the field: truncation treated as termination."""
    collect = RolloutSource.collect

    def merged(self, act):
        rollout = collect(self, act)
        rollout.fields["terminated"] |= rollout.truncated
        return rollout

    monkeypatch.setattr(RolloutSource, "collect", merged)
    assert abs(learned_values(onestate.truncating, 0.9, 0.95)[0] - 10.0) > 1.0


def gap(advantage, counts):
    """How far the target at the time limit is from what the final observation is worth."""
    env = make(onestate.truncating, 2)
    algorithm = tabular(env, advantage, counts, horizon=onestate.LIMIT + 2, gamma=0.9, gae_lambda=0.0)
    algorithm.model.values = torch.arange(onestate.LIMIT + 1, dtype=torch.float32)
    rollout = algorithm.prepare(RolloutSource(env, algorithm.horizon, CPU, seed=0).collect(algorithm.act))
    return abs(rollout.target[onestate.LIMIT - 1] - (1 + 0.9 * onestate.LIMIT)).max().item()


@pytest.mark.parametrize(("advantage", "counts"), WAYS)
def test_the_oracle_sees_a_bootstrap_from_after_the_reset(monkeypatch, advantage, counts):
    """The other one: the value after the reset instead of the value the episode was cut at."""
    collect = RolloutSource.collect

    def wrong(self, act):
        rollout = collect(self, act)
        rollout.fields["final_observation"] = torch.zeros_like(rollout.final_observation)
        if counts:
            rollout.fields["carry"] = torch.where(rollout.first[..., None], 0.0, rollout.carry)
        return rollout

    assert gap(advantage, counts) < 1e-5
    monkeypatch.setattr(RolloutSource, "collect", wrong)
    assert gap(advantage, counts) > 1.0


@pytest.mark.parametrize("horizon", [onestate.LIMIT, onestate.LIMIT + 2])
def test_the_last_values_see_the_carry_after_the_last_step(horizon):
    env = make(onestate.truncating, 2)
    algorithm = tabular(env, "gae", counts=True, horizon=horizon, gamma=0.9, gae_lambda=0.0)
    algorithm.model.values = torch.arange(onestate.LIMIT + 1, dtype=torch.float32)
    rollout = algorithm.prepare(RolloutSource(env, horizon, CPU, seed=0).collect(algorithm.act))
    age = (horizon - 1) % onestate.LIMIT + 1  # of the last successor
    torch.testing.assert_close(rollout.target[-1], torch.full((2,), 1 + 0.9 * age))


def test_before_the_first_step_the_ratio_is_one():
    env = make("CartPole-v1", 8)
    algorithm = ppo(env, epochs=1, minibatches=1)
    rollout = algorithm.prepare(RolloutSource(env, algorithm.horizon, CPU, seed=0).collect(algorithm.act))
    (batch,) = algorithm.batches(rollout)
    logs = algorithm.update(batch)
    assert logs["kl"].item() == pytest.approx(0.0, abs=1e-6)
    assert logs["clip_fraction"].item() == 0.0
    assert logs["policy_loss"].item() == pytest.approx(0.0, abs=1e-6)  # minus the mean of a standardised advantage


def test_the_losses_are_the_papers():
    env = make("CartPole-v1", 4)
    algorithm = ppo(env, minibatches=1, clip=0.1)
    draw = torch.Generator().manual_seed(1)
    batch = Batch(
        observation=torch.randn(64, 4, generator=draw),
        action=torch.randint(0, 2, (64,), generator=draw),
        log_prob=-torch.rand(64, generator=draw) - 0.3,
        advantage=torch.randn(64, generator=draw),
        target=torch.randn(64, generator=draw),
        value=torch.randn(64, generator=draw),
    )
    policy, value, _ = algorithm.model(batch.observation)
    log_probs, value = policy.log_probs.detach().double().numpy(), value.detach().double().numpy()
    logs = {name: x.item() for name, x in algorithm.update(batch).items()}
    action, old, advantage, target = (
        batch.fields[k].double().numpy() for k in ("action", "log_prob", "advantage", "target")
    )
    ratio = np.exp(log_probs[np.arange(64), action.astype(int)] - old)
    standard = (advantage - advantage.mean()) / advantage.std()
    surrogate = [min(r * a, np.clip(r, 0.9, 1.1) * a) for r, a in zip(ratio, standard, strict=True)]
    assert logs["policy_loss"] == pytest.approx(-np.mean(surrogate), rel=1e-4)
    assert logs["value_loss"] == pytest.approx(0.5 * np.mean((value - target) ** 2), rel=1e-5)
    assert logs["entropy"] == pytest.approx(-(np.exp(log_probs) * log_probs).sum(-1).mean(), rel=1e-5)
    assert logs["clip_fraction"] == pytest.approx(np.mean(np.abs(ratio - 1) > 0.1))
    assert logs["kl"] == pytest.approx(np.mean(ratio - 1 - np.log(ratio)), rel=1e-4)


def test_an_update_makes_a_good_action_likelier_and_moves_the_value_to_its_target():
    env = make("CartPole-v1", 4)
    algorithm = ppo(env, entropy_coefficient=0.0)
    observation = torch.randn(1, 4, generator=torch.Generator().manual_seed(0)).expand(8, 4)
    action = torch.tensor([0, 1] * 4)
    with torch.no_grad():
        before, value, _ = algorithm.model(observation)
        before = before.log_probs
    batch = Batch(
        observation=observation,
        action=action,
        log_prob=before.gather(-1, action[:, None]).squeeze(-1),
        advantage=torch.where(action == 1, 1.0, -1.0),
        target=value + 1.0,
        value=value,
    )
    algorithm.update(batch)
    with torch.no_grad():
        after, moved, _ = algorithm.model(observation)
        after = after.log_probs
    assert after[0, 1] > before[0, 1]
    assert moved[0] > value[0]


def test_minibatches_cover_every_transition_once_an_epoch():
    env = make("CartPole-v1", 3)
    algorithm = ppo(env, horizon=7, epochs=2, minibatches=4)
    rollout = algorithm.prepare(RolloutSource(env, 7, CPU, seed=0).collect(algorithm.act))
    rollout.fields["target"] = torch.arange(21, dtype=torch.float32).view(7, 3)
    batches = list(algorithm.batches(rollout))
    assert [len(batch.target) for batch in batches] == [6, 5, 5, 5] * 2
    for epoch in (batches[:4], batches[4:]):
        assert sorted(torch.cat([batch.target for batch in epoch]).tolist()) == list(range(21))
        for batch in epoch:
            t, lane = batch.target.long() // 3, batch.target.long() % 3
            torch.testing.assert_close(batch.observation, rollout.observation[t, lane])
            torch.testing.assert_close(batch.action, rollout.action[t, lane])


def test_greedy_actions_are_the_likeliest():
    env = make("CartPole-v1", 5)
    algorithm = ppo(env)
    observation = torch.randn(5, 4)
    action, _, extras = algorithm.act(observation, None, "greedy")
    assert extras == {}
    torch.testing.assert_close(action, algorithm.model(observation)[0].log_probs.argmax(-1))


def test_tiny_rollouts_are_refused():
    box = SpaceTree(gymnasium.spaces.Box(-1, 1, (3,)))
    with pytest.raises(InputError, match=r"PPO.minibatches=9 is more than the 8 transitions"):
        PPO(horizon=4, minibatches=9).setup(EnvironmentSpec(box, gymnasium.spaces.Discrete(2), 2), CPU, seeds_from(0))


@pytest.mark.parametrize("what", ["observation", "reward"])
def test_a_kernel_that_returns_nan_is_caught_once_a_rollout(what):
    env = make("CartPole-v1", 4)
    algorithm = ppo(env)
    source = RolloutSource(env, 5, CPU, seed=0)
    source.collect(algorithm.act)
    step = env._step

    def faulty(*arguments):
        step(*arguments)
        (env.buffers.observation if what == "observation" else env.reward)[..., 2] = np.nan

    env._step = faulty
    first = 6 if what == "observation" else 5  # what a step observed is recorded with the next one
    with pytest.raises(EnvironmentFaultError, match=f"{what} of lane 2 is .*nan.* at step {first} of 'CartPole-v1'"):
        source.collect(algorithm.act)


def test_illegal_actions_are_neither_taken_nor_learned_from():
    env = make(Masked, 4)
    algorithm = ppo(env, horizon=32, minibatches=1, epochs=1)
    rollout = algorithm.prepare(RolloutSource(env, 32, CPU, seed=0).collect(algorithm.act))
    assert not rollout.reward.any()  # the environment counts what it forbade and was done all the same
    assert not rollout.action_mask.all()
    taken = rollout.action_mask.gather(-1, rollout.action[..., None])
    assert taken.all()
    # Before the first gradient step the new policy is the old one, if both know the masks.
    (batch,) = algorithm.batches(rollout)
    logs = algorithm.update(batch)
    assert float(logs["kl"]) == pytest.approx(0.0, abs=1e-6)
    greedy, _, _ = algorithm.act(batch.observation, None, "greedy", batch.action_mask)
    assert batch.action_mask.gather(-1, greedy[:, None]).all()


def test_each_component_of_an_action_is_chosen_and_learned():
    env = make(Dials, 8)
    algorithm = ppo(env, horizon=16, minibatches=2, gamma=0.0, learning_rate=1e-2)
    source = RolloutSource(env, 16, CPU, seed=0)
    for _ in range(60):
        rollout = algorithm.prepare(source.collect(algorithm.act))
        assert rollout.action.shape == (16, 8, 3)
        logs = [algorithm.update(batch) for batch in algorithm.batches(rollout)]
        assert float(logs[0]["kl"]) == pytest.approx(0.0, abs=1e-5)
    assert rollout.reward.mean() > 2.7  # of 3; chance is 1/2 + 1/3 + 1/4


class Dials(gymnasium.Env):
    """Earns 1 for each of three dials that stands where the observation says."""

    observation_space = gymnasium.spaces.MultiDiscrete([2, 3, 4])
    action_space = gymnasium.spaces.MultiDiscrete([2, 3, 4])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.wanted = self.np_random.integers([2, 3, 4])
        return self.wanted, {}

    def step(self, action):
        reward = float((action == self.wanted).sum())
        self.wanted = self.np_random.integers([2, 3, 4])
        return self.wanted, reward, False, False, {}
