"""One lane of a kernel environment as an ordinary Gymnasium environment."""

from typing import Any

import gymnasium
import numpy as np

from workbench.envs.native import RENDER_FPS, NativeVectorEnvironment
from workbench.errors import InputError
from workbench_kernels import Environment


class NativeEnvironment(gymnasium.Env[Any, Any]):
    """A kernel environment that `gymnasium.make("workbench/...")` returns: slower than lanes, and the same episodes.

    With A agents, one action [A, ...] moves all of them, the observation is [A, ...] and the reward their mean; the
    info holds `agent_reward` and `agent_terminated` [A].

    Args:
        environment: A native id, or a kernel environment of your own.
        render_mode: None, or "rgb_array".
        time_limit: Steps after which an episode is truncated; the environment's own if None. Gymnasium keeps its
            `max_episode_steps` to itself, so that it can shorten episodes and not lengthen them.
        options: Of a native environment, such as `size=20`.

    Raises:
        InputError: If an argument is out of range.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": RENDER_FPS}  # noqa: RUF012

    def __init__(
        self,
        environment: str | Environment,
        *,
        render_mode: str | None = None,
        time_limit: int | None = None,
        **options: Any,
    ) -> None:
        if isinstance(environment, str):
            from workbench.envs import environment as native

            environment = native(environment, **options)
        elif options:
            raise InputError(f"options {', '.join(options)} given with an environment that is built; give them to it.")
        self._lane = NativeVectorEnvironment(
            environment, 1, autoreset=False, copy=True, time_limit=time_limit, render_mode=render_mode
        )
        self._started = False
        self.render_mode = render_mode
        self.observation_space = self._lane.single_observation_space
        self.action_space = self._lane.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; a seed starts the random stream anew, and without a first seed chance chooses one."""
        super().reset(seed=seed)
        if seed is None and not self._started:
            seed = int(self.np_random.integers(2**63))
        self._started = True
        observation, info = self._lane.reset(seed=seed, options=options)
        return observation[0], {name: value[0] for name, value in info.items()}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance by one step.

        Raises:
            InputError: If the action is not of the action space.
        """
        observation, reward, terminated, truncated, info = self._lane.step(np.asarray(action)[None])
        first = {name: value[0] for name, value in info.items()}
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), first

    def render(self) -> Any:
        """Return a picture [H, W, 3] uint8, or None without a render mode."""
        frames = self._lane.render()
        return None if frames is None else frames[0]
