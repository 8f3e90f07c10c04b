"""The mathematics that algorithms share: a formula used twice lives here once, beside the oracle that tests it.

T: horizon, B: lanes, N: transitions of a minibatch, A: actions.
"""

from workbench.functional.distributions import (
    categorical_entropy,
    categorical_kl,
    log_tanh_slope,
    normal_entropy,
    normal_kl,
    normal_log_prob,
)
from workbench.functional.policies import (
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
from workbench.functional.surrogates import clipped_surrogate, kl_estimate, squared_error
from workbench.statistics import iqm, resample, stratified_bootstrap

__all__ = [
    "categorical_entropy",
    "categorical_kl",
    "clipped_surrogate",
    "discounted_returns",
    "episode_totals",
    "explained_variance",
    "gae",
    "iqm",
    "kl_estimate",
    "lambda_returns",
    "likeliest",
    "log_prob",
    "log_tanh_slope",
    "n_step_returns",
    "normal_entropy",
    "normal_kl",
    "normal_log_prob",
    "resample",
    "retrace",
    "sample_categorical",
    "sample_categoricals",
    "split_log_softmax",
    "squared_error",
    "standardise",
    "stratified_bootstrap",
    "vtrace",
]
