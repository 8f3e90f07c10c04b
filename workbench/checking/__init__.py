"""The environment doctor: whether an environment is sound, how fast it is, and how best to run it.

An environment is played once with random actions. Checks read that recording (`readings`, `pettingzoo`) or play
further copies against it (`experiments`); each is one small function that yields findings. Nothing that an environment
does wrong is raised.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.checking import experiments, pettingzoo, readings, speed, tuning
from workbench.checking.recording import Subject, raised, record
from workbench.checking.report import ERROR, OK, WARNING, Finding, Report
from workbench.checking.surroundings import global_generators
from workbench.envs import TASKS, native_id
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
        try:
            yield from list(each.look(subject)) or [Finding(OK, each.what, each.healthy)]
        except Exception as error:  # whatever an environment does is a finding
            yield Finding(ERROR, each.what, f"a further copy raised {raised(error)}")


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
        env: What the Trainer takes: an id, "module:factory", a class, a callable, a `workbench_kernels.Environment`.
        seed: Of the environment and of the random actions.
        steps: How many to play; fewer where they take more than 20 s.
        tune: Measure vectorised settings besides, and say which are the fastest here.
        tune_seconds: How long that may take.
        max_agents: How many may be alive at once, for tuning where the environment does not list them.
        options: Given to the environment.

    Returns:
        A report; `report.ok` is False if there are errors.

    Raises:
        InputError: If an argument is out of range or names no environment.
    """
    for name, value, low, high in (("seed", seed, 0, 2**31 - 2), ("steps", steps, 1, 2**31)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
            raise InputError(f"{name}={value!r} is out of range; pass an integer from {low} to {high}.")
    if not tune_seconds > 0:
        raise InputError(f"tune_seconds={tune_seconds!r} is no time; pass a positive number.")
    with warnings.catch_warnings(), global_generators(seed):
        warnings.simplefilter("ignore")
        native, source = _source(env, options)
        subject = Subject(source, int(seed), record(source, int(seed), int(steps)))
        report = _timed(_sound(subject), subject, native)
        if not tune or report.speed is None or report.recommended is None:
            return report
        given = options if max_agents is None else {**options, "max_agents": max_agents}
        tuned = tuning.tune(env, report.recommended, cores=report.speed.cores, seconds=tune_seconds, options=given)
        if tuned.best is None:
            report = report.with_error("tuning", f"no setting works: {tuned.rows[0].failure}")
        return replace(report, tuning=tuned)


def _sound(subject: Subject) -> Report:
    """Report what is right and wrong."""
    trajectory = subject.trajectory
    findings = tuple(findings_of(subject))
    return Report(subject.source.id, trajectory.kind, trajectory.steps, len(trajectory.episodes), findings)


def _timed(report: Report, subject: Subject, native: str) -> Report:
    """Add the speed, and the settings that follow, unless the environment fails."""
    if subject.trajectory.crash is not None:
        return report
    try:
        measured = speed.measure(subject)
    except Exception as error:  # whatever an environment does is a finding, and one is enough
        return report.with_error("speed", f"a further copy raised {raised(error)}") if report.ok else report
    return replace(report, speed=measured, recommended=speed.recommend(measured, native=native))


def _source(env: Any, options: dict[str, Any]) -> tuple[str, Source]:
    """Say which native backend has `env`, and how to build one: that of a kernel is played one lane at a time."""
    if isinstance(env, Environment):
        return "kernel", Source(env.id, lambda: NativeEnvironment(env, **options))
    if isinstance(env, str) and (known := native_id(env)) is not None:
        return "kernel", Source(known, lambda: NativeEnvironment(known, **options))
    return "mujoco" if isinstance(env, str) and env in TASKS else "", source_of(env, **options)
