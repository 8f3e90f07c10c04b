"""Numbers that are not finite: where they are, and what is kept of them for whoever looks into it.

A measure that a batch leaves undefined, such as the explained variance of a constant, is none of this: a fault is a
loss that is not finite, or a part of the algorithm's state.
"""

import math
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.errors import NumericsError
from workbench.training.files import as_json, remove_folder, replace_folder, write_file
from workbench.training.saved import Scalars, Tensors, gather, walk
from workbench.training.tensors import as_safetensors

FOLDER = "faults"
KEPT = 3
"""Faults of a run whose evidence stays, the newest ones."""

NAMED = 3
"""Parts of an algorithm's state that an error names."""


@dataclass(frozen=True)
class Diagnosis:
    """What is not finite: by name, the value of a loss, or how many numbers of a state or gradient."""

    losses: dict[str, str]
    state: dict[str, str]
    gradients: dict[str, str]

    def __str__(self) -> str:
        parts = [f"{name} is {value}" for name, value in self.losses.items()]
        for kind, found in (("", self.state), ("the gradient of ", self.gradients)):
            parts += [f"{kind}{name} has {count} that are not finite" for name, count in list(found.items())[:NAMED]]
            parts += [f"so do {len(found) - NAMED} more"] if len(found) > NAMED else []
        return ", ".join(parts)


def diagnose(algorithm: Any, logged: dict[str, float]) -> Diagnosis | None:
    """Look for a fault.

    Args:
        algorithm: Whose state to look through.
        logged: Scalars of its updates.

    Returns:
        What was found; None if nothing was.
    """
    losses = {name: str(x) for name, x in logged.items() if name.endswith("loss") and not math.isfinite(x)}
    tensors: Tensors = {}
    scalars: Scalars = {}
    gather(algorithm, tensors, scalars)
    state = {name: count for name, x in tensors.items() if (count := _count(x))}
    if not losses and not state:
        return None
    gradients = {name: count for name, x in _gradients(algorithm) if (count := _count(x))}
    return Diagnosis(losses, state, gradients)


def check(algorithm: Any, logged: dict[str, float], steps: int) -> None:
    """Look for a fault.

    Raises:
        NumericsError: If there is one, after `steps` steps.
    """
    found = diagnose(algorithm, logged)
    if found is not None:
        raise NumericsError(f"after step {steps:,} {found}")


def _count(x: Tensor) -> str:
    if not x.is_floating_point() or math.isfinite(float(x.sum())) or not x.numel():
        return ""
    wrong = int((~torch.isfinite(x)).sum())
    return f"{wrong:,} of {x.numel():,} numbers" if wrong else ""


def _gradients(algorithm: Any) -> Iterator[tuple[str, Tensor]]:
    for key, value in walk(algorithm):
        if isinstance(value, torch.nn.Module):
            for name, parameter in value.named_parameters():
                if parameter.grad is not None:
                    yield f"{key}.{name}", parameter.grad


def keep_evidence(run_dir: Path, steps: int, about: dict[str, Any], batch: dict[str, Tensor], process: int = 0) -> Path:
    """Write what a fault left into `run_dir`; return the folder.

    Args:
        run_dir: Of the run.
        steps: When it was found.
        about: What is known, in JSON.
        batch: What was collected or learned from.
        process: Whose it is, of several; each but the first adds its number to the folder's name.

    Raises:
        OSError: If it cannot be written.
    """
    folder = run_dir / FOLDER
    path = folder / (f"{steps:015d}.{process}" if process else f"{steps:015d}")
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    hidden.mkdir(parents=True)
    try:
        write_file(hidden / "fault.json", [as_json(about)])
        write_file(hidden / "batch.safetensors", as_safetensors({name: x.cpu() for name, x in batch.items()}))
        replace_folder(path, hidden)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    found = sorted(folder.glob("[0-9]*"))
    newest = sorted({other.name.partition(".")[0] for other in found})[-KEPT:]
    for other in found:
        if other.name.partition(".")[0] not in newest:
            remove_folder(other)
    return path
