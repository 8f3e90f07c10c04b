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


def gae(
    reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, lam: float
) -> Tensor:
    """Return the generalised advantage estimate [T, B]; see `workbench_kernels.returns.gae`.

    Args:
        reward, value, next_value: [T, B] float; `next_value` is V of the successor before auto-reset.
        terminated, truncated: [T, B] bool.
        gamma, lam: In [0, 1], per step.
    """
    ended = _numpy(terminated | truncated, np.bool_)
    inputs = [_numpy(x, np.float32) for x in (reward, value, next_value)]
    advantage = torch.empty(reward.shape, dtype=torch.float32)
    _scan("gae", True)(
        *inputs, _numpy(terminated, np.bool_), ended, np.float32(gamma), np.float32(lam), advantage.numpy()
    )
    return advantage.to(reward.device)


def episode_totals(reward: Tensor, ended: Tensor, episode_return: Any, episode_length: Any) -> tuple[Any, Any]:
    """Return the returns and lengths of the episodes that ended, in order of time; carry the running ones on.

    Args:
        reward: [T, B] float. ended: [T, B] bool.
        episode_return, episode_length: numpy [T + 1, B] float32 and int32; row 0 is read, and prepared for the next
            call.
    """
    mask = _numpy(ended, np.bool_)
    _scan("episodes", False)(_numpy(reward, np.float32), mask, episode_return, episode_length)
    finished = episode_return[1:][mask], episode_length[1:][mask]
    episode_return[0] = np.where(mask[-1], 0, episode_return[-1])
    episode_length[0] = np.where(mask[-1], 0, episode_length[-1])
    return finished
