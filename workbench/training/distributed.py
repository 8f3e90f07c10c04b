"""Training by several processes that `torchrun` starts: they act as they would as one, each on some of the lanes.

Weights, random numbers and minibatches are those of one process with all lanes; gradients are summed, and whatever is
decided is decided by all. The first process alone writes; a checkpoint holds all lanes, for any number of processes.
"""

import atexit
import os
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from workbench.envs.native import NativeVectorEnvironment
from workbench.errors import InputError
from workbench.processes import ALONE, Processes
from workbench.spec import VectorEnvironment
from workbench.training.checkpoints import parts_of
from workbench.training.learner import Outcome, TorchLearner
from workbench.training.run_directory import RunDirectory, free_name

PATIENCE = timedelta(days=7)
"""How long a process waits for the others: another one may be paused, and torchrun ends those that wait for a dead."""


def join(device: torch.device) -> Processes:
    """Join the processes that `torchrun` started with this one; there are none if it did not start this one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        return ALONE
    if not dist.is_initialized():
        backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
        store, rank, _ = next(rendezvous("env://"))
        if os.environ.get("LOCAL_WORLD_SIZE") == str(size):
            # torchrun keeps its store over restarts, with the addresses of processes that are gone
            # (https://github.com/pytorch/pytorch/issues/135712); its counts agree on one machine only.
            store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT')}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)
    return Processes(dist.get_rank(), size)


def device_of(device: torch.device) -> torch.device:
    """Return the GPU of this process, where a GPU is asked for."""
    if str(device) != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(own)
    return own


def share_of(env: VectorEnvironment, processes: Processes) -> VectorEnvironment:
    """Return the lanes of `env` that are this process's.

    Raises:
        InputError: If they cannot be dealt out.
    """
    if processes.size == 1:
        return env
    if not isinstance(env, NativeVectorEnvironment):
        raise InputError(
            f"env={env.id!r} is not stepped by kernels of one agent, whose lanes {processes.size} processes could "
            f"share; train in one process, without torchrun."
        )
    if env.lanes % processes.size:
        raise InputError(f"lanes={env.lanes} do not divide among {processes.size} processes; choose a multiple.")
    lanes = env.lanes // processes.size
    return env.part(processes.rank * lanes, lanes)


def check_applies(backend: str, algorithm: Any, habits: Any) -> None:
    """Look whether several processes can train `algorithm`.

    Raises:
        InputError: If they cannot.
    """
    from workbench.algorithms import PPO

    if backend in ("native", "asynchronous"):
        raise InputError(f"backend={backend!r} is of one process; pass backend='torch' with torchrun.")
    if type(algorithm) is not PPO:
        raise InputError(f"torchrun trains PPO, not {type(algorithm).__name__}; train in one process.")
    for name, value in {"normalise_observation": False, "normalise_return": False, "priority": 0.0}.items():
        if getattr(algorithm, name) != value:
            raise InputError(
                f"PPO.{name}={getattr(algorithm, name)!r} wants statistics of all lanes, which processes of torchrun "
                f"do not exchange; leave it out, or train in one process."
            )
    if habits.on_nan == "rollback":
        raise InputError("on_nan='rollback' is of one process; leave it out with torchrun.")


class DistributedLearner(TorchLearner):
    """A torch learner on some of the lanes, whose outcomes are those of all.

    Args:
        algorithm, env, device, seed: As of `TorchLearner`.
        processes: Who has the other lanes.
    """

    fixed = MappingProxyType({"priority": "train in one process to draw by priority"})

    def __init__(
        self, algorithm: Any, env: VectorEnvironment, device: torch.device, seed: int, processes: Processes
    ) -> None:
        super().__init__(algorithm, env, device, seed)
        self.processes = processes

    def collect(self) -> Outcome:
        """Take one round of steps in every lane of this process; return what happened in all."""
        mine = super().collect()
        _, ended, _ = self.source.outcome()
        t, lane = np.nonzero(ended.cpu().numpy())
        place = (t * self.processes.size + self.processes.rank) * ended.shape[1] + lane  # t, then the lane of all
        steps, places, returns, lengths = zip(
            *self.processes.objects((mine.steps, place, mine.returns, mine.lengths)), strict=True
        )
        order = np.argsort(np.concatenate(places))
        return Outcome(sum(steps), np.concatenate(returns)[order], np.concatenate(lengths)[order])


class ReadOnlyDirectory(RunDirectory):
    """The run directory of a process that is not the first: it gives what a checkpoint needs of it, and writes none."""

    def open(self, *_: Any) -> None:
        """Leave it to the first process; metrics stay in memory."""

    def checkpoint(self, owner: Any, steps: int, *_: Any) -> Path:
        """Give this process's part; return where the first one writes it."""
        path = free_name(self.path, steps)
        parts_of(owner)
        return path

    def copy_to(self, target: Path, owner: Any, *_: Any) -> Path:
        """Give this process's part."""
        parts_of(owner)
        return target


def directory_for(path: Path, keep_last: int, processes: Processes) -> RunDirectory:
    """Return the run directory, which is where the first process says."""
    path = processes.objects(path)[0]
    return RunDirectory(path, keep_last) if processes.rank == 0 else ReadOnlyDirectory(path, keep_last)
