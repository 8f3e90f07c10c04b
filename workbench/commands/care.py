"""How a run is looked after, and who is told of it: the flags that `train` and `resume` share.

What is left out stays as the trainer, or the run, has it.
"""

from collections.abc import Mapping
from typing import Any

from workbench.commands.settings import option

CARE = (
    option("sinks", str, "where the run is told of: tensorboard, trackio, wandb, with commas between them"),
    option("record_every", int, "environment steps between two recorded episodes", low=1),
    option("evaluate_every", int, "environment steps between two evaluations", low=1),
    option("evaluate_episodes", int, "greedy episodes of an evaluation", low=1),
    option("checkpoint_seconds", float, "least seconds between two checkpoints", low=0.0),
    option("control", str, "who may steer it: loopback (this machine), off, or a host to listen at"),
    option("keep_last", int, "checkpoints that stay, the newest", low=1),
    option("keep_best", bool, "whether the best one stays too"),
    option("on_nan", str, "what to do when numbers are not finite any more", choices=("stop", "rollback")),
    option("rollback_learning_rate", float, "factor on the learning rate with each rollback", high=1.0),
)


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the trainer's arguments for what is given of `CARE`."""
    given = {each.name: settings[each.name] for each in CARE if settings[each.name] is not None}
    if "sinks" in given:
        given["sinks"] = [name.strip() for name in given["sinks"].split(",") if name.strip()]
    return given
