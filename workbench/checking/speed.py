"""How fast an environment is, what it waits for, and which settings follow from that."""

import math
import os
import statistics
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.checking.players import Chooser, Player, spaces_of
from workbench.checking.recording import Subject, attempt
from workbench.checking.values import size
from workbench.spaces import SpaceTree

SECONDS = 0.4
"""How long one copy is stepped; a slow one takes `LEAST_STEPS` steps."""

LEAST_STEPS = 5

WARM = 3
"""Resets before the first step: the first may load what the others find loaded."""

TURN = 250.0
"""Microseconds of work a worker should have in each call, so that waking it costs little."""

MOST_LANES, MOST_WORKERS = 64, 64
"""Lanes of one worker; workers that wait."""


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        step, step_p99: Median and 99th percentile of one step, microseconds.
        reset: Median of one reset, microseconds.
        observation_bytes: Of the first observation, of all agents that are told one.
        steps_per_second: Of one copy in one thread, resets included.
        overhead: Share of a step's time that writing its observation into a row adds.
        busy: Processor time over time while stepping: far below 1 waits, above 1 has threads of its own.
        parallel: Rate of two threads over that of one: about 1 holds the GIL, 2 releases it; None if that fails.
        cores: Usable here.
    """

    step: float
    step_p99: float
    reset: float
    observation_bytes: int
    steps_per_second: float
    overhead: float
    busy: float
    parallel: float | None
    cores: int

    @property
    def mean(self) -> float:
        """Microseconds of a step, with its share of the resets."""
        return 1e6 / self.steps_per_second

    @property
    def waits(self) -> bool:
        """Whether it sleeps, or waits for something outside this process, most of the time."""
        return self.busy < 0.5

    @property
    def releases_gil(self) -> bool:
        """Whether a second thread helps."""
        return self.parallel is not None and self.parallel >= 1.5

    @property
    def uneven(self) -> bool:
        """Whether some steps or resets take so long that the others would wait for them."""
        return self.step_p99 > max(8 * self.mean, 4 * TURN) or self.reset > max(50 * self.mean, 4 * TURN)

    def gil(self) -> str:
        """Say what a second thread brings."""
        return (
            "two threads fail" if self.parallel is None else f"two threads are {self.parallel:.2f} times as fast as one"
        )

    def lines(self) -> list[tuple[str, str]]:
        """Write it as names and values."""
        return [
            ("step", f"{time_text(self.step)} (99 % below {time_text(self.step_p99)})"),
            ("reset", time_text(self.reset)),
            ("observation", f"{self.observation_bytes:,} bytes; copying it takes {self.overhead:.1%} of a step"),
            ("one copy", f"{self.steps_per_second:,.0f} steps/s, {self.busy:.0%} of a core"),
            ("GIL", self.gil()),
        ]


@dataclass(frozen=True)
class Settings:
    """Arguments of `workbench.make`, and why; None leaves one out."""

    backend: str
    lanes: int
    workers: int | None = None
    batch: int | None = None
    threads: int | None = None
    why: tuple[str, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """Return what to pass."""
        named = {name: getattr(self, name) for name in ("lanes", "backend", "workers", "batch", "threads")}
        return {name: value for name, value in named.items() if value is not None}

    def text(self) -> str:
        """Write them as keyword arguments."""
        return ", ".join(f"{name}={value!r}" for name, value in self.arguments().items())

    def lines(self) -> list[tuple[str, str]]:
        """Write them as names and values."""
        return [("settings", self.text()), *(("", reason) for reason in self.why)]


NATIVE = {
    "kernel": Settings("native", 4096, why=("compiled: one call steps all lanes; more of them cost little",)),
    "mujoco": Settings("native", 64, why=("MuJoCo steps all lanes in one call, on threads of its own",)),
}
"""What to begin with where there is a native backend."""


def time_text(microseconds: float) -> str:
    """Write a time in three digits: `5.2 us`, `1.3 ms`."""
    for limit, unit in ((1e6, "s"), (1e3, "ms")):
        if microseconds >= limit:
            return f"{microseconds / limit:.3g} {unit}"
    return f"{microseconds:.3g} us"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Runner:
    """Steps one copy on and on, and keeps the times of single steps and resets."""

    def __init__(self, player: Player, seed: int) -> None:
        self.player = player
        self._choose = Chooser(player, seed, ring=64)
        self.steps: list[float] = []
        self.resets: list[float] = []
        self._reset(seed)
        for _ in range(WARM - 1):
            self._reset()
        self.observation_bytes = sum(size(told.observation) for told in self.told.values())

    def _reset(self, *seed: int) -> None:
        start = time.perf_counter()
        self.told = self.player.reset(*seed)
        self.resets.append(time.perf_counter() - start)

    def run(self, *, seconds: float = math.inf, steps: float = math.inf) -> float:
        """Take `steps` steps, or as many as fit into the time; return the seconds taken."""
        player, clock, taken = self.player, time.perf_counter, 0
        begin = clock()
        while taken < steps and (clock() - begin < seconds or taken < LEAST_STEPS):
            if not player.acting:
                self._reset()
                continue
            actions = self._choose(self.told)
            start = clock()
            result = player.act(actions)
            self.steps.append(clock() - start)
            self.told = player.read(result, actions)
            taken += 1
        return clock() - begin


def measure(subject: Subject) -> Speed:
    """Step one copy for `SECONDS`, then two in two threads; the recording must not have been cut short by a fault."""
    with ExitStack() as stack:
        first, second = (Runner(stack.enter_context(subject.player()), subject.seed + k) for k in range(2))
        cpu, queued = time.process_time(), _queued()
        wall = first.run(seconds=SECONDS)
        busy = (time.process_time() - cpu) / max(wall - (_queued() - queued), 1e-9)
        taken = len(first.steps)
        median = statistics.median(first.steps)
        ordered = sorted(first.steps)
        spent = sum(first.steps) + sum(first.resets[WARM:])
        copying = _copying(first, subject)
        return Speed(
            step=1e6 * median,
            step_p99=1e6 * ordered[math.ceil(0.99 * taken) - 1],
            reset=1e6 * statistics.median(first.resets),
            observation_bytes=first.observation_bytes,
            steps_per_second=taken / spent,
            overhead=copying / (median + copying),
            busy=busy,
            parallel=_parallel(first, second, max(3, taken // 3)),
            cores=cores(),
        )


def _queued() -> float:
    """Return the seconds that this thread has waited for a core in use; 0 where the system does not say."""
    try:
        return float(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _copying(runner: Runner, subject: Subject) -> float:
    """Return the seconds that writing one step's observations into rows takes; 0 where not all fit their space."""
    if any(sight.faults for _, _, sight in subject.trajectory.sights):
        return 0.0
    jobs = []
    for agent, told in runner.told.items():
        if told.observation is None:  # of an agent that is out
            continue
        # The copy is asked: it may have agents that the recording has not met.
        tree = SpaceTree(spaces_of(runner.player.env, agent)[0])
        jobs.append((tree.write, told.observation, tree.rows(1)))
    times = []
    for _ in range(50):
        start = time.perf_counter()
        for write, observation, row in jobs:
            write(observation, row.ctypes.data)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _parallel(first: Runner, second: Runner, steps: int) -> float | None:
    """Return how much faster two threads take steps than one; None if one of them fails."""
    alone, both = [], []
    for _ in range(3):
        alone.append(_in_threads([first], steps))
        both.append(_in_threads([first, second], steps))
    times = [*alone, *both]
    # The least times are those that whatever else runs here has disturbed the least.
    return None if math.inf in times else 2 * min(alone) / min(both)


