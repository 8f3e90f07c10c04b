"""WebAssembly modules against the python target, in wasmtime and in Node: the same bits, step by step."""

import dataclasses
import hashlib
import inspect
import itertools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.batch import Lanes
from tests.kernels.wasm_host import WasmLanes, WasmScans
from workbench_kernels import returns, rng
from workbench_kernels.buffers import Buffers, fields
from workbench_kernels.environment import Environment
from workbench_kernels.envs import ENVIRONMENTS, make
from workbench_kernels.spaces import Box, Discrete
from workbench_kernels.targets import python, wasm

RUNNER = Path(__file__).with_name("wasm_runner.mjs")
STEPS, SEED = 1000, 2**63 + 12345
WRITTEN = [field.name for field in fields(make("CartPole-v1")) if field.name != "action"]
F32X4_MUL, SIMD_MINIMUM = b"\xfd\xe6\x01", 2

ONE = np.float32(1.0)


def ring(size):
    """A game of two agents on a ring: every option of an environment at once, in functions that close over a number."""
    LENGTH = np.int32(size)

    def reset(i, state, random):
        for a in range(2):
            state[a, i] = rng.integer(i, random, LENGTH)

    def step(i, state, action, reward, terminated, random):
        for a in range(2):
            state[a, i] = np.int32((state[a, i] + action[a, i] * state[2, i]) % LENGTH)
        met = state[0, i] == state[1, i]
        for a in range(2):
            reward[a, i] = ONE if met else np.float32(rng.uniform(i, random))
            terminated[a, i] = met

    def observe(i, state, observation):
        for a in range(2):
            for k in range(size):
                observation[a, k, i] = np.uint8(0)
            observation[a, np.uint64(state[a, i]), i] = np.uint8(1)

    def action_mask(i, state, mask):
        for a in range(2):
            for n in range(3):
                mask[a, n, i] = n != 2 or state[a, i] != 0

    def cost(i, state, cost):
        cost[i] = np.float32(abs(state[0, i] - state[1, i]))

    def global_state(i, state, out):
        for a in range(2):
            out[a, i] = np.float32(state[a, i]) / np.float32(size)

    return Environment(
        id=f"Ring{size}-v0",
        state=("first", "second"),
        settings={"stride": 3},
        integer=True,
        observation=Box(0, 1, shape=(size,), dtype="uint8"),
        action=Discrete(3),
        time_limit=20,
        agents=2,
        reset=reset,
        step=step,
        observe=observe,
        action_mask=action_mask,
        cost=cost,
        global_state=global_state,
        global_space=Box(0, 1, shape=(2,)),
    )


RINGS = {"apart": ring(11), "together": dataclasses.replace(ring(11), id="RingTogether-v0", lane_major=True)}
SUITE = {id: make(id) for id in ENVIRONMENTS} | {ring.id: ring for ring in RINGS.values()}
QUICK = {"CartPole-v1", "Pendulum-v1", "MinAtar/Breakout-v1", "workbench/SimpleSpread-v0", "workbench/Connect4-v0"}
QUICK |= {ring.id for ring in RINGS.values()}
"""One of each kind, as a module takes a second or two to compile. The others run with the slow tests."""
every_environment = pytest.mark.parametrize(
    "id", [pytest.param(id, marks=[] if id in QUICK else pytest.mark.slow) for id in SUITE]
)


def lanes_of(environment):
    """More than a vector holds, and no multiple; few where lanes do not share vectors, as the oracle is slow."""
    return 3 if environment.lane_major else 21


def limit_of(environment):
    return min(environment.time_limit, 70)


def actions_of(environment):
    draw = np.random.default_rng(7)
    field = next(field for field in fields(environment) if field.name == "action")
    shape = (STEPS, *field.shape, lanes_of(environment))
    if isinstance(environment.action, Discrete):
        return draw.integers(0, environment.action.n, shape, dtype=np.int32)
    low, high = (float(np.clip(bound, -3, 3).flat[0]) for bound in environment.action.bounds())
    return draw.uniform(low, high, shape).astype(np.float32)


@pytest.fixture(scope="module")
def modules(request):
    """The module of every environment that a test of this run needs, and of the recursions."""
    calls = [getattr(item, "callspec", None) for item in request.session.items if item.path == Path(__file__)]
    wanted = {call.params["id"] for call in calls if call and call.params.get("id") in SUITE} | {"CartPole-v1"}
    built = wasm.build_all([SUITE[id] for id in sorted(wanted)])
    return dict(zip(sorted(wanted), built, strict=True)) | {"returns": wasm.build_returns()}


