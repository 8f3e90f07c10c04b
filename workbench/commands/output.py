"""What commands print: one JSON object for machines, or lines for people."""

import json
import math
import sys
from pathlib import Path
from typing import Any

INTERRUPTED = 130
"""The exit code of a command ended by Ctrl-C: 128 + SIGINT, as shells have it."""


def finite(value: Any) -> Any:
    """Replace NaN and infinities, which JSON has no word for, by None, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def shown(path: str | Path) -> str:
    """Return a path as it is typed in the working directory."""
    here = Path.cwd()
    return str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path)


def print_json(record: dict[str, Any]) -> None:
    """Print `record` as one JSON object on one line."""
    sys.stdout.write(json.dumps(finite(record), allow_nan=False, default=str) + "\n")
    sys.stdout.flush()


def print_pairs(pairs: dict[str, Any]) -> None:
    """Print names and values in two aligned columns."""
    width = max(map(len, pairs))
    for name, value in pairs.items():
        print(f"{name:<{width}}  {value}")
