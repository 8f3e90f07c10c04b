"""Run environments and recursions on numba-cuda's simulator against the oracle, and print what differs as JSON.

The simulator is chosen before numba is imported, so this is a process of its own, with NUMBA_ENABLE_CUDASIM=1:

    python -m tests.kernels.cuda_simulation ID...

`benchmarks/cuda.py` calls the same functions on a GPU.
"""

import json
import sys
import time

import numpy as np

from tests.contract.test_environments import OUTPUTS, Actions
from tests.kernels.batch import Lanes
from workbench_kernels import returns
from workbench_kernels.buffers import Buffers
from workbench_kernels.envs import make
from workbench_kernels.targets import cuda, python

LANES, LIMIT, STEPS = 4, 20, 60  # the simulator starts a Python thread for every lane and step


def difference(ours, oracle):
    """Return the names of the outputs that do not have the same bits."""
    bits = {name: (getattr(ours, name).tobytes(), getattr(oracle, name).tobytes()) for name in OUTPUTS}
    return [name for name, (one, other) in bits.items() if one != other]


def environment(id, target="python", lanes=LANES, limit=LIMIT, steps=STEPS):
    """Step `id` on both targets from the same seed; return what differed, at which step, and how many lanes ended."""
    described = make(id)
    oracle, host = Lanes(described, lanes, target=target, seed=11, limit=limit), Buffers(described, lanes)
    device = cuda.DeviceBuffers(described, lanes)
    assert all(array.size for array in device.arrays)  # a GPU would refuse to launch
    device.seed(11)
    cuda.vector_reset(described)(device)
    step, actions, ended = cuda.vector_step(described), Actions(oracle, seed=1), 0
    device.download(host)
    wrong = difference(host, oracle)
    for k in range(steps):
        if wrong:
            return {"step": k, "differ": wrong}
        # The last steps leave ended lanes alone.
        autoreset, action = k < steps - 5, actions()
        oracle.step(action, autoreset)
        device.action.copy_to_device(np.ascontiguousarray(oracle.action))
        step(device, limit, autoreset)
        device.download(host)
        wrong = difference(host, oracle)
        ended += int((oracle.elapsed == 0).sum())
    return {"step": steps, "differ": wrong, "ended": ended}


def arguments(name):
    """Return what a kernel of `returns.py` is given: a few steps of a few lanes, in new arrays."""
    draw = np.random.default_rng(5)
    T, B = 7, 3
    reward, value, next_value, ratio = draw.normal(size=(4, T, B)).astype(np.float32)
    terminated, truncated = draw.random((2, T, B)) < 0.2
    ended = terminated | truncated
    gamma, lam, one = np.float32(0.97), np.float32(0.9), np.float32(1.0)
    written = np.full((2, T, B), 0.5, np.float32)
    return {
        "gae": (reward, value, next_value, terminated, ended, gamma, lam, written[0]),
        "lambda_return": (reward, next_value, terminated, ended, gamma, lam, written[0]),
        "n_step": (reward, next_value, terminated, ended, gamma, written[0]),
        "vtrace": (ratio, reward, value, next_value, terminated, ended, gamma, lam, one, one, *written),
        "retrace": (ratio, reward, value, next_value, terminated, ended, gamma, lam, written[0]),
        "episodes": (reward, ended, ~terminated, np.zeros((T + 1, B), np.float32), np.zeros((T + 1, B), np.int32)),
    }[name]


REVERSE = {"gae": True, "lambda_return": True, "n_step": False, "vtrace": True, "retrace": True, "episodes": False}


def recursion(name):
    """Run a kernel of `returns.py` on both targets; return which arguments differ after it."""
    oracle, kernel = arguments(name), getattr(returns, name)
    python.scan(kernel, reverse=REVERSE[name])(*oracle)
    moved = [cuda.cuda.to_device(x) if isinstance(x, np.ndarray) else x for x in arguments(name)]
    cuda.scan(kernel, reverse=REVERSE[name])(*moved)
    pairs = [(x.copy_to_host(), y) for x, y in zip(moved, oracle, strict=True) if isinstance(y, np.ndarray)]
    return {"differ": [k for k, (one, other) in enumerate(pairs) if one.tobytes() != other.tobytes()]}


def main(names):
    """Print {name: what was found}."""
    assert cuda.SIMULATED
    found, start = {}, time.perf_counter()
    for name in names:
        try:
            found[name] = recursion(name) if name in REVERSE else environment(name)
        except Exception as error:  # one that fails hides none of the others
            found[name] = {"differ": [repr(error)]}
    found["seconds"] = time.perf_counter() - start
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
