import math

import gymnasium.spaces as S
import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import InputError
from workbench.networks import ACTIVATIONS, BODIES, GAINS, actor_critic, dense
from workbench.spaces import SpaceTree
from workbench.spec import EnvironmentSpec

STEPS, ROWS = 7, 4
BOX = S.Box(-1, 1, (5,))
BOTH = S.Dict(discrete=S.MultiDiscrete([2, 3]), continuous=S.Box(-2, 2, (2,)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def build(observation=BOX, action=S.Discrete(3), stirred=True, **options):  # noqa: B008
    spec = EnvironmentSpec(SpaceTree(observation), action, ROWS)
    model = actor_critic(spec, generator=generator(), owner="PPO", **{"width": 16, **options})
    if stirred:
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn(p.shape, generator=generator(1)))
    return model


def seen():
    observation = torch.randn(STEPS, ROWS, 5, generator=generator(2))
    first = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    first[0, 0] = first[3, 1] = True
    return observation, first


def test_the_plain_network_starts_with_the_same_bits_and_names_as_ever():
    model, draw, expected = build(stirred=False, depth=2), generator(), {}
    for name, inputs, outputs, gain in (("trunk.0", 5, 16, 2), ("trunk.1", 16, 16, 2), ("head", 16, 4, 0.01**2)):
        weight = nn.init.orthogonal_(torch.empty(outputs, inputs), math.sqrt(gain), generator=draw)
        expected |= {f"{name}.weight": weight, f"{name}.bias": torch.zeros(outputs)}
    expected["head.weight"][-1] *= 100
    assert list(model.state_dict()) == list(expected)
    for name, x in model.state_dict().items():
        assert torch.equal(x, expected[name]), name


@pytest.mark.parametrize(("activation", "least"), [("relu", 0.9), ("silu", 0.3), ("tanh", 0.6)])
def test_numbers_hardly_fade_from_layer_to_layer_and_never_grow(activation, least):
    assert GAINS.keys() == ACTIVATIONS.keys()
    for size in (1.0, 10.0):
        x = size * torch.randn(200, 64, generator=generator())
        sizes = [x.square().mean().sqrt().item()]
        for layer in dense(64, 64, 4, GAINS[activation], generator()):
            x = ACTIVATIONS[activation](layer(x)).detach()
            sizes.append(x.square().mean().sqrt().item())
        assert max(sizes) < 1.1 * size
        if size == 1.0:
            assert sizes[-1] > least


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("separate", [False, True])
def test_many_steps_at_once_are_single_steps(body, separate):
    model = build(body=body, separate=separate, normalise=True)
    observation, first = seen()
    model.observe(observation)
    mask = torch.rand(STEPS, ROWS, 3, generator=generator(3)) < 0.7
    mask[..., 0] = True
    carry = None
    if model.carry_size:
        carry = model(observation[:3])[2].detach()
    policy, value, after = model(observation, mask, carry, first)
    assert value.shape == (STEPS * ROWS,)
    assert after is None if carry is None else after.shape == (ROWS, model.carry_size)
    for t in range(STEPS):
        one, judged, carry = model(observation[t], mask[t], carry, first[t])
        rows = slice(t * ROWS, (t + 1) * ROWS)
        torch.testing.assert_close(one.log_probs, policy.log_probs[rows], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(judged, value[rows], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(carry, after, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(model.value(observation[-1], carry), model(observation[-1], None, carry)[1])
    assert (policy.log_probs[~mask.flatten(0, 1)] < -1e8).all()


@pytest.mark.parametrize("body", ["gru", "lstm", "transformer"])
def test_no_carry_is_a_carry_of_zeros_and_no_beginning(body):
    model = build(body=body)
    observation, _ = seen()
    zeros, nowhere = torch.zeros(ROWS, model.carry_size), torch.zeros(STEPS, ROWS, dtype=torch.bool)
    assert torch.equal(model(observation)[1], model(observation, None, zeros, nowhere)[1])
    carry = model(observation)[2]
    begun = torch.ones(ROWS, dtype=torch.bool)
    assert torch.equal(model.value(observation[0], carry, begun), model.value(observation[0]))
    assert not torch.isclose(model.value(observation[0], carry), model.value(observation[0])).any()


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("observation", [BOX, S.Box(0, 1, (9, 9, 3), np.uint8)])
def test_there_may_be_no_rows(body, observation):
    model = build(observation, body=body)
    rows = torch.from_numpy(SpaceTree(observation).rows(0))
    carry = torch.zeros(0, model.carry_size) if model.carry_size else None
    policy, value, after = model(rows, None, carry, torch.zeros(0, dtype=torch.bool))
    assert value.shape == policy.entropy().shape == (0,)
    assert after is None or after.shape == carry.shape


def test_a_transformer_may_see_one_step_only():
    model = build(body="transformer", context=1)
    observation, first = seen()
    _, value, carry = model(observation, None, None, first)
    assert carry.tolist() == [[0.0]] * ROWS
    torch.testing.assert_close(value[ROWS : 2 * ROWS], model.value(observation[1]))


@pytest.mark.parametrize("body", BODIES)
def test_a_separate_critic_shares_nothing(body):
    model = build(body=body, separate=True)
    observation, first = seen()
    model(observation, None, None, first)[1].sum().backward()
    touched = {name for name, p in model.named_parameters() if p.grad is not None}
    assert touched == {name for name, _ in model.named_parameters() if name.startswith("critic_")}
    assert "critic_head.weight" in touched
    assert ("critic_memory." in " ".join(touched)) == (body != "mlp")


def test_a_policy_starts_near_uniform_and_a_value_does_not_start_at_nothing():
    for separate in (False, True):
        model = build(stirred=False, separate=separate)
        policy, value, _ = model(seen()[0][0])
        assert policy.entropy().min() > math.log(3) - 1e-3
        assert value.abs().mean() > 0.1


def test_normalisation_is_part_of_the_model_and_changes_only_when_it_observes():
    model = build(normalise=True)
    observation, _ = seen()
    before = model.value(observation * 50 + 10)
    assert torch.equal(before, model.value(observation * 50 + 10))
    model.observe(observation * 50 + 10, torch.ones(STEPS, ROWS, dtype=torch.bool))
    after = model.value(observation * 50 + 10)
    assert not torch.isclose(before, after).any()
    flat = (observation * 50 + 10).flatten(0, 1)
    plain = build()
    scaled = (flat - flat.mean(0)) / flat.std(0, correction=0)
    torch.testing.assert_close(after, plain.value(scaled), rtol=1e-4, atol=1e-4)
    assert "encoder.normaliser.moments.count" in model.state_dict()
    build().observe(observation)  # has nothing to count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"body": "transformer", "width": 18}, r"PPO.width=18 is no multiple of a transformer's 4 heads"),
        ({"action": S.Box(-np.inf, 1, (1,)), "squashed": True}, r"no bounds for component 0; PPO squashes"),
        ({"action": S.MultiBinary(3)}, r"has no head; PPO needs"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        build(**options)


NESTED = S.Dict(image=S.Box(0, 255, (9, 9, 3), np.uint8), numbers=S.Box(-1, 1, (3,)), choice=S.Discrete(2))
CASES = [(BOX, S.Discrete(3), False), (BOX, S.Box(-1, 1, (2,)), True), (NESTED, BOTH, False)]


def rows_of(observation):
    if observation is BOX:
        return seen()[0]
    tree = SpaceTree(observation)
    rows = torch.from_numpy(tree.rows(STEPS, ROWS))
    view = tree.view(rows)
    view["image"][:] = torch.randint(256, (STEPS, ROWS, 9, 9, 3), generator=generator(), dtype=torch.uint8)
    view["numbers"][:] = torch.randn(STEPS, ROWS, 3, generator=generator())
    return rows


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("observation", "action", "squashed"), CASES)
def test_under_autocast_all_that_a_loss_is_made_of_is_float32(body, observation, action, squashed):
    model = build(observation, action, body=body, squashed=squashed, normalise=True)
    rows, first = rows_of(observation), seen()[1]
    model.observe(rows)
    exact, exact_value, _ = model(rows, None, None, first)
    sample = exact.sample(generator()).detach()
    with torch.autocast("cpu", torch.bfloat16):
        policy, value, carry = model(rows, None, None, first)
        log_prob, entropy, divergence = policy.log_prob(sample), policy.entropy(), policy.kl(exact)
        loss = log_prob.mean() + 0.5 * (value - 1.0).square().mean()
    for x in (value, log_prob, entropy, divergence, loss, *([] if carry is None else [carry])):
        assert x.dtype == torch.float32
    torch.testing.assert_close(value, exact_value, rtol=0.05, atol=0.05)
    assert not torch.equal(value, exact_value)
    torch.testing.assert_close(log_prob, exact.log_prob(sample), rtol=0.1, atol=0.3 if squashed else 0.1)
    loss.backward()
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in model.parameters())


COMPILED = [
    pytest.param(*case, body, steps, marks=[] if (body, steps) in fast else [pytest.mark.slow])
    for case, fast in ((CASES[0], [("lstm", 2)]), (CASES[2], [("mlp", 1)]))
    for body in BODIES
    for steps in (1, 2)
]


@pytest.mark.parametrize(("observation", "action", "squashed", "body", "steps"), COMPILED)
def test_it_compiles_to_one_graph_that_does_the_same(observation, action, squashed, body, steps):
    torch.compiler.reset()
    plain, compiled = (build(observation, action, body=body, squashed=squashed, normalise=True) for _ in range(2))
    names = list(compiled.state_dict())
    compiled.compile(backend="aot_eager", fullgraph=True)
    rows, first = (x[0] if steps == 1 else x[:steps] for x in (rows_of(observation), seen()[1]))
    found = []
    for model in (plain, compiled):
        model.observe(rows)
        policy, value, carry = model(rows, None, None, first)
        sample = policy.sample(generator()).detach()
        (policy.log_prob(sample).sum() + value.sum()).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        found.append([sample, value, *gradients, *([] if carry is None else [carry])])
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)
    assert list(compiled.state_dict()) == names
