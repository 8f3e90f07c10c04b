"""What users do to vector environments, and environments to them."""

import gc
import os
import signal
import threading
import time

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import workbench as wb
from tests.envs.emulation.guests import Counter, Masked
from tests.envs.emulation.test_lanes import BACKENDS, held
from workbench.data import RolloutSource
from workbench.envs import make
from workbench.errors import EnvironmentFaultError, InputError


@pytest.mark.parametrize("backend", BACKENDS)
def test_options_that_change_in_place_or_hold_arrays_arrive(backend):
    env = make(Counter, 2, backend=backend)
    options = {"age": 1, "map": np.zeros(3)}
    assert env.reset(options=options)[0][:, 0].tolist() == [1, 1]
    options["age"] = 3
    assert env.reset(options=options)[0][:, 0].tolist() == [3, 3]
    assert env.reset()[0][:, 0].tolist() == [0, 0]
    if backend == "processes":
        with pytest.raises(InputError, match=r"options=.* cannot go to another process"):
            env.reset(options={"age": 2, "lock": threading.Lock()})
        assert env.reset(options=options)[0][:, 0].tolist() == [3, 3]
    env.close()


def test_a_factory_that_cannot_travel_is_refused_and_leaves_nothing():
    lock = threading.Lock()
    before = held()
    for _ in range(3):
        with pytest.raises(InputError, match=r"env=.* cannot go to another process .*choose backend='serial'"):
            make(lambda: Counter() if lock else None, 2, backend="processes")
    assert held() == before


@pytest.mark.parametrize("backend", ["serial", "threads"])
def test_a_factory_must_make_a_new_one_every_time(backend):
    only = Counter()
    with pytest.raises(InputError, match="env made the same environment twice"):
        make(lambda: only, 3, backend=backend)


class Closing(Counter):
    """Counts how many were closed; some raise when they are."""

    closed = 0

    def __init__(self, fails=False):
        super().__init__()
        self.fails = fails

    def step(self, action):
        if self.fails:
            raise ArithmeticError("the pole broke")
        return super().step(action)

    def close(self):
        Closing.closed += 1
        if self.fails:
            raise OSError("close failed")


@pytest.mark.parametrize("backend", ["serial", "threads"])
def test_an_error_in_close_hides_no_other(backend):
    env = make(lambda: Closing(fails=True), 3, backend=backend)
    env.reset()
    Closing.closed = 0
    with pytest.raises(EnvironmentFaultError, match=r"lane [012] .*ArithmeticError: the pole broke"):
        env.step(np.zeros(3, int))
    assert Closing.closed == 3
    env = make(lambda: Closing(fails=True), 3, backend=backend)
    with pytest.raises(OSError, match="close failed"):
        env.close()
    assert Closing.closed == 6


def test_what_was_built_is_closed_where_another_cannot_be():
    built = []

    def build():
        if len(built) == 3:
            raise ConnectionError("no more")
        built.append(Closing())
        return built[-1]

    Closing.closed = 0
    with pytest.raises(EnvironmentFaultError, match="ConnectionError: no more"):
        make(build, 5)
    assert Closing.closed == 3


class Talker(Counter):
    """Loses its simulator, as sockets and pipes tell it."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def step(self, action):
        raise self.error("the simulator is gone")


@pytest.mark.parametrize("error", [EOFError, BrokenPipeError, ConnectionResetError])
def test_a_lost_simulator_is_no_lost_parent(error):
    env = make(Talker, 2, backend="processes", error=error)
    env.reset()
    with pytest.raises(EnvironmentFaultError, match=f"{error.__name__}: the simulator is gone") as caught:
        env.step([0, 0])
    assert "guests.py" in str(caught.value) or "test_rough_use.py" in str(caught.value)


class Fickle(Counter):
    """Observes more in another process."""

    def __init__(self, parent):
        super().__init__()
        self.size = 2 if os.getpid() == parent else 400
        self.observation_space = spaces.Box(-1, 2**31, (self.size,), np.float64)

    def reset(self, *, seed=None, options=None):
        return np.zeros(self.size), {}


def test_spaces_that_differ_between_processes_are_refused():
    with pytest.raises(EnvironmentFaultError, match="env has other spaces in this process than in the one that asked"):
        make(Fickle, 2, backend="processes", parent=os.getpid())


class Slow(Counter):
    """Takes a tenth of a second a step."""

    def step(self, action):
        time.sleep(0.1)
        return super().step(action)


@pytest.mark.parametrize("batch", [8, 4])
def test_a_timeout_is_that_of_one_step_and_not_of_a_worker(batch):
    env = make(Slow, 8, backend="processes", workers=1, timeout=0.4, batch=batch)
    env.reset()
    for _ in range(3):
        env.step(np.zeros(batch, int))
    assert env.steps == 3
    env.close()


@pytest.fixture
def interrupts():
    """Let SIGINT interrupt: a shell's background jobs are started so that it does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupted(Counter):
    """Interrupts itself once, in its second step."""

    armed = True

    def step(self, action):
        if self.age == 1 and Interrupted.armed:
            Interrupted.armed = False
            signal.raise_signal(signal.SIGINT)
        return super().step(action)


