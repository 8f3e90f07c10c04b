"""Whoever steps a share of the environments: the caller itself, a thread of it, or a process."""

from collections.abc import Callable
from typing import Any

from workbench.envs.emulation.board import CLOSING, FRAME, IDLE, LETTERS, SEEDED_RESET, STEP, Bell, Board, Counter
from workbench.envs.emulation.interface import Interface
from workbench.envs.emulation.players import KINDS, Desk
from workbench.errors import InputError


def copies(build: Callable[[], Any], count: int, given: Any = None, made: list[Any] | None = None) -> list[Any]:
    """Build `count` environments, `given` being the first; where one cannot be built, close the others.

    Args:
        build: Makes one.
        count: How many.
        given: One that is there already, or None.
        made: Grows as they are built.

    Raises:
        InputError: If `build` returns one environment twice.
        Exception: What `build` raises.
    """
    made = [] if made is None else made
    try:
        for _ in range(count):
            env, given = build() if given is None else given, None
            if any(env is other for other in made):
                raise InputError("env made the same environment twice; make a new one in every call.")
            made.append(env)
    except BaseException:
        close_all(made)
        raise
    return made


def close_all(envs: list[Any]) -> Exception | None:
    """Close all `envs`, and return the first error."""
    first: Exception | None = None
    for env in envs:
        try:
            env.close()
        except Exception as error:
            first = first or error
    return first


class Worker:
    """Steps its share of the environments of a board, as the board's commands say.

    Args:
        board: See `board.Board`.
        bell: Says what is done.
        interface: Of the environments.
        index: Which of the workers.
        share: The numbers of its environments.
        envs: The environments.
    """

    def __init__(
        self,
        board: Board,
        bell: Bell | Counter,
        interface: Interface,
        index: int,
        share: range,
        envs: list[Any],
    ) -> None:
        self.board, self.bell, self.index, self.share = board, bell, index, share
        self.layout = board.layout
        self.options: Any = None
        self._turns = memoryview(board.turns)
        self._busy, self._command = memoryview(board.busy), memoryview(board.command)
        self._seed, self._steps, self._notes = (memoryview(x) for x in (board.seed, board.steps, board.notes))
        self._rows = self.layout.batch * self.layout.agents
        self._start = self._claimed = 0
        desk = Desk(board, interface, self._claim if self.layout.staggered else self._place)
        self.envs = envs
        kind: Any = KINDS[interface.kind]
        self.emulators = {number: kind(env, desk, number) for number, env in zip(share, envs, strict=True)}

    def _place(self, number: int) -> int:
        """Return the row of environment `number` in the frame that is written."""
        return self._start + number * self.layout.agents

    def _claim(self, number: int) -> int:  # noqa: ARG002
        """Take the next free row: whoever is ready first is first in the batch."""
        turn, place = divmod(self.bell.claim(1), self.layout.batch)
        self._claimed = turn % self.layout.frames
        return self._claimed * self._rows + place * self.layout.agents

    def sweep(self) -> None:
        """Do what is asked of each environment, and say so."""
        commands, steps, busy, turns, index = self._command, self._steps, self._busy, self._turns, self.index
        self._start = self._notes[FRAME] * self._rows
        done, staggered = 0, self.layout.staggered
        for number in self.share:
            command = commands[number]
            if command == IDLE:
                continue
            commands[number] = IDLE
            busy[index] = number
            turns[index] += 1
            if command == STEP:
                steps[number] += 1
                self.emulators[number].step()
            else:
                steps[number], seed = 0, self._seed[number] if command == SEEDED_RESET else None
                self.emulators[number].reset(seed, self.options)
            busy[index] = -1
            if staggered:
                self.bell.advance(self._claimed, 1)
            done += 1
        if done and not staggered:
            self.bell.advance(0, done)

    def serve(self, letter: Callable[[], Any], alive: Callable[[], bool]) -> None:
        """Sweep whenever the signal of this worker advances, until the board closes or nobody is left to do it for.

        Args:
            letter: Returns the options that the reader sent.
            alive: Tells whether there is a reader, asked while nothing happens.
        """
        turns = letters = 0
        while True:
            if self.bell.wait(self.layout.signals + self.index, turns + 1):
                turns += 1
                if self._notes[LETTERS] != letters:
                    letters = self._notes[LETTERS]
                    self.options = letter()
                if not self._notes[CLOSING]:
                    self.sweep()
            elif not alive():
                return
            if self._notes[CLOSING]:
                return
