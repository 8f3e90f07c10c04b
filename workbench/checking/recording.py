"""One recorded life of an environment: built, played with random actions, closed twice. The checks read it."""

import contextlib
import copy
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checking.players import Agent, Chooser, MalformedError, Player, Told, player_of, spaces_of
from workbench.checking.surroundings import children, global_generators, left_behind
from workbench.checking.values import Fault, faults, fingerprint
from workbench.envs.single import NativeEnvironment
from workbench.envs.sources import Source
from workbench.errors import InputError

PATIENCE = 20.0
"""Seconds after which a recording of a slow environment stops."""


@dataclass(frozen=True)
class Sight:
    """What one agent was told, without the arrays.

    Attributes:
        digests: Fingerprints of the observation's leaves, the reward and the flags, by path.
        faults: What does not fit the observation space.
        keys: Of the info; None if it is no dict.
    """

    digests: dict[str, bytes]
    faults: tuple[Fault, ...]
    reward: Any
    terminated: Any
    truncated: Any
    info: str
    keys: frozenset[Any] | None
    mask: Any


@dataclass(frozen=True)
class Moment:
    """One reset or step.

    Attributes:
        step: Steps since the beginning.
        age: Steps since the last reset; 0 for the reset itself.
        actions: What led here.
        sights: By agent.
        living: The agents that the environment says live.
        acting: Those that act next; empty where the episode ended.
    """

    step: int
    age: int
    actions: dict[Agent, Any]
    sights: dict[Agent, Sight]
    living: tuple[Agent, ...]
    acting: tuple[Agent, ...]

    @property
    def where(self) -> str:
        """Say when this was."""
        return f"at step {self.step}" if self.age else ("at the first reset" if self.step == 0 else "at a later reset")


@dataclass
class Trajectory:
    """A recording.

    Attributes:
        kind: See `Player`; empty if there was nothing to play.
        spaces: The observation and the action space of every agent.
        later: Spaces that an agent had in a later episode, other than in the first; only of unlisted agents.
        possible: The agents that there may be, if the environment lists them.
        recreated: Agents whose spaces are other objects whenever they are asked for.
        limit: After how many steps the environment says that it truncates; None if it does not.
        moments: In order.
        aliased: Where an observation that was returned earlier changed later; empty if nowhere.
        refused: Arguments that `reset` does not take.
        drawn: Global random generators that were used.
        crash: What ended the recording early: what it is about, and a message.
        closing: What went wrong in the first and the second `close`, and what was left behind.
    """

    kind: str = ""
    spaces: dict[Agent, tuple[Any, Any]] = field(default_factory=dict)
    later: list[tuple[Any, Any]] = field(default_factory=list)
    possible: tuple[Agent, ...] = ()
    recreated: list[Agent] = field(default_factory=list)
    limit: int | None = None
    moments: list[Moment] = field(default_factory=list)
    aliased: str = ""
    refused: list[str] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    crash: tuple[str, str] | None = None
    closing: tuple[str, str, str] = ("", "", "")

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self.moments[-1].step if self.moments else 0

    @property
    def episodes(self) -> list[Moment]:
        """The last moments of the episodes that ended."""
        return [moment for moment in self.moments if moment.age and not moment.acting]

    @property
    def sights(self) -> Iterator[tuple[Moment, Agent, Sight]]:
        """Every agent's view of every moment."""
        for moment in self.moments:
            for agent, sight in moment.sights.items():
                yield moment, agent, sight

    @property
    def masked(self) -> bool:
        """Whether the environment says which actions are legal."""
        return any(sight.mask is not None for _, _, sight in self.sights)


@dataclass(frozen=True)
class Subject:
    """An environment under examination; `max_agents` as `workbench.make` takes it."""

    source: Source
    seed: int
    trajectory: Trajectory
    max_agents: int | None = None

    @contextlib.contextmanager
    def player(self) -> Iterator[Player]:
        """Build another copy, and close it afterwards."""
        env = self.source.build()
        try:
            yield player_of(env)
        finally:
            # That it can be closed is a check of its own.
            attempt(env.close)


def attempt(call: Callable[[], Any]) -> BaseException | None:
    """Call into an environment; return what it raised, `SystemExit` as anything else, but not Ctrl-C."""
    try:
        call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever an environment does is a finding
        return error
    return None


