"""What can be read off a recording alone: spaces, observations, ends, rewards, infos, masks."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from workbench.actions import ActionHeads
from workbench.checking.players import MASK, split_mask, true
from workbench.checking.recording import Subject, Trajectory
from workbench.checking.report import ADVICE, ERROR, OK, WARNING, Finding
from workbench.checking.values import Fault, leaves
from workbench.errors import InputError
from workbench.spaces import SpaceTree

GREAT_REWARD = 1000.0
"""A reward beyond this is worth scaling."""

Findings = Iterator[Finding]


def distinct(trajectory: Trajectory, which: int) -> Iterator[Any]:
    """Yield the observation spaces (0) or the action spaces (1) that differ from one another."""
    seen: list[Any] = []
    for spaces in (*trajectory.spaces.values(), *trajectory.later):
        if not any(spaces[which] is other or spaces[which] == other for other in seen):
            seen.append(spaces[which])
    yield from seen


def interface(subject: Subject) -> Findings:
    """Report what ended the recording, and arguments that `reset` refuses."""
    trajectory = subject.trajectory
    for name in trajectory.refused:
        yield Finding(
            ERROR, "reset signature", f"reset takes no {name}; declare reset(self, *, seed=None, options=None)"
        )
    if trajectory.crash:
        yield Finding(ERROR, *trajectory.crash)


def spaces(subject: Subject) -> Findings:
    """See whether observations can become tensors, and tensors actions."""
    if not subject.trajectory.spaces:
        yield Finding(OK, "spaces", "not looked at: there are none yet")
    for which, (name, build) in enumerate((("observation space", SpaceTree), ("action space", ActionHeads))):
        for space in distinct(subject.trajectory, which):
            if not isinstance(space, gymnasium.Space):
                if which == 1:  # drawing an action has failed already, and is reported
                    continue
                came = f"is of type {type(space).__module__}.{type(space).__name__}"
                yield Finding(ERROR, name, f"{came}, which is no gymnasium.spaces.Space; use one of those")
                continue
            try:
                build(space)
            except InputError as error:
                yield Finding(ERROR, name, str(error))


def action_bounds(subject: Subject) -> Findings:
    """Look for continuous actions that a Gaussian policy of unit scale fits badly."""
    for space in distinct(subject.trajectory, 1):
        for path, leaf in leaves(space, "action"):
            if not isinstance(leaf, Box) or leaf.dtype.kind != "f":
                continue
            if not (np.isfinite(leaf.low).all() and np.isfinite(leaf.high).all()):
                fix = "a policy has no scale to start from; bound it"
            elif not ((leaf.low == -1).all() and (leaf.high == 1).all()):
                fix = "policies start at a scale of 1; gymnasium.wrappers.RescaleAction(env, -1, 1) makes it [-1, 1]"
            else:
                continue
            yield Finding(ADVICE, "action bounds", f"{path} is {leaf.low.min():g} to {leaf.high.max():g}: {fix}")


def observations(subject: Subject) -> Findings:
    """Report observations outside their space: the first of each kind and place, and how many there were."""
    first: dict[tuple[str, str], tuple[Fault, str]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for moment, _, sight in subject.trajectory.sights:
        for fault in sight.faults:
            key = fault.what, fault.path
            first.setdefault(key, (fault, moment.where))
            counts[key] += 1
    for key, (fault, where) in first.items():
        of = f"{where}, in {counts[key]:,} of {len(subject.trajectory.moments):,}"
        yield Finding(fault.level, f"observation {fault.what}", f"{fault.text} ({of})")


def aliasing(subject: Subject) -> Findings:
    """Report observations that change after they were returned."""
    if subject.trajectory.aliased:
        message = f"{subject.trajectory.aliased}; return a copy (here observations are copied at once, elsewhere not)"
        yield Finding(WARNING, "aliasing", message)


def flags(subject: Subject) -> Findings:
    """Report flags that are not bool."""
    for name in ("terminated", "truncated"):
        for moment, agent, sight in subject.trajectory.sights:
            flag = getattr(sight, name)
            if isinstance(flag, bool | np.bool_):
                continue
            usable = np.size(flag) == 1 and np.asarray(flag).dtype.kind in "biuf"
            came = f"{name} is {flag!r} ({type(flag).__name__}) {moment.where}{_by(agent)}; return bool({name})"
            yield Finding(WARNING if usable else ERROR, "flags", came)
            break


def ends(subject: Subject) -> Findings:
    """Look at when and how episodes end."""
    trajectory = subject.trajectory
    episodes = trajectory.episodes
    if trajectory.crash:
        yield Finding(OK, "ends", "not looked at: the recording ended early")
        return
    if not episodes and trajectory.limit is None:
        yield Finding(
            ADVICE,
            "time limit",
            f"no episode ended within {trajectory.steps:,} steps, and there is no time limit; pass max_episode_steps "
            f"to gymnasium.register, or wrap it in gymnasium.wrappers.TimeLimit(env, {trajectory.steps})",
        )
    lengths = {moment.age for moment in episodes}
    terminated = all(true(sight.terminated) for moment in episodes for sight in moment.sights.values())
    if len(episodes) >= 3 and len(lengths) == 1 and lengths != {1} and terminated:
        yield Finding(
            ADVICE,
            "termination",
            f"all {len(episodes)} episodes ended terminated after {lengths.pop()} steps; if that is a time limit, "
            f"return it as truncated, or the value of the last state is lost",
        )


def rewards(subject: Subject) -> Findings:
    """Look at the rewards' type, scale and variety."""
    numbers: list[float] = []
    reported: set[str] = set()
    for moment, agent, sight in subject.trajectory.sights:
        if moment.age == 0 or (sight.reward is None and agent not in moment.actions):
            continue
        finding = _reward_fault(sight.reward, f"{moment.where}{_by(agent)}")
        if finding and finding.what not in reported:
            reported.add(finding.what)
            yield finding
        if not finding or finding.level == WARNING:
            numbers.append(float(np.asarray(sight.reward).reshape(())))
    if numbers and max(map(abs, numbers)) > GREAT_REWARD:
        message = f"rewards reach {max(numbers, key=abs):g}; scale or normalise them, networks learn best near 1"
        yield Finding(ADVICE, "reward scale", message)
    if numbers and not any(numbers) and not reported:
        message = f"every reward of {len(numbers):,} random steps was 0; a learner that sees none learns nothing"
        yield Finding(ADVICE, "reward zero", f"{message}: shape it, or explore")


