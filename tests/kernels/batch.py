"""A batch of lanes with its buffers, for tests that drive a target directly."""

import functools

from workbench_kernels import rng
from workbench_kernels.buffers import Buffers
from workbench_kernels.targets import cpu, python

TARGETS = {
    "python": (python.vector_reset, python.vector_step),
    "cpu": (cpu.vector_reset, cpu.vector_step),
    "cpu, threads": (cpu.vector_reset, functools.partial(cpu.vector_step, parallel=True)),
}


@functools.cache
def _built(environment, target):
    reset, step = TARGETS[target]
    return reset(environment), step(environment)


class Lanes(Buffers):
    """`lanes` copies of `environment` on a target, reset."""

    def __init__(self, environment, lanes, *, target="cpu", seed=0, limit=None):
        super().__init__(environment, lanes)
        self.limit = environment.time_limit if limit is None else limit
        reset, self._step = _built(environment, target)
        rng.seed_lanes(self.random, seed)
        reset(self)

    def step(self, action, autoreset=True):
        self.action[...] = action
        self._step(self, self.limit, autoreset)