BETWEEN = (
    "/numpy/",
    "/gymnasium/core.py",
    "/gymnasium/wrappers/",
    "/pettingzoo/utils/",
    "/workbench/checking/",
    "/workbench/envs/sources.py",
)
"""Parts of paths of code between the check and an environment, or behind it: what it raises is said of its own line."""


def told_by(agent: Agent) -> str:
    """Name the root of an agent's observation."""
    return "observation" if agent is None else f"observation of {agent!r}"


def raised(error: BaseException) -> str:
    """Say what was raised, and in which line of the environment."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not any(part in Path(frame.filename).as_posix() for part in BETWEEN)]
    last = traceback.format_exception_only(error)[-1].strip()
    return f"{last} ({theirs[-1].filename}:{theirs[-1].lineno}, in {theirs[-1].name})" if theirs else last


def look(player: Player, told: dict[Agent, Told], trajectory: Trajectory | None) -> dict[Agent, Sight]:
    """Keep what the checks need of what the agents were told; look for faults if there is a trajectory."""
    sights = {}
    for agent, each in told.items():
        root, space = told_by(agent), None if trajectory is None else _spaces(player, trajectory, agent)[0]
        # Only agents without a last observation have none.
        absent = each.observation is None and agent not in player.acting
        seen = {} if absent else fingerprint(each.observation, root)
        name = root.removeprefix("observation")
        for what in ("reward", "terminated", "truncated"):
            seen[what + name] = repr(getattr(each, what)).encode()
        wrong = () if absent or space is None else tuple(faults(space, each.observation, root))
        keys = frozenset(each.info) if isinstance(each.info, dict) else None
        ends = each.terminated, each.truncated
        info = type(each.info).__name__
        mask = copy.deepcopy(each.mask)
        sights[agent] = Sight(seen, wrong, copy.deepcopy(each.reward), *copy.deepcopy(ends), info, keys, mask)
    return sights


def _spaces(player: Player, trajectory: Trajectory, agent: Agent) -> tuple[Any, Any]:
    """Return an agent's spaces: an agent that is not listed may have others in each copy and each episode."""
    if agent is None or agent in trajectory.possible:
        return trajectory.spaces[agent]
    return spaces_of(player.env, agent)


def advance(player: Player, actions: dict[Agent, Any]) -> dict[Agent, Told]:
    """Take one step."""
    return player.read(player.act(actions), actions)


def play(player: Player, seed: int, steps: int, trajectory: Trajectory) -> None:
    """Play `steps` steps with random actions into `trajectory`."""
    choose = Chooser(player, seed)
    end = time.monotonic() + PATIENCE
    told = player.reset(seed)
    step = age = 0
    actions: dict[Agent, Any] = {}
    while True:
        _meet(player, trajectory, told)
        sights = look(player, told, trajectory)
        trajectory.moments.append(Moment(step, age, actions, sights, player.agents, tuple(player.acting)))
        if step >= steps or time.monotonic() > end:
            return
        before = {} if trajectory.aliased else {a: (t.observation, sights[a].digests) for a, t in told.items()}
        if player.acting:
            actions = choose(told)
            step, age = step + 1, age + 1
            told = advance(player, actions)
        else:
            actions, age = {}, 0
            told = player.reset()
        trajectory.aliased = trajectory.aliased or _changed(before, f"step {step}" if age else "a reset")


def _changed(before: dict[Agent, tuple[Any, dict[str, bytes]]], event: str) -> str:
    """Say which of the observations that were returned `before` are not what they were."""
    for agent, (observation, digests) in before.items():
        for path, digest in fingerprint(observation, told_by(agent)).items():
            if digests.get(path, digest) != digest:
                return f"{path}, returned before {event}, was overwritten by it"
    return ""


def record(source: Source, seed: int, steps: int) -> Trajectory:
    """Live through one copy of an environment, and report whatever happens.

    Raises:
        InputError: If there is no such environment.
    """
    trajectory = Trajectory()
    threads, processes = set(threading.enumerate()), set(children())
    with global_generators(seed) as trajectory.drawn:
        env, phase = None, "construction"
        try:
            env = source.build()
            player = player_of(env)
            trajectory.kind, trajectory.refused, phase = player.kind, player.refused, "spaces"
            _describe(player, trajectory)
            phase = "play"
            play(player, seed, steps, trajectory)
        except MalformedError as error:
            trajectory.crash = error.what, f"{error}{_when(trajectory)}"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever an environment does is a finding, but that there is none
            if phase == "construction" and isinstance(error, InputError):
                raise
            trajectory.crash = _crash(error, phase, trajectory)
        first, second = (_close(env), _close(env)) if hasattr(env, "close") else ("", "")
    trajectory.closing = first, second, left_behind(threads, processes)
    return trajectory


