"""What this process uses of the machine: processors, memory, and memory of GPUs."""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

STATM = Path("/proc/self/statm")
"""Linux's account of a process's memory, in pages."""


class Resources:
    """Looks at this process now and then.

    Args:
        clock: Seconds on a clock that never goes back.
        processor: Seconds of all threads of this process on processors.

    Attributes:
        cores: Processors in use, on average between the last two looks; nan before the second.
        memory: Bytes in memory now, or at most so far where the system does not say.
        gpu: Bytes of GPU memory that torch holds; 0 without a GPU.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, processor: Callable[[], float] = time.process_time
    ) -> None:
        self._clock, self._processor = clock, processor
        self._since, self._used = clock(), processor()
        self.cores = float("nan")
        self.memory, self.gpu = resident(), 0

    def look(self, least: float = 0.5) -> None:
        """Bring the numbers up to date, unless the last look was less than `least` seconds ago."""
        now = self._clock()
        if now - self._since < least:
            return
        used = self._processor()
        self.cores = (used - self._used) / (now - self._since)
        self._since, self._used = now, used
        self.memory, self.gpu = resident(), held_on_gpus()


def resident() -> int:
    """Return the bytes that this process has in memory."""
    if STATM.exists():
        return int(STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def held_on_gpus() -> int:
    """Return the bytes that torch holds on all GPUs, without waking one up."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return sum(int(torch.cuda.memory_reserved(index)) for index in range(torch.cuda.device_count()))
