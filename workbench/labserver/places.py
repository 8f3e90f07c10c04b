"""Where things lie below the root of a Jupyter server: nothing outside of it is named or read.

As in Jupyter's own file browser, a link below the root that leads elsewhere is followed.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import InputError

DEPTH = 6
"""Folders below the root in which folders of runs are looked for."""

MOST_FOLDERS = 5000
"""Looked into, at most, in one search."""

PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders in which no one keeps runs; nor does one in those whose name begins with a dot, or that hold a Python."""


def inside(root: Path, path: str, argument: str) -> Path:
    """Return the place called `path` below `root`.

    Raises:
        InputError: If it is not below it; the message says that it is of `argument`.
    """
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\", "~")) or ".." in parts or "\0" in path or ":" in parts[0]:
        raise InputError(f"{argument}={path!r} leads out of the server's folder; give a path below it, such as runs.")
    return root.joinpath(*(part for part in parts if part not in ("", ".")))


def below(root: Path, path: str | Path | None) -> str | None:
    """Return `path` as seen from `root`, with slashes; None if it is not below it."""
    if path is None:
        return None
    plain = Path(os.path.normpath(path))
    if plain.is_relative_to(root):
        return plain.relative_to(root).as_posix()
    real, base = plain.resolve(), root.resolve()
    return real.relative_to(base).as_posix() if real.is_relative_to(base) else None


def run_folders(root: Path, folder: str) -> list[Path]:
    """Return the folders of runs that `folder` means.

    Args:
        root: Of the server.
        folder: A name means every folder of that name at or below the root; a path with a slash, or ".", that one.

    Raises:
        InputError: If it leads out of the root.
    """
    place = inside(root, folder, "folder")
    if "/" in folder or place == root:
        return [place] if place.is_dir() else []
    return list(_named(root, folder))


def _named(root: Path, name: str) -> Iterator[Path]:
    """Find the folders called `name`, the uppermost first; they are not looked into for others."""
    level = [root]
    looked = 0
    for _ in range(DEPTH):
        inner: list[Path] = []
        for place in level[: MOST_FOLDERS - looked]:
            found = _folders(place)
            if name in found:
                yield place / name
            inner += (place / each for each, linked in found.items() if each != name and not linked)
        looked += len(level)
        level = inner


def _folders(place: Path) -> dict[str, bool]:
    """Return the folders in `place` by name, and whether each is a link; none of a virtual environment."""
    found: dict[str, bool] = {}
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name == "pyvenv.cfg":
                    return {}
                if entry.name[0] != "." and entry.name not in PASSED_OVER and entry.is_dir():
                    found[entry.name] = entry.is_symlink()
    except OSError:  # it went, or is not ours to read
        return {}
    return found
