"""SAC: soft actor-critic (Haarnoja et al. 2018, arXiv:1801.01290 and 1812.05905).

With choices for actions as Christodoulou (2019, arXiv:1910.07207) has it. T: horizon, B: lanes, R: components of an
observation, N: transitions of a batch, A: choices, K: numbers of an action.
"""

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import gymnasium
import torch
from torch import Tensor, nn

from workbench.algorithms.tuned import settings
from workbench.data import Batch, ReplaySource
from workbench.errors import InputError
from workbench.hyperparameters import configurable, hyperparameter
from workbench.networks import Encoder, head_for
from workbench.networks.outlook import Outlook
from workbench.networks.soft import Actor, Critics
from workbench.spec import EnvironmentSpec, VectorEnvironment

GIBIBYTE = 2.0**30
LEAST_ERROR = 1e-6
"""Added to an error before it is a priority, so that none is 0."""


class SoftActorCritic(nn.Module):
    """The policy, the critics, their slow copies, and the temperature.

    Attributes:
        actor, critic, target: The networks.
        log_temperature: Of alpha, reward units per nat.
    """

    def __init__(self, actor: Actor, critic: Critics, temperature: float) -> None:
        super().__init__()
        self.actor, self.critic = actor, critic
        self.target = deepcopy(critic).requires_grad_(False)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))


