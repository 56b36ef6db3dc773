"""A text as a row of tokens: headings, labels, paragraphs, items, rows, notes, and what is left out.

The first of two steps to the section tree. A token is decided by the look of its lines and of their
neighbours; what belongs together over page breaks is decided by `structure`.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Set
from dataclasses import dataclass
from enum import Enum, auto

from corpus.headings import (
    Heading,
    editorial_heading,
    heading_of,
    is_contents_line,
    is_item_rank,
    is_label,
)
from corpus.lines import Line, wrap_width
from corpus.types import Document, EditorialHeading

_PAGE_NUMBER = re.compile(r"第\s*\d+\s*页(?:\s*[/，,]?\s*共\s*\d+\s*页)?|[-–—]\s*\d{1,4}\s*[-–—]|\d{1,4}")
_CONTENTS = re.compile(r"目\s*录|contents", re.IGNORECASE)


class TokenKind(Enum):
    HEADING = auto()
    LABEL = auto()
    TEXT = auto()
    ITEM = auto()
    ROW = auto()
    NOTE = auto()
    LEFT_OUT = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """Lines of one kind. `reason` says why a token is left out; `editorial` whose heading it is."""

    kind: TokenKind
    lines: tuple[Line, ...]
    heading: Heading | None = None
    editorial: EditorialHeading | None = None
    reason: str = ""
    wrapped: bool = False
    """Its lines are one paragraph, broken at the width of the page."""

    @property
    def start(self) -> int:
        return self.lines[0].start

    @property
    def end(self) -> int:
        return self.lines[-1].end

    @property
    def gap(self) -> int:
        """Blank lines directly before it."""
        return self.lines[0].gap

    @property
    def name(self) -> str:
        """Its lines as one name: a label may be broken over two."""
        return "".join(line.text for line in self.lines)


class ManifestMismatch(ValueError):
    """The manifest names a text that the document does not hold exactly once, at a line's start."""


def tokenise(document: Document, lines: list[Line], markdown: bool) -> list[Token]:
    """The tokens of the document's `lines` in order; an editorial heading stands where the manifest puts it.

    Raises:
        ManifestMismatch: an editorial heading can't be placed.
    """
    left_out = _title_lines(lines, document.title) | _contents_lines(lines) | _page_lines(lines)
    editorial = _place_editorial(document, lines)
    left_out |= {printed_line(lines, x).start: "heading" for x in document.editorial_headings if x.printed}
    wrapped = wrap_width(lines) is not None

    tokens: list[Token] = []
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.start in editorial:
            given = editorial[line.start]
            tokens.append(Token(TokenKind.HEADING, (line,), editorial_heading(given.heading), given))
        if line.start in left_out:
            tokens.append(Token(TokenKind.LEFT_OUT, (line,), reason=left_out[line.start]))
            i += 1
            continue
        heading = heading_of(line)
        if heading and not _is_item(lines, i, heading, tokens):
            tokens.append(Token(TokenKind.HEADING, (line,), heading))
            i += 1
            continue
        block = _block(lines, i, left_out.keys() | editorial.keys(), markdown or wrapped)
        tokens.append(_body_token(block, markdown, wrapped))
        i += len(block)
    return tokens


def is_markdown(document: Document, lines: list[Line]) -> bool:
    """Markdown by media type, or a text whose headings are Markdown's."""
    return document.media_type == "text/markdown" or sum(x.text.startswith("#") for x in lines) >= 3


def _block(lines: list[Line], first: int, stops: Set[int], wrapped: bool) -> list[Line]:
    """The lines from `first` on that make up one body token."""
    head = lines[first]
    block = [head]
    if head.is_row:
        return block
    item = head.is_bullet or head.marker is not None
    for line in lines[first + 1 :]:
        if line.gap or line.start in stops or line.is_row or line.is_note or line.is_bullet or line.marker:
            break
        if _stands_alone(line, block[-1]) or ((item or head.is_note) and not wrapped and block[-1].is_finished):
            break
        block.append(line)
    return block


