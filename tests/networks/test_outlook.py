"""What a policy thinks, in numbers: against distributions that are known, and without a draw."""

import gymnasium
import numpy as np
import pytest
import torch

import workbench as wb
from workbench.networks import head_for
from workbench.networks.outlook import Outlook
from workbench.spaces import SpaceTree
from workbench.spec import EnvironmentSpec

BOX = gymnasium.spaces.Box(np.float32([-2.0, 1.0]), np.float32([2.0, 5.0]))
OUT = torch.tensor([[0.3, -0.4, 0.1, 0.6], [2.0, 0.0, -1.0, 0.2]])


def outlook(head, out):
    return Outlook(head(out), head, torch.zeros(len(out)))


def test_of_choices_they_are_probabilities():
    head = head_for(gymnasium.spaces.MultiDiscrete([3, 2]), "test")
    out = torch.randn(5, 5)
    expected = torch.cat([out[:, :3].softmax(-1), out[:, 3:].softmax(-1)], -1)
    assert torch.allclose(outlook(head, out).numbers(), expected)


def test_an_illegal_choice_has_none():
    head = head_for(gymnasium.spaces.Discrete(3), "test")
    mask = torch.tensor([[True, False, True]])
    found = Outlook(head(torch.zeros(1, 3), mask), head, torch.zeros(1)).numbers()
    assert found.tolist() == [[0.5, 0.0, 0.5]]


def test_of_numbers_they_are_means_and_spreads_in_the_environments_units():
    head = head_for(BOX, "test", initial_std=0.5)
    found = outlook(head, torch.tensor([[0.5, -1.0]])).numbers()
    assert found.tolist() == [pytest.approx([1.0, 1.0, 1.0, 1.0])]


def test_of_squashed_numbers_they_agree_with_an_integral():
    head = head_for(BOX, "test", squashed=True)
    policy = head(OUT)
    x = torch.linspace(-12.0, 12.0, 200_001, dtype=torch.float64)
    mean, std = policy.base.mean.double()[..., None], policy.base.log_std.exp().double()[..., None]
    density = torch.distributions.Normal(mean, std).log_prob(x).exp()
    first = torch.trapezoid(density * torch.tanh(x), x)
    second = torch.trapezoid(density * (torch.tanh(x) - first[..., None]) ** 2, x).sqrt()
    centre, scale = torch.tensor([0.0, 3.0]), torch.tensor([2.0, 2.0])
    expected = torch.cat([centre + scale * first, scale * second], -1).float()
    assert torch.allclose(Outlook(policy, head, torch.zeros(2)).numbers(), expected, atol=2e-3)


def test_of_both_they_stand_side_by_side():
    space = gymnasium.spaces.Dict(discrete=gymnasium.spaces.MultiDiscrete([2]), continuous=BOX)
    found = outlook(head_for(space, "test"), torch.tensor([[1.0, 1.0, 0.5, -1.0]])).numbers()
    assert found.tolist() == [pytest.approx([0.5, 0.5, 1.0, 1.0, 2.0, 2.0])]


@pytest.mark.parametrize("algorithm", [wb.PPO(), wb.SAC()], ids=["PPO", "SAC"])
@pytest.mark.parametrize("space", [gymnasium.spaces.Discrete(3), BOX], ids=["choices", "numbers"])
def test_it_draws_nothing_and_its_mode_is_the_greedy_action(algorithm, space):
    shape = SpaceTree(gymnasium.spaces.Box(-1.0, 1.0, (4,)))
    seeds = dict.fromkeys(("weights", "actions", "shuffle"), 1)
    algorithm.setup(EnvironmentSpec(shape, space, 6), torch.device("cpu"), seeds)
    observation = torch.randn(6, 4)
    before = algorithm.action_generator.get_state(), torch.get_rng_state()
    found = algorithm.outlook(observation)
    found.numbers()
    chosen, _, _ = algorithm.act(observation, None, "greedy")
    assert torch.equal(found.choose("greedy"), chosen)
    assert torch.equal(before[0], algorithm.action_generator.get_state())
    assert torch.equal(before[1], torch.get_rng_state())
    assert found.value.shape == (6,)


def test_the_value_of_sac_is_what_its_policy_expects_of_the_lesser_critic():
    algorithm = wb.SAC()
    shape = SpaceTree(gymnasium.spaces.Box(-1.0, 1.0, (4,)))
    seeds = dict.fromkeys(("weights", "actions", "shuffle"), 1)
    algorithm.setup(EnvironmentSpec(shape, gymnasium.spaces.Discrete(3), 6), torch.device("cpu"), seeds)
    observation = torch.randn(6, 4)
    found = algorithm.outlook(observation)
    with torch.no_grad():
        values = algorithm.model.critic(observation)
    lesser = torch.minimum(values[0], values[1])
    expected = sum(found.numbers()[:, a] * lesser[:, a] for a in range(3))
    assert torch.allclose(found.value, expected)
