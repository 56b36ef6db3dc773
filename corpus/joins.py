"""What belongs together over a page break, a footnote or a caption: the joining rules, in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from corpus.tokens import Token, TokenKind
from corpus.types import Span

_CAPTION = re.compile(r"(?:图|表|专栏|附图|附表)\s*\d+|.*(?:图|示意)$")
_FIGURE_GAP = 2


def following(tokens: Sequence[Token], i: int) -> int | None:
    """Index of the next token after `i` that is neither a note nor left out."""
    passed = (TokenKind.NOTE, TokenKind.LEFT_OUT)
    return next((n for n in range(i + 1, len(tokens)) if tokens[n].kind not in passed), None)


def opens_body(tokens: Sequence[Token], i: int) -> bool:
    """Whether label `i` has something to be the heading of: a body, or a label that has one."""
    n = following(tokens, i)
    while n is not None and tokens[n].kind is TokenKind.LABEL:
        n = following(tokens, n)
    return n is not None and tokens[n].kind is not TokenKind.HEADING


def is_caption(tokens: Sequence[Token], i: int) -> bool:
    """A picture leaves blank lines about its caption, or the caption says what it is."""
    n = following(tokens, i)
    gap = max(tokens[i].gap, tokens[n].gap if n is not None else _FIGURE_GAP)
    return gap >= _FIGURE_GAP or _CAPTION.match(tokens[i].name) is not None


def ends_finished(tokens: Sequence[Token], i: int) -> bool:
    """Whether a paragraph that goes on with text token `i` comes to a full stop before a heading."""
    n: int | None = i
    while n is not None and tokens[n].kind is TokenKind.TEXT:
        if tokens[n].lines[-1].is_finished:
            return True
        n = following(tokens, n)
    return False


def cuts_paragraph(tokens: Sequence[Token], i: int) -> bool:
    """Whether caption `i` stands within a paragraph that goes on behind it."""
    n = following(tokens, i)
    return n is not None and tokens[n].kind is TokenKind.TEXT and is_caption(tokens, i) and ends_finished(tokens, n)


def join_lines(text: str, token: Token) -> list[Span]:
    """The lines of a token as one paragraph, line breaks left out."""
    spans = [token.lines[0].span]
    for line in token.lines[1:]:
        spans = join(text, spans, [line.span])
    return spans


def join(text: str, head: list[Span], tail: list[Span]) -> list[Span]:
    """One paragraph out of two parts: what the break put between is left out.

    Two Latin words keep one character of the break, so that they don't run together.
    """
    start, end = head[-1]
    first = text[tail[0][0]]
    latin = text[end - 1].isascii() and text[end - 1] not in "-(" and first.isascii() and first.isalnum()
    return [*head[:-1], (start, end + 1 if latin else end), *tail]


def extend(text: str, head: list[Span], tail: list[Span]) -> list[Span]:
    """One list or table out of two parts: line breaks between them stay, anything else is left out."""
    (start, end), (first, last) = head[-1], tail[0]
    if text[end:first].isspace() or end == first:
        return [*head[:-1], (start, last), *tail[1:]]
    return [*head[:-1], (start, end + 1 if text[end].isspace() else end), *tail]
