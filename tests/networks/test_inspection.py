"""What is said of a network's layers, against numpy and against forward passes written out."""

import math
import threading

import numpy as np
import pytest
import torch

from workbench.envs import make
from workbench.networks import actor_critic
from workbench.networks.inspection import BINS, SATURATED, histogram, inspect, layer_of, learned
from workbench.networks.soft import Ensemble
from workbench.spec import spec_of

WIDTH = 16


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(env="CartPole-v1", **settings):
    """Return a network for `env`, its parameters disturbed, and observations of it."""
    lanes = make(env, 32)
    lanes.reset(seed=0)
    settings = {"width": WIDTH, "activation": "relu", **settings}
    model = actor_critic(spec_of(lanes), generator=seeded(), owner="me", **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(1)))
    shape = (64, *lanes.observation.shape[1:])
    return model, 2.0 * torch.randn(shape, generator=seeded(2))


def looked(model, *given, gradients=None):
    return {layer.name: layer for layer in inspect({"model": model}, gradients or {}, lambda: model(*given))}


def assert_counts(found, numbers):
    counts, edges = np.histogram(numbers, BINS)
    assert list(found.counts) == counts.tolist()
    assert (found.low, found.high) == (edges[0], edges[-1])


def test_weights_are_counted_and_measured_as_numpy_does():
    model, observation = network(depth=3, separate=True)
    found = looked(model, observation)
    for name, layer in found.items():
        parts = [p.detach().numpy() for key, p in model.named_parameters() if key.rpartition(".")[0] == name]
        whole = np.concatenate([part.ravel() for part in parts])
        assert layer.parameters == len(whole)
        assert layer.norm == pytest.approx(np.linalg.norm(whole.astype("f8")), rel=1e-12)
        assert_counts(layer.weights, whole)
    assert sum(layer.parameters for layer in found.values()) == sum(p.numel() for p in model.parameters())
    assert found["trunk.1"].shape == (WIDTH, WIDTH)


@pytest.mark.parametrize(
    ("activation", "written"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("tanh", np.tanh),
        ("silu", lambda x: x / (1 + np.exp(-x))),
    ],
)
def test_outputs_are_those_of_a_forward_pass_written_out(activation, written):
    model, observation = network(depth=2, activation=activation)
    found = looked(model, observation)
    x = observation.double().numpy()
    for k, layer in enumerate(model.trunk):
        x = written(x @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy())
        at = found[f"trunk.{k}"]
        assert at.activation == activation
        assert (at.outputs.low, at.outputs.high) == pytest.approx((x.min(), x.max()), abs=1e-5)
        # A float32 that lies on an edge may be counted on its other side.
        assert np.abs(np.subtract(at.outputs.counts, np.histogram(x, BINS)[0])).sum() <= 4
        faint = {"relu": 0.0, "silu": 0.01}
        sure = (np.abs(x) > SATURATED).mean() if activation == "tanh" else (abs(x).max(0) <= faint[activation]).mean()
        assert at.idle == pytest.approx(sure)
    assert found["head"].activation == "linear"
    assert math.isnan(found["head"].idle)
    out = model.head(torch.from_numpy(x).float()).detach().numpy()
    assert (found["head"].outputs.low, found["head"].outputs.high) == pytest.approx((out.min(), out.max()), abs=1e-5)


@pytest.mark.parametrize(("activation", "bias"), [("relu", -1e3), ("silu", -1e3), ("tanh", 1e3)])
def test_a_dead_layer_shows_as_dead(activation, bias):
    model, observation = network(depth=2, activation=activation)
    with torch.no_grad():
        model.trunk[1].bias.fill_(bias)
    found = looked(model, observation)
    assert found["trunk.1"].idle == 1.0
    assert found["trunk.0"].idle < 0.5
    size = found["trunk.1"].outputs
    assert (size.low, size.high) == ((1.0, 1.0) if activation == "tanh" else (pytest.approx(0.0), pytest.approx(0.0)))


def test_a_unit_that_one_observation_wakes_is_not_dead():
    model, observation = network(depth=1)
    with torch.no_grad():
        model.trunk[0].weight.zero_()
        model.trunk[0].bias.fill_(-1.0)
        model.trunk[0].weight[:4, 0] = 1.0  # four units look at one component, which one observation has
    observation[:, 0] = 0.0
    observation[7, 0] = 2.0
    assert looked(model, observation)["trunk.0"].idle == 1 - 4 / WIDTH