@every_environment
def test_wasmtime_gives_the_oracles_bits(id, modules):
    environment = SUITE[id]
    lanes, limit = lanes_of(environment), limit_of(environment)
    oracle = Lanes(environment, lanes, target="python", seed=SEED, limit=limit)
    ours = WasmLanes(environment, modules[id], lanes, seed=SEED)
    for t, action in enumerate(actions_of(environment)):
        for name in WRITTEN:
            found, expected = getattr(ours, name), getattr(oracle, name)
            assert found.tobytes("A") == expected.tobytes("A"), f"{name} before step {t}"
        ours.action[...] = action
        ours.step(limit)
        oracle.step(action)


@pytest.fixture(scope="module")
def node(modules, tmp_path_factory):
    """What one process of Node answers to all jobs: digests of every environment, arrays of every recursion."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder = tmp_path_factory.mktemp("node")
    jobs = []
    suite = {id: SUITE[id] for id in modules if id in SUITE}
    for id, environment in suite.items():
        name = wasm.file_name(id)
        (folder / f"{name}.wasm").write_bytes(modules[id])
        (folder / f"{name}.json").write_text(json.dumps(wasm.binding(environment), allow_nan=False))
        (folder / f"{name}.actions").write_bytes(actions_of(environment).tobytes())
        settings = {"lanes": lanes_of(environment), "limit": limit_of(environment), "steps": STEPS, "seed": str(SEED)}
        jobs.append({"task": "digests", "name": name, "compared": WRITTEN, **settings})
    (folder / "returns.wasm").write_bytes(modules["returns"])
    (folder / "returns.json").write_text(json.dumps(wasm.returns_binding(), allow_nan=False))
    for kernel in wasm.SCANS:
        values = dict(zip([each.name for each in wasm.arguments(kernel)], scanned(kernel), strict=True))
        given = {name: np.asarray(value).ravel().tolist() for name, value in values.items()}
        given = {name: value if values[name].ndim else value[0] for name, value in given.items()}
        jobs.append({"task": "scan", "kernel": kernel, "horizon": HORIZON, "lanes": WIDTH, "given": given})
    (folder / "jobs.json").write_text(json.dumps(jobs))
    subprocess.run(["node", str(RUNNER), str(folder), str(wasm.HOST)], check=True)
    answers = json.loads((folder / "answers.json").read_text())
    return dict(zip([*suite, *wasm.SCANS], answers, strict=True))


@every_environment
def test_node_gives_the_oracles_bits(id, modules, node):
    """Through wasmtime, whose bits are the oracle's, as the oracle is slow."""
    environment = SUITE[id]
    ours = WasmLanes(environment, modules[id], lanes_of(environment), seed=SEED)
    expected = [digest(ours)]
    for action in actions_of(environment):
        ours.action[...] = action
        ours.step(limit_of(environment))
        expected.append(digest(ours))
    assert len(node[id]) == STEPS + 1
    wrong = [t for t, (found, wanted) in enumerate(zip(node[id], expected, strict=True)) if found != wanted]
    assert not wrong, f"differs after step {wrong[0]}"


def digest(lanes):
    whole = hashlib.sha256()
    for name in WRITTEN:
        whole.update(getattr(lanes, name).tobytes("A"))
    return whole.hexdigest()[:16]


HORIZON, WIDTH = 23, 37


def scanned(kernel):
    """Draw the arguments of a recursion."""
    draw = np.random.default_rng(5)
    flags = dict(zip(("terminated", "truncated"), draw.random((2, HORIZON, WIDTH)) < 0.1, strict=True))
    flags["ended"] = flags["terminated"] | flags["truncated"]
    numbers = {"gamma": 0.99, "lam": 0.95, "rho_bar": 1.0, "c_bar": 0.9}
    values = []
    for name, dtype, rows, _ in wasm.arguments(kernel):
        if rows is None:
            values.append(np.float32(numbers[name]))
        elif dtype == "bool":
            values.append(flags[name])
        else:
            values.append(draw.normal(size=(HORIZON + rows, WIDTH)).astype(dtype))
    return values


@pytest.fixture(scope="module")
def recursions(modules):
    return WasmScans(modules["returns"])


@pytest.mark.parametrize("kernel", wasm.SCANS)
def test_recursions_give_the_oracles_bits(kernel, recursions, node):
    expected, ours = scanned(kernel), scanned(kernel)
    before = [value.tobytes() for value in expected]
    python.scan(wasm.kernel(kernel), reverse=kernel not in ("n_step", "episodes"))(*expected)
    recursions.run(kernel, *ours)
    changed = 0
    for argument, value, found, old in zip(wasm.arguments(kernel), expected, ours, before, strict=True):
        assert found.tobytes() == value.tobytes(), argument.name
        changed += value.tobytes() != old
        if argument.rows is not None:
            in_node = np.asarray(node[kernel][argument.name]).astype(argument.dtype).reshape(value.shape)
            assert in_node.tobytes() == value.tobytes(), f"{argument.name} in Node"
    assert changed >= 1


