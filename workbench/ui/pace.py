"""How often pages are told of progress. Where a browser draws on the machine that trains, training pays for it."""

import contextlib
import math
import threading
import time
from pathlib import Path
from typing import Any

from workbench.machine import processors

SHARE = 0.005
"""Of the time, at most, that pages draw on their own thread while training wants every core.

The rest of a browser, the server and the kernel together spend two or three times as much on a drawing.
"""

MOST = 0.55
"""Of the cores: a process that uses more is taken to want them all."""

WAITING = 0.1
"""Threads of it that wait for a core, on the average: from then on there are not enough for all."""

LONGEST = 2.0
"""Seconds without news of progress that anybody should have to wait."""

WINDOW = 0.5
"""Seconds over which the use of the cores is measured, at least."""

RESTED = LONGEST + 1.0
"""Seconds without a question after which training must have rested meanwhile: what was found before stands."""

VIEWS_REMEMBERED = 16


class Pace:
    """Says how long to leave pages alone after they were told something. Its methods may be called on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._costs: dict[str, float | None] = {}
        self._since = time.monotonic(), time.process_time(), waited()
        self._scarce = False

    def hear(self, view: str, seconds: Any) -> bool:
        """Note what a drawing costs a page; None if nobody looks at it. Say whether somebody begins to look."""
        cost = float(seconds) if isinstance(seconds, int | float) else None
        with self._lock:
            before = self._costs.pop(view, None)
            self._costs[view] = cost
            for other in list(self._costs)[:-VIEWS_REMEMBERED]:
                del self._costs[other]
        return cost is not None and before is None

    def pause(self) -> float:
        """Return the seconds to wait before pages are told of progress again; infinite if nobody looks."""
        with self._lock:
            costs = [cost for cost in self._costs.values() if cost is not None]
            if self._costs and not costs:
                return math.inf
            return min(sum(costs) / SHARE, LONGEST) if self._cores_are_scarce() else 0.0

    def _cores_are_scarce(self) -> bool:
        now, used, idled = time.monotonic(), time.process_time(), waited()
        elapsed = now - self._since[0]
        if elapsed > RESTED:
            self._since = now, used, idled
        elif elapsed >= WINDOW:
            _, used_before, idled_before = self._since
            self._since = now, used, idled
            wants_all = used - used_before > MOST * processors() * elapsed
            self._scarce = wants_all or idled - idled_before > WAITING * elapsed
        return self._scarce


def waited() -> float:
    """Return the seconds for which threads of this process have waited for a core; 0 where the system doesn't tell."""
    total = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # a thread may end meanwhile
            total += int(path.read_bytes().split()[1])
    return total / 1e9
