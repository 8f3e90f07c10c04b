"""Every algorithm goes on after kill -9 as if nothing had happened, and nobody may forget a field."""

import os
import subprocess
import sys
from collections import deque

import numpy as np
import pytest
import torch

from tests.training.cases import CASES, ITERATION, WHOLE, steer, trainer, whole
from tests.training.comparing import assert_same_state, untimed
from workbench.errors import CheckpointError
from workbench.events import Progress
from workbench.training.checkpoints import Checkpoint, read_checkpoint
from workbench.training.layout import checkpoints_of
from workbench.training.resuming import go_on
from workbench.training.saved import gather, walk

UNCOMPARED = {
    *("spent", "_pool", "_free"),  # what the clock decides, and threads
    *("addresses", "arrays", "_finished", "_frames", "_waiting"),  # where memory is, and what of it nobody reads
    *("final_observation", "_final_shown"),  # valid where an episode ended, and only in that step
    "defaults",  # of optimisers, which torch fills in when it loads them
}
"""Attributes that may differ between two learners that go on alike."""

FREE = {"goal", "target_return", "loop.nanoseconds", "loop.spent"}
"""What a run may have other than the one it is compared with."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("algorithms")


@pytest.fixture(scope="module")
def killed(folder):
    """Run directories of runs that were killed, by case."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([sys.executable, "-m", "tests.training.victims", str(folder)], env=environment, check=True)
    return {case: folder / case for case in CASES}


def halfway(case, folder):
    """Train towards the whole, stop after six iterations, and return the checkpoint."""
    made = steer(trainer(case, folder / f"half-{case}"))
    made.on(Progress, lambda event: made.stop() if event.steps == 6 * ITERATION else None)
    made.train(WHOLE)
    return read_checkpoint(checkpoints_of(made.run_dir)[-1])


def parts(value, seen, path=""):
    """Yield the numbers, tensors and texts that `value` is made of, by where they are."""
    if isinstance(value, torch.Generator):
        yield path, value.get_state()
    elif value is None or isinstance(value, bool | int | float | str | np.generic | torch.Tensor | np.ndarray):
        yield path, value
    elif id(value) in seen:
        return
    elif isinstance(value, list | tuple | deque):
        for index, part in enumerate(value):
            yield from parts(part, seen, f"{path}[{index}]")
    elif isinstance(value, dict):
        for index, (name, part) in enumerate(value.items()):
            yield from parts(part, seen, f"{path}[{name if isinstance(name, str) else index}]")
    elif type(value).__module__.split(".")[0] in ("workbench", "workbench_kernels", "tests", "torch"):
        seen.add(id(value))
        for name, part in getattr(value, "__dict__", {}).items():
            if name not in UNCOMPARED:
                yield from parts(part, seen, f"{path}.{name}")


def same(one, other):
    if isinstance(one, torch.Tensor | np.ndarray):
        left, right = torch.as_tensor(one), torch.as_tensor(other)
        return left.shape == right.shape and torch.equal(torch.nan_to_num(left), torch.nan_to_num(right))
    return one == other or (one != one and other != other)


def differences(one, other):
    """Name what differs in two learners, whether anybody saves it or not."""
    left, right = dict(parts(one, set())), dict(parts(other, set()))
    unequal = {name for name in left.keys() & right.keys() if not same(left[name], right[name])}
    return sorted(unequal | (left.keys() ^ right.keys()))


def assert_same_run(expected, resumed):
    assert_same_state(expected, resumed)
    assert differences(expected.loop.learner, resumed.loop.learner) == []


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_resumes_bit_for_bit(case, killed, folder):
    expected = whole(case, folder)
    resumed = steer(trainer(case, killed[case], resume="auto"))
    assert resumed.steps == 6 * ITERATION
    resumed.train(WHOLE - resumed.steps)
    assert_same_run(expected, resumed)
    assert untimed(expected.metrics).equals(untimed(resumed.metrics))
    assert expected.metrics.changes() == resumed.metrics.changes()


class Forgetful:
    """Remembers something that no checkpoint keeps."""

    def __init__(self, update):
        self.update, self.updates = update, 0

    def __call__(self, batch):
        self.updates += 1
        return self.update(batch)


def test_state_that_nobody_saves_is_found(folder):
    one, other = (trainer("ppo-torch", folder / name) for name in ("forgetful", "unused"))
    for made in (one, other):
        made.algorithm.update = Forgetful(made.algorithm.update)
    one.train(ITERATION)
    go_on(other, None, read_checkpoint(checkpoints_of(one.run_dir)[-1]))
    one.train(ITERATION)
    other.loop.run(2 * ITERATION, lambda: False)
    assert differences(one.loop.learner, other.loop.learner) == [".algorithm.update.updates"]


def forgotten(kept, key, fresh):
    """Return the checkpoint as if `key` had been forgotten: in its place is what a new trainer has."""

    def mixed(kept, fresh):
        def inside(name):
            return name == key or name.startswith(f"{key}.")

        rest = {name: x for name, x in kept.items() if not inside(name)}
        return rest | {name: x for name, x in fresh.items() if inside(name)}

    return Checkpoint(kept.path, kept.about, mixed(kept.tensors, fresh[0]), mixed(kept.scalars, fresh[1]))


def equal(one, other):
    return (
        one.scalars == other.scalars
        and one.tensors.keys() == other.tensors.keys()
        and all(torch.equal(x, other.tensors[name]) for name, x in one.tensors.items())
    )


def becomes_another(point, case, expected, folder):
    """Go on from `point`, and tell whether that is another run than the expected one."""
    resumed = steer(trainer(case, folder / "unused"))
    try:
        go_on(resumed, None, point)
        resumed.loop.run(WHOLE, lambda: False)
        assert_same_run(expected, resumed)
    except (AssertionError, CheckpointError, KeyError):
        return True
    return False


@pytest.mark.parametrize("case", CASES)
def test_each_field_is_missed_when_it_is_forgotten(case, folder):
    kept, expected = halfway(case, folder), whole(case, folder)
    assert not becomes_another(kept, case, expected, folder)
    new = trainer(case, folder / "unused")
    tensors, scalars = {}, {}
    gather(new, tensors, scalars)
    fresh = {name: x.clone() for name, x in tensors.items()}, scalars
    changed = 0
    # Without a memory an episode's beginning matters to nobody; native lanes know it, so that torch may go on. Their
    # lengths are seen in rows alone, which the runs that are killed compare.
    unseen = {"loop.source.first", "loop.running.running_length"}
    free = FREE | (unseen if new.backend == "native" else set())
    for key in [key for key, _ in walk(new) if key not in free]:
        point = forgotten(kept, key, fresh)
        if not equal(point, kept):
            changed += 1
            assert becomes_another(point, case, expected, folder), f"nobody misses {key}"
    assert changed > 10
