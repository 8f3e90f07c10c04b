"""The cuda target without a GPU: its PTX, run by an interpreter, and its kernels, run by numba-cuda's simulator."""

import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numba.cuda
import numpy as np
import pytest
from cuda.bindings import nvjitlink

from tests.contract.test_environments import OUTPUTS, Actions
from tests.kernels.batch import Lanes
from tests.kernels.cuda_simulation import REVERSE, arguments
from tests.oracles.ptx import Kernel, Memory
from workbench_kernels import Box, Discrete, Environment, returns, rng
from workbench_kernels.buffers import fields
from workbench_kernels.envs import ENVIRONMENTS, make
from workbench_kernels.targets import cuda, python

ROOT = Path(__file__).parents[2]
CAPABILITY = (9, 0)
LANES, BLOCKS, THREADS = 3, 2, 2  # a thread has no lane
INEXACT = re.compile(
    r"^\s*(?:@!?%p\d+\s+)?("
    r"fma\S*|\S*\.approx\S*|\S*\.full\S*|\S*\.ftz\S*"  # rounds once for two operations, or not to the nearest
    r"|(?:add|sub|mul)\.f\d+"  # says not how it rounds: the assembler may fuse it
    r"|\S*\.f64\S*"  # a constant without a type
    r"|call\S*)\s",  # not inlined
    re.MULTILINE,
)
pytestmark = pytest.mark.usefixtures("no_device")


@pytest.fixture
def no_device(monkeypatch):
    """Stand in for the GPU that a device function asks for its capability."""
    device = SimpleNamespace(compute_capability=CAPABILITY)
    monkeypatch.setattr("numba.cuda.dispatcher.get_current_device", lambda: device)


def flat(array, address):
    """Return an array as a kernel's parameters state it: no owner, no parent, then what and where it is."""
    return [0, 0, array.size, array.itemsize, address, *array.shape, *array.strides]


QUICK = {*REVERSE, "CartPole-v1", "MinAtar/Breakout-v1", "Pendulum-v1", "workbench/SimpleSpread-v0"}
"""One of each kind, as PTX takes a second or two to compile. The others run with the slow tests."""


def tiers(names):
    return [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in sorted(names)]


class Interpreted:
    """`LANES` lanes of an environment in the memory of the interpreter."""

    def __init__(self, environment, seed):
        self.kernels = {}
        for thread in (cuda.reset_thread, cuda.step_thread):
            text = cuda.assembly(*cuda.kernel(environment, thread), CAPABILITY)
            assert INEXACT.findall(text) == []
            self.kernels[thread] = Kernel(text)
        self.memory, self.places = Memory(), {}
        for field in fields(environment):
            array = np.zeros((*field.shape, LANES), field.dtype)
            if field.name == "random":
                rng.seed_lanes(array, seed)
            if field.name == "state":
                for row, value in enumerate(environment.settings.values(), start=len(environment.state)):
                    array[row] = value
            self.places[field.name] = (array, self.memory.place(array))
        self.run(cuda.reset_thread)

    def run(self, thread, *scalars):
        parameters = [value for name in cuda.arrays_of(thread) for value in flat(*self.places[name])]
        self.kernels[thread].launch(self.memory, [*parameters, *scalars], blocks=BLOCKS, threads=THREADS)
        self.memory.check()

    def __getitem__(self, name):
        array, address = self.places[name]
        return self.memory.view(address, array.shape, array.dtype)

    def step(self, action, limit, autoreset):
        self["action"][...] = action
        self.run(cuda.step_thread, limit, autoreset)


@pytest.mark.parametrize("id", tiers(ENVIRONMENTS))
def test_the_machine_code_of_every_environment_gives_the_oracles_bits(id):
    environment, limit, ended = make(id), 12, 0
    ours, oracle = Interpreted(environment, 3), Lanes(environment, LANES, target="python", seed=3, limit=limit)
    actions = Actions(oracle, seed=1)
    for k in range(31):
        for name in OUTPUTS:
            assert ours[name].tobytes() == getattr(oracle, name).tobytes(), f"{name} after {k} steps"
        autoreset = k < 27
        oracle.step(actions(), autoreset)
        ours.step(oracle.action, limit, autoreset)
        ended += int((oracle.elapsed == 0).sum())
    assert ended >= LANES


