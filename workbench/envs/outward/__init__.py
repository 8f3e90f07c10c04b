"""Our vector environments in the hands of others: Gymnasium's wrappers, Stable-Baselines3, PettingZoo and TorchRL.

Each function imports its library when it is called. Adapters own their environment: closing one closes the other.
"""

from typing import TYPE_CHECKING, Any

from workbench.envs.outward.lanes import needs
from workbench.envs.outward.vector import NextStepLanes
from workbench.spec import VectorEnvironment
from workbench_kernels import Environment

if TYPE_CHECKING:
    from workbench.envs.outward.pettingzoo import LaneParallelEnv
    from workbench.envs.outward.sb3 import LanesVecEnv
    from workbench.envs.outward.torchrl import LanesEnv

__all__ = ["as_gymnasium", "as_pettingzoo", "as_sb3", "as_torchrl"]


def as_gymnasium(env: VectorEnvironment) -> NextStepLanes:
    """Give native lanes next-step autoreset and results that are copies, for Gymnasium's wrappers of observations.

    Our vector environments are `gymnasium.vector.VectorEnv`s as they are, and the wrappers of actions, rewards, infos
    and statistics need no more. Those of observations (`NormalizeObservation`, `FlattenObservation`, ...) refuse
    same-step autoreset, and some write into what they are given. Here the step after the end of an episode takes no
    notice of the lane's action and returns its first observation.

    Args:
        env: A native one, built by `workbench.envs.make`.

    Raises:
        InputError: If `env` is none.
    """
    return NextStepLanes(env)


def as_sb3(env: VectorEnvironment, *, copy: bool = True) -> "LanesVecEnv":
    """Give `env` to Stable-Baselines3, as a `VecEnv` with episode statistics.

    Args:
        env: Built by `workbench.envs.make`, of one agent a lane, without next-step autoreset.
        copy: SB3's algorithms store an observation after the step that follows it, so what they get are copies. False
            returns views of `env`'s buffers, overwritten by the next call, for loops of your own.

    Raises:
        InputError: If `env` is no vector environment, SB3 cannot hold its spaces, or the extra [sb3] is missing.
    """
    with needs("sb3"):
        from workbench.envs.outward.sb3 import LanesVecEnv
    return LanesVecEnv(env, copy=copy)


def as_pettingzoo(
    environment: str | Environment,
    *,
    render_mode: str | None = None,
    time_limit: int | None = None,
    copy: bool = True,
    **options: Any,
) -> "LaneParallelEnv":
    """Give a native multi-agent environment to PettingZoo, as a `ParallelEnv` of one lane.

    Args:
        environment: A native id ("workbench/SimpleSpread-v0"), or a kernel environment of your own.
        render_mode: None, or "rgb_array".
        time_limit: Steps after which an episode is truncated; the environment's own if None.
        copy: False returns observations that are views of the lane's buffers, overwritten by the next call.
        options: Of the environment, such as `agents=5`.

    Raises:
        InputError: If the environment has one agent, an argument is out of range, or the extra [pettingzoo] is missing.
    """
    with needs("pettingzoo"):
        from workbench.envs.outward.pettingzoo import LaneParallelEnv
    return LaneParallelEnv(environment, render_mode=render_mode, time_limit=time_limit, copy=copy, **options)


def as_torchrl(env: VectorEnvironment, *, device: Any = "cpu") -> "LanesEnv":
    """Give `env` to TorchRL, as an `EnvBase` of batch size [B].

    Actions on the CPU are read where they lie. Observations are copied once a step, into tensors of their own: TorchRL
    keeps the tensors of every step.

    Args:
        env: Built by `workbench.envs.make`, of one agent a lane, without next-step autoreset.
        device: Of the tensors; the environment stays where it is.

    Raises:
        InputError: If `env` is no vector environment, TorchRL cannot hold its spaces, or the extra [torchrl] is
            missing.
    """
    with needs("torchrl"):
        from workbench.envs.outward.torchrl import LanesEnv
    return LanesEnv(env, device=device)
