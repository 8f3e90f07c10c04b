"""Memory against torch's own layers and against plain loops over whole episodes."""

import numpy as np
import pytest
import torch
from torch import nn

from workbench.networks.memory import GRU, LSTM
from workbench.networks.transformer import Transformer

STEPS, ROWS, INPUTS, WIDTH, CONTEXT = 11, 3, 5, 8, 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(*args, **options):
    return Transformer(*args, context=CONTEXT, heads=2, **options)


def built(kind):
    """A memory whose weights are none of those it starts with."""
    memory = kind(INPUTS, WIDTH, generator())
    with torch.no_grad():
        for p in memory.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator(1)))
    return memory


def inputs(seed=2):
    x = torch.randn(STEPS, ROWS, INPUTS, generator=generator(seed))
    first = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    first[0, 0] = first[4, 1] = first[5, 1] = first[7, 0] = True
    return x, first


def nowhere():
    return torch.zeros(STEPS, ROWS, dtype=torch.bool)


def reordered(x, order):
    """Bring the gates to torch's order."""
    return torch.cat([x.chunk(len(order))[k] for k in order])


def test_an_lstm_is_torchs():
    mine, theirs = built(LSTM), nn.LSTM(INPUTS, WIDTH)
    order = (0, 1, 3, 2)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(reordered(mine.input.weight, order))
        theirs.weight_hh_l0.copy_(reordered(mine.recurrent, order))
        theirs.bias_ih_l0.copy_(reordered(mine.input.bias, order))
        theirs.bias_hh_l0.zero_()
    x, carry = inputs()[0], torch.randn(ROWS, 2 * WIDTH, generator=generator(3))
    out, after = mine(x, carry, nowhere())
    expected, (h, c) = theirs(x, tuple(part.contiguous()[None] for part in carry.chunk(2, -1)))
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(after, torch.cat([h[0], c[0]], -1))


def test_a_gru_is_torchs():
    mine, theirs = built(GRU), nn.GRU(INPUTS, WIDTH)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(mine.input.weight)
        theirs.weight_hh_l0.copy_(mine.hidden.weight)
        theirs.bias_ih_l0.copy_(mine.input.bias)
        theirs.bias_hh_l0.copy_(mine.hidden.bias)
    x, carry = inputs()[0], torch.randn(ROWS, WIDTH, generator=generator(3))
    out, after = mine(x, carry, nowhere())
    expected, h = theirs(x, carry[None])
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(after, h[0])


