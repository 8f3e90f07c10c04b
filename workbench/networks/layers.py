"""Dense layers, and how they start."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "silu": nn.functional.silu,
    "tanh": torch.tanh_,
}
GAINS = {"relu": math.sqrt(2.0), "silu": 1.6765, "tanh": 5.0 / 3.0}
"""What the weights before an activation start with, so that numbers neither grow nor fade from layer to layer.

Those of relu (He et al. 2015) and silu keep the second moment of a standard normal number, g^2 E[f(z)^2] = 1; that of
tanh is torch's, a little above, for what saturates.
"""


def linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    """Build a dense layer with orthogonal weights (Saxe et al. 2014) of `gain`, and biases of zero."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def dense(inputs: int, width: int, depth: int, gain: float, generator: torch.Generator) -> nn.ModuleList:
    """Build `depth` layers of `width` units, the first for `inputs` numbers."""
    sizes = [inputs] + [width] * depth
    return nn.ModuleList(linear(*pair, gain, generator) for pair in pairwise(sizes))
