"""Memory between steps: recurrent layers. L: steps, N: rows, C: numbers a carry holds.

A memory takes L steps of N rows at once, `forward(x [L, N, inputs], carry [N, C], first [L, N])`, and returns what it
makes of each and the carry after the last; L single steps come to the same. Where `first` says that an episode begins,
the carry counts as zero. What is carried is float32 whatever the network computes in.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from workbench.networks.heads import full
from workbench.networks.layers import linear
from workbench.networks.transformer import Transformer


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) whose forget gate starts open (Gers et al. 2000).

    The carry is h and c side by side.

    Args:
        inputs: Numbers it takes a step.
        width: Of h, and of c.
        generator: The source of the initial weights.

    Attributes:
        carry_size: C.
    """

    def __init__(self, inputs: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.input = linear(inputs, 4 * width, 1.0, generator)
        self.recurrent = linear(width, 4 * width, 1.0, generator).weight
        self.carry_size = 2 * width
        with torch.no_grad():  # the gates are input, forget, output, candidate
            self.input.bias[width : 2 * width] = 1.0

    def forward(self, x: Tensor, carry: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return h [L, N, width], and the carry [N, C] after the last step."""
        h, c = carry.chunk(2, -1)
        width, out = h.shape[-1], []
        for inputs, keep in zip(self.input(x).unbind(), _kept(first, carry), strict=True):
            gates, candidate = full(torch.addmm(inputs, h * keep, self.recurrent.t())).split([3 * width, width], -1)
            i, f, o = gates.sigmoid().chunk(3, -1)
            c = f * (c * keep) + i * candidate.tanh()
            h = o * c.tanh()
            out.append(h)
        return torch.stack(out), torch.cat([h, c], -1)


class GRU(nn.Module):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate behind the matrix as in torch.

    The carry is h.

    Args:
        inputs: Numbers it takes a step.
        width: Of h.
        generator: The source of the initial weights.

    Attributes:
        carry_size: C.
    """

    def __init__(self, inputs: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.input = linear(inputs, 3 * width, 1.0, generator)
        self.hidden = linear(width, 3 * width, 1.0, generator)
        self.carry_size = width

    def forward(self, x: Tensor, carry: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return h [L, N, width], and the carry [N, C] after the last step."""
        h, width, out = carry, carry.shape[-1], []
        for inputs, keep in zip(full(self.input(x)).unbind(), _kept(first, carry), strict=True):
            h = h * keep
            gates, candidate = inputs.split([2 * width, width], -1)
            recurrent, remembered = self.hidden(h).split([2 * width, width], -1)
            r, z = (gates + recurrent).sigmoid().chunk(2, -1)
            candidate = (candidate + r * remembered).tanh()
            h = candidate + z * (h - candidate)
            out.append(h)
        return torch.stack(out), h


def _kept(first: Tensor, carry: Tensor) -> tuple[Tensor, ...]:
    """Return for each step what the carry is multiplied by, [N, 1]: 0 where an episode begins."""
    return (~first)[..., None].to(carry.dtype).unbind()


MEMORIES: dict[str, Callable[..., nn.Module]] = {"gru": GRU, "lstm": LSTM, "transformer": Transformer}
