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
from workbench.envs import make
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
        InputError: If the space is neither discrete nor a bounded box.
    """
    random = np.random.default_rng(seed)
    if isinstance(space, gymnasium.spaces.Discrete):
        drawn = random.integers(space.n, size=(RING, lanes), dtype=np.int32)
        return list(drawn + np.int32(space.start))
    if isinstance(space, gymnasium.spaces.Box) and space.is_bounded():
        return list(random.uniform(space.low, space.high, (RING, lanes, *space.shape)).astype(np.float32))
    raise InputError(
        f"action space {space} has no uniform distribution here; choose one that is Discrete or a bounded Box."
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
        backend: "auto", "native" or "gymnasium".
        threads: Threads of a native environment; all the processors if None.
        repeats: How often to measure.
    """
    import numba

    most = numba.get_num_threads()
    env = make(environment_id, lanes, seed=seed, backend=backend, threads=threads or machine.processors())
    if threads is not None:
        numba.set_num_threads(min(threads, most))
    ring = action_ring(env.single_action_space, lanes, seed)
    turn = 0

    def advance() -> int:
        nonlocal turn
        env.step(ring[turn])
        turn = (turn + 1) % RING
        return lanes

    try:
        used = numba.get_num_threads() if env.backend == "native" else 1
        env.reset(seed=seed)
        return Result(env.id, "random", lanes, env.backend, used, seconds, measure(advance, seconds, repeats))
    finally:
        numba.set_num_threads(most)
        env.close()


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
        environment_id, lanes, seconds, seed, backend, repeats: As in `random_policy`.
        threads: torch's threads; those it has if None. The environment uses one.
        hyperparameters: Of `workbench.PPO`: `horizon`, `width`, `depth`.
    """
    import torch

    from workbench.algorithms import PPO
    from workbench.data import RolloutSource
    from workbench.spec import spec_of

    env = make(environment_id, lanes, seed=seed, backend=backend)
    algorithm = PPO(**hyperparameters)
    device = torch.device("cpu")
    algorithm.setup(spec_of(env), device, dict.fromkeys(("weights", "actions", "shuffle"), seed))
    source = RolloutSource(env, algorithm.horizon, device, seed)

    def advance() -> int:
        source.collect(algorithm.act)
        return lanes * algorithm.horizon

    try:
        with torch_threads(threads) as used:
            rates = measure(advance, seconds, repeats)
        return Result(env.id, "mlp", lanes, env.backend, used, seconds, rates, hyperparameters)
    finally:
        env.close()


def training(
    environment_id: str,
    lanes: int,
    seconds: float,
    seed: int = 0,
    *,
    threads: int | None = None,
    repeats: int = REPEATS,
    **hyperparameters: Any,
) -> Result:
    """Measure PPO end to end: a `Trainer` collects, learns and writes its metrics; the first iterations do not count.

    Args:
        environment_id, lanes, seconds, seed, repeats: As in `random_policy`.
        threads: torch's threads; those it has if None.
        hyperparameters: Of `workbench.PPO`, such as `epochs` and `horizon`.
    """
    from workbench.algorithms import PPO
    from workbench.trainer import Trainer

    algorithm = PPO(**hyperparameters)
    iteration = lanes * algorithm.horizon
    with tempfile.TemporaryDirectory() as folder, torch_threads(threads) as used:
        run_dir = Path(folder) / "run"
        trainer = Trainer(environment_id, algorithm, seed=seed, lanes=lanes, run_dir=run_dir)
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
            backend = trainer.env.backend
        finally:
            trainer.close()
    return Result(environment_id, "train", lanes, backend, used, seconds, tuple(rates), hyperparameters)
