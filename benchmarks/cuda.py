"""On a machine with an NVIDIA GPU: hold the cuda target to the contract for real, and measure its steps per second.

    python benchmarks/cuda.py [ID ...] [--lanes 65536] [--seconds 0.5] > benchmarks/results/cuda.json

Prints JSON: the machine, what differed from the cpu target (nothing, or this exits with 1), and steps per second of
every environment, all lanes together: the environment alone, random actions drawn beforehand, state and actions on the
device, the median of three repeats, each from an idle GPU to an idle GPU.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# NVIDIA's bindings are a package named cuda, which this file would hide.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path).resolve() != ROOT / "benchmarks")]

import numpy as np  # noqa: E402

REPEATS, RING, CHUNK = 3, 16, 64


def tensors(buffers):
    """Return torch's views of the arrays by name: no copy, on the same GPU."""
    import torch

    from workbench_kernels.buffers import fields

    names = [field.name for field in fields(buffers.environment) if 0 not in field.shape]
    return {name: torch.as_tensor(getattr(buffers, name), device="cuda") for name in names}


def check_tensors(environment):
    """Return the names of the arrays that torch copied instead of looking at."""
    from workbench_kernels.targets import cuda

    buffers = cuda.DeviceBuffers(environment, 32)
    return [
        name
        for name, tensor in tensors(buffers).items()
        if tensor.data_ptr() != getattr(buffers, name).__cuda_array_interface__["data"][0]
    ]


def speed(environment, lanes, seconds):
    """Measure the steps per second of `lanes` lanes."""
    import torch

    from tests.contract.test_environments import Actions
    from workbench_kernels.buffers import Buffers
    from workbench_kernels.targets import cuda

    host, buffers = Buffers(environment, lanes), cuda.DeviceBuffers(environment, lanes)
    buffers.seed(0)
    cuda.vector_reset(environment)(buffers)
    buffers.download(host)
    step, draw = cuda.vector_step(environment), Actions(host, seed=0)
    # Of the first masks: later some of them are illegal, and the environment says what follows from that.
    ring = [torch.as_tensor(np.asarray(draw(), host.action.dtype), device="cuda") for _ in range(RING)]
    action, limit = tensors(buffers)["action"], environment.time_limit

    def chunk():
        for k in range(CHUNK):
            action.copy_(ring[k % RING])
            step(buffers, limit)
        torch.cuda.synchronize()

    chunk()
    repeats = []
    for _ in range(REPEATS):
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            chunk()
            count += CHUNK * lanes
        repeats.append(count / (time.perf_counter() - start))
    return {"lanes": lanes, "steps_per_second": statistics.median(repeats), "repeats": repeats}


def main():
    """Check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ids", nargs="*", help="environments; all by default")
    parser.add_argument("--lanes", type=int, default=65536)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each repeat")
    given = parser.parse_args()
    try:
        from workbench_kernels.targets import cuda

        cuda.check_gpu()
    except (ImportError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    if cuda.SIMULATED:
        sys.exit("error: NUMBA_ENABLE_CUDASIM is set, and the simulator is no GPU; unset it.")

    import torch

    from tests.kernels.cuda_simulation import REVERSE, environment, recursion
    from workbench import machine
    from workbench_kernels.envs import ENVIRONMENTS, make

    if not torch.cuda.is_available():
        sys.exit("error: this torch was built without CUDA; install a build for the GPU.")
    record = {"machine": torch.cuda.get_device_name(), "versions": machine.versions(), "rows": []}
    record["versions"]["numba-cuda"] = machine.installed("numba-cuda")
    wrong = {name: found for name in REVERSE if (found := recursion(name)["differ"])}
    for id in given.ids or ENVIRONMENTS:
        found = environment(id, target="cpu", lanes=1000, limit=100, steps=300)
        if found["differ"]:
            wrong[id] = found
        if copied := check_tensors(make(id)):
            wrong[f"{id}, torch"] = copied
        record["rows"].append({"environment": id, **speed(make(id), given.lanes, given.seconds)})
    record["differs"] = wrong
    print(json.dumps(record, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
