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


def test_what_rounding_leaves_goes_to_nobody_without_a_probability():
    # The probabilities sum to nearly 0, so that nearly every draw falls beyond them; the last action is illegal.
    log_probs = torch.tensor([-20.0, -20.0, -1e9]).expand(1000, 3)
    drawn = F.sample_categorical(log_probs, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {0, 1}


def test_components_are_normalised_drawn_and_judged_apart():
    nvec, draw = (2, 3, 1), torch.Generator().manual_seed(1)
    logits = torch.randn(4000, 6, generator=draw)[:1].expand(4000, 6)
    mask = torch.tensor([True, True, True, False, True, True]).expand(4000, 6)
    log_probs = F.split_log_softmax(logits, nvec, mask)
    expected = [logits[0, :2].softmax(0), torch.softmax(logits[0, [2, 4]], 0), torch.ones(1)]
    torch.testing.assert_close(log_probs[0, [0, 1, 2, 4, 5]].exp(), torch.cat(expected))
    assert log_probs[0, 3].exp() == 0
    action = F.sample_categoricals(log_probs, nvec, draw)
    assert action.shape == (4000, 3)
    assert not (action[:, 1] == 1).any()
    frequency = torch.stack([(action[:, 0] == k).float().mean() for k in range(2)])
    torch.testing.assert_close(frequency, expected[0], atol=0.03, rtol=0.0)
    first = log_probs[:, :2].gather(-1, action[:, :1]) + log_probs[:, 2:5].gather(-1, action[:, 1:2])
    torch.testing.assert_close(F.log_prob(log_probs, nvec, action), first.squeeze(-1))
    assert F.likeliest(log_probs, nvec)[0].tolist() == [
        int(logits[0, :2].argmax()),
        int(logits[0, 4] > logits[0, 2]) * 2,
        0,
    ]


def test_explained_variance():
    target = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert F.explained_variance(target, target).item() == 1.0
    assert F.explained_variance(torch.zeros(4), target).item() == 0.0
    assert F.explained_variance(-target, target).item() == pytest.approx(-3.0)
