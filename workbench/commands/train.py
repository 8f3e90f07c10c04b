"""Train an algorithm in an environment; everything is kept in a run directory.

Every flag may also stand in the environment (--learning-rate is
WORKBENCH_LEARNING_RATE) or in the TOML file that --config names
(learning_rate = 3e-4). A flag wins over a variable, a variable over the file,
the file over the default.

Ctrl-C stops cleanly: the run is saved, and `workbench resume` goes on.
"""

import argparse
import os
from typing import Any

from workbench.commands.care import CARE, arguments
from workbench.commands.settings import (
    add_flags,
    flag,
    option,
    read_environment,
    read_file,
    resolve,
    variable,
)
from workbench.errors import InputError, unknown_name
from workbench.hyperparameters import Hyperparameter, declared

STEPS = 2_000_000

SETTINGS = {
    setting.name: setting
    for setting in (
        option("environment", str, "a name `workbench list` shows, an id registered with Gymnasium, or module:factory"),
        option("algorithm", str, "a name `workbench list` shows", default="ppo"),
        option("steps", int, "environment steps to train for, at most", default=STEPS, low=1),
        option("target_return", float, "stop once the mean episode return reaches this"),
        option("seed", int, "of everything random", default=0, low=0),
        option("lanes", int, "environments stepped side by side; left out, the trainer chooses", low=1),
        option("backend", str, "of the environment: auto, native, serial, threads or processes", default="auto"),
        option("workers", int, "threads or processes that step it; left out, one a core", low=1),
        option("device", str, "where the networks live, as torch names it", default="cpu"),
        option("run_dir", str, "directory of the run; left out, a fresh one under runs/"),
        option(
            "resume",
            str,
            "auto goes on with a run that is in --run-dir already, up to --steps in all",
            default="never",
            choices=("never", "auto"),
        ),
        *CARE,
    )
}
"""The settings of a run; those of its algorithm come on top, from their declarations."""


def algorithm_class(name: str) -> type:
    """Look up the algorithm called `name`."""
    from workbench.algorithms import ALGORITHMS

    if name not in ALGORITHMS:
        raise unknown_name("algorithm", name, ALGORITHMS)
    return ALGORITHMS[name]


def algorithm_name(arguments: list[str]) -> str:
    """Find out which algorithm is meant before its flags are known."""
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scout.add_argument(flag("algorithm"))
    scout.add_argument(flag("config"))
    try:
        options, _ = scout.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise InputError(f"{error}; name one, as in {flag('algorithm')} ppo.") from None
    given = (options.algorithm, os.environ.get(variable("algorithm")), read_file(options.config).get("algorithm"))
    return next((str(name) for name in given if name is not None), str(SETTINGS["algorithm"].default))


def configure(parser: argparse.ArgumentParser, given: list[str]) -> None:
    """Add the flags of a run, and of the algorithm that the arguments `given` choose."""
    cls = algorithm_class(algorithm_name(given))
    parser.add_argument("environment", nargs="?", metavar="ENV", help=SETTINGS["environment"].help)
    parser.add_argument(flag("config"), metavar="TOML", help="file of settings, one `name = value` a line")
    run_settings = [setting for setting in SETTINGS.values() if setting.name != "environment" and setting not in CARE]
    add_flags(parser.add_argument_group("the run"), run_settings)
    add_flags(parser.add_argument_group("its care", "what is left out stays as the trainer has it"), CARE)
    own = [setting for setting in declared(cls).values() if setting.name not in SETTINGS]
    add_flags(parser.add_argument_group(f"hyperparameters of {cls.__name__}"), own)
    parser.set_defaults(algorithm_class=cls)


def gather(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of the run, defaults filled in (None where there is none), and the hyperparameters given."""
    cls = options.algorithm_class
    known: dict[str, tuple[str, Hyperparameter]] = {name: (cls.__name__, own) for name, own in declared(cls).items()}
    known |= {name: ("train", setting) for name, setting in SETTINGS.items()}
    given = resolve(known, vars(options), read_environment(os.environ), read_file(options.config))
    run = {
        name: given.get(name, None if setting.default == "" else setting.default) for name, setting in SETTINGS.items()
    }
    if run["environment"] is None:
        raise InputError("ENV is missing; name an environment, as in `workbench train CartPole-v1`.")
    return run, {name: value for name, value in given.items() if name not in SETTINGS}


def run(options: argparse.Namespace) -> int:
    """Train; see `running.follow` for the exit code."""
    settings, hyperparameters = gather(options)
    import workbench as wb
    from workbench.commands.running import follow

    trainer = wb.Trainer(
        settings["environment"],
        options.algorithm_class(**hyperparameters),
        seed=settings["seed"],
        lanes=settings["lanes"],
        backend=settings["backend"],
        workers=settings["workers"],
        device=settings["device"],
        run_dir=settings["run_dir"],
        resume=settings["resume"],
        **arguments(settings),
    )
    return follow(trainer, settings["steps"] - trainer.steps, settings["target_return"], as_json=options.json)
