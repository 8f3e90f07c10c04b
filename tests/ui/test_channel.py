"""The control channel: whoever has the token steers, nobody else does, and nothing that arrives harms the trainer."""

import gc
import json
import os
import socket
import stat
import subprocess
import sys
import threading

import pytest
from faketrainer import FakeTrainer

from workbench.errors import InputError, RunDirectoryError
from workbench.ui import channel as module
from workbench.ui.channel import Channel, Door
from workbench.ui.steering import FILE, LONGEST, SteeringError, ask, listens


def listen(trainer, run_dir, control):
    """Open the door of a trainer; return the function that closes it."""
    trainer.run_dir = run_dir
    door = Door(control)
    door.open(trainer)
    return door.close


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "workbench-control"]


@pytest.fixture
def steered(trainer, tmp_path):
    """A trainer that works and its folder; at the end nothing of the channel is left."""
    close = listen(trainer, tmp_path, "loopback")
    trainer.start(10**12)
    yield trainer, tmp_path
    trainer.stop()
    trainer.wait(10)
    close()
    assert not (tmp_path / FILE).exists()
    assert threads() == []


def address(run_dir):
    where = json.loads((run_dir / FILE).read_text())
    return where["host"], where["port"], where["token"]


class Raw:
    """A client that says what it likes."""

    def __init__(self, run_dir):
        host, port, self.token = address(run_dir)
        self.stream = socket.create_connection((host, port), 10)
        self.file = self.stream.makefile("rb")

    def say(self, text):
        self.stream.sendall(text)

    def line(self):
        return self.file.readline()

    def reply(self):
        return json.loads(self.line())

    def closed(self):
        """Wait until the other side hangs up."""
        try:
            return self.file.read() == b""
        except ConnectionResetError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.stream.close()


def with_token(run_dir, **message):
    return json.dumps({**message, "token": address(run_dir)[2]}).encode() + b"\n"


def test_a_client_steers_as_the_panel_does(steered):
    trainer, run_dir = steered
    assert ask(run_dir, {"kind": "pause"})["accepted"]
    assert trainer.status == "paused"
    reply = ask(run_dir, {"kind": "set", "name": "clip", "value": "0.3"})
    assert (reply["accepted"], reply["notice"], reply["state"]["values"]["clip"]) == (True, None, 0.3)
    assert trainer.algorithm.clip == 0.3
    assert ask(run_dir, {"kind": "resume"})["state"]["status"] == "running"
    assert ask(run_dir, {"kind": "stop"})["accepted"]
    trainer.wait(10)
    assert trainer.status == "stopped"


def test_a_look_changes_nothing_and_says_what_may_be_changed(steered):
    _, run_dir = steered
    ask(run_dir, {"kind": "pause"})
    reply = ask(run_dir, {"kind": "look"})
    assert (reply["accepted"], reply["state"]["status"]) == (True, "paused")
    names = ["learning_rate", "clip", "entropy_coefficient", "epochs", "anneal", "advantage"]
    assert [each["name"] for each in reply["settings"]] == names == list(reply["state"]["values"])


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        ({"kind": "set", "name": "clip", "value": 3}, "PPO.clip=3 is out of range; choose a value from 0 to 1."),
        ({"kind": "set", "name": "clip"}, "PPO.clip=None is not of type float; pass a float."),
        ({"kind": "set", "name": ["clip"], "value": 0}, "is not live; change one of: learning_rate, clip"),
        ({"kind": "set", "name": "horizon", "value": 1}, "PPO.horizon is not live; change one of: learning_rate, clip"),
        ({"kind": "dance"}, "message kind='dance' is unknown; send one of: start, pause"),
        ({"kind": {}}, "message kind={} is unknown"),
        ({}, "message kind=None is unknown"),
    ],
)
def test_what_is_refused_is_answered_with_the_reason(steered, message, notice):
    _, run_dir = steered
    reply = ask(run_dir, message)
    assert not reply["accepted"]
    assert notice in reply["notice"]


def test_what_a_trainer_raises_of_its_own_is_a_reason_too(steered, caplog):
    trainer, run_dir = steered

    def broken():
        raise RuntimeError("the lever is stuck")

    trainer.pause = broken
    assert ask(run_dir, {"kind": "pause"})["notice"] == "RuntimeError: the lever is stuck"
    assert ask(run_dir, {"kind": "look"})["accepted"]


def test_a_reply_that_cannot_be_made_does_not_deafen_the_channel(steered, monkeypatch, caplog):
    _, run_dir = steered

    def broken(*_):
        raise RuntimeError("no state")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(module, "snapshot", broken)
        assert ask(run_dir, {"kind": "look"}) == {"accepted": False, "notice": "RuntimeError: no state"}
    assert ask(run_dir, {"kind": "look"})["accepted"]


def test_the_file_is_for_the_users_eyes_alone(steered):
    _, run_dir = steered
    assert stat.S_IMODE((run_dir / FILE).stat().st_mode) == 0o600
    assert [path.name for path in run_dir.iterdir()] == [FILE]
    assert address(run_dir)[0] == "127.0.0.1"


