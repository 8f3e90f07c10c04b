"""The environments, one file each.

A file holds `reset(i, state, random)`, `step(i, state, action, reward, terminated, random)` and
`observe(i, state, observation)` on lane `i` of whole arrays, and the constants a target needs.

B: lanes, S: state components, O: observation components.

    state        [S, B] float32          action      [B] int32 (Discrete) or [A, B] float32 (Box)
    observation  [O, B] float32          reward      [B] float32, per step
    random       [3, B] uint32           terminated  [B] bool
"""

from types import ModuleType

from workbench_kernels.envs import cartpole

ENVIRONMENTS: dict[str, ModuleType] = {cartpole.ID: cartpole}
