"""Files that are whole or not there: written, synced, and only then given their names."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any


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


def sync_folder(path: Path) -> None:
    """Bring the names in a folder down to the disk, where the system can."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Give `path` another content as a whole, without waiting for the disk: a crash of the machine may lose it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


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
