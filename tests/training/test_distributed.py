"""Several processes that torchrun starts act as one, and go on where they were killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.training import together
from workbench.envs import make
from workbench.errors import InputError
from workbench.processes import ALONE, LaneGenerator, Processes, drawn
from workbench.training import distributed
from workbench.training.habits import Habits
from workbench.training.layout import checkpoints_of, steps_of

NEAR = 1e-6
MUON = 2e-5
"""Muon rounds to bfloat16 on its way: sums in another order may end at its next number."""
JOB = Path(together.__file__)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}


def torchrun(*arguments, options=()):
    command = [*TORCHRUN, *options, str(JOB), *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Runs of two processes."""
    folder = tmp_path_factory.mktemp("two")
    torchrun(folder, *together.CASES, *together.PLANTS, "stopped", "reached", "faulty")
    return folder


@pytest.mark.parametrize("case", together.CASES)
def test_two_processes_equal_one(two, tmp_path, case):
    alone = together.trained(tmp_path, case)
    difference, name = together.farthest(together.newest(tmp_path, case), together.newest(two, case))
    assert difference < (1e-3 if name.endswith("running_return") else MUON if case == "muon" else NEAR), name
    one, other = together.newest(tmp_path, case).scalars, together.newest(two, case).scalars
    for name in ("loop.steps", "loop.iterations", "loop.episodes", "loop.settings"):
        assert one[name] == other[name]
    np.testing.assert_allclose(*(x["loop.recent"]["$deque"] for x in (one, other)), rtol=1e-6)
    rows = [wb.read_metrics(path / case).to_pandas() for path in (tmp_path, two)]
    timed = [name for name in rows[0].columns if "second" in name]
    np.testing.assert_allclose(*(frame.drop(columns=timed) for frame in rows), rtol=1e-3, atol=1e-5)
    assert alone.processes is ALONE


@pytest.mark.parametrize("plant", together.PLANTS)
def test_a_planted_bug_is_seen(two, tmp_path, plant):
    together.trained(tmp_path, "cartpole")
    difference, _ = together.farthest(together.newest(tmp_path, "cartpole"), together.newest(two / plant, "cartpole"))
    assert difference > 100 * NEAR


def test_only_the_first_process_writes_and_one_process_goes_on_with_what_two_began(two, tmp_path):
    description = json.loads((two / "cartpole" / "run.json").read_text())
    assert description["lanes"] == together.LANES
    assert len(wb.read_metrics(two / "cartpole")) == together.ITERATIONS
    whole = together.trained(tmp_path / "whole", "cartpole", 2 * together.STEPS)
    loaded = wb.load(two / "saved" / "cartpole", backend="torch")
    assert (loaded.steps, loaded.env.lanes) == (together.STEPS, together.LANES)
    loaded.train(together.STEPS)
    assert loaded.loop.episodes == whole.loop.episodes
    for name, x in whole.algorithm.model.state_dict().items():
        assert (loaded.algorithm.model.state_dict()[name] - x).abs().max() < NEAR, name


def test_what_one_process_decides_all_do(two, tmp_path):
    assert together.newest(two / "stopped", "cartpole").scalars["loop.steps"] == together.STEPS // 2
    together.reached(tmp_path)
    ends = [together.newest(path / "reached", "cartpole").scalars["loop.steps"] for path in (two, tmp_path)]
    assert ends[0] == ends[1]


def test_each_process_keeps_its_own_evidence(two):
    names = sorted(path.name for path in (two / "faulty" / "cartpole" / "faults").iterdir())
    steps = together.STEPS // together.ITERATIONS
    assert names == [f"{steps:015d}", f"{steps:015d}.1"]


def test_two_processes_go_on_with_what_one_began(tmp_path):
    together.trained(tmp_path / "whole", "cartpole", 2 * together.STEPS)
    together.trained(tmp_path / "parts", "cartpole").close()
    torchrun(tmp_path / "parts", "resume")
    checkpoints = (together.newest(tmp_path / part, "cartpole") for part in ("whole", "parts"))
    assert together.farthest(*checkpoints)[0] < NEAR


def children(process):
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, StopIteration):  # it is over, or no process of the job
            if int((path / "stat").read_text().rpartition(")")[2].split()[1]) == process.pid:
                found[int(rank_of(path.name))] = int(path.name)
    return found


def rank_of(pid):
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(pair.partition(b"=")[2] for pair in pairs if pair.startswith(b"RANK="))


def has_checkpoint(run_dir):
    """Whether there is one beside that of the beginning."""
    return any(steps_of(path) > 0 for path in checkpoints_of(run_dir))


