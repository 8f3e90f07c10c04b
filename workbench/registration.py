"""Our environments in Gymnasium's registry, under "workbench/". This imports neither a kernel nor a compiler."""

import gymnasium

from workbench_kernels.envs import ENVIRONMENTS, namespaced


def register() -> None:
    """Register every native environment that Gymnasium does not know yet."""
    for name in ENVIRONMENTS:
        if namespaced(name) not in gymnasium.registry:
            gymnasium.register(
                namespaced(name),
                entry_point="workbench.envs.single:NativeEnvironment",
                vector_entry_point="workbench.envs.native:gymnasium_vector",
                kwargs={"environment": name},
            )
