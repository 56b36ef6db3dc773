"""Readers: bytes → text, one format a module, asked in this order. The bytes outweigh the name."""

from __future__ import annotations

import codecs
from importlib import import_module
from typing import cast

from corpus.readers.types import Reader, ReadError, Reading, ReadOptions

__all__ = ["SUFFIXES", "ReadError", "ReadOptions", "Reading", "read"]

_READERS = ("pdf", "docx", "html", "markdown", "text")
SUFFIXES = (".pdf", ".docx", ".html", ".htm", ".xhtml", ".md", ".markdown", ".txt", ".text")
"""Names of files that are taken from a folder; what a file is read as, its bytes decide."""
# Without one of these among its first bytes a file is not the parser's, and the parser need not be imported to say so.
_SIGNS = {"pdf": (b"%PDF-",), "docx": (b"PK", b"\xd0\xcf\x11\xe0"), "html": (b"<",)}
_HEAD = 4096
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read(name: str, data: bytes, options: ReadOptions = ReadOptions()) -> Reading:  # noqa: B008 - it is frozen
    """The text of a file, by the first reader that accepts it. Call `sandbox.read` for a file that isn't ours.

    Raises:
        ReadError: `empty`, `unsupported`, or what that reader raises.
    """
    if data in _MARKS or not data.strip(b"\0 \t\r\n"):
        raise ReadError("empty", f"文件 {name} 是空的。")
    for module in _READERS:
        if not any(sign in data[:_HEAD] for sign in _SIGNS.get(module, (b"",))):
            continue
        reader = cast(Reader, import_module(f"corpus.readers.{module}"))
        if reader.accepts(name, data):
            return reader.read(name, data, options)
    raise ReadError(
        "unsupported", f"{name} 不是可读的格式。可读 PDF、DOCX、HTML、Markdown 与纯文本；旧式 .doc 请先另存为 .docx。"
    )
