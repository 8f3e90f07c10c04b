"""Normalisation that travels with the policy. F: features, T: steps, B: lanes.

Statistics are float64 and counts int64, so that a billion steps do not drift; they live in buffers and are changed in
place, so that a checkpoint and `Module.to` take them along.
"""

import torch
from torch import Tensor, nn

EPSILON = 1e-8
"""Beside a variance, as Gymnasium has it."""


class Moments(nn.Module):
    """The mean and the variance of rows of numbers, batch by batch (Chan et al. 1979).

    Args:
        features: F.

    Attributes:
        count: Rows so far, int64.
        mean, squares: [F] float64; the sum of squared deviations from the mean.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(features, dtype=torch.float64))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Count the rows of `x` [N, F]."""
        if len(x):
            x = x.to(torch.float64)
            mean = x.mean(0)
            self.merge(self.count.new_tensor(len(x)), mean, (x - mean).square().sum(0))

    @torch.no_grad()
    def merge(self, count: Tensor, mean: Tensor, squares: Tensor) -> None:
        """Count `count` rows of which another has the `mean` and the `squares`."""
        total = self.count + count
        delta, share = mean - self.mean, count.double() / total
        self.squares += squares + delta.square() * self.count * share
        self.mean += delta * share
        self.count.copy_(total)

    def std(self) -> Tensor:
        """Return the standard deviations [F] float64 (of all rows, not an estimate); 1 before the first."""
        variance = self.squares / self.count.clamp(min=1)
        return torch.where(self.count > 0, (variance + EPSILON).sqrt(), 1.0)


class ObservationNormaliser(nn.Module):
    """Features with mean 0 and standard deviation 1, clipped to +-`clip`; itself without effect before any update.

    Args:
        features: F.
        where: [F] bool, which features are numbers; the others pass through. All if None.
        clip: In standard deviations.
    """

    where: Tensor

    def __init__(self, features: int, where: Tensor | None = None, clip: float = 10.0) -> None:
        super().__init__()
        self.moments = Moments(features)
        self.register_buffer(
            "where", torch.ones(features, dtype=torch.bool) if where is None else where, persistent=False
        )
        self.clip = clip

    def update(self, x: Tensor, valid: Tensor | None = None) -> None:
        """Count features [..., F], where `valid` [...] bool."""
        self.moments.update(x.reshape(-1, x.shape[-1]) if valid is None else x[valid])

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised features [..., F] float32."""
        seen = self.where & (self.moments.count > 0)
        mean = torch.where(seen, self.moments.mean, 0.0).float()
        scale = torch.where(seen, 1.0 / self.moments.std(), 1.0).float()
        limit = torch.where(seen, self.clip, torch.inf)
        return ((x - mean) * scale).clamp(-limit, limit)


class ReturnNormaliser(nn.Module):
    """Rewards over the standard deviation of the discounted return so far, without centring, clipped to +-`clip`.

    As in Gymnasium's NormalizeReward, the return runs forward from the start of an episode: r_t + gamma * before.

    Args:
        lanes: B.
        clip: Of the rewards that come out.
    """

    running: Tensor

    def __init__(self, lanes: int, clip: float = 10.0) -> None:
        super().__init__()
        self.moments = Moments(1)
        self.register_buffer("running", torch.zeros(lanes, dtype=torch.float64))
        self.clip = clip

    @torch.no_grad()
    def normalise(self, reward: Tensor, ended: Tensor, gamma: float, valid: Tensor | None = None) -> Tensor:
        """Count T further steps, then return their rewards normalised.

        Args:
            reward: [T, B].
            ended: [T, B] bool, where an episode ends with the step.
            gamma: Discount per step.
            valid: [T, B] bool, which steps there are; all if None.
        """
        returns = torch.empty(reward.shape, dtype=torch.float64, device=reward.device)
        for t in range(len(reward)):
            after = gamma * self.running + reward[t]
            returns[t] = after if valid is None else torch.where(valid[t], after, self.running)
            self.running.copy_(returns[t].masked_fill(ended[t] if valid is None else ended[t] & valid[t], 0.0))
        self.moments.update((returns.flatten() if valid is None else returns[valid])[:, None])
        return (reward / self.moments.std().to(reward.dtype)).clamp(-self.clip, self.clip)
