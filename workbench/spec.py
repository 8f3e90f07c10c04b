"""What the parts say to each other about shapes. B: lanes, O: observation components, T: horizon."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EnvironmentSpec:
    """An environment as an algorithm sees it.

    Attributes:
        observation: The space of one lane's observation, flat: a Box of shape [O].
        action: The space of one lane's action.
        lanes: How many copies run side by side.
    """

    observation: gymnasium.spaces.Box
    action: gymnasium.Space[Any]
    lanes: int


@runtime_checkable
class VectorEnvironment(Protocol):
    """Many lanes of one environment that write into buffers of their own, reused by every call.

    After `step`, a lane that ended has been reset in the same call: `final_observation` [B, O] holds its successor
    before the reset, where it ended and only there; `observation` [B, O] holds what to act on next, in every lane.
    `terminated` and `truncated` [B] stay apart. Both are flat, O components, whatever the shape of the space.
    """

    id: str
    backend: str
    lanes: int
    single_observation_space: Any
    single_action_space: Any
    observation: Float32
    final_observation: Float32
    reward: Float32
    terminated: Bool
    truncated: Bool

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start a new episode in every lane."""

    def step(self, actions: Any) -> Any:
        """Advance every lane by one step."""

    def close(self) -> None:
        """Free what the environment holds."""


def spec_of(env: VectorEnvironment) -> EnvironmentSpec:
    """Describe `env` to an algorithm."""
    observation = gymnasium.spaces.flatten_space(env.single_observation_space)
    assert isinstance(observation, gymnasium.spaces.Box)
    return EnvironmentSpec(observation, env.single_action_space, env.lanes)
