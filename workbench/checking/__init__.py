"""The environment doctor: whether an environment is sound, how fast it is, and how best to run it.

An environment is played once with random actions. Checks read that recording (`readings`, `pettingzoo`) or play
further copies against it (`experiments`); each is one small function that yields findings. Nothing that an environment
does wrong is raised.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from workbench.checking import experiments, pettingzoo, readings, speed, tuning
from workbench.checking.recording import Subject, raised, record
from workbench.checking.report import ERROR, OK, WARNING, Finding, Report
from workbench.checking.surroundings import global_generators, quiet_mujoco
from workbench.envs import TASKS, environment, native_id
from workbench.envs.single import NativeEnvironment
from workbench.envs.sources import Source, source_of
from workbench.errors import InputError
from workbench_kernels import Environment

__all__ = ["Finding", "Report", "check"]


@dataclass(frozen=True)
class Check:
    """One check: what it is about, what to say if it finds nothing, and the function that looks."""

    what: str
    healthy: str
    look: Callable[[Subject], Iterator[Finding]]


LIMIT = "time_limit"
"""The option that every native environment has."""

FIRST = (
    Check("interface", "reset and step return what they must", readings.interface),
    Check("spaces", "observations become tensors, and tensors actions", readings.spaces),
)
READINGS = (
    Check("action bounds", "no continuous action is unbounded or far from [-1, 1]", readings.action_bounds),
    Check("observation", "every observation lies in its space", readings.observations),
    Check("aliasing", "observations stay as they were returned", readings.aliasing),
    Check("flags", "terminated and truncated are bool", readings.flags),
    Check("ends", "episodes end, or have a time limit", readings.ends),
    Check("rewards", "finite numbers of a usable scale", readings.rewards),
    Check("infos", "dicts with constant keys", readings.infos),
    Check("action mask", "none, or fit for the actions", readings.masks),
)
CLOSING = (
    Check("close", "can be closed twice", readings.closing),
    Check("left behind", "no thread and no process after close()", readings.leftovers),
)
AGENTS = (
    Check("agents", "come and go as they must", pettingzoo.agents),
    Check("shared policy", "all agents have the same spaces", pettingzoo.shared_policy),
    Check("agent spaces", "each agent's spaces are the same objects at every call", pettingzoo.same_spaces),
)
EXPERIMENTS = (
    Check("determinism", "a seed decides everything, bit for bit", experiments.determinism),
    Check("reset", "works at any moment", experiments.resets),
    Check("action corners", "the least and the greatest actions are taken", experiments.corners),
)
API_TEST = Check("api test", "PettingZoo's own test passes", pettingzoo.api_test)


def examine(checks: tuple[Check, ...], subject: Subject) -> Iterator[Finding]:
    """Run checks; one that fails in the environment's code is itself a finding."""
    for each in checks:
        yield from _examine(each, subject)


def _examine(each: Check, subject: Subject) -> list[Finding]:
    try:
        return list(each.look(subject)) or [Finding(OK, each.what, each.healthy)]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever an environment does is a finding
        return [Finding(ERROR, each.what, f"a further copy raised {raised(error)}")]


def findings_of(subject: Subject) -> list[Finding]:
    """Run the checks that apply."""
    trajectory = subject.trajectory
    several = trajectory.kind in ("parallel", "turns")
    if not trajectory.moments:
        return list(examine((*FIRST, *CLOSING * bool(trajectory.kind)), subject))
    findings = list(examine((*FIRST, *READINGS, *CLOSING, *AGENTS * several), subject))
    if trajectory.crash is None:
        findings += examine(EXPERIMENTS, subject)
        if several and not any(finding.level in (ERROR, WARNING) for finding in findings):
            findings += examine((API_TEST,), subject)
    return findings


