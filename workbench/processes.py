"""Processes that train one policy together, each on some of the lanes; one of them is the usual case.

N: rows of a process, B: its lanes. Lanes are dealt out in blocks: process r has lanes r * B to (r + 1) * B - 1 of all.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class LaneGenerator(torch.Generator):
    """Random numbers of all lanes, of which a process takes those of its own, so that they are the same however many.

    Args:
        device: Where they are drawn.
        rank, size: Of the process.
    """

    rank: int
    size: int

    def __new__(cls, device: torch.device, rank: int, size: int) -> "LaneGenerator":
        """Make one; torch's own takes a device alone."""
        made = super().__new__(cls, device)  # type: ignore[call-arg]
        made.rank, made.size = rank, size
        return made


def drawn(draw: Callable[..., Tensor], shape: tuple[int, ...], generator: Any, like: Tensor) -> Tensor:
    """Return random numbers, a row a lane, of the dtype and on the device of `like`.

    Args:
        draw: `torch.rand` or `torch.randn`.
        shape: [N, ...].
        generator: A `LaneGenerator` draws for all lanes.
    """
    kind = {"generator": generator, "device": like.device, "dtype": like.dtype}
    if not isinstance(generator, LaneGenerator):
        return draw(shape, **kind)
    rows = shape[0]
    return draw((rows * generator.size, *shape[1:]), **kind)[generator.rank * rows : (generator.rank + 1) * rows]


class Processes:
    """What one of `size` processes asks of all of them; every one must ask the same, in the same order.

    Attributes:
        rank: Which one this is, from 0; the first one writes.
        size: How many there are. Of one, everything stays as it is.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def generator(self, device: torch.device) -> torch.Generator:
        """Return a generator of what is drawn lane by lane."""
        return torch.Generator(device) if self.size == 1 else LaneGenerator(device, self.rank, self.size)

    def objects(self, mine: Any) -> list[Any]:
        """Return the object of each process, pickled on the way."""
        if self.size == 1:
            return [mine]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, mine)
        return found

    def any(self, mine: bool) -> bool:
        """Tell whether any process says so."""
        if self.size == 1:
            return mine
        said = torch.tensor(int(mine))
        dist.all_reduce(said, dist.ReduceOp.MAX)
        return bool(said)

    def first(self, mine: bool) -> bool:
        """Tell what the first process says."""
        return self.any(mine and self.rank == 0)

    def sum(self, x: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes."""
        if self.size > 1:
            x = x.clone()
            dist.all_reduce(x)
        return x

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Sum the gradients of parameters over the processes, in place."""
        gradients = [x.grad for x in parameters if x.grad is not None]
        if self.size == 1 or not gradients:
            return
        flat = torch.cat([x.flatten() for x in gradients])
        dist.all_reduce(flat)
        for x, total in zip(gradients, flat.split([x.numel() for x in gradients]), strict=True):
            x.copy_(total.view_as(x))

    def rows(self, x: Tensor) -> tuple[Tensor, slice]:
        """Return the rows [N, ...] of all processes one after another, and where this one's are."""
        if self.size == 1:
            return x, slice(None)
        count = torch.tensor([len(x)], device=x.device)
        counts = [torch.empty_like(count) for _ in range(self.size)]
        dist.all_gather(counts, count)
        sizes = [int(n) for n in counts]
        padded = x.new_zeros((max(sizes), *x.shape[1:]))
        padded[: len(x)] = x
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        begin = sum(sizes[: self.rank])
        return torch.cat([part[:n] for part, n in zip(parts, sizes, strict=True)]), slice(begin, begin + len(x))

    def own(self, numbers: Tensor, lanes: int) -> Tensor:
        """Pick this process's ones of what is numbered t * lanes of all + lane, and number them t * lanes + lane.

        Args:
            numbers: int64.
            lanes: B.
        """
        if self.size == 1:
            return numbers
        t, lane = numbers // (lanes * self.size), numbers % (lanes * self.size)
        here = lane // lanes == self.rank
        return (t * lanes + lane % lanes)[here]


ALONE = Processes(0, 1)
