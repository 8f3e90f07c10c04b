"""The agents of a native environment as lanes of their own, for one policy that acts for all."""

from typing import Any

import numpy as np

from workbench.envs.native import NativeVectorEnvironment, gymnasium_space
from workbench.spaces import SpaceTree
from workbench_kernels.arrays import aligned


class AgentLanes:
    """Speaks for `env`, of A agents, as `workbench.spec.VectorEnvironment` says: lane = environment * A + agent.

    An agent that terminates alone starts again in the same step, as its environment's file says; so all are `active`.

    Args:
        env: A native environment with more than one agent.
    """

    backend = "native"
    saved = ("env", "observation", "action_mask")

    def __init__(self, env: NativeVectorEnvironment) -> None:
        self.env, self.environment = env, env.environment
        self.id, self.options = env.id, env.options
        self.agents = env.environment.agents
        self.lanes = env.lanes * self.agents
        self.single_observation_space = gymnasium_space(env.environment.observation)
        self.single_action_space = gymnasium_space(env.environment.action)
        self.tree = SpaceTree(self.single_observation_space)
        self.observation, self.final_observation = self.tree.rows(self.lanes), self.tree.rows(self.lanes)
        self.reward = aligned((self.lanes,), np.float32)
        self.terminated, self.truncated = (aligned((self.lanes,), np.bool_) for _ in range(2))
        self.active = np.ones(self.lanes, np.bool_)
        self.action_mask: Any = None
        if env.action_mask is not None:
            self.action_mask = aligned((self.lanes, env.action_mask.shape[-1]), np.bool_)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start a new episode in every environment; see `NativeVectorEnvironment.reset`."""
        _, infos = self.env.reset(seed=seed, options=options)
        self._see()
        return self.tree.view(self.observation), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every environment by one step; actions are [B] or [B, K], of all agents."""
        env, shape = self.env, (self.env.lanes, self.agents)
        given = np.asarray(actions)
        *_, infos = env.step(given.reshape(*shape, *given.shape[1:]))
        self.reward.reshape(shape)[...] = env.agent_reward
        self.terminated.reshape(shape)[...] = env.agent_terminated
        self.truncated.reshape(shape)[...] = env.truncated[:, None]
        self.final_observation.reshape(*shape, -1)[...] = env.final_observation.reshape(*shape, -1)
        self._see()
        return self.tree.view(self.observation), self.reward, self.terminated, self.truncated, infos

    def _see(self) -> None:
        shape = (self.env.lanes, self.agents, -1)
        self.observation.reshape(shape)[...] = self.env.observation.reshape(shape)
        if self.env.action_mask is not None:
            self.action_mask.reshape(shape)[...] = self.env.action_mask.reshape(shape)

    def share(self, frames: int) -> None:
        """Keep the buffers here."""

    def rewind(self) -> None:
        """Do nothing: no frames are shared."""

    def like(self, lanes: int, seed: int) -> "AgentLanes":
        """Build the same environment with `lanes` lanes."""
        return AgentLanes(self.env.like(lanes, seed))

    def close(self) -> None:
        """Close the environment."""
        self.env.close()
