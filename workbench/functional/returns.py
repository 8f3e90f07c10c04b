"""Recursions over time: torch tensors in, the CPU kernels inside."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench_kernels import returns
from workbench_kernels.targets import cpu


@functools.cache
def _scan(name: str, reverse: bool) -> Callable[..., None]:
    return cpu.scan(getattr(returns, name), reverse=reverse)


def _numpy(x: Tensor, dtype: Any) -> Any:
    return np.ascontiguousarray(x.detach().cpu().numpy(), dtype=dtype)


def _run(name: str, reverse: bool, arrays: list[Tensor], flags: list[Tensor], numbers: list[float], out: Any) -> None:
    floats = [_numpy(x, np.float32) for x in arrays]
    _scan(name, reverse)(*floats, *(_numpy(x, np.bool_) for x in flags), *(np.float32(x) for x in numbers), *out)


def _written(like: Tensor, count: int) -> list[Tensor]:
    return [torch.empty(like.shape, dtype=torch.float32) for _ in range(count)]


def gae(
    reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, lam: float
) -> Tensor:
    """Return the generalised advantage estimate [T, B]; see `workbench_kernels.returns.gae`.

    With costs and a critic of costs in the places of `reward`, `value` and `next_value`, it is the cost advantage of
    constrained algorithms.

    Args:
        reward, value, next_value: [T, B] float; `next_value` is V of the successor before auto-reset.
        terminated, truncated: [T, B] bool.
        gamma, lam: In [0, 1], per step.
    """
    (advantage,) = out = _written(reward, 1)
    flags = [terminated, terminated | truncated]
    _run("gae", True, [reward, value, next_value], flags, [gamma, lam], [x.numpy() for x in out])
    return advantage.to(reward.device)


def lambda_returns(
    reward: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, lam: float
) -> Tensor:
    """Return the lambda-returns [T, B]; see `workbench_kernels.returns.lambda_return`. Arguments as in `gae`."""
    (target,) = out = _written(reward, 1)
    flags = [terminated, terminated | truncated]
    _run("lambda_return", True, [reward, next_value], flags, [gamma, lam], [x.numpy() for x in out])
    return target.to(reward.device)


def discounted_returns(
    reward: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float
) -> Tensor:
    """Return the discounted returns [T, B], bootstrapped at time limits and at the end. Arguments as in `gae`."""
    return lambda_returns(reward, next_value, terminated, truncated, gamma, 1.0)


def n_step_returns(
    reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, n: int
) -> Tensor:
    """Return the n-step returns [T, B]; see `workbench_kernels.returns.n_step`. Arguments as in `gae`; `n` >= 1."""
    target = value.detach().to("cpu", torch.float32, copy=True)
    flags = [terminated, terminated | truncated]
    for _ in range(min(n, reward.shape[0])):
        _run("n_step", False, [reward, next_value], flags, [gamma], [target.numpy()])
    return target.to(reward.device)


def vtrace(
    ratio: Tensor,
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    rho_bar: float = 1.0,
    c_bar: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Return V-trace's critic targets and policy advantages, both [T, B]; see `workbench_kernels.returns.vtrace`.

    Args:
        ratio: [T, B] float, the target policy's probability of the action over the behaviour policy's.
        reward, value, next_value, terminated, truncated, gamma, lam: As in `gae`.
        rho_bar, c_bar: Truncation levels of the ratio, in the error and in the trace.
    """
    correction, advantage = out = _written(reward, 2)
    flags = [terminated, terminated | truncated]
    numbers = [gamma, lam, rho_bar, c_bar]
    _run("vtrace", True, [ratio, reward, value, next_value], flags, numbers, [x.numpy() for x in out])
    return value + correction.to(reward.device), advantage.to(reward.device)


def retrace(
    ratio: Tensor,
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
) -> Tensor:
    """Return Retrace's targets [T, B] for action values; see `workbench_kernels.returns.retrace`.

    Args:
        ratio: [T, B] float, as in `vtrace`.
        value: [T, B] float, Q(s_t, a_t).
        next_value: [T, B] float, the mean of Q over the target policy at the successor before auto-reset.
        reward, terminated, truncated, gamma, lam: As in `gae`.
    """
    (correction,) = out = _written(reward, 1)
    flags = [terminated, terminated | truncated]
    _run("retrace", True, [ratio, reward, value, next_value], flags, [gamma, lam], [x.numpy() for x in out])
    return value + correction.to(reward.device)


def episode_totals(
    reward: Tensor, ended: Tensor, active: Tensor, episode_return: Any, episode_length: Any
) -> tuple[Any, Any]:
    """Return the returns and lengths of the episodes that ended, in order of time; carry the running ones on.

    Args:
        reward: [T, B] float. ended, active: [T, B] bool; see `workbench_kernels.returns.episodes`.
        episode_return, episode_length: numpy [T + 1, B] float32 and int32; row 0 is read, and prepared for the next
            call.
    """
    mask = _numpy(ended, np.bool_)
    acts = _numpy(active, np.bool_)
    _scan("episodes", False)(_numpy(reward, np.float32), mask, acts, episode_return, episode_length)
    finished = episode_return[1:][mask], episode_length[1:][mask]
    episode_return[0] = np.where(mask[-1], 0, episode_return[-1])
    episode_length[0] = np.where(mask[-1], 0, episode_length[-1])
    return finished
