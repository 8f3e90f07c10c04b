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
GAINS = {"relu": math.sqrt(2.0), "silu": math.sqrt(2.0), "tanh": 5.0 / 3.0}
"""What the weights before an activation start with, so that numbers hardly fade from layer to layer and never grow.

That of relu keeps their second moment (He et al. 2015). Silu comes close to relu from below; with a larger gain large
numbers would grow. That of tanh is torch's.
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
