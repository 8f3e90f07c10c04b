"""The mathematics that algorithms share: a formula used twice lives here once, beside the oracle that tests it.

T: horizon, B: lanes, N: transitions of a minibatch, A: actions.
"""

from workbench.functional.policies import (
    clipped_surrogate,
    explained_variance,
    likeliest,
    log_prob,
    sample_categorical,
    sample_categoricals,
    split_log_softmax,
    standardise,
)
from workbench.functional.returns import (
    discounted_returns,
    episode_totals,
    gae,
    lambda_returns,
    n_step_returns,
    retrace,
    vtrace,
)

__all__ = [
    "clipped_surrogate",
    "discounted_returns",
    "episode_totals",
    "explained_variance",
    "gae",
    "lambda_returns",
    "likeliest",
    "log_prob",
    "n_step_returns",
    "retrace",
    "sample_categorical",
    "sample_categoricals",
    "split_log_softmax",
    "standardise",
    "vtrace",
]
