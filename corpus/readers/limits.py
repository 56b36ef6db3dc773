"""What a file may cost to read. Who exceeds a limit is refused by name, and the others of the batch go on."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BYTES = 100 << 20
"""Of a file."""
MAX_PAGES = 5_000
MAX_CHARACTERS = 5_000_000
"""Of a file's text."""
MAX_PASSAGES = 50_000
"""Of a document."""
MAX_DEPTH = 100_000
"""Of elements within elements."""
MAX_ELEMENTS = 200_000
"""Of a web page."""
MAX_UNPACKED = 512 << 20
"""Bytes of a DOCX, unpacked."""
MAX_MEMBERS = 10_000
"""Files within a DOCX."""
MAX_RATIO = 200
"""Of unpacked to packed bytes, for members over 10 MiB."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the process that reads one file: `stall` seconds without a sign of life, seconds in all, bytes of memory."""

    stall: float
    seconds: float
    memory: int


READING = Limits(stall=8, seconds=120, memory=1 << 30)
DRAWING = Limits(stall=10, seconds=30, memory=1 << 30)
"""A page on a screen: who waits for it sees it soon or not at all."""
RECOGNISING = Limits(stall=120, seconds=7_200, memory=4 << 30)
"""Recognising the pages of a scan takes seconds for each, and a model."""
