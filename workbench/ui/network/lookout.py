"""The network in the panel: looked at when a page asks for it, once a second at most, and told to all pages."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from workbench.networks.inspection import Layer
from workbench.ui.glance import Glance
from workbench.ui.network.sample import Sample, sample_of
from workbench.ui.network.view import network_of
from workbench.ui.text import failure

PERIOD = 1.0
"""Seconds between two looks, at least."""

TRAINING_SHARE = 0.005
"""Of training's time, at most, that goes into copies of the weights."""

SHARE = 0.05
"""Of a core, at most, spent on looking at a copy."""

LOGGER = logging.getLogger(__name__)


class Lookout:
    """Looks at the network of a trainer for pages that show it.

    A page asks with the steps of the look that it shows. It is answered when there is something newer, and asks again:
    while no page asks, nothing is read or copied.

    Args:
        say: Sends a message to all pages.
        wake: Called when there is something to do for `publish`.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None], wake: Callable[[], None]) -> None:
        self._say = say
        self._glance = Glance(wake)
        self._asked: set[int | None] = set()
        self._served: frozenset[int | None] = frozenset()
        self._next = 0.0

    def ask(self, seen: Any) -> None:
        """Note that a page wants to see the network, and that it shows it after `seen` steps, if at all; any thread."""
        self._asked.add(seen if isinstance(seen, int) else None)

    def publish(self, trainer: Any) -> bool:
        """Answer what was asked, as far as it is time to, on the publisher's thread; return whether more is to come."""
        try:
            return self._publish(trainer)
        except Exception as error:  # of a network of somebody's own, perhaps; the panel goes on without it
            LOGGER.exception("the network could not be looked at")
            self._asked.clear()
            self._next = time.monotonic() + PERIOD
            self._say({"kind": "network", "problem": failure(error)})
            return False

    def _publish(self, trainer: Any) -> bool:
        sample = self._glance.answer(trainer)
        if sample is None and not self._glance.pending:
            steps = trainer.steps
            if all(seen == steps for seen in tuple(self._asked)):  # a page may ask meanwhile, on another thread
                return False
            if time.monotonic() < self._next:
                return True
            self._served = frozenset(self._asked)
            self._glance.ask(trainer, lambda: sample_of(trainer))
            sample = self._glance.answer(trainer)  # a trainer that rests answers at once
        if sample is not None:
            self._tell(trainer, sample)
        return True

    def _tell(self, trainer: Any, sample: Sample) -> None:
        started = time.thread_time()
        network = network_of(trainer, sample)
        self._asked -= self._served
        took = time.thread_time() - started
        self._next = time.monotonic() + max(PERIOD, took / SHARE, sample.seconds / TRAINING_SHARE)
        layers = [_plain(layer) for layer in network.layers]
        self._say({"kind": "network", "steps": network.steps, "observations": network.observations, "layers": layers})


def _plain(layer: Layer) -> dict[str, Any]:
    """Return a layer as JSON, which has no word for what is not finite."""
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in asdict(layer).items()}
