"""PPO: clipped-ratio policy optimisation (Schulman et al. 2017, arXiv:1707.06347).

T: horizon, B: lanes, R: components of an observation, C: of a carry, N: transitions of a minibatch, L, S: steps and
segments of one, where the network remembers and they are in order of time.
"""

import copy
from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

import workbench.functional as F
from workbench.algorithms.tuned import settings
from workbench.data import Batch, RolloutSource
from workbench.data.segments import Draw, Segments, packed, pieces, prioritised, shuffled, unpacked
from workbench.errors import InputError
from workbench.hyperparameters import configurable, hyperparameter
from workbench.networks import BODIES, ReturnNormaliser, actor_critic
from workbench.networks.outlook import Outlook
from workbench.optimisers import SCHEDULES, AdaptivePenalty, LossScale, MuonAdam, hidden_matrices
from workbench.processes import ALONE
from workbench.spec import EnvironmentSpec, VectorEnvironment


@configurable
class PPO:
    """Proximal policy optimisation for any space of actions, with networks that may remember."""

    horizon: int = hyperparameter(32, low=1, help="environment steps per lane between updates")
    epochs: int = hyperparameter(4, low=1, help="passes over each rollout")
    minibatches: int = hyperparameter(4, low=1, help="gradient steps a pass")
    learning_rate: float = hyperparameter(2.5e-3, low=1e-6, high=1e-1, log=True, live=True, help="before its schedule")
    gamma: float = hyperparameter(0.99, low=0.0, high=1.0, live=True, help="discount per step")
    gae_lambda: float = hyperparameter(0.95, low=0.0, high=1.0, live=True, help="decay of the advantage's trace a step")
    clip: float = hyperparameter(0.2, low=0.0, high=1.0, live=True, help="on the probability ratio, around 1")
    entropy_coefficient: float = hyperparameter(0.01, low=0.0, high=1.0, live=True, help="per nat, before its schedule")
    value_coefficient: float = hyperparameter(0.5, low=0.0, high=10.0, live=True, help="weight of the value loss")
    max_gradient_norm: float = hyperparameter(0.5, low=1e-3, high=1e3, log=True, live=True, help="scaled down to this")
    width: int = hyperparameter(64, low=1, high=4096, help="units a hidden layer")
    depth: int = hyperparameter(2, low=1, high=16, help="hidden layers")
    activation: str = hyperparameter("relu", choices=("relu", "silu", "tanh"), help="of the hidden layers")

    network: str = hyperparameter("mlp", choices=BODIES, help="what stands behind the hidden layers: a memory, or none")
    segment: int = hyperparameter(16, low=1, help="steps learned from in one piece, with a memory or with priorities")
    context: int = hyperparameter(16, low=1, high=1024, help="steps that a transformer's layer sees")
    separate_critic: bool = hyperparameter(False, help="whether the value has hidden layers of its own")
    squashed: bool = hyperparameter(False, help="whether numbers are squashed into their bounds, not clipped")
    initial_std: float = hyperparameter(1.0, low=1e-2, high=10.0, log=True, help="of numbers, in half ranges")
    normalise_observation: bool = hyperparameter(False, help="whether the network sees standardised observations")
    normalise_return: bool = hyperparameter(False, help="whether rewards are divided by their return's deviation")

    advantage: str = hyperparameter("gae", choices=("gae", "vtrace"), help="its estimate; vtrace corrects old policies")
    rho_clip: float = hyperparameter(1.0, low=0.0, high=10.0, live=True, help="of V-trace, on the ratio in the error")
    c_clip: float = hyperparameter(1.0, low=0.0, high=10.0, live=True, help="of V-trace, on the ratio in the trace")
    value_clip: float = hyperparameter(0.0, low=0.0, high=1e3, live=True, help="on the value, around the old; 0: none")
    dual_clip: float = hyperparameter(0.0, low=1.0, high=100.0, off=True, live=True, help="on bad actions; 0: none")
    kl_stop: float = hyperparameter(0.0, low=0.0, high=10.0, live=True, help="nats that end a rollout's use; 0: none")
    kl_penalty: float = hyperparameter(0.0, low=0.0, high=100.0, help="first weight of the KL in the loss; 0: none")
    kl_target: float = hyperparameter(0.01, low=1e-6, high=1.0, log=True, live=True, help="nats the weight adapts to")
    priority: float = hyperparameter(
        0.0, low=0.0, high=1.0, live=True, help="exponent of segments' |advantage|; 0: none"
    )
    priority_correction: float = hyperparameter(0.4, low=0.0, high=1.0, live=True, help="exponent, 1 in the end")

    learning_rate_schedule: str = hyperparameter("constant", choices=tuple(SCHEDULES), help="over the run")
    entropy_schedule: str = hyperparameter("constant", choices=tuple(SCHEDULES), help="over the run")
    schedule_steps: int = hyperparameter(0, low=0, help="environment steps that schedules last; 0: the whole run")
    update_rule: str = hyperparameter("adam", choices=("adam", "muon"), help="of hidden matrices; Adam for the rest")
    accumulation: int = hyperparameter(1, low=1, help="pieces of a minibatch, for less memory; the same gradient")
    precision: str = hyperparameter("float32", choices=("float32", "bfloat16", "float16"), help="of the network")
    compile: bool = hyperparameter(False, help="whether torch compiles the network; needs a C++ compiler")

    saved = ("model", "optimiser", "action_generator", "shuffle_generator", "returns", "penalty", "scale")
    judged_on = ("observation", "action", "log_prob", "action_mask", "first")
    trained_on = (*judged_on, "value", "advantage", "target")
    clock = (0, 1)
    """Environment steps taken, and those of the whole run; the loop keeps it."""
    processes = ALONE
    """Who learns together, each from its own lanes."""
    taken = 0
    """Gradient steps taken on the newest rollout."""

    @classmethod
    def tuned(cls, env: str) -> "PPO":
        """Return PPO with hyperparameters that were found for the environment `env` (`workbench.algorithms.tuned`).

        Raises:
            UnknownNameError: If none were.
        """
        return cls(**settings("ppo", env))

    def setup(self, spec: EnvironmentSpec, device: torch.device, seeds: dict[str, int]) -> None:
        """Build the network and the optimiser for an environment of shape `spec`.

        Raises:
            InputError: If a hyperparameter does not fit the actions, the rollout or the network.
        """
        initial = torch.Generator().manual_seed(seeds["weights"])
        self.model = actor_critic(
            spec,
            body=self.network,
            width=self.width,
            depth=self.depth,
            activation=self.activation,
            separate=self.separate_critic,
            normalise=self.normalise_observation,
            squashed=self.squashed,
            initial_std=self.initial_std,
            context=self.context,
            generator=initial,
            owner="PPO",
        ).to(device)
        self._check(spec.lanes * self.processes.size)
        if self.update_rule == "muon":
            self.optimiser: Any = MuonAdam(self.model, self.learning_rate)
        else:
            self.optimiser = torch.optim.Adam(self.model.parameters(), lr=self.learning_rate, eps=1e-5)
        self.returns = ReturnNormaliser(spec.lanes).to(device)
        self.penalty = AdaptivePenalty(self.kl_penalty)
        self.scale = LossScale(enabled=self.precision == "float16")
        self.action_generator = self.processes.generator(device).manual_seed(seeds["actions"])
        self.shuffle_generator = torch.Generator().manual_seed(seeds["shuffle"])
        self._divergences: deque[Tensor] = deque(maxlen=self.minibatches)
        self.taken, self._stopped = 0, False
        self.gradient_norm: Tensor | None = None  # of the newest update, before it was scaled down
        self._autocast = torch.autocast(
            device.type, getattr(torch, self.precision), enabled=self.precision != "float32"
        )
        # Values of so many final observations stay with the network itself: each number of them would compile anew.
        self._network = torch.compile(self.model) if self.compile else self.model

    def _check(self, lanes: int) -> None:
        pieces = lanes * -(-self.horizon // self._length)
        if self.minibatches > pieces:
            what = "transitions" if self._length == 1 else f"segments of {self._length} steps"
            raise InputError(
                f"PPO.minibatches={self.minibatches} is more than the {pieces} {what} of a rollout; lower it, or "
                f"raise lanes or horizon."
            )
        if self.update_rule == "muon" and not hidden_matrices(self.model):
            raise InputError("PPO.update_rule='muon' has no matrix between hidden layers to follow; raise depth to 2.")

    @property
    def _length(self) -> int:
        """Steps that are learned from in one piece."""
        ordered = self.model.carry_size > 0 or self.priority > 0.0
        return min(self.segment, self.horizon) if ordered else 1

    def source(self, env: VectorEnvironment, device: torch.device, seed: int) -> RolloutSource:
        """Return where this algorithm's batches come from."""
        return RolloutSource(env, self.horizon, device, seed)

    @property
    def progress(self) -> float:
        """How much of the schedules is done, from 0 to 1."""
        steps, goal = self.clock
        return min(1.0, steps / (self.schedule_steps or goal))

    def actor(self) -> "PPO":
        """Return what acts in another thread: it has weights of its own, and shares the generator of actions."""
        made = copy.copy(self)
        made.model = copy.deepcopy(self.model)
        made._network, made._autocast = made.model, copy.copy(self._autocast)
        return made

    @torch.inference_mode()
    def act(
        self,
        observation: Tensor,
        carry: Any,
        mode: str,
        mask: Tensor | None = None,
        first: Tensor | None = None,
    ) -> tuple[Any, Any, dict[str, Tensor]]:
        """Choose one action per lane, sampled or (mode "greedy") the likeliest.

        Args:
            observation: [B, R].
            carry: [B, C] of the network, as it returned it; None at first.
            mode: "sample" or "greedy".
            mask: [B, sum of choices] bool, which are legal; all if None.
            first: [B] bool, where an episode begins; where the carry says so if None.

        Returns:
            What the environment gets, the carry, and what to store with the transition: the `action` that was sampled,
            its `log_prob` and the `value` [B].
        """
        with self._autocast:
            policy, value, carry = self._network(observation, mask, carry, first)
        if mode == "greedy":
            return self.model.policy.outward(policy.mode()), carry, {}
        action = policy.sample(self.action_generator)
        extras = {"action": action, "log_prob": policy.log_prob(action), "value": value}
        return self.model.policy.outward(action), carry, extras

    @torch.inference_mode()
    def outlook(self, observation: Tensor, carry: Any = None, mask: Any = None, first: Any = None) -> Outlook:
        """Say what the policy makes of observations [B, R], in full precision and drawing nothing; else as `act`."""
        policy, value, carry = self.model(observation, mask, carry, first)
        return Outlook(policy, self.model.policy, value, carry)

    @torch.inference_mode()
    def prepare(self, rollout: Batch) -> Batch:
        """Return the rollout with `advantage`, the value's `target` and the `value` they start from, [T, B].

        V-trace's advantage holds the ratio of the present policy over the one that acted: the surrogate's ratio then
        starts from the present policy, whose `log_prob` takes the place of the other's.

        The successor's value is the next step's, but for the episodes cut by a time limit: theirs is the value of the
        observation they were cut at, with the carry of before the reset. A terminated episode has none.
        """
        carry, after = rollout.fields.get("last_carry"), None
        if carry is not None:
            after = torch.cat([rollout.carry[1:], carry[None]]).flatten(0, 1)[rollout.final_index]
        with self._autocast:
            last_value = self.model.value(rollout.last_observation, carry)
            final_value = self.model.value(rollout.final_observation, after)
        log_prob, value = self._present(rollout) if self.advantage == "vtrace" else (rollout.log_prob, rollout.value)
        next_value = torch.cat([value[1:], last_value[None]])
        next_value.view(-1)[rollout.final_index] = final_value
        ends = rollout.terminated, rollout.truncated
        reward = rollout.reward
        if self.normalise_return:
            reward = self.returns.normalise(reward, ends[0] | ends[1], self.gamma, rollout.fields.get("valid"))
        known = (reward, value, next_value, *ends, self.gamma, self.gae_lambda)
        if self.advantage == "gae":
            advantage = F.gae(*known)
            target = advantage + value
        else:
            target, advantage = F.vtrace((log_prob - rollout.log_prob).exp(), *known, self.rho_clip, self.c_clip)
        made = {"log_prob": log_prob, "value": value, "advantage": advantage, "target": target}
        return Batch(**rollout.fields | made)

    def _present(self, rollout: Batch) -> tuple[Tensor, Tensor]:
        """Return the present policy's log-probabilities of what was done, and the present values, [T, B] each."""
        cut = Segments(rollout, self._length)
        batch = cut.take(self.judged_on, torch.arange(len(cut), device=cut.rows.device))
        log_prob, _, value = self._judge(batch)
        rows = cut.rows[cut.inside]
        log_probs, values = rollout.log_prob.clone(), rollout.value.clone()
        log_probs.view(-1)[rows] = log_prob
        values.view(-1)[rows] = value
        return log_probs, values

    def _judge(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return log-probabilities, entropies and values of the transitions inside, [N] each."""
        fields = batch.fields
        with self._autocast:
            given = (fields.get(name) for name in ("action_mask", "carry", "first"))
            policy, value, _ = self._network(batch.observation, *given)
        action = batch.action.flatten(0, 1) if "carry" in fields else batch.action
        found = policy.log_prob(action), policy.entropy(), value
        return tuple(x[batch.valid.flatten()] for x in found) if "valid" in fields else found

    def _draws(self, cut: Segments, rollout: Batch) -> Iterator[Draw]:
        """Yield the segments of each minibatch of one pass."""
        count, lanes = len(cut) * self.processes.size, rollout.reward.shape[1]
        if not self.priority:
            draws = shuffled(count, self.minibatches, self.shuffle_generator, cut.rows.device)
            return ((self.processes.own(chosen, lanes), None) for chosen, _ in draws)
        weight = torch.where(cut.inside, rollout.advantage.abs().flatten()[cut.rows], 0.0).sum(0)
        correction = self.priority_correction + (1.0 - self.priority_correction) * self.progress
        size = max(1, -(-count // self.minibatches))
        return prioritised(weight, self.priority, correction, size, self.minibatches, self.shuffle_generator)

    def batches(self, rollout: Batch) -> Iterator[Batch]:
        """Yield the minibatches to learn from, `epochs` times over, or until the KL says stop.

        They are of N transitions each, or of [L, S] in order of time if the network remembers.
        """
        cut = Segments(rollout, self._length)
        self.taken, self._stopped = 0, False
        self._divergences.clear()
        for draw in (draw for _ in range(self.epochs) for draw in self._draws(cut, rollout)):
            if self._stopped:
                break
            yield cut.take(self.trained_on, *draw)
        if self.kl_penalty and self._divergences:
            self.penalty.adapt(float(torch.stack(tuple(self._divergences)).mean()), self.kl_target)
        # Not before: what acted and what learns must see the same.
        self.model.observe(rollout.observation, rollout.fields.get("valid"))

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Take one gradient step on a minibatch; return the scalars to log."""
        rate = self.learning_rate * SCHEDULES[self.learning_rate_schedule](self.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        whole, own = self.processes.rows(packed(batch, "advantage"))
        advantage, total = F.standardise(whole)[own], len(whole)
        if "importance" in batch.fields:
            advantage = advantage * packed(batch, "importance")
        ready = Batch(**batch.fields | {"advantage": unpacked(batch, advantage)})
        self.optimiser.zero_grad()
        logs, judged = [], []
        for piece in pieces(ready, self.accumulation):
            loss, log, value = self._loss(piece, total)
            self.scale.backward(loss)
            logs.append(torch.stack([x.detach() for x in log.values()]))
            judged.append(torch.stack([value.detach(), packed(piece, "target")], -1))
        log = dict(zip(log, self.processes.sum(torch.stack(logs).sum(0)), strict=True))
        judgement, _ = self.processes.rows(torch.cat(judged))
        log["explained_variance"] = F.explained_variance(*judgement.unbind(-1))
        log["learning_rate"] = torch.tensor(rate, dtype=torch.float64)
        self._step(log)
        return log

    def _loss(self, batch: Batch, total: int) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Return the loss of a part of `total` transitions, advantages standardised, its terms, and the values [N].

        Parts add up: each mean is of all `total` transitions.
        """
        log_prob, entropy, value = self._judge(batch)
        log_ratio = log_prob - packed(batch, "log_prob")
        ratio = log_ratio.exp()
        error = F.squared_error(value, packed(batch, "target"), packed(batch, "value"), self.value_clip)
        terms = {
            "policy_loss": F.clipped_surrogate(ratio, packed(batch, "advantage"), self.clip, self.dual_clip),
            "value_loss": error,
            "entropy": entropy,
            "kl": F.kl_estimate(log_ratio),
            "clip_fraction": ((ratio - 1.0).abs() > self.clip).float(),
        }
        log = {name: x.sum() / total for name, x in terms.items()}
        bonus = self.entropy_coefficient * SCHEDULES[self.entropy_schedule](self.progress)
        loss = log["policy_loss"] + self.value_coefficient * log["value_loss"] - bonus * log["entropy"]
        if self.kl_penalty:
            loss = loss + self.penalty.coefficient * log["kl"]
        return loss, log, value

    def _step(self, log: dict[str, Tensor]) -> None:
        """Follow the gradients, unless they overflowed or the policy has gone too far; add to the scalars to log."""
        self._divergences.append(log["kl"])
        self._stopped = bool(self.kl_stop) and float(log["kl"]) > self.kl_stop
        if self._stopped:
            log["updates_before_stop"] = torch.tensor(float(self.taken))
        self.processes.sum_gradients(self.model.parameters())
        finite = self.scale.unscale(self.model.parameters())
        if finite:
            self.gradient_norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_gradient_norm)
            log["gradient_norm"] = self.gradient_norm
        if finite and not self._stopped:
            self.optimiser.step()
            self.taken += 1
