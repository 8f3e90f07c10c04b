"""Any environment of others as lanes of flat rows, stepped by the caller, by threads or by processes."""

from workbench.envs.emulation.vector import BACKENDS, EmulatedVectorEnvironment

__all__ = ["BACKENDS", "EmulatedVectorEnvironment"]
