"""What PettingZoo's environments must hold besides: who lives, who is out, and whose spaces are alike."""

import contextlib
import io
from collections.abc import Iterator

from workbench.checking.players import true
from workbench.checking.readings import distinct
from workbench.checking.recording import Subject, attempt, raised
from workbench.checking.report import ADVICE, ERROR, OK, WARNING, Finding

CYCLES = 100
"""Steps of PettingZoo's own test."""

PADDING = {"observation": "pad_observations_v0", "action": "pad_action_space_v0"}

Findings = Iterator[Finding]


def agents(subject: Subject) -> Findings:
    """Follow who comes and goes: listed before, flagged when leaving."""
    trajectory = subject.trajectory
    if not trajectory.possible:
        message = "possible_agents is missing; list all that may come, or pass max_agents with the environment"
        yield Finding(ERROR if subject.max_agents is None else ADVICE, "agents", message)
    strangers: set[object] = set()
    gone: set[object] = set()
    before: tuple[object, ...] = ()
    for moment in trajectory.moments:
        unknown = set(moment.living) - set(trajectory.possible) - strangers if trajectory.possible else set()
        if unknown:
            strangers |= unknown
            message = f"{sorted(map(repr, unknown))} live {moment.where} and are not in possible_agents; list them"
            yield Finding(ERROR, "agents", message)
        out = {agent for agent, sight in moment.sights.items() if true(sight.terminated) or true(sight.truncated)}
        lost = set(before) - set(moment.living) - out - gone if moment.age else set()
        if lost:
            gone |= lost
            message = (
                f"{sorted(map(repr, lost))} left {moment.where}, neither terminated nor truncated; flag who is out"
            )
            yield Finding(ERROR, "agents", message)
        before = moment.living
    if trajectory.possible and not strangers and not gone:
        most = max((len(moment.living) for moment in trajectory.moments), default=0)
        yield Finding(OK, "agents", f"at most {most} at once, of {len(trajectory.possible)} possible ones")


def shared_policy(subject: Subject) -> Findings:
    """See whether one policy can act for all agents."""
    for which, (name, padding) in enumerate(PADDING.items()):
        differing = list(distinct(subject.trajectory, which))
        if len(differing) > 1:
            message = (
                f"agents have {len(differing)} different {name} spaces, and one policy acts for all; pad them alike"
            )
            yield Finding(ERROR, "shared policy", f"{message} (SuperSuit's {padding} does)")


def refused(subject: Subject) -> bool:
    """Tell whether `workbench.make` takes no such agents: too different, or nobody knows how many."""
    trajectory = subject.trajectory
    if trajectory.kind not in ("parallel", "turns"):
        return False
    unlike = any(len(list(distinct(trajectory, which))) > 1 for which in range(2))
    return unlike or not (trajectory.possible or subject.max_agents)


def same_spaces(subject: Subject) -> Findings:
    """Report spaces that are made anew whenever they are asked for."""
    if subject.trajectory.recreated:
        named = ", ".join(map(repr, subject.trajectory.recreated))
        message = (
            f"those of {named} are new objects at every call, so that seeding them is lost; keep and return one each"
        )
        yield Finding(WARNING, "agent spaces", message)


def api_test(subject: Subject) -> Findings:
    """Run PettingZoo's own test, where nothing else is wrong."""
    try:
        from pettingzoo.test import api_test as turns_test
        from pettingzoo.test import parallel_api_test
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        yield Finding(OK, "api test", f"not looked at: {missing} is not installed")
        return
    test = turns_test if subject.trajectory.kind == "turns" else parallel_api_test
    with subject.player() as player, contextlib.redirect_stdout(io.StringIO()):
        failure = attempt(lambda: test(player.env, CYCLES))
    if failure is not None:
        yield Finding(WARNING, "api test", f"pettingzoo.test raised {raised(failure)}")
