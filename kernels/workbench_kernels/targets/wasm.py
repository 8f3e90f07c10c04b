"""WebAssembly with 128-bit vectors: a module that steps the lanes of one environment in a browser, Node or wasmtime.

    build(environment)    ->  the bytes of a module that exports memory, seed, reset and step
    binding(environment)  ->  what a host must know to use it, in JSON's types
    layout(fields, ...)   ->  where a host puts the arrays
    build_returns(), returns_binding()  ->  the same for the recursions over time of `workbench_kernels.returns`
    build_learner(environment)          ->  a module that trains in it as well: `workbench_kernels.learner`

A module imports nothing. numba and llvmlite emit it, in a process of their own (`wasm_emit`), and the linker of the
package `ziglang` links it. `lanes.mjs`, beside this file, is the host in JavaScript.
"""

import hashlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbench_kernels import returns, rng
from workbench_kernels.arrays import ALIGNMENT
from workbench_kernels.buffers import Field, block_lanes, fields
from workbench_kernels.environment import Environment
from workbench_kernels.learner import categorical, normal, rollout, update
from workbench_kernels.spaces import Discrete, Space
from workbench_kernels.targets import drivers
from workbench_kernels.targets.fingerprint import fingerprint

FORMAT = 1
"""Of the bindings; changes when a host must."""

HOST = Path(__file__).with_name("lanes.mjs")
"""The host in JavaScript."""

ADDRESS = 8
"""Bytes of an entry of the table of addresses."""

RANDOM = 1
"""The place of `random` among the fields."""

SCANS = {
    "gae": True,
    "lambda_return": True,
    "n_step": False,
    "vtrace": True,
    "retrace": True,
    "episodes": False,
}
"""The recursions over time, and whether each runs backwards."""

WRITTEN = ("advantage", "correction", "target")
BOOLEANS = ("terminated", "ended")
NUMBERS = ("gamma", "lam", "rho_bar", "c_bar")
LONGER = {"episode_return": "float32", "episode_length": "int32"}
"""Arguments of the recursions that are only written; bool [T, B]; float32; and [T + 1, B], with their dtypes. The
others are float32 [T, B]."""


LEARNING = {
    **dict.fromkeys(("parameters", "mean", "square", "gradient"), "float32"),
    "sums": "float64",
    "work": "float32",
    "waiting": "int64",
    "team": "uint32",
    "order": "int64",
    "shifts": "int32",
    **dict.fromkeys(("total", "scatter"), "float32"),
    **dict.fromkeys(("centre", "half", "low", "high", "observation"), "float32"),
    "action": "int32",
    "log_prob": "float32",
    "value": "float32",
    "reward": "float32",
    "end": "uint8",
    **dict.fromkeys(("advantage", "target", "doubt", "running_return"), "float32"),
    "running_length": "int32",
    "finished_return": "float32",
    "finished_length": "int32",
    "finished_step": "int32",
    "finished": "int64",
}
"""The arrays of a learner in the order of its table of addresses, and their dtypes. Actions are float32 for a Box."""


class LinkerError(RuntimeError):
    """The linker is missing, or found something that WebAssembly does not have."""


class Learner(NamedTuple):
    """A module to build: what trains in `environment`."""

    environment: Environment


Job = Environment | Learner | None
"""A module to build; None stands for the recursions."""


class Argument(NamedTuple):
    """One argument of a recursion.

    `rows` is how many rows an array has beyond T, None where it is a number; `given` is false of what is only written.
    """

    name: str
    dtype: str = "float32"
    rows: int | None = 0
    given: bool = True


class Layout(NamedTuple):
    """Where arrays are in linear memory, in bytes: the table of their addresses, each by its name, and the end."""

    table: int
    addresses: dict[str, int]
    end: int


def kernel(name: str) -> Callable[..., None]:
    """Return the recursion called `name`."""
    found: Callable[..., None] = getattr(returns, name)
    return found


