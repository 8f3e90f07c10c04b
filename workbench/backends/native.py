"""PPO as fused kernels: rollouts and updates of a multilayer perceptron on tiles of lanes that stay in the cache.

It is a learner (`workbench.training.learner`) over the same algorithm: the torch network and Adam's state are views of
the arrays that the kernels read and write, so evaluation, checkpoints and weights are torch's, bit for bit.

T: horizon, B: lanes, L: lanes of a tile, P: parameters.
"""

import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import torch

from workbench.backends import HONOURED
from workbench.errors import NotFiniteError
from workbench.hyperparameters import declared
from workbench.optimisers import SCHEDULES
from workbench.processes import ALONE
from workbench.training.learner import EpisodeCounter, Outcome
from workbench_kernels import Discrete, rng
from workbench_kernels.arrays import aligned
from workbench_kernels.learner import network
from workbench_kernels.learner.surrogate import LOGS
from workbench_kernels.learner.team import COUNTERS
from workbench_kernels.learner.tiles import LANES
from workbench_kernels.learner.update import SHARES
from workbench_kernels.targets import cpu, learning

BLOCKS = ("observation", "action", "log_prob", "value", "reward", "end", "advantage", "target")
"""What is kept of each transition of a rollout."""
TURNED = ("observation", "action", "log_prob", "advantage", "target")
"""What an update reads of it: in these, it leaves each lane to begin at a step of its own."""

OVER = 2**30
"""Where a team's counters stand when there is nothing to take and nobody to wait for."""


