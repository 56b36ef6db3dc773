"""Being written."""

from __future__ import annotations

from corpus.readers.types import ReadError, Reading, ReadOptions


def accepts(name: str, data: bytes) -> bool:
    return name.lower().endswith(".pdf")


def read(name: str, data: bytes, options: ReadOptions) -> Reading:
    raise ReadError("unsupported", name)
