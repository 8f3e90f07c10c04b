"""Segments of a rollout, and which of them a minibatch takes. T: horizon, B: lanes, L: steps a segment, S: segments."""

from collections.abc import Iterator

import torch
from torch import Tensor

from workbench.data.rollout import Batch

Draw = tuple[Tensor, Tensor | None]
"""Numbers of segments [S'] int64, and their importances [S'] float32, None if all are 1."""


class Segments:
    """Cuts the transitions of each lane into runs of L, the last one a rest.

    Args:
        rollout: Of [T, B] fields; where it says which are `valid`, those stand at the end of their lane's column.
        length: L.

    Attributes:
        rows: [L, S] int64, t * B + lane of each transition; beyond a rest it stays on the lane's last.
        inside: [L, S] bool, where it is not beyond a rest.
    """

    def __init__(self, rollout: Batch, length: int) -> None:
        T, B = rollout.reward.shape
        valid = rollout.fields.get("valid", torch.ones_like(rollout.reward, dtype=torch.bool))
        t = torch.arange(T, device=valid.device)[:, None]
        begins = valid & ((t - (T - valid.sum(0))) % length == 0)
        first = begins.flatten().nonzero().squeeze(-1)
        rows = first + B * torch.arange(length, device=valid.device)[:, None]
        self.rows = torch.minimum(rows, (T - 1) * B + first % B)
        self.inside = self.rows == rows
        self._whole = bool(self.inside.all())
        self._rollout = rollout

    def __len__(self) -> int:
        return self.rows.shape[1]

    def take(self, names: tuple[str, ...], chosen: Tensor, importance: Tensor | None = None) -> Batch:
        """Return the named fields that the rollout has of the segments `chosen` [S'], and their `importance` [S'].

        Of an algorithm with a carry they are [L, S', ...] in order of time, with the `carry` [S', C] of each segment's
        start; where some are rests, `valid` [L, S'] says what is inside. Of others they are [N, ...], all inside.
        """
        rows, inside = self.rows.index_select(1, chosen), self.inside.index_select(1, chosen)
        fields = {} if importance is None else {"importance": importance.expand(rows.shape)}
        ordered = "carry" in self._rollout.fields
        if ordered:
            fields |= self._gathered(("carry",), rows[0])
        else:
            rows = rows[inside]
            fields = {name: x[inside] for name, x in fields.items()}
        if ordered and not self._whole:
            fields["valid"] = inside
        return Batch(**fields, **self._gathered(names, rows))

    def _gathered(self, names: tuple[str, ...], rows: Tensor) -> dict[str, Tensor]:
        return {
            name: self._rollout.fields[name].flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, rows.shape)
            for name in names
            if name in self._rollout.fields
        }


def packed(batch: Batch, name: str) -> Tensor:
    """Return the named numbers of the transitions inside, [N]."""
    x = batch.fields[name]
    return x[batch.valid] if "valid" in batch.fields else x.flatten()


def unpacked(batch: Batch, x: Tensor) -> Tensor:
    """Return numbers [N] of the transitions inside in the batch's shape, [N] or [L, S']; 0 beyond rests."""
    if "valid" in batch.fields:
        return x.new_zeros(batch.valid.shape).masked_scatter(batch.valid, x)
    return x.view_as(batch.advantage)


def pieces(batch: Batch, count: int) -> list[Batch]:
    """Split what `Segments.take` returned into up to `count` parts of other segments or transitions."""
    along = {name: int("carry" in batch.fields and name != "carry") for name in batch.fields}
    count = max(1, min(count, *(batch.fields[name].shape[dim] for name, dim in along.items())))
    parts = {name: batch.fields[name].tensor_split(count, dim) for name, dim in along.items()}
    return [Batch(**{name: part[k] for name, part in parts.items()}) for k in range(count)]


def shuffled(count: int, parts: int, generator: torch.Generator, device: torch.device) -> Iterator[Draw]:
    """Yield `count` segments in `parts` random disjoint parts, as equal as can be; each its own if there are fewer."""
    order = torch.randperm(count, generator=generator)
    for chosen in order.tensor_split(min(parts, count)) if count else ():
        yield chosen.to(device), None


def prioritised(
    priority: Tensor, exponent: float, correction: float, size: int, draws: int, generator: torch.Generator
) -> Iterator[Draw]:
    """Yield `draws` times `size` segments, drawn with probabilities p ~ priority**exponent, with replacement.

    Their importance is (S * p)**-correction (Schaul et al. 2016, arXiv:1511.05952, section 3.4): with a correction of
    1, means of what is weighted with it are those of all segments.

    Args:
        priority: [S] float32, not negative.
        exponent, correction: In [0, 1].
        size, draws: How many segments a part, and how many parts.
        generator: On the CPU.
    """
    weight = (priority + torch.finfo(torch.float32).tiny) ** exponent
    p = weight / weight.sum()
    for _ in range(draws if len(p) else 0):
        chosen = torch.multinomial(p.cpu(), size, replacement=True, generator=generator).to(p.device)
        yield chosen, (len(p) * p[chosen]) ** -correction
