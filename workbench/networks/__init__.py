"""Networks."""

from workbench.networks.actor_critic import ActorCritic
from workbench.networks.encoder import Flatten
from workbench.networks.heads import CategoricalHead, Categoricals, Distribution, head_for

__all__ = ["ActorCritic", "CategoricalHead", "Categoricals", "Distribution", "Flatten", "head_for"]
