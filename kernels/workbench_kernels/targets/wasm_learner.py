"""Emit the learner as WebAssembly: `workbench_kernels.learner` around one environment, for one thread."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.np.numpy_support import from_dtype

from workbench_kernels.buffers import block_lanes, fields
from workbench_kernels.environment import Environment, nothing
from workbench_kernels.learner import categorical, normal, tiles, update
from workbench_kernels.learner import rollout as rollouts
from workbench_kernels.spaces import Discrete
from workbench_kernels.targets import cpu, drivers, matrix, wasm
from workbench_kernels.targets.wasm_emit import FLOAT, INT, LONG, Module, add_environment

DOUBLE = ir.DoubleType()
BLOCKS = ("observation", "action", "log_prob", "value", "reward", "end", "advantage", "target", "doubt")
MOMENTS = ("total", "scatter")
EPISODES = ("running_return", "running_length", "finished_return", "finished_length", "finished_step", "finished")
BOUNDS = ("centre", "half", "low", "high")
HANDS = ("team", "work", "waiting")
LAST = ("gradient", "sums", "team", "work")
"""Arrays in the order in which the drivers take them."""
ORDERS, SHIFTS = (types.Array(kind, 2, "C") for kind in (types.int64, types.int32))

rollout: Any = nothing
learn: Any = nothing
"""The drivers, bound to an environment and its policy."""


def roll(
    addresses, lanes, horizon, limit, parameters, inputs, width, depth, outputs, activation, bounds, key, gamma, lam,
    blocks, episodes, team, work, waiting,
):  # fmt: skip
    """Take T steps in every lane."""
    team[0] = 0
    network = (inputs, width, depth, outputs, activation)
    rollout(
        addresses, lanes, horizon, limit, parameters, network, bounds, key, gamma, lam, blocks, episodes, team, work,
        waiting,
    )  # fmt: skip


def train(
    order, shifts, minibatches, horizon, lanes, parameters, inputs, width, depth, outputs, activation, blocks,
    moments_of, clip, bonus, worth, centre, bias, rate, beta_1, beta_2, epsilon, norm, mean, square, steps, gradient,
    sums, team, work,
):  # fmt: skip
    """Learn from what `roll` remembered."""
    for counter in range(3):
        team[counter] = 0
    network, settings = (inputs, width, depth, outputs, activation), (clip, bonus, worth, centre, bias)
    learn(
        True, order, shifts, minibatches, horizon, lanes, parameters, network, blocks, moments_of, settings,
        (rate, beta_1, beta_2, epsilon, norm), mean, square, steps, gradient, sums, team, work,
    )  # fmt: skip


class _Emitter:
    """Writes the two exports around `environment`: what JavaScript passes becomes what the drivers take."""

    def __init__(self, environment: Environment) -> None:
        self.environment, action = environment, environment.action
        self.discrete = isinstance(action, Discrete)
        self.policy = categorical if self.discrete else normal
        self.inputs = LONG(environment.observation.size)
        self.outputs = LONG(1 + (action.n if isinstance(action, Discrete) else action.size))
        dtypes = wasm.LEARNING | ({} if self.discrete else {"action": "float32"})
        self.kinds = {name: types.Array(from_dtype(np.dtype(dtype)), 1, "C") for name, dtype in dtypes.items()}
        self.bounds = () if self.discrete else BOUNDS
        self.module = Module()
        add_environment(self.module, environment)

    def tuple_of(self, names: Any) -> Any:
        """Return the type of a group of arrays."""
        return types.Tuple([self.kinds[name] for name in names])

    def arrays(self, builder: Any, table: Any) -> dict[str, Any]:
        """Make the arrays of a table; nothing asks for the lengths."""
        return {name: self.array(builder, table, name, kind, 2**31 - 1) for name, kind in self.kinds.items()}

    def array(self, builder: Any, table: Any, name: str, kind: Any, *shape: Any) -> Any:
        """Make one array of a table."""
        place = builder.add(builder.zext(table, LONG), LONG([*self.kinds].index(name) * wasm.ADDRESS))
        address = builder.load(builder.inttoptr(place, LONG.as_pointer()))
        return self.module.array(builder, kind, address, [LONG(n) if isinstance(n, int) else n for n in shape])

    def group(self, builder: Any, arrays: dict[str, Any], names: Any) -> Any:
        """Make a tuple of arrays."""
        return self.module.context.make_tuple(builder, self.tuple_of(names), [arrays[name] for name in names])

    def rollout_arguments(self, builder: Any, table: Any, lanes: Any, learner: Any, *rest: Any) -> list[Any]:
        """Return what `roll` takes."""
        horizon, limit, width, depth, activation, key, gamma, lam = rest
        a = self.arrays(builder, learner)
        addresses = self.module.array(builder, cpu.ADDRESSES, table, [LONG(len(fields(self.environment)))])
        lanes, horizon, w, d, act = (builder.zext(x, LONG) for x in (lanes, horizon, width, depth, activation))
        bounds, blocks, episodes = (self.group(builder, a, names) for names in (self.bounds, BLOCKS, EPISODES))
        network = (self.inputs, w, d, self.outputs, act)
        hands = (a[name] for name in HANDS)
        shape = (addresses, lanes, horizon, limit, a["parameters"], *network)
        return [*shape, bounds, key, gamma, lam, blocks, episodes, *hands]

    def add_rollout(self) -> None:
        """Export `rollout`."""
        environment, policy = self.environment, self.policy
        lane = drivers.lane_functions(environment)
        names = {"BLOCK": block_lanes(environment), **cpu.intrinsics(environment), **lane}
        part = drivers.bind(drivers.step_together if environment.lane_major else drivers.step_apart, 0, **names)
        acting = {"choose": policy.choose, "hand_over": policy.hand_over}
        tile = drivers.bind(rollouts.tile_rollout, 0, see=names["see"], part=part, **acting)
        long, single, kinds = types.int64, types.float32, self.kinds
        shape = (cpu.ADDRESSES, types.intp, long, types.int32, kinds["parameters"], *[long] * 5)
        groups = (self.tuple_of(names) for names in (BLOCKS, EPISODES))
        numbers = (types.uint64, single, single)
        signature = (*shape, self.tuple_of(self.bounds), *numbers, *groups, *(kinds[name] for name in HANDS))
        driver = drivers.bind(rollouts.rollout, 0, tile_rollout=tile)
        parameters = [*[INT] * 8, LONG, FLOAT, FLOAT]
        self.module.export("rollout", roll, {"rollout": driver}, signature, parameters, self.rollout_arguments)

    def learn_arguments(self, builder: Any, lanes: Any, learner: Any, *rest: Any) -> list[Any]:
        """Return what `train` takes."""
        *shape, epochs, minibatches = (builder.zext(x, LONG) for x in (lanes, *rest[:6]))
        numbers, steps = rest[6:-1], builder.zext(rest[-1], LONG)
        lanes, horizon, w, d, act = shape
        a = self.arrays(builder, learner)
        tile_count = builder.udiv(builder.add(lanes, LONG(tiles.LANES - 1)), LONG(tiles.LANES))
        count, padded = builder.mul(tile_count, horizon), builder.mul(tile_count, LONG(tiles.LANES))
        order = self.array(builder, learner, "order", ORDERS, epochs, count)
        shifts = self.array(builder, learner, "shifts", SHIFTS, epochs, padded)
        network = (self.inputs, w, d, self.outputs, act)
        last = (a["mean"], a["square"], steps, *(a[name] for name in LAST))
        first = (order, shifts, minibatches, horizon, lanes, a["parameters"])
        groups = (self.group(builder, a, names) for names in (BLOCKS, MOMENTS))
        return [*first, *network, *groups, *numbers, *last]

    def add_learn(self) -> None:
        """Export `learn`."""
        judging = {name: getattr(self.policy, name) for name in ("judge", "slopes", "PARAMETERS")}
        share = drivers.bind(update.share_gradient, 0, **judging)
        driver = drivers.bind(update.learn, 0, share_gradient=share, PARAMETERS=self.policy.PARAMETERS)
        long, kinds = types.int64, self.kinds
        shape = (
            ORDERS,
            SHIFTS,
            long,
            long,
            long,
            kinds["parameters"],
            *[long] * 5,
            *map(self.tuple_of, (BLOCKS, MOMENTS)),
        )
        numbers = (*[types.float32] * 5, *[types.float64] * 5)
        signature = (*shape, *numbers, kinds["mean"], kinds["square"], long, *(kinds[name] for name in LAST))
        parameters = [INT] * 8 + [FLOAT] * 5 + [DOUBLE] * 5 + [INT]
        self.module.export("learn", train, {"learn": driver}, signature, parameters, self.learn_arguments)


def learner_object(environment: Environment) -> bytes:
    """Emit what steps `environment`, and what trains in it: `rollout` and `learn`, with one thread."""
    matrix.register(matrix.WEBASSEMBLY)
    emitter = _Emitter(environment)
    emitter.add_rollout()
    emitter.add_learn()
    return emitter.module.emit()
