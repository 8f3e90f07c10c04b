"""Hyperparameters that were found for an algorithm and an environment, and what is known of them."""

from typing import Any

from workbench.errors import unknown_name

SCALED = {"normalise_observation": True, "normalise_return": True, "entropy_coefficient": 0.0}
"""Numbers as observations and as actions, and rewards of any size."""

TUNED: dict[tuple[str, str], dict[str, Any]] = {
    ("ppo", "CartPole-v1"): {"learning_rate": 1e-3, "learning_rate_schedule": "linear"},
    ("ppo", "Acrobot-v1"): {"learning_rate": 1e-3, "learning_rate_schedule": "linear"},
    # Few rewards, far away: rollouts that hold whole ways to the top, and a spread that gets there by chance.
    ("ppo", "MountainCarContinuous-v0"): {
        **SCALED,
        "horizon": 256,
        "minibatches": 16,
        "learning_rate": 1e-3,
        "gamma": 0.999,
        "gae_lambda": 0.98,
        "initial_std": 10.0,
    },
    ("ppo", "Pendulum-v1"): {**SCALED, "gamma": 0.9, "learning_rate_schedule": "linear"},
    # Twenty points after two million steps; with 2.5e-3, and rollouts of 32, it stays at six.
    ("ppo", "MinAtar/Breakout-v1"): {
        "horizon": 64,
        "epochs": 1,
        "minibatches": 16,
        "learning_rate": 5e-3,
        "learning_rate_schedule": "linear",
    },
    ("ppo", "workbench/CartPolePositions-v0"): {
        **SCALED,
        "network": "lstm",
        "gamma": 0.98,
        "learning_rate": 1e-3,
        "learning_rate_schedule": "linear",
    },
    ("ppo", "workbench/Memory-v0"): {"network": "lstm", "learning_rate_schedule": "linear"},
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
