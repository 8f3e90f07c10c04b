"""What two runs must have in common to be the same run."""

import torch

from workbench.training.saved import gather

TIMED = ("loop.nanoseconds", "loop.spent")


def untimed(metrics):
    """The rows, without the columns that are seconds."""
    frame = metrics.to_pandas()
    return frame[[name for name in frame.columns if "second" not in name]]


def contents(trainer):
    """Everything a checkpoint would keep, but for what the clock says, as copies."""
    tensors, scalars = {}, {}
    gather(trainer, tensors, scalars)
    for name in ("loop.nanoseconds", "loop.spent", "goal"):
        scalars.pop(name)
    return {name: x.clone() for name, x in tensors.items()}, scalars


def assert_same_state(one, other):
    tensors, scalars = contents(one)
    others, other_scalars = contents(other)
    assert tensors.keys() == others.keys()
    assert scalars == other_scalars
    for name, x in tensors.items():
        assert torch.equal(x, others[name]), name