def _stands_alone(line: Line, above: Line) -> bool:
    """Whether a line is a heading; a place's name under a short line is the second half of a label."""
    heading = heading_of(line)
    return heading is not None and not (heading.place and not above.is_finished and len(above.text) <= 8)


def _body_token(block: list[Line], markdown: bool, wrapped: bool) -> Token:
    head = block[0]
    if head.is_note:
        return Token(TokenKind.NOTE, tuple(block))
    if head.is_rule:
        return Token(TokenKind.LEFT_OUT, tuple(block), reason="table rule")
    if head.is_row:
        return Token(TokenKind.ROW, tuple(block))
    if head.is_bullet or head.marker:
        return Token(TokenKind.ITEM, tuple(block))
    if not markdown and is_label(block):
        return Token(TokenKind.LABEL, tuple(block))
    return Token(TokenKind.TEXT, tuple(block), wrapped=wrapped)


def _is_item(lines: list[Line], i: int, heading: Heading, tokens: list[Token]) -> bool:
    """`1.` and `（1）` open items, not headings, where the next or the last one follows with no body between."""
    if not is_item_rank(heading.rank):
        return False
    marker = lines[i].marker
    if i + 1 < len(lines) and lines[i + 1].marker == marker:
        return True
    last = tokens[-1] if tokens else None
    return bool(last and last.kind is TokenKind.ITEM and last.lines[0].marker == marker and lines[i].gap == 0)


def _title_lines(lines: list[Line], title: str) -> dict[int, str]:
    """The document's own title, whole on one to three lines, and its repetitions as a running title."""
    wanted = _fold(title)
    found: dict[int, str] = {}
    names: set[str] = {wanted}
    for i in range(min(len(lines), 40)):
        for n in (1, 2, 3):
            part = lines[i : i + n]
            if _fold("".join(x.text.lstrip("# ") for x in part)) == wanted:
                found |= {x.start: "title" for x in part}
                names |= {_fold(x.text) for x in part if len(x.text) >= 8}
    return found | {x.start: "title" for x in lines if _fold(x.text) in names}


def _contents_lines(lines: list[Line]) -> dict[int, str]:
    """The contents page: its heading and the entries that follow."""
    found: dict[int, str] = {}
    inside = False
    for i, line in enumerate(lines):
        if _CONTENTS.fullmatch(line.text.strip("# ")) and any(is_contents_line(x) for x in lines[i + 1 : i + 3]):
            inside = True
        elif inside and not is_contents_line(line):
            inside = False
        if inside:
            found[line.start] = "contents"
    return found


def _page_lines(lines: list[Line]) -> dict[int, str]:
    """Page numbers on a line of their own; bare ones only where they count upwards."""
    alone = [x for x in lines if _PAGE_NUMBER.fullmatch(x.text)]
    bare = [x for x in alone if x.text.isdigit()]
    values = [int(x.text) for x in bare]
    counting = len(bare) >= 3 and all(0 < b - a <= 2 for a, b in itertools.pairwise(values))
    return {x.start: "page number" for x in alone if counting or not x.text.isdigit()}


def _place_editorial(document: Document, lines: list[Line]) -> dict[int, EditorialHeading]:
    starts = {line.start for line in lines}
    placed: dict[int, EditorialHeading] = {}
    for given in document.editorial_headings:
        offset = document.text.find(given.before)
        if offset not in starts or document.text.find(given.before, offset + 1) != -1:
            raise ManifestMismatch(f"{document.id}: {given.before!r} does not open exactly one line")
        placed[offset] = given
    return placed


def printed_line(lines: list[Line], given: EditorialHeading) -> Line:
    """The line on which a misplaced heading is printed.

    Raises:
        ManifestMismatch: it is not exactly one line.
    """
    match = [x for x in lines if _fold(x.text.lstrip("# ")) == _fold(given.heading)]
    if len(match) != 1:
        raise ManifestMismatch(f"heading {given.heading!r} is not exactly one line")
    return match[0]


def _fold(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
