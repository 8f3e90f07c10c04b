"""Imports point down only."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOORS = {
    "workbench_kernels": 0,
    "workbench.version": 1,
    "workbench.openmp": 1,
    "workbench.errors": 1,
    "workbench.hyperparameters": 1,
    "workbench.events": 1,
    "workbench.spaces": 1,
    "workbench.actions": 1,
    "workbench.spec": 1,
    "workbench.processes": 1,
    "workbench.statistics": 1,
    "workbench.functional": 2,
    "workbench.networks": 2,
    "workbench.data": 2,
    "workbench.envs": 2,
    "workbench.checking": 3,
    "workbench.optimisers": 3,
    "workbench.algorithms": 4,
    "workbench.training": 5,
    "workbench.backends": 5,
    "workbench.sinks": 6,
    "workbench.ui": 6,
    "workbench.analysis": 6,
    "workbench.batches": 7,
    "workbench.trainer": 7,
    "workbench.loading": 7,
    "workbench.registration": 7,
    "workbench.machine": 1,
    "workbench.benchmark": 7,
    "workbench.dashboards": 7,
    "workbench.commands": 7,
    "workbench.labserver": 7,
    "workbench.cli": 7,
    "workbench": 7,
}
COMPILERS = {"numba", "llvmlite"}
FRONT_ENDS = {"IPython", "anywidget", "bokeh", "holoviews", "ipywidgets", "jupyterlab", "matplotlib", "panel"}


def modules():
    for base, package in ((ROOT, "workbench"), (ROOT / "kernels", "workbench_kernels")):
        for path in sorted((base / package).rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(module):
    """The floor of the longest known prefix; every module of ours has one."""
    parts = module.split(".")
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        if name in FLOORS and (name != "workbench" or count == len(parts)):
            return FLOORS[name]
    return None


def test_every_module_stands_on_a_floor():
    assert [name for name, _ in modules() if floor(name) is None] == []


def test_imports_point_down():
    wrong = []
    for name, path in modules():
        for target in imports(path):
            if target.partition(".")[0] not in ("workbench", "workbench_kernels") or target == "workbench":
                continue
            if floor(target) is not None and floor(target) > floor(name):
                wrong.append(f"{name} (floor {floor(name)}) imports {target} (floor {floor(target)})")
    assert wrong == []


def test_only_targets_import_a_compiler_and_kernels_know_no_torch():
    for name, path in modules():
        roots = {target.partition(".")[0] for target in imports(path)}
        if name.startswith("workbench_kernels"):
            assert not roots & {"torch", "workbench", "gymnasium"}, name
            assert name.startswith("workbench_kernels.targets") or not roots & COMPILERS, name


def test_front_ends_appear_only_in_the_user_interface():
    for name, path in modules():
        if FLOORS["workbench.ui"] > floor(name):
            assert not {target.partition(".")[0] for target in imports(path)} & FRONT_ENDS, name


def test_nothing_draws_with_pyplot_or_ipympl():
    for name, path in modules():
        assert not {*imports(path)} & {"matplotlib.pyplot", "ipympl"}, name


def test_no_module_is_longer_than_a_sitting():
    assert [str(path) for _, path in modules() if len(path.read_text().splitlines()) > 450] == []
