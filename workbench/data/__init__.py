"""Where batches come from: a source collects with the policy it is given, and hands out what it holds."""

from workbench.data.replay import ReplaySource
from workbench.data.rollout import Batch, RolloutSource, as_numpy

__all__ = ["Batch", "ReplaySource", "RolloutSource", "as_numpy"]
