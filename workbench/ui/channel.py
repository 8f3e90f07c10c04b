"""The control channel: one socket on which other processes steer a trainer, and one thread that waits for them.

What listens, and who may speak: a socket on loopback unless another host was asked for, on a port that the system
chooses; whoever shows the random token that stands in `control.json` of the run directory, which its owner alone can
read. Any other connection gets one refusal and is closed. The thread sleeps in the kernel until somebody connects.
"""

import contextlib
import json
import logging
import os
import secrets
import selectors
import socket
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from workbench.errors import InputError, RunDirectoryError
from workbench.training.interrupts import close_at_termination
from workbench.ui.commands import answer
from workbench.ui.state import checkpoints, recent_speed, settings, snapshot
from workbench.ui.steering import FILE, LONGEST
from workbench.ui.subject import Subject
from workbench.ui.text import failure

LOOPBACK = "loopback"
OFF = "off"
PATIENCE = 5.0
"""Seconds that a connection may be silent."""

MOST = 32
"""Connections at once."""

LOGGER = logging.getLogger(__name__)


class Steerable(Subject, Protocol):
    """A trainer with a run directory."""

    @property
    def run_dir(self) -> Path:
        """The folder that keeps the run."""


class Door:
    """Where other processes may come in: nowhere until it is opened.

    Args:
        control: "loopback", "off", or the host to listen at.

    Raises:
        InputError: If it is none of these.
    """

    def __init__(self, control: str) -> None:
        if not isinstance(control, str) or not control or any(sign.isspace() for sign in control):
            raise InputError(f"control={control!r} is unknown; choose 'loopback', 'off', or name a host to listen at.")
        self._control = control
        self._channel: Channel | None = None
        self._close: Callable[[], object] | None = None

    def open(self, trainer: Steerable) -> None:
        """Let other processes steer `trainer`, which is held weakly, from now on; nothing happens the second time.

        It ends with `close`, when the trainer is collected, and when Python ends.

        Raises:
            InputError: If the host cannot be listened at.
            RunDirectoryError: If `control.json` cannot be written.
        """
        if self._close is not None or self._control == OFF:
            return
        try:
            listening = _bound("127.0.0.1" if self._control == LOOPBACK else self._control)
        except InputError as error:
            if self._control != LOOPBACK:
                raise
            warnings.warn(f"nobody can steer this training from outside: {error}", stacklevel=4)
            return
        run_dir = trainer.run_dir
        try:
            channel = self._channel = Channel(trainer, run_dir, listening)
        except OSError as error:
            raise RunDirectoryError(f"run_dir={str(run_dir)!r} cannot be written: {error}; choose another.") from error
        close_at_termination(channel)
        self._close = weakref.finalize(trainer, channel.close)

    def move(self, run_dir: Path) -> None:
        """Say in another run directory where to come in, and no longer in the one before: the run goes on there."""
        if self._channel is not None:
            self._channel.move(run_dir)

    def close(self) -> None:
        """Listen no more."""
        if self._close is not None:
            self._close()


