"""The weight of a penalty that finds itself."""


class AdaptivePenalty:
    """A coefficient that keeps a divergence near a target (Schulman et al. 2017, arXiv:1707.06347, section 4).

    Attributes:
        coefficient: What to multiply the divergence with.
    """

    saved = ("coefficient",)

    def __init__(self, coefficient: float) -> None:
        self.coefficient = coefficient

    def adapt(self, divergence: float, target: float) -> None:
        """Double the coefficient where `divergence` is above 1.5 `target`, halve it where it is below `target` / 1.5.

        Args:
            divergence: Of the policies before and after an update, in nats.
            target: In nats, more than 0.
        """
        if divergence > 1.5 * target:
            self.coefficient *= 2.0
        elif divergence < target / 1.5:
            self.coefficient /= 2.0
