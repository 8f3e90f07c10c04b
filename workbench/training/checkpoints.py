"""Checkpoints: an object lists in `saved` what it keeps, and this file does the rest.

Safetensors and JSON, never pickle. A checkpoint is a folder with `tensors.safetensors` and `state.json`; it appears
under its name only once it is complete.
"""

import json
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.errors import CheckpointError, RunDirectoryError
from workbench.version import __version__

FORMAT = "rl-workbench checkpoint"
FORMAT_VERSION = 1
TENSORS, STATE = "tensors.safetensors", "state.json"

Tensors = dict[str, Tensor]
Scalars = dict[str, Any]


def gather(owner: Any, tensors: Tensors, scalars: Scalars, prefix: str = "") -> None:
    """Collect what `owner.saved` names, and what those objects save in turn, into tensors and JSON scalars."""
    for name in owner.saved:
        value, key = getattr(owner, name), prefix + name
        if isinstance(value, torch.nn.Module):
            tensors.update((f"{key}.{k}", x.detach().cpu()) for k, x in value.state_dict().items())
        elif isinstance(value, torch.optim.Optimizer):
            states = value.state_dict()["state"]
            tensors.update((f"{key}.{i}.{k}", x.cpu()) for i, state in states.items() for k, x in state.items())
        elif isinstance(value, torch.Generator):
            tensors[key] = value.get_state()
        elif isinstance(value, Tensor):
            tensors[key] = value.cpu()
        elif isinstance(value, np.ndarray):
            tensors[key] = torch.from_numpy(value.copy())
        elif hasattr(value, "saved"):
            gather(value, tensors, scalars, key + ".")
        else:
            scalars[key] = list(value) if isinstance(value, deque) else value


def scatter(owner: Any, tensors: Tensors, scalars: Scalars, prefix: str = "") -> None:
    """Put back, in place, what `gather` collected.

    Raises:
        KeyError, ValueError, RuntimeError: If something is missing or has another shape.
    """
    for name in owner.saved:
        value, key = getattr(owner, name), prefix + name
        part = {k.removeprefix(key + "."): x for k, x in tensors.items() if k.startswith(key + ".")}
        if isinstance(value, torch.nn.Module):
            value.load_state_dict(part)
        elif isinstance(value, torch.optim.Optimizer):
            states: dict[int, Tensors] = {}
            for k, x in part.items():
                index, _, field = k.partition(".")
                states.setdefault(int(index), {})[field] = x
            value.load_state_dict({"state": states, "param_groups": value.state_dict()["param_groups"]})
        elif isinstance(value, torch.Generator):
            value.set_state(tensors[key])
        elif isinstance(value, Tensor):
            value.copy_(tensors[key])
        elif isinstance(value, np.ndarray):
            if value.shape != tuple(tensors[key].shape):
                raise ValueError(f"{key} has shape {list(tensors[key].shape)}, not {list(value.shape)}")
            value[...] = tensors[key].numpy()
        elif hasattr(value, "saved"):
            scatter(value, tensors, scalars, key + ".")
        elif isinstance(value, deque):
            value.clear()
            value.extend(scalars[key])
        else:
            setattr(owner, name, scalars[key])


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def save_checkpoint(owner: Any, path: Path) -> None:
    """Write a checkpoint of `owner` at `path`, replacing one that stands there.

    Raises:
        RunDirectoryError: If it cannot be written.
    """
    tensors: Tensors = {}
    scalars: Scalars = {}
    gather(owner, tensors, scalars)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            save_file({name: x.contiguous().clone() for name, x in tensors.items()}, temporary / TENSORS)
            header = {"format": FORMAT, "format_version": FORMAT_VERSION, "workbench": __version__}
            write_json(temporary / STATE, {**header, "tensors": sorted(tensors), "scalars": scalars})
            if path.exists():
                shutil.rmtree(path)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise RunDirectoryError(f"checkpoint {str(path)!r} cannot be written: {error}.") from error


def load_checkpoint(owner: Any, path: Path) -> None:
    """Restore `owner` from the checkpoint at `path`.

    Raises:
        CheckpointError: If it is truncated, foreign, of a newer format, or of another network or environment.
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has no readable {STATE} ({error}); load another checkpoint."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint {str(path)!r} was not written by rl-workbench; pass one that was.")
    if state["format_version"] > FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has format {state['format_version']}, and this version reads {FORMAT_VERSION}; "
            f"upgrade rl-workbench (it was written by {state['workbench']})."
        )
    try:
        tensors = load_file(path / TENSORS)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {str(path)!r} is damaged ({error}); load an earlier one.") from error
    try:
        if sorted(tensors) != state["tensors"]:
            raise KeyError("tensors and state.json do not belong together")
        scatter(owner, tensors, state["scalars"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"checkpoint {str(path)!r} does not fit this run: {error}.") from error
