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
        self.hidden = linear(width, 4 * width, 1.0, generator)
        self.carry_size = 2 * width
        with torch.no_grad():  # the gates are input, forget, output, candidate
            self.input.bias[width : 2 * width] = 1.0

    def forward(self, x: Tensor, carry: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return h [L, N, width], and the carry [N, C] after the last step."""
        inputs, keep = self.input(x), (~first)[..., None].to(carry.dtype)
        h, c = carry.chunk(2, -1)
        out = []
        for t in range(len(x)):
            gates = full(inputs[t] + self.hidden(h * keep[t]))
            i, f, o = gates[:, : 3 * h.shape[-1]].sigmoid().chunk(3, -1)
            c = f * (c * keep[t]) + i * gates[:, 3 * h.shape[-1] :].tanh()
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
        inputs, keep = full(self.input(x)), (~first)[..., None].to(carry.dtype)
        h, width = carry, carry.shape[-1]
        out = []
        for t in range(len(x)):
            h = h * keep[t]
            before = full(self.hidden(h))
            r, z = (inputs[t, :, : 2 * width] + before[:, : 2 * width]).sigmoid().chunk(2, -1)
            candidate = (inputs[t, :, 2 * width :] + r * before[:, 2 * width :]).tanh()
            h = candidate + z * (h - candidate)
            out.append(h)
        return torch.stack(out), h


MEMORIES: dict[str, Callable[..., nn.Module]] = {"gru": GRU, "lstm": LSTM, "transformer": Transformer}
