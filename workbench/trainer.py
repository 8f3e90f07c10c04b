"""Trainer: the one class a user meets."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from pathlib import Path
from typing import Any

from workbench import envs
from workbench.backends import learner_for
from workbench.errors import InputError
from workbench.events import Emitter, Event, Kind, Recorded
from workbench.hyperparameters import lock, unlock, values
from workbench.sinks import Video, built
from workbench.sinks.hub import attach
from workbench.sinks.recording import check_pictures, record
from workbench.training import distributed, evaluation
from workbench.training.branching import branch, chosen_checkpoint
from workbench.training.choices import algorithm_for, device_for, name_of
from workbench.training.environments import description_of, environment_for, is_built
from workbench.training.evaluation import Evaluation
from workbench.training.habits import Caretaker, Habits
from workbench.training.interrupts import stop_at_exit, stop_on_interrupt, stop_on_termination
from workbench.training.journal import LIMIT
from workbench.training.layout import checkpoints_of, fresh_path
from workbench.training.loop import Loop
from workbench.training.metrics import Metrics
from workbench.training.resuming import resume_in_place
from workbench.training.seeding import seed_at, seeds_from
from workbench.training.session import Session
from workbench.ui.channel import Door
from workbench.ui.network.sample import sample_of
from workbench.ui.network.view import Network, network_of


class Trainer:
    """Train an algorithm on an environment; watch it, steer it, evaluate it, save it.

        trainer = wb.Trainer("CartPole-v1", wb.PPO(learning_rate=3e-3), seed=1)
        trainer                          # as a notebook cell's value: the live panel
        trainer.start(2_000_000)         # returns at once; .pause() .resume() .stop() .wait()
        trainer.train(2_000_000)         # the same, blocking
        trainer.evaluate(episodes=100)

    Args:
        env: An id ("CartPole-v1", "ALE/Pong-v5"; any that Gymnasium has registered), "module:factory", a class or a
            function that makes a Gymnasium or PettingZoo environment, a kernel environment (`workbench_kernels.envs`),
            or a vector environment: from `workbench.envs.make`, or Gymnasium's.
        algorithm: An instance such as `PPO(clip=0.1)`, a class, or a name; PPO with its defaults if None.
        seed: Of everything random: weights, actions, minibatches, environments. From 0 to 2**64 - 1.
        lanes: How many environments run side by side; 128 native ones or 16 of others if None.
        backend: "native" fuses environment, network and learning in kernels; "torch" learns with torch; "asynchronous"
            does while a thread acts; "auto" takes native where it applies. "serial", "threads" and "processes" step
            environments of others (`workbench.make`).
        workers: Of the threads and processes backends; one a core if None.
        device: Where the network lives: "cpu", "cuda", ...
        run_dir: Where the run is kept; a new folder under `runs/` if None. It is made when training begins.
        resume: "auto" goes on with the run in `run_dir` if there is one of this very configuration, from its newest
            sound checkpoint, and begins it otherwise; "never" refuses a folder with a run.
        checkpoint_seconds: Least time between two automatic checkpoints; it grows where they take long.
        keep_last: Checkpoints that stay, the newest ones.
        keep_best: Whether the best one stays too: by evaluation if there is one, else by the newest 100 episodes.
        evaluate_every: Environment steps between two evaluations while training; none if None.
        evaluate_seconds: Time between two evaluations while training; none if None.
        evaluate_episodes: Greedy episodes of each of these.
        on_nan: When numbers are not finite any more, "stop" with a diagnosis, or "rollback" to the last good
            checkpoint, with other random numbers, a few times.
        rollback_learning_rate: Factor on the learning rate with each rollback.
        metrics_bytes: Of the files of metrics together, about; old rows share lines when there are more.
        sinks: Where the run is told of beside its folder: names, or objects of `workbench.sinks`.
        record_every: Environment steps between two episodes that are recorded as a video; none if None.
        control: Where other processes may steer it (`workbench steer`, the dashboard), with the token in `control.json`
            of the run: "loopback" on this machine alone, "off" nowhere; or a host to listen at, for other machines.

    Raises:
        InputError: If an argument is out of range, or the algorithm cannot act in the environment.
        UnknownNameError: If a name is not known.
    """

    saved = ("loop", "goal", "target_return")

    def __init__(
        self,
        env: Any,
        algorithm: Any = None,
        *,
        seed: int = 0,
        lanes: int | None = None,
        backend: str = "auto",
        workers: int | None = None,
        device: str = "cpu",
        run_dir: str | Path | None = None,
        resume: str = "never",
        checkpoint_seconds: float = 10.0,
        keep_last: int = 2,
        keep_best: bool = True,
        evaluate_every: int | None = None,
        evaluate_seconds: float | None = None,
        evaluate_episodes: int = 100,
        on_nan: str = "stop",
        rollback_learning_rate: float = 1.0,
        metrics_bytes: int = LIMIT,
        sinks: Any = (),
        record_every: int | None = None,
        control: str = "loopback",
    ) -> None:
        habits = Habits(
            checkpoint_seconds=checkpoint_seconds,
            keep_last=keep_last,
            keep_best=keep_best,
            evaluate_every=evaluate_every,
            evaluate_seconds=evaluate_seconds,
            evaluate_episodes=evaluate_episodes,
            on_nan=on_nan,
            rollback_learning_rate=rollback_learning_rate,
            metrics_bytes=metrics_bytes,
        )
        if resume not in ("never", "auto"):
            raise InputError(f"resume={resume!r} is unknown; choose 'never' or 'auto'.")
        chosen = built(sinks)
        self.seed = envs.check_seed(seed)
        self.algorithm = algorithm_for(algorithm)
        self.device = distributed.device_of(device_for(device))
        self.processes = distributed.join(self.device)
        if self.processes.size > 1:
            distributed.check_applies(backend, self.algorithm, habits)
        self.env = distributed.share_of(environment_for(env, lanes, backend, workers), self.processes)
        first = self.processes.rank == 0
        try:
            self._door = Door(control if first else "off")
            self._set_up(backend, run_dir, habits)
            lock(self.algorithm, self.loop.learner.fixed)
            if resume == "auto":
                resume_in_place(self)
            attach(self, chosen if first else [], record_every if first else None, self._record)
            self.processes.any(False)  # nobody trains before all are here
        except BaseException:
            unlock(self.algorithm)  # another trainer may have it
            if not is_built(env):  # then nobody else could close it
                self.env.close()
            raise

    def _set_up(self, backend: str, run_dir: str | Path | None, habits: Habits) -> None:
        self.id = self.env.id
        path = Path(run_dir) if run_dir is not None else fresh_path(self.id, name_of(self.algorithm))
        self.directory = distributed.directory_for(path.absolute(), habits.keep_last, self.processes)
        self.metrics = Metrics(habits.metrics_bytes)
        self.resumed_from: Path | None = None
        self.goal = 0
        self.target_return: float | None = None
        seeds = seeds_from(self.seed)
        self._evaluation_seed = seeds["evaluation"]
        learner = learner_for(backend, self.algorithm, self.env, self.device, seeds, self.processes)
        self._emitter = Emitter(self._callback_failed)
        self.loop = Loop(learner, self.metrics, self._emitter)
        self.description = {
            **description_of(self.env),
            "lanes": self.env.lanes // self.env.agents * self.processes.size,
            "learner": learner.backend,
            "algorithm": name_of(self.algorithm),
            "hyperparameters": values(self.algorithm),
            "seed": self.seed,
            "device": str(self.device),
            "habits": habits.described(),
        }
        self._care = Caretaker(self, habits, self._evaluate)
        self._session = Session(self, self._care, self._emitter, lambda: self._door.open(self))
        self._thread: threading.Thread | None = None

    # What a user reads.

    @property
    def run_dir(self) -> Path:
        """The folder that keeps the run, an absolute path."""
        return self.directory.path

    @property
    def backend(self) -> str:
        """What learns: "native", "torch" or "asynchronous"."""
        return self.loop.learner.backend

    @property
    def error(self) -> BaseException | None:
        """What ended the last training; None if nothing did."""
        return self._session.error

    @property
    def steps(self) -> int:
        """Environment steps taken, all lanes together."""
        return self.loop.steps

    @property
    def seconds(self) -> float:
        """Training time so far: collecting and learning, without evaluations, checkpoints and pauses."""
        return self.loop.seconds

    @property
    def status(self) -> str:
        """One of "new", "running", "paused", "stopped", "failed"."""
        if self._session.worker is not None:
            return "paused" if self.loop.control.paused else "running"
        if self.error is not None:
            return "failed"
        return "stopped" if self.steps else "new"

    def __repr__(self) -> str:
        name = type(self.algorithm).__name__
        return f"<Trainer {self.id} {name} {self.backend} seed={self.seed}: {self.status}, {self.steps:,} steps>"

    def _ipython_display_(self) -> None:
        from workbench.ui import display_trainer

        display_trainer(self)

    def _display_(self) -> Any:
        from workbench.ui import widget_of_trainer

        return widget_of_trainer(self)

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call `callback` with each of `workbench.events` on the training thread; return the function that ends it.

        It may set live hyperparameters, `evaluate`, `record`, `save` and `stop`. What it raises ends training after the
        present iteration, with everything saved, and `train` or `wait` raises it.
        """
        return self._emitter.subscribe(callback)

    def on(self, kind: type[Kind], callback: Callable[[Kind], object]) -> Callable[[], None]:
        """Call `callback` with each event of one kind, such as `events.Progress`; else as `subscribe`."""
        return self._emitter.on(kind, callback)

    # What a user does.

    def train(self, steps: int, target_return: float | None = None) -> None:
        """Train in this thread for `steps` more environment steps, or until `target_return` is reached.

        The target is reached when the mean of the newest 100 training episodes is, and a greedy evaluation of 100
        episodes confirms it. Ctrl-C (or a notebook's interrupt) stops after the present iteration, with everything
        saved; a second one raises KeyboardInterrupt.

        Raises:
            AlreadyRunningError: If this trainer is running.
            InputError: If an argument is out of range.
            EnvironmentFaultError, NumericsError: If training met numbers that are none; metrics and the last checkpoint
                stay.
            RunDirectoryError: If the run directory cannot be written.
        """
        self._session.begin(steps, target_return)
        with stop_on_termination(self.stop), stop_on_interrupt(self.stop), _progress(self):
            self._session.run()
        if self.error is not None:
            raise self.error

    def start(self, steps: int, target_return: float | None = None, *, paused: bool = False) -> None:
        """Train in a thread of its own, and return at once; where Python ends before, it stops with everything saved.

        Arguments and errors are those of `train`; what training raises, `wait` raises.

        Args:
            steps, target_return: As for `train`.
            paused: Whether to wait before the first iteration, until `resume` or `step`.
        """
        self._session.begin(steps, target_return, paused)
        stop_at_exit(self)
        self._thread = threading.Thread(target=self._session.run, name=f"workbench {self.id}", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Wait after the present iteration, until `resume` or `stop`."""
        self.loop.control.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        self.loop.control.resume()

    def step(self, iterations: Any = 1) -> None:
        """Take so many iterations (collect, learn), then wait again: training that runs pauses after them.

        Raises:
            InputError: If `iterations` is no count, or nothing trains: `start(steps, paused=True)` begins with a pause.
        """
        if isinstance(iterations, bool) or not isinstance(iterations, Integral) or iterations < 1:
            raise InputError(f"iterations={iterations!r} is no count; pass an integer of at least 1.")
        if self._session.worker is None:
            raise InputError("step needs training under way; begin it with start(steps, paused=True).")
        self.pause()
        self.loop.control.step(int(iterations))

    def stop(self) -> None:
        """End training after the present iteration, with a checkpoint; `train` or `start` goes on from there."""
        self.loop.control.stop()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until training that was started has ended; raise what it raised.

        Raises:
            TimeoutError: If it has not ended within `timeout` seconds.
        """
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"training has not ended within timeout={timeout} s; wait longer, or call stop().")
            self._thread = None
            if self.error is not None:
                raise self.error

    def evaluate(self, episodes: int = 100, seed: int | None = None) -> Evaluation:
        """Play complete episodes with the greedy policy; training that runs waits meanwhile, between two iterations.

        Args:
            episodes: How many.
            seed: Of the episodes; a fixed one derived from the trainer's if None, so that a second call gives the same.

        Raises:
            InputError: If an argument is out of range.
        """
        evaluation.lanes_for(episodes)
        chosen = None if seed is None else envs.check_seed(seed)
        result: Evaluation = self._session.between_iterations(lambda: self._evaluate(episodes, chosen))
        return result

    def record(self) -> Video:
        """Record a greedy episode, its first 1,000 steps at most, as a GIF in the folder `videos` of the run.

        Training that runs waits meanwhile, between two iterations. A notebook shows what this returns.

        Raises:
            InputError: If the environment has no pictures, or a package is missing.
        """
        check_pictures(self.env)
        video: Video = self._session.between_iterations(self._record)
        video.written()
        return video

    def watch(self, lanes: int = 8) -> Any:
        """Return a live view of 1 to 64 lanes, for the value of a cell: training's own, or the policy at play.

        Raises:
            InputError: If `lanes` is out of range, or a package is missing.
        """
        from workbench.ui import watch_trainer

        return watch_trainer(self, lanes)

    def network(self) -> Network:
        """Look at the network: by layer, the norms of weights and of the last gradient, histograms, and idle units.

        The observations that are put through it are those of the lanes, 256 at most. Training that runs waits while its
        weights are copied, between two iterations. A notebook shows what this returns; the panel shows it live.
        """
        sample = self._session.between_iterations(lambda: sample_of(self))
        return network_of(self, sample)

    def glance(self, work: Callable[[], Any]) -> "Future[Any]":
        """Have `work`, short and harmless, done while no iteration runs, without waiting; see `Control.glance`."""
        return self._session.glance(work)

    def save(self, path: str | Path | None = None) -> Path:
        """Save everything needed to go on, or to load elsewhere: a folder with settings, metrics and a checkpoint.

        Args:
            path: The folder; if None, a checkpoint in the run's own, which stays however many come after it.

        Returns:
            The folder, or the checkpoint's.

        Raises:
            RunDirectoryError: If it cannot be written.
        """
        target = self.run_dir if path is None else Path(path).absolute()  # wherever the training thread goes meanwhile
        written: Path = self._session.between_iterations(lambda: self._care.copy_to(target))
        return written if path is None else Path(path)

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints that `rewind` may go back to, oldest first: the newest, the best, and those saved."""
        return checkpoints_of(self.run_dir)

    def rewind(self, to: int | str | Path) -> None:
        """Go back to a checkpoint and branch: the run so far stays as it is, and this trainer goes on in a new folder.

        Training that runs is stopped first, with a checkpoint. `train`, `start` or `resume` then go on from there.

        Args:
            to: The newest checkpoint of at most so many environment steps there is; "best"; or a checkpoint's folder.

        Raises:
            CheckpointError: If there is none.
            InputError: If a callback asks for it: training cannot go back from within itself.
            RunDirectoryError: If the new folder cannot be written.
        """
        if self.processes.size > 1:
            raise InputError("rewind is for one process; of several, load the checkpoint with a run_dir of its own.")
        if self._session.mine:
            raise InputError("rewind cannot be called by a callback; call stop() there, and rewind after the training.")
        checkpoint = chosen_checkpoint(self.run_dir, to)
        with self._session.ended():
            branch(self, self._care, checkpoint)
        self._door.move(self.run_dir)

    def close(self) -> None:
        """Stop training, wait for it to end, and free the environments."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        self._door.close()
        self.loop.learner.close()
        self.env.close()

    # How it works.

    def _callback_failed(self, error: Exception) -> None:
        self._session.fail(error)

    def _evaluate(self, episodes: int, seed: int | None = None, attempt: int = 0) -> Evaluation:
        self.loop.hold()
        seed = (self._evaluation_seed + attempt) % 2**63 if seed is None else seed
        env = self.env.like(evaluation.lanes_for(episodes), seed)
        if env is None:  # it is one of a kind: play in it, and go on with new episodes
            try:
                return evaluation.evaluate(self.algorithm, self.env, episodes, seed, self.device)
            finally:
                self.loop.restart(seed_at(self.seed, self.steps))
        try:
            return evaluation.evaluate(self.algorithm, env, episodes, seed, self.device)
        finally:
            env.close()

    def _record(self) -> Video:
        self.loop.hold()
        path = self.run_dir / "videos" / f"{self.steps:015d}.gif"
        seed = (self._evaluation_seed + self.steps) % 2**63
        video = record(self.algorithm, self.env, path, seed, self.device)
        if self._session.mine:
            self._emitter.emit(Recorded(self.steps, video))
        return video


def _progress(trainer: Trainer) -> AbstractContextManager[Any]:
    """Show progress where a person watches: on a terminal. A notebook has the panel."""
    if trainer.processes.rank or not sys.stdout.isatty():
        return nullcontext()
    from workbench.ui.terminal import TerminalProgress

    return TerminalProgress(trainer)
