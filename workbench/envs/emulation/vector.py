"""Vector environments over what others wrote: any Gymnasium or PettingZoo environment in lanes of flat rows."""

import contextlib
import math
import weakref
from typing import Any, NoReturn

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from workbench.envs.emulation import crews
from workbench.envs.emulation.board import FRAME, MASKED, RESET, SEEDED_RESET, STEP, Board, Layout
from workbench.envs.emulation.interface import Interface, check_count, check_timeout, check_workers
from workbench.envs.emulation.processes import Processes, check_backend
from workbench.envs.emulation.worker import close_all, copies
from workbench.envs.native import check_lanes, check_seed
from workbench.envs.sources import Source
from workbench.envs.taking import take
from workbench.errors import EnvironmentFaultError, InputError

BACKENDS = ("serial", "threads", "processes")


class EmulatedVectorEnvironment(VectorEnv[Any, Any, Any]):
    """Lanes of an environment that others wrote.

    Observations are rows of a `SpaceTree`, actions those of `ActionHeads`; both are shared with the workers, and
    nothing is pickled on the way. Autoreset is same-step: see `workbench.spec.VectorEnvironment`. An environment of
    several agents takes as many lanes, lane = environment * agents + agent, and `active` [B] says which are there.

    With `batch` < `environments` lanes are staggered: `recv` returns the first `batch` environments that are ready, and
    `send` gives them their actions. Infos of the environments are not kept, but for action masks.

    Args:
        source: Builds one environment; see `sources.source_of`.
        environments: How many copies run side by side.
        seed: Environment i is seeded with `seed` + i at the first `reset` that names none.
        backend: "serial" (in the caller), "threads" (for environments that release the GIL) or "processes".
        workers: Threads or processes; one a core if None, and never more than `environments`.
        batch: Environments that one `recv` returns; all if None.
        timeout: Seconds after which a worker counts as hung.
        start_method: Of processes: "forkserver" (the default) or "spawn".
        max_agents: Rows an environment; as many as it lists `possible_agents` if None.

    Raises:
        InputError: If an argument is out of range, or a space has no fixed size.
        EnvironmentFaultError: If the environment cannot be built.
    """

    saved = ("steps",)
    render_mode = None

    def __init__(
        self,
        source: Source,
        environments: int,
        *,
        seed: int = 0,
        backend: str = "serial",
        workers: int | None = None,
        batch: int | None = None,
        timeout: float = 60.0,
        start_method: str | None = None,
        max_agents: int | None = None,
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"backend={backend!r} is unknown; choose one of {', '.join(BACKENDS)}.")
        check_lanes(environments)
        self.id, self.backend, self.options = source.id, backend, source.options
        self.environments = environments
        self.batch = environments if batch is None else check_count("batch", batch, environments)
        self.staggered = self.batch < environments
        self.workers = check_workers(workers, backend, environments)
        self.timeout = check_timeout(timeout)
        self._seed: int | None = check_seed(seed)
        self._start_method = check_backend(backend, start_method)
        self.settings = {
            "workers": workers,
            "timeout": self.timeout,
            "start_method": start_method,
            "max_agents": max_agents,
        }
        self._source, self._max_agents = source, max_agents
        self.steps = 0
        self._interface, given = self._look()
        self.agents = self._interface.agents
        self.lanes = self.num_envs = environments * self.agents
        self.tree = self._interface.tree
        self.single_observation_space, self.single_action_space = self.tree.space, self._interface.heads.space
        self.observation_space = batch_space(self.single_observation_space, self.batch * self.agents)
        self.action_space = batch_space(self.single_action_space, self.batch * self.agents)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self._frames = math.ceil(environments / self.batch) + 2 if self.staggered else 1
        self._start(given)

    def _look(self) -> tuple[Interface, list[Any]]:
        """Build one environment and look at its spaces; return it too, if it is to be stepped in this process."""
        given: list[Any] = []
        try:
            copies(self._source.build, 1, made=given)
            interface = Interface(given[0], self._max_agents)
            if self.backend == "processes":
                given.pop().close()
            return interface, given
        except Exception as error:
            close_all(given)
            if isinstance(error, InputError):
                raise
            raise EnvironmentFaultError(f"{self.id!r} cannot be built: {type(error).__name__}: {error}.") from error

    def _start(self, envs: list[Any]) -> None:
        """Lay out the memory, and hire who steps."""
        heads, row = self._interface.heads, self.tree.rows(1)
        self.tree.prepare()  # so that workers find the machine code instead of compiling it all at once
        layout = Layout(
            environments=self.environments,
            agents=self.agents,
            batch=self.batch,
            frames=self._frames,
            components=row.shape[-1],
            storage=row.dtype.str,
            discrete=len(heads.nvec),
            continuous=len(heads.low),
            choices=self._interface.choices,
            workers=self.workers,
        )
        plan = crews.Plan(layout, self._interface, self._source.build, envs, self._max_agents)
        try:
            if self.backend == "processes":
                self._crew: Any = Processes(plan, self._start_method)
            else:
                self._crew = (crews.Threads if self.backend == "threads" else crews.Serial)(plan)
        except crews.WorkerError as error:
            raise EnvironmentFaultError(f"{self.id!r} cannot be built: {error}.\n{error.details}".rstrip()) from None
        self.board: Board = self._crew.board
        self._end = weakref.finalize(self, self._crew.close)
        self._views = [self.tree.view(frame) for frame in self.board.observation]
        self._finals = self.tree.view(self.board.final_observation)
        self._cursor = self._sent = self._received = self._away = 0
        self._options: Any = None
        self._ready = False
        self._everyone = np.arange(self.environments)
        self._under_way = np.zeros(self.environments, np.bool_)
        self._worker_of = np.repeat(np.arange(self.workers), [len(plan.share(k)) for k in range(self.workers)])

    # What a reader sees: the newest frame.

    @property
    def observation(self) -> Any:
        """What to act on: [B, R], rows of `tree`."""
        return self.board.observation[self._cursor]

    @property
    def final_observation(self) -> Any:
        """The last observation [B, R] of the episode that ended in a lane; valid there only."""
        finals = self.board.final_observation
        return finals[self.board.lane[self._cursor]] if self.staggered else finals

    @property
    def reward(self) -> Any:
        """[B] float32, of the last step."""
        return self.board.reward[self._cursor]

    @property
    def terminated(self) -> Any:
        """[B] bool."""
        return self.board.terminated[self._cursor]

    @property
    def truncated(self) -> Any:
        """[B] bool."""
        return self.board.truncated[self._cursor]

    @property
    def active(self) -> Any:
        """[B] bool: whether there is an agent that acts."""
        return self.board.active[self._cursor]

    @property
    def action_mask(self) -> Any:
        """[B, N] bool, which of the choices of all discrete components are legal; None where nothing says so."""
        return self.board.action_mask[self._cursor] if self.board.notes[MASKED] else None

    # What a reader does.

    def share(self, frames: int) -> Any:
        """Write each step into the next of `frames` frames, in turn, and return the board: a rollout is never copied.

        Environments start anew, so reset them afterwards.

        Raises:
            InputError: If lanes are staggered.
        """
        if self.staggered:
            raise InputError(f"batch={self.batch} staggers lanes, and a rollout needs them all; leave it out.")
        if frames != self._frames:
            self._working()
            self._end.detach()
            self._crew.dismiss()
            self._frames = frames
            self._start(self._crew.envs())
        return self.board

    def rewind(self) -> None:
        """Make the newest frame the first."""
        if self._cursor:
            for frames in (self.board.observation, self.board.active, self.board.action_mask):
                frames[0] = frames[self._cursor]
            self._cursor = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode everywhere; return the observations that are ready, nested as the space is, and infos.

        Args:
            seed: Environment i gets `seed` + i, within 31 bits.
            options: Given to each environment's `reset`; must be picklable for processes.

        Returns:
            Views, overwritten by later calls, and a dict with `lane` [B] int32, `active` [B], and `action_mask` [B, N]
            where the environment has one.

        Raises:
            InputError: If `seed` is none, or the environment is closed.
            EnvironmentFaultError: If an environment fails, or a worker dies or hangs.
        """
        board = self._working()
        first = self._seed if seed is None else check_seed(seed)
        if options is not None or self._options is not None:
            self._crew.options(options)
            self._options = options
        self._drain()
        self._seed = None
        if first is not None:
            numbers = np.arange(self.environments, dtype=np.uint64)
            board.seed[...] = (numbers + np.uint64(first % 2**31)) % np.uint64(2**31)
        self._cursor = 0
        board.notes[FRAME] = 0
        board.command[...] = RESET if first is None else SEEDED_RESET
        self._post(np.arange(self.environments))
        self._receive(0)
        self._ready = True
        return self._views[self._cursor], self._infos()

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane by one step: `send`, then `recv`."""
        self.send(actions)
        return self.recv()

    def send(self, actions: Any, lanes: Any = None) -> None:
        """Give lanes their actions, and do not wait.

        Args:
            actions: [B] or [B, D] integers, [B, K] floats, or a dict with `discrete` and `continuous`, as
                `single_action_space` says.
            lanes: [B] integers, all agents of each environment; those that `recv` or `reset` returned last if None.

        Raises:
            InputError: If the actions have another shape or kind or lie outside the space, or lanes are not waiting for
                any.
            EnvironmentFaultError: In the serial backend, if an environment fails.
        """
        board = self._working()
        if not self._ready:
            raise InputError(f"{self.id!r} was not reset, or interrupted in a step; call reset first.")
        if not self.staggered:
            if lanes is not None:
                raise InputError(
                    f"lanes={lanes} given, and all lanes step at once; leave it out, or make it with batch."
                )
            if self._away:
                raise InputError("actions were sent already; receive first.")
            take(self.single_action_space, actions, board.discrete, board.continuous)
            board.notes[FRAME] = (self._cursor + 1) % self._frames
            board.command[...] = STEP
            self._post(self._everyone)
            return
        chosen = self.board.lane[self._cursor] if lanes is None else np.asarray(lanes)
        numbers = self._numbers(chosen)
        discrete, continuous = board.discrete[chosen], board.continuous[chosen]
        take(self.single_action_space, actions, discrete, continuous)
        board.discrete[chosen], board.continuous[chosen] = discrete, continuous
        board.command[numbers] = STEP
        self._post(numbers)

    def recv(self) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Wait for the next batch.

        Returns:
            The nested observation, reward, terminated, truncated [B], and infos: those of `reset`, and Gymnasium's
            `final_obs` with its mask `_final_obs` where a lane ended. All are views, overwritten by later calls.

        Raises:
            InputError: If fewer lanes than a batch were sent actions.
            EnvironmentFaultError: If an environment fails, or a worker dies or hangs.
        """
        self._working()
        if self._away < self.batch:
            raise InputError(
                f"{self._away} environments are under way, and a batch has {self.batch}; send actions first."
            )
        self._receive((self._cursor + 1) % self._frames)
        self.steps += 1
        infos = self._infos()
        terminated, truncated = self.terminated, self.truncated
        infos["final_obs"] = self.tree.view(self.final_observation) if self.staggered else self._finals
        infos["_final_obs"] = terminated | truncated
        return self._views[self._cursor], self.reward, terminated, truncated, infos

    def close(self, **kwargs: Any) -> None:  # noqa: ARG002
        """End the workers and close the environments.

        Raises:
            Exception: What an environment raises in its `close`, unless it is in another process; all are closed.
        """
        self.closed = True
        self._end()

    # How it works.

    def _working(self) -> Board:
        """Return the board.

        Raises:
            InputError: If the environment is closed.
        """
        if not self._end.alive:
            raise InputError(f"{self.id!r} is closed, by close() or a fault; make a new one.")
        return self.board

    def _infos(self) -> dict[str, Any]:
        infos = {"lane": self.board.lane[self._cursor], "active": self.active}
        if self.board.notes[MASKED]:
            infos["action_mask"] = self.action_mask
        return infos

    def _numbers(self, lanes: Any) -> Any:
        """Return the environments of whole groups of `lanes` that wait for actions."""
        if lanes.ndim != 1 or lanes.dtype.kind not in "iu":
            raise InputError(f"lanes={lanes.tolist()} are no row of integers; pass those that recv returned.")
        numbers = lanes[:: self.agents] // self.agents
        whole = (numbers[:, None] * self.agents + np.arange(self.agents)).reshape(-1)
        if len(whole) != len(lanes) or (whole != lanes).any() or len(np.unique(numbers)) != len(numbers):
            raise InputError(f"lanes={lanes.tolist()} are not whole environments of {self.agents} agents, each once.")
        if (numbers < 0).any() or (numbers >= self.environments).any() or self._under_way[numbers].any():
            raise InputError(f"lanes={lanes.tolist()} do not all wait for actions; send to those that recv returned.")
        return numbers

    def _post(self, numbers: Any) -> None:
        """Let workers look at the commands of these environments."""
        self._away += len(numbers)
        self._sent += len(numbers)
        workers: Any = range(self.workers)
        if self.staggered:
            self._under_way[numbers] = True
            workers = np.unique(self._worker_of[numbers]).tolist()
        try:
            self._crew.post(workers)
        except crews.WorkerError as error:
            self._fail(error)
        except BaseException:
            if self.backend == "serial":  # an interrupt, with a step half done
                self._crew.forget()
                self._ready = False
                self._sent = self._received = self._away = 0
                self._under_way[...] = False
            raise

    def _receive(self, cursor: int) -> None:
        """Wait for the next batch; it is in frame `cursor`, unless lanes are staggered."""
        batch, signal, target = self.batch, 0, self._received + self.batch
        if self.staggered:
            cycle, signal = divmod(self._received // batch, self._frames)
            target = (cycle + 1) * batch
        self._wait(signal, target)
        self._received += batch
        self._away -= batch
        self._cursor = signal if self.staggered else cursor
        if self.staggered:
            self._under_way[self.board.lane[signal, :: self.agents] // self.agents] = False

    def _wait(self, signal: int, target: int) -> None:
        try:
            if self.staggered:
                self._crew.watch(self.timeout)
            self._crew.wait(signal, target, self.timeout)
        except crews.WorkerError as error:
            self._fail(error)

    def _drain(self) -> None:
        """Wait until nothing is under way, and leave no batch half full."""
        if not self.staggered:
            if self._away:
                self._receive(self._cursor)
            return
        rest = -self._sent % self.batch
        place = self._sent // self.batch % self._frames
        for frame in range(self._frames):
            cycles, beyond = divmod(self._sent, self.batch * self._frames)
            filled = min(max(beyond - frame * self.batch, 0), self.batch)
            self._wait(frame, cycles * self.batch + filled)
        if rest:
            self._crew.bell.claim(rest)
            self._crew.bell.advance(place, rest)
            self._sent += rest
        self._received, self._away = self._sent, 0
        self._under_way[...] = False

    def _fail(self, error: crews.WorkerError) -> NoReturn:
        """Close, and raise what a worker met."""
        board = self.board
        number = int(board.busy[error.index])
        seed, steps = int(board.seed[number]), int(board.steps[number])
        where = f"lane {number * self.agents}" if number >= 0 else f"worker {error.index}"
        when = f" (seed {seed}, step {steps})" if number >= 0 else ""
        self._crew.grace = crews.HASTE
        with contextlib.suppress(Exception):  # the first error counts
            self._end()
        traceback = f"\n\n{error.details.rstrip()}" if error.details else ""
        raise EnvironmentFaultError(
            f"{where}{when} of {self.id!r} failed: {error}; mend the environment (workbench.check helps).{traceback}"
        ) from None

    def like(self, environments: int, seed: int) -> "EmulatedVectorEnvironment":
        """Build the same environment once more, with at most `environments` copies, none staggered."""
        return EmulatedVectorEnvironment(
            self._source,
            min(environments, self.environments),
            seed=seed,
            backend=self.backend,
            workers=min(self.workers, environments),
            timeout=self.timeout,
            start_method=self._start_method,
            max_agents=self._max_agents,
        )
