"""GPUs: numba-cuda compiles a kernel around the lane functions, one thread a lane. The arrays stay on the device.

Needs the extra `rl-workbench[cuda]`. With NUMBA_ENABLE_CUDASIM=1 the kernels run as plain Python, without a GPU.

numba-cuda's defaults would give other bits than the oracle; `uncontracted`, `smaller` and `larger` say where.
"""

import builtins
import functools
import importlib
import inspect
import operator
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from workbench_kernels import rng
from workbench_kernels.buffers import Buffers, fields
from workbench_kernels.environment import Environment, nothing
from workbench_kernels.targets import drivers
from workbench_kernels.targets.fingerprint import reachable, references

MISSING = "the cuda target needs NVIDIA's numba-cuda; install it with: pip install 'rl-workbench[cuda]'."
NO_GPU = "the cuda target needs an NVIDIA GPU and its driver, and found none; choose target='cpu'."


def _module(name: str) -> Any:
    """Import a part of numba-cuda. A type checker would read the older numba.cuda that numba itself brings."""
    return importlib.import_module(name)


try:
    cuda = _module("numba.cuda")
except ImportError as error:
    raise ImportError(MISSING) from error
# numba's own imports without CUDA, and fails later.
if getattr(cuda, "implementation", None) != "NVIDIA":
    raise ImportError(MISSING)

types = _module("numba.cuda.types")
from_dtype = _module("numba.cuda.np.numpy_support").from_dtype
performance_warning = _module("numba.cuda.core.errors").NumbaPerformanceWarning
SIMULATED = bool(_module("numba.cuda.core.config").ENABLE_CUDASIM)
THREADS = 128
"""Of a block. Lanes share nothing, so the number only has to fill a multiprocessor."""

if not SIMULATED:
    compiler_lock = _module("numba.cuda.core.compiler_lock").global_compiler_lock
    nvvm = _module("numba.cuda.cudadrv.nvvm")
    libdevice = _module("numba.cuda.libdevice")
    lower_builtin = _module("numba.cuda.extending").lower_builtin

    def _lower(ufunc: Any, function: Any) -> None:
        """Let kernels call `ufunc` on a float32: numba-cuda types it, but has no code for it."""

        def call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
            inner = context.get_function(function, types.float32(types.float32))
            return inner(builder, arguments)

        lower_builtin(ufunc, types.float32)(call)

    for _ufunc, _function in (
        (np.rint, libdevice.rintf),
        (np.floor, libdevice.floorf),
        (np.ceil, libdevice.ceilf),
        (np.trunc, libdevice.truncf),
        (np.sqrt, libdevice.sqrtf),
        (np.absolute, libdevice.fabsf),
    ):
        _lower(_ufunc, _function)


@contextmanager
def uncontracted() -> Iterator[None]:
    """Compile without fused multiply-add, which rounds once where the other targets round twice.

    numba-cuda passes no such option on, so the call to NVVM is replaced while its compiler's lock is held. Then every
    product and sum says how it rounds (`mul.rn`, `add.rn`), and the assembler, which fuses those that do not, keeps
    them apart too.
    """
    if SIMULATED:
        yield
        return
    with compiler_lock:
        original = nvvm.compile_ir

        def compile_ir(*arguments: Any, **options: Any) -> Any:
            return original(*arguments, **{**options, "fma": False})

        nvvm.compile_ir = compile_ir
        try:
            yield
        finally:
            nvvm.compile_ir = original


def smaller(a: Any, b: Any) -> Any:
    """Return min(a, b) as Python does. CUDA's own orders -0 and +0, and returns the other one of a NaN."""
    return b if b < a else a  # noqa: FURB136


def larger(a: Any, b: Any) -> Any:
    """Return max(a, b) as Python does."""
    return b if b > a else a  # noqa: FURB136


_devices: dict[Any, Any] = {}


def _device(function: Any) -> Any:
    """Make `function`, and what it calls, device functions."""
    for part in reachable(function):
        if part not in _devices:
            _devices[part] = cuda.jit(device=True)(_rebuilt(part))
    return _devices[function]


def _rebuilt(function: FunctionType) -> FunctionType:
    """Return `function` with the device functions in place of those that it names; numba-cuda compiles no others."""

    def replaced(value: Any) -> Any:
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in ("numpy", "math"):
            stand_in = ModuleType(value.__name__)
            stand_in.__dict__.update((name, replaced_function(part)) for name, part in vars(value).items())
            return stand_in
        return replaced_function(value)

    def replaced_function(value: Any) -> Any:
        return _devices.get(value, value) if isinstance(value, FunctionType) else value

    named = {name.partition(".")[0] for name, _ in references(function)}
    names = dict(function.__globals__)
    for name, own in (("min", smaller), ("max", larger)):
        if names.get(name, getattr(builtins, name)) is getattr(builtins, name):
            names[name] = _devices.setdefault(own, cuda.jit(device=True)(own))
    names.update((name, replaced(names[name])) for name in named & names.keys())
    closure = tuple(CellType(replaced(cell.cell_contents)) for cell in function.__closure__ or ())
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__, closure)