def _describe(player: Player, trajectory: Trajectory) -> None:
    """Note what an environment says of itself before it is played."""
    env = player.env
    trajectory.limit = limit_of(env)
    if player.kind == "gymnasium":
        trajectory.spaces = {None: spaces_of(env, None)}
        return
    trajectory.possible = tuple(getattr(env, "possible_agents", None) or ())
    _meet(player, trajectory, trajectory.possible)


def _meet(player: Player, trajectory: Trajectory, agents: Iterable[Agent]) -> None:
    """Note the spaces of agents that are new."""
    env = player.env
    for agent in agents:
        if agent not in trajectory.spaces:
            spaces = spaces_of(env, agent)
            trajectory.spaces[agent] = spaces
            if env.observation_space(agent) is not spaces[0] or env.action_space(agent) is not spaces[1]:
                trajectory.recreated.append(agent)
        elif agent is not None and agent not in trajectory.possible:
            spaces = spaces_of(env, agent)
            if spaces not in (trajectory.spaces[agent], *trajectory.later):
                trajectory.later.append(spaces)


def _when(trajectory: Trajectory) -> str:
    moments = trajectory.moments
    return f" (step {moments[-1].step + 1})" if moments and moments[-1].acting else ""


def _crash(error: BaseException, phase: str, trajectory: Trajectory) -> tuple[str, str]:
    """Say what an exception means: wrappers of Gymnasium fail where they unpack what an old environment returns."""
    for what, count, shape in (
        ("step signature", 5, "(observation, reward, terminated, truncated, info)"),
        ("reset signature", 2, "(observation, info)"),
    ):
        if isinstance(error, ValueError) and f"unpack (expected {count}" in str(error):
            return what, f"return {shape}: {raised(error)}"
    if phase != "play":
        return phase, f"raised {raised(error)}"
    moments = trajectory.moments
    stepped = bool(moments) and bool(moments[-1].acting)
    where = f"step {moments[-1].step + 1}" if stepped else f"reset {sum(m.age == 0 for m in moments) + 1}"
    return "step" if stepped else "reset", f"{where} raised {raised(error)}"


def _close(env: Any) -> str:
    error = attempt(env.close)
    return "" if error is None else raised(error)


def limit_of(env: Any) -> int | None:
    """Return after how many steps an environment says that it truncates; None if it does not say."""
    spec = getattr(env, "spec", None)
    limits = [getattr(spec, "max_episode_steps", None), (getattr(spec, "kwargs", None) or {}).get(FRAMES)]
    inner = getattr(env, "unwrapped", env)
    limits += [getattr(inner, name, None) for name in ("max_episode_steps", "max_cycles", "time_limit")]
    if isinstance(inner, NativeEnvironment):
        limits.append(inner._lane.time_limit)
    while hasattr(env, "env"):
        limits.append(getattr(env, "_max_episode_steps", None))
        env = env.env
    known = [int(limit) for limit in limits if isinstance(limit, int | np.integer) and limit > 0]
    return min(known, default=None)


FRAMES = "max_num_frames_per_episode"
"""The time limit of Atari's games, as they were registered."""


def replay(player: Player, subject: Subject, seed: int, steps: int | None = None) -> str:
    """Play the recorded actions again from `seed`; say where it first comes out differently, and how; "" if nowhere."""
    trajectory = subject.trajectory
    for index, moment in enumerate(trajectory.moments):
        if steps is not None and moment.step > steps:
            break
        if moment.age == 0:
            told = player.reset(seed) if index == 0 else player.reset()
        else:
            told = advance(player, moment.actions)
        again = look(player, told, None)
        if again.keys() != moment.sights.keys():
            return f"the agents {moment.where}: {list(moment.sights)}, then {list(again)}"
        for agent, sight in moment.sights.items():
            for path, digest in sight.digests.items():
                if again[agent].digests.get(path) != digest:
                    return f"{path} {moment.where}"
    return ""
