"""Distributions against torch's own, numerical integration and plain loops in float64."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate
from torch import distributions as D

from workbench.networks import Categoricals, Normal, SquashedNormal


def parameters(rows=6, components=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    mean, log_std = torch.randn(2, rows, components, generator=draw, dtype=torch.float64)
    return mean, 0.5 * log_std


def theirs(mean, log_std):
    return D.Independent(D.Normal(mean, log_std.exp()), 1)


def squashed(mean, log_std):
    return D.TransformedDistribution(theirs(mean, log_std), [D.TanhTransform(cache_size=1)])


def test_a_normal_is_torchs():
    first, second = parameters(seed=1), parameters(seed=2)
    mine, other = Normal(*first), Normal(*second)
    action = mine.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(mine.log_prob(action), theirs(*first).log_prob(action))
    torch.testing.assert_close(mine.entropy(), theirs(*first).entropy())
    torch.testing.assert_close(mine.kl(other), D.kl_divergence(theirs(*first), theirs(*second)))
    assert mine.kl(mine).abs().max() < 1e-15
    assert mine.mode() is first[0]


def test_a_sample_follows_its_distribution():
    mean, log_std = torch.tensor([[0.5, -1.0]]), torch.tensor([[-1.0, 0.5]])
    sample = Normal(mean.expand(40_000, 2), log_std.expand(40_000, 2)).sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(sample.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(sample.std(0).log(), log_std[0], atol=0.015, rtol=0)
    assert sample.T.corrcoef()[0, 1].abs() < 0.02
    repeated = Normal(mean, log_std).sample(torch.Generator().manual_seed(5))
    assert repeated.tolist() == Normal(mean, log_std).sample(torch.Generator().manual_seed(5)).tolist()


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.3, 0.1), (-1.0, 2.0), (2.0, 0.5)])
def test_a_squashed_density_integrates_to_one(mean, std):
    parts = torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[np.log(std)]], dtype=torch.float64)
    distribution = SquashedNormal(*parts)

    def density(a):
        return distribution.log_prob(torch.tensor([[a]], dtype=torch.float64)).exp().item()

    # The density may grow without bound towards the edges: integrate over the pre-image of equal probabilities.
    edges = np.tanh(mean + std * np.linspace(-6, 6, 25))
    total = sum(integrate.quad(density, a, b)[0] for a, b in pairwise(edges))
    assert total == pytest.approx(1.0, abs=1e-6)


def test_a_squashed_normal_is_torchs():
    first, second = parameters(seed=1), parameters(seed=2)
    mine = SquashedNormal(*first)
    action, log_prob = mine.rsample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(action, Normal(*first).sample(torch.Generator().manual_seed(0)).tanh())
    torch.testing.assert_close(log_prob, squashed(*first).log_prob(action))
    torch.testing.assert_close(mine.log_prob(action), log_prob)
    torch.testing.assert_close(mine.kl(SquashedNormal(*second)), D.kl_divergence(theirs(*first), theirs(*second)))
    torch.testing.assert_close(mine.mode(), first[0].tanh())
    assert mine.sample(torch.Generator().manual_seed(0)).tolist() == action.tolist()


def test_the_gradients_of_a_squashed_sample_are_torchs():
    gradients = []
    for make in (
        lambda *x: SquashedNormal(*x).rsample(torch.Generator().manual_seed(0)),
        lambda *x: reparametrised(*x, torch.Generator().manual_seed(0)),
    ):
        parts = [x.requires_grad_() for x in parameters()]
        action, log_prob = make(*parts)
        (action.sum() + log_prob.sum()).backward()
        gradients.append([x.grad for x in parts])
    torch.testing.assert_close(gradients[0], gradients[1])


def reparametrised(mean, log_std, generator):
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    action = (mean + log_std.exp() * noise).tanh()
    density = D.Normal(mean, log_std.exp()).log_prob(mean + log_std.exp() * noise)
    return action, (density - torch.log(1 - action.square())).sum(-1)


def test_a_saturated_squashed_normal_has_finite_numbers_and_gradients():
    mean = torch.tensor([[60.0], [-60.0]], requires_grad=True)
    distribution = SquashedNormal(mean, torch.full((2, 1), -5.0))
    action, log_prob = distribution.rsample(torch.Generator().manual_seed(0))
    assert action.tolist() == [[1.0], [-1.0]]
    # log N(u) at its peak, and a slope of 4 exp(-2 |u|).
    np.testing.assert_allclose(log_prob.detach(), [5 - 0.92 + 120 - np.log(4)] * 2, atol=5)
    judged = distribution.log_prob(action.detach())
    assert torch.isfinite(judged).all()
    (log_prob.sum() + judged.sum() + distribution.entropy().sum()).backward()
    assert torch.isfinite(mean.grad).all()


@pytest.mark.parametrize(("std", "error"), [(0.1, 1e-6), (0.5, 1e-6), (1.0, 1e-6), (2.0, 2e-4), (7.0, 0.1)])
@pytest.mark.parametrize("mean", [0.0, 1.0, -3.0])
def test_the_entropy_of_a_squashed_normal(mean, std, error):
    def integrand(u):  # the slope of tanh is cosh^-2
        density = np.exp(-0.5 * ((u - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
        return -2 * density * (np.logaddexp(u, -u) - np.log(2))

    slope = integrate.quad(integrand, mean - 12 * std, mean + 12 * std, points=[0, mean], limit=200)[0]
    parts = torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[np.log(std)]], dtype=torch.float64)
    expected = 0.5 + 0.5 * np.log(2 * np.pi) + np.log(std) + slope
    assert SquashedNormal(*parts).entropy().item() == pytest.approx(expected, abs=error)


def test_choices_are_torchs_and_illegal_ones_count_for_nothing():
    draw = torch.Generator().manual_seed(0)
    logits, others = torch.randn(2, 7, 5, generator=draw, dtype=torch.float64)
    legal = torch.tensor([True, False, True, True, True])

    def mine(x):
        x = x.masked_fill(~legal, -1e9)
        return Categoricals(torch.cat([x[:, :2].log_softmax(-1), x[:, 2:].log_softmax(-1)], -1), (2, 3), False)

    def torchs(x):
        return D.Categorical(logits=x[:, :1]), D.Categorical(logits=x[:, 2:])

    action = mine(logits).sample(draw)
    assert (action[:, 0] == 0).all()
    torch.testing.assert_close(mine(logits).log_prob(action), torchs(logits)[1].log_prob(action[:, 1]))
    torch.testing.assert_close(mine(logits).entropy(), torchs(logits)[1].entropy())
    expected = sum(D.kl_divergence(p, q) for p, q in zip(torchs(logits), torchs(others), strict=True))
    torch.testing.assert_close(mine(logits).kl(mine(others)), expected)
