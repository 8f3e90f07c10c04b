"""The mathematics that algorithms share: a formula used twice lives here once, beside the oracle that tests it.

T: horizon, B: lanes, N: transitions of a minibatch, A: actions.
"""

from workbench.functional.policies import clipped_surrogate, explained_variance, sample_categorical, standardise
from workbench.functional.returns import episode_totals, gae

__all__ = ["clipped_surrogate", "episode_totals", "explained_variance", "gae", "sample_categorical", "standardise"]
