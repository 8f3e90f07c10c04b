"""Record an episode of the greedy policy, with the pictures that the environment draws."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from workbench.envs import EmulatedVectorEnvironment, NativeVectorEnvironment
from workbench.envs.agents import AgentLanes
from workbench.envs.native import RENDER_FPS
from workbench.envs.sources import Source, source_of
from workbench.errors import InputError
from workbench.events import Event, Progress, Started
from workbench.sinks.sink import require
from workbench.sinks.video import Video
from workbench.spec import VectorEnvironment
from workbench.training.evaluation import evaluate
from workbench_kernels.pictures.description import describe

STEPS = 1000
"""Of an episode that are recorded at most."""

Stage = tuple[VectorEnvironment, Callable[[], Any], float]
"""An environment to be looked at, the function that draws it [H, W, 3], and its pictures a second."""


class Recorder:
    """Has an episode recorded at every multiple of `every` steps, and at the first row; subscribe it.

    Args:
        every: Environment steps.
        film: Records.
    """

    def __init__(self, every: int, film: Callable[[], object]) -> None:
        self._every, self._film = every, film
        self._due = 0

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Started) and event.steps:
            self._due = (event.steps // self._every + 1) * self._every
        elif isinstance(event, Progress) and event.steps >= self._due:
            self._due = (event.steps // self._every + 1) * self._every
            self._film()


def check_pictures(env: VectorEnvironment) -> None:
    """Look whether an episode in `env` can be recorded.

    Raises:
        InputError: If the environment has no pictures, or a package is missing.
    """
    require("PIL.Image", "video")
    stage, _, _ = stage_for(env)
    stage.close()


def record(algorithm: Any, env: VectorEnvironment, path: Path, seed: int, device: torch.device) -> Video:
    """Play one greedy episode, or its first `STEPS` steps, in an environment like `env`.

    Args:
        algorithm: Acts.
        env: Built again once; of several agents the first one's episode is shown.
        path: Where the video is to be written.
        seed: Of the episode.
        device: Where the network lives.

    Raises:
        InputError: If the environment has no pictures.
    """
    stage, draw, rate = stage_for(env)
    video = Video(path, rate)

    def watch() -> bool:
        video.add(draw())
        return video.seen <= STEPS

    try:
        played = evaluate(algorithm, stage, 1, seed, device, watch)
        if len(played.returns):
            video.episode_return = played.mean
            if stage.backend == "native":  # it is not reset yet
                video.add(draw())
        return video
    finally:
        stage.close()


def stage_for(env: VectorEnvironment) -> Stage:
    """Build what `env` is made of once more, with pictures."""
    if isinstance(env, AgentLanes):
        lane = _lane(env.env)
        return AgentLanes(lane), lambda: lane.render()[0], RENDER_FPS
    if isinstance(env, NativeVectorEnvironment):
        lane = _lane(env)
        return lane, lambda: lane.render()[0], RENDER_FPS
    if isinstance(env, EmulatedVectorEnvironment):
        source = env._source
        if source.findable:
            with contextlib.suppress(Exception):  # then it has no such option
                return _others(source_of(source.id, **{**source.options, "render_mode": "rgb_array"}), env)
        return _others(source, env)
    raise InputError(f"env={env.id!r} draws no pictures here, so no episode of it can be recorded.")


def _lane(env: NativeVectorEnvironment) -> Any:
    try:
        describe(env.environment)
    except ValueError as error:
        raise InputError(f"env={env.id!r} cannot be recorded: {error}") from error
    return NativeVectorEnvironment(
        env.environment, 1, time_limit=env.time_limit, autoreset=False, render_mode="rgb_array"
    )


def _others(source: Source, env: EmulatedVectorEnvironment) -> Stage:
    """Build an environment that somebody else wrote, and keep hold of it to ask it for pictures."""
    made: list[Any] = []

    def build() -> Any:
        made.append(source.build())
        return made[-1]

    watched = Source(source.id, build, source.options)
    stage = EmulatedVectorEnvironment(watched, 1, max_agents=env._max_agents)
    (inner,) = made
    if inner.render_mode != "rgb_array":
        stage.close()
        raise InputError(f"env={env.id!r} has no pictures; let what makes it set render_mode='rgb_array'.")
    return stage, inner.render, float(inner.metadata.get("render_fps") or RENDER_FPS)