@configurable
class SAC:
    """Soft actor-critic, off-policy, for discrete and for bounded continuous actions."""

    horizon: int = hyperparameter(4, low=1, help="environment steps per lane between updates")
    ratio: float = hyperparameter(
        0.25, low=1e-4, high=100.0, log=True, live=True, help="updates per environment step, all lanes together"
    )
    batch: int = hyperparameter(256, low=1, high=65536, help="transitions an update")
    learning_rate: float = hyperparameter(1e-3, low=1e-6, high=1e-1, log=True, live=True, help="of Adam, for all parts")
    gamma: float = hyperparameter(0.99, low=0.0, high=1.0, live=True, help="discount per step")
    n_step: int = hyperparameter(1, low=1, high=1000, live=True, help="steps after which a return is bootstrapped")
    polyak: float = hyperparameter(
        0.01, low=1e-5, high=1.0, log=True, live=True, help="share that target critics move to the critics an update"
    )
    temperature: float = hyperparameter(
        1.0, low=1e-6, high=1e3, log=True, help="weight of the entropy, reward units per nat; at first, if it is tuned"
    )
    tune_temperature: bool = hyperparameter(True, help="whether the temperature follows the target entropy")
    target_entropy: float = hyperparameter(
        -1.0, low=-10.0, high=0.69, live=True, help="nats per continuous component, in units of half its range"
    )
    target_fraction: float = hyperparameter(
        0.5, low=0.0, high=1.0, live=True, help="target entropy of choices, as a fraction of that of all legal ones"
    )
    random_steps: int = hyperparameter(1000, low=0, help="environment steps with random actions at first")
    learning_starts: int = hyperparameter(1000, low=1, help="transitions to remember before the first update")
    capacity: int = hyperparameter(
        1_000_000, low=16, help="rows of the replay buffer: transitions, and one for each episode's end"
    )
    memory: float = hyperparameter(
        4.0, low=0.0, high=1e6, help="GiB of replay in memory; a larger buffer is mapped to a temporary file"
    )
    keep_replay: bool = hyperparameter(True, help="whether checkpoints hold the replay buffer; else it fills anew")
    priority: float = hyperparameter(
        0.0, low=0.0, high=1.0, help="exponent of the error in the choice of transitions; 0: evenly"
    )
    priority_correction: float = hyperparameter(
        0.4, low=0.0, high=1.0, live=True, help="exponent of the weights that make up for priorities"
    )
    width: int = hyperparameter(256, low=1, high=4096, help="units a hidden layer")
    depth: int = hyperparameter(2, low=1, high=16, help="hidden layers")
    activation: str = hyperparameter("relu", choices=("relu", "silu", "tanh"), help="of the hidden layers")

    saved = ("model", "optimiser", "action_generator", "draw_generator", "acted", "owed")

    @classmethod
    def tuned(cls, env: str) -> "SAC":
        """Return SAC with hyperparameters that were found for the environment `env` (`workbench.algorithms.tuned`).

        Raises:
            UnknownNameError: If none were.
        """
        return cls(**settings("sac", env))

    def setup(self, spec: EnvironmentSpec, device: torch.device, seeds: dict[str, int]) -> None:
        """Build the networks and the optimiser for an environment of shape `spec`.

        Raises:
            InputError: If the actions are neither one choice nor numbers within bounds.
        """
        self._discrete = isinstance(spec.action, gymnasium.spaces.Discrete)
        if not self._discrete and not isinstance(spec.action, gymnasium.spaces.Box):
            raise InputError(
                f"action space {spec.action} is neither one choice nor numbers; SAC needs Discrete or Box."
            )
        policy = head_for(spec.action, "SAC", squashed=True)
        self._numbers = 0 if self._discrete else policy.outputs // 2
        initial = torch.Generator().manual_seed(seeds["weights"])
        shape: Any = {"width": self.width, "depth": self.depth, "activation": self.activation, "generator": initial}
        encoders = [
            Encoder(spec.observation, normalise=False, images=True, activation=self.activation, generator=initial)
            for _ in range(2)
        ]
        actor = Actor(encoders[0], policy, **shape)
        choices = policy.outputs if self._discrete else 0
        critic = Critics(encoders[1], 2, choices=choices, numbers=self._numbers, **shape)
        self.model = SoftActorCritic(actor, critic, self.temperature).to(device)
        self.model.log_temperature.requires_grad_(self.tune_temperature)
        learned = [x for x in self.model.parameters() if x.requires_grad]
        self.optimiser = torch.optim.Adam(learned, lr=self.learning_rate, fused=True)
        self._slow: list[Tensor] = list(self.model.target.parameters())
        self._fast: list[Tensor] = list(critic.parameters())
        self.action_generator = torch.Generator(device).manual_seed(seeds["actions"])
        self.draw_generator = torch.Generator().manual_seed(seeds["shuffle"])
        self.acted, self.owed = 0, 0.0

    def source(self, env: VectorEnvironment, device: torch.device, seed: int) -> ReplaySource:
        """Return where this algorithm's batches come from.

        Raises:
            InputError: If `capacity` is too small for the lanes.
        """
        action = torch.zeros((), dtype=torch.int64) if self._discrete else torch.zeros(self._numbers)
        return ReplaySource(
            env,
            self.horizon,
            device,
            seed,
            capacity=self.capacity,
            action=action,
            prioritised=self.priority > 0.0,
            keep=self.keep_replay,
            memory=self.memory * GIBIBYTE,
        )

    @torch.inference_mode()
    def act(
        self,
        observation: Tensor,
        carry: Any,
        mode: str,
        mask: Tensor | None = None,
        first: Tensor | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """Choose one action per lane, sampled (at first at random) or, mode "greedy", the likeliest.

        Args:
            observation: [B, R].
            carry: None; there is no memory.
            mode: "sample" or "greedy".
            mask: [B, A] bool, which choices are legal; all if None.
            first: [B] bool, where an episode begins.

        Returns:
            What the environment gets, [B] int64 or [B, K]; the carry; and the `action` to remember, whose components
            lie in [-1, 1] if they are numbers.
        """
        head = self.model.actor.policy
        if mode == "greedy":
            return head.outward(self.model.actor(observation, mask).mode()), carry, {}
        if self.acted < self.random_steps:
            action = self._random(len(observation), mask)
        else:
            action = self.model.actor(observation, mask).sample(self.action_generator)
        self.acted += len(observation)
        return head.outward(action), carry, {"action": action}

    @torch.inference_mode()
    def outlook(self, observation: Tensor, carry: Any = None, mask: Any = None, first: Any = None) -> Outlook:  # noqa: ARG002
        """Say what the policy makes of observations [B, R], drawing nothing; else as `act`.

        The value is the lesser critic's: expected over choices, or of the likeliest numbers.
        """
        actor, critic = self.model.actor, self.model.critic
        policy: Any = actor(observation, mask)
        if self._discrete:
            value = (policy.log_probs.exp() * critic(observation).amin(0)).sum(-1)
        else:
            value = critic(observation, policy.mode()).amin(0)
        return Outlook(policy, actor.policy, value)

    def _random(self, lanes: int, mask: Tensor | None) -> Tensor:
        """Return actions [B] or [B, K], all legal ones equally likely."""
        generator, device = self.action_generator, self.action_generator.device
        if self._numbers:
            return 2.0 * torch.rand((lanes, self._numbers), generator=generator, device=device) - 1.0
        head = self.model.actor.policy
        uniform: Tensor = head(torch.zeros((lanes, head.outputs), device=device), mask).sample(generator)
        return uniform

    def prepare(self, replay: ReplaySource) -> ReplaySource:
        """Return what was collected: everything so far."""
        return replay

    def batches(self, replay: ReplaySource) -> Iterator[Batch]:
        """Yield the batches of N transitions to learn from: `ratio` for each step taken, the rest next time."""
        if replay.remembered < self.learning_starts:
            return
        self.owed += self.ratio * float(replay.outcome()[2].sum())
        while self.owed >= 1.0:
            self.owed -= 1.0
            batch = replay.draw(self.batch, self.draw_generator, n=self.n_step, gamma=self.gamma)
            yield batch
            if replay.priorities is not None:
                error = self._error.mean(0).double().cpu().numpy()
                replay.priorities.learn(batch.slot.cpu().numpy(), (error + LEAST_ERROR) ** self.priority)

    def _expected(self, critic: Critics, observation: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return what the policy expects of the lesser critic, and its entropy, [N] each: of choices exactly."""
        policy: Any = self.model.actor(observation, mask)
        if self._discrete:
            return (policy.log_probs.exp() * critic(observation).amin(0)).sum(-1), policy.entropy()
        action, log_prob = policy.rsample(self.action_generator)
        return critic(observation, action).amin(0), -log_prob

    def _desired(self, batch: Batch) -> float | Tensor:
        """Return the target entropy, in nats, of the batch's policy."""
        if not self._discrete:
            return self.target_entropy * self._numbers
        mask = batch.fields.get("action_mask")
        if mask is None:
            return self.target_fraction * math.log(self.model.actor.policy.outputs)
        return self.target_fraction * mask.sum(-1).float().log()

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step of all parts on a batch of N transitions; return the scalars to log.

            target       = reward + discount * (E min Q_target(s', a') + alpha * H(s')),   a' ~ pi(s')
            value loss   = sum over critics of 1/2 (Q(s, a) - target)^2
            policy loss  = -(E min Q(s, a) + alpha * H(s)),                                a ~ pi(s)
            temperature  : d/d log alpha = H(s) - target entropy

        Gradients of each part stay in it: the policy's loss moves no critic, and nothing moves alpha but the last.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate
        model, mask = self.model, batch.fields.get("action_mask")
        alpha = model.log_temperature.detach().exp()
        with torch.no_grad():
            later, entropy = self._expected(model.target, batch.next_observation, batch.fields.get("next_action_mask"))
            target = batch.reward + batch.discount * (later + alpha * entropy)
        if self._discrete:
            value = model.critic(batch.observation)
            value = value.gather(-1, batch.action.expand(len(value), -1)[..., None]).squeeze(-1)
        else:
            value = model.critic(batch.observation, batch.action)
        error = value - target
        self._error = error.detach().abs()
        weight = self._weight(batch)
        value_loss = 0.5 * (weight * error.square()).mean(-1).sum()
        self._let_learn(False)
        expected, entropy = self._expected(model.critic, batch.observation, mask)
        self._let_learn(True)
        policy_loss = -(expected + alpha * entropy).mean()
        loss = value_loss + policy_loss
        if self.tune_temperature:
            loss = loss + model.log_temperature * (entropy - self._desired(batch)).detach().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self._slow, self._fast, self.polyak)
            return {
                "policy_loss": policy_loss.detach(),
                "value_loss": value_loss.detach(),
                "value": value.detach().mean(),
                "entropy": entropy.detach().mean(),
                "temperature": alpha,
            }

    def _let_learn(self, wanted: bool) -> None:
        """Say whether what follows has gradients in the critics' weights."""
        for weight in self._fast:
            weight.requires_grad = wanted

    def _weight(self, batch: Batch) -> float | Tensor:
        """Return the weights [N] that make up for priorities, 1 at most (Schaul et al. 2016, section 3.4)."""
        if "probability" not in batch.fields:
            return 1.0
        return (batch.probability / batch.probability.min()) ** -self.priority_correction