@pytest.mark.parametrize("token", ["wrong", "", "ä", None, 7, ["x"], "\ud800"])
def test_without_the_token_nothing_is_done(steered, token):
    trainer, run_dir = steered
    with Raw(run_dir) as raw:
        raw.say(json.dumps({"kind": "stop", "token": token}).encode() + b"\n" + with_token(run_dir, kind="pause"))
        assert raw.reply() == {"accepted": False, "notice": f"the token is not the one in {FILE} of the run directory."}
        assert raw.closed()
    with Raw(run_dir) as raw:
        raw.say(b'{"kind": "stop"}\n')
        assert "token" in raw.reply()["notice"]
    assert trainer.status == "running"


def test_a_token_is_never_said_twice(tmp_path):
    tokens = set()
    for name in "abc":
        trainer = FakeTrainer()
        (tmp_path / name).mkdir()
        close = listen(trainer, tmp_path / name, "loopback")
        tokens.add(address(tmp_path / name)[2])
        close()
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 43  # 256 bits


GARBAGE = [
    b"\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\xff\xfe\x00\n",
    b"[1, 2]\n",
    b'"pause"\n',
    b"{" * 5000 + b"\n",
    b"[" * 60000 + b"\n",
    b'{"token": ' + b"9" * 5000 + b"}\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_and_forgotten(steered, garbage):
    _, run_dir = steered
    with Raw(run_dir) as raw:
        raw.say(garbage)
        assert not raw.reply()["accepted"]
        assert raw.closed()
    assert ask(run_dir, {"kind": "look"})["accepted"]


def test_an_endless_line_is_cut_off(steered):
    _, run_dir = steered
    with Raw(run_dir) as raw:
        raw.say(b"x" * LONGEST)
        assert raw.reply()["notice"] == "a message has at most 65,536 bytes."
        assert raw.closed()
    with pytest.raises(SteeringError, match=r"has 70,\d+ bytes; send at most 65,536"):
        ask(run_dir, {"kind": "set", "name": "x" * 70_000})


def test_several_messages_may_come_over_one_connection_in_pieces_of_any_size(steered):
    _, run_dir = steered
    with Raw(run_dir) as raw:
        for byte in with_token(run_dir, kind="pause"):
            raw.say(bytes([byte]))
        assert raw.reply()["state"]["status"] == "paused"
        raw.say(with_token(run_dir, kind="set", name="clip", value=0.1) + with_token(run_dir, kind="look"))
        assert [raw.reply()["state"]["values"]["clip"] for _ in range(2)] == [0.1, 0.1]


def test_who_says_nothing_is_cut_off_and_nobody_waits_for_them(steered, monkeypatch):
    _, run_dir = steered
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with Raw(run_dir) as silent, Raw(run_dir) as slow:
        slow.say(b"{")
        assert ask(run_dir, {"kind": "look"})["accepted"]
        assert silent.closed()
        assert slow.closed()


def test_who_hangs_up_in_the_middle_is_forgotten(steered):
    _, run_dir = steered
    for _ in range(2 * module.MOST):
        with Raw(run_dir) as raw:
            raw.say(b'{"kind": ')
            raw.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, do not say goodbye
    assert ask(run_dir, {"kind": "look"})["accepted"]


def test_a_crowd_that_stays_is_turned_away(steered):
    _, run_dir = steered
    crowd = [Raw(run_dir) for _ in range(module.MOST)]
    with Raw(run_dir) as late:
        assert late.closed()
    crowd.pop().__exit__()
    for each in crowd:
        each.say(with_token(run_dir, kind="look"))
        assert each.reply()["accepted"]
        each.__exit__()


def test_two_clients_at_once_are_both_heard(steered):
    trainer, run_dir = steered
    refused = []

    def client(name, values):
        replies = [ask(run_dir, {"kind": "set", "name": name, "value": value}) for value in values]
        refused.extend(reply for reply in replies if not reply["accepted"])

    clients = [
        threading.Thread(target=client, args=("clip", [k / 50 for k in range(50)])),
        threading.Thread(target=client, args=("epochs", range(1, 33))),
    ]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert (refused, trainer.algorithm.clip, trainer.algorithm.epochs) == ([], 0.98, 32)


def test_the_thread_sleeps_without_a_clock_while_nobody_is_there(trainer, tmp_path, monkeypatch, eventually):
    waits = []
    patience = Channel._patience
    monkeypatch.setattr(Channel, "_patience", lambda self: waits.append(patience(self)) or waits[-1])
    close = listen(trainer, tmp_path, "loopback")
    eventually(lambda: waits == [None], "the first wait")
    ask(tmp_path, {"kind": "look"})
    eventually(lambda: waits[-1] is None, "the client to be forgotten")
    assert 0 < max(each for each in waits if each is not None) <= module.PATIENCE
    close()


def test_a_trainer_that_is_gone_takes_its_channel_along(tmp_path, eventually):
    trainer = FakeTrainer()
    listen(trainer, tmp_path, "loopback")
    assert listens(tmp_path)
    del trainer
    gc.collect()
    assert not listens(tmp_path)
    eventually(lambda: threads() == [], "the thread to end")


def test_closing_twice_and_after_the_folder_went_does_no_harm(trainer, tmp_path):
    close = listen(trainer, tmp_path, "loopback")
    (tmp_path / FILE).unlink()
    close()
    close()
    assert threads() == []


def test_the_next_trainer_of_a_run_keeps_its_own_file(tmp_path):
    first, second = FakeTrainer(), FakeTrainer()
    close_first = listen(first, tmp_path, "loopback")
    close_second = listen(second, tmp_path, "loopback")
    close_first()
    assert ask(tmp_path, {"kind": "set", "name": "clip", "value": 0.5})["accepted"]
    assert (first.algorithm.clip, second.algorithm.clip) == (0.2, 0.5)
    close_second()
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_removed_by_the_next(trainer, tmp_path):
    (tmp_path / f".{FILE}.1").write_text("half")
    close = listen(trainer, tmp_path, "loopback")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    close()


def test_off_is_off(trainer, tmp_path):
    close = listen(trainer, tmp_path, "off")
    assert (list(tmp_path.iterdir()), threads()) == ([], [])
    with pytest.raises(SteeringError, match=r"no trainer of run .* listens: .* control='off'"):
        ask(tmp_path, {"kind": "pause"})
    close()


def test_a_host_that_is_named_is_listened_at(trainer, tmp_path):
    close = listen(trainer, tmp_path, "127.0.0.2")
    assert address(tmp_path)[0] == "127.0.0.2"
    assert ask(tmp_path, {"kind": "look"})["accepted"]
    close()
    with pytest.raises(InputError, match=r"control='203.0.113.7' cannot be listened at \(.*; name a host of this"):
        listen(trainer, tmp_path, "203.0.113.7")
    assert (list(tmp_path.iterdir()), threads()) == ([], [])


def test_every_interface_is_announced_by_the_machines_name(trainer, tmp_path):
    close = listen(trainer, tmp_path, "0.0.0.0")
    assert address(tmp_path)[0] == socket.gethostname()
    close()


def test_without_loopback_training_goes_on_unheard(trainer, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.warns(UserWarning, match="nobody can steer this training from outside"):
        listen(trainer, tmp_path, "loopback")()


def test_a_folder_that_cannot_be_written_is_named(trainer, tmp_path):
    with pytest.raises(RunDirectoryError, match=r"run_dir='.*gone' cannot be written"):
        listen(trainer, tmp_path / "gone", "loopback")
    assert threads() == []


@pytest.mark.parametrize("control", ["", "my host", None, True, 8080])
def test_what_is_no_host_is_refused(control):
    with pytest.raises(InputError, match=r"control=.* is unknown; choose 'loopback', 'off'"):
        Door(control)


# What a trainer that is no more left behind.


def left(tmp_path, **changes):
    content = {"host": "127.0.0.1", "port": 9, "token": "t", "pid": os.getpid(), "machine": socket.gethostname()}
    (tmp_path / FILE).write_text(json.dumps(content | changes))
    return tmp_path


def test_a_process_that_is_no_more_is_recognised(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    run_dir = left(tmp_path, pid=ended.pid)
    assert not listens(run_dir)
    with pytest.raises(SteeringError, match=rf"does not listen any more: its process {ended.pid} is no more\. `workb"):
        ask(run_dir, {"kind": "pause"})


def test_a_port_that_is_closed_is_recognised(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        run_dir = left(tmp_path, port=free.getsockname()[1])
    with pytest.raises(SteeringError, match=r"any more: nobody answers at 127.0.0.1:\d+ \(.*refused"):
        ask(run_dir, {"kind": "pause"})


def test_another_machines_loopback_is_not_asked_for_here(tmp_path):
    with pytest.raises(SteeringError, match="listens on 'elsewhere' alone; steer it there, or train with control=HOST"):
        ask(left(tmp_path, machine="elsewhere"), {"kind": "pause"})


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n", b"[]\n"])
def test_somebody_else_at_the_port_is_recognised(tmp_path, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            stream, _ = server.accept()
            with stream:
                stream.recv(1000)
                stream.sendall(answer)

        other = threading.Thread(target=serve)
        other.start()
        with pytest.raises(SteeringError, match="does not listen any more"):
            ask(left(tmp_path, port=server.getsockname()[1]), {"kind": "pause"})
        other.join()


def test_a_trainer_that_does_not_answer_is_not_waited_for_forever(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        run_dir = left(tmp_path, port=server.getsockname()[1])
        with pytest.raises(SteeringError, match=r"has not answered within 0.05 s"):
            ask(run_dir, {"kind": "pause"}, timeout=0.05)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"host": 1, "port": 2, "token": 3, "pid": 4}'])
def test_a_file_that_is_damaged_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SteeringError, match=rf"{FILE}' (cannot be read|names no address)"):
        ask(tmp_path, {"kind": "pause"})