@pytest.mark.parametrize("batch", [3, 2])
def test_after_an_interrupt_a_reset_goes_on(batch, interrupts):
    Interrupted.armed = True
    env = make(Interrupted, 3, batch=batch)
    env.reset()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(4):
            env.step(np.zeros(batch, int))
    with pytest.raises(InputError, match="was not reset, or interrupted in a step; call reset first"):
        env.step(np.zeros(batch, int))
    for _ in range(2):
        assert env.reset()[0].shape == (batch, 2)
        for _ in range(6):
            env.step(np.zeros(batch, int))
    env.close()


def test_an_interrupt_while_processes_step_loses_no_step(interrupts):
    env = make(Slow, 2, backend="processes")
    env.share(5)
    env.reset()
    timer = threading.Timer(0.03, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    timer.start()
    env.send([0, 0])
    with pytest.raises(KeyboardInterrupt):
        env.recv()
    assert env.recv()[0][:, 0].tolist() == [1, 1]
    assert env.step([0, 0])[0][:, 0].tolist() == [2, 2]
    env.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_lanes_step_after_a_reset_only_and_know_their_number(backend):
    env = make(Counter, 3, backend=backend)
    with pytest.raises(InputError, match="was not reset"):
        env.step([0, 0, 0])
    env.share(4)
    _, infos = env.reset()
    for _ in range(5):
        assert infos["lane"].tolist() == [0, 1, 2]
        *_, infos = env.step([0, 0, 0])
    with pytest.raises(InputError, match="all lanes step at once; leave it out, or make it with batch"):
        env.send([0, 0], lanes=[0, 1])
    env.close()


class LateMask(Masked):
    """Brings its first mask with a step."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed, options=options)[0], {}


def test_a_mask_that_comes_late_is_a_fault():
    env = make(LateMask, 1)
    env.reset()
    with pytest.raises(
        EnvironmentFaultError, match="action_mask comes with a step, and none came with the first reset"
    ):
        env.step([1])


class Reused(Counter):
    """Returns one array as its reward and one as its flag, and clears them in `reset`."""

    def __init__(self):
        super().__init__()
        self.kept, self.over = np.zeros(1), np.zeros(1, bool)

    def reset(self, *, seed=None, options=None):
        self.kept[:], self.over[:] = 0, False
        return super().reset(seed=seed, options=options)

    def step(self, action):
        observation, _, _, _, info = super().step(action)
        self.kept[:], self.over[:] = self.age, self.age > 3
        return observation, self.kept, self.over, False, info


def test_what_an_environment_uses_again_is_read_at_once():
    env = make(Reused, 1)
    env.reset()
    for step in range(8):
        env.step([0])
        assert env.reward[0] == step % 4 + 1
        assert env.terminated[0] == (step % 4 == 3)


class Mixed(gymnasium.Env):
    """Observes bytes and a number that is none after two steps."""

    observation_space = spaces.Dict({"a": spaces.Box(0, 255, (3,), np.uint8), "b": spaces.Box(-1, 1, (2,))})
    action_space = spaces.Discrete(2)

    def _see(self):
        numbers = np.array([0, np.nan if self.age > 2 else 0], np.float32)
        return {"a": np.zeros(3, np.uint8), "b": numbers}

    def reset(self, *, seed=None, options=None):
        self.age = 0
        return self._see(), {}

    def step(self, action):
        self.age += 1
        return self._see(), 0.0, False, False, {}


def test_a_number_that_is_none_is_found_among_bytes():
    env = make(Mixed, 2)
    algorithm = wb.PPO(horizon=6)
    trainer = wb.Trainer(env, algorithm)
    with pytest.raises(EnvironmentFaultError, match=r"observation of lane 0 is .*nan.* at step 3 of"):
        RolloutSource(env, 6, torch.device("cpu"), seed=0).collect(algorithm.act)
    trainer.close()


def test_a_fork_that_ends_does_not_end_the_workers():
    env = make(Counter, 2, backend="processes")
    env.reset()
    child = os.fork()
    if child == 0:
        try:
            del env
            gc.collect()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert env.step([0, 0])[0][:, 0].tolist() == [1, 1]
    env.close()


def test_closing_from_another_thread_ends_a_wait():
    env = make(Slow, 2, backend="threads", workers=1)
    env.reset()
    env.send([0, 0])
    threading.Timer(0.02, env.close).start()
    with pytest.raises((EnvironmentFaultError, InputError), match="closed"):
        for _ in range(100):
            env.recv()
            env.send([0, 0])
