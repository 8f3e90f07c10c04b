"""What objects keep comes back, of every kind that can be kept; what cannot says so."""

import json
import math
from collections import deque

import numpy as np
import pytest
import torch

from workbench.training.saved import decoded, encoded, gather, scatter, walk


class Owner:
    device = torch.device("cpu")

    def __init__(self, **parts):
        self.saved = tuple(parts)
        self.__dict__.update(parts)


def taken(owner):
    """Gather, by way of what a file would hold."""
    tensors, scalars = {}, {}
    gather(owner, tensors, scalars)
    return {name: x.clone() for name, x in tensors.items()}, json.loads(json.dumps(scalars, allow_nan=False))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.BatchNorm1d(3)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.note = "fresh"

    def get_extra_state(self):
        return {"note": self.note}

    def set_extra_state(self, state):
        self.note = state["note"]


def optimised(seed):
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.5, 0.6))
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 2, gamma=0.5)
    return model, optimiser, scheduler


def descend(model, optimiser, scheduler, steps):
    for _ in range(steps):
        optimiser.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimiser.step()
        scheduler.step()


def test_plain_values_of_any_depth_come_back_as_they_were():
    values = {
        "none": None,
        "flag": True,
        "count": 2**80,
        "number": 0.1,
        "odd": [math.inf, -math.inf],
        "text": "ä",
        "nested": {"list": [1, (2, [3.5])], "by_number": {1: "one", (2, 3): None}, "$mark": 4},
        "numpy": [np.float32(0.1), np.int64(3), np.bool_(True)],
        "recent": deque([1.0, 2.0], maxlen=2),
        "inside": {"tensor": torch.arange(3), "array": np.arange(4.0)},
    }
    owner = Owner(**values)
    fresh = Owner(**dict.fromkeys(values))
    fresh.recent = deque([9.0], maxlen=2)
    scatter(fresh, *taken(owner))
    inside = fresh.__dict__.pop("inside")
    assert torch.equal(inside["tensor"], torch.arange(3))
    np.testing.assert_array_equal(inside["array"], np.arange(4.0))
    for name, value in values.items():
        if name != "inside":
            assert getattr(fresh, name) == value, name
            assert type(getattr(fresh, name)) is type(value), name
    assert [type(x) for x in fresh.numpy] == [np.float32, np.int64, np.bool_]
    assert fresh.recent.maxlen == 2


def test_not_a_number_comes_back():
    assert math.isnan(decoded(json.loads(json.dumps(encoded(math.nan, "x", {}))), {}))


def test_containers_tensors_and_arrays_are_filled_in_place(tmp_path):
    mapped = np.memmap(tmp_path / "rows", np.float32, "w+", shape=(3, 2))
    owner = Owner(
        tensor=torch.arange(3), array=np.arange(6, dtype=np.uint16), rows=np.ones((3, 2), np.float32),
        names=["a"], table={"a": 1}, scalar=np.array(3.5),
    )  # fmt: skip
    fresh = Owner(
        tensor=torch.zeros(3, dtype=torch.int64), array=np.zeros(6, np.uint16), rows=mapped,
        names=["b", "c"], table={"b": 2}, scalar=np.array(0.0),
    )  # fmt: skip
    held = dict(fresh.__dict__)
    scatter(fresh, *taken(owner))
    for name in owner.saved:
        assert getattr(fresh, name) is held[name], name
    for name in ("tensor", "array", "rows", "scalar"):
        np.testing.assert_array_equal(getattr(fresh, name), getattr(owner, name))
    assert (fresh.names, fresh.table) == (["a"], {"a": 1})
    del mapped
    np.testing.assert_array_equal(np.memmap(tmp_path / "rows", np.float32, "r", shape=(3, 2)), np.ones((3, 2)))


def test_what_was_not_there_yet_comes_and_what_was_not_there_goes():
    owner = Owner(carry=torch.ones(2, 3), table=np.ones(2), gone=None)
    fresh = Owner(carry=None, table=None, gone=torch.zeros(1))
    scatter(fresh, *taken(owner))
    assert torch.equal(fresh.carry, owner.carry)
    assert isinstance(fresh.table, np.ndarray)
    assert fresh.gone is None


def test_a_tensor_of_inference_is_replaced():
    with torch.inference_mode():
        carry = torch.zeros(2)
    fresh = Owner(carry=carry)
    scatter(fresh, *taken(Owner(carry=torch.ones(2))))
    assert fresh.carry.tolist() == [1.0, 1.0]


def test_modules_come_back_with_buffers_and_extra_state():
    net, fresh = Net(), Net()
    net.layer(torch.randn(8, 3))
    net.seen += 7
    net.note = "trained"
    weight = fresh.layer.weight
    scatter(Owner(net=fresh), *taken(Owner(net=net)))
    assert fresh.layer.weight is weight
    assert torch.equal(fresh.layer.running_mean, net.layer.running_mean)
    assert fresh.layer.num_batches_tracked == 1
    assert fresh.seen == 7
    assert fresh.note == "trained"


