"""What happens when an environment fails: the error says where, and nothing stays behind."""

import functools
import os
import select
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import workbench as wb
from tests.envs.emulation.guests import Counter, Failing
from tests.envs.emulation.test_lanes import children, held
from workbench.envs import make
from workbench.errors import EnvironmentFaultError, InputError
from workbench.training.layout import checkpoints_of

EXPECTED = {
    "raise": "ArithmeticError: the pole broke",
    "kill": "its process ended with exit code -9",
    "hang": "no answer within timeout=0.5 s",
    "shape": r"observation is float64 \[3\]",
}


@pytest.mark.parametrize(
    ("backend", "how"),
    [
        (b, h)
        for b in ("serial", "threads", "processes")
        for h in EXPECTED
        if b == "processes" or h in ("raise", "shape")
    ],
)
@pytest.mark.parametrize("batch", [4, 2])
def test_a_fault_names_the_lane_the_seed_and_the_step(backend, how, batch):
    make(Counter, 4, backend=backend).close()
    before = held()
    env = make(functools.partial(Failing, how), 4, backend=backend, seed=10, timeout=0.5, batch=batch)
    env.reset()
    with pytest.raises(EnvironmentFaultError) as caught:
        for _ in range(10**6):
            env.step(np.zeros(batch, int))
    text = str(caught.value)
    assert text.startswith("lane 2 (seed 12, step 3) of ")
    assert EXPECTED[how].replace("\\", "") in text
    if how in ("raise", "shape"):
        assert "Traceback (most recent call last)" in text
        assert "guests.py" in text if how == "raise" else "spaces.py" in text
    with pytest.raises(InputError, match="is closed, by close\\(\\) or a fault"):
        env.reset()
    del env, caught
    assert held() == before


def test_a_worker_that_is_killed_from_outside_is_noticed():
    env = make(Counter, 4, backend="processes", workers=2)
    env.reset()
    env._crew._processes[1].kill()
    with pytest.raises(
        EnvironmentFaultError, match=r"worker 1 of .*Counter' failed: its process ended with exit code -9"
    ):
        for _ in range(3):
            env.step(np.zeros(4, int))


class Unbuildable(Counter):
    """Can be built once: by whoever looks at its spaces."""

    built = 0

    def __init__(self):
        Unbuildable.built += 1
        if Unbuildable.built > 1:
            raise ConnectionError("the simulator is busy")
        super().__init__()


@pytest.mark.parametrize("backend", ["serial", "threads"])
def test_a_copy_that_cannot_be_built_is_a_fault(backend):
    Unbuildable.built = 0
    with pytest.raises(EnvironmentFaultError, match="cannot be built: ConnectionError: the simulator is busy"):
        make(Unbuildable, 2, backend=backend)


def only_here(parent):
    if os.getpid() != parent:
        raise ConnectionError("the simulator is busy")
    return Counter()


def test_a_copy_that_a_process_cannot_build_is_a_fault():
    make(Counter, 2, backend="processes").close()
    before = children()
    with pytest.raises(
        EnvironmentFaultError, match="cannot be built: ConnectionError: the simulator is busy"
    ) as caught:
        make(functools.partial(only_here, os.getpid()), 2, backend="processes")
    assert "in only_here" in str(caught.value)
    assert children() == before


def test_the_trainer_keeps_its_last_checkpoint(tmp_path):
    trainer = wb.Trainer(
        Counter,
        wb.PPO(horizon=8),
        lanes=4,
        backend="processes",
        run_dir=tmp_path / "run",
        checkpoint_seconds=0.0,
    )
    trainer.train(64)
    saved = checkpoints_of(tmp_path / "run")[-1]
    trainer.env._crew._processes[0].kill()
    with pytest.raises(EnvironmentFaultError, match="exit code -9"):
        trainer.train(10_000)
    assert trainer.status == "failed"
    assert checkpoints_of(tmp_path / "run")[-1] >= saved
    trainer.close()
    again = wb.load(tmp_path / "run", env=Counter)
    assert again.steps >= 64
    again.train(64)
    again.close()


SCRIPT = """
import gymnasium, numpy, sys
import workbench as wb

class Own(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return numpy.zeros(2, numpy.float32), {}

    def step(self, action):
        return numpy.ones(2, numpy.float32), 1.0, False, False, {}

from workbench.envs import EmulatedVectorEnvironment, source_of
print("once")
env = EmulatedVectorEnvironment(source_of(Own), 2, backend="processes", start_method=sys.argv[1])
env.reset()
print(env.step([0, 1])[1].tolist())
"""


@pytest.mark.parametrize("start_method", ["forkserver", "spawn"])
@pytest.mark.parametrize("stdin", [False, True])
def test_a_script_needs_no_guard_and_may_define_its_environment(tmp_path, start_method, stdin):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, "-" if stdin else str(script), start_method]
    done = subprocess.run(command, capture_output=True, text=True, input=SCRIPT if stdin else None, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["once", "[1.0, 1.0]"]
    assert done.stderr == ""


KILLED = """
import os, signal, sys
import workbench as wb
from tests.envs.emulation.guests import Counter
env = wb.make(Counter, 2, backend="processes")
env.reset()
print(*[process.pid for process in env._crew._processes], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_their_parent_however_it_ends():
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60)
    assert done.returncode == -9
    for pid in map(int, done.stdout.split()):
        try:
            waiting = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        assert select.select([waiting], [], [], 10.0)[0], f"worker {pid} outlived its parent"
        os.close(waiting)
