"""What an environment may touch outside itself: global random generators, threads, processes."""

import contextlib
import importlib
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

GRACE = 0.5
"""Seconds that threads and processes have to end after `close`."""

HELPERS = ("resource_tracker", "forkserver")
"""Processes that Python's own multiprocessing starts and keeps."""

NUMPY: Any = np.random
"""The home of numpy's old global generator, whose use is looked for."""

FAR = 271828
"""Leads away from seeds that an environment may give the global generators itself."""


@contextlib.contextmanager
def global_generators(seed: int) -> Iterator[list[str]]:
    """Seed Python's and numpy's global generators, note which were used, and put them back as they were."""
    used: list[str] = []
    ours = random.getstate(), NUMPY.get_state()
    random.seed(seed + FAR)
    NUMPY.seed(seed + FAR)
    before = _states()
    try:
        yield used
        used += [name for name, state in _states().items() if state != before[name]]
    finally:
        random.setstate(ours[0])
        NUMPY.set_state(ours[1])


@contextlib.contextmanager
def quiet_mujoco(env: Any) -> Iterator[None]:
    """Keep MuJoCo quiet where `env` is a MuJoCo task of Gymnasium's.

    While it compiles their models, it prints what they use that is deprecated, and leaves a log in the working folder.
    """
    spec = gymnasium.registry.get(env) if isinstance(env, str) else None
    mujoco: Any = None
    if spec and ".mujoco" in str(spec.entry_point):
        with contextlib.suppress(ImportError):
            mujoco = importlib.import_module("mujoco")
    if not hasattr(mujoco, "MjLogConfig"):
        yield
        return
    before, quiet = mujoco.MjLogConfig.get(), mujoco.MjLogConfig.get()
    quiet.logto_console = quiet.logto_file = False
    quiet.set()
    try:
        yield
    finally:
        before.set()


def _states() -> dict[str, Any]:
    _, keys, *rest = NUMPY.get_state()
    return {"random": random.getstate(), "numpy.random": (keys.tobytes(), rest)}


def children() -> dict[int, str]:
    """Return the living processes that this one started: their numbers and names."""
    found = {process.pid: process.name for process in multiprocessing.active_children() if process.pid}
    own = str(multiprocessing.current_process().pid)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            number, _, rest = path.read_text().partition(" (")
            name, _, fields = rest.rpartition(") ")
            state, parent = fields.split()[:2]
            if parent == own and state != "Z":
                found.setdefault(int(number), name)
    return found


def _helper(process: int) -> bool:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
        return any(name in command for name in HELPERS)
    return False


def left_behind(threads: set[threading.Thread], processes: set[int]) -> str:
    """Name the threads and processes that were not there before and do not end; wait `GRACE` seconds for them."""
    end = time.monotonic() + GRACE
    while True:
        left = [f"thread {thread.name!r}" for thread in threading.enumerate() if thread not in threads]
        left += [f"process {n} ({name})" for n, name in children().items() if n not in processes and not _helper(n)]
        if not left or time.monotonic() >= end:
            return ", ".join(left)
        time.sleep(0.01)
