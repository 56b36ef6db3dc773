"""A text as a row of tokens: headings, labels, paragraphs, items, rows, notes, and what is left out.

The first of two steps to the section tree. A token is decided by the look of its lines and of their
neighbours; what belongs together over page breaks is decided by `structure`.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Set
from dataclasses import dataclass, replace
from enum import Enum, auto

from corpus.folding import nfkc
from corpus.headings import (
    RANK_NUMBERED,
    Heading,
    editorial_heading,
    heading_of,
    is_contents_line,
    is_item_rank,
    is_label,
    named_heading,
)
from corpus.lines import Line, wrap_width
from corpus.types import Document, EditorialHeading

_PAGE_NUMBER = re.compile(r"第\s*\d+\s*页(?:\s*[/，,]?\s*共\s*\d+\s*页)?|[-–—]\s*\d{1,4}\s*[-–—]|\d{1,4}")
_SHORTEST_WRAPPED = 20
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


def tokenise(document: Document, lines: list[Line], flows: bool) -> list[Token]:
    """The tokens of the document's `lines` in order; an editorial heading stands where the manifest puts it.

    `flows`: lines that follow each other are one paragraph, as in Markdown.

    Raises:
        ManifestMismatch: an editorial heading can't be placed.
    """
    left_out = _title_lines(lines, document.title) | _contents_lines(lines) | _page_lines(lines)
    editorial = _place_editorial(document, lines)
    marked = _Marked(document, lines)
    left_out |= {printed_line(lines, x).start: "heading" for x in document.editorial_headings if x.printed}
    wrapped = wrap_width(lines) is not None
    stops = left_out.keys() | editorial.keys() | marked.levels.keys()

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
        heading = marked.heading(line) or heading_of(line)
        if heading and (line.start in marked.levels or not _is_item(lines, i, heading, tokens)):
            tokens.append(Token(TokenKind.HEADING, (line,), marked.levelled(heading)))
            i += 1
            continue
        block = _block(lines, i, stops, flows or wrapped)
        tokens.append(_body_token(block, flows, wrapped))
        i += len(block)
    return tokens


def is_flowing(document: Document, lines: list[Line]) -> bool:
    """By its format, or a text whose headings are Markdown's."""
    return document.flows or sum(x.text.startswith("#") and not x.literal for x in lines) >= 3


class _Marked:
    """Headings that the file's format marks. A number that they bear stands for their level elsewhere too."""

    def __init__(self, document: Document, lines: list[Line]) -> None:
        self.levels = {x.start: x.level for x in document.heading_marks}
        found: dict[int, Counter[int]] = defaultdict(Counter)
        for line in lines:
            numbered = heading_of(line) if line.start in self.levels else None
            if numbered and numbered.rank >= RANK_NUMBERED:
                found[numbered.rank][self.levels[line.start]] += 1
        self._levels_by_rank = {rank: counts.most_common(1)[0][0] for rank, counts in found.items()}

    def heading(self, line: Line) -> Heading | None:
        level = self.levels.get(line.start)
        return named_heading(line.text, level) if level else None

    def levelled(self, heading: Heading) -> Heading:
        """A numbered heading that lacks the mark stands as deep as those of its kind that have it."""
        rank = self._levels_by_rank.get(heading.rank, heading.rank)
        return heading if rank == heading.rank else replace(heading, rank=rank)


def _block(lines: list[Line], first: int, stops: Set[int], wrapped: bool) -> list[Line]:
    """The lines from `first` on that make up one body token."""
    head = lines[first]
    block = [head]
    if head.is_row or head.is_rule:
        return block
    item = head.is_bullet or head.marker is not None
    for i in range(first + 1, len(lines)):
        line = lines[i]
        if line.gap or line.start in stops or line.literal != head.literal or _opens_block(line):
            break
        if _stands_alone(line, block[-1]) or ((item or head.is_note) and not wrapped and block[-1].is_finished):
            break
        block.append(line)
    return block


def _opens_block(line: Line) -> bool:
    return line.is_row or line.is_rule or line.is_note or line.is_bullet or bool(line.marker or line.article)


def _stands_alone(line: Line, above: Line) -> bool:
    """Whether a line is a heading; a place's name under a short line is the second half of a label."""
    heading = heading_of(line)
    return heading is not None and not (heading.place and not above.is_finished and len(above.text) <= 8)


def _body_token(block: list[Line], flows: bool, wrapped: bool) -> Token:
    head = block[0]
    if head.is_note:
        return Token(TokenKind.NOTE, tuple(block))
    if head.is_rule:
        return Token(TokenKind.LEFT_OUT, tuple(block), reason="table rule")
    if head.is_row:
        return Token(TokenKind.ROW, tuple(block))
    if head.is_bullet or head.marker:
        return Token(TokenKind.ITEM, tuple(block))
    if not flows and is_label(block):
        return Token(TokenKind.LABEL, tuple(block))
    return Token(TokenKind.TEXT, tuple(block), wrapped=wrapped or _is_wrapped(block))


def _is_wrapped(block: list[Line]) -> bool:
    """Lines as long as each other, of which only the last ends as a sentence: one paragraph."""
    lengths = [len(x.text) for x in block[:-1]]
    return (
        len(block) >= 2
        and min(lengths) >= _SHORTEST_WRAPPED
        and max(lengths) - min(lengths) <= 2
        and len(block[-1].text) <= max(lengths) + 2
        and block[-1].is_finished
        and not any(x.is_finished or x.literal for x in block[:-1])
    )


