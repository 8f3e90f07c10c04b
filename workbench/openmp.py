"""How OpenMP's idle threads wait. Import this before torch.

GNU OpenMP lets a thread that waits spin on its core. As soon as another process wants a core (a browser that draws the
panel), the waiting thread keeps the one it waits for from running, and every parallel region takes a scheduler's time
slice: measured, training became 20 to 60 times slower. A passive wait sleeps instead, and costs microseconds.
"""

import os
import sys

if "torch" not in sys.modules:  # the runtime reads its settings once, when it is loaded
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