class Connection:
    """One client: what it sent so far, and when it has been silent for too long."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream, self.received = stream, b""
        self.deadline = time.monotonic() + PATIENCE


class Channel:
    """Listens for a trainer, on a socket that is bound; see `Door`."""

    def __init__(self, trainer: Subject, run_dir: Path, listening: socket.socket) -> None:
        self._trainer = weakref.ref(trainer)
        self._socket = listening
        self._token = secrets.token_urlsafe(32)
        self._path, self._pid = run_dir / FILE, os.getpid()
        self._connections: dict[int, Connection] = {}
        self._closing, self._bell = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._closing, selectors.EVENT_READ)
        self._closed = threading.Event()
        try:
            self._announce()
        except BaseException:
            self._release()
            raise
        _open.add(self)
        self._thread = threading.Thread(target=self._run, name="workbench-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more, and take `control.json` away."""
        if self._closed.is_set() or os.getpid() != self._pid:
            return
        self._closed.set()
        self._withdraw()
        with contextlib.suppress(OSError):  # the thread may have seen it already
            self._bell.send(b"\0")
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def move(self, run_dir: Path) -> None:
        """Write `control.json` into another run directory, and take it away where it was."""
        if not self._closed.is_set():
            self._withdraw()
            self._path = run_dir / FILE
            self._announce()

    def abandon(self) -> None:
        """Let go of the sockets in a forked child, where nobody serves them: the parent's stay as they are."""
        self._closed.set()
        self._release()

    def _announce(self) -> None:
        """Write where to find this channel, as a whole or not at all, for the eyes of the user alone."""
        for left in self._path.parent.glob(f".{FILE}.*"):  # by a kill
            left.unlink(missing_ok=True)
        address, port = self._socket.getsockname()[:2]
        machine = socket.gethostname()
        content = {
            "host": machine if address in ("0.0.0.0", "::") else address,
            "port": port,
            "token": self._token,
            "pid": self._pid,
            "machine": machine,
        }
        temporary = self._path.with_name(f".{FILE}.{self._pid}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        temporary.replace(self._path)

    def _withdraw(self) -> None:
        """Remove `control.json`, unless another trainer has written its own there."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            if json.loads(self._path.read_bytes())["token"] == self._token:
                self._path.unlink()

    def _run(self) -> None:
        while not self._closed.is_set():
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._socket:
                    self._accept()
                elif key.fileobj is not self._closing:
                    self._hear(self._connections[key.fd])
            now = time.monotonic()
            for each in [each for each in self._connections.values() if each.deadline <= now]:
                self._drop(each)
        self._release()

    def _patience(self) -> float | None:
        """Return the seconds until somebody has been silent for too long; None while nobody is there."""
        if not self._connections:
            return None
        return max(0.0, min(each.deadline for each in self._connections.values()) - time.monotonic())

    def _accept(self) -> None:
        try:
            stream, _ = self._socket.accept()
        except OSError:  # whoever it was has gone, or there are no descriptors left
            return
        if len(self._connections) >= MOST:
            stream.close()
            return
        stream.setblocking(False)
        self._connections[stream.fileno()] = Connection(stream)
        self._selector.register(stream, selectors.EVENT_READ)

    def _hear(self, connection: Connection) -> None:
        """Take in what arrived; answer every line that is complete."""
        try:
            piece = connection.stream.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        connection.received += piece
        while b"\n" in connection.received[:LONGEST]:
            line, _, connection.received = connection.received.partition(b"\n")
            if not self._answer(connection, line):
                self._drop(connection)
                return
        if len(connection.received) >= LONGEST:
            self._refuse(connection, f"a message has at most {LONGEST:,} bytes.")
            self._drop(connection)
        elif not piece:
            self._drop(connection)

    def _answer(self, connection: Connection, line: bytes) -> bool:
        """Do what one message asks for, and reply; return whether the sender may say more."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return self._refuse(connection, "a message is one JSON object on one line.")
        token = message.pop("token", None)
        if not isinstance(token, str) or not secrets.compare_digest(
            token.encode(errors="replace"), self._token.encode()
        ):
            return self._refuse(connection, f"the token is not the one in {FILE} of the run directory.")
        trainer = self._trainer()
        if trainer is None:
            return self._refuse(connection, "the trainer is gone.")
        try:
            reply = _done(trainer, message)
        except Exception as error:  # this thread serves the next one all the same
            LOGGER.exception("%s could not be answered", message.get("kind"))
            reply = {"accepted": False, "notice": failure(error)}
        connection.deadline = time.monotonic() + PATIENCE
        return self._reply(connection, reply)

    def _refuse(self, connection: Connection, why: str) -> bool:
        self._reply(connection, {"accepted": False, "notice": why})
        return False

    def _reply(self, connection: Connection, content: dict[str, Any]) -> bool:
        """Send one line, which the system takes at once; return whether it did."""
        try:
            connection.stream.sendall(json.dumps(content).encode() + b"\n")
        except OSError:  # the sender has gone, or reads nothing of what it asked for
            return False
        return True

    def _drop(self, connection: Connection) -> None:
        descriptor = connection.stream.fileno()
        self._selector.unregister(connection.stream)
        del self._connections[descriptor]
        connection.stream.close()

    def _release(self) -> None:
        self._selector.close()
        for each in (self._socket, self._closing, self._bell, *(c.stream for c in self._connections.values())):
            each.close()
        self._connections.clear()


def _done(trainer: Subject, message: dict[str, Any]) -> dict[str, Any]:
    """Do what a message asks for; return the reply."""
    look = message.get("kind") == "look"
    accepted, notice = (True, None) if look else answer(trainer, message)
    state = {**snapshot(trainer, recent_speed(trainer)), "checkpoints": checkpoints(trainer.run_dir)}
    reply = {"accepted": accepted, "notice": notice, "state": state}
    return {**reply, "settings": settings(trainer)} if look else reply


_open: "weakref.WeakSet[Channel]" = weakref.WeakSet()


def _abandon_all() -> None:
    for each in list(_open):
        each.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


def _bound(host: str) -> socket.socket:
    """Return a socket that listens at `host`, on a port of the system's choice."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unheard(host, error) from None
    try:
        listening.bind(address)
        listening.listen(MOST)
    except OSError as error:
        listening.close()
        raise _unheard(host, error) from None
    listening.setblocking(False)
    return listening


def _unheard(host: str, error: OSError) -> InputError:
    return InputError(
        f"control={host!r} cannot be listened at ({error.strerror or error}); name a host of this machine, or pass "
        f"control='off'."
    )