def test_units_of_convolutions_are_channels_and_of_an_ensemble_each_members():
    model, _ = network("MinAtar/Breakout-v1", depth=1)
    observation = torch.randint(2, (32, 400), generator=seeded(), dtype=torch.uint8)
    with torch.no_grad():
        model.encoder.images[0].layers[0].bias[:4] = -1e3
    found = looked(model, observation)
    assert found["encoder.images.0.layers.0"].idle == 4 / 16
    ensemble = Ensemble(2, [3, 8, 1], "relu", seeded())
    with torch.no_grad():
        ensemble.bias[0][1, 0, :6] = -1e3
    x = torch.randn((64, 3), generator=seeded())
    layers = inspect({"model": ensemble}, {}, lambda: ensemble(x))
    assert [(layer.name, layer.shape) for layer in layers] == [("0", (2, 3, 8)), ("1", (2, 8, 1))]
    assert layers[0].idle == 6 / 16
    assert layers[1].activation == "linear"


def test_layers_come_in_the_order_of_the_forward_pass():
    model, observation = network("Pendulum-v1", depth=2)
    assert next(iter(learned({"model": model})))[0] == "policy.log_std"
    found = looked(model, observation[:, :3])
    assert found["policy.log_std"].outputs is None  # it is no matrix: nothing goes through it
    names = list(found)
    assert names == ["trunk.0", "trunk.1", "head", "policy.log_std"]
    layers = inspect({"a": model, "b": torch.nn.Linear(2, 2)}, {}, lambda: model(observation[:, :3]))
    assert [layer.name for layer in layers] == [*(f"a.{name}" for name in names), "b"]
    assert (layers[-1].activation, layers[-1].outputs) == (None, None)


@pytest.mark.parametrize("body", ["lstm", "gru", "transformer"])
def test_every_matrix_of_a_memory_is_followed(body):
    model, observation = network(body=body)
    found = looked(model, observation)
    for layer in found.values():
        assert len(layer.shape) < 2 or layer.outputs is not None, layer.name
    if body == "transformer":
        assert found["memory.blocks.0.inner"].activation == "relu"
    if body == "lstm":
        _, _, carry = model(observation)
        h = model.memory(torch.ones(1, 64, WIDTH), carry, torch.zeros(1, 64, dtype=torch.bool))
        assert h[0].shape == (1, 64, WIDTH)
        assert found["memory.recurrent"].shape == (4 * WIDTH, WIDTH)


def test_gradients_of_a_layer_are_added_in_squares():
    model, observation = network(depth=1)
    found = looked(model, observation, gradients={"trunk.0.weight": 3.0, "trunk.0.bias": 4.0, "head.bias": 2.0})
    assert (found["trunk.0"].gradient, found["head"].gradient) == (5.0, 2.0)
    assert math.isnan(looked(model, observation)["head"].gradient)


def test_what_other_threads_do_meanwhile_is_not_seen():
    model, observation = network(depth=1)
    other = torch.zeros_like(observation)

    def look():
        thread = threading.Thread(target=model, args=(other,))
        thread.start()
        thread.join()

    layers = inspect({"model": model}, {}, look)
    assert [layer.outputs for layer in layers] == [None, None]


def test_looking_changes_nothing_and_draws_nothing():
    model, observation = network(body="gru")
    before = [x.clone() for x in model.state_dict().values()]
    state = torch.get_rng_state()
    first, second = looked(model, observation), looked(model, observation)
    assert repr(first) == repr(second)
    assert all(map(torch.equal, before, model.state_dict().values()))
    assert torch.equal(state, torch.get_rng_state())
    assert not observation.requires_grad


def test_numbers_that_are_none_or_all_the_same_are_counted_too():
    assert histogram(torch.tensor([math.nan, math.inf])) is None
    found = histogram(torch.tensor([1.0, math.nan, 3.0]))
    assert (found.low, found.high, sum(found.counts)) == (1.0, 3.0, 2)
    found = histogram(torch.full((5,), 2.0))
    assert (found.low, found.high, found.counts) == (2.0, 2.0, (5,))


def test_what_does_not_learn_is_left_out():
    model, observation = network(depth=1)
    model.trunk[0].requires_grad_(False)
    assert list(looked(model, observation)) == ["head"]


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [
        ("trunk.0.bias", "trunk.0"),
        ("critic.ensemble.weight.1", "critic.ensemble.1"),
        ("memory.recurrent", "memory.recurrent"),
        ("log_temperature", "log_temperature"),
        ("weight", "weight"),
    ],
)
def test_a_parameters_name_says_its_layer(parameter, layer):
    assert layer_of(parameter) == layer
