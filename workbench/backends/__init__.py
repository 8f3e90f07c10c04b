"""What runs an algorithm: torch, or kernels that fuse all of it where they apply."""

from typing import Any

import gymnasium
import torch

from workbench.envs.native import NativeVectorEnvironment
from workbench.errors import InputError
from workbench.hyperparameters import declared
from workbench.processes import ALONE, Processes
from workbench.spec import VectorEnvironment
from workbench.training.asynchronous import AsynchronousLearner, check_applies
from workbench.training.distributed import DistributedLearner
from workbench.training.learner import Learner, TorchLearner
from workbench_kernels.learner.tiles import LANES
from workbench_kernels.targets import signals

HONOURED = {
    *("horizon", "epochs", "minibatches", "learning_rate", "gamma", "gae_lambda", "clip", "entropy_coefficient"),
    *("value_coefficient", "max_gradient_norm", "width", "depth", "activation"),
    *("learning_rate_schedule", "entropy_schedule", "schedule_steps"),
    *("initial_std", "segment", "context", "rho_clip", "c_clip", "kl_target", "priority_correction", "compile"),
}
"""PPO's hyperparameters that the kernels know, and those that only matter beside one they don't."""

LANES_OF_VECTORS = 16
"""Units of a hidden layer come in vector registers."""

WIDEST = 512
"""Units of a hidden layer up to which the kernels are the faster: each tile of lanes streams the weights anew."""


def objection(algorithm: Any, env: VectorEnvironment, device: torch.device) -> str | None:
    """Return why the native learner does not apply, in words that go on after "because"; None if it does.

    Args:
        algorithm: Not set up yet.
        env: Where it will act.
        device: Where its tensors would live.
    """
    from workbench.algorithms import PPO

    if type(algorithm) is not PPO:
        return f"it trains PPO, not {type(algorithm).__name__}"
    for name, known in declared(algorithm).items():
        if name not in HONOURED and getattr(algorithm, name) != known.default:
            return f"it knows PPO.{name}={known.default!r} only, not {getattr(algorithm, name)!r}"
    blocks = -(-env.lanes // LANES) * algorithm.horizon
    if algorithm.minibatches > blocks:
        return f"PPO.minibatches={algorithm.minibatches} is more than the {blocks} blocks of {LANES} transitions it has"
    if algorithm.width % LANES_OF_VECTORS:
        return f"PPO.width={algorithm.width} is no multiple of {LANES_OF_VECTORS}"
    if not signals.AVAILABLE:
        return "there are no compiled kernels, or no threads of theirs, on this system"
    if device.type != "cpu":
        return f"device={str(device)!r} is no CPU"
    if type(env) is not NativeVectorEnvironment or env.target != "cpu" or env.agents > 1:
        return f"{env.id!r} is not stepped by kernels of one agent, and by nothing else"
    observation: Any = env.single_observation_space
    if len(observation.shape or ()) > 1:
        return f"observations of {env.id!r} are images, which want convolutions"
    if not isinstance(observation, gymnasium.spaces.Box) or observation.dtype != "float32":
        return f"observations of {env.id!r} are no float32 numbers"
    if env.action_mask is not None:
        return f"{env.id!r} forbids actions"
    action = env.single_action_space
    if not isinstance(action, gymnasium.spaces.Discrete) and action.dtype != "float32":
        return f"actions of {env.id!r} are neither choices nor float32 numbers"
    return None


def learner_for(
    backend: str,
    algorithm: Any,
    env: VectorEnvironment,
    device: torch.device,
    seeds: dict[str, int],
    processes: Processes = ALONE,
) -> Learner:
    """Set `algorithm` up and return what runs it.

    Args:
        backend: "native", "torch" or "asynchronous"; any other takes native where it applies, but for layers wider
            than `WIDEST`.
        algorithm, env, device: What to run, where, and on what.
        seeds: Of `workbench.training.seeding.seeds_from`.
        processes: Who learns together.

    Raises:
        InputError: If the native learner is asked for and does not apply, or the algorithm cannot act in `env`.
    """
    from workbench.spec import spec_of

    if processes.size > 1:
        algorithm.processes = processes
        algorithm.setup(spec_of(env), device, seeds)
        return DistributedLearner(algorithm, env, device, seeds["environment"], processes)
    reason = objection(algorithm, env, device)
    if backend == "native" and reason is not None:
        raise InputError(f"backend='native' does not apply, because {reason}; pass backend='torch'.")
    if backend == "asynchronous":
        check_applies(algorithm)
    algorithm.setup(spec_of(env), device, seeds)
    if backend == "asynchronous":
        return AsynchronousLearner(algorithm, env, device, seeds["environment"])
    if backend == "native" or (backend != "torch" and reason is None and algorithm.width <= WIDEST):
        from workbench.backends.native import NativeLearner

        return NativeLearner(algorithm, env, seeds["environment"])
    return TorchLearner(algorithm, env, device, seeds["environment"])
