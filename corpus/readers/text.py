"""Plain text."""

from __future__ import annotations

from corpus.readers.encodings import decode
from corpus.readers.types import ReadError, Reading, ReadOptions
from corpus.types import PLAIN

SUFFIXES = (".txt", ".text")
MEDIA_TYPE = PLAIN


def accepts(name: str, data: bytes) -> bool:
    return name.lower().endswith(SUFFIXES)


def read(name: str, data: bytes, options: ReadOptions) -> Reading:
    """The decoded text, unchanged but for a byte-order mark.

    Raises:
        ReadError: `empty` or `decode_error`.
    """
    return read_as(name, data, MEDIA_TYPE)


def read_as(name: str, data: bytes, media_type: str) -> Reading:
    """Shared by the formats that are text as they stand."""
    text, encoding = decode(data) if data else ("", "utf-8")
    if not text.strip():
        raise ReadError("empty", f"文件 {name} 是空的。")
    return Reading(text, media_type, encoding)
