"""Tensors as safetensors, piece by piece: a replay buffer may be larger than the memory that is left."""

import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

PIECE = 1 << 26
"""Bytes copied at once, at most."""

TYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.float32: "F32",
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
    torch.complex64: "C64",
}
"""What safetensors calls them."""


def as_safetensors(tensors: dict[str, Tensor]) -> Iterator[Any]:
    """Yield the bytes of a safetensors file, the largest types first, so that all are aligned.

    Raises:
        TypeError: If a tensor is of a type that safetensors does not know.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {}
    offset = 0
    for name in names:
        x = tensors[name]
        if x.dtype not in TYPES:
            raise TypeError(f"{name} is of type {x.dtype}, which safetensors does not know.")
        size = x.numel() * x.element_size()
        header[name] = {"dtype": TYPES[x.dtype], "shape": list(x.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        yield from _pieces(tensors[name])


def _pieces(x: Tensor) -> Iterator[Any]:
    """Yield the bytes of a tensor; a large one is neither copied as a whole nor held as a whole."""
    size = x.numel() * x.element_size()
    if x.ndim > 1 and size > PIECE and not x.is_contiguous():
        for row in x:
            yield from _pieces(row)
        return
    flat = x.contiguous().reshape(-1).view(torch.uint8).numpy()
    for start in range(0, size, PIECE):
        yield flat[start : start + PIECE].data
