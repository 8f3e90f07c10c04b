"""A batch of lanes with its buffers, for tests that drive a target directly."""

from types import SimpleNamespace

import numpy as np

from workbench_kernels import rng
from workbench_kernels.arrays import aligned
from workbench_kernels.targets import cpu, python

TARGETS = {
    "python": (python.vector_reset, python.vector_step),
    "cpu": (cpu.vector_reset, lambda environment: cpu.vector_step(environment, parallel=False)),
    "cpu, threads": (cpu.vector_reset, cpu.vector_step),
}


class Lanes(SimpleNamespace):
    """`lanes` copies of `environment` on a target, reset."""

    def __init__(self, environment, lanes, *, target="cpu", seed=0, limit=None):
        components = len(environment.OBSERVATION.low)
        super().__init__(
            state=aligned((len(environment.STATE), lanes), np.float32),
            random=aligned((rng.ROWS, lanes), np.uint32),
            elapsed=aligned((lanes,), np.int32),
            action=aligned((lanes,), np.int32),
            reward=aligned((lanes,), np.float32),
            terminated=aligned((lanes,), np.bool_),
            truncated=aligned((lanes,), np.bool_),
            final=aligned((components, lanes), np.float32),
            observation=aligned((components, lanes), np.float32),
            limit=np.int32(environment.TIME_LIMIT if limit is None else limit),
        )
        build_reset, build_step = TARGETS[target]
        self._step = build_step(environment)
        rng.seed_lanes(self.random, seed)
        build_reset(environment)(self.state, self.random, self.elapsed, self.observation)

    def step(self, action):
        self.action[...] = action
        self._step(
            self.state,
            self.random,
            self.elapsed,
            self.limit,
            self.action,
            self.reward,
            self.terminated,
            self.truncated,
            self.final,
            self.observation,
        )
