"""Footnotes: which term a note explains, and where that term stands."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict

from corpus.types import Span

_MARK = re.compile(r"[¹²³⁴⁵⁶⁷⁸⁹⁰]+|\[\^[^\]]+\]")
_TERM = re.compile(r"(?:[¹²³⁴⁵⁶⁷⁸⁹⁰]+|\[\^[^\]]+\]:)\s*[“\"「]?([^：:”\"」]{1,30})[”\"」]?\s*[：:]")
_QUOTED_BEFORE = re.compile(r"[“「《]([^“”「」《》]{1,30})[”」》]$")
_LONGEST = 40
_ANY = re.compile(rf"(?=([¹²³⁴⁵⁶⁷⁸⁹⁰]{{1,3}}|\[\^[^\]]{{1,{_LONGEST}}}\]))")


class NoteMarks:
    """The marks of a text's footnotes, found once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places: dict[str, list[int]] = defaultdict(list)
        for match in _ANY.finditer(text):
            mark = match.group(1)
            for name in {mark} if mark.startswith("[") else {mark[:n] for n in range(1, len(mark) + 1)}:
                self._places[name].append(match.start())

    def anchor(self, start: int) -> int | None:
        """Offset of the mark in the running text that the note at `start` belongs to, the nearest before it."""
        mark = _MARK.match(self.text, start)
        if mark is None:
            return None
        places = self._places.get(mark.group(), [])
        n = bisect_left(places, start)
        return places[n - 1] if n else None

    def term(self, span: Span) -> str | None:
        """The explained term: what the note names before its colon, else what is quoted before its mark."""
        match = _TERM.match(self.text, *span)
        if match:
            return match.group(1).strip()
        anchor = self.anchor(span[0])
        quoted = _QUOTED_BEFORE.search(self.text[max(0, anchor - 40) : anchor]) if anchor is not None else None
        return quoted.group(1) if quoted else None
