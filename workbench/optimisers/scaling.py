"""Loss scaling: gradients of float16 vanish below 6e-8 unless the loss is large."""

from collections.abc import Iterable

import torch
from torch import Tensor

GROWTH_INTERVAL = 2000
"""Steps with finite gradients after which the scale doubles."""


class LossScale:
    """Scales losses up and gradients down, and finds the greatest scale without overflow (Micikevicius et al. 2018).

    The scale halves where a gradient is not finite (arXiv:1710.03740, section 3.2).

    Args:
        enabled: Whether it does anything.

    Attributes:
        scale: What losses are multiplied with.
        streak: Steps since it last changed.
    """

    saved = ("scale", "streak")

    def __init__(self, enabled: bool = True) -> None:
        self.scale = 2.0**16 if enabled else 1.0
        self.streak = 0
        self._enabled = enabled

    def backward(self, loss: Tensor) -> None:
        """Add the scaled gradients of `loss` to those of the parameters."""
        (loss * self.scale if self._enabled else loss).backward()

    def unscale(self, parameters: Iterable[Tensor]) -> bool:
        """Divide the gradients by the scale, and adapt it; return whether they are finite, so that a step counts."""
        if not self._enabled:
            return True
        gradients = [x.grad for x in parameters if x.grad is not None]
        finite = all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        for gradient in gradients:
            gradient.div_(self.scale)
        self.streak = self.streak + 1 if finite else 0
        if not finite:
            self.scale /= 2.0
        elif self.streak == GROWTH_INTERVAL:
            self.scale, self.streak = 2.0 * self.scale, 0
        return finite
