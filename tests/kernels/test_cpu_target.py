"""The compiler's side: packed instructions, a cache that hits across processes, and never serves stale code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from workbench_kernels import returns
from workbench_kernels.envs import make
from workbench_kernels.targets import cpu
from workbench_kernels.targets.fingerprint import fingerprint

ROOT = Path(__file__).parents[2]
with_jit = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is no machine code with the JIT off")

ENVIRONMENT = """
import numpy as np
from workbench_kernels import Box, Discrete, Environment
from helper import scaled

GAIN = np.float32({gain})

def reset(i, state, random):
    state[0, i] = np.float32(0.0)

def step(i, state, action, reward, terminated, random):
    reward[i] = scaled(GAIN)
    terminated[i] = False

def observe(i, state, observation):
    observation[0, i] = state[0, i]

def environment():
    return Environment(
        id="Edited-v0", state=("x",), observation=Box((-1.0,), (1.0,)), action=Discrete(2), time_limit=10,
        reset=reset, step=step, observe=observe,
    )
"""
HELPER = "import numpy as np\n\ndef scaled(x):\n    return x * np.float32({factor})\n"
DRIVER = """
import json
import edited
import numpy as np
from workbench.envs import NativeVectorEnvironment
env = NativeVectorEnvironment(edited.environment(), 4)
env.reset()
env.step(np.zeros(4, dtype=np.int64))
from workbench_kernels.targets import cpu
hits = sum(env._step.compiled.stats.cache_hits.values())
prepared = "numba.np.arraymath" in sys.modules  # as numba gets ready to compile
print(json.dumps({"reward": float(env.reward[0]), "hits": hits, "prepared": prepared}))
"""


@with_jit
def test_a_second_process_finds_the_machine_code_and_an_edit_is_compiled(tmp_path):
    def run(gain, factor):
        (tmp_path / "edited.py").write_text(ENVIRONMENT.format(gain=gain))
        (tmp_path / "helper.py").write_text(HELPER.format(factor=factor))
        paths = [str(tmp_path), *[path for path in sys.path if path]]
        script = f"import sys; sys.path[:0] = {paths!r}\n{DRIVER}"
        environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    compiled, loaded = {"hits": 0, "prepared": True}, {"hits": 1, "prepared": False}
    assert run(gain=1.0, factor=2.0) == {"reward": 2.0, **compiled}
    assert run(gain=1.0, factor=2.0) == {"reward": 2.0, **loaded}
    assert run(gain=3.0, factor=2.0) == {"reward": 6.0, **compiled}  # a constant of the environment
    assert run(gain=3.0, factor=5.0) == {"reward": 15.0, **compiled}  # a function it calls
    assert run(gain=1.0, factor=2.0) == {"reward": 2.0, **loaded}  # the first one is still there


def packed(assembly, operation):
    return len(re.findall(rf"\bv?{operation}ps\b", assembly))


def vectorised(assembly):
    """Whether most of the arithmetic is packed: what is left over for a last few lanes stands there once more, scalar.

    How often a loop is unrolled is the processor's business, so the count of packed instructions alone says little.
    """
    return packed(assembly, "mul") >= max(2, 0.5 * len(re.findall(r"\bv?mulss\b", assembly)))


@with_jit
@pytest.mark.skipif(bool(numba.config.BOUNDSCHECK), reason="a check of every access is a branch in every lane")
def test_cartpole_acrobot_and_gae_use_packed_instructions(monkeypatch, tmp_path):
    # Machine code that comes from the cache cannot be inspected.
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    for id in ("CartPole-v1", "Acrobot-v1"):
        assembly = next(iter(cpu.vector_step(make(id)).compiled.inspect_asm().values()))
        assert vectorised(assembly), id
        assert packed(assembly, "div") >= 1, id
    gae = cpu.scan(returns.gae, reverse=True, parallel=False)
    x, flag = np.zeros((2, 4), np.float32), np.zeros((2, 4), np.bool_)
    gae(x, x, x, flag, flag, np.float32(1), np.float32(1), np.zeros_like(x))
    assert vectorised(next(iter(gae.compiled.inspect_asm().values())))


def test_the_fingerprint_sees_code_constants_and_callees_and_nothing_else():
    def build(source):
        names = {"__name__": "somewhere"}
        exec(compile(source, "somewhere.py", "exec"), names)  # the sources stand below
        return fingerprint(names["outer"])

    base = "LIMIT = 3\ndef inner(x):\n    return x + 1\ndef outer(x):\n    return inner(x) * LIMIT\n"
    assert build(base) == build(base)
    assert build("\n\n# moved\n" + base) == build(base)
    assert build(base + "OTHER = 1\n") == build(base)
    rich = (
        "import enum, numba, numpy as np\nclass A(enum.IntEnum):\n    GAIN = 1\n"
        "@numba.njit\ndef inner(x):\n    return x + 1.0\nTABLE = (np.arange(2000), 2)\n"
        "def outer(x):\n    return inner(x) * A.GAIN.value + TABLE[0][x]\n"
    )
    changes = [("GAIN = 1", "GAIN = 5"), ("x + 1.0", "x + 3.0"), ("np.arange(2000)", "np.arange(2000) % 1999")]
    assert len({build(rich), *(build(rich.replace(old, new)) for old, new in changes)}) == len(changes) + 1
    edits = [("LIMIT = 3", "LIMIT = 4"), ("LIMIT = 3", "LIMIT = 3.0"), ("x + 1", "x + 2"), ("* LIMIT", "+ LIMIT")]
    fingerprints = {build(base.replace(old, new)) for old, new in edits}
    assert len(fingerprints | {build(base)}) == len(edits) + 1


OPTIONS = """
import sys
import numpy as np
from tests.kernels.batch import Lanes
from workbench_kernels.envs import make

for size in map(int, sys.argv[1:]):
    environment = make("workbench/DeepSea-v0", size=size)
    ours, oracle = (Lanes(environment, 7, target=target, seed=1) for target in ("cpu", "python"))
    draw = np.random.default_rng(0)
    for _ in range(3 * size):
        action = draw.integers(2, size=7)
        ours.step(action)
        oracle.step(action)
        for name in ("state", "observation", "reward", "terminated"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=f"{name}, size {size}")
"""


@with_jit
def test_one_option_from_the_cache_and_another_compiled_do_not_meet(tmp_path):
    # Their lane functions have the same names. Called, not inlined, they met under one symbol in the linker.
    def run(*sizes):
        command = [sys.executable, "-c", OPTIONS, *map(str, sizes)]
        given = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=given)
        assert done.returncode == 0, done.stderr

    run(10)
    run(10, 12)
    run(14, 12, 10)