def _is_item(lines: list[Line], i: int, heading: Heading, tokens: list[Token]) -> bool:
    """`1.` and `（1）` open items, not headings, where the next or the last one follows with no body between."""
    if not is_item_rank(heading.rank):
        return False
    marker = lines[i].marker
    n = _behind_item(lines, i)
    behind = lines[n] if n < len(lines) else None
    if behind and behind.marker == marker and (n == i + 1 or behind.gap == 0):
        return True
    last = tokens[-1] if tokens else None
    if last is None:
        return False
    bodiless = behind is None or behind.marker == marker or heading_of(behind) is not None
    if last.kind is TokenKind.TEXT and last.lines[-1].text.endswith(("：", ":")):
        return bodiless or n > i + 1
    return last.kind is TokenKind.ITEM and last.lines[0].marker == marker and (lines[i].gap == 0 or bodiless)


def _behind_item(lines: list[Line], i: int) -> int:
    """Index of the line behind line `i` and the lines that continue it: none is longer, as when wrapped."""
    n = i + 1
    while (
        n < len(lines)
        and lines[n].gap == 0
        and len(lines[n].text) <= len(lines[i].text) + 2
        and not lines[n - 1].is_finished
        and not _opens_block(lines[n])
        and heading_of(lines[n]) is None
    ):
        n += 1
    return n


def _title_lines(lines: list[Line], title: str) -> dict[int, str]:
    """The document's own title, whole on one to three lines, and its repetitions as a running title."""
    wanted = _fold(title)
    found: dict[int, str] = {}
    names: set[str] = {wanted}
    for i in range(min(len(lines), 40)):
        for n in (1, 2, 3):
            part = lines[i : i + n]
            whole = "".join(x.text.lstrip("# ") for x in part)
            if _may_be(whole, wanted) and _fold(whole) == wanted:
                found |= {x.start: "title" for x in part}
                names |= {_fold(x.text) for x in part if len(x.text) >= 8}
    longest = max(names, key=len)
    return found | {x.start: "title" for x in lines if _may_be(x.text, longest) and _fold(x.text) in names}


def _may_be(text: str, folded: str) -> bool:
    """False where `text` is too long to become `folded`: NFKC makes one character of four at most."""
    return len(text) <= 4 * len(folded) or len("".join(text.split())) <= 4 * len(folded)


def _contents_lines(lines: list[Line]) -> dict[int, str]:
    """The contents page: its heading and the entries that follow."""
    found: dict[int, str] = {}
    inside = False
    for i, line in enumerate(lines):
        if _CONTENTS.fullmatch(line.text.strip("# ")) and any(is_contents_line(x) for x in lines[i + 1 : i + 3]):
            inside = True
        elif inside:
            inside = _is_entry(lines, i)
        if inside:
            found[line.start] = "contents"
    return found


def _is_entry(lines: list[Line], i: int) -> bool:
    """Whether line `i` is an entry of the contents page, the first half of one, or a page number among them."""
    if is_contents_line(lines[i]):
        return True
    behind = lines[i + 1 : i + 3]
    if _PAGE_NUMBER.fullmatch(lines[i].text):
        return any(is_contents_line(x) for x in behind)
    for n, line in enumerate(behind):
        if line.gap or lines[i + n].is_finished:
            return False
        if is_contents_line(line):
            return True
    return False


def _page_lines(lines: list[Line]) -> dict[int, str]:
    """Page numbers on a line of their own; bare ones only where they count upwards."""
    alone: list[Line] = []
    bare: list[tuple[int, int]] = []
    for i, line in enumerate(lines):
        if line.literal or not _PAGE_NUMBER.fullmatch(line.text) or _is_year(line):
            continue
        if line.text.isdigit():
            bare.append((i - len(alone), int(line.text)))
        alone.append(line)
    # Text stands between two page numbers; numbers in a row are data.
    counting = len(bare) >= 3 and all(m < n and 0 < b - a <= 2 for (m, a), (n, b) in itertools.pairwise(bare))
    return {x.start: "page number" for x in alone if counting or not x.text.isdigit()}


def _is_year(line: Line) -> bool:
    return line.text.isdigit() and 1900 <= int(line.text) <= 2100


def _place_editorial(document: Document, lines: list[Line]) -> dict[int, EditorialHeading]:
    starts = {line.start for line in lines}
    placed: dict[int, EditorialHeading] = {}
    for given in document.editorial_headings:
        offset = document.text.find(given.before)
        if offset not in starts or document.text.find(given.before, offset + 1) != -1:
            raise ManifestMismatch(f"{given.before!r} 应恰好是一行的开头")
        placed[offset] = given
    return placed


def printed_line(lines: list[Line], given: EditorialHeading) -> Line:
    """The line on which a misplaced heading is printed.

    Raises:
        ManifestMismatch: it is not exactly one line.
    """
    match = [x for x in lines if _fold(x.text.lstrip("# ")) == _fold(given.heading)]
    if len(match) != 1:
        raise ManifestMismatch(f"标题 {given.heading!r} 应恰好独占一行")
    return match[0]


def _fold(text: str) -> str:
    return "".join(nfkc(text).split())
