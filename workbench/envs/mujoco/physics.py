"""Many simulations of one MuJoCo model, stepped on threads outside the interpreter's lock.

B: lanes. A simulation is its row of `state` [B, S], MuJoCo's integration state (`mjSTATE_INTEGRATION`): positions,
velocities, controls and the warm start of the solver, so that stepping on from a copied row gives the same bits.
"""

import importlib
import importlib.util
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from workbench.errors import InputError
from workbench_kernels.arrays import aligned

CONTACT_FORCES = "cfrc_ext"
"""The one field that `mj_step` leaves out, and Gymnasium adds by `mj_rnePostConstraint` after it."""

OLDEST = "3.17"
"""The first MuJoCo that has `mujoco.batch`."""

HEAD = ("qpos", "qvel", "ctrl")


class SimulationError(Exception):
    """MuJoCo failed in one lane, or in several of which this is the first."""

    def __init__(self, lane: int, message: str) -> None:
        super().__init__(message)
        self.lane = lane


class Physics(Protocol):
    """What a vector environment needs of MuJoCo.

    `view` names live arrays: `qpos`, `qvel` and `ctrl`, which may be written, and the fields asked for, which hold
    what `mujoco.MjData` holds after the same call.
    """

    state: Any
    view: SimpleNamespace

    def step(self) -> None:
        """Advance every lane by the model's frames, under its controls."""

    def restart(self, lanes: Any, qpos: Any, qvel: Any) -> None:
        """Start `lanes` [n] int32, ascending, afresh from positions [n, nq] and velocities [n, nv]."""

    def close(self) -> None:
        """End the threads."""


def load() -> Any:
    """Import MuJoCo.

    Raises:
        InputError: If it is not installed, or is too old.
    """
    try:
        mujoco = importlib.import_module("mujoco")
    except ImportError as error:
        raise InputError(
            f"backend='native' of a MuJoCo task needs MuJoCo ({error}); pip install 'rl-workbench[mujoco]'"
        ) from error
    try:
        importlib.import_module("mujoco.batch")
    except Exception as error:  # an older MuJoCo may hold another module of this name, which fails as it likes
        raise InputError(
            f"backend='native' of a MuJoCo task needs MuJoCo {OLDEST} or later, and {mujoco.__version__} is "
            f"installed; pip install --upgrade 'rl-workbench[mujoco]', or choose backend='processes'."
        ) from error
    return mujoco


def load_model(name: str) -> Any:
    """Compile the model `name` of those that Gymnasium ships.

    MuJoCo prints what it deprecates in these files, and appends it to a log in the working folder: nothing that a user
    could mend, so it is kept quiet meanwhile.
    """
    mujoco = load()
    found = importlib.util.find_spec("gymnasium")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent / "envs" / "mujoco" / "assets" / name
    before, quiet = mujoco.MjLogConfig.get(), mujoco.MjLogConfig.get()
    quiet.logto_console = quiet.logto_file = False
    quiet.set()
    try:
        return mujoco.MjModel.from_xml_path(str(path))
    finally:
        before.set()


def build(model: Any, lanes: int, threads: int, frames: int, fields: Sequence[str]) -> Physics:
    """Return the physics that knows `fields` of `mujoco.MjData` after every `frames` steps of the model."""
    kind = ThreadPhysics if CONTACT_FORCES in fields else BatchPhysics
    return kind(model, lanes, threads, frames, fields)


class BatchPhysics:
    """MuJoCo's own batch: its threads, one call a step."""

    def __init__(self, model: Any, lanes: int, threads: int, frames: int, fields: Sequence[str]) -> None:
        self._module: Any = importlib.import_module("mujoco.batch")
        self._frames = frames
        self._batch: Any = self._module.Batch(model, lanes, threads)
        self.state = self._batch.state
        self._default = self.state[0].copy()
        self.view = SimpleNamespace(**{name: self._batch.bind(name) for name in (*HEAD, *fields)})

    def step(self) -> None:
        """Advance every lane."""
        self._call(self._batch.step, None, self._frames)

    def restart(self, lanes: Any, qpos: Any, qvel: Any) -> None:
        """Start lanes afresh."""
        self.state[lanes] = self._default
        self.view.qpos[lanes] = qpos
        self.view.qvel[lanes] = qvel
        self._call(self._batch.forward, lanes)

    def _call(self, function: Any, *arguments: Any) -> None:
        try:
            function(*arguments)
        except self._module.SimulationError as error:
            lane = int(error.ids[0])
            raise SimulationError(lane, self._batch.error(lane)) from error

    def close(self) -> None:
        """End MuJoCo's threads."""
        del self._batch, self.state, self.view


