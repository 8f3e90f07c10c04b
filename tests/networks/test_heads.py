import gymnasium.spaces as S
import numpy as np
import pytest
import torch

from workbench.errors import InputError
from workbench.networks import (
    CategoricalHead,
    Mixed,
    MixedHead,
    Normal,
    NormalHead,
    SquashedNormalHead,
    head_for,
)

TRIPLE = S.Box(np.float32([-2, 0, -np.inf]), np.float32([2, 10, 5]))
BOTH = S.Dict(discrete=S.MultiDiscrete([2, 3]), continuous=S.Box(-2, 2, (2,)))


def generator():
    return torch.Generator().manual_seed(3)


def test_each_space_has_its_head():
    assert isinstance(head_for(S.Discrete(3), "PPO"), CategoricalHead)
    assert isinstance(head_for(S.MultiDiscrete([2, 3]), "PPO", squashed=True), CategoricalHead)
    assert isinstance(head_for(TRIPLE, "PPO"), NormalHead)
    assert isinstance(head_for(S.Box(-1, 1, (2,)), "SAC", squashed=True), SquashedNormalHead)
    assert isinstance(head_for(BOTH, "PPO"), MixedHead)
    assert isinstance(head_for(BOTH, "PPO", squashed=True).continuous, SquashedNormalHead)
    counts = [S.Discrete(3), S.MultiDiscrete([2, 3]), TRIPLE, BOTH]
    assert [head_for(space, "PPO").outputs for space in counts] == [3, 5, 3, 7]
    assert head_for(BOTH, "PPO", squashed=True).outputs == 9


@pytest.mark.parametrize(
    "space", [S.MultiBinary(3), S.Box(0, 3, (2,), np.int64), S.Dict(a=S.Discrete(2)), S.Tuple((S.Discrete(2),))]
)
def test_other_spaces_are_refused(space):
    with pytest.raises(InputError, match=r"has no head; PPO needs Discrete, MultiDiscrete, a Box of floats"):
        head_for(space, "PPO")


@pytest.mark.parametrize("space", [TRIPLE, S.Dict(discrete=S.MultiDiscrete([2]), continuous=TRIPLE)])
def test_nothing_is_squashed_without_bounds(space):
    with pytest.raises(InputError, match=r"no bounds for component 2; SAC squashes"):
        head_for(space, "SAC", squashed=True)


def test_a_normal_action_is_clipped_and_scaled_to_the_bounds_and_kept_as_it_was_drawn():
    head = NormalHead(TRIPLE)
    action = torch.tensor([[0.5, 0.5, -70.0], [3.0, -3.0, 70.0]])
    assert head.outward(action).tolist() == [[1.0, 7.5, -70.0], [2.0, 0.0, 5.0]]
    distribution = head(torch.zeros(4000, 3))
    sample = distribution.sample(generator())
    assert (sample[:, :2].abs() > 1).any()
    kept = sample.clone()
    assert TRIPLE.contains(head.outward(sample)[0].detach().numpy())
    torch.testing.assert_close(sample, kept, rtol=0, atol=0)


@pytest.mark.parametrize("extreme", [3e38, 0.1, 1e-3])
def test_no_action_leaves_its_bounds_by_rounding(extreme):
    low, high = np.float32([-extreme, extreme / 3]), np.float32([extreme, extreme / 1.7])
    head = head_for(S.Box(low, high), "SAC", squashed=True)
    action = torch.linspace(-1, 1, 1001)[:, None].expand(-1, 2)
    outward = head.outward(action).numpy()
    assert outward.dtype == np.float32
    assert np.isfinite(outward).all()
    assert (outward >= low).all()
    assert (outward <= high).all()
    np.testing.assert_allclose(outward[[0, -1]], [low, high], rtol=1e-6)


def test_the_spread_of_a_normal_is_learned_apart_from_the_state():
    head = NormalHead(S.Box(-1, 1, (2,)), initial_std=0.5)
    distribution = head(torch.randn(5, 2))
    np.testing.assert_allclose(distribution.log_std.detach(), np.full((5, 2), np.log(0.5)), rtol=1e-6)
    distribution.entropy().sum().backward()
    assert head.log_std.grad.tolist() == [5.0, 5.0]
    assert dict(head.named_parameters()).keys() == {"log_std"}


