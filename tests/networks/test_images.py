"""Images in observations, against plain loops in float64."""

import gymnasium.spaces as S
import numpy as np
import pytest
import torch

from workbench.networks import Encoder
from workbench.networks.images import Convolutions, Image, image_of
from workbench.spaces import SpaceTree


def box(*shape, high=255, dtype=np.uint8):
    return S.Box(0, high, shape, dtype)


def encoder(space, **options):
    given = {"normalise": False, "images": True, "activation": "relu", **options}
    return Encoder(SpaceTree(space), generator=torch.Generator().manual_seed(0), **given)


@pytest.mark.parametrize(
    ("space", "image"),
    [
        (box(4, 84, 84), Image(4, (84, 84), True, 1 / 255)),
        (box(210, 160, 3), Image(3, (210, 160), False, 1 / 255)),
        (box(10, 10, 4, high=1), Image(4, (10, 10), False, 1.0)),
        (box(4, 10, 10, high=1), Image(4, (10, 10), True, 1.0)),
        (box(10, 10, 10, high=1), Image(10, (10, 10), True, 1.0)),
        (box(10, 10, 7, high=1, dtype=bool), Image(7, (10, 10), False, 1.0)),
        (box(2, 6, 7, high=1), Image(2, (6, 7), True, 1.0)),
        (box(17, 8, 8, high=1), Image(17, (8, 8), True, 1.0)),
        (box(3, 9, 9, high=1, dtype=np.float32), Image(3, (9, 9), True, 1.0)),
        (box(84, 84), Image(1, (84, 84), True, 1 / 255)),
        (box(10, 10, high=1), None),
        (box(84, 84, dtype=np.float32), None),
        (box(17, 4, 4, high=1), None),
        (box(2, 3, 3, high=1), None),
        (box(0, 9, 9), None),
        (box(9), None),
        (box(1, 3, 9, 9), None),
        (S.MultiDiscrete(np.full((9, 9, 3), 2)), None),
    ],
)
def test_what_is_an_image(space, image):
    found = image_of(SpaceTree(space).leaves[0])
    assert found is None if image is None else found._replace(scale=image.scale) == image
    if image is not None:
        assert found.scale == pytest.approx(image.scale)


def convolved(x, weight, bias):
    """Slide [O, C, 3, 3] over [C, H, W], one number after the other."""
    side = x.shape[1] - 2
    out = np.empty((len(weight), side, side))
    for o, i, j in np.ndindex(out.shape):
        out[o, i, j] = (x[:, i : i + 3, j : j + 3] * weight[o]).sum() + bias[o]
    return out


def test_a_small_image_goes_through_one_convolution_and_one_dense_layer():
    network = Convolutions(Image(4, (10, 10), True, 1.0), "relu", torch.Generator().manual_seed(0))
    assert {name: tuple(x.shape) for name, x in network.named_parameters()} == {
        "layers.0.weight": (16, 4, 3, 3),
        "layers.0.bias": (16,),
        "dense.weight": (128, 1024),
        "dense.bias": (128,),
    }
    with torch.no_grad():
        network.layers[0].bias.normal_()
        network.dense.bias.normal_()
    x = np.random.default_rng(0).random((2, 4, 10, 10)) < 0.2
    w, b, dense, shift = (p.detach().double().numpy() for p in network.parameters())
    for row, found in zip(x, network(torch.from_numpy(x.astype(np.uint8))), strict=True):
        hidden = np.maximum(convolved(row.astype(np.float64), w, b), 0).transpose(1, 2, 0).reshape(-1)
        np.testing.assert_allclose(found.detach(), np.maximum(dense @ hidden + shift, 0), rtol=1e-4, atol=1e-5)


