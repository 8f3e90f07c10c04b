"""What a page, or a cell, may ask of a scene: one small message each, checked here."""

from typing import Any

from workbench.envs.native import check_seed
from workbench.errors import InputError

LANES = 64
PACE = 1000.0  # steps per second, at most
MODES = ("training", "play")
POLICIES = ("greedy", "sample")


def checked(message: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """Return `message`, its numbers as numbers.

    Args:
        message: Says by its `kind` what is wanted; what else it holds depends on that.
        keys: The actions that a person may take.

    Raises:
        InputError: If a value is out of range, or the kind is unknown.
    """
    kind = message.get("kind")
    check = CHECKS.get(str(kind))
    if check is None:
        raise InputError(f"message kind={kind!r} is unknown; send one of: {', '.join(CHECKS)}.")
    return {**message, **check(message, keys)}


def check_lanes(lanes: Any) -> int:
    """Return `lanes`.

    Raises:
        InputError: If so many cannot be shown.
    """
    if isinstance(lanes, bool) or not isinstance(lanes, int) or not 1 <= lanes <= LANES:
        raise InputError(f"lanes={lanes!r} cannot be shown; pass an integer from 1 to {LANES}.")
    return lanes


def check_pace(pace: Any) -> float:
    """Return `pace`, in steps per second.

    Raises:
        InputError: If it is none.
    """
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 < pace <= PACE:
        raise InputError(f"pace={pace!r} is none; pass more than 0, at most {PACE:.0f} steps per second.")
    return float(pace)


def check_one(name: str, value: Any, known: tuple[str, ...]) -> str:
    """Return `value`.

    Raises:
        InputError: If it is not one of `known`.
    """
    if value not in known:
        raise InputError(f"{name}={value!r} is unknown; choose {' or '.join(map(repr, known))}.")
    return str(value)


def _index(message: dict[str, Any], name: str) -> int:
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name}={value!r} is no place; pass an integer.")
    return value


def _seed(message: dict[str, Any]) -> dict[str, Any]:
    text = str(message.get("seed", "")).strip()
    if not text.isascii() or not text.isdigit():
        raise InputError(f"seed={text!r} is not a seed; pass an integer from 0 to 2**64 - 1.")
    return {"seed": check_seed(int(text))}


def _key(message: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    key = message.get("key")
    if key is not None and key not in keys:
        raise InputError(f"key={key!r} takes no action; press one of: {', '.join(map(repr, keys)) or 'none'}.")
    return {"key": key}


def _frame(message: dict[str, Any]) -> dict[str, Any]:
    number, cost = message.get("frame", -1), message.get("cost", 0.0)
    return {
        "frame": number if isinstance(number, int) else -1,
        "hello": bool(message.get("hello")),
        "cost": float(cost) if isinstance(cost, int | float) and cost >= 0 else 0.0,
    }


def _nothing(_message: dict[str, Any], _keys: dict[str, Any]) -> dict[str, Any]:
    return {}


CHECKS: dict[str, Any] = {
    "more": lambda message, _: _frame(message),
    "mode": lambda message, _: {"mode": check_one("mode", message.get("mode"), MODES)},
    "policy": lambda message, _: {"policy": check_one("policy", message.get("policy"), POLICIES)},
    "pace": lambda message, _: {"pace": check_pace(message.get("pace"))},
    "lanes": lambda message, _: {"lanes": check_lanes(message.get("lanes"))},
    "select": lambda message, _: {"lane": _index(message, "lane")},
    "look": lambda message, _: {"place": _index(message, "place")},
    "restart": lambda message, _: _seed(message),
    "key": _key,
    "play": _nothing,
    "pause": _nothing,
    "step": _nothing,
    "back": _nothing,
    "branch": _nothing,
    "dismiss": _nothing,
}
"""What each kind of message must hold."""
