"""Where a setting comes from: a flag, else a `WORKBENCH_*` variable, else the configuration file, else the default.

All three use one set of names, those of the declarations: `learning_rate` is `--learning-rate` on the command line,
`WORKBENCH_LEARNING_RATE` in the environment and `learning_rate = 3e-4` in the file.
"""

import argparse
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import InputError, unknown_name
from workbench.hyperparameters import Hyperparameter, Value
from workbench.training.layout import RUNS_VARIABLE

PREFIX = "WORKBENCH_"


def option(
    name: str,
    kind: type,
    help: str,
    *,
    default: Value = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Value, ...] | None = None,
) -> Hyperparameter:
    """Declare a setting of a command as a hyperparameter is declared; an empty default means that it may be absent."""
    return Hyperparameter(
        name=name, kind=kind, default=default, low=low, high=high, log=False, live=False, choices=choices, help=help
    )


def flag(name: str) -> str:
    """Write a setting's name as a flag."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """Write a setting's name as an environment variable."""
    return PREFIX + name.upper()


def describe(setting: Hyperparameter) -> str:
    """Write a flag's help: what it does, what it accepts, its default."""
    accepts = "true or false" if setting.kind is bool else setting.range().removeprefix("of ")
    notes = [] if accepts == "its type" else [accepts]
    if setting.default != "":
        default = str(setting.default).lower() if setting.kind is bool else f"{setting.default}"
        notes.append(f"default {default}")
    if setting.live:
        notes.append("live")
    text = f"{setting.help} ({'; '.join(notes)})" if notes else setting.help
    return text.replace("%", "%%")


def add_flags(parser: argparse._ActionsContainer, settings: Iterable[Hyperparameter]) -> None:
    """Add one flag a setting; its text is read later, together with the other sources."""
    for setting in settings:
        metavar = "BOOL" if setting.kind is bool else setting.kind.__name__.upper()
        parser.add_argument(
            flag(setting.name), dest=setting.name, metavar=metavar, default=None, help=describe(setting)
        )


def read_file(path: str | None) -> dict[str, Value]:
    """Read a configuration file: TOML, one flat table of settings.

    Raises:
        InputError: If it cannot be read, is not TOML, or holds something other than plain values.
    """
    if path is None:
        return {}
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--config={path!r} cannot be read ({error.strerror}); name a TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--config={path!r} is not TOML ({error}); write lines such as `seed = 1`.") from None
    for name, value in table.items():
        if not isinstance(value, bool | int | float | str):
            raise InputError(
                f"{name} in --config={path!r} is a {type(value).__name__}; "
                "write every setting as `name = value`, without tables."
            )
    return table


def read_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings among the environment variables, by name in lower case."""
    names = [name for name in environ if name.startswith(PREFIX) and name != RUNS_VARIABLE]
    return {name.removeprefix(PREFIX).lower(): environ[name] for name in names}


def resolve(
    known: Mapping[str, tuple[str, Hyperparameter]],
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    file: Mapping[str, Value],
) -> dict[str, Value]:
    """Return the value of every setting that some source gives, the strongest source first.

    Args:
        known: For each name, its owner (for the error) and its declaration.
        flags: The text of each flag, None where it is absent.
        environment: The result of `read_environment`.
        file: The result of `read_file`.

    Raises:
        InputError: If a name is unknown or a value does not fit; the message says where it came from.
    """
    for name in environment:
        if name not in known:
            raise unknown_name("environment variable", variable(name), map(variable, known))
    for name in file:
        if name not in known:
            raise unknown_name("setting in the --config file", name, known)
    resolved: dict[str, Value] = {}
    for name, (owner, setting) in known.items():
        text = flags.get(name)
        source = flag(name)
        if text is None:
            text, source = environment.get(name), variable(name)
        try:
            if text is not None:
                resolved[name] = setting.parse(text, owner)
            elif name in file:
                source = "the --config file"
                resolved[name] = setting.validate(file[name], owner)
        except InputError as error:
            raise InputError(f"{error} (It was set by {source}.)") from None
    return resolved


def from_flags(settings: Iterable[Hyperparameter], options: argparse.Namespace, owner: str) -> dict[str, Any]:
    """Return the value of every setting of a command that takes flags only; None where one is absent."""
    declared = {setting.name: setting for setting in settings}
    defaults = {name: None if setting.default == "" else setting.default for name, setting in declared.items()}
    known = {name: (owner, setting) for name, setting in declared.items()}
    return defaults | resolve(known, vars(options), {}, {})
