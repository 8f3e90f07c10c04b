"""The weight of a penalty that finds itself."""

LEAST, GREATEST = 1e-4, 1e4
"""What the weight stays between. Adam does not mind the size of a loss: where even this much does not bring the
divergence down, more would not, and what had grown without an end would take as long to come back."""


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

        It stays from `LEAST` to `GREATEST`.

        Args:
            divergence: Of the policies before and after an update, in nats.
            target: In nats, more than 0.
        """
        if divergence > 1.5 * target:
            self.coefficient = min(2.0 * self.coefficient, GREATEST)
        elif divergence < target / 1.5:
            self.coefficient = max(self.coefficient / 2.0, LEAST)