def launched(function, signature, given):
    """Run a kernel's PTX on arrays and scalars; return the arrays afterwards."""
    text = cuda.assembly(function, signature, CAPABILITY)
    assert INEXACT.findall(text) == []
    memory, parameters, places = Memory(), [], []
    for value in given:
        if isinstance(value, np.ndarray):
            places.append((memory.place(value), value.shape, value.dtype))
            parameters += flat(value, places[-1][0])
        else:
            parameters.append(value)
    Kernel(text).launch(memory, parameters, blocks=BLOCKS, threads=THREADS)
    memory.check()
    return [memory.view(*place) for place in places]


@pytest.mark.parametrize("name", REVERSE)
def test_the_machine_code_of_every_recursion_gives_the_oracles_bits(name):
    oracle, given = arguments(name), arguments(name)
    python.scan(getattr(returns, name), reverse=REVERSE[name])(*oracle)
    signature = cuda.types.void(cuda.types.Tuple([numba.cuda.typing.typeof.typeof(x) for x in given]))
    found = launched(cuda.scan_kernel(getattr(returns, name), reverse=REVERSE[name]), signature, given)
    for one, other in zip(found, (x for x in oracle if isinstance(x, np.ndarray)), strict=True):
        assert one.tobytes() == other.tobytes()


def halved(x):
    return x * np.float32(0.5)


def between(x, low, high):
    return max(min(x, high), low)


helpers = ModuleType("helpers")
helpers.halved = halved
TABLE = np.array([3.0, 1.0, 2.0], np.float32)


def written_otherwise(scale):
    """An environment that calls through a module, a closure and Python's min and max, and reads a table."""

    def scaled(x):
        return x * scale

    def reset(i, state, random):
        state[0, i] = helpers.halved(np.float32(i))

    def step(i, state, action, reward, terminated, random):
        state[0, i] = scaled(state[0, i]) + TABLE[action[i]]
        reward[i] = between(-state[0, i] * np.float32(0.0), np.float32(0.0), np.float32(1.0))
        terminated[i] = False

    def observe(i, state, observation):
        x = np.floor(state[0, i]) + np.ceil(state[0, i]) + np.trunc(state[0, i]) + np.rint(state[0, i])
        observation[0, i] = np.sqrt(abs(x)) / np.float32(3.0)

    return Environment(
        id="Otherwise-v0",
        state=("x",),
        observation=Box(-np.inf, np.inf),
        action=Discrete(3),
        time_limit=9,
        reset=reset,
        step=step,
        observe=observe,
    )


def test_functions_are_found_through_modules_and_closures():
    environment = written_otherwise(np.float32(-1.5))
    ours, oracle = Interpreted(environment, 0), Lanes(environment, LANES, target="python")
    for k in range(12):
        for name in ("state", "observation", "reward"):
            assert ours[name].tobytes() == getattr(oracle, name).tobytes(), f"{name} after {k} steps"
        oracle.step(k % 3)
        ours.step(k % 3, 9, True)


@pytest.mark.parametrize("order", [min, max])
def test_min_and_max_order_zeros_and_nan_as_python_does(order):
    values = np.array([0.0, -0.0, np.nan, 1.0], np.float32)
    cases = np.array([(a, b) for a in values for b in values], np.float32)
    for a, b in cases:
        own = cuda.smaller if order is min else cuda.larger
        assert np.float32(own(a, b)).tobytes() == np.float32(order(a, b)).tobytes()

    def cell(t, i, first, second, out):
        out[t, i] = min(first[t, i], second[t, i])

    def other_cell(t, i, first, second, out):
        out[t, i] = max(first[t, i], second[t, i])

    first, second = (np.repeat(cases[:, k, None], LANES, axis=1) for k in range(2))
    given = (first, second, np.zeros_like(first))
    signature = cuda.types.void(cuda.types.Tuple([cuda.types.float32[:, ::1]] * 3))
    out = launched(cuda.scan_kernel(cell if order is min else other_cell, reverse=False), signature, given)[2]
    expected = np.array([order(a, b) for a, b in cases], np.float32)
    assert out[:, 0].tobytes() == expected.tobytes()


