"""What belongs together over a page break, a footnote or a caption: the joining rules, in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median_low

from corpus.tokens import Token, TokenKind
from corpus.types import Span

_CAPTION = re.compile(r"(?:图|表|专栏|附图|附表)\s*\d+|.*(?:图|示意)$")
_FACT = re.compile(r"[\d：:]")


class Outlook:
    """What comes behind each token, looked up in one pass from the end."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        count = len(tokens)
        self._following: list[int | None] = [None] * count
        self._opens = [False] * count
        self._finished = [False] * count
        gaps = [x.gap for x in tokens if x.gap]
        self._figure_gap = 2 * max(1, median_low(gaps) if gaps else 1) + 2
        n: int | None = None
        for i in range(count - 1, -1, -1):
            self._following[i] = n
            kind = tokens[n].kind if n is not None else TokenKind.HEADING
            self._opens[i] = kind is not TokenKind.HEADING
            if n is not None and kind is TokenKind.LABEL:
                self._opens[i] = self._opens[n]
            if tokens[i].kind is TokenKind.TEXT:
                self._finished[i] = tokens[i].lines[-1].is_finished or (n is not None and self._finished[n])
            if tokens[i].kind not in (TokenKind.NOTE, TokenKind.LEFT_OUT):
                n = i

    def opens_body(self, i: int) -> bool:
        """Whether label `i` has something to be the heading of: a body, or a label that has one."""
        return self._opens[i]

    def ends_finished(self, i: int) -> bool:
        """Whether a paragraph that goes on with text token `i` comes to a full stop before a heading."""
        return self._finished[i]

    def is_caption(self, i: int) -> bool:
        """It says that it is one, or a picture has left blank lines about it. What states a fact is none."""
        name = self.tokens[i].name
        if _CAPTION.match(name):
            return True
        n = self._following[i]
        gap = self.tokens[i].gap + (self.tokens[n].gap if n is not None else 1)
        return gap >= self._figure_gap and _FACT.search(name) is None

    def cuts_paragraph(self, i: int) -> bool:
        """Whether caption `i` stands within a paragraph that goes on behind it."""
        n = self._following[i]
        return n is not None and self._finished[n] and self.is_caption(i)


def join_lines(text: str, token: Token) -> list[Span]:
    """The lines of a token as one paragraph, line breaks left out."""
    spans = [token.lines[0].span]
    for line in token.lines[1:]:
        join(text, spans, [line.span])
    return spans


def join(text: str, head: list[Span], tail: list[Span]) -> list[Span]:
    """One paragraph out of two parts, `head` made longer: what the break put between is left out.

    Two Latin words keep one character of the break, so that they don't run together.
    """
    start, end = head[-1]
    first = text[tail[0][0]]
    latin = text[end - 1].isascii() and text[end - 1] not in "-(" and first.isascii() and first.isalnum()
    head[-1] = (start, end + 1 if latin else end)
    head += tail
    return head


def extend(text: str, head: list[Span], tail: list[Span]) -> list[Span]:
    """One list or table out of two parts, `head` made longer: line breaks between stay, all else is left out."""
    (start, end), (first, last) = head[-1], tail[0]
    if text[end:first].isspace() or end == first:
        head[-1:] = [(start, last), *tail[1:]]
    else:
        head[-1:] = [(start, end + 1 if text[end].isspace() else end), *tail]
    return head
