"""Checkpoints: folders that hold what a run is made of, as safetensors and JSON, never pickle.

A folder has `tensors.safetensors`, `state.json` and `SHA256SUMS`, which tells a damaged file. It appears under its name
only once all three are on the disk.
"""

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from workbench.errors import CheckpointError, RunDirectoryError
from workbench.processes import ALONE
from workbench.training.files import as_json, digest_of, sync_folder, write_file
from workbench.training.saved import Scalars, Tensors, gather, scatter
from workbench.training.tensors import TYPES, as_safetensors
from workbench.version import __version__

FORMAT = "rl-workbench checkpoint"
FORMAT_VERSION = 2
LANE_AXES = {
    "loop.source.env.buffers.": -1,
    "loop.source.first": 0,
    "loop.source.carry": 0,
    "loop.running.": 0,
    "loop.algorithm.returns.running": 0,
}
"""Where a trainer's tensors have their lanes, which several processes share; by how their names begin."""

TENSORS, STATE, SUMS = "tensors.safetensors", "state.json", "SHA256SUMS"


class DamagedError(CheckpointError):
    """A checkpoint's files are not what was written; another one may be sound."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it was read.

    Attributes:
        path: Of its folder.
        about: What it says about its run, beside what `restore` puts back.
        tensors, scalars: What was gathered.
    """

    path: Path
    about: dict[str, Any]
    tensors: Tensors
    scalars: Scalars

    def restore(self, owner: Any) -> None:
        """Put everything back into `owner`.

        Raises:
            CheckpointError: If it is of another network, algorithm or environment; then `owner` is half-filled.
        """
        try:
            scatter(owner, _own(owner, self.tensors), self.scalars)
            tensors: Tensors = {}
            scalars: Scalars = {}
            gather(owner, tensors, scalars)
            if strange := sorted({*self.tensors, *self.scalars} - {*tensors, *scalars}):
                raise KeyError(f"it has no {', '.join(strange[:3])}")
        except (KeyError, ValueError, RuntimeError) as error:
            what = error.args[0] if isinstance(error, KeyError) else error
            raise CheckpointError(
                f"checkpoint {str(self.path)!r} does not fit this run: {str(what).rstrip('.')}."
            ) from error


def parts_of(owner: Any) -> tuple[Tensors, Scalars]:
    """Gather what `owner` is made of, with the lanes of all its `processes`, if it has some."""
    tensors: Tensors = {}
    scalars: Scalars = {}
    gather(owner, tensors, scalars)
    processes = getattr(owner, "processes", ALONE)
    if processes.size > 1:
        axes = {name: axis for name in tensors if (axis := _lane_axis(name)) is not None}
        everyones = processes.objects({name: tensors[name].numpy() for name in axes})
        for name, axis in axes.items():
            tensors[name] = torch.from_numpy(np.concatenate([part[name] for part in everyones], axis))
    return tensors, scalars


def _own(owner: Any, tensors: Tensors) -> Tensors:
    """Return the tensors with the lanes of this process alone."""
    processes = getattr(owner, "processes", ALONE)
    if processes.size == 1:
        return tensors
    mine = dict(tensors)
    for name, x in tensors.items():
        axis = _lane_axis(name)
        if axis is not None:
            mine[name] = x.tensor_split(processes.size, axis)[processes.rank].contiguous()
    return mine


def _lane_axis(name: str) -> int | None:
    """Return which axis of a trainer's tensor is of lanes; None if there is none."""
    return next((axis for prefix, axis in LANE_AXES.items() if name.startswith(prefix)), None)


def save_checkpoint(owner: Any, path: Path, about: dict[str, Any] | None = None) -> None:
    """Write a checkpoint of `owner` to `path`, where nothing stands yet.

    Args:
        owner: What names its parts in `saved`.
        path: A folder to be made.
        about: What to say about the run, in JSON.

    Raises:
        RunDirectoryError: If it cannot be written.
    """
    tensors, scalars = parts_of(owner)
    listing = {name: {"dtype": TYPES.get(x.dtype), "shape": list(x.shape)} for name, x in sorted(tensors.items())}
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, "workbench": __version__}
    state = {**header, **(about or {}), "scalars": scalars, "tensors": listing}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        temporary.mkdir()
        try:
            sums = {
                STATE: write_file(temporary / STATE, [as_json(state)]),
                TENSORS: write_file(temporary / TENSORS, as_safetensors(tensors)),
            }
            write_file(temporary / SUMS, [f"{digest}  {name}\n".encode() for name, digest in sums.items()])
            sync_folder(temporary)
            temporary.rename(path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise RunDirectoryError(f"checkpoint {str(path)!r} cannot be written: {error}.") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the checkpoint at `path`, all of it checked.

    Raises:
        DamagedError: If a file is missing, truncated, or has other bytes than were written.
        CheckpointError: If it is foreign, or of a format that this version does not read.
    """
    _check_sums(path)
    try:
        state = json.loads((path / STATE).read_bytes())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedError(
            f"checkpoint {str(path)!r} has no readable {STATE} ({error}); load another checkpoint."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint {str(path)!r} was not written by rl-workbench; pass one that was.")
    _check_version(path, state)
    if not (path / SUMS).exists():
        raise DamagedError(f"checkpoint {str(path)!r} is damaged (it has no {SUMS}); load an earlier one.")
    try:
        tensors = load_file(path / TENSORS)
    except (OSError, SafetensorError) as error:
        raise DamagedError(f"checkpoint {str(path)!r} is damaged ({error}); load an earlier one.") from error
    about = {name: part for name, part in state.items() if name not in ("scalars", "tensors")}
    return Checkpoint(path, about, tensors, state["scalars"])


def _check_version(path: Path, state: dict[str, Any]) -> None:
    version = state["format_version"]
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has format {version}, and this version reads {FORMAT_VERSION}; upgrade "
            f"rl-workbench (it was written by {state['workbench']})."
        )
    if version < FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has format {version}, and this version reads {FORMAT_VERSION} only; load it "
            f"with rl-workbench {state['workbench']}, which wrote it, or train anew."
        )


def _check_sums(path: Path) -> None:
    """Compare the files with `SHA256SUMS`, where there is one."""
    try:
        lines = (path / SUMS).read_bytes().decode("ascii", "replace").splitlines()
    except FileNotFoundError:
        return
    try:
        found = [f"{digest_of(path / name)}  {name}" for name in (STATE, TENSORS)]
    except OSError as error:
        raise DamagedError(f"checkpoint {str(path)!r} is damaged ({error}); load an earlier one.") from error
    wrong = [name for name, line in zip((STATE, TENSORS), found, strict=True) if line not in lines]
    if wrong:
        raise DamagedError(
            f"checkpoint {str(path)!r} is damaged ({' and '.join(wrong)} differ from {SUMS}); load an earlier one."
        )
