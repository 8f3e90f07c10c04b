"""Files that are whole or not there: written, synced, and only then given their names.

Tensors are written as safetensors piece by piece: a replay buffer may be larger than the memory that is left.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PIECE = 1 << 26
"""Bytes copied at once, at most."""

TYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.float32: "F32",
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
    torch.complex64: "C64",
}
"""What safetensors calls them."""


def write_file(path: Path, pieces: Iterable[Any]) -> str:
    """Write bytes to a new file, down to the disk; return their SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("xb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_json(content: Any) -> bytes:
    """Write `content` as JSON that any reader takes: no NaN, no infinity."""
    return json.dumps(content, indent=2, allow_nan=False).encode()


def as_safetensors(tensors: dict[str, Tensor]) -> Iterator[Any]:
    """Yield the bytes of a safetensors file, the largest types first, so that all are aligned.

    Raises:
        TypeError: If a tensor is of a type that safetensors does not know.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {}
    offset = 0
    for name in names:
        x = tensors[name]
        if x.dtype not in TYPES:
            raise TypeError(f"{name} is of type {x.dtype}, which safetensors does not know.")
        size = x.numel() * x.element_size()
        header[name] = {"dtype": TYPES[x.dtype], "shape": list(x.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        yield from _pieces(tensors[name])


def _pieces(x: Tensor) -> Iterator[Any]:
    """Yield the bytes of a tensor; a large one is neither copied as a whole nor held as a whole."""
    size = x.numel() * x.element_size()
    if x.ndim > 1 and size > PIECE and not x.is_contiguous():
        for row in x:
            yield from _pieces(row)
        return
    flat = x.contiguous().reshape(-1).view(torch.uint8).numpy()
    for start in range(0, size, PIECE):
        yield flat[start : start + PIECE].data


def sync_folder(path: Path) -> None:
    """Bring the names in a folder down to the disk, where the system can."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    write_file(temporary, [as_json(content)])
    temporary.replace(path)
    sync_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder; a kill half-way leaves a hidden one, which nobody takes for whole."""
    hidden = path.with_name(f".{path.name}.gone")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        path.rename(hidden)
    except FileNotFoundError:
        return
    shutil.rmtree(hidden, ignore_errors=True)


def replace_folder(path: Path, new: Path) -> None:
    """Give the folder `new` the name `path`, and remove what has it; a kill leaves one of them whole."""
    aside = path.with_name(f".{path.name}.gone")
    shutil.rmtree(aside, ignore_errors=True)
    if path.is_dir():
        path.rename(aside)
    try:
        new.rename(path)
    except OSError:
        if aside.is_dir():
            aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)
