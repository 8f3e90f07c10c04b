"""How parameters follow gradients, and how hyperparameters follow a run."""

from workbench.optimisers.muon import MuonAdam, hidden_matrices
from workbench.optimisers.penalty import AdaptivePenalty
from workbench.optimisers.scaling import LossScale
from workbench.optimisers.schedules import SCHEDULES

__all__ = ["SCHEDULES", "AdaptivePenalty", "LossScale", "MuonAdam", "hidden_matrices"]