def check(
    env: Any,
    *,
    seed: int = 0,
    steps: int = 1000,
    tune: bool = False,
    tune_seconds: float = 20.0,
    max_agents: int | None = None,
    **options: Any,
) -> Report:
    """Examine an environment: spaces, determinism, resets, time limits, rewards, infos, masks, speed.

    It is built several times and played in this process. One that does not return from a call hangs the check too.

    Args:
        env: What the Trainer takes, but for vector environments: an id, "module:factory", a class, a callable, a
            `workbench_kernels.Environment`.
        seed: Of the environment and of the random actions.
        steps: How many to play; fewer where they take more than 20 s.
        tune: Measure vectorised settings besides, and say which are the fastest here.
        tune_seconds: How long that may take.
        max_agents: How many may be alive at once, where the environment does not list them.
        options: Given to the environment.

    Returns:
        A report; `report.ok` is False if there are errors.

    Raises:
        InputError: If an argument is out of range or names no environment.
    """
    whole = [("seed", seed, 0, 2**31 - 2), ("steps", steps, 1, 2**31)]
    whole += [] if max_agents is None else [("max_agents", max_agents, 1, 2**31)]
    for name, value, low, high in whole:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
            raise InputError(f"{name}={value!r} is out of range; pass an integer from {low} to {high}.")
    number = isinstance(tune_seconds, int | float | np.number) and not isinstance(tune_seconds, bool)
    if not number or not 0 < tune_seconds < math.inf:
        raise InputError(f"tune_seconds={tune_seconds!r} is no time; pass a positive number.")
    with warnings.catch_warnings(), global_generators(seed), quiet_mujoco(env):
        warnings.simplefilter("ignore")
        try:
            native, source = _source(env, options)
        except (KeyboardInterrupt, InputError):
            raise
        except BaseException as error:  # the environment's module is its code too
            return Report(str(env), "", 0, 0, (Finding(ERROR, "construction", f"raised {raised(error)}"),))
        subject = Subject(source, int(seed), record(source, int(seed), int(steps)), max_agents)
        report = _timed(_sound(subject), subject, native)
        return _tuned(report, env, options, max_agents, float(tune_seconds)) if tune else report


def _tuned(report: Report, env: Any, options: dict[str, Any], max_agents: int | None, seconds: float) -> Report:
    """Add measured settings; where none of the native backend works, those of the others."""
    if report.speed is None or report.recommended is None:
        return report
    given = options if max_agents is None else {**options, "max_agents": max_agents}
    measure = partial(tuning.tune, env, cores=report.speed.cores, seconds=seconds, options=given)
    tuned = measure(report.recommended)
    if tuned.best is None and report.recommended.backend == "native":
        emulated = speed.recommend(report.speed)
        others = measure(emulated)
        tuned = replace(others, rows=others.rows + tuned.rows, left=others.left + tuned.left)
        if tuned.best is not None:
            report = replace(report, recommended=emulated)
    if tuned.best is None:
        report = report.with_error("tuning", f"no setting works: {tuned.rows[0].failure}")
    return replace(report, tuning=tuned)


def _sound(subject: Subject) -> Report:
    """Report what is right and wrong."""
    trajectory = subject.trajectory
    findings = tuple(findings_of(subject))
    return Report(subject.source.id, trajectory.kind, trajectory.steps, len(trajectory.episodes), findings)


def _timed(report: Report, subject: Subject, native: str) -> Report:
    """Add the speed, and the settings that follow, unless the environment fails or `workbench.make` refuses it."""
    if subject.trajectory.crash is not None:
        return report
    try:
        measured = speed.measure(subject)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever an environment does is a finding, and one is enough
        return report.with_error("speed", f"a further copy raised {raised(error)}") if report.ok else report
    recommended = None if pettingzoo.refused(subject) else speed.recommend(measured, native=native)
    return replace(report, speed=measured, recommended=recommended)


def _source(env: Any, options: dict[str, Any]) -> tuple[str, Source]:
    """Say which native backend takes `env` with these options, and how to build one: a kernel has one lane."""
    if isinstance(env, Environment):
        return "kernel", Source(env.id, lambda: NativeEnvironment(env, **options))
    if isinstance(env, Source):
        if options:
            raise InputError(f"options {', '.join(options)} given with a source; give them to source_of.")
        return "", env
    built = not isinstance(env, gymnasium.Env) and not callable(env) and hasattr(env, "step")
    if built or isinstance(env, VectorEnv):
        raise InputError(
            f"env={env} is built already, and the check makes copies; pass what makes one copy: an id, a class or a "
            f"function."
        )
    if not isinstance(env, str):
        return "", source_of(env, **options)
    if (known := native_id(env)) is not None and (_takes(known, options) or env not in gymnasium.registry):
        return "kernel", Source(known, lambda: NativeEnvironment(known, **options))
    if env in TASKS and options.keys() <= {*TASKS[env].options, LIMIT}:
        # Gymnasium's own, which is looked at, has another name for it.
        return "mujoco", source_of(env, **{"max_episode_steps" if k == LIMIT else k: v for k, v in options.items()})
    return "", source_of(env, **options)


def _takes(id: str, options: dict[str, Any]) -> bool:
    """Tell whether a native environment has such options, be their values right or wrong."""
    try:
        environment(id, **{name: value for name, value in options.items() if name != LIMIT})
    except InputError as error:
        return not isinstance(error.__cause__, TypeError)
    return True
