import numpy as np
import torch

import workbench.functional as F
from tests.oracles import returns as oracle


def test_gae_takes_tensors_of_any_layout():
    draw = torch.Generator().manual_seed(0)
    reward, value, next_value = torch.randn(3, 5, 12, generator=draw).transpose(1, 2)
    terminated, truncated = torch.rand(2, 12, 5, generator=draw) < 0.15
    advantage = F.gae(reward, value, next_value, terminated, truncated, 0.97, 0.9)
    inputs = [x.numpy() for x in (reward, value, next_value, terminated, truncated)]
    np.testing.assert_allclose(advantage, oracle.gae(*inputs, 0.97, 0.9), rtol=1e-5, atol=1e-5)


def test_episode_totals_carry_on_from_call_to_call():
    draw = np.random.default_rng(1)
    reward = draw.normal(size=(30, 4)).astype(np.float32)
    ended = draw.random((30, 4)) < 0.2
    active = draw.random((30, 4)) < 0.7
    totals, lengths = np.zeros((11, 4), np.float32), np.zeros((11, 4), np.int32)
    found = []
    for k in range(3):
        rows = slice(10 * k, 10 * k + 10)
        inputs = map(torch.from_numpy, (reward[rows], ended[rows], active[rows]))
        found += zip(*F.episode_totals(*inputs, totals, lengths), strict=True)
    np.testing.assert_allclose(found, oracle.episodes(reward, ended, active), rtol=1e-5, atol=1e-5)


def test_the_other_recursions_take_tensors_and_return_targets():
    draw = torch.Generator().manual_seed(2)
    reward, value, next_value, noise = torch.randn(4, 9, 3, generator=draw)
    ratio = noise.exp()
    terminated, truncated = torch.rand(2, 9, 3, generator=draw) < 0.15
    ended = terminated | truncated
    value[1:] = torch.where(ended[:-1], value[1:], next_value[:-1])
    flags = (terminated, truncated)
    plain = [x.numpy() for x in (reward, next_value, *flags)]
    critic = [x.numpy() for x in (ratio, reward, value, next_value, *flags)]

    def equal(found, expected):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    equal(F.lambda_returns(reward, next_value, *flags, 0.9, 0.8), oracle.lambda_return(*plain, 0.9, 0.8))
    equal(F.discounted_returns(reward, next_value, *flags, 0.9), oracle.n_step(*plain, 0.9, 9))
    equal(F.n_step_returns(reward, value, next_value, *flags, 0.9, 3), oracle.n_step(*plain, 0.9, 3))
    equal(F.retrace(ratio, reward, value, next_value, *flags, 0.9, 0.8), oracle.retrace(*critic, 0.9, 0.8))
    found = F.vtrace(ratio, reward, value, next_value, *flags, 0.9, 0.8, 1.0, 0.9)
    for mine, expected in zip(found, oracle.vtrace(*critic, 0.9, 0.8, 1.0, 0.9), strict=True):
        equal(mine, expected)
