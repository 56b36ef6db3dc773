"""Markdown, read as its source text: citations point into the file as the user has it."""

from __future__ import annotations

from corpus.readers.text import read_as
from corpus.readers.types import Reading, ReadOptions
from corpus.types import MARKDOWN

SUFFIXES = (".md", ".markdown")
MEDIA_TYPE = MARKDOWN


def accepts(name: str, data: bytes) -> bool:
    return name.lower().endswith(SUFFIXES)


def read(name: str, data: bytes, options: ReadOptions) -> Reading:
    """The decoded source text.

    Raises:
        ReadError: `empty` or `decode_error`.
    """
    return read_as(name, data, MEDIA_TYPE)
