"""Let `import gymnasium` know our environments, in programs that never heard of us.

Gymnasium has no plug-ins since 1.0. A `.pth` file beside this module imports it when Python starts; it does nothing but
wait for the first import of Gymnasium, and then registers the ids. Nothing else of ours is imported until one is made.
"""

import sys
from importlib.machinery import PathFinder


class _AfterGymnasium:
    """Finds `gymnasium` as Python would, once, and registers the environments when it has been imported."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "gymnasium":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module):
                execute(module)
                if cls in sys.meta_path:
                    sys.meta_path.remove(cls)
                _register()

            spec.loader.exec_module = execute_and_register
        return spec


def _register():
    try:
        from workbench.registration import register
    except ImportError:  # a half-removed installation must not take Gymnasium with it
        return
    register()


if "gymnasium" not in sys.modules:
    sys.meta_path.insert(0, _AfterGymnasium)
