"""What only further copies of an environment can tell: determinism, resets at odd moments, actions at the edge."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from workbench.checking.players import Chooser, spaces_of
from workbench.checking.recording import Subject, advance, attempt, look, raised, replay
from workbench.checking.report import ADVICE, ERROR, OK, WARNING, Finding
from workbench.checking.surroundings import global_generators

FEW = 50
"""Steps after which two trajectories from different seeds should have parted."""

Findings = Iterator[Finding]


def determinism(subject: Subject) -> Findings:
    """Play the recorded actions again, in another copy, with the global generators elsewhere."""
    trajectory, seed = subject.trajectory, subject.seed
    if "seed" in trajectory.refused:
        yield Finding(OK, "determinism", "not looked at: reset takes no seed")
        return
    drawn = " and ".join(trajectory.drawn)
    with global_generators(seed + 1), subject.player() as player:
        different = replay(player, subject, seed)
        if not different:
            if drawn:
                message = (
                    f"{drawn} changed, to no effect here; draw from self.np_random, and leave the global generators"
                )
                yield Finding(WARNING, "global random state", message)
            yield from _seeding(player, subject)
            return
    if drawn and not _again(subject):
        message = f"{different} depends on {drawn}; draw from self.np_random, which reset(seed=...) seeds"
        yield Finding(ERROR, "global random state", message)
    else:
        message = f"two copies with seed={seed} and the same actions differ in {different}"
        yield Finding(ERROR, "determinism", f"{message}; draw everything random from self.np_random")


def _again(subject: Subject) -> str:
    """Replay with the global generators where they were during the recording."""
    with global_generators(subject.seed), subject.player() as player:
        return replay(player, subject, subject.seed)


def _seeding(player: Any, subject: Subject) -> Findings:
    """Seed a copy that has been played: the same seed starts anew, another one elsewhere."""
    seed = subject.seed
    different = replay(player, subject, seed, FEW)
    if different:
        message = f"after an episode, reset(seed={seed}) gives another {different} than the first time"
        yield Finding(ERROR, "reset seed", f"{message}; start everything anew in reset")
    elif not replay(player, subject, seed + 1, FEW):
        message = f"seeds {seed} and {seed + 1} give the same {min(FEW, subject.trajectory.steps)} steps"
        yield Finding(ADVICE, "seeds", f"{message}: fine if nothing is random; else call super().reset(seed=seed)")


def resets(subject: Subject) -> Findings:
    """Reset right after a reset, and in the middle of an episode."""
    with subject.player() as player:
        choose = Chooser(player, subject.seed)
        player.reset(subject.seed)

        def disturb() -> None:
            for _ in range(2):
                told = player.reset()
                for _ in range(3):
                    if player.acting:
                        told = advance(player, choose(told))

        if error := attempt(disturb):
            yield Finding(ERROR, "reset", f"before an episode has ended, reset and a few steps raised {raised(error)}")


def corners(subject: Subject) -> Findings:
    """Take the least and the greatest actions."""
    trajectory = subject.trajectory
    if trajectory.masked:
        yield Finding(OK, "action corners", "not looked at: some actions are illegal at times")
        return
    known = {(fault.what, fault.path) for _, _, sight in trajectory.sights for fault in sight.faults}
    with subject.player() as player:
        for end in (0, 1):
            player.reset(None if "seed" in trajectory.refused else subject.seed)
            actions = {agent: corner(spaces_of(player.env, agent)[1], end) for agent in player.acting}
            if any(action is None for action in actions.values()):
                continue
            named = ", ".join(map(repr, actions.values()))
            try:
                sights = look(player, advance(player, actions), trajectory)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever an environment does is a finding
                yield Finding(ERROR, "action corners", f"action {named}, of the action space, raised {raised(error)}")
                return
            for fault in (fault for sight in sights.values() for fault in sight.faults):
                if (fault.what, fault.path) not in known:
                    message = f"after action {named}, {fault.text}"
                    yield Finding(fault.level, "action corners", message)
                    return


def corner(space: Any, end: int) -> Any:
    """Return the least (0) or greatest (1) element of an action space; None if it has none."""
    if isinstance(space, Discrete):
        return np.int64(space.start + end * (space.n - 1))
    if isinstance(space, MultiDiscrete):
        return (space.start + end * (space.nvec - 1)).astype(space.dtype)
    if isinstance(space, MultiBinary):
        return np.full(space.shape, end, space.dtype)
    if isinstance(space, Box):
        bound = (space.low, space.high)[end]
        return np.where(np.isfinite(bound), bound, (-1, 1)[end]).astype(space.dtype)
    if isinstance(space, Dict):
        parts = {key: corner(inner, end) for key, inner in space.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(space, Tuple):
        chosen = tuple(corner(inner, end) for inner in space)
        return None if any(part is None for part in chosen) else chosen
    return None
