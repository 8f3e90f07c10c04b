"""Training that is ended from outside ends after the present iteration, with everything saved."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

import workbench as wb
from tests.training import trivial
from tests.training.trivial import LANES
from workbench.events import Progress
from workbench.training.interrupts import stop_on_interrupt, stop_on_termination
from workbench.training.layout import checkpoints_of, steps_of

BEFORE = """
import os, signal, sys, threading
from pathlib import Path
import workbench as wb
from workbench.events import Progress
folder = Path(sys.argv[1])
"""


@pytest.fixture(autouse=True)
def interruptible():
    """A shell's background jobs ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def script(code, folder):
    program = [sys.executable, "-c", BEFORE + code, str(folder)]
    return subprocess.run(program, env=environment(), capture_output=True, text=True)


def assert_saved(run_dir):
    """What was trained last has a row and a checkpoint."""
    last = steps_of(checkpoints_of(run_dir)[-1])
    assert last > 0
    assert wb.read_metrics(run_dir).last("steps") == last
    return last


BACKGROUND = """
settings = {"lanes": 64, "checkpoint_seconds": 3600.0}
behind = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), run_dir=folder / "behind", **settings)
running = threading.Event()
behind.on(Progress, lambda event: running.set())
behind.start(10**12)
running.wait()
"""


def test_the_end_of_python_stops_a_background_training(tmp_path):
    done = script(BACKGROUND + "print(behind.backend)", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "native\n", "")
    assert_saved(tmp_path / "behind")


def test_a_scheduler_ends_the_process_after_the_present_iteration(tmp_path):
    before = """
trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), run_dir=folder / "front", backend="torch", **settings)
trainer.on(Progress, lambda event: os.kill(os.getpid(), signal.SIGTERM) if event.steps == 3 * 512 else None)
trainer.train(10**12)
print("not reached")
"""
    done = script(BACKGROUND + before, tmp_path)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, ""), done.stderr
    assert assert_saved(tmp_path / "front") == 3 * 512
    assert_saved(tmp_path / "behind")


COMMAND = """
from workbench.commands.running import follow
trainer = wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=64, run_dir=folder / "run", backend="torch")
trainer.on(Progress, lambda event: os.kill(os.getpid(), signal.SIGTERM) if event.steps == 3 * 512 else None)
follow(trainer, 10**12, None, as_json=False)
print("not reached")
"""


def on_a_terminal(code, folder):
    """Return how a program ends, and what it has shown."""
    leader, follower = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", BEFORE + code, str(folder)], env=environment() | {"TERM": "xterm"}, stdout=follower
    )
    os.close(follower)
    shown = b""
    with os.fdopen(leader, "rb", buffering=0) as terminal, contextlib.suppress(OSError):  # of Linux, at the end
        while piece := terminal.read(1 << 16):
            shown += piece
    return process.wait(60), shown.decode()


def test_a_scheduler_ends_a_command_that_gives_the_terminal_back_and_reports(tmp_path):
    code, shown = on_a_terminal(COMMAND, tmp_path)
    assert code == -signal.SIGTERM
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "go on with: workbench resume" in shown
    assert "not reached" not in shown
    assert assert_saved(tmp_path / "run") == 3 * 512


def interrupt(made, times=1):
    def once(event):
        if event.steps == 4 * LANES:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    made.on(Progress, once)


def test_an_interrupt_stops_with_everything_saved(tmp_path):
    made = trivial.trainer(tmp_path / "run", checkpoint_seconds=3600.0)
    interrupt(made)
    made.train(LANES * 1000)
    assert made.status == "stopped"
    assert assert_saved(made.run_dir) == made.steps == 4 * LANES
    made.train(LANES)
    assert made.steps == 5 * LANES


def test_a_second_interrupt_is_pythons_and_what_was_whole_is_saved_all_the_same(tmp_path):
    made = trivial.trainer(tmp_path / "run", checkpoint_seconds=3600.0)
    interrupt(made, times=2)
    with pytest.raises(KeyboardInterrupt):
        made.train(LANES * 1000)
    assert made.status == "failed"
    assert assert_saved(made.run_dir) == 4 * LANES
    made.train(LANES)
    assert made.status == "stopped"
    assert made.steps == 5 * LANES


def test_a_failure_between_iterations_leaves_a_checkpoint_and_one_within_leaves_the_last(tmp_path):
    made = trivial.trainer(tmp_path / "run", checkpoint_seconds=3600.0)

    def fail(*_):
        raise ZeroDivisionError("mine")

    made.train(2 * LANES)
    made._care.after_iteration, good = fail, made._care.after_iteration
    with pytest.raises(ZeroDivisionError, match="mine"):
        made.train(4 * LANES)
    assert assert_saved(made.run_dir) == made.steps == 3 * LANES
    made._care.after_iteration = good
    made.algorithm.loss = lambda collected: fail() if collected == 6 else 0.5
    made.start(4 * LANES)
    with pytest.raises(ZeroDivisionError, match="mine"):
        made.wait(60)
    assert steps_of(checkpoints_of(made.run_dir)[-1]) == 3 * LANES
    assert wb.read_metrics(made.run_dir).last("steps") == 5 * LANES
    made.algorithm.loss = lambda collected: 0.5
    made.train(LANES)
    assert assert_saved(made.run_dir) == 6 * LANES


def test_handlers_are_given_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stop_on_interrupt(lambda: None), stop_on_termination(lambda: None):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_somebody_elses_handler_of_a_termination_stays(monkeypatch):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        with stop_on_termination(lambda: pytest.fail("not mine")):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [1]
