"""PPO: clipped-ratio policy optimisation (Schulman et al. 2017, arXiv:1707.06347).

T: horizon, B: lanes, N: transitions of a minibatch, R: components of an observation, D: of an action.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

import workbench.functional as F
from workbench.data import Batch, RolloutSource
from workbench.errors import InputError
from workbench.hyperparameters import configurable, hyperparameter
from workbench.networks import ActorCritic, Flatten, head_for
from workbench.spec import EnvironmentSpec, VectorEnvironment


@configurable
class PPO:
    """Proximal policy optimisation for discrete and multi-discrete actions, with a multilayer perceptron."""

    horizon: int = hyperparameter(32, low=1, help="environment steps per lane between updates")
    epochs: int = hyperparameter(4, low=1, help="passes over each rollout")
    minibatches: int = hyperparameter(4, low=1, help="gradient steps a pass")
    learning_rate: float = hyperparameter(2.5e-3, low=1e-6, high=1e-1, log=True, live=True, help="of Adam")
    gamma: float = hyperparameter(0.99, low=0.0, high=1.0, live=True, help="discount per step")
    gae_lambda: float = hyperparameter(
        0.95, low=0.0, high=1.0, live=True, help="decay of the advantage's trace per step"
    )
    clip: float = hyperparameter(0.2, low=0.0, high=1.0, live=True, help="on the probability ratio, around 1")
    entropy_coefficient: float = hyperparameter(
        0.01, low=0.0, high=1.0, live=True, help="weight of the entropy bonus, per nat"
    )
    value_coefficient: float = hyperparameter(0.5, low=0.0, high=10.0, live=True, help="weight of the value loss")
    max_gradient_norm: float = hyperparameter(
        0.5, low=1e-3, high=1e3, log=True, live=True, help="the gradient is scaled down to this norm"
    )
    width: int = hyperparameter(64, low=1, high=4096, help="units a hidden layer")
    depth: int = hyperparameter(2, low=1, high=16, help="hidden layers")
    activation: str = hyperparameter("relu", choices=("relu", "silu", "tanh"), help="of the hidden layers")

    saved = ("model", "optimiser", "action_generator", "shuffle_generator")
    trained_on = ("observation", "action", "log_prob", "advantage", "target")

    def setup(self, spec: EnvironmentSpec, device: torch.device, seeds: dict[str, int]) -> None:
        """Build the network and the optimiser for an environment of shape `spec`.

        Raises:
            InputError: If the actions are not discrete, or a rollout has fewer transitions than minibatches.
        """
        policy = head_for(spec.action, "PPO")
        if self.minibatches > self.horizon * spec.lanes:
            raise InputError(
                f"PPO.minibatches={self.minibatches} is more than the {self.horizon * spec.lanes} transitions of a "
                f"rollout; lower it, or raise lanes or horizon."
            )
        initial = torch.Generator().manual_seed(seeds["weights"])
        self.model = ActorCritic(
            Flatten(spec.observation),
            policy,
            width=self.width,
            depth=self.depth,
            activation=self.activation,
            generator=initial,
        ).to(device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=self.learning_rate, eps=1e-5)
        self.action_generator = torch.Generator(device).manual_seed(seeds["actions"])
        self.shuffle_generator = torch.Generator().manual_seed(seeds["shuffle"])

    def source(self, env: VectorEnvironment, device: torch.device, seed: int) -> RolloutSource:
        """Return where this algorithm's batches come from."""
        return RolloutSource(env, self.horizon, device, seed)

    @torch.inference_mode()
    def act(
        self,
        observation: Tensor,
        carry: Any,
        mode: str,
        mask: Tensor | None = None,
        first: Tensor | None = None,
    ) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """Choose one action [B] or [B, D] int64 per lane, sampled or (mode "greedy") the likeliest.

        Args:
            observation: [B, R].
            carry: Of the network, as it returned it; None at first.
            mode: "sample" or "greedy".
            mask: [B, sum of choices] bool, which are legal; all if None.
            first: [B] bool, where an episode begins; where the carry says so if None.

        Returns:
            The action, the carry, and what to store with the transition: `log_prob` and `value` [B].
        """
        policy, value, carry = self.model(observation, mask, carry, first)
        if mode == "greedy":
            return self.model.policy.outward(policy.mode()), carry, {}
        action = policy.sample(self.action_generator)
        extras = {"action": action, "log_prob": policy.log_prob(action), "value": value}
        return self.model.policy.outward(action), carry, extras

    @torch.inference_mode()
    def prepare(self, rollout: Batch) -> Batch:
        """Return the rollout with `advantage` and the value's `target` [T, B].

        The successor's value is the next step's, but for the episodes cut by a time limit: theirs is the value of the
        observation they were cut at. A terminated episode has none.
        """
        _, last_value, _ = self.model(rollout.last_observation)
        next_value = torch.cat([rollout.value[1:], last_value[None]])
        _, final_value, _ = self.model(rollout.final_observation)
        next_value.view(-1)[rollout.final_index] = final_value
        advantage = F.gae(
            rollout.reward,
            rollout.value,
            next_value,
            rollout.terminated,
            rollout.truncated,
            self.gamma,
            self.gae_lambda,
        )
        return Batch(**rollout.fields, advantage=advantage, target=advantage + rollout.value)

    def batches(self, rollout: Batch) -> Iterator[Batch]:
        """Yield the minibatches of N transitions to learn from, `epochs` times over."""
        count = int(rollout.valid.sum()) if "valid" in rollout.fields else rollout.reward.numel()
        size = max(1, -(-count // self.minibatches))
        names = (*self.trained_on, "action_mask") if "action_mask" in rollout.fields else self.trained_on
        for _ in range(self.epochs):
            yield from rollout.minibatches(names, size, self.shuffle_generator)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step on a minibatch of N transitions; return the scalars to log."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate
        policy, value, _ = self.model(batch.observation, batch.fields.get("action_mask"))
        log_ratio = policy.log_prob(batch.action) - batch.log_prob
        ratio = log_ratio.exp()
        policy_loss = F.clipped_surrogate(ratio, F.standardise(batch.advantage), self.clip).mean()
        value_loss = 0.5 * (value - batch.target).square().mean()
        entropy = policy.entropy().mean()
        loss = policy_loss + self.value_coefficient * value_loss - self.entropy_coefficient * entropy
        self.optimiser.zero_grad()
        loss.backward()
        gradient_norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_gradient_norm)
        self.optimiser.step()
        with torch.no_grad():
            return {
                "policy_loss": policy_loss.detach(),
                "value_loss": value_loss.detach(),
                "entropy": entropy.detach(),
                "gradient_norm": gradient_norm,
                # The low-variance estimate of KL(old, new), never negative (Schulman 2020).
                "kl": (ratio - 1.0 - log_ratio).mean(),
                "clip_fraction": ((ratio - 1.0).abs() > self.clip).float().mean(),
                "explained_variance": F.explained_variance(value, batch.target),
            }
