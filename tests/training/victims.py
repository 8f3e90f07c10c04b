"""A process that begins runs and is killed in the middle of each: one import of torch for all of them."""

import os
import signal
import sys
from pathlib import Path

from tests.training.cases import CASES, ITERATION, WHOLE, steer, trainer
from workbench.events import Progress


def run(case, run_dir):
    """Train until the sixth iteration has a checkpoint, and be killed while the ninth learns."""
    made = steer(trainer(case, run_dir))
    learn = made.loop.learner.learn

    def doomed():
        if made.steps == 8 * ITERATION:
            os.kill(os.getpid(), signal.SIGKILL)
        return learn()

    def save(event):
        if event.steps == 6 * ITERATION:
            made.save(run_dir)

    made.loop.learner.learn = doomed
    made.on(Progress, save)
    made.train(WHOLE)


if __name__ == "__main__":
    for case in CASES:
        child = os.fork()
        if child == 0:
            run(case, Path(sys.argv[1]) / case)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, case
