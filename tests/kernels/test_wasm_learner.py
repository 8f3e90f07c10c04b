"""The learner in WebAssembly: it learns what the learner on vector units learns, in wasmtime."""

import numpy as np
import pytest
import torch

from tests.kernels.wasm_host import WasmLanes
from workbench.algorithms import PPO
from workbench.backends.native import NativeLearner
from workbench.envs import environment, make
from workbench.spec import spec_of
from workbench.training.seeding import seeds_from
from workbench_kernels.buffers import fields
from workbench_kernels.learner.tiles import LANES
from workbench_kernels.learner.update import SHARES
from workbench_kernels.targets import learning, wasm, wasm_learner

LANES_USED = 70
"""No whole number of tiles."""


class WasmLearner(WasmLanes):
    """The arrays of a learner's table, as numpy's, copied from a learner on vector units."""

    def __init__(self, module, learner, seed):
        kernel = learner.source.env.environment
        super().__init__(kernel, module, learner.source.env.lanes, seed=seed)
        self.learner = learner
        inputs, width, depth, outputs, _ = learner.network
        observation, action, *rest = learner.blocks
        bounds = learner._bounds or (np.zeros(1, np.float32),) * 4
        count = learner._count
        given = [learner.parameters, learner._means, learner._squares, learner._gradient, learner._sums]
        epochs, horizon = learner.algorithm.epochs, learner.algorithm.horizon
        given += [np.zeros(learning.workspace(inputs, width, depth, outputs, horizon), np.float32)]
        given += [np.zeros(LANES, np.int64), np.zeros(3, np.uint32), np.zeros(epochs * count, np.int64)]
        given += [np.zeros(epochs * learner._tiles * LANES, np.int32), *learner._moments, *bounds]
        given += [observation, action, *rest, learner.episodes.running_return, learner.episodes.running_length]
        given += list(learner._finished)
        assert len(given) == len(wasm.LEARNING)
        _, _, end = wasm.layout(fields(kernel), self.lanes, self.base)
        self.arrays = -(-end // 64) * 64
        place = self.arrays + wasm.ADDRESS * len(given)
        starts = []
        for array in given:
            starts.append(-(-place // 64) * 64)
            place = starts[-1] + array.nbytes + 64
        memory = self.bytes(place)
        memory[self.arrays : self.arrays + wasm.ADDRESS * len(given)].view(np.uint64)[:] = starts
        self.values = {}
        for name, start, array in zip(wasm.LEARNING, starts, given, strict=True):
            self.values[name] = memory[start : start + array.nbytes].view(array.dtype)
            self.values[name][:] = array.ravel()
        # The memory grew, so what was laid over it moved.
        for name, dtype, shape, _ in fields(kernel):
            start = wasm.layout(fields(kernel), self.lanes, self.base).addresses[name]
            size = int(np.prod(shape)) * self.lanes * np.dtype(dtype).itemsize
            setattr(self, name, memory[start : start + size].view(dtype).reshape(*shape, self.lanes))

    def roll(self, key):
        algorithm, (_, width, depth, _, activation) = self.learner.algorithm, self.learner.network
        limit = self.learner.source.env.time_limit
        numbers = (int(key), algorithm.gamma, algorithm.gae_lambda)
        shape = (algorithm.horizon, limit, width, depth, activation)
        self.call("rollout", self.table, self.lanes, self.arrays, *shape, *numbers)

    def learn(self, order, shifts, minibatches, centres):
        algorithm, (_, width, depth, _, activation) = self.learner.algorithm, self.learner.network
        self.values["order"][:], self.values["shifts"][:] = order.ravel(), shifts.ravel()
        numbers = (algorithm.clip, algorithm.entropy_coefficient, algorithm.value_coefficient, *centres)
        optimiser = (algorithm.learning_rate, 0.9, 0.999, 1e-5, algorithm.max_gradient_norm)
        shape = (algorithm.horizon, width, depth, activation, len(order), minibatches)
        self.call("learn", self.lanes, self.arrays, *shape, *numbers, *optimiser, 0)


@pytest.mark.parametrize("id", ["CartPole-v1", "Pendulum-v1"])
def test_it_learns_what_the_learner_on_vector_units_learns(id):
    env, algorithm = make(id, LANES_USED), PPO(horizon=6, epochs=2, minibatches=3, width=32)
    seeds = seeds_from(4)
    algorithm.setup(spec_of(env), torch.device("cpu"), seeds)
    learner = NativeLearner(algorithm, env, seeds["environment"], workers=1)
    twin = WasmLearner(wasm.build_learner(environment(id)), learner, seeds["environment"])
    np.testing.assert_array_equal(twin.observation, env.buffers.observation)
    keys = []
    take = learner._rollout

    def noting(*arguments):
        keys.append(arguments[7])
        take(*arguments)

    learner._rollout = noting
    learner.collect()
    twin.roll(keys[0])
    remembered = dict(zip(wasm_learner.BLOCKS, learner.blocks, strict=True))
    for name, ours in remembered.items():
        # Sums are rounded otherwise, where the machine has no fused multiplication; choices hang on none of them here.
        np.testing.assert_allclose(twin.values[name], ours, atol=2e-4, rtol=1e-4, err_msg=name)
    assert twin.values["advantage"].any()
    np.testing.assert_array_equal(twin.elapsed, env.buffers.elapsed)
    order = []
    learn = learner._learn

    def noting_order(leads, *arguments):
        order.append((*arguments[:3], map(float, arguments[9][3:])))
        return learn(leads, *arguments)

    learner._learn = noting_order
    before = learner.parameters.copy()
    for name, ours in remembered.items():
        twin.values[name][:] = ours
    learner.learn()
    twin.learn(*order[0])
    moved = np.abs(learner.parameters - before).max()
    assert moved > 1e-3
    np.testing.assert_allclose(twin.values["parameters"], learner.parameters, atol=1e-5)
    np.testing.assert_allclose(
        twin.values["sums"].reshape(SHARES, -1).sum(0), learner._sums.reshape(SHARES, -1).sum(0), rtol=1e-4, atol=1e-3
    )
    learner.close()
