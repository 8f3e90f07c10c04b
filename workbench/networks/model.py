"""Networks that act and judge. L: steps, N: rows, R: components of a row, A: choices, C: numbers a carry holds."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import InputError
from workbench.networks.distributions import Distribution
from workbench.networks.encoder import Encoder
from workbench.networks.heads import full, head_for
from workbench.networks.layers import ACTIVATIONS, GAINS, dense, linear
from workbench.networks.memory import MEMORIES
from workbench.spec import EnvironmentSpec

BODIES = ("mlp", *MEMORIES)
HEADS = 4
"""Of a transformer's attention."""


class ActorCritic(nn.Module):
    """A policy and its value: dense layers, then memory or none, then a linear head; shared, or one of each.

    Gains are those of the activation in the dense layers, 0.01 for the policy (a near-uniform start) and 1 for the
    value (Andrychowicz et al. 2021).

    Args:
        encoder: Makes features [N, F] float32 of observations [N, R].
        policy: The head that makes a distribution, as `head_for` builds it.
        width, depth: Units a hidden layer, and how many of them.
        activation: A name in `ACTIVATIONS`.
        generator: The source of the initial weights.
        separate: Whether policy and value share nothing but the encoder.
        memory: Builds the memory of so many inputs; None for none.

    Attributes:
        carry_size: C, 0 without memory.
    """

    def __init__(
        self,
        encoder: Any,
        policy: Any,
        *,
        width: int,
        depth: int,
        activation: str,
        generator: torch.Generator,
        separate: bool = False,
        memory: Callable[[int], Any] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.policy = policy
        inner, gain = width if depth else encoder.features, GAINS[activation]
        self.trunk = dense(encoder.features, width, depth, gain, generator)
        self.memory: Any = memory(inner) if memory else None
        out = width if memory else inner
        self.head = linear(out, policy.outputs + (0 if separate else 1), 0.01, generator)
        if separate:
            self.critic_trunk = dense(encoder.features, width, depth, gain, generator)
            self.critic_memory: Any = memory(inner) if memory else None
            self.critic_head = linear(out, 1, 1.0, generator)
        else:
            with torch.no_grad():
                self.head.weight[-1] *= 100.0
        self.carry_size: int = 0 if self.memory is None else (1 + separate) * self.memory.carry_size
        self._activation = ACTIVATIONS[activation]
        self._separate = separate

    def forward(
        self, observation: Tensor, mask: Tensor | None = None, carry: Any = None, first: Tensor | None = None
    ) -> tuple[Distribution, Tensor, Any]:
        """Return the policy's distribution of N actions, values [N], and the carry for the next step.

        Or, of L steps at once, the distribution of L * N actions, step by step, values [L * N], and the carry after the
        last step: the same as L single steps would, and gradients flow from step to step.

        Args:
            observation: [N, R] or [L, N, R], rows as the encoder takes them.
            mask: [N, A] or [L, N, A] bool, which actions are legal; all if None.
            carry: [N, C] before the (first) step, zeros if None; a network without memory returns it as it is.
            first: [N] or [L, N] bool, where an episode begins, so that the carry counts as zero; nowhere if None.
        """
        features = self.encoder(observation.flatten(0, -2))
        lead = observation.shape[:-1] if observation.ndim == 3 else (1, *observation.shape[:-1])
        if self.memory is not None:
            if carry is None:
                carry = features.new_zeros((lead[1], self.carry_size), dtype=torch.float32)
            first = torch.zeros(lead, dtype=torch.bool, device=carry.device) if first is None else first.view(lead)
        if self._separate:
            parts = (None, None) if self.memory is None else carry.chunk(2, -1)
            x, own = self._body(self.trunk, self.memory, features, lead, parts[0], first)
            y, critics = self._body(self.critic_trunk, self.critic_memory, features, lead, parts[1], first)
            out, value = self.head(x), self.critic_head(y)
            carry = carry if self.memory is None else torch.cat([own, critics], -1)
        else:
            x, carry = self._body(self.trunk, self.memory, features, lead, carry, first)
            out = self.head(x)
            out, value = out[:, :-1], out[:, -1:]
        mask = None if mask is None else mask.flatten(0, -2)
        return self.policy(out, mask), full(value.squeeze(-1)), carry

    def _body(
        self, trunk: nn.ModuleList, memory: Any, x: Tensor, lead: tuple[int, ...], carry: Any, first: Tensor | None
    ) -> tuple[Tensor, Any]:
        """Return what goes to the head, [L * N, width], and the carry."""
        for layer in trunk:
            x = self._activation(layer(x))
        if memory is None:
            return x, carry
        x, carry = memory(x.view(*lead, x.shape[-1]), carry, first)
        return x.flatten(0, 1), carry

    def value(self, observation: Tensor, carry: Any = None, first: Tensor | None = None) -> Tensor:
        """Return the values, [N] or [L * N]; otherwise like `forward`."""
        return self(observation, None, carry, first)[1]  # type: ignore[no-any-return]

    def observe(self, observation: Tensor, valid: Tensor | None = None) -> None:
        """Count observations [..., R] in what they are normalised by, if they are, where `valid` [...] bool.

        Nothing else changes what the network says of an observation between two updates of its weights.
        """
        self.encoder.observe(observation, valid)


def actor_critic(
    spec: EnvironmentSpec,
    *,
    body: str = "mlp",
    width: int = 64,
    depth: int = 2,
    activation: str = "relu",
    separate: bool = False,
    normalise: bool = False,
    images: bool = True,
    squashed: bool = False,
    initial_std: float = 1.0,
    context: int = 16,
    generator: torch.Generator,
    owner: str,
) -> ActorCritic:
    """Build the network for an environment of shape `spec`.

    Args:
        spec: The environment.
        body: "mlp", or with memory behind its dense layers "lstm", "gru" or "transformer".
        width, depth: Units a hidden layer and the memory, and how many hidden layers.
        activation: A name in `ACTIVATIONS`.
        separate: Whether policy and value share nothing but the encoder of images.
        normalise: Whether observations (not images, not choices) are normalised by what `observe` was shown.
        images: Whether images go through convolutions, and are not flattened.
        squashed: Whether numbers of an action are squashed into their bounds, and not clipped.
        initial_std: Of numbers that are not squashed, in units of half their range.
        context: Steps that a block of the transformer looks at.
        generator: The source of the initial weights.
        owner: Who asks, for errors.

    Raises:
        InputError: If the actions have no head, or the width does not divide among a transformer's heads.
    """
    policy = head_for(spec.action, owner, squashed, initial_std)
    if body == "transformer" and width % HEADS:
        raise InputError(f"{owner}.width={width} is no multiple of a transformer's {HEADS} heads; choose one that is.")
    more = {"context": context, "heads": HEADS} if body == "transformer" else {}
    memory = None if body == "mlp" else lambda inputs: MEMORIES[body](inputs, width, generator, **more)
    encoder = Encoder(spec.observation, normalise=normalise, images=images, activation=activation, generator=generator)
    return ActorCritic(
        encoder,
        policy,
        width=width,
        depth=depth,
        activation=activation,
        separate=separate,
        memory=memory,
        generator=generator,
    )