def test_an_lstm_starts_with_an_open_forget_gate_and_orthogonal_weights():
    memory = LSTM(INPUTS, WIDTH, generator())
    assert memory.input.bias.tolist() == [0.0] * WIDTH + [1.0] * WIDTH + [0.0] * 2 * WIDTH
    torch.testing.assert_close(memory.recurrent.T @ memory.recurrent, torch.eye(WIDTH), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_under_autocast_nothing_is_forgotten_faster(kind):
    memory = kind(INPUTS, WIDTH, generator())
    with torch.no_grad():
        for p in memory.parameters():
            p.zero_()
        memory.input.bias[WIDTH : 2 * WIDTH] = 6.0  # what is kept is sigmoid(6) a step, which bfloat16 has not
        if kind is LSTM:
            memory.input.bias[:WIDTH] = -30.0
    x, carry = torch.zeros(200, 1, INPUTS), torch.ones(1, memory.carry_size)
    with torch.autocast("cpu", torch.bfloat16):
        after = memory(x, carry, torch.zeros(200, 1, dtype=torch.bool))[1][:, -WIDTH:]
    torch.testing.assert_close(after, torch.sigmoid(torch.tensor(6.0)).pow(200).expand(1, WIDTH), rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", [LSTM, GRU, small])
def test_an_episode_knows_nothing_of_the_one_before(kind):
    memory = built(kind)
    x, first = inputs()
    out, after = memory(x, some_carry(memory), first)
    none = torch.zeros(1, memory.carry_size)
    for row, begin, end in ((0, 0, 7), (0, 7, STEPS), (1, 5, STEPS), (1, 4, 5)):
        alone, carry = memory(x[begin:end, row : row + 1], none, nowhere()[begin:end, :1])
        torch.testing.assert_close(out[begin:end, row], alone[:, 0], rtol=1e-5, atol=1e-6)
        if end == STEPS and kind is not small:
            torch.testing.assert_close(after[row], carry[0], rtol=1e-5, atol=1e-6)


def some_carry(memory):
    """What a memory carries after 5 steps of other things."""
    x = inputs(seed=4)[0]
    return memory(x[:5], torch.zeros(ROWS, memory.carry_size), nowhere()[:5])[1].detach()


@pytest.mark.parametrize("kind", [LSTM, GRU, small])
def test_many_steps_at_once_are_single_steps(kind):
    memory = built(kind)
    x, first = inputs()
    carry = some_carry(memory)
    out, after = memory(x, carry, first)
    for t in range(STEPS):
        one, carry = memory(x[t : t + 1], carry, first[t : t + 1])
        torch.testing.assert_close(one[0], out[t], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(carry, after, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [LSTM, GRU, small])
def test_what_comes_later_changes_no_bit_of_what_was(kind):
    memory = built(kind)
    x, first = inputs()
    before = memory(x, some_carry(memory), first)[0]
    changed = x.clone()
    changed[6:] = torch.randn(changed[6:].shape, generator=generator(5)) * 100
    after = memory(changed, some_carry(memory), first)[0]
    assert torch.equal(before[:6], after[:6])
    assert not torch.isclose(before[6:], after[6:]).any(-1).all()


@pytest.mark.parametrize("kind", [LSTM, GRU, small])
def test_gradients_flow_from_step_to_step_and_not_into_another_episode(kind):
    memory = built(kind)
    x, first = inputs()
    x.requires_grad_()
    memory(x, some_carry(memory), first)[0][8].sum().backward()
    reached = (x.grad.abs().sum(-1) > 0).tolist()
    assert [row[0] for row in reached] == [7 <= t <= 8 for t in range(STEPS)]
    assert [row[1] for row in reached] == [5 <= t <= 8 for t in range(STEPS)]
    assert reached[7][2]
    assert not reached[9][2]


def test_a_transformer_looks_no_further_back_than_its_context():
    memory = built(lambda *args: small(*args, layers=1))
    x = inputs()[0].requires_grad_()
    memory(x, torch.zeros(ROWS, memory.carry_size), nowhere())[0][9].sum().backward()
    reached = (x.grad.abs().sum((1, 2)) > 0).tolist()
    assert reached == [9 - CONTEXT < t <= 9 for t in range(STEPS)]


def normed(x, layer):
    scaled = (x - x.mean()) / np.sqrt(x.var() + layer.eps)
    return scaled * layer.weight.detach().double().numpy() + layer.bias.detach().double().numpy()


def applied(layer, x):
    return layer.weight.detach().double().numpy() @ x + layer.bias.detach().double().numpy()


def attended(block, stream, t):
    """One step of one block, head by head, from the stream of the whole episode."""
    heads, size = len(block.distance), WIDTH // len(block.distance)
    query = applied(block.query, normed(stream[t], block.before_attention))
    out = np.empty(WIDTH)
    for head in range(heads):
        part, scores, values = slice(head * size, (head + 1) * size), [], []
        for s in range(max(0, t - CONTEXT + 1), t + 1):
            source = applied(block.source, normed(stream[s], block.before_attention))
            scores.append(query[part] @ source[:WIDTH][part] / np.sqrt(size) + block.distance[head, t - s].item())
            values.append(source[WIDTH:][part])
        weights = np.exp(scores) / np.exp(scores).sum()
        out[part] = weights @ np.array(values)
    x = stream[t] + applied(block.attended, out)
    return x + applied(block.outer, np.maximum(applied(block.inner, normed(x, block.before_dense)), 0))


def test_a_transformer_is_what_plain_loops_make_of_an_episode():
    memory = built(small)
    x = inputs()[0]
    out = memory(x, torch.zeros(ROWS, memory.carry_size), nowhere())[0].detach()
    for row in range(ROWS):
        stream = [applied(memory.embed, step) for step in x[:, row].double().numpy()]
        for block in memory.blocks:
            stream = [attended(block, stream, t) for t in range(STEPS)]
        np.testing.assert_allclose(out[:, row], stream, rtol=1e-4, atol=1e-5)


def test_a_transformer_starts_nearly_without_memory():
    memory = Transformer(INPUTS, WIDTH, generator(), context=CONTEXT, heads=2)
    x = inputs()[0]
    out = memory(x, torch.zeros(ROWS, memory.carry_size), nowhere())[0]
    plain = memory.embed(x)
    assert (out - plain).norm() < 0.3 * plain.norm()
