"""Environments and recursions written once in the numba subset; targets run them on every machine."""

from workbench_kernels.environment import Environment
from workbench_kernels.spaces import Box, Discrete

__all__ = ["Box", "Discrete", "Environment"]