def arguments(name: str) -> list[Argument]:
    """List the arguments of the recursion called `name`, the cell left out."""

    def describe(argument: str) -> Argument:
        if argument in NUMBERS:
            return Argument(argument, rows=None)
        if argument in LONGER:
            return Argument(argument, LONGER[argument], rows=1)
        written = argument in WRITTEN and (argument, name) != ("target", "n_step")
        return Argument(argument, "bool" if argument in BOOLEANS else "float32", given=not written)

    return [describe(argument) for argument in list(inspect.signature(kernel(name)).parameters)[2:]]


def key(environment: Environment) -> int:
    """Return a fingerprint of all that `environment` brings into its module."""
    functions = drivers.lane_functions(environment).values()
    extra = {"fields": fields(environment), "block": block_lanes(environment)}
    return fingerprint(*functions, rng.stream_key, extra=extra)


def layout(described: Iterable[Field], lanes: int, base: int = 0) -> Layout:
    """Place the arrays of `lanes` lanes in memory from `base` on: the table, then the arrays in order, on boundaries.

    Args:
        described: The `fields` of an environment.
        lanes: How many.
        base: The first free byte, `__heap_base` of a module.
    """

    def aligned(address: int) -> int:
        return -(-address // ALIGNMENT) * ALIGNMENT

    described = tuple(described)
    table = aligned(base)
    end = table + ADDRESS * len(described)
    addresses = {}
    for field in described:
        addresses[field.name] = aligned(end)
        end = addresses[field.name] + field.bytes_per_lane * lanes
    return Layout(table, addresses, end)


def _space(space: Space | None) -> dict[str, Any] | None:
    if space is None:
        return None
    if isinstance(space, Discrete):
        return {"kind": "discrete", "n": space.n}
    low, high = ([float(x) if np.isfinite(x) else None for x in bound.ravel().tolist()] for bound in space.bounds())
    return {"kind": "box", "shape": list(space.shape), "dtype": space.dtype, "low": low, "high": high}


def binding(environment: Environment) -> dict[str, Any]:
    """Return what a host must know of the module of `environment`; docs/wasm.md says what each entry means."""
    return {
        "format": FORMAT,
        "environment": environment.id,
        "options": dict(environment.options),
        "time_limit": environment.time_limit,
        "agents": environment.agents,
        "state": list(environment.rows),
        "settings": {name: float(value) for name, value in environment.settings.items()},
        "action": _space(environment.action),
        "observation": _space(environment.observation),
        "global_state": _space(environment.global_space),
        "alignment": ALIGNMENT,
        "fields": [{**field._asdict(), "shape": list(field.shape)} for field in fields(environment)],
    }


def returns_binding() -> dict[str, Any]:
    """Return what a host must know of the module of the recursions; docs/wasm.md says what each entry means."""
    scans = {name: [argument._asdict() for argument in arguments(name)] for name in SCANS}
    return {"format": FORMAT, "alignment": ALIGNMENT, "scans": scans}


def build(environment: Environment) -> bytes:
    """Return the WebAssembly module of `environment`; see `build_all`."""
    return build_all([environment])[0]


def build_returns() -> bytes:
    """Return the WebAssembly module of the recursions over time; see `build_all`."""
    return _build([None])[0]


def build_learner(environment: Environment) -> bytes:
    """Return the WebAssembly module that steps `environment` and trains in it; see `build_all`."""
    return _build([Learner(environment)])[0]


def build_all(environments: Sequence[Environment]) -> list[bytes]:
    """Return the WebAssembly modules of `environments`, compiled if the cache on disk does not hold them.

    Raises:
        LinkerError: If `ziglang` is not installed, or a lane function needs what WebAssembly does not have.
        RuntimeError: If an environment does not compile.
    """
    return _build(environments)


def _build(jobs: Sequence[Job]) -> list[bytes]:
    """Build modules."""
    if importlib.util.find_spec("ziglang") is None:
        raise LinkerError("The linker is missing: pip install 'rl-workbench[wasm]', or ziglang alone.")
    paths = [_cached(job) for job in jobs]
    missing = {path: job for path, job in zip(paths, jobs, strict=True) if not path.exists()}
    workers = min(len(missing), os.cpu_count() or 1)
    shares = [[*missing.items()][start::workers] for start in range(workers)]
    with ThreadPoolExecutor(workers or 1) as pool:
        for _ in pool.map(_emit, shares):
            pass
    return [path.read_bytes() for path in paths]


def _emit(missing: Sequence[tuple[Path, Job]]) -> None:
    """Compile jobs in a process that has the search path of this one, and put their modules at their paths."""
    from numba import cloudpickle

    variables = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    variables |= {"NUMBA_OPT": "0", "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with tempfile.TemporaryDirectory(dir=missing[0][0].parent, prefix="wasm-") as name:
        folder = Path(name)
        file = folder / "jobs.pickle"
        file.write_bytes(cloudpickle.dumps([(key_of(job), job) for _, job in missing]))
        command = [sys.executable, "-m", "workbench_kernels.targets.wasm_emit", str(file), name]
        done = subprocess.run(command, check=False, env=variables, capture_output=True, text=True)
        for number, (path, job) in enumerate(missing):
            emitted = folder / f"{number}.o"
            if emitted.exists():
                _link(job, emitted).replace(path)
    if done.returncode:
        raise RuntimeError(f"WebAssembly could not be compiled:\n{done.stderr}")


def exports(job: Job) -> tuple[str, ...]:
    """Return the names of the functions that a module exports."""
    if job is None:
        return tuple(SCANS)
    return ("seed", "reset", "step", *(("rollout", "learn") if isinstance(job, Learner) else ()))


def name_of(job: Job) -> str:
    """Return what a module is called."""
    if job is None:
        return "returns"
    return f"{job.environment.id}-learner" if isinstance(job, Learner) else job.id


def _link(job: Job, path: Path) -> Path:
    module = path.with_suffix(".wasm")
    named = [f"--export={name}" for name in (*exports(job), "__heap_base")]
    command = [sys.executable, "-m", "ziglang", "wasm-ld", "--no-entry", "--strip-all", "--stack-first", *named]
    done = subprocess.run([*command, "-o", str(module), str(path)], check=False, capture_output=True, text=True)
    if done.returncode:
        name = name_of(job)
        lacking = ", ".join(sorted(set(re.findall(r"undefined symbol: (\S+)", done.stderr))))
        if not lacking:
            raise RuntimeError(f"{name} could not be linked:\n{done.stderr}")
        raise LinkerError(
            f"{name} calls {lacking}, which a browser does not have; workbench_kernels.mathematics has functions to "
            "use in its place."
        )
    return module


def key_of(job: Job) -> int:
    """Return a fingerprint of all that a job brings into its module."""
    if isinstance(job, Learner):
        names = ("choose", "hand_over", "judge", "slopes")
        policies = [getattr(module, name) for module in (categorical, normal) for name in names]
        return fingerprint(rollout.rollout, update.learn, *policies, extra=key(job.environment))
    return fingerprint(*map(kernel, SCANS)) if job is None else key(job)


def _cached(job: Job) -> Path:
    """Return where the cache holds a module: beside numba's, by a key of all that decides it."""
    digest = hashlib.sha256(repr([version(name) for name in ("numba", "llvmlite", "ziglang")]).encode())
    for source in ("wasm.py", "wasm_emit.py", "wasm_learner.py", "cpu.py", "drivers.py", "matrix.py"):
        digest.update(Path(__file__).with_name(source).read_bytes())
    return _folder() / f"{file_name(name_of(job))}-{key_of(job):016x}-{digest.hexdigest()[:16]}.wasm"


def file_name(id: str) -> str:
    """Return the name of an environment's files: "workbench/Snake-v0" is "workbench-Snake-v0"."""
    return id.replace("/", "-")


def _folder() -> Path:
    """Return the first folder that can be written: NUMBA_CACHE_DIR, the package's own, the user's."""
    places = [Path(__file__).parent / "__pycache__", Path.home() / ".cache" / "rl-workbench"]
    if "NUMBA_CACHE_DIR" in os.environ:
        places.insert(0, Path(os.environ["NUMBA_CACHE_DIR"]))
    for place in places[:-1]:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            return place
    places[-1].mkdir(parents=True, exist_ok=True)
    return places[-1]
