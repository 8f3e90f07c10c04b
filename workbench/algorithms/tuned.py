"""Hyperparameters that were found for an algorithm and an environment, and what is known of them."""

from typing import Any

from workbench.errors import unknown_name

TUNED: dict[tuple[str, str], dict[str, Any]] = {
    ("sac", "CartPole-v1"): {
        "width": 64,
        "activation": "tanh",
        "learning_rate": 3e-3,
        "polyak": 0.05,
        "n_step": 10,
        "target_fraction": 0.7,
    },
    ("sac", "Pendulum-v1"): {"width": 64, "learning_rate": 3e-3, "polyak": 0.02},
}
"""By the names of the algorithm and of the environment; what is not there has its default."""


def settings(algorithm: str, env: str) -> dict[str, Any]:
    """Return the hyperparameters of `algorithm` that were found for the environment `env`.

    Raises:
        UnknownNameError: If none were.
    """
    if (algorithm, env) not in TUNED:
        raise unknown_name(f"environment tuned for {algorithm}", env, [name for of, name in TUNED if of == algorithm])
    return TUNED[algorithm, env]
