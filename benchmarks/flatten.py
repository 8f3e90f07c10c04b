"""Nested observations written to rows: one at a time beside `gymnasium.spaces.flatten`, in batches beside memcpy.

    python benchmarks/flatten.py

A share of memcpy is the time that numpy takes to copy as many bytes from one array to another, over the time that the
batch takes. Batches and rows are taken in turns from more memory than caches hold. The parts are measured once a round,
and the rounds repeated, since machines are noisy: compare within the table.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
from gymnasium import spaces

from workbench.spaces import SpaceTree

LANES = 1024
MEMORY = 96 * 2**20
"""Bytes that the batches of one space take together."""

SPACES: dict[str, spaces.Space[Any]] = {
    "picture and speeds, 10 kB": spaces.Dict(
        image=spaces.Box(0, 255, (84, 84), np.uint8),
        joints=spaces.Dict(angle=spaces.Box(-1, 1, (256,)), speed=spaces.Box(-1, 1, (512,))),
        gear=spaces.Discrete(5),
    ),
    "six small parts": spaces.Dict(
        {f"sensor {k}": spaces.Box(-1, 1, (4,)) for k in range(5)} | {"gear": spaces.Discrete(5)}
    ),
    "vectors of float32": spaces.Dict(
        near=spaces.Box(-1, 1, (17,)), far=spaces.Tuple((spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (100,))))
    ),
}


def seconds_each(run: Callable[[], Any], seconds: float) -> float:
    """Return what one call takes, over at least `seconds`."""
    run()
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        for _ in range(16):
            run()
        count += 16
    return elapsed / count


def stacked(space: spaces.Space[Any], lanes: int) -> Any:
    """Return a batch [lanes, ...] of values, each leaf an array of its own."""
    if isinstance(space, spaces.Dict):
        return {key: stacked(part, lanes) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(stacked(part, lanes) for part in space.spaces)
    return np.repeat(np.asarray(space.sample())[None], lanes, 0)


def single(space: spaces.Space[Any]) -> tuple[Callable[[], None], Callable[[], Any], np.ndarray]:
    """Return what writes one value to a row, what Gymnasium has for it, and the row."""
    tree, value = SpaceTree(space), space.sample()
    row = tree.rows()
    address = row.ctypes.data
    return lambda: tree.write(value, address), lambda: spaces.flatten(space, value), row


def batched(space: spaces.Space[Any], lanes: int) -> tuple[Callable[[], None], Callable[[], None], int]:
    """Return what writes a batch to rows, what copies as many bytes, and how many these are."""
    tree = SpaceTree(space)
    size = lanes * sum(leaf.nbytes for leaf in tree.leaves)
    count = max(MEMORY // size, 1)
    batches: Iterator[Any] = cycle([(stacked(space, lanes), tree.rows(lanes)) for _ in range(count)])
    plain = cycle([(np.ones(size, np.uint8), np.zeros(size, np.uint8)) for _ in range(count)])

    def copy() -> None:
        source, target = next(plain)
        np.copyto(target, source)

    return lambda: tree.encode_batch(*next(batches)), copy, size


def measure(lanes: int = LANES, seconds: float = 0.2, repeats: int = 5) -> list[dict[str, Any]]:
    """Return a row for each space: medians of the rounds, and their lowest and highest ratio and share."""
    rows = []
    for name, space in SPACES.items():
        write, flatten, _row = single(space)
        encode, copy, size = batched(space, lanes)
        rounds = [[seconds_each(run, seconds) for run in (write, flatten, encode, copy)] for _ in range(repeats)]
        ratios = [others / ours for ours, others, *_ in rounds]
        shares = [memory / ours for *_, ours, memory in rounds]
        times = [statistics.median(column) for column in zip(*rounds, strict=True)]
        rows.append(
            {
                "space": name,
                "write_nanoseconds": 1e9 * times[0],
                "gymnasium_nanoseconds": 1e9 * times[1],
                "times_gymnasium": statistics.median(ratios),
                "times_gymnasium_range": [min(ratios), max(ratios)],
                "lanes": lanes,
                "batch_bytes": size,
                "batch_microseconds": 1e6 * times[2],
                "memcpy_microseconds": 1e6 * times[3],
                "share_of_memcpy": statistics.median(shares),
                "share_of_memcpy_range": [min(shares), max(shares)],
            }
        )
    return rows


def main() -> None:
    """Print the table, or with --json all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=LANES)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each part and round")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.lanes, options.seconds, options.repeats)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(
            f"{row['space']:<27}one: {row['write_nanoseconds']:>5.0f} ns, {row['times_gymnasium']:>5.1f} times "
            f"gymnasium.spaces.flatten   {row['lanes']} lanes, {row['batch_bytes'] / 1e6:.2f} MB: "
            f"{row['batch_microseconds']:>6.0f} us, {row['share_of_memcpy']:.2f} of memcpy"
        )


if __name__ == "__main__":
    main()