class NativeSource:
    """The environment's lanes, stepped by the learner's kernels; what a checkpoint keeps is as of a rollout's source.

    Args:
        env: A native vector environment; reset here with `seed`.
        horizon: T.
        seed: Of the environment's lanes.
    """

    saved = ("env", "collected", "carry", "first")
    carry = None

    def __init__(self, env: Any, horizon: int, seed: int) -> None:
        self.env, self.horizon = env, horizon
        self.collected = 0
        env.reset(seed=seed)

    @property
    def first(self) -> torch.Tensor:
        """Where an episode begins, [B] bool."""
        return torch.from_numpy(self.env.buffers.elapsed == 0)

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes, of random streams that `seed` starts anew unless it is None."""
        self.env.reset(seed=seed)


class NativeLearner:
    """Collects and learns in compiled code.

    Args:
        algorithm: PPO, set up for `env`; see `workbench.backends.objection` for what applies.
        env: A native vector environment.
        seed: Of the environment's lanes.
        workers: Threads that share the tiles of 64 lanes, one a tile at most; one a core if None.
    """

    backend = "native"
    processes = ALONE

    def __init__(self, algorithm: Any, env: Any, seed: int, workers: int | None = None) -> None:
        self.algorithm = algorithm
        self.fixed = dict.fromkeys(declared(algorithm).keys() - HONOURED, "pass backend='torch' to the trainer")
        self.source = NativeSource(env, algorithm.horizon, seed)
        self.episodes = EpisodeCounter(env.lanes)
        self.spent = {"rollout": 0.0, "learn": 0.0}
        tiles = -(-env.lanes // LANES)
        self.workers = min(tiles, workers or cpu.thread_count())
        self._tiles, self._count = tiles, tiles * algorithm.horizon
        self._rollout, self._learn = (
            learning.compile_rollout(env.environment),
            learning.compile_learn(learning.policy_of(env.environment)),
        )
        self._hire()
        self._share()
        self._allocate()

    def _hire(self) -> None:
        """Have threads, which begin with their first work and end with this learner."""
        self._pool = ThreadPoolExecutor(max(1, self.workers - 1), "workbench native")
        self._free = weakref.finalize(self, self._pool.shutdown, wait=False)

    def _share(self) -> None:
        """Make the network's parameters and Adam's state views of flat arrays."""
        algorithm = self.algorithm
        model, optimiser = algorithm.model, algorithm.optimiser
        inputs, outputs = model.encoder.features, model.head.out_features
        activation = network.ACTIVATIONS[algorithm.activation]
        self.network = (inputs, algorithm.width, algorithm.depth, outputs, activation)
        own = list(model.policy.parameters())
        self._ordered = [p for p in model.parameters() if all(p is not other for other in own)] + own
        self._size = sum(p.numel() for p in self._ordered)
        self.parameters, self._means, self._squares = (aligned((self._size,), np.float32) for _ in range(3))
        for parameter, view in self._views(self.parameters):
            view[...] = parameter.detach().numpy()
            parameter.data = torch.from_numpy(view)
        self._adopt(optimiser)
        optimiser.register_load_state_dict_post_hook(self._adopt)

    def _views(self, flat: Any) -> Iterator[tuple[Any, Any]]:
        """Yield each parameter with its part of a flat array: the network's, then the policy's own."""
        place = 0
        for parameter in self._ordered:
            yield parameter, flat[place : place + parameter.numel()].reshape(parameter.shape)
            place += parameter.numel()

    def _adopt(self, optimiser: torch.optim.Optimizer) -> None:
        """Take over Adam's state: what it holds is copied, and replaced by views."""
        for name, flat in (("exp_avg", self._means), ("exp_avg_sq", self._squares)):
            for parameter, view in self._views(flat):
                state = optimiser.state[parameter]
                view[...] = state[name].numpy() if name in state else 0.0
                state[name] = torch.from_numpy(view)
                state.setdefault("step", torch.tensor(0.0))

    def _allocate(self) -> None:
        horizon, tiles, workers = self.algorithm.horizon, self._tiles, self.workers
        inputs, width, depth, outputs, _ = self.network
        count = self._count * LANES

        def numbers(size: int, dtype: Any = np.float32) -> Any:
            return aligned((size,), dtype)

        action, end = self._actions(count), numbers(count, np.uint8)
        log_prob, value, reward, advantage, target = (numbers(count) for _ in range(5))
        observation = numbers(count * inputs)
        self._doubt, self._turned = numbers(tiles * LANES), np.zeros(tiles * LANES, np.int64)
        self.transitions = (observation, action, log_prob, value, reward, end, advantage, target)
        self.blocks = (*self.transitions, self._doubt)
        self._moments = (numbers(self._count), numbers(self._count))
        self._finished = (numbers(count), numbers(count, np.int32), numbers(count, np.int32), numbers(tiles, np.int64))
        workspace = learning.workspace(inputs, width, depth, outputs, horizon)
        self._work = [numbers(workspace) for _ in range(workers)]
        self._waiting = [np.zeros(LANES, np.int64) for _ in range(workers)]
        self._gradient = numbers(self._size * SHARES)
        self._sums = np.zeros(SHARES * len(LOGS))
        self._learned = False
        self._team = learning.new_team()
        self._horizon = horizon

    def _actions(self, count: int) -> Any:
        """Allocate what actions of `count` transitions are kept in, and note how numbers become the environment's."""
        space = self.source.env.environment.action
        if isinstance(space, Discrete):
            self._bounds: tuple[Any, ...] = ()
            return aligned((count,), np.int32)
        low, high = (bound.reshape(-1).astype(np.float32) for bound in space.bounds())
        closed = np.isfinite(low) & np.isfinite(high)
        with np.errstate(invalid="ignore"):
            centre, half = np.where(closed, (low + high) / 2, 0), np.where(closed, (high - low) / 2, 1)
        self._bounds = (centre.astype(np.float32), half.astype(np.float32), low, high)
        return aligned((count * len(low),), np.float32)

    def prepare(self) -> None:
        """Compile both kernels, or load them from the cache."""
        key = np.uint64(0)
        learning.compile_for(self._rollout, *self._collecting(key), self._work[0], self._waiting[0])
        order, shifts = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int32)
        learning.compile_for(self._learn, True, *self._learning(order, shifts, 0.0, 0.0, 0), self._work[0])

    def collect(self) -> Outcome:
        """Take `horizon` steps in every lane."""
        started = time.perf_counter()
        env = self.source.env
        seed = torch.randint(2**62, (), generator=self.algorithm.action_generator).item()
        arguments = self._collecting(np.uint64(rng.stream_key(np.uint64(seed))))
        self._doubt[:] = 0
        self._turned[:] = 0
        self._together(lambda worker: self._rollout(*arguments, self._work[worker], self._waiting[worker]))
        if self._doubt.any():
            self._name_fault()
        self.source.collected += self._horizon
        outcome = Outcome(env.lanes * self._horizon, *self._episodes())
        self.spent["rollout"] += time.perf_counter() - started
        return outcome

    def _collecting(self, key: Any) -> tuple[Any, ...]:
        """Return what every worker collects with; `key` is that of the actions' random numbers."""
        algorithm, env = self.algorithm, self.source.env
        return (
            env.buffers.addresses,
            env.lanes,
            self._horizon,
            env.time_limit,
            self.parameters,
            self.network,
            self._bounds,
            key,
            np.float32(algorithm.gamma),
            np.float32(algorithm.gae_lambda),
            self.blocks,
            (self.episodes.running_return, self.episodes.running_length, *self._finished),
            self._team,
        )

    def _together(self, work: Callable[[int], Any]) -> Any:
        """Let every worker do `work`, worker 0 in this thread; return what that one does."""
        self._team[:] = 0
        others: list[Future[Any]] = []
        try:
            others.extend(self._pool.submit(work, worker) for worker in range(1, self.workers))
            result = work(0)
        except BaseException:  # an interrupt: nobody may wait for this thread
            self._team.reshape(COUNTERS, -1)[:, 0] = OVER
            raise
        finally:
            wait(others)
        for other in others:
            other.result()
        return result

    def _episodes(self) -> tuple[Any, Any]:
        """Return the returns and lengths of the episodes that ended, in order of time."""
        returns, lengths, steps, counts = self._finished
        share = self._horizon * LANES
        chosen = np.concatenate([np.arange(n) + tile * share for tile, n in enumerate(counts)])
        chosen = chosen[np.argsort(steps[chosen], kind="stable")]
        return returns[chosen], lengths[chosen]

    def learn(self) -> dict[str, float]:
        """Take PPO's updates on minibatches of blocks."""
        started = time.perf_counter()
        algorithm = self.algorithm
        generator = algorithm.shuffle_generator
        order = np.stack([torch.randperm(self._count, generator=generator).numpy() for _ in range(algorithm.epochs)])
        shape = (algorithm.epochs, self._tiles * LANES)
        shifts = torch.randint(self._horizon, shape, generator=generator, dtype=torch.int32).numpy()
        self._turned += shifts.sum(0)
        group = algorithm.optimiser.param_groups[0]
        progress = algorithm.progress
        group["lr"] = algorithm.learning_rate * SCHEDULES[algorithm.learning_rate_schedule](progress)
        states = [algorithm.optimiser.state[parameter] for parameter in self._ordered]
        bonus = algorithm.entropy_coefficient * SCHEDULES[algorithm.entropy_schedule](progress)
        self._sums[:] = 0
        arguments = self._learning(order, shifts, group["lr"], bonus, int(states[0]["step"]))
        taken, transitions, norms = self._together(
            lambda worker: self._learn(worker == 0, *arguments, self._work[worker])
        )
        self._learned = True
        for state in states:
            state["step"] += taken
        row = self._logs(transitions) | {"gradient_norm": norms / taken, "learning_rate": group["lr"]}
        self.spent["learn"] += time.perf_counter() - started
        return row

    def _learning(self, order: Any, shifts: Any, rate: float, bonus: float, steps: int) -> tuple[Any, ...]:
        """Return what every worker learns with; see `update.learn`."""
        algorithm = self.algorithm
        group = algorithm.optimiser.param_groups[0]
        # Any lane's will do to centre the logs on; lanes beyond B hold anything.
        _, _, _, values, _, _, _, targets = self.transitions
        value, target = values[0], targets[0]
        return (
            order,
            shifts,
            algorithm.minibatches,
            self._horizon,
            self.source.env.lanes,
            self.parameters,
            self.network,
            self.blocks,
            self._moments,
            tuple(map(np.float32, (algorithm.clip, bonus, algorithm.value_coefficient, target, value - target))),
            (*map(float, (rate, *group["betas"], group["eps"], algorithm.max_gradient_norm)),),
            self._means,
            self._squares,
            steps,
            self._gradient,
            self._sums,
            self._team,
        )

    def gradient_norms(self) -> dict[torch.Tensor, float]:
        """Return the norms of the newest update's gradient, which the kernels leave as the loss gave it."""
        views = self._views(self._gradient) if self._learned else ()
        return {parameter: float(np.linalg.norm(view)) for parameter, view in views}

    def _logs(self, transitions: int) -> dict[str, float]:
        means = dict(zip(LOGS, self._sums.reshape(SHARES, -1).sum(0) / transitions, strict=True))
        error, error_square, target, target_square = (
            means.pop(name) for name in ("error", "error_square", "target", "target_square")
        )
        spread = target_square - target**2
        return means | {"explained_variance": 1.0 - (error_square - error**2) / spread if spread > 0 else np.nan}

    def _name_fault(self) -> None:
        """Say which number of which lane is none."""
        found = self.evidence()
        for what in ("observation", "reward"):
            numbers = found[what].numpy().reshape(self._tiles, self._horizon, -1, LANES)
            bad = np.argwhere(~np.isfinite(numbers))
            if len(bad):
                tile, t, _, lane = bad[0]
                value = numbers[tile, t, :, lane]
                raise NotFiniteError(
                    f"{what} of lane {tile * LANES + lane} is {value.tolist() if what == 'observation' else value[0]} "
                    f"at step {self.source.collected + t} of {self.source.env.id!r}; mend the environment: every "
                    f"{what} must be finite."
                )

    def evidence(self) -> dict[str, torch.Tensor]:
        """Return the newest rollout: flat, tile after tile, in it step after step, the lanes innermost."""
        found = dict(zip(BLOCKS, self.transitions, strict=True))
        steps = (np.arange(self._horizon)[:, None] - self._turned.reshape(self._tiles, 1, LANES)) % self._horizon
        for name in TURNED:
            turned = found[name].reshape(self._tiles, self._horizon, -1, LANES)
            found[name] = np.take_along_axis(turned, steps[:, :, None], 1).reshape(-1)
        return {name: torch.from_numpy(x) for name, x in found.items()}

    def hold(self) -> None:
        """Do nothing: threads work only inside of `collect` and `learn`."""

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes."""
        self.source.restart(seed)
        self.episodes.forget()

    def close(self) -> None:
        """End the threads; further work has new ones."""
        self._pool.shutdown()
        self._free.detach()
        self._hire()
