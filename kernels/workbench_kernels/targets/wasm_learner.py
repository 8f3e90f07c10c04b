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
EPISODES = ("running_return", "running_length", "finished_return", "finished_length", "finished_step", "finished")
BOUNDS = ("centre", "half", "low", "high")
HANDS = ("team", "work", "waiting")
LAST = ("gradient", "sums", "team", "work", "picked", "picked_action")
"""Arrays in the order in which the drivers take them."""

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
    order, shifts, size, horizon, lanes, parameters, inputs, width, depth, outputs, activation, blocks, clip, bonus,
    worth, rate, beta_1, beta_2, epsilon, norm, mean, square, steps, gradient, sums, team, work, picked, picked_action,
):  # fmt: skip
    """Learn from what `roll` remembered."""
    for counter in range(3):
        team[counter] = 0
    network, settings = (inputs, width, depth, outputs, activation), (clip, bonus, worth)
    learn(
        True, order, shifts, size, horizon, lanes, parameters, network, blocks, settings,
        (rate, beta_1, beta_2, epsilon, norm), mean, square, steps, gradient, sums, team, work, picked, picked_action,
    )  # fmt: skip


def learner_object(environment: Environment) -> bytes:
    """Emit what steps `environment`, and what trains in it: `rollout` and `learn`, with one thread."""
    matrix.register(matrix.WEBASSEMBLY)
    module = Module()
    add_environment(module, environment)
    discrete = isinstance(environment.action, Discrete)
    policy = categorical if discrete else normal
    inputs = environment.observation.size
    outputs = 1 + (environment.action.n if isinstance(environment.action, Discrete) else environment.action.size)
    dtypes = wasm.LEARNING | ({} if discrete else {"action": "float32", "picked_action": "float32"})
    kinds = {name: types.Array(from_dtype(np.dtype(dtype)), 1, "C") for name, dtype in dtypes.items()}
    orders, shifts = (types.Array(kind, 2, "C") for kind in (types.int64, types.int32))
    blocks, episodes = (types.Tuple([kinds[name] for name in names]) for names in (BLOCKS, EPISODES))
    bounds = types.Tuple([] if discrete else [kinds[name] for name in BOUNDS])

    def arrays(builder: Any, table: Any) -> dict[str, Any]:
        """Make the arrays of a table; nothing asks for the lengths."""
        found = {}
        for n, (name, kind) in enumerate(kinds.items()):
            place = builder.add(builder.zext(table, LONG), LONG(n * wasm.ADDRESS))
            address = builder.load(builder.inttoptr(place, LONG.as_pointer()))
            found[name] = module.array(builder, kind, address, [LONG(2**31 - 1)])
        return found

    def rollout_arguments(builder: Any, table: Any, lanes: Any, learner: Any, *rest: Any) -> list[Any]:
        horizon, limit, width, depth, activation, key, gamma, lam = rest
        a = arrays(builder, learner)
        addresses = module.array(builder, cpu.ADDRESSES, table, [LONG(len(fields(environment)))])
        longs = (builder.zext(x, LONG) for x in (width, depth, activation))
        w, d, act = longs
        groups = [
            module.context.make_tuple(builder, kind, [a[name] for name in names])
            for kind, names in ((bounds, () if discrete else BOUNDS), (blocks, BLOCKS), (episodes, EPISODES))
        ]
        shape = (builder.zext(horizon, LONG), limit, a["parameters"], LONG(inputs), w, d, LONG(outputs), act)
        return [
            addresses,
            builder.zext(lanes, LONG),
            *shape,
            groups[0],
            key,
            gamma,
            lam,
            *groups[1:],
            *(a[n] for n in HANDS),
        ]

    def learn_arguments(builder: Any, lanes: Any, learner: Any, *rest: Any) -> list[Any]:
        horizon, width, depth, activation, epochs, size, *numbers, steps = rest
        a = arrays(builder, learner)
        lanes, horizon, w, d, act, epochs, size, steps = (
            builder.zext(x, LONG) for x in (lanes, horizon, width, depth, activation, epochs, size, steps)
        )
        tiles_ = builder.udiv(builder.add(lanes, LONG(tiles.LANES - 1)), LONG(tiles.LANES))
        count = builder.mul(tiles_, horizon)

        def rows(name: str, kind: Any, columns: Any) -> Any:
            place = builder.add(builder.zext(learner, LONG), LONG([*kinds].index(name) * wasm.ADDRESS))
            address = builder.load(builder.inttoptr(place, LONG.as_pointer()))
            return module.array(builder, kind, address, [epochs, columns])

        padded = builder.mul(tiles_, LONG(tiles.LANES))
        order = (rows("order", orders, count), rows("shifts", shifts, padded))
        group = module.context.make_tuple(builder, blocks, [a[name] for name in BLOCKS])
        shape = (LONG(inputs), w, d, LONG(outputs), act)
        more = (a[n] for n in ("mean", "square"))
        last = (a[n] for n in LAST)
        return [*order, size, horizon, lanes, a["parameters"], *shape, group, *numbers, *more, steps, *last]

    names = {"BLOCK": block_lanes(environment), **cpu.intrinsics(environment), **drivers.lane_functions(environment)}
    part = drivers.bind(drivers.step_together if environment.lane_major else drivers.step_apart, 0, **names)
    acting = {"choose": policy.choose, "hand_over": policy.hand_over}
    tile = drivers.bind(rollouts.tile_rollout, 0, see=names["see"], part=part, **acting)
    long, single, double = types.int64, types.float32, types.float64
    signature = (
        cpu.ADDRESSES, types.intp, long, types.int32, kinds["parameters"], *[long] * 5, bounds, types.uint64, single,
        single, blocks, episodes, *(kinds[n] for n in HANDS),
    )  # fmt: skip
    parameters = [INT, INT, INT, INT, INT, INT, INT, INT, LONG, FLOAT, FLOAT]
    driver = drivers.bind(rollouts.rollout, 0, tile_rollout=tile)
    module.export("rollout", roll, {"rollout": driver}, signature, parameters, rollout_arguments)
    judging = {name: getattr(policy, name) for name in ("judge", "slopes", "PARAMETERS")}
    share = drivers.bind(update.share_gradient, 0, **judging)
    driver = drivers.bind(update.learn, 0, share_gradient=share, PARAMETERS=policy.PARAMETERS)
    signature = (
        orders, shifts, long, long, long, kinds["parameters"], *[long] * 5, blocks, *[single] * 3, *[double] * 5,
        kinds["mean"], kinds["square"], long, *(kinds[n] for n in LAST),
    )  # fmt: skip
    parameters = [INT] * 8 + [FLOAT] * 3 + [DOUBLE] * 5 + [INT]
    module.export("learn", train, {"learn": driver}, signature, parameters, learn_arguments)
    return module.emit()
