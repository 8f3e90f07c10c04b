"""Acting and learning at once: an actor thread that never waits for the learner, whose lag V-trace corrects.

Three rollouts at most are held: the one being acted, the newest finished one, and the one that is learned from. Where
the actor is faster, a finished rollout that nobody took is dropped for a newer one; where the learner is, it waits.
"""

import threading
import time
from collections import deque
from typing import Any

import numpy as np
import torch

from workbench.data import Batch
from workbench.errors import InputError
from workbench.spec import VectorEnvironment
from workbench.training.learner import Outcome, TorchLearner

WINDOW = 100
"""Newest rollouts whose greatest lag is reported."""


def check_applies(algorithm: Any) -> None:
    """Look whether `algorithm` can learn from what older weights of its own did.

    Raises:
        InputError: If it cannot.
    """
    from workbench.algorithms import PPO

    if type(algorithm) is not PPO:
        name = type(algorithm).__name__
        raise InputError(f"backend='asynchronous' trains PPO(advantage='vtrace'), not {name}; pass backend='auto'.")
    needed = {"advantage": "vtrace", "normalise_return": False, "compile": False}
    reasons = {
        "advantage": "old policies want the correction",
        "normalise_return": "returns run on from one rollout to the next, and some are dropped",
        "compile": "two threads would compile",
    }
    for name, value in needed.items():
        if getattr(algorithm, name) != value:
            raise InputError(f"backend='asynchronous' needs PPO.{name}={value!r}, for {reasons[name]}; pass it.")


class AsynchronousLearner(TorchLearner):
    """Learns from the newest rollout of an actor thread.

    The actor takes the newest weights before each rollout and shares nothing with the learner but the generator of
    actions, which only it draws from. It runs from a `collect` to the next `hold`.

    Args:
        algorithm, env, device, seed: As of `TorchLearner`.

    Attributes:
        lags: Of the newest rollouts, how many gradient steps the weights that acted were behind those that learned.
        dropped: Rollouts so far that nothing was learned from.
    """

    backend = "asynchronous"

    def __init__(self, algorithm: Any, env: VectorEnvironment, device: torch.device, seed: int) -> None:
        super().__init__(algorithm, env, device, seed)
        self.spent = {"rollout": 0.0, "learn": 0.0}
        self.lags: deque[int] = deque(maxlen=WINDOW)
        self.dropped = 0
        self._actor = algorithm.actor()
        self._updates, self._lag, self._newly_dropped = 0, 0, 0
        self._thread: threading.Thread | None = None
        self._halt = threading.Event()
        self._changed = threading.Condition()  # guards all below
        self._ready: tuple[Batch, int] | None = None
        self._outcomes: list[Outcome] = []
        self._failure: BaseException | None = None
        self._publish()

    def _publish(self) -> None:
        """Hand the present weights to the actor."""
        weights = {name: x.detach().clone() for name, x in self.algorithm.model.state_dict().items()}
        with self._changed:
            self._weights = weights, self._updates

    def collect(self) -> Outcome:
        """Take the newest finished rollout, and count what happened since the last one was taken.

        Steps and episodes of rollouts that were dropped count: they were taken.
        """
        started = time.perf_counter()
        self._batch = None
        if self._thread is None:
            self._publish()  # a checkpoint may have been loaded meanwhile
            self._halt.clear()
            self._thread = threading.Thread(target=self._act, name="workbench actor", daemon=True)
            self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._ready is not None or self._failure is not None)
            self._raise()
            assert self._ready is not None
            self._experience, acted = self._ready
            outcomes, self._ready, self._outcomes = self._outcomes, None, []
        self._lag = self._updates - acted
        self.lags.append(self._lag)
        self._newly_dropped = len(outcomes) - 1
        self.dropped += self._newly_dropped
        self.spent["rollout"] += time.perf_counter() - started
        return Outcome(
            sum(each.steps for each in outcomes),
            np.concatenate([each.returns for each in outcomes]),
            np.concatenate([each.lengths for each in outcomes]),
        )

    def learn(self) -> dict[str, float]:
        """Take the algorithm's updates on the rollout that was taken, and hand the weights to the actor.

        Returns:
            Beside what the updates logged, `policy_lag` (gradient steps), the greatest one of the newest `WINDOW`
            rollouts, and how many rollouts were dropped before this one.
        """
        row = super().learn()
        self._updates += self.algorithm.taken
        self._publish()
        lags = {"policy_lag": float(self._lag), "policy_lag_max": float(max(self.lags))}
        return row | lags | {"rollouts_dropped": float(self._newly_dropped)}

    def _act(self) -> None:
        """Collect rollout after rollout; the actor thread."""
        try:
            while not self._halt.is_set():
                with self._changed:
                    weights, updates = self._weights
                self._actor.model.load_state_dict(weights)
                rollout = self.source.collect(self._actor.act)
                reward, ended, active = self.source.outcome()
                outcome = Outcome(int(active.sum()), *self.episodes.count(reward, ended, active))
                # The next call overwrites it.
                kept = Batch(**{name: x.clone() for name, x in rollout.fields.items()})
                with self._changed:
                    self._ready = kept, updates
                    self._outcomes.append(outcome)
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _raise(self) -> None:
        """Raise what the actor raised, once."""
        failure, self._failure = self._failure, None
        if failure is not None:
            self._end()
            raise failure

    def _end(self) -> None:
        if self._thread is not None:
            self._halt.set()
            self._thread.join()
            self._thread = None

    def hold(self) -> None:
        """Let the actor finish its rollout and end, until the next `collect`; raise what it raised."""
        self._end()
        self._raise()

    def restart(self, seed: int | None = None) -> None:
        """Go on with new episodes; a finished rollout of the old ones is dropped."""
        self.close()
        self._ready, self._outcomes = None, []
        super().restart(seed)

    def close(self) -> None:
        """End the actor."""
        self._end()
        self._failure = None