def test_optimisers_and_schedulers_go_on_as_if_nothing_had_happened():
    whole, half, fresh = (optimised(seed) for seed in (0, 0, 1))
    for made in (whole, half):
        descend(*made, 3)
        made[1].param_groups[0]["betas"] = (0.7, 0.8)  # a live change of the optimiser itself
    names = ("model", "optimiser", "scheduler")
    descend(*fresh, 1)
    moments = fresh[1].state[fresh[0].weight]["exp_avg"]
    scatter(Owner(**dict(zip(names, fresh, strict=True))), *taken(Owner(**dict(zip(names, half, strict=True)))))
    assert fresh[1].state[fresh[0].weight]["exp_avg"] is moments  # others may look at the same memory
    for made in (whole, fresh):
        descend(*made, 4)
    assert torch.equal(whole[0].weight, fresh[0].weight)
    assert whole[1].param_groups[0]["lr"] == fresh[1].param_groups[0]["lr"] != 0.1
    assert fresh[1].param_groups[0]["betas"] == (0.7, 0.8)


def test_an_optimiser_that_has_not_stepped_forgets_its_moments():
    fresh = optimised(1)
    descend(*fresh, 1)
    scatter(Owner(optimiser=fresh[1]), *taken(Owner(optimiser=optimised(0)[1])))
    assert not fresh[1].state


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_generators_come_back(kind):
    owner = Owner(torch=torch.Generator().manual_seed(1), numpy=np.random.Generator(kind(1)))
    owner.numpy.normal(size=3)
    fresh = Owner(torch=torch.Generator(), numpy=np.random.Generator(kind(2)))
    scatter(fresh, *taken(owner))
    assert torch.rand(3, generator=fresh.torch).tolist() == torch.rand(3, generator=owner.torch).tolist()
    assert fresh.numpy.normal(size=3).tolist() == owner.numpy.normal(size=3).tolist()


def crew(count, rest):
    critics = [torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)]
    return Owner(critics=critics, by_name={"a": Owner(count=count), "b": rest}, pair=(Owner(x=count), rest))


def test_owners_inside_containers_are_filled_too():
    owner, fresh = crew(3, 5), crew(0, 0)
    held = fresh.critics[1]
    scatter(fresh, *taken(owner))
    assert fresh.critics[1] is held
    assert torch.equal(held.weight, owner.critics[1].weight)
    assert (fresh.by_name["a"].count, fresh.by_name["b"]) == (3, 5)
    assert (fresh.pair[0].x, fresh.pair[1]) == (3, 5)
    keys = [key for key, _ in walk(owner)]
    assert keys == ["critics.0", "critics.1", "by_name.a.count", "by_name.b", "pair.0.x", "pair.1"]


class Measured:
    """Hands out its memory as far as it is used, and takes it back by a setter."""

    saved = ("used", "filled", "doubled")

    def __init__(self):
        self.used, self.memory, self.number = 0, np.zeros(9), 0

    @property
    def filled(self):
        return self.memory[: self.used]

    @property
    def doubled(self):
        return 2 * self.number

    @doubled.setter
    def doubled(self, value):
        self.number = value // 2


def test_properties_are_filled_or_set_in_the_order_in_which_they_are_named():
    owner, fresh = Measured(), Measured()
    owner.used, owner.number = 4, 21
    owner.memory[:4] = 1.0
    scatter(fresh, *taken(owner))
    assert fresh.memory.tolist() == owner.memory.tolist()
    assert fresh.number == 21


@pytest.mark.parametrize(
    ("kept", "fresh", "message"),
    [
        (torch.zeros(1), torch.zeros(5), r"x has shape \[1\], not \[5\]"),  # which torch would broadcast
        (torch.zeros(2), torch.zeros(2, dtype=torch.int64), "x is of type torch.float32, not torch.int64"),
        (np.zeros(2), np.zeros(2, np.float32), "x is of type torch.float64, not torch.float32"),
        (torch.nn.Linear(2, 1), torch.nn.Linear(3, 1), r"x.weight has shape \[1, 2\], not \[1, 3\]"),
    ],
)
def test_what_does_not_fit_is_refused(kept, fresh, message):
    with pytest.raises(ValueError, match=message):
        scatter(Owner(x=fresh), *taken(Owner(x=kept)))


def test_what_is_missing_is_refused():
    with pytest.raises(KeyError, match="y"):
        scatter(Owner(x=1, y=2), *taken(Owner(x=1)))


@pytest.mark.parametrize("value", [object(), {1, 2}, [lambda: 0], np.array(["a"]), b"bytes"])
def test_what_cannot_be_kept_says_so(value):
    with pytest.raises(TypeError, match=r"owner\.x.* is an? .*, which no checkpoint keeps"):
        taken(Owner(owner=Owner(x=value)))
