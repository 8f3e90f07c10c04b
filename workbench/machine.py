"""Describe the machine and the libraries a figure was measured with."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from workbench.version import __version__

LIBRARIES = ("numpy", "numba", "llvmlite", "torch", "gymnasium")
"""The libraries whose versions decide speed and results."""

DISTRIBUTION = "rl-workbench"


def installed(name: str) -> str | None:
    """Return the version of the distribution `name`, or None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Return the versions of Python, of this package and of `LIBRARIES`, without importing them."""
    own = {"python": platform.python_version(), "workbench": __version__}
    return own | {name: installed(name) for name in LIBRARIES}


def required(extra: str | None = None) -> dict[str, str]:
    """Return what this distribution requires, by name: the oldest version that works.

    Args:
        extra: The extra whose requirements to return; None for those of the package itself.
    """
    found = {}
    for line in requires(DISTRIBUTION) or []:
        requirement, _, marker = line.partition(";")
        belongs = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        parts = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?\s*>=\s*([\d.]+)", requirement)
        if parts and (belongs[1] if belongs else None) == extra:
            found[parts[1]] = parts[2]
    return found


def older(found: str, oldest: str) -> bool:
    """Say whether version `found` comes before `oldest`, by their leading numbers."""

    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text.partition("+")[0])]

    return numbers(found) < numbers(oldest)


def processor() -> str:
    """Name the processor."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        model = re.search(r"^model name\s*:\s*(.+)$", information.read_text(errors="replace"), re.MULTILINE)
        if model:
            return model[1].strip()
    return platform.processor() or platform.machine()


def processor_features() -> list[str]:
    """Return which of the vector extensions that matter here the processor has, where the system tells."""
    information = Path("/proc/cpuinfo")
    text = information.read_text(errors="replace") if information.is_file() else ""
    line = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    present = set(line[1].split()) if line else set()
    return [name for name in ("sse4_2", "avx2", "fma", "avx512f", "amx_tile", "asimd", "sve") if name in present]


def processors() -> int:
    """Count the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
