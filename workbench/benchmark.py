"""Measure environment steps per second, warm: the environment alone, with a policy's network, with learning.

Whatever compiles or allocates has happened before the clock starts. Then every figure is the median of several repeats.
"""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from workbench import machine
from workbench.envs import TASKS, make, native_id
from workbench.errors import InputError

RING = 16
"""Batches of actions drawn in advance and used in turn."""

REPEATS = 3
CHUNK_SECONDS = 0.02
"""The clock is read about this often: seldom enough to cost nothing."""


@dataclass(frozen=True)
class Result:
    """What was measured, and what decides the figure.

    Attributes:
        environment, policy, lanes, backend, threads: What ran; `threads` are those of the part that dominates.
        seconds: Least time measured in each repeat.
        repeats: Steps per second, all lanes together, of each repeat.
        steps_per_second: Their median.
        settings: The algorithm's hyperparameters that were set for the measurement.
        processor, versions: Where and with what.
    """

    environment: str
    policy: str
    lanes: int
    backend: str
    threads: int
    seconds: float
    repeats: tuple[float, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    processor: str = field(default_factory=machine.processor)
    versions: dict[str, str | None] = field(default_factory=machine.versions)

    @property
    def steps_per_second(self) -> float:
        """Return the median of the repeats."""
        return statistics.median(self.repeats)


def measure(advance: Callable[[], int], seconds: float, repeats: int) -> tuple[float, ...]:
    """Call `advance`, which returns how many steps it took, for at least `seconds` in each repeat; return the rates.

    The first calls, which compile, are not counted; from the next is taken how many fit between two looks at the clock.

    Raises:
        InputError: If there is nothing to measure.
    """
    if seconds <= 0 or repeats < 1:
        raise InputError(f"seconds={seconds}, repeats={repeats} leave nothing to measure; pass more than 0 of both.")
    advance()
    start = time.perf_counter()
    advance()
    calls = max(1, int(CHUNK_SECONDS / max(time.perf_counter() - start, 1e-9)))
    rates = []
    for _ in range(repeats):
        steps, start, elapsed = 0, time.perf_counter(), 0.0
        while elapsed < seconds:
            for _ in range(calls):
                steps += advance()
            elapsed = time.perf_counter() - start
        rates.append(steps / elapsed)
    return tuple(rates)


def action_ring(space: gymnasium.Space[Any], lanes: int, seed: int) -> list[Any]:
    """Draw `RING` batches of uniformly random actions for `lanes` lanes.

    Raises:
        InputError: If the space is neither discrete, nor of several discrete ones, nor a bounded box.
    """
    random = np.random.default_rng(seed)
    if isinstance(space, gymnasium.spaces.Discrete):
        drawn = random.integers(space.n, size=(RING, lanes), dtype=np.int32)
        return list(drawn + np.int32(space.start))
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return list(random.integers(space.nvec, size=(RING, lanes, *space.shape), dtype=np.int32) + space.start)
    if isinstance(space, gymnasium.spaces.Box) and space.is_bounded():
        return list(random.uniform(space.low, space.high, (RING, lanes, *space.shape)).astype(np.float32))
    raise InputError(
        f"action space {space} has no uniform distribution here; "
        f"choose one that is Discrete, MultiDiscrete or a bounded Box."
    )


def random_policy(
    environment_id: str,
    lanes: int,
    seconds: float,
    seed: int = 0,
    *,
    backend: str = "auto",
    threads: int | None = None,
    repeats: int = REPEATS,
) -> Result:
    """Measure the environment alone: `step` under random actions, autoreset and every buffer written.

    The actions are drawn in advance, 16 batches used in turn, so that the environment is measured and not the generator
    of random numbers.

    Args:
        environment_id: A native or a Gymnasium id.
        lanes: Environments stepped side by side.
        seconds: Least time of a repeat.
        seed: Of the environments and the actions.
        backend: "auto", "native" or "serial" (the original).
        threads: Threads of a native environment; all the processors if None.
        repeats: How often to measure.
    """
    import numba

    if threads is not None and threads < 1:
        raise InputError(f"threads={threads} leaves nobody to step; pass 1 or more.")
    native = backend in ("auto", "native") and (native_id(environment_id) or environment_id in TASKS)
    wanted = (threads or machine.processors()) if native else None
    env = make(environment_id, lanes, seed=seed, backend=backend, threads=wanted)
    ring = action_ring(env.single_action_space, lanes, seed)
    with contextlib.closing(env), kernel_threads(threads):
        used = numba.get_num_threads() if env.backend == "native" else 1
        env.reset(seed=seed)
        rates = stepping(env.step, ring, lanes, seconds, repeats)
        return Result(env.id, "random", lanes, env.backend, used, seconds, rates)


def stepping(
    step: Callable[[Any], Any], ring: list[Any], lanes: int, seconds: float, repeats: int
) -> tuple[float, ...]:
    """Measure any `step(actions)` of another library: the rates, `ring` used in turn, resets being its own affair."""
    turn = 0

    def advance() -> int:
        nonlocal turn
        step(ring[turn])
        turn = (turn + 1) % len(ring)
        return lanes

    return measure(advance, seconds, repeats)


def bandwidth(seconds: float, repeats: int = REPEATS, floats: int = 32 * 2**20) -> float:
    """Measure the memory: bytes per second that `a = b + 3 * c` moves, 12 a float, over arrays beyond every cache."""
    import torch

    a, b, c = (torch.ones(floats) for _ in range(3))

    def advance() -> int:
        torch.add(b, c, alpha=3.0, out=a)
        return 12 * floats

    return statistics.median(measure(advance, seconds, repeats))


def matrix_rate(seconds: float, repeats: int = REPEATS, *, threads: int | None = None, size: int = 1024) -> float:
    """Measure the matrix ceiling: float32 operations per second of a square matrix product, 2 * size**3 a product."""
    import torch

    a, b, out = (torch.ones(size, size) for _ in range(3))

    def advance() -> int:
        torch.mm(a, b, out=out)
        return 2 * size**3

    with torch_threads(threads):
        return statistics.median(measure(advance, seconds, repeats))


def gae_batch(horizon: int, lanes: int, seed: int) -> tuple[Any, ...]:
    """Draw what `workbench_kernels.returns.gae` takes, in aligned arrays [T, B], the last of them to be written."""
    from workbench_kernels.arrays import aligned

    random = np.random.default_rng(seed)
    floats = [aligned((horizon, lanes), np.float32) for _ in range(4)]
    terminated, ended = (aligned((horizon, lanes), np.bool_) for _ in range(2))
    for x in floats[:3]:
        random.standard_normal(out=x, dtype=np.float32)
    terminated[...] = random.random((horizon, lanes)) < 0.01
    ended[...] = terminated | (random.random((horizon, lanes)) < 0.01)
    return (*floats[:3], terminated, ended, np.float32(0.99), np.float32(0.95), floats[3])


GAE_BYTES = 3 * 4 + 2 + 4
"""What a cell of the advantages must read and write."""


def advantages(
    horizon: int, lanes: int, seconds: float, repeats: int = REPEATS, *, threads: int = 1, batches: int = 1
) -> float:
    """Measure GAE: cells per second, over `batches` batches in turn: one stays cached, many come from memory."""
    from workbench_kernels import returns
    from workbench_kernels.targets import cpu

    run = cpu.scan(returns.gae, reverse=True, parallel=threads > 1)
    return _over([gae_batch(horizon, lanes, k) for k in range(batches)], run, horizon * lanes, seconds, repeats)


def torch_advantages(horizon: int, lanes: int, seconds: float, repeats: int = REPEATS, *, threads: int = 1) -> float:
    """Measure the usual loop over time in torch, vectorised over lanes: cells per second."""
    import torch

    def run(*arguments: Any) -> None:
        reward, value, next_value, terminated, ended, gamma, lam, advantage = arguments
        delta = reward + gamma * next_value * ~terminated - value
        decay = gamma * lam * ~ended
        trace = torch.zeros(lanes)
        for t in range(horizon - 1, -1, -1):
            trace = delta[t] + decay[t] * trace
            advantage[t] = trace

    arrays = [torch.from_numpy(x) if isinstance(x, np.ndarray) else float(x) for x in gae_batch(horizon, lanes, 0)]
    with torch_threads(threads):
        return _over([tuple(arrays)], run, horizon * lanes, seconds, repeats)


def _over(batches: list[Any], run: Callable[..., None], cells: int, seconds: float, repeats: int) -> float:
    def advance() -> int:
        for batch in batches:
            run(*batch)
        return cells * len(batches)

    return statistics.median(measure(advance, seconds, repeats))


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[int]:
    """Let torch use `count` threads inside the block, as many as before if None; give the number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield count or before
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def kernel_threads(count: int | None) -> Iterator[None]:
    """Let kernels use up to `count` threads inside the block, as many as before if None."""
    import numba

    from workbench_kernels.targets import cpu

    if count is None:  # asking numba would start its threads, which slow torch's down
        yield
        return
    before = cpu.thread_count()
    numba.set_num_threads(min(count, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def mlp_policy(
    environment_id: str,
    lanes: int,
    seconds: float,
    seed: int = 0,
    *,
    backend: str = "auto",
    threads: int | None = None,
    repeats: int = REPEATS,
    **hyperparameters: Any,
) -> Result:
    """Measure rollouts as training collects them: PPO's network acts, the transitions are stored, nothing is learned.

    Args:
        environment_id, lanes, seconds, seed, repeats: As in `random_policy`.
        backend: As of `workbench.Trainer`.
        threads: Of torch or of the native learner; those it has if None.
        hyperparameters: Of `workbench.PPO`: `horizon`, `width`, `depth`.
    """
    import torch

    from workbench.algorithms import PPO
    from workbench.backends import learner_for
    from workbench.training.environments import environment_for
    from workbench.training.seeding import seeds_from

    with torch_threads(threads), kernel_threads(threads):
        env = environment_for(environment_id, lanes, backend, None)
        learner = learner_for(backend, PPO(**hyperparameters), env, torch.device("cpu"), seeds_from(seed))
        try:
            rates = measure(lambda: learner.collect().steps, seconds, repeats)
        finally:
            learner.close()
            env.close()
        return Result(env.id, "mlp", lanes, *_runner(learner, env), seconds, rates, hyperparameters)


def training(
    environment_id: str,
    lanes: int,
    seconds: float,
    seed: int = 0,
    *,
    backend: str = "auto",
    threads: int | None = None,
    repeats: int = REPEATS,
    **hyperparameters: Any,
) -> Result:
    """Measure PPO end to end: a `Trainer` collects and learns; the first iterations do not count.

    Args:
        environment_id, lanes, seconds, seed, repeats: As in `random_policy`.
        backend: As of `workbench.Trainer`.
        threads: Of torch or of the native learner; those it has if None.
        hyperparameters: Of `workbench.PPO`, such as `epochs` and `horizon`.
    """
    from workbench.algorithms import PPO
    from workbench.trainer import Trainer

    algorithm = PPO(**hyperparameters)
    iteration = lanes * algorithm.horizon
    with tempfile.TemporaryDirectory() as folder, torch_threads(threads), kernel_threads(threads):
        run_dir = Path(folder) / "run"
        trainer = Trainer(environment_id, algorithm, seed=seed, lanes=lanes, backend=backend, run_dir=run_dir)
        try:
            trainer.train(2 * iteration)
            before = trainer.steps, trainer.seconds
            trainer.train(4 * iteration)
            estimate = (trainer.steps - before[0]) / (trainer.seconds - before[1])
            rates = []
            for _ in range(repeats):
                before = trainer.steps, trainer.seconds
                trainer.train(max(iteration, int(estimate * seconds)))
                rates.append((trainer.steps - before[0]) / (trainer.seconds - before[1]))
            runner = _runner(trainer.loop.learner, trainer.env)
        finally:
            trainer.close()
    return Result(environment_id, "train", lanes, *runner, seconds, tuple(rates), hyperparameters)


def _runner(learner: Any, env: Any) -> tuple[str, int]:
    """Return the backend that learns, or steps where that is another's environment, and its threads."""
    import torch

    if learner.backend == "native":
        return "native", learner.workers
    return "torch" if env.backend == "native" else env.backend, torch.get_num_threads()
