"""Plain text."""

from __future__ import annotations

import re
from pathlib import PurePath

from corpus.readers.encodings import decode
from corpus.readers.types import ReadError, Reading, ReadOptions
from corpus.types import PLAIN

SUFFIXES = (".txt", ".text")
MEDIA_TYPE = PLAIN
# Text inside, but not as one reads it; or a format whose file this isn't.
_NEVER = re.compile(
    r"\.(?:docx?|docm|dotx?|eml|epub|et|html?|mht|mhtml|msg|od[pst]|ofd|pdf|pptx?|rtf|wps|xlsx?|xml)", re.IGNORECASE
)
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_CONTROL = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f\u00ad\ufeff]")
_SNIFFED = 8192


def accepts(name: str, data: bytes) -> bool:
    """A text by its name; under a name that says nothing, what holds no control characters."""
    suffix = PurePath(name).suffix.lower()
    return suffix in SUFFIXES or (_NEVER.fullmatch(suffix) is None and _BINARY.search(data[:_SNIFFED]) is None)


def read(name: str, data: bytes, options: ReadOptions) -> Reading:
    """The decoded text, unchanged but for a byte-order mark: citations point into the file as the user has it.

    Raises:
        ReadError: `empty` or `decode_error`.
    """
    return read_as(name, data, MEDIA_TYPE)


def read_as(name: str, data: bytes, media_type: str) -> Reading:
    """Shared by the formats that are text as they stand."""
    text, encoding = decode(data) if data else ("", "utf-8")
    shown, controls = _CONTROL.subn("", text)
    if "\0" in text or 10 * controls > len(text):
        raise ReadError("decode_error", f"{name} 含有大量控制字符，不像文本。请检查文件，或另存为 UTF-8 文本后再试。")
    if not shown.strip():
        raise ReadError("empty", f"文件 {name} 是空的。")
    return Reading(text, media_type, encoding)
