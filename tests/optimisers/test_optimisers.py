"""Muon against the singular value decomposition; the scale of losses, schedules and penalties by hand."""

import math

import pytest
import torch
from torch import nn

from workbench.optimisers import SCHEDULES, AdaptivePenalty, LossScale, MuonAdam, hidden_matrices
from workbench.optimisers.scaling import GROWTH_INTERVAL


class Network(nn.Module):
    def __init__(self, shape=(96, 32)):
        super().__init__()
        outputs, inputs = shape
        self.trunk = nn.ModuleList([nn.Linear(4, inputs), nn.Linear(inputs, outputs)])
        self.memory = nn.GRUCell(outputs, 8)
        self.head = nn.Linear(8, 3)


def test_hidden_matrices_are_those_between_hidden_units():
    network = Network()
    expected = [network.trunk[1].weight, network.memory.weight_ih, network.memory.weight_hh]
    found = hidden_matrices(network)
    assert len(found) == 3
    assert all(x is y for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("shape", [(64, 64), (32, 96), (96, 32)])
def test_muons_step_is_the_gradient_with_its_singular_values_near_one(shape):
    network = Network(shape)
    optimiser = MuonAdam(network, 1e-3)
    weight = network.trunk[1].weight
    before = weight.detach().clone()
    # A well-conditioned gradient: five iterations do not lift a singular value that is a thousandth of the greatest.
    rank = min(shape)
    u, _ = torch.linalg.qr(torch.randn(shape[0], rank, generator=torch.Generator().manual_seed(0)))
    v, _ = torch.linalg.qr(torch.randn(shape[1], rank, generator=torch.Generator().manual_seed(1)))
    weight.grad = u @ torch.diag(torch.linspace(0.2, 1.0, rank)) @ v.T
    optimiser.step()
    step = (before - weight.detach()) / 1e-3 / (0.2 * math.sqrt(max(shape)))
    inner = u.T @ step @ v
    singular = inner.diagonal()
    assert singular.min() > 0.6
    assert singular.max() < 1.3
    assert (inner - singular.diag()).abs().max() < 0.03  # the singular vectors stay; rounding is bfloat16's
    torch.testing.assert_close(step, u @ inner @ v.T, atol=0.02, rtol=0.0)  # and nothing lies outside them


def test_the_other_parameters_follow_adam():
    network, other = Network(), Network()
    other.load_state_dict(network.state_dict())
    ours, adam = MuonAdam(network, 1e-2), torch.optim.Adam(other.parameters(), lr=1e-2, eps=1e-5)
    draw = torch.Generator().manual_seed(0)
    for _ in range(3):
        for x, y in zip(network.parameters(), other.parameters(), strict=True):
            x.grad = torch.randn(x.shape, generator=draw)
            y.grad = x.grad.clone()
        ours.step()
        adam.step()
    hidden = {id(x) for x in hidden_matrices(network)}
    for x, y in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(x, y) != (id(x) in hidden)
    assert {group["lr"] for group in ours.param_groups} == {1e-2}
    ours.zero_grad()
    assert all(x.grad is None for x in network.parameters())


def test_a_scaled_loss_gives_the_gradient_of_the_loss():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    scale = LossScale()
    scale.backward(x.square().sum())
    assert x.grad.tolist() == [2.0 * 2.0**16, 4.0 * 2.0**16]
    assert scale.unscale([x, torch.zeros(1)])
    assert x.grad.tolist() == [2.0, 4.0]


def test_an_overflow_halves_the_scale_and_a_long_streak_doubles_it():
    x = torch.zeros(2, requires_grad=True)
    scale = LossScale()
    x.grad = torch.tensor([1.0, float("inf")])
    assert not scale.unscale([x])
    assert (scale.scale, scale.streak) == (2.0**15, 0)
    for _ in range(GROWTH_INTERVAL):
        x.grad = torch.ones(2)
        assert scale.unscale([x])
    assert (scale.scale, scale.streak) == (2.0**16, 0)


def test_a_scale_that_is_not_enabled_leaves_everything_alone():
    x = torch.ones(1, requires_grad=True)
    scale = LossScale(enabled=False)
    scale.backward(3.0 * x.sum())
    assert x.grad.item() == 3.0
    x.grad[0] = float("nan")  # which is the guard's to find, not the scale's to hide
    assert scale.unscale([x])
    assert (scale.scale, scale.streak) == (1.0, 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("constant", [1.0, 1.0, 1.0, 1.0]), ("linear", [1.0, 0.75, 0.5, 0.0]), ("cosine", [1.0, 0.853553, 0.5, 0.0])],
)
def test_schedules(name, expected):
    assert [SCHEDULES[name](x) for x in (0.0, 0.25, 0.5, 1.0)] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("divergence", "factor"), [(0.0151, 2.0), (0.0149, 1.0), (0.00667, 1.0), (0.00666, 0.5)])
def test_a_penalty_doubles_above_and_halves_below(divergence, factor):
    penalty = AdaptivePenalty(0.3)
    penalty.adapt(divergence, 0.01)
    assert penalty.coefficient == pytest.approx(0.3 * factor)


@pytest.mark.parametrize(("divergence", "end"), [(1.0, 1e4), (0.0, 1e-4)])
def test_the_weight_of_a_penalty_stays_where_it_can_come_back_from(divergence, end):
    penalty = AdaptivePenalty(1.0)
    for _ in range(2000):
        penalty.adapt(divergence, 0.01)
    assert penalty.coefficient == end
