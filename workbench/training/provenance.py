"""Where a run comes from: the versions of what it runs on, and the state of the user's own code."""

import os
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.machine import versions

GIT_SECONDS = 5.0
"""How long git may take."""


def provenance() -> dict[str, Any]:
    """Return, in JSON, what to know about this process: versions, and the git revision of the working directory."""
    return {"versions": versions(), "git": git_state(Path.cwd())}


def now() -> str:
    """Return the local time with its offset, ISO 8601."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the `revision` of the repository around `folder` and whether it is `dirty`: tracked files were changed.

    None outside of a repository, or where git does not answer.
    """
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    try:
        revision = _git(folder, "rev-parse", "HEAD")
        return {"revision": revision, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=GIT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip()
