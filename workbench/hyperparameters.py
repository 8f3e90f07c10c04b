"""Hyperparameters, declared once.

One declaration serves validation, the command line, the notebook's sliders, the tuner's ranges, papermill and the docs:

    @configurable
    class PPO:
        learning_rate: float = hyperparameter(3e-4, low=1e-6, high=1e-1, log=True, live=True, help="of Adam")
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import numpy as np

from workbench.errors import InputError, unknown_name

Value = bool | int | float | str
T = TypeVar("T")
_KEY = "hyperparameter"
ARTICLED = {bool: "a bool", int: "an int", float: "a float", str: "a str"}


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """What one hyperparameter accepts.

    Attributes:
        name: The attribute it declares.
        kind: `bool`, `int`, `float` or `str`.
        default: The value used when none is given.
        low, high: Inclusive bounds, or None.
        log: Whether a slider or a tuner should move it on a logarithmic scale.
        live: Whether it may change while training runs.
        choices: The values accepted, or None for a range.
        help: One phrase: what it does, with its unit.
        off: Whether 0 is accepted too, though it is below `low`.
    """

    name: str
    kind: type
    default: Value
    low: float | None
    high: float | None
    log: bool
    live: bool
    choices: tuple[Value, ...] | None
    help: str
    off: bool = False

    def validate(self, value: Any, owner: str) -> Value:
        """Return `value` as this hyperparameter's kind.

        Raises:
            InputError: If it is of another kind, not finite, out of range, or not among the choices.
        """
        if isinstance(value, np.generic):
            value = value.item()
        where = f"{owner}.{self.name}={value!r}"
        integral = isinstance(value, int) or (isinstance(value, float) and value.is_integer() and self.kind is int)
        fits = {
            bool: isinstance(value, bool),
            int: integral and not isinstance(value, bool),
            float: isinstance(value, int | float) and not isinstance(value, bool),
            str: isinstance(value, str),
        }[self.kind]
        if not fits:
            raise InputError(f"{where} is not of type {self.kind.__name__}; pass {ARTICLED[self.kind]}.")
        value = self.kind(value)
        if self.choices is not None and value not in self.choices:
            raise InputError(f"{where} is not accepted; choose one of {', '.join(map(repr, self.choices))}.")
        if self.kind is float and not math.isfinite(value):
            raise InputError(f"{where} is not finite; pass a finite number.")
        below = self.low is not None and value < self.low and not (self.off and value == 0)
        if below or (self.high is not None and value > self.high):
            raise InputError(f"{where} is out of range; choose a value {self.range()}.")
        return typing.cast(Value, value)

    def parse(self, text: str, owner: str) -> Value:
        """Read a value from a command line, an environment variable or a slider's text."""
        try:
            if self.kind is bool:
                return self.validate({"true": True, "1": True, "false": False, "0": False}[text.lower()], owner)
            return self.validate(self.kind(float(text)) if self.kind is int and "e" in text else self.kind(text), owner)
        except (KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{owner}.{self.name}={text!r} is not of type {self.kind.__name__}; pass {ARTICLED[self.kind]}."
            ) from None

    def range(self) -> str:
        """Describe the accepted values in words."""
        if self.choices is not None:
            return " or ".join(map(repr, self.choices))
        if self.low is not None and self.high is not None:
            return f"{'of 0, or ' if self.off else ''}from {self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"of at least {self.low:g}"
        return f"of at most {self.high:g}" if self.high is not None else "of its type"


def hyperparameter(
    default: T,
    *,
    low: float | None = None,
    high: float | None = None,
    off: bool = False,
    log: bool = False,
    live: bool = False,
    choices: tuple[Any, ...] | None = None,
    help: str = "",
) -> T:
    """Declare a field of a `configurable` class; see `Hyperparameter` for the arguments."""
    settings = {"low": low, "high": high, "off": off, "log": log, "live": live, "choices": choices, "help": help}
    return dataclasses.field(default=default, metadata={_KEY: settings})


def declared(owner: Any) -> dict[str, Hyperparameter]:
    """Return the hyperparameters of a `configurable` class or instance, by name, in order of declaration."""
    cls = owner if isinstance(owner, type) else type(owner)
    return typing.cast(dict[str, Hyperparameter], cls.__hyperparameters__)  # type: ignore[attr-defined]


def changeable(owner: Any) -> dict[str, Hyperparameter]:
    """Return the hyperparameters of a `configurable` instance that may change while training runs, by name."""
    fixed = getattr(owner, "_fixed", {})
    return {name: each for name, each in declared(owner).items() if each.live and name not in fixed}


def values(owner: Any) -> dict[str, Value]:
    """Return the current value of every hyperparameter of a `configurable` instance."""
    return {name: getattr(owner, name) for name in declared(owner)}


@dataclass_transform(kw_only_default=True)
def configurable(cls: type[T]) -> type[T]:
    """Make a keyword-only dataclass whose hyperparameters are checked whenever they are set.

    Once the instance is in use (`lock`), only those declared `live` may change.
    """
    built = dataclasses.dataclass(kw_only=True, eq=False)(cls)
    hints = typing.get_type_hints(built)
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(built)  # type: ignore[arg-type]
    known = {
        field.name: Hyperparameter(
            name=field.name, kind=hints[field.name], default=typing.cast(Value, field.default), **field.metadata[_KEY]
        )
        for field in fields
        if _KEY in field.metadata
    }
    initialise: Callable[..., None] = built.__init__

    def __init__(self: Any, **settings: Any) -> None:
        for name in settings:
            if name not in known:
                raise unknown_name(f"{cls.__name__} hyperparameter", name, known)
        initialise(self, **settings)

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if name in known:
            value = known[name].validate(value, cls.__name__)
            if getattr(self, "_locked", False) and value != getattr(self, name):
                _refuse_fixed(self, name, value)
        object.__setattr__(self, name, value)

    for name, member in {"__init__": __init__, "__setattr__": __setattr__, "__hyperparameters__": known}.items():
        setattr(built, name, member)
    return built


def _refuse_fixed(owner: Any, name: str, value: Value) -> None:
    """Raise InputError unless the hyperparameter `name` of the locked `owner` may change."""
    live = changeable(owner)
    if name in live:
        return
    kind = type(owner).__name__
    why = owner._fixed.get(name, f"make a new {kind}({name}={value!r})")
    raise InputError(
        f"{kind}.{name}={value!r} cannot change once training has begun; {why}, or change a live one: "
        f"{', '.join(live)}."
    )


def lock(owner: Any, fixed: Mapping[str, str] = types.MappingProxyType({})) -> None:
    """Let only the live hyperparameters of `owner` change from now on.

    Args:
        owner: A `configurable` instance.
        fixed: Those that may not change here though they be live, each with what to do instead, for the error.
    """
    owner._locked, owner._fixed = True, dict(fixed)


def unlock(owner: Any) -> None:
    """Let every hyperparameter of `owner` change again."""
    owner._locked, owner._fixed = False, {}