def rows(path):
    return path.read_text().count("\n") if path.exists() else 0


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="tells processes apart by /proc")
def test_a_killed_process_ends_the_job_which_torchrun_restarts_once(tmp_path):
    metrics, log = tmp_path / "cartpole" / "metrics.jsonl", tmp_path / "log"
    command = [*TORCHRUN, "--max-restarts=1", str(JOB), str(tmp_path), "forever"]
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment(), stdout=file, stderr=file)

    def wait(until):
        deadline = time.monotonic() + 120
        while not until():
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, "it hangs"

    try:
        workers = []
        for attempt in range(2):
            before = rows(metrics)
            wait(lambda least=before + 5 + 3 * attempt: rows(metrics) >= least and has_checkpoint(metrics.parent))
            now = children(process)
            assert not set(now.values()) & set(workers)
            workers += now.values()
            os.kill(now[1], signal.SIGKILL)
            if not attempt:
                wait(lambda: "resumed_at" in metrics.read_text())
        assert process.wait(120) != 0
    finally:
        process.kill()
        process.wait()
    assert "Signal 9 (SIGKILL)" in log.read_text()  # what torchrun says of it
    resumed = next(json.loads(line) for line in metrics.read_text().splitlines() if "resumed_at" in line)
    assert resumed["resumed_at"] > 0
    kept = together.newest(tmp_path, "cartpole")
    goal = kept.scalars["loop.steps"]
    together.trained(tmp_path / "whole", "cartpole", goal)
    other = together.newest(tmp_path / "whole", "cartpole")
    assert other.scalars["loop.episodes"] == kept.scalars["loop.episodes"]
    assert torch.equal(
        other.tensors["loop.algorithm.shuffle_generator"], kept.tensors["loop.algorithm.shuffle_generator"]
    )


def test_lanes_of_a_part_are_those_of_the_whole():
    whole = make("CartPole-v1", 6, seed=1)
    parts = [whole.part(0, 2), whole.part(2, 4)]
    for env in (whole, *parts):
        env.reset(seed=7)
    for _ in range(60):
        actions = np.arange(6) % 2
        for env, its in zip((whole, *parts), (actions, actions[:2], actions[2:]), strict=True):
            env.step(its)
        np.testing.assert_array_equal(whole.observation, np.concatenate([part.observation for part in parts]))
    assert (whole.buffers.random[0] > 4).any()  # some episode began anew
    assert not np.array_equal(parts[0].observation, parts[1].observation[:2])
    np.testing.assert_array_equal(whole.part(2, 4).part(1, 1).buffers.random, whole.buffers.random[:, 3:4])


@pytest.mark.parametrize("draw", [torch.rand, torch.randn])
def test_each_process_draws_the_numbers_of_its_lanes(draw):
    whole = draw(6, 3, generator=torch.Generator().manual_seed(5))
    for rank in range(3):
        generator = Processes(rank, 3).generator(torch.device("cpu")).manual_seed(5)
        assert isinstance(generator, LaneGenerator)
        assert torch.equal(drawn(draw, (2, 3), generator, whole), whole[2 * rank : 2 * rank + 2])
    assert torch.equal(drawn(draw, (6, 3), ALONE.generator(torch.device("cpu")).manual_seed(5), whole), whole)


def test_each_transition_is_one_processes_own():
    order = torch.randperm(5 * 6)
    lanes = torch.arange(5 * 6).view(5, 6)
    for rank in range(3):
        own = Processes(rank, 3).own(order, 2)
        mine = lanes[:, 2 * rank : 2 * rank + 2].flatten()
        assert mine[own].tolist() == [x for x in order.tolist() if x % 6 // 2 == rank]


def test_what_several_processes_cannot_do_is_refused():
    two = Processes(1, 2)
    with pytest.raises(InputError, match=r"lanes=5 do not divide among 2 processes; choose a multiple"):
        distributed.share_of(make("CartPole-v1", 5), two)
    with pytest.raises(InputError, match="is not stepped by kernels of one agent"):
        distributed.share_of(make("CartPole-v1", 2, backend="serial"), two)
    for backend in ("native", "asynchronous"):
        with pytest.raises(InputError, match=f"backend='{backend}' is of one process; pass backend='torch'"):
            distributed.check_applies(backend, wb.PPO(), Habits())
    with pytest.raises(InputError, match=r"PPO\.normalise_observation=True wants statistics of all lanes"):
        distributed.check_applies("auto", wb.PPO(normalise_observation=True), Habits())
    with pytest.raises(InputError, match="on_nan='rollback' is of one process"):
        distributed.check_applies("auto", wb.PPO(), Habits(on_nan="rollback"))
    with pytest.raises(InputError, match="torchrun trains PPO, not object"):
        distributed.check_applies("auto", object(), Habits())
    distributed.check_applies("auto", wb.PPO(), Habits())
