"""Networks."""

from workbench.networks.actor_critic import ActorCritic
from workbench.networks.encoder import Flatten

__all__ = ["ActorCritic", "Flatten"]
