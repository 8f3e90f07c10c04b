import numpy as np
import pytest
import torch

import workbench.functional as F


@pytest.mark.parametrize(
    ("ratio", "advantage", "gradient"),
    [  # d loss / d ratio with clip 0.2: -A inside the interval and where it would come back, 0 beyond the bound
        (1.0, 1.0, -1.0),
        (1.1, 1.0, -1.0),
        (1.3, 1.0, 0.0),
        (0.7, 1.0, -1.0),
        (1.0, -1.0, 1.0),
        (0.9, -1.0, 1.0),
        (0.7, -1.0, 0.0),
        (1.3, -1.0, 1.0),
    ],
)
def test_the_clipped_surrogates_gradient(ratio, advantage, gradient):
    x = torch.tensor([ratio], requires_grad=True)
    F.clipped_surrogate(x, torch.tensor([advantage]), 0.2).backward()
    assert x.grad.item() == pytest.approx(gradient)


def test_standardise():
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 3 + 5
    y = F.standardise(x)
    assert y.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert y.std(correction=0).item() == pytest.approx(1.0, abs=1e-6)
    assert F.standardise(torch.tensor([4.0])).item() == 0.0


def test_sampling_follows_the_distribution():
    probabilities = torch.tensor([0.1, 0.0, 0.6, 0.3])
    log_probs = probabilities.log().expand(40_000, 4)
    actions = F.sample_categorical(log_probs, torch.Generator().manual_seed(0))
    counts = np.bincount(actions.numpy(), minlength=4)
    assert counts[1] == 0
    expected = 40_000 * probabilities.numpy()
    kept = expected > 0
    assert ((counts - expected)[kept] ** 2 / expected[kept]).sum() < 13.8  # 2 degrees of freedom, p = 0.001


def test_sampling_is_valid_when_rounding_leaves_a_gap():
    log_probs = torch.full((1000, 3), -20.0)  # sums to nearly 0: every draw falls into the gap
    assert (F.sample_categorical(log_probs, torch.Generator().manual_seed(0)) == 2).all()


def test_explained_variance():
    target = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert F.explained_variance(target, target).item() == 1.0
    assert F.explained_variance(torch.zeros(4), target).item() == 0.0
    assert F.explained_variance(-target, target).item() == pytest.approx(-3.0)
