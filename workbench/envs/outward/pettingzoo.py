"""One lane of a native multi-agent environment as a `ParallelEnv` of PettingZoo. A: agents."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pettingzoo import ParallelEnv

from workbench.envs import environment as native
from workbench.envs.native import RENDER_FPS, NativeVectorEnvironment, gymnasium_space
from workbench.errors import InputError
from workbench_kernels import Environment


class LaneParallelEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc, unused-ignore]
    """A multi-agent lane for PettingZoo; see `workbench.envs.outward.as_pettingzoo`.

    Agents are "agent_0" to "agent_A-1", and all of them act in every step; in a turn-based game the action of an agent
    that waits does not matter, and its mask allows only 0. The infos of an agent hold its `action_mask` [N] int8 and
    the lane's `cost` where the environment has them. `state()` returns the global state [G] where there is one.

    All agents leave together, when the lane is over. An agent that ends alone and starts again in the same step (of
    several snakes) stays, since PettingZoo revives nobody: `terminated` in its infos says so.

    Args:
        environment: A native id, or a kernel environment of your own.
        render_mode: None, or "rgb_array".
        time_limit: Steps after which an episode is truncated.
        copy: False returns views.
        options: Of a native environment.

    Raises:
        InputError: If the environment has one agent, or an argument is out of range.
    """

    def __init__(
        self,
        environment: str | Environment,
        *,
        render_mode: str | None = None,
        time_limit: int | None = None,
        copy: bool = True,
        **options: Any,
    ) -> None:
        if isinstance(environment, str):
            environment = native(environment, **options)
        elif not isinstance(environment, Environment):
            raise InputError(
                f"environment={environment!r} is none; pass a native id such as 'workbench/SimpleSpread-v0', or a "
                f"workbench_kernels.Environment."
            )
        elif options:
            raise InputError(f"options {', '.join(options)} given with an environment that is built; give them to it.")
        if environment.agents == 1:
            raise InputError(
                f"environment {environment.id!r} has one agent, and PettingZoo is for several; use gymnasium.make, or "
                f"an option that brings more, such as players=2."
            )
        self.lane = NativeVectorEnvironment(
            environment, 1, autoreset=False, time_limit=time_limit, render_mode=render_mode
        )
        self.render_mode = render_mode
        self.metadata = {
            "name": environment.id,
            "render_modes": ["rgb_array"],
            "render_fps": RENDER_FPS,
            "is_parallelizable": True,
        }
        self.possible_agents = [f"agent_{a}" for a in range(environment.agents)]
        self.agents: list[str] = []
        self.observation_spaces = {agent: gymnasium_space(environment.observation) for agent in self.possible_agents}
        self.action_spaces = {agent: gymnasium_space(environment.action) for agent in self.possible_agents}
        if environment.global_space is not None:
            self.state_space = gymnasium_space(environment.global_space)
        self._copy = copy
        self._started = False

    def observation_space(self, agent: str) -> Any:
        """Return what `agent` observes."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """Return what `agent` can do."""
        return self.action_spaces[agent]

    def reset(
        self,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode; a seed starts the random stream anew, and without a first seed chance chooses one.

        Args:
            seed: From 0 to 2**64 - 1.
            options: There are none, and PettingZoo's contract is to accept any.

        Returns:
            The observation [...] and the infos of each agent.
        """
        self._check_open()
        if seed is None and not self._started:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        observation, info = self.lane.reset(seed=seed)
        self._started = True
        self.agents = list(self.possible_agents)
        return self._each(observation), self._infos(info)

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Advance by one step.

        Args:
            actions: One for each agent.

        Returns:
            Observation, reward, terminated, truncated and infos of each agent.

        Raises:
            InputError: If the episode is over, an agent's action is missing or not of its space, or the environment is
                closed.
        """
        self._check_open()
        if not self.agents:
            raise InputError(f"no agent of {self.lane.id!r} is left; reset before the next step.")
        wanted = ", ".join(self.agents)
        if not isinstance(actions, Mapping):
            raise InputError(f"actions={actions!r} are no dict; pass one with an action for each of {wanted}.")
        if set(actions) != set(self.agents):
            given = ", ".join(sorted(map(str, actions))) or "nobody"
            raise InputError(f"actions are for {given}; pass one for each of {wanted}.")
        observation, _, terminated, truncated, info = self.lane.step([[actions[agent] for agent in self.agents]])
        agents, over, cut = self.agents, bool(terminated[0]), bool(truncated[0])
        rewards = dict(zip(agents, info["agent_reward"][0].tolist(), strict=True))
        result = (
            self._each(observation),
            rewards,
            dict.fromkeys(agents, over),
            dict.fromkeys(agents, cut),
            self._infos(info),
        )
        if over or cut:
            self.agents = []
        return result

    def _each(self, observation: Any) -> dict[str, Any]:
        parts = observation[0].copy() if self._copy else observation[0]
        return dict(zip(self.possible_agents, parts, strict=True))

    def _infos(self, info: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.possible_agents}
        for a, told in enumerate(infos.values()):
            if "action_mask" in info:
                told["action_mask"] = info["action_mask"][0, a].astype(np.int8)
            if "agent_terminated" in info:
                told["terminated"] = bool(info["agent_terminated"][0, a])
            if "cost" in info:
                told["cost"] = float(info["cost"][0])
        return infos

    def state(self) -> Any:
        """Return what a centralised critic may see [G] float32; NotImplementedError where there is nothing.

        Raises:
            InputError: If the environment is closed.
        """
        self._check_open()
        if self.lane.environment.global_space is None:
            return super().state()
        return self.lane.global_state[0].reshape(self.state_space.shape).copy()

    def render(self) -> Any:
        """Return a picture [H, W, 3] uint8, or None without a render mode."""
        frames = self.lane.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Close the lane."""
        self.agents = []
        self.lane.close()

    def _check_open(self) -> None:
        if self.lane.closed:
            raise InputError(f"environment {self.lane.id!r} is closed; make a new one.")
