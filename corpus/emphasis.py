"""Markdown bold in running text: which `**` belong together.

Reports use bold for run-in leads. A page break can swallow one of the two markers, so a pair is only
taken where it can be one: short, and with no sentence end inside except right before its close.
"""

from __future__ import annotations

import re

from corpus.types import Span

_MARKER = re.compile(r"\*\*")
_SENTENCE_END = "。！？!?；;\n"
_LONGEST = 60


def bold_spans(text: str) -> list[Span]:
    """Spans `[start, end)` of `**…**`, markers included, in order.

    >>> bold_spans("**甲。**乙**丙")
    [(0, 6)]
    """
    if text.count("**") < 2:
        return []
    markers = [m.start() for m in _MARKER.finditer(text)]
    pairs: list[Span] = []
    i = 0
    while i + 1 < len(markers):
        start, end = markers[i], markers[i + 1] + 2
        inside = text[start + 2 : end - 2]
        if inside and len(inside) <= _LONGEST and not any(c in inside[:-1] for c in _SENTENCE_END):
            pairs.append((start, end))
            i += 2
        else:
            i += 1
    return pairs
