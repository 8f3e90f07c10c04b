"""How OpenMP's idle threads wait. Import this before torch.

GNU OpenMP lets a thread that waits spin on its core for milliseconds. As soon as another process wants a core (a
browser that draws the panel), the waiting thread keeps the one it waits for from running, and every parallel region
takes a scheduler's time slice: measured, training became 20 to 60 times slower. A thread that sleeps at once costs a
wake-up per region: rollouts were 2.5 times slower on an idle machine. So it spins for some ten microseconds, then
sleeps.
"""

import os
import sys

SPINS = 10_000

if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:  # the runtime reads them once, when it is loaded
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
