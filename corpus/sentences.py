"""Sentence spans of Chinese and English text; closing quotes, brackets and bold marks stay inside."""

from __future__ import annotations

import re

from corpus.emphasis import bold_spans
from corpus.types import Span

# One line break between two Latin words is a blank, unless an item's number follows.
_BREAK = r"\n{2,}|\n(?!(?<=[A-Za-z0-9]\n)(?!(?:\d{1,3}|[A-Za-z])[.．、)])[A-Za-z0-9]|(?<=,\n)[a-z])"
# What may end a sentence: by one set of characters a text is searched several times as fast as by all that must hold.
_MARK = re.compile(r"[。！？!?.…\n]")
_END = re.compile(r"[。！？!?]+|(?<=[A-Za-z)\]])\.(?=\s+[A-Z“\"])|…{2}(?=[^，、。；！？]|$)|" + _BREAK)
_ABBREVIATION = re.compile(r"(?<![A-Za-z.])(?:Mr|Mrs|Ms|Dr|Prof|No|Nos|Fig|vs|cf|e\.g|i\.e)\.")
_LONGEST_ABBREVIATION = 5
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
    last = 0
    for mark in _MARK.finditer(text):
        match = _END.match(text, mark.start()) if mark.start() >= last else None
        if match is None:
            continue
        last = match.end()
        if match.start() < start or _abbreviates(text, match):
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
    """Cut one over-long sentence after its last clause mark within each `limit` characters; outer white space is left."""
    spans: list[Span] = []
    start = 0
    while len(text) - start > limit:
        cut = max(_last_mark(text, mark, start, start + limit) for mark in _CLAUSE_END) + 1
        end = cut if cut > start else start + limit
        # Not even a cut by force may go through a number at its comma.
        end -= end - 1 > start and _in_number(text, end - 1)
        _append_stripped(spans, text, start, end)
        start = end
    _append_stripped(spans, text, start, len(text))
    return spans


def _abbreviates(text: str, match: re.Match[str]) -> bool:
    """Whether the full stop of an abbreviation stands here, or right before this line break."""
    if match.group() not in (".", "\n"):
        return False
    stop = match.end() if match.group() == "." else match.start()
    found = _ABBREVIATION.search(text, max(0, stop - _LONGEST_ABBREVIATION), stop)
    return found is not None and found.end() == stop


def _last_mark(text: str, mark: str, start: int, end: int) -> int:
    """Offset of the last `mark` that ends a clause, or -1."""
    found = text.rfind(mark, start, end)
    while found >= 0 and _in_number(text, found):
        found = text.rfind(mark, start, found)
    return found


def _in_number(text: str, i: int) -> bool:
    """Whether a comma stands between two digits."""
    return text[i] in "，," and text[i - 1 : i].isdigit() and text[i + 1 : i + 2].isdigit()


def _append_stripped(spans: list[Span], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if len(stripped) == end - start > 0:
        spans.append((start, end))
    elif stripped:
        first = start + len(piece) - len(piece.lstrip())
        spans.append((first, first + len(stripped)))