class DeviceBuffers:
    """The arrays of `lanes` lanes on the GPU, named and ordered as in `Buffers`, zeroed, the settings written.

    All are [..., B] in C order, also those of environments that are `lane_major` elsewhere: neighbouring threads read
    neighbouring lanes. Each has `__cuda_array_interface__`, so `torch.as_tensor(buffers.reward, device="cuda")` is a
    view of it. Those that the environment lacks hold one element that nothing touches.

    Attributes:
        environment, lanes: What they were allocated for.
        arrays: In the order of `fields`; each is also an attribute by its name.

    Raises:
        RuntimeError: If there is no GPU.
    """

    saved = Buffers.saved

    random: Any
    action: Any

    def __init__(self, environment: Environment, lanes: int) -> None:
        check_gpu()
        self.environment = environment
        self.lanes = lanes
        for name, dtype, shape, _ in fields(environment):
            # A kernel cannot be launched on an empty array: its address is none.
            host = np.zeros((1,) * (len(shape) + 1) if 0 in shape else (*shape, lanes), dtype)
            if name == "state":
                for row, value in enumerate(environment.settings.values(), start=len(environment.state)):
                    host[row] = value
            setattr(self, name, cuda.to_device(host))
        self.arrays: tuple[Any, ...] = tuple(getattr(self, field.name) for field in fields(environment))

    def seed(self, seed: int) -> None:
        """Start the streams of all lanes, as `rng.seed_lanes` does."""
        host = np.zeros((rng.ROWS, self.lanes), np.uint32)
        rng.seed_lanes(host, seed)
        self.random.copy_to_device(host)

    def upload(self, host: Buffers) -> None:
        """Copy every array from `host`, which may have another layout."""
        for field, array in zip(fields(self.environment), self.arrays, strict=True):
            if 0 not in field.shape:
                array.copy_to_device(np.ascontiguousarray(getattr(host, field.name)))

    def download(self, host: Buffers) -> None:
        """Copy every array into `host`, which may have another layout."""
        for field, array in zip(fields(self.environment), self.arrays, strict=True):
            if 0 not in field.shape:
                getattr(host, field.name)[...] = array.copy_to_host()


def check_gpu() -> None:
    """Raise a RuntimeError if there is no GPU, nor the simulator."""
    if not cuda.is_available():
        raise RuntimeError(NO_GPU)


_unbound: Any = nothing
reset_lane = step_lane = observe_lane = mask_lane = cost_lane = global_lane = over_lane = cell = _unbound


def reset_thread(state: Any, random: Any, elapsed: Any, observation: Any, action_mask: Any, global_state: Any) -> None:
    """Start an episode in this thread's lane."""
    lane = cuda.grid(1)
    if lane < elapsed.shape[0]:
        i = np.uintp(lane)
        reset_lane(i, state, random)
        elapsed[i] = 0
        observe_lane(i, state, observation)
        mask_lane(i, state, action_mask)
        global_lane(i, state, global_state)


def step_thread(
    state: Any,
    random: Any,
    elapsed: Any,
    action: Any,
    reward: Any,
    cost: Any,
    terminated: Any,
    truncated: Any,
    observation: Any,
    final_observation: Any,
    action_mask: Any,
    global_state: Any,
    final_global_state: Any,
    limit: int,
    autoreset: bool,
) -> None:
    """Advance this thread's lane by one step, and reset it if it ended."""
    lane = cuda.grid(1)
    if lane < elapsed.shape[0]:
        i = np.uintp(lane)
        step_lane(i, state, action, reward, terminated, random)
        elapsed[i] += 1
        truncated[i] = elapsed[i] >= limit
        cost_lane(i, state, cost)
        if (over_lane(i, terminated) | truncated[i]) & autoreset:
            observe_lane(i, state, final_observation)
            global_lane(i, state, final_global_state)
            reset_lane(i, state, random)
            elapsed[i] = 0
        observe_lane(i, state, observation)
        mask_lane(i, state, action_mask)
        global_lane(i, state, global_state)


def scan_forwards(arguments: Any) -> None:
    """Run a recursion over this thread's lane, from the first step to the last."""
    horizon, lanes = arguments[0].shape
    lane = cuda.grid(1)
    if lane < lanes:
        i = np.uintp(lane)
        for t in range(horizon):
            cell(t, i, *arguments)


