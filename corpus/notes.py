"""Footnotes: which term a note explains, and where that term stands."""

from __future__ import annotations

import re

from corpus.types import Span

_MARK = re.compile(r"[¹²³⁴⁵⁶⁷⁸⁹⁰]+|\[\^[^\]]+\]")
_TERM = re.compile(r"(?:[¹²³⁴⁵⁶⁷⁸⁹⁰]+|\[\^[^\]]+\]:)\s*[“\"「]?([^：:”\"」]{1,30})[”\"」]?\s*[：:]")
_QUOTED_BEFORE = re.compile(r"[“「《]([^“”「」《》]{1,30})[”」》]$")


def note_anchor(text: str, start: int) -> int | None:
    """Offset of the mark in the running text that the note at `start` belongs to, the nearest before it."""
    mark = _MARK.match(text, start)
    if mark is None:
        return None
    anchor = text.rfind(mark.group(), 0, start)
    return anchor if anchor >= 0 else None


def note_term(text: str, span: Span) -> str | None:
    """The explained term: what the note names before its colon, else what is quoted before its mark."""
    match = _TERM.match(text, *span)
    if match:
        return match.group(1).strip()
    anchor = note_anchor(text, span[0])
    quoted = _QUOTED_BEFORE.search(text[max(0, anchor - 40) : anchor]) if anchor is not None else None
    return quoted.group(1) if quoted else None
