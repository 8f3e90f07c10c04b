"""Measure steps per second.

Of the environment alone (random), with PPO's network acting (mlp), or of PPO
end to end (train). Everything is compiled and warm before the clock starts.
"""

import argparse
import dataclasses
from typing import Any

from workbench.commands.output import print_json, print_pairs
from workbench.commands.settings import add_flags, from_flags, option
from workbench.errors import InputError
from workbench.hyperparameters import Hyperparameter
from workbench.ui.terminal import magnitude

POLICIES = ("random", "mlp", "train")
HYPERPARAMETERS = ("epochs", "horizon")
"""Those of PPO that decide how fast it is; their help and ranges come from its declarations."""

SETTINGS = (
    option("lanes", int, "environments stepped side by side", default=4096, low=1),
    option("seconds", float, "least time of each repeat", default=2.0, low=0.001),
    option("repeats", int, "measurements; the median counts", default=3, low=1),
    option("seed", int, "of everything random", default=0, low=0),
    option("threads", int, "threads of what is measured: of the environment for random, else of the learner", low=1),
    dataclasses.replace(option("policy", str, "what to measure", default="random"), choices=POLICIES),
    dataclasses.replace(
        option("backend", str, "as of train; for random it is the environment's alone", default="auto"),
        choices=("auto", "native", "torch", "serial"),
    ),
)


def hyperparameters() -> list[Hyperparameter]:
    """Return PPO's declarations of `HYPERPARAMETERS`."""
    from workbench.algorithms import PPO
    from workbench.hyperparameters import declared

    return [declared(PPO)[name] for name in HYPERPARAMETERS]


def configure(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Add the arguments of `bench`."""
    parser.add_argument("environment", metavar="ENV", help="a name `workbench list` shows, or a Gymnasium id")
    add_flags(parser, SETTINGS)
    add_flags(parser.add_argument_group("hyperparameters of PPO, for mlp and train"), hyperparameters())


def measure(environment: str, settings: dict[str, Any], given: dict[str, Any]) -> Any:
    """Run the benchmark that `settings` choose.

    Raises:
        InputError: If a setting does not apply to the policy.
    """
    from workbench import benchmark

    policy, backend = settings["policy"], settings["backend"]
    options = {name: settings[name] for name in ("lanes", "seconds", "seed", "threads", "repeats")}
    options["environment_id"] = environment
    unused = [name for name in given if policy == "random" or (policy == "mlp" and name == "epochs")]
    if unused:
        raise InputError(f"--{unused[0]}={given[unused[0]]} has no meaning with --policy {policy}; use --policy train.")
    if policy == "random":
        if backend == "torch":
            raise InputError("--backend=torch has no meaning with --policy random; use --policy mlp or train.")
        return benchmark.random_policy(backend=backend, **options)
    return (benchmark.mlp_policy if policy == "mlp" else benchmark.training)(backend=backend, **options, **given)


def run(options: argparse.Namespace) -> int:
    """Measure and report; return 0."""
    settings = from_flags(SETTINGS, options, "bench")
    values = from_flags(hyperparameters(), options, "PPO")
    given = {name: value for name, value in values.items() if getattr(options, name) is not None}
    result = measure(options.environment, settings, given)
    if options.json:
        print_json({"steps_per_second": result.steps_per_second, **dataclasses.asdict(result)})
        return 0
    spread = f"{magnitude(min(result.repeats))} to {magnitude(max(result.repeats))}"
    print_pairs(
        {
            "environment": f"{result.environment} ({result.backend})",
            "policy": " ".join([result.policy, *(f"{name}={value}" for name, value in result.settings.items())]),
            "lanes": result.lanes,
            "threads": result.threads,
            "steps per second": f"{magnitude(result.steps_per_second)}  (median of {len(result.repeats)}: {spread})",
            "processor": result.processor,
            "versions": ", ".join(f"{name} {found}" for name, found in result.versions.items()),
        }
    )
    return 0
