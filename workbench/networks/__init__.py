"""Torch modules. N: rows, O: observation components, A: actions."""

from workbench.networks.actor_critic import ActorCritic

__all__ = ["ActorCritic"]
