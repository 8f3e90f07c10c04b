"""The losses of policy gradients against their formulas, row by row and in float64."""

import numpy as np
import pytest
import torch

import workbench.functional as F


def slope(ratio, advantage, **settings):
    """The derivative of the loss by the ratio."""
    x = torch.tensor([ratio], dtype=torch.float64, requires_grad=True)
    F.clipped_surrogate(x, torch.tensor([advantage], dtype=torch.float64), 0.2, **settings).sum().backward()
    return x.grad.item()


@pytest.mark.parametrize(
    ("ratio", "gain", "pain"),
    [  # The gradient with clip 0.2 and dual clip 3, for an advantage of 2 and for one of -2.
        (0.1, -2.0, 0.0),
        (0.7, -2.0, 0.0),
        (0.9, -2.0, 2.0),
        (1.0, -2.0, 2.0),
        (1.1, -2.0, 2.0),
        (1.3, 0.0, 2.0),
        (2.9, 0.0, 2.0),
        (3.1, 0.0, 0.0),
        (50.0, 0.0, 0.0),
    ],
)
def test_the_dual_clips_gradient_over_ratio_and_sign(ratio, gain, pain):
    assert slope(ratio, 2.0, dual_clip=3.0) == gain
    assert slope(ratio, -2.0, dual_clip=3.0) == pain
    assert slope(ratio, 2.0) == gain
    assert slope(ratio, -2.0) == (2.0 if ratio > 3.0 else pain)  # without it, nothing bounds the loss


def test_the_dual_clip_bounds_the_loss_of_bad_actions_only():
    ratio, advantage = torch.tensor([40.0, 40.0]), torch.tensor([-2.0, 2.0])
    assert F.clipped_surrogate(ratio, advantage, 0.2).tolist() == pytest.approx([80.0, -2.4])
    assert F.clipped_surrogate(ratio, advantage, 0.2, 3.0).tolist() == pytest.approx([6.0, -2.4])


def test_the_clipped_value_loss_is_the_greater_of_both():
    draw = np.random.default_rng(0)
    value, target, old = draw.normal(size=(3, 500))
    x = torch.tensor(value, requires_grad=True)
    loss = F.squared_error(x, torch.from_numpy(target), torch.from_numpy(old), 0.3)
    near = old + np.clip(value - old, -0.3, 0.3)
    expected = 0.5 * np.maximum((value - target) ** 2, (near - target) ** 2)
    np.testing.assert_allclose(loss.detach(), expected, rtol=1e-12)
    loss.sum().backward()
    # Beyond the interval and nearer to the target than its edge: the edge's error counts, which does not move.
    still = (np.abs(value - old) > 0.3) & (np.abs(value - target) < np.abs(near - target))
    assert 20 < still.sum() < 480
    np.testing.assert_allclose(x.grad, np.where(still, 0.0, value - target), atol=1e-12)
    plain = F.squared_error(x, torch.from_numpy(target), torch.from_numpy(old))
    np.testing.assert_allclose(plain.detach(), 0.5 * (value - target) ** 2, rtol=1e-12)


def test_the_estimate_of_the_kl_is_unbiased_and_so_is_its_gradient():
    old = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    logits = torch.tensor([0.1, -0.4, 0.7], dtype=torch.float64, requires_grad=True)
    log_ratio = logits.log_softmax(-1) - old.log()
    estimate = (old * F.kl_estimate(log_ratio)).sum()  # its expectation, over actions that the old policy draws
    exact = -(old * log_ratio).sum()
    assert estimate.item() == pytest.approx(exact.item(), rel=1e-12)
    wanted, found = (torch.autograd.grad(x, logits, retain_graph=True)[0] for x in (exact, estimate))
    torch.testing.assert_close(found, wanted)
    assert (F.kl_estimate(torch.linspace(-3, 3, 101)) >= 0).all()
