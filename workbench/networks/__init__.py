"""Networks."""

from workbench.networks.distributions import Categoricals, Distribution, Mixed, Normal, SquashedNormal
from workbench.networks.encoder import Encoder, Flatten
from workbench.networks.heads import CategoricalHead, MixedHead, NormalHead, SquashedNormalHead, head_for
from workbench.networks.layers import ACTIVATIONS, GAINS, dense, linear
from workbench.networks.model import BODIES, ActorCritic, actor_critic
from workbench.networks.normalisation import Moments, ObservationNormaliser, ReturnNormaliser

__all__ = [
    "ACTIVATIONS",
    "BODIES",
    "GAINS",
    "ActorCritic",
    "CategoricalHead",
    "Categoricals",
    "Distribution",
    "Encoder",
    "Flatten",
    "Mixed",
    "MixedHead",
    "Moments",
    "Normal",
    "NormalHead",
    "ObservationNormaliser",
    "ReturnNormaliser",
    "SquashedNormal",
    "SquashedNormalHead",
    "actor_critic",
    "dense",
    "head_for",
    "linear",
]
