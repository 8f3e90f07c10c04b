"""What the parts say to each other about shapes. B: lanes, R: components of an observation's row, T: horizon."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
import numpy.typing as npt

from workbench.spaces import SpaceTree

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EnvironmentSpec:
    """An environment as an algorithm sees it.

    Attributes:
        observation: The layout of one lane's observation: rows of R components.
        action: The space of one lane's action, flat: Discrete, MultiDiscrete, Box of float32, or a Dict of `discrete`
            and `continuous`.
        lanes: How many act side by side.
    """

    observation: SpaceTree
    action: gymnasium.Space[Any]
    lanes: int


@runtime_checkable
class VectorEnvironment(Protocol):
    """Many lanes of one environment that write into buffers of their own, reused by every call.

    After `step`, a lane that ended has been reset in the same call: `final_observation` [B, R] holds its successor
    before the reset, where it ended and only there; `observation` [B, R] holds what to act on next, in every lane.
    `terminated` and `truncated` [B] stay apart. Observations are rows of `tree`, whatever the space. A lane that is not
    `active` [B] holds no agent now: its action is not looked at, and its observation means nothing. `action_mask`
    [B, N] says which choices are legal, or is None.
    """

    id: str
    backend: str
    options: dict[str, Any]
    """What the environment was built with, beside its id."""
    lanes: int
    agents: int
    """Lanes that are one environment together."""
    tree: SpaceTree
    single_observation_space: Any
    single_action_space: Any

    @property
    def observation(self) -> Any:
        """What to act on."""

    @property
    def final_observation(self) -> Any:
        """What an episode ended with."""

    @property
    def reward(self) -> Any:
        """Of the last step, [B] float32."""

    @property
    def terminated(self) -> Any:
        """[B] bool."""

    @property
    def truncated(self) -> Any:
        """[B] bool."""

    @property
    def active(self) -> Any:
        """[B] bool."""

    @property
    def action_mask(self) -> Any:
        """[B, N] bool, or None."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start a new episode in every lane."""

    def step(self, actions: Any) -> Any:
        """Advance every lane by one step."""

    def share(self, frames: int) -> Any:
        """Write each step into the next of `frames` frames, and return their arrays; None if they must be copied."""

    def rewind(self) -> None:
        """Make the newest frame of those that are shared the first."""

    def like(self, lanes: int, seed: int) -> Any:
        """Build the same environment with up to `lanes` lanes, for an evaluation; None if it cannot be built again."""

    def close(self) -> None:
        """Free what the environment holds."""


def spec_of(env: VectorEnvironment) -> EnvironmentSpec:
    """Describe `env` to an algorithm."""
    return EnvironmentSpec(env.tree, env.single_action_space, env.lanes)