def _in_threads(runners: list[Runner], steps: int) -> float:
    """Run each in a thread of its own; return the seconds until all are done, infinite if one fails."""
    done = []

    def take(runner: Runner) -> None:
        # An environment that does not like threads is a result.
        attempt(lambda: done.append(runner.run(steps=steps)))

    # Daemons: after Ctrl-C, a copy that hangs does not keep the process.
    threads = [threading.Thread(target=take, args=(runner,), daemon=True) for runner in runners]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start if len(done) == len(runners) else math.inf


def recommend(speed: Speed, *, native: str = "") -> Settings:
    """Derive settings of `workbench.make` from what was measured.

    Args:
        speed: Of one copy.
        native: "kernel" or "mujoco" where the native backend has this environment.
    """
    if native:
        return NATIVE[native]
    why = []
    workers, backend = speed.cores, "processes"
    if speed.waits:
        workers = min(MOST_WORKERS, math.ceil(speed.cores / max(speed.busy, speed.cores / MOST_WORKERS)))
        why.append(f"it waits {1 - speed.busy:.0%} of the time: more workers than cores")
    if speed.releases_gil:
        backend = "threads"
        why.append(f"{speed.gil()}: it releases the GIL")
    elif speed.cores == 1 and not speed.waits:
        backend = "serial"
        why.append("there is one core")
    else:
        why.append(f"{speed.gil()}: it holds the GIL, or other programs hold the cores")
    share = 2 ** math.ceil(math.log2(max(1.0, TURN / speed.mean)))
    share = min(MOST_LANES, max(share, 1 if speed.waits else 4))
    why.append(
        f"a step takes {time_text(speed.mean)} with its share of resets: a worker is worth waking for {share} lanes"
    )
    lanes, batch = share * workers, None
    if speed.uneven and backend != "serial":
        lanes, batch = 2 * lanes, lanes
        slow = f"1 step in 100 takes over {time_text(speed.step_p99)}, a reset {time_text(speed.reset)}"
        why.append(f"{slow}: the first half that is ready need not wait (no batch for a Trainer, which steps all)")
    if speed.busy > 1.5:
        why.append(f"it uses {speed.busy:.1f} cores by itself: limit its own threads to one before adding workers")
    return Settings(backend, lanes, None if backend == "serial" else workers, batch, why=tuple(why))
