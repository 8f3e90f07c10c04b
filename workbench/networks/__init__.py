"""Networks."""

from workbench.networks.actor_critic import ActorCritic
from workbench.networks.distributions import Categoricals, Distribution, Mixed, Normal, SquashedNormal
from workbench.networks.encoder import Flatten
from workbench.networks.heads import CategoricalHead, MixedHead, NormalHead, SquashedNormalHead, head_for

__all__ = [
    "ActorCritic",
    "CategoricalHead",
    "Categoricals",
    "Distribution",
    "Flatten",
    "Mixed",
    "MixedHead",
    "Normal",
    "NormalHead",
    "SquashedNormal",
    "SquashedNormalHead",
    "head_for",
]