def scan_backwards(arguments: Any) -> None:
    """Run a recursion over this thread's lane, from the last step to the first."""
    horizon, lanes = arguments[0].shape
    lane = cuda.grid(1)
    if lane < lanes:
        i = np.uintp(lane)
        for k in range(horizon):
            cell(horizon - 1 - k, i, *arguments)


SCALARS = {"limit": types.int32, "autoreset": types.boolean}


def arrays_of(thread: Callable[..., None]) -> list[str]:
    """Return the names of the arrays that a kernel takes, in order."""
    return [name for name in inspect.signature(thread).parameters if name not in SCALARS]


def kernel(environment: Environment, thread: Callable[..., None]) -> tuple[FunctionType, Any]:
    """Return `reset_thread` or `step_thread` with the lane functions of `environment`, and its signature."""
    functions = {name: _device(function) for name, function in drivers.lane_functions(environment).items()}
    known = {
        f.name: types.Array(from_dtype(np.dtype(f.dtype)), len(f.shape) + 1, "C") for f in fields(environment)
    } | SCALARS
    return _bound(thread, functions), types.void(*(known[name] for name in inspect.signature(thread).parameters))


def scan_kernel(cell: Callable[..., None], *, reverse: bool) -> FunctionType:
    """Return `scan_backwards` if `reverse`, else `scan_forwards`, around a kernel of `returns.py`."""
    return _bound(scan_backwards if reverse else scan_forwards, {"cell": _device(cell)})


def _bound(thread: Any, functions: dict[str, Any]) -> FunctionType:
    return FunctionType(thread.__code__, {**thread.__globals__, **functions}, thread.__name__)


def assembly(function: FunctionType, signature: Any, capability: tuple[int, int]) -> str:
    """Return the PTX of a kernel for GPUs of a compute capability, as it is compiled to run."""
    with uncontracted():
        text, _ = cuda.compile(function, signature, device=False, abi="numba", cc=capability)
    return str(text)


def _compile(function: FunctionType, *signature: Any) -> Any:
    """Compile a kernel; without a signature, when it is first launched.

    Link-time optimisation is off: it compiles anew, and whether it contracts is its own choice.
    """
    if SIMULATED:
        return cuda.jit(function)
    if signature:
        with uncontracted():
            return cuda.jit(*signature, lto=False)(function)
    return cuda.jit(function, lto=False)  # jit(lto=False)(function) would lose the option


def _launcher(compiled: Any) -> Callable[[int], Any]:
    """Return what launches a kernel, given the number of lanes."""

    def configured(lanes: int) -> Any:
        threads = min(THREADS, lanes)
        with warnings.catch_warnings():  # that few lanes do not fill a GPU
            warnings.simplefilter("ignore", performance_warning)
            return compiled[-(-lanes // threads), threads]

    return configured if SIMULATED else functools.cache(configured)


def vector_reset(environment: Environment) -> Callable[[DeviceBuffers], None]:
    """Build the function that resets every lane.

    Raises:
        RuntimeError: If there is no GPU.
    """
    check_gpu()
    launcher = _launcher(_compile(*kernel(environment, reset_thread)))
    taken = operator.attrgetter(*arrays_of(reset_thread))

    def reset(b: DeviceBuffers) -> None:
        launcher(b.lanes)(*taken(b))

    return reset


def vector_step(environment: Environment) -> Callable[[DeviceBuffers, int, bool], None]:
    """Build the function that advances every lane by one step and resets those that ended.

    It returns when the work is queued; whatever uses the arrays on the same stream, as torch does, comes after it.

    Raises:
        RuntimeError: If there is no GPU.
    """
    check_gpu()
    launcher = _launcher(_compile(*kernel(environment, step_thread)))
    taken = operator.attrgetter(*arrays_of(step_thread))

    def step(b: DeviceBuffers, limit: int, autoreset: bool = True) -> None:
        launcher(b.lanes)(*taken(b), limit, autoreset)

    return step


def scan(cell: Callable[..., None], *, reverse: bool) -> Callable[..., None]:
    """Build the loops over time (backwards if `reverse`) and lanes; the first argument is [T, B]. Arrays on the device.

    Raises:
        RuntimeError: If there is no GPU.
    """
    check_gpu()
    launcher = _launcher(_compile(scan_kernel(cell, reverse=reverse)))

    def run(*arguments: Any) -> None:
        launch = launcher(arguments[0].shape[1])
        with uncontracted():  # the first call compiles
            launch(arguments)

    return run
