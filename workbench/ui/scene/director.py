"""What is on: training's own lanes, or lanes at play; how far, how fast, and whose hand is on them.

One thread drives it, the publisher's. Nothing here knows a page.
"""

import io
import math
import time
from collections.abc import Callable
from typing import Any

from workbench.envs import EmulatedVectorEnvironment
from workbench.errors import InputError
from workbench.sinks.recording import stage_for
from workbench.ui.glance import Glance
from workbench.ui.scene.about import about
from workbench.ui.scene.frames import Frame, packed
from workbench.ui.scene.moment import Moment, copied, moment_in_training
from workbench.ui.scene.player import Player

RATE = 16.0
"""Frames of training's lanes a second, at most."""
SMOOTH = 30.0
"""Frames of lanes at play a second, at most; a faster pace takes several steps a frame."""
IDLE = 0.05
"""Seconds between two looks while training is at something."""
WEIGHTS = 0.5
"""Seconds between two copies of the policy that plays while it is trained, at least."""
SHARE = 0.01
"""Of training's time, at most, that goes into these copies."""
POINTS = 400
"""Of the curve of values under the slider."""
PICTURE = 480
"""Pixels that a side of a JPEG has at most."""


class Director:
    """Makes what is asked for happen.

    Args:
        trainer: Whose lanes and policy; passed again with each call, and not kept.
        lanes: How many are shown.
        wake: Called on training's thread when what was asked of it is there.

    Attributes:
        about: What a page must know.
        changed: Whether there is something that no frame has shown yet.
        rest: Seconds between two frames of training's lanes, at least.
    """

    def __init__(self, trainer: Any, lanes: int, wake: Callable[[], None]) -> None:
        self.about = about(trainer.env, trainer.algorithm)
        self.mode, self.policy, self.playing, self.pace = "training", "greedy", False, 30.0
        self.lanes, self.lane, self.seed = lanes, 0, 0
        self.notice: str | None = None
        self.changed = True
        self.rest = 0.0
        self.player: Player | None = None
        self._moment: Moment | None = None
        self._glance = Glance(wake)
        self._weights: tuple[Any, int] | None = None
        self._read = self._shown = -1
        self._status = ""
        self._next = self._next_weights = 0.0
        self._key: str | None = None
        self._tapped: str | None = None

    # What is asked for.

    def obey(self, trainer: Any, message: dict[str, Any]) -> None:
        """Do what a checked message asks for.

        Raises:
            InputError: If it cannot be done.
        """
        self.changed = True
        self.notice = None
        kind = message["kind"]
        if kind in ("mode", "play", "pause", "step", "back", "look", "restart", "branch", "key"):
            self._direct(kind, message)
        elif kind == "select":
            self.lane = min(max(message["lane"], 0), self._count(trainer) - 1)
        elif kind == "lanes" and message["lanes"] != self.lanes:
            self.lanes, self.lane = message["lanes"], 0
            self.close()
        elif kind == "pace":
            self.pace, self._next = message["pace"], 0.0
        elif kind == "policy":
            self.policy = message["policy"]
            if self.player is not None:
                self.player.mode = self.policy
                self.player.rethink()

    def _direct(self, kind: str, message: dict[str, Any]) -> None:
        wanted = message["mode"] if kind == "mode" else "play"
        if wanted != self.mode:
            self.mode, self._next, self._moment = wanted, 0.0, None
            self._glance.drop()  # it would answer what is no longer asked
        if kind == "mode":
            self.playing = self.mode == "play"
            return
        player = self.player
        if kind == "restart":
            self.seed = message["seed"]
            if player is not None:
                player.restart(self.seed)
        elif kind in ("play", "pause"):
            self.playing, self._next = kind == "play", 0.0
        elif player is None:
            self._key = message.get("key")
        elif kind == "key":
            self._press(player, message["key"])
        elif kind == "branch":
            player.branch()
        else:
            self.playing = False
            if kind == "step":
                player.step()
            else:
                place = player.place - 1 if kind == "back" else message["place"]
                player.place = min(max(place, 0), len(player.moments) - 1)

    def _press(self, player: Player, key: str | None) -> None:
        """Hold a key, or let go. While nothing moves, each press is one step."""
        self._key = key
        if key is not None and not self.playing:
            player.step({self.lane: self.about["keys"][key]})
        elif key is not None:
            self._tapped = key

    # What happens then.

    def advance(self, trainer: Any, wanted: bool) -> None:
        """Go on as far as it is time to; nothing moves by itself unless a page has `wanted` the next frame."""
        now = time.monotonic()
        if trainer.status != self._status:
            self.changed, self._next = True, 0.0
        if self.mode == "training":
            self._read_training(trainer, now, wanted)
        else:
            self._copy_weights(trainer, now, wanted)
            self._play(trainer, now, wanted)

    def pause_for(self, trainer: Any, wanted: bool) -> float | None:
        """Return the seconds until there is something to do; None if only a message can bring it."""
        if not wanted:
            return None
        left = max(0.0, self._next - time.monotonic())
        active = trainer.status in ("running", "paused")
        if self.mode == "training":
            return max(IDLE, left) if active or self._moment is None else None
        if self.player is None:
            return IDLE
        if self.playing:
            return left
        stale = self._weights is not None and self._weights[1] != trainer.steps
        return 2 * IDLE if active or stale else None

    def _read_training(self, trainer: Any, now: float, wanted: bool) -> None:
        moment = self._glance.answer(trainer)
        if moment is not None:
            self._moment, self.changed = moment, True
        fresh = self._moment is not None and trainer.steps == self._read
        if wanted and not self._glance.pending and now >= self._next and not fresh:
            self._next = now + max(1.0 / RATE, self.rest)
            lanes = self._count(trainer)
            self._read = trainer.steps
            self._glance.ask(trainer, lambda: moment_in_training(trainer, lanes))
            moment = self._glance.answer(trainer)  # a trainer that rests answers at once
            if moment is not None:
                self._moment, self.changed = moment, True

    def _copy_weights(self, trainer: Any, now: float, wanted: bool) -> None:
        """Keep the policy that plays up to date."""
        fresh = self._weights is not None and self._weights[1] == trainer.steps
        if wanted and not self._glance.pending and now >= self._next_weights and not fresh:
            self._glance.ask(trainer, lambda: _copy(trainer))
        answer = self._glance.answer(trainer)
        if answer is None:
            return
        algorithm, steps, seconds = answer
        self._weights = algorithm, steps
        self._next_weights = now + max(WEIGHTS, seconds / SHARE)
        self.changed = True
        if self.player is not None:
            self.player.algorithm = algorithm
            if not self.playing:
                self.player.rethink()

    def _play(self, trainer: Any, now: float, wanted: bool) -> None:
        if self.player is None:
            if self._weights is None:
                return
            self.player = self._built(trainer, self._weights[0])
            self._next, self.changed = now, True
        if not self.playing or not wanted or now < self._next:
            return
        steps = math.ceil(self.pace / SMOOTH)
        self._next = max(now, self._next + steps / self.pace)
        for _ in range(steps):
            key = self._key or self._tapped
            self._tapped = None
            self.player.step(None if key is None else {self.lane: self.about["keys"][key]})
        self.changed = True

    def _built(self, trainer: Any, algorithm: Any) -> Player:
        """Build lanes to play in.

        Raises:
            InputError: If they cannot be built again.
        """
        env, draw = None, None  # type: Any, Any
        if isinstance(trainer.env, EmulatedVectorEnvironment):
            try:
                env, picture, rate = stage_for(trainer.env)
                draw = _drawer(picture)
                self.pace = min(rate, SMOOTH)
            except InputError as error:
                env, self.notice = trainer.env.like(1, self.seed), str(error)
        else:
            env = trainer.env.like(self.lanes, self.seed)
        if env is None:
            self.mode, self.playing = "training", False
            raise InputError(f"env={trainer.id!r} cannot be built again, so only training's own lanes can be watched.")
        self.lane = min(self.lane, env.lanes // env.agents - 1)
        player = Player(env, algorithm, trainer.device, draw)
        player.mode = self.policy
        player.restart(self.seed)
        return player

    def _count(self, trainer: Any) -> int:
        """Return how many lanes there are to show."""
        if self.mode == "play" and self.player is not None:
            return self.player.lanes
        return int(min(self.lanes, trainer.env.lanes // trainer.env.agents))

    # What is seen.

    def frame(self, trainer: Any) -> Frame:
        """Return the frame of what is on; without lanes while there is nothing to show yet."""
        player = self.player
        playing = self.mode == "play"
        moment = (None if player is None else player.moment) if playing else self._moment
        self._status = trainer.status
        header: dict[str, Any] = {
            "mode": self.mode,
            "status": self._status,
            "steps": trainer.steps,
            "playing": self.playing,
            "pace": self.pace,
            "policy": self.policy,
            "seed": str(self.seed),
            "lane": self.lane,
            "notice": self.notice,
            "lanes": 0,
        }
        self.changed = False
        if moment is None:
            return header, []
        self.lane = header["lane"] = min(self.lane, moment.figures.shape[1] - 1)
        header["lanes"] = moment.figures.shape[1]
        trace: Any = ()
        if playing and player is not None:
            trace = player.trace(self.lane, POINTS)
            header |= {
                "place": player.place,
                "kept": len(player.moments),
                "dropped": player.dropped,
                "branches": player.can_branch,
                "weights": 0 if self._weights is None else self._weights[1],
            }
        else:
            lanes = trainer.env.lanes
            header["stride"] = 0 if self._shown < 0 else (self._read - self._shown) / lanes
            self._shown = self._read
        sizes, buffers = packed(moment, self.about, self.lane, trace)
        return header | sizes, buffers

    def close(self) -> None:
        """Free the lanes at play, and all that was kept."""
        if self.player is not None:
            self.player.env.close()
        self.player = self._moment = None


def _copy(trainer: Any) -> tuple[Any, int, float]:
    """Copy the policy, on training's thread; return it with the steps it has learned from and the seconds it took."""
    started = time.perf_counter()
    made = copied(trainer.algorithm)
    return made, trainer.steps, time.perf_counter() - started


def _drawer(picture: Callable[[], Any]) -> Callable[[], bytes]:
    from PIL import Image

    def draw() -> bytes:
        image = Image.fromarray(picture())
        image.thumbnail((PICTURE, PICTURE))
        target = io.BytesIO()
        image.save(target, "JPEG", quality=85)
        return target.getvalue()

    return draw
