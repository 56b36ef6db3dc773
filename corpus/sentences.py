"""Sentence spans of Chinese and English text; closing quotes, brackets and bold marks stay inside."""

from __future__ import annotations

import re

from corpus.emphasis import bold_spans
from corpus.types import Span

_END = re.compile(r"[。！？!?]+|(?<=[A-Za-z)\]])\.(?=\s+[A-Z“\"])|…{2}(?=[^，、。；！？]|$)|\n+")
_CLOSERS = "”’」』）)】》〉\"'¹²³⁴⁵⁶⁷⁸⁹⁰"
_CLAUSE_END = "；;，,、"


def sentence_spans(text: str) -> list[Span]:
    """Spans `[start, end)` that hold every character of `text` but surrounding white space, in order.

    A line break ends a sentence: passages keep one only between list items, rows and paragraphs.

    >>> [("甲说：“好。”乙走了。")[s:e] for s, e in sentence_spans("甲说：“好。”乙走了。")]
    ['甲说：“好。”', '乙走了。']
    """
    bold_ends = {end for _, end in bold_spans(text)}
    spans: list[Span] = []
    start = 0
    for match in _END.finditer(text):
        if match.start() < start:
            continue
        end = match.end()
        while end < len(text):
            if text[end] in _CLOSERS and not match.group().isspace():
                end += 1
            elif end + 2 in bold_ends and text.startswith("**", end):
                end += 2
            else:
                break
        _append_stripped(spans, text, start, end)
        start = end
    _append_stripped(spans, text, start, len(text))
    return spans


def clause_spans(text: str, limit: int) -> list[Span]:
    """Cut one over-long sentence after its last clause mark within each `limit` characters."""
    spans: list[Span] = []
    start = 0
    while len(text) - start > limit:
        cut = max(text.rfind(mark, start, start + limit) for mark in _CLAUSE_END) + 1
        end = cut if cut > start else start + limit
        spans.append((start, end))
        start = end
    spans.append((start, len(text)))
    return spans


def _append_stripped(spans: list[Span], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        first = start + len(piece) - len(piece.lstrip())
        spans.append((first, first + len(stripped)))