def _reward_fault(reward: Any, where: str) -> Finding | None:
    array = np.asarray(reward) if not isinstance(reward, list | tuple | dict) else np.empty(0)
    if array.size != 1 or array.dtype.kind not in "biuf":
        return Finding(ERROR, "reward type", f"it is {reward!r} {where}; return one number")
    if not np.isfinite(array).all():
        return Finding(ERROR, "reward finite", f"it is {reward!r} {where}; return a finite number")
    if not isinstance(reward, int | float | np.number | np.bool_):
        return Finding(
            WARNING, "reward type", f"it is {reward!r} ({type(reward).__name__}) {where}; return float(reward)"
        )
    return None


def infos(subject: Subject) -> Findings:
    """Look at the infos' type and keys; the last info of an episode may hold more."""
    counts: Counter[Any] = Counter()
    total = 0
    for moment, agent, sight in subject.trajectory.sights:
        if sight.keys is None:
            where = f"{moment.where}{_by(agent)}"
            yield Finding(ERROR, "info type", f"it is of type {sight.info} {where}; return a dict")
            return
        if moment.age and moment.acting:
            counts.update(sight.keys)
            total += 1
    for key, count in counts.items():
        if count < total and key != MASK:
            message = (
                f"{key!r} is in {count:,} of {total:,} infos of steps; give it every time, so that it can be batched"
            )
            yield Finding(ADVICE, "info keys", message)


def masks(subject: Subject) -> Findings:
    """Look at the action masks, where there are any."""
    if not subject.trajectory.masked:
        return
    reported: set[str] = set()
    for moment, agent, sight in subject.trajectory.sights:
        if agent not in moment.acting or agent not in subject.trajectory.spaces:
            continue
        space = subject.trajectory.spaces[agent][1]
        for level, kind, message in _mask_faults(space, sight.mask):
            if kind not in reported:
                reported.add(kind)
                yield Finding(level, "action mask", f"{message} ({moment.where}{_by(agent)})")


def _mask_faults(space: Any, mask: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(space, Discrete | MultiDiscrete):
        yield ERROR, "space", f"there is one, and {space} has no choices to forbid; leave it out"
        return
    if mask is None:
        yield ERROR, "missing", "there is none; give it with every reset and step, or it is ignored"
        return
    choices = [int(space.n)] if isinstance(space, Discrete) else space.nvec.ravel().tolist()
    parts = split_mask(mask, choices)
    if parts is None:
        came = [np.shape(part) for part in mask] if isinstance(mask, tuple) else list(np.shape(mask))
        yield ERROR, "shape", f"it has shape {came}, and {space} has {sum(choices)} choices; give one number a choice"
        return
    if not all(part.any() for part in parts):
        yield ERROR, "legal", "it forbids every action; leave one legal, or end the episode"
    dtypes = {np.asarray(part).dtype for part in (mask if isinstance(mask, tuple) else (mask,))}
    if not dtypes <= {np.dtype(np.int8), np.dtype(np.bool_)}:
        named = ", ".join(sorted(map(str, dtypes)))
        yield WARNING, "dtype", f"it is {named}; make it np.int8, which gymnasium's Space.sample takes"


def _by(agent: Any) -> str:
    return "" if agent is None else f", for {agent!r}"


def closing(subject: Subject) -> Findings:
    """Report what went wrong while closing."""
    first, second, _ = subject.trajectory.closing
    if first:
        yield Finding(ERROR, "close", f"raised {first}")
    elif second:
        yield Finding(WARNING, "close", f"a second close() raised {second}; let it do nothing")


def leftovers(subject: Subject) -> Findings:
    """Report threads and processes that outlive the environment."""
    *_, left = subject.trajectory.closing
    if left:
        yield Finding(WARNING, "left behind", f"{left}: still there after close(); end and join them in it")