def test_a_squashed_normal_starts_nearly_uniform_and_stays_between_its_spreads():
    head = SquashedNormalHead(S.Box(-1, 1, (1,)))
    assert np.log(2) - head(torch.zeros(1, 2)).entropy().item() < 0.03
    spread = head(torch.tensor([[0.0, -1e4], [0.0, 1e4], [0.0, -1.5]])).base.log_std
    torch.testing.assert_close(spread[:, 0], torch.tensor([-5.0, 2.0, -1.5]))


@pytest.mark.parametrize("squashed", [False, True])
@pytest.mark.parametrize("std", [0.1, 0.5])
def test_the_first_spread_is_what_was_asked_for(squashed, std):
    head = head_for(S.Box(-1, 1, (1,)), "PPO", squashed, std)
    policy = head(torch.zeros(1, head.outputs))
    assert (policy.base if squashed else policy).log_std.exp().item() == pytest.approx(std, rel=0.05)


def test_a_mixed_action_is_a_row_that_comes_apart_for_the_environment():
    head = head_for(BOTH, "PPO")
    sample = head(torch.zeros(6, 7)).sample(generator())
    assert (sample.shape, sample.dtype) == ((6, 4), torch.float32)
    outward = head.outward(sample)
    assert outward.keys() == {"discrete", "continuous"}
    assert outward["discrete"].dtype == torch.int64
    assert outward["continuous"].dtype == torch.float32
    for k in range(6):
        assert BOTH.contains({name: part[k].detach().numpy() for name, part in outward.items()})
    torch.testing.assert_close(outward["discrete"].float(), sample[:, :2])
    torch.testing.assert_close(outward["continuous"], 2 * sample[:, 2:].clamp(-1, 1))


def test_a_mixed_distribution_is_the_sum_of_its_parts():
    head = head_for(BOTH, "PPO")
    out = torch.randn(5, 7, generator=generator())
    mask = torch.tensor([[True, True, False, True, True]]).expand(5, 5)
    both, other = head(out, mask), head(out.flip(0), mask)
    assert isinstance(both, Mixed)
    choices, numbers = head.discrete(out[:, :5], mask), head.continuous(out[:, 5:])
    action = both.sample(generator())
    assert not (action[:, 1] == 0).any()
    torch.testing.assert_close(
        both.log_prob(action), choices.log_prob(action[:, :2].long()) + numbers.log_prob(action[:, 2:])
    )
    torch.testing.assert_close(both.entropy(), choices.entropy() + numbers.entropy())
    assert both.mode().tolist() == torch.cat([choices.mode().float(), numbers.mode()], 1).tolist()
    expected = choices.kl(head.discrete(out.flip(0)[:, :5], mask)) + numbers.kl(head.continuous(out.flip(0)[:, 5:]))
    torch.testing.assert_close(both.kl(other), expected)


@pytest.mark.parametrize("space", [S.Discrete(3), S.MultiDiscrete([2, 3]), S.Box(-1, 1, (2,)), BOTH])
@pytest.mark.parametrize("squashed", [False, True])
def test_a_head_computes_in_float32_what_a_network_put_out_in_bfloat16(space, squashed):
    head = head_for(space, "PPO", squashed)
    out = torch.randn(4, head.outputs, generator=generator()).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        low, other = head(out), head(out.flip(0))
        action = low.sample(generator())
        found = low.log_prob(action), low.entropy(), low.kl(other)
    exact, other = head(out.double()), head(out.double().flip(0))
    action = action if action.dtype == torch.int64 else action.double()
    for x, expected in zip(found, (exact.log_prob(action), exact.entropy(), exact.kl(other)), strict=True):
        assert x.dtype == torch.float32
        torch.testing.assert_close(x, expected.float(), rtol=1e-4, atol=1e-4)


def test_gradients_flow_through_a_normal_sample():
    mean = torch.zeros(3, 2, requires_grad=True)
    Normal(mean, torch.zeros(3, 2)).sample(generator()).sum().backward()
    assert mean.grad.tolist() == [[1.0, 1.0]] * 3
