"""A trainer is steered from another process, and leaves nothing behind, however it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

import workbench as wb
from tests.training import trivial
from workbench.cli import main
from workbench.errors import InputError
from workbench.events import Progress
from workbench.ui.steering import FILE, SteeringError, ask, listens

BEGINNING = """
import atexit, os, signal, sys, threading
import workbench as wb
from tests.training import trivial
from workbench.events import Progress
trainer = trivial.trainer(sys.argv[1])
going = threading.Event()

def tell(event):
    if event.steps == 3 * trivial.LANES:
        print("goes on", flush=True)
        going.set()

trainer.on(Progress, tell)
"""


@contextlib.contextmanager
def process(run_dir, code):
    """Run a script that trains; the block begins when training has."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", BEGINNING + code, str(run_dir)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=environment, text=True, **pipes) as ran:
        try:
            assert ran.stdout.readline() == "goes on\n"
            yield ran
        finally:
            ran.kill()


BLOCKING = "trainer.train(10**12)\nprint(trainer.status, trainer.algorithm.learning_rate)\n"


def test_a_training_that_blocks_its_process_is_steered_from_another(tmp_path, capsys):
    run = tmp_path / "run"
    with process(run, BLOCKING) as ran:
        assert main(["steer", str(run), "pause"]) == 0
        assert "state          paused" in capsys.readouterr().out
        paused = ask(run, {"kind": "look"})["state"]["steps"]
        assert main(["steer", str(run), "set", "learning_rate", "0.25", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["state"]["values"] == {"learning_rate": 0.25}
        assert main(["steer", str(run), "resume"]) == 0
        while ask(run, {"kind": "look"})["state"]["steps"] <= paused:
            pass
        assert main(["steer", str(run), "stop"]) == 0
        assert ran.communicate(timeout=60) == ("stopped 0.25\n", "")
    assert wb.read_metrics(run).changes()[-1]["new"] == 0.25
    assert not (run / FILE).exists()


def test_a_killed_trainer_is_recognised_and_the_next_one_listens_again(tmp_path, refused):
    run = tmp_path / "run"
    with process(run, BLOCKING) as ran:
        ran.send_signal(signal.SIGKILL)
        ran.wait(60)
        assert (run / FILE).exists()
        assert not listens(run)
        assert f"does not listen any more: its process {ran.pid} is no more" in refused("steer", str(run), "pause")
    again = trivial.trainer(run, resume="auto")
    again.start(10**12)
    assert ask(run, {"kind": "stop"})["accepted"]
    again.close()
    assert not (run / FILE).exists()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_who_is_asked_to_end_leaves_nothing(tmp_path, sign):
    code = "signal.signal(signal.SIGINT, signal.default_int_handler)\n" + BLOCKING
    with process(tmp_path / "run", code) as ran:
        ran.send_signal(sign)
        ran.wait(60)
    assert not (tmp_path / "run" / FILE).exists()


def test_the_end_of_python_leaves_nothing(tmp_path):
    with process(tmp_path / "run", "trainer.start(10**12)\nsys.stdin.read()\n") as ran:
        ran.stdin.close()
        assert ran.wait(60) == 0
    assert not (tmp_path / "run" / FILE).exists()


FORKED = """
trainer.start(10**12)
going.wait()
reads, writes = os.pipe()
child = os.fork()
if child == 0:
    os.close(writes)
    os.read(reads, 1)  # until the parent is no more
    atexit._run_exitfuncs()  # as multiprocessing's children may
    os._exit(0)
print(child, flush=True)
threading.Event().wait()
"""


def test_a_forked_child_neither_answers_nor_takes_the_file_away(tmp_path):
    run = tmp_path / "run"
    with process(run, FORKED) as ran:
        child = int(ran.stdout.readline())
        assert ask(run, {"kind": "pause"})["accepted"]
        ran.send_signal(signal.SIGKILL)
        ran.wait(60)
        with pytest.raises(SteeringError, match="is no more"):
            ask(run, {"kind": "pause"})
        where = json.loads((run / FILE).read_text())
        (run / FILE).write_text(json.dumps({**where, "pid": os.getpid()}))
        with pytest.raises(SteeringError, match="refused"):  # the port went with the parent
            ask(run, {"kind": "pause"})
        ran.stdout.read()  # until the child has ended too
        assert (run / FILE).exists()
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def test_it_is_steered_before_the_first_step_and_after_the_last(tmp_path):
    trainer = trivial.trainer(tmp_path / "run")
    assert not listens(tmp_path / "run")
    trainer.train(2 * trivial.LANES)
    assert ask(tmp_path / "run", {"kind": "look"})["state"]["status"] == "stopped"
    assert ask(tmp_path / "run", {"kind": "start"})["accepted"]
    assert ask(tmp_path / "run", {"kind": "stop"})["accepted"]
    trainer.wait(60)
    trainer.close()
    assert not listens(tmp_path / "run")


def test_many_steer_while_it_trains(tmp_path):
    trainer = trivial.trainer(tmp_path / "run")
    trainer.start(10**12)
    values = [k / 100 for k in range(100)]
    accepted = []

    def change(value):
        return ask(tmp_path / "run", {"kind": "set", "name": "learning_rate", "value": value})["accepted"]

    def client():
        accepted.extend(map(change, values))

    clients = [threading.Thread(target=client) for _ in range(3)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    trainer.close()
    assert accepted == [True] * 300
    assert trainer.algorithm.learning_rate == 0.99


def test_off_keeps_it_to_itself_and_what_cannot_be_listened_at_begins_no_run(tmp_path, refused):
    trainer = trivial.trainer(tmp_path / "off", control="off")
    running = threading.Event()
    trainer.on(Progress, lambda event: running.set())
    trainer.start(10**12)
    running.wait()
    assert "no trainer of run" in refused("steer", str(tmp_path / "off"), "pause")
    trainer.close()
    with pytest.raises(InputError, match="control='a host' is unknown"):
        trivial.trainer(tmp_path / "bad", control="a host")
    wrong = trivial.trainer(tmp_path / "wrong", control="203.0.113.7")
    for _ in range(2):  # it lets go of its folder
        with pytest.raises(InputError, match=r"control='203\.0\.113\.7' cannot be listened at"):
            wrong.train(10)
    wrong.close()


def test_the_command_says_what_it_lacks(tmp_path, refused):
    assert "set takes a name and a value" in refused("steer", str(tmp_path), "set", "clip")
    assert "'now' is one argument too many" in refused("steer", str(tmp_path), "pause", "now")
    trainer = trivial.trainer(tmp_path / "run")
    trainer.train(trivial.LANES)
    assert "message kind='dance' is unknown" in refused("steer", str(tmp_path / "run"), "dance")
    assert "learning_rate=7.0 is out of range" in refused("steer", str(tmp_path / "run"), "set", "learning_rate", "7")
    trainer.close()