def test_every_recursion_is_there():
    own = {name: value for name, value in vars(returns).items() if getattr(value, "__module__", "") == returns.__name__}
    cells = {name for name, value in own.items() if list(inspect.signature(value).parameters)[:2] == ["t", "i"]}
    assert set(wasm.SCANS) == cells
    assert len(cells) >= 6


def test_modules_import_nothing_and_export_what_they_say(modules):
    for id, module in modules.items():
        instance = WasmScans(module)
        assert [*instance.module.imports] == [], id
        names = {export.name for export in instance.module.exports}
        assert names == {"memory", "__heap_base", *(wasm.SCANS if id == "returns" else ("seed", "reset", "step"))}, id


@pytest.mark.parametrize("id", ["CartPole-v1", "returns"])
def test_arithmetic_is_done_on_vectors(id, modules):
    assert modules[id].count(F32X4_MUL) >= SIMD_MINIMUM


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_lanes_are_seeded_as_everywhere(seed, modules):
    environment = SUITE["CartPole-v1"]
    ours, expected = WasmLanes(environment, modules["CartPole-v1"], 5, seed=seed), Buffers(environment, 5)
    rng.seed_lanes(expected.random, seed)
    np.testing.assert_array_equal(ours.random[1:], expected.random[1:])


def test_without_autoreset_an_ended_lane_stays(modules):
    environment = SUITE["CartPole-v1"]
    oracle = Lanes(environment, 5, target="python", limit=3)
    ours = WasmLanes(environment, modules["CartPole-v1"], 5)
    for _ in range(4):
        oracle.step(1, autoreset=False)
        ours.action[...] = 1
        ours.step(3, autoreset=False)
        for name in WRITTEN:
            assert getattr(ours, name).tobytes("A") == getattr(oracle, name).tobytes("A"), name
    assert ours.truncated.all()


@pytest.mark.parametrize("base", [0, 1, 64, 66000])
@pytest.mark.parametrize("lanes", [1, 7, 64])
def test_arrays_stand_apart_on_their_boundaries(base, lanes):
    described = fields(RINGS["together"])
    table, addresses, end = wasm.layout(described, lanes, base)
    spans = [(table, table + 8 * len(described))]
    spans += [(addresses[field.name], addresses[field.name] + field.bytes_per_lane * lanes) for field in described]
    assert [*addresses] == [field.name for field in described]
    assert all(start % 64 == 0 for start, _ in spans)
    assert table >= base
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    assert end == spans[-1][1]


def test_the_binding_says_what_an_environment_is():
    binding = json.loads(json.dumps(wasm.binding(RINGS["apart"]), allow_nan=False))
    assert binding["state"] == ["first", "second", "stride"]
    assert binding["settings"] == {"stride": 3.0}
    assert binding["action"] == {"kind": "discrete", "n": 3}
    assert binding["observation"]["shape"] == [11]
    assert binding["fields"][0] == {"name": "state", "dtype": "int32", "shape": [3], "lane_major": False}
    assert wasm.binding(make("CartPole-v1"))["observation"]["low"][1] is None


def test_a_module_is_compiled_once(modules, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("compiled again")

    monkeypatch.setattr(wasm, "_emit", refuse)
    assert wasm.build(make("CartPole-v1")) == modules["CartPole-v1"]
    with pytest.raises(AssertionError, match="compiled again"):
        wasm.build(ring(12))


def test_a_missing_linker_is_named(monkeypatch):
    monkeypatch.setattr(wasm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(wasm.LinkerError, match=r"pip install 'rl-workbench\[wasm\]'"):
        wasm.build(ring(13))


def exponential(i, state, action, reward, terminated, random):
    state[0, i] = np.exp(state[0, i])


def test_what_webassembly_lacks_is_named():
    environment = dataclasses.replace(make("CartPole-v1"), id="Exponential-v0", step=exponential)
    with pytest.raises(wasm.LinkerError, match=r"Exponential-v0 calls expf, which .*mathematics"):
        wasm.build(environment)


def test_a_source_newer_than_what_was_imported_is_refused(monkeypatch):
    true_key = wasm.key
    monkeypatch.setattr(wasm, "key", lambda environment: true_key(environment) + 1)
    with pytest.raises(RuntimeError, match=r"Ring14-v0:(.|\n)*source changed after its import"):
        wasm.build(ring(14))