@pytest.mark.parametrize("capability", [(7, 5), (9, 0)])
def test_the_machine_code_assembles(capability):
    function, signature = cuda.kernel(make("CartPole-v1"), cuda.step_thread)
    text = cuda.assembly(function, signature, capability).encode()
    options = ["-arch=sm_{}{}".format(*capability), "-verbose"]
    linker = nvjitlink.create(len(options), options)
    nvjitlink.add_data(linker, nvjitlink.InputType.PTX, text, len(text), "kernel")
    nvjitlink.complete(linker)
    log = bytearray(nvjitlink.get_info_log_size(linker))
    nvjitlink.get_info_log(linker, log)
    assert b" 0 bytes spill stores" in log
    assert nvjitlink.get_linked_cubin_size(linker) > 1000


def test_without_the_option_products_and_sums_are_fused():
    function, signature = cuda.kernel(make("CartPole-v1"), cuda.step_thread)
    text, _ = numba.cuda.compile(function, signature, device=False, abi="numba", cc=CAPABILITY)
    assert {found.split(".")[0] for found in INEXACT.findall(text)} >= {"fma", "add", "mul"}


def test_the_interpreter_refuses_what_rounds_otherwise():
    def cell(t, i, first):
        first[t, i] = first[t, i] * first[t, i] + np.float32(1.0)

    signature = cuda.types.void(cuda.types.Tuple([cuda.types.float32[:, ::1]]))
    function = cuda.scan_kernel(cell, reverse=False)
    text, _ = numba.cuda.compile(function, signature, device=False, abi="numba", cc=CAPABILITY)
    with pytest.raises(NotImplementedError, match=r"fma\.rn"):
        Kernel(text)


@functools.cache
def simulated(names):
    """What the simulator found, of all `names` at once: it needs a process of its own."""
    given = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, "-m", "tests.kernels.cuda_simulation", *names]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", tiers([*REVERSE, *ENVIRONMENTS]))
def test_the_simulator_gives_the_oracles_bits(name):
    quick = name in QUICK
    found = simulated(tuple(each for each in [*REVERSE, *ENVIRONMENTS] if (each in QUICK) == quick))[name]
    assert found["differ"] == [], f"after {found.get('step')} steps"
    assert found.get("ended", 1)


without_gpu = pytest.mark.skipif(numba.cuda.is_available(), reason="there is a GPU")


@without_gpu
def test_without_a_gpu_one_error_says_so():
    environment = make("CartPole-v1")
    for build in (
        lambda: cuda.DeviceBuffers(environment, 4),
        lambda: cuda.vector_reset(environment),
        lambda: cuda.vector_step(environment),
        lambda: cuda.scan(returns.gae, reverse=True),
    ):
        with pytest.raises(RuntimeError, match=r"^the cuda target needs an NVIDIA GPU .* choose target='cpu'\.$"):
            build()


@without_gpu
def test_without_a_gpu_the_benchmark_says_so_in_one_line():
    done = subprocess.run([sys.executable, ROOT / "benchmarks" / "cuda.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"error: {cuda.NO_GPU}\n"


@pytest.mark.parametrize("how", ["numba's own", "no bindings"])
def test_without_numba_cuda_the_error_names_the_extra(monkeypatch, how):
    if how == "numba's own":
        monkeypatch.setattr(numba.cuda, "implementation", "Built-in")
    else:
        monkeypatch.setitem(sys.modules, "numba.cuda", None)
    specification = importlib.util.spec_from_file_location("another_cuda", cuda.__file__)
    with pytest.raises(ImportError, match=r"pip install 'rl-workbench\[cuda\]'"):
        specification.loader.exec_module(importlib.util.module_from_spec(specification))
