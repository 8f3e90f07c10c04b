"""What a network's layers hold, and what they put out: norms, histograms, units that say nothing.

N: observations, U: units of a layer.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

BINS = 32
VALUES = 1 << 17
"""Numbers that a histogram counts at most: of more, every k-th."""

SATURATED = 0.99
"""Of tanh: beyond it, hardly any gradient comes through."""

FAINT = {"relu": 0.0, "silu": 0.01}
"""What the units that are dead never leave, either side of zero: silu only comes close to it."""


@dataclass(frozen=True)
class Histogram:
    """Counts of numbers in `BINS` bins of one width between `low` and `high`, as `numpy.histogram` has them.

    Of numbers that are all the same there is one bin, without width.
    """

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer: the parameters that go into one operation.

    Attributes:
        name: Of its parameters, without "weight" and "bias".
        shape: Of its largest parameter.
        parameters: How many numbers it learns.
        norm: L2, of all of them.
        weights: Of all of them; None if none is finite.
        gradient: L2, of the newest update's gradient; NaN if it has none.
        activation: "relu", "silu" or "tanh" if one follows, "linear" if none does; None if nothing was put through.
        outputs: Of what it puts out, behind the activation; None where nothing was put through.
        idle: Share that lets no gradient through: of the units before relu and silu, those that are dead for all that
            was put through; of the outputs of tanh, those that are saturated; NaN of others.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    norm: float
    weights: Histogram | None
    gradient: float
    activation: str | None = None
    outputs: Histogram | None = None
    idle: float = math.nan


def histogram(values: Tensor) -> Histogram | None:
    """Count the finite ones of `values`; None if there are none."""
    flat = values.detach().reshape(-1)
    numbers = flat[:: -(-len(flat) // VALUES) or 1].float().cpu().numpy()
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return None
    low, high = float(numbers.min()), float(numbers.max())
    counts = np.histogram(numbers, BINS)[0].tolist() if low < high else [len(numbers)]
    return Histogram(low, high, tuple(counts))


def learned(networks: Mapping[str, torch.nn.Module]) -> Iterator[tuple[str, Tensor]]:
    """Yield each parameter that learns, under the name of its network unless there is only one."""
    for owner, network in networks.items():
        prefix = f"{owner}." if len(networks) > 1 else ""
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                yield prefix + name, parameter


def layer_of(parameter: str) -> str:
    """Return the layer of a parameter by its name: trunk.0 of trunk.0.bias, ensemble.1 of ensemble.weight.1."""
    parts = parameter.split(".")
    return ".".join(part for part in parts if part not in ("weight", "bias")) or parameter


def inspect(
    networks: Mapping[str, torch.nn.Module], gradients: Mapping[str, float], look: Callable[[], Any]
) -> tuple[Layer, ...]:
    """Return the layers of `networks` in the order in which `look` puts something through them; others come last.

    Args:
        networks: Whose parameters.
        gradients: L2 norms of the parameters' gradients, by the names that `learned` gives them.
        look: Puts observations through the networks.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    for name, parameter in learned(networks):
        parts.setdefault(layer_of(name), {})[name] = parameter
    tracer = Tracer({id(parameter): name for name, group in parts.items() for parameter in group.values()})
    with torch.inference_mode(), tracer:
        look()
    order = [*tracer.order, *(name for name in parts if name not in tracer.order)]
    return tuple(_layer(name, parts[name], gradients, tracer.outputs.get(name)) for name in order)


def _layer(name: str, group: dict[str, Tensor], gradients: Mapping[str, float], output: "Output | None") -> Layer:
    whole = torch.cat([parameter.detach().reshape(-1) for parameter in group.values()])
    slopes = [gradients[each] for each in group if each in gradients]
    found = Layer(
        name,
        tuple(max(group.values(), key=torch.numel).shape),
        len(whole),
        float(whole.double().norm()),
        histogram(whole),
        math.hypot(*slopes) if slopes else math.nan,
    )
    if output is None:
        return found
    more = {"activation": output.activation, "outputs": histogram(output.values), "idle": idle(output)}
    return Layer(**vars(found) | more)


@dataclass
class Output:
    """What a layer put out.

    Attributes:
        values: Of any shape.
        units: The axis, or axes, that count units; all others count observations, places and steps.
        activation: See `Layer`.
    """

    values: Tensor
    units: tuple[int, ...]
    activation: str = "linear"


def idle(output: Output) -> float:
    """Return the share that lets no gradient through; see `Layer`."""
    if output.activation == "linear" or not output.values.numel():
        return math.nan
    size = output.values.abs()
    if output.activation == "tanh":
        return float((size > SATURATED).double().mean())
    others = [axis for axis in range(size.ndim) if axis not in output.units]
    return float((size.amax(others) <= FAINT[output.activation]).double().mean())


class Tracer(TorchFunctionMode):
    """Follows parameters into the operations of a forward pass, and what comes out of these into an activation.

    Args:
        owners: The layer of each parameter, by its `id`.

    Attributes:
        order: The layers in the order in which they were first used.
        outputs: What each put out last.
    """

    def __init__(self, owners: dict[int, str]) -> None:
        super().__init__()
        self._owners = dict(owners)  # of what is made of parameters alone too, such as a transposed one
        self._from: dict[int, str] = {}  # the layer that put out a tensor
        self._kept: list[Tensor] = []  # an id is another tensor's once its own is gone
        self.order: list[str] = []
        self.outputs: dict[str, Output] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what was called, and note what it says of a layer."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            called = func.__name__.strip("_")
            given = [x for x in (*args, *(kwargs or {}).values()) if isinstance(x, Tensor)]
            self._note(called, given[:1] if called.endswith("_as") else given, made)
        return made

    def _note(self, called: str, given: list[Tensor], made: Tensor) -> None:
        mine = [self._owners[id(x)] for x in given if id(x) in self._owners]
        if mine:
            if mine[0] not in self.order:
                self.order.append(mine[0])
            self._kept.append(made)
            if len(mine) == len(given):
                self._owners[id(made)] = mine[0]
            else:
                self._from[id(made)] = mine[0]
                self.outputs[mine[0]] = Output(made, _units(called, made))
        elif called in (*FAINT, "tanh") and given and id(given[0]) in self._from:
            output = self.outputs[self._from.pop(id(given[0]))]
            output.values, output.activation = made, called


def _units(called: str, made: Tensor) -> tuple[int, ...]:
    if called.startswith("conv"):
        return (1,)
    return (0, 2) if called == "baddbmm" else (made.ndim - 1,)
