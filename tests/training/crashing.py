"""A process whose children die at one file operation after another, or at any moment: run with a folder and a kind.

It prints, for each child, where that worked and how it ended.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tests.training import trivial
from workbench.events import CheckpointSaved
from workbench.training import journal
from workbench.training.metrics import Metrics
from workbench.training.run_directory import RunDirectory

WATCHED = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"}


def complete(folder):
    """Return the file beside `folder` that says how far it certainly is."""
    return folder.with_suffix(".complete")


def told(folder):
    """Return how far the child said that it was."""
    return int(complete(folder).read_text() or 0) if complete(folder).exists() else 0


def train(run_dir, iterations):
    """Train with a checkpoint after every third iteration; say which ones are complete."""
    made = trivial.trainer(run_dir, resume="auto", checkpoint_seconds=3600.0, keep_last=1, metrics_bytes=1 << 16)
    made.on(CheckpointSaved, lambda event: complete(run_dir).write_text(str(event.steps)))
    for _ in range(iterations // 3):
        made.train(3 * trivial.LANES)


def write(folder, entries):
    """Write a journal whose segments are merged; say which entries are complete."""
    folder.mkdir()
    made = journal.Journal(1 << 11)
    made.open(folder)
    for steps in range(1, entries + 1):
        made.write({"steps": steps, "iterations": 1, "loss": 0.1})
        complete(folder).write_text(str(steps))


class Owner:
    """Has a tensor, and a number that says which checkpoint it is of."""

    saved = ("tensor", "number")

    def __init__(self, number=0):
        self.tensor, self.number = torch.full((9,), float(number)), number


def save(run_dir):
    """Write four checkpoints, of which two stay, and the best."""
    directory = RunDirectory(run_dir, keep_last=2)
    directory.open({"env": "none"}, Metrics(), 0)
    for steps, score in ((1, 1.0), (2, 5.0), (3, None), (4, None)):
        best = None if score is None else {"mean_return": score, "measured_by": "training"}
        directory.checkpoint(Owner(steps), steps, {}, best)
        complete(run_dir).write_text(str(steps))


def child(work):
    """Do `work` in a child of this process."""
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(0)
    return process


def running(process):
    """Whether a child has not ended; if it has, it can still be waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def doomed(work, folder, die_at):
    """Do `work`, and die at the file operation `die_at` inside of `folder`."""
    seen = 0

    def hook(event, arguments):
        nonlocal seen
        if event in WATCHED and f"{arguments[0]}{os.sep}".startswith(f"{folder}{os.sep}"):
            seen += 1
            if seen == die_at:
                os._exit(9)

    sys.addaudithook(hook)
    work()


def every_operation(folder, work):
    """Let children die at operation 1, 2, 3, ... of `work` until one gets through."""
    die_at, code = 0, 9
    while code != 0:
        die_at += 1
        place = folder / f"{die_at:04d}"
        process = child(lambda place=place, die_at=die_at: doomed(lambda: work(place), place, die_at))
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        print(json.dumps([str(place), code]), flush=True)


def any_moment(folder, times):
    """Kill a run again and again, wherever it is; each child goes on with what the one before left.

    One in ten gets on by a few checkpoints first, however slow the machine is.
    """
    moments = random.Random(0)
    run_dir = folder / "run"
    for n in range(times):
        before = told(run_dir)
        process = child(lambda: train(run_dir, 3_000_000))
        while n % 10 == 9 and running(process) and told(run_dir) < before + 12 * trivial.LANES:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.05, 0.5))
        os.kill(process, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        print(json.dumps([str(run_dir), code]), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    place, kind = Path(sys.argv[1]), sys.argv[2]
    if kind == "training":
        journal.SEGMENTS = 256  # a segment is closed with every row
        every_operation(place, lambda run_dir: train(run_dir, 6))
    elif kind == "saving":
        every_operation(place, save)
    elif kind == "writing":
        journal.SEGMENTS = 8
        every_operation(place, lambda folder: write(folder, 60))
    else:
        journal.SEGMENTS = 64
        any_moment(place, 100)