class ThreadPhysics:
    """One `mujoco.MjData` a thread, for models whose contact forces are observed.

    Gymnasium's `cfrc_ext` is that of the last stage of the last step, which no sensor reports under Runge-Kutta and
    which only the data that took the step still knows; `mujoco.batch` has no call there. Python's threads have: both
    functions release the interpreter's lock, and these models spend a hundred microseconds or more in them.
    """

    def __init__(self, model: Any, lanes: int, threads: int, frames: int, fields: Sequence[str]) -> None:
        self._mujoco = load()
        self._model, self._frames = model, frames
        kind = self._mujoco.mjtState
        self._spec = int(kind.mjSTATE_INTEGRATION)
        self.state = aligned((lanes, self._mujoco.mj_stateSize(model, self._spec)), np.float64)
        self._data = [self._mujoco.MjData(model) for _ in range(threads)]
        self._locks = [Lock() for _ in self._data]
        self._mujoco.mj_getState(model, self._data[0], self.state[0], self._spec)
        self.state[:] = self.state[0]
        self.view = SimpleNamespace(
            qpos=self._component(kind.mjSTATE_QPOS),
            qvel=self._component(kind.mjSTATE_QVEL),
            ctrl=self._component(kind.mjSTATE_CTRL),
        )
        self._fields = [[getattr(data, name) for name in fields] for data in self._data]
        self._outputs = [aligned((lanes, *field.shape), np.float64) for field in self._fields[0]]
        for name, output in zip(fields, self._outputs, strict=True):
            setattr(self.view, name, output)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mujoco") if threads > 1 else None

    def _component(self, component: Any) -> Any:
        """Return the view [B, n] of one component of the state; they stand in the order of their bits."""
        start = self._mujoco.mj_stateSize(self._model, int(component) - 1)
        return self.state[:, start : start + self._mujoco.mj_stateSize(self._model, int(component))]

    def step(self) -> None:
        """Advance every lane, each by whichever thread is free."""
        lanes = deque(range(len(self.state)))
        if self._pool is None:
            self._advance(0, lanes)
            return
        try:
            for share in [self._pool.submit(self._advance, k, lanes) for k in range(len(self._data))]:
                share.result()
        except BaseException:
            # An interrupt may come while threads are at work, or even within `submit`: leave them nothing to begin,
            # and wait for what they have begun.
            lanes.clear()
            for lock in self._locks:
                with lock:
                    pass
            raise

    def _advance(self, k: int, lanes: deque[int]) -> None:
        """Step lanes, as long as there are any, on the data of thread `k`."""
        model, data, mujoco = self._model, self._data[k], self._mujoco
        with self._locks[k]:
            while True:
                try:
                    lane = lanes.popleft()
                except IndexError:
                    return
                row = self.state[lane]
                try:
                    mujoco.mj_setState(model, data, row, self._spec)
                    mujoco.mj_step(model, data, self._frames)
                except mujoco.FatalError as error:
                    raise SimulationError(lane, str(error)) from error
                mujoco.mj_rnePostConstraint(model, data)
                mujoco.mj_getState(model, data, row, self._spec)
                self._keep(lane, k)

    def _keep(self, lane: int, k: int) -> None:
        for output, field in zip(self._outputs, self._fields[k], strict=True):
            output[lane] = field

    def restart(self, lanes: Iterable[int], qpos: Any, qvel: Any) -> None:
        """Start lanes afresh, without contact forces, as Gymnasium does."""
        data = self._data[0]
        for i, lane in enumerate(lanes):
            self._mujoco.mj_resetData(self._model, data)
            data.qpos[:] = qpos[i]
            data.qvel[:] = qvel[i]
            try:
                self._mujoco.mj_forward(self._model, data)
            except self._mujoco.FatalError as error:
                raise SimulationError(lane, str(error)) from error
            self._mujoco.mj_getState(self._model, data, self.state[lane], self._spec)
            self._keep(lane, 0)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
        del self._data, self._fields, self.state, self.view