def test_a_large_image_goes_through_the_network_of_nature():
    network = Convolutions(Image(4, (84, 84), True, 1 / 255), "relu", torch.Generator().manual_seed(0))
    assert [tuple(layer.weight.shape) for layer in network.layers] == [(32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3)]
    assert tuple(network.dense.weight.shape) == (512, 3136)
    x = torch.randint(256, (2, 4, 84, 84), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    y = x.double() / 255
    for layer, stride in zip(network.layers, (4, 2, 1), strict=True):
        y = torch.conv2d(y, layer.weight.double(), layer.bias.double(), stride).relu()
    y = torch.relu(y.permute(0, 2, 3, 1).flatten(1) @ network.dense.weight.double().T)
    torch.testing.assert_close(network(x).double(), y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("dtype", "high"), [(np.uint8, 255), (np.uint8, 1), (bool, 1), (np.float32, 1)])
def test_the_order_of_the_axes_and_the_dtype_make_no_difference(dtype, high):
    x = np.random.default_rng(0).integers(0, 2, (3, 4, 10, 10))
    first, last = encoder(box(4, 10, 10, high=high, dtype=dtype)), encoder(box(10, 10, 4, high=high, dtype=dtype))
    plain = encoder(box(4, 10, 10, high=1, dtype=np.float32))
    rows = torch.from_numpy((x * high).astype(dtype))
    expected = plain(torch.from_numpy(x.astype(np.float32)).flatten(1))
    torch.testing.assert_close(first(rows.flatten(1)), expected)
    torch.testing.assert_close(last(rows.permute(0, 2, 3, 1).flatten(1)), expected)


NESTED = S.Dict(camera=box(12, 12, 3), speed=S.Box(-100, 100, (2,)), wheel=S.Discrete(3), eye=box(4, 9, 9, high=1))


def filled(tree, rows=6):
    memory, pick = torch.from_numpy(tree.rows(rows)), np.random.default_rng(0)
    view = tree.view(memory)
    view["camera"][:] = torch.from_numpy(pick.integers(0, 256, (rows, 12, 12, 3), np.uint8))
    view["eye"][:] = torch.from_numpy(pick.integers(0, 2, (rows, 4, 9, 9), np.uint8))
    view["speed"][:] = torch.from_numpy(pick.normal(50, 10, (rows, 2)).astype(np.float32))
    view["wheel"][:] = torch.from_numpy(pick.integers(0, 3, rows))
    return memory, view


def test_a_nested_observation_is_seen_part_by_part():
    tree = SpaceTree(NESTED)
    memory, view = filled(tree)
    network = encoder(NESTED, normalise=True)
    network.observe(memory.view(2, 3, -1))
    found = network(memory).detach()
    assert found.shape == (6, network.features) == (6, 2 + 3 + 128 + 128)
    np.testing.assert_allclose(found[:, :2].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found[:, :2].std(0, correction=0), 1, rtol=1e-5)
    assert found[:, 2:5].tolist() == torch.nn.functional.one_hot(view["wheel"], 3).tolist()
    torch.testing.assert_close(found[:, 5:133], network.images[0](view["camera"]))
    torch.testing.assert_close(found[:, 133:], network.images[1](view["eye"]))
    assert not torch.equal(found[:, 5:133], found[:, 133:])


def test_images_are_flattened_where_that_is_asked():
    tree = SpaceTree(NESTED)
    memory, view = filled(tree)
    network = encoder(NESTED, images=False)
    found = network(memory)
    assert found.shape == (6, 12 * 12 * 3 + 4 * 9 * 9 + 2 + 3)
    assert not list(network.parameters())
    assert found[:, :432].tolist() == view["camera"].flatten(1).float().tolist()


def test_there_is_nothing_to_normalise_in_images_and_choices():
    assert encoder(S.Dict(a=box(9, 9, 3), b=S.Discrete(2)), normalise=True).normaliser is None
    network = encoder(box(9, 9, 3), normalise=True)
    network.observe(torch.zeros(4, 243, dtype=torch.uint8))
    assert network(torch.zeros(4, 243, dtype=torch.uint8)).shape == (4, 128)


def test_it_learns_to_tell_images_apart():
    network = encoder(box(10, 10, 4, high=1))
    rows = torch.randint(2, (64, 400), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network(rows).square().mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())
