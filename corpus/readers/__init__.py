"""Readers: bytes → text, one format a module, asked in this order."""

from __future__ import annotations

from corpus.readers import markdown, text
from corpus.readers.types import Reader, ReadError, Reading

__all__ = ["READERS", "ReadError", "Reading", "read"]

READERS: tuple[Reader, ...] = (markdown, text)


def read(name: str, data: bytes) -> Reading:
    """The text of a file, by the first reader that accepts it.

    Raises:
        ReadError: `unsupported`, or what that reader raises.
    """
    for reader in READERS:
        if reader.accepts(name, data):
            return reader.read(name, data)
    raise ReadError("unsupported", f"暂不支持 {name} 的格式。目前可读 .txt 与 .md。")
