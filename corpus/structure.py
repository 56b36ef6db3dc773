"""Tokens → the section tree and its body elements.

Every character of the text but white space ends up in exactly one element or in `left_out`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from corpus.elements import Element, LeftOut, Structure, split_row
from corpus.headings import RANK_ARTICLE, RANK_BULLET, Heading
from corpus.joins import Outlook, extend, join, join_lines
from corpus.lines import Line, read_lines
from corpus.notes import NoteMarks
from corpus.sections import attach_notes, close_sections, demote_empty
from corpus.tokens import Token, TokenKind, is_flowing, printed_line, tokenise
from corpus.types import Document, Section, Span, join_spans

_TABLE_CAPTION = re.compile(r"(?:表|附表)\s*[\d一二三四五六七八九十]")
_LONGEST_CAPTION = 60
# An unpunctuated item shorter than this is complete; a longer one may have been cut by a page break.
_CUT_ITEM = 25
_TAIL = 2 * _CUT_ITEM


def parse(document: Document) -> Structure:
    """The structure of a document.

    Raises:
        corpus.tokens.ManifestMismatch: an editorial heading of the manifest can't be placed.
    """
    lines = read_lines(document.text)
    flows = is_flowing(document, lines)
    builder = _Builder(document.text, lines, tokenise(document, lines, flows), flows, not document.heading_marks)
    builder.build()
    return Structure(tuple(builder.sections), tuple(builder.elements), tuple(builder.left_out))


@dataclass(slots=True)
class _Open:
    """A section that is still open. Labels nest by whether one has a body yet."""

    rank: int
    section: int
    label: bool
    has_body: bool = False


@dataclass(slots=True)
class _Builder:
    text: str
    lines: list[Line]
    tokens: list[Token]
    flows: bool
    labels: bool
    """A short line without number may be a heading: the format marks none."""
    sections: list[Section] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    ahead: Outlook = field(init=False)
    marks: NoteMarks = field(init=False)
    given: set[int] = field(default_factory=set)
    """Sections whose heading is the manifest's."""
    stack: list[_Open] = field(default_factory=list)
    last: int | None = None
    """Index of the last element that is no footnote."""
    place_rank: int | None = None
    """Rank of the last heading that is a place's name, while only such have come since."""

    def build(self) -> None:
        self.ahead = Outlook(self.tokens)
        self.marks = NoteMarks(self.text)
        self.sections.append(Section((), (), None, None, 0, len(self.text)))
        for i, token in enumerate(self.tokens):
            match token.kind:
                case TokenKind.LEFT_OUT:
                    self._leave_out(token, token.reason)
                case TokenKind.HEADING:
                    self._open_section(token)
                case TokenKind.LABEL:
                    self._take_label(i, token)
                case TokenKind.NOTE:
                    self._take_note(token)
                case TokenKind.ROW:
                    self._take_row(token)
                case TokenKind.ITEM:
                    self._take_item(token)
                case TokenKind.TEXT:
                    self._take_text(i, token)
        attach_notes(self.elements, self.marks)
        self.sections = close_sections(self.sections, len(self.text))
        self.sections, self.elements, self.left_out = demote_empty(
            self.sections, self.elements, self.left_out, self.given
        )

    # -- headings ---------------------------------------------------------------------------------

    def _open_section(self, token: Token) -> None:
        heading, given = token.heading, token.editorial
        if heading is None:
            raise ValueError("a heading token without its heading")
        rank = self._rank(heading, given.level if given else None)
        while self.stack and self.stack[-1].rank >= rank:
            self.stack.pop()
        above = self.sections[self._section]
        span: Span | None = (token.start, token.end)
        if given:
            self.given.add(len(self.sections))
            span = printed_line(self.lines, given).span if given.printed else None
        else:
            self._leave_out(token, "heading")
        path, restored = (*above.path, heading.name), (*above.restored, span is None)
        start = token.start
        self.sections.append(Section(path, restored, self._section, span, start, start))
        self.stack.append(_Open(rank, len(self.sections) - 1, heading.label))

    def _rank(self, heading: Heading, level: int | None) -> int:
        if level is not None:
            return self.stack[level - 1].rank if len(self.stack) >= level else heading.rank
        if heading.place:
            self.place_rank = heading.rank if self.place_rank is None else self.place_rank
            return self.place_rank
        self.place_rank = None
        if not heading.label or not self.stack:
            return heading.rank
        top = self.stack[-1]
        sibling = top.has_body and (top.label or top.rank == RANK_BULLET)
        return top.rank if sibling else top.rank + 1

    def _take_label(self, i: int, token: Token) -> None:
        """A cover's line, a table's caption, a heading without number, or a picture's caption."""
        if self._captions_table(i, token):
            self._open_table(token, token.name, ())
        elif self._last_cut() and self.ahead.cuts_paragraph(i):
            self._leave_out(token, "caption")
        elif self.labels and self.ahead.opens_body(i):
            self._open_section(replace(token, heading=Heading(token.name, RANK_BULLET, label=True)))
        elif self.elements and self.ahead.is_caption(i):
            self._leave_out(token, "caption")
        else:
            self._add_text(token)

    def _captions_table(self, i: int, token: Token) -> bool:
        follows = i + 1 < len(self.tokens) and self.tokens[i + 1].kind is TokenKind.ROW
        return follows and len(token.name) <= _LONGEST_CAPTION and _TABLE_CAPTION.match(token.name) is not None

    # -- bodies -----------------------------------------------------------------------------------

    def _open_article(self, token: Token, name: str) -> None:
        """An article's name opens its own text: it is a section, and no line of its own that could be left out."""
        while self.stack and self.stack[-1].rank >= RANK_ARTICLE:
            self.stack.pop()
        above = self.sections[self._section]
        path, restored = (*above.path, name), (*above.restored, False)
        self.sections.append(Section(path, restored, self._section, None, token.start, token.start))
        self.stack.append(_Open(RANK_ARTICLE, len(self.sections) - 1, label=False))

    def _take_text(self, i: int, token: Token) -> None:
        if article := token.lines[0].article:
            self._open_article(token, article)
        if self._captions_table(i, token):
            self._open_table(token, token.name, ())
            return
        last = self._last_cut()
        if last and self.ahead.ends_finished(i):
            last.spans = join(self.text, last.spans, join_lines(self.text, token))
            last.finished = token.lines[-1].is_finished
        else:
            self._add_text(token)

    def _add_text(self, token: Token) -> None:
        """A paragraph; lines that stand apart in one block are the items of an unmarked list."""
        self._has_body()
        if token.lines[0].literal:
            self._append(Element("text", self._section, [(token.start, token.end)]))
        elif len(token.lines) == 1 or self.flows or token.wrapped:
            spans = join_lines(self.text, token)
            finished = token.lines[-1].is_finished
            self._append(Element("text", self._section, spans, finished=finished))
        else:
            self._append(Element("list", self._section, [(token.start, token.end)]))

    def _take_item(self, token: Token) -> None:
        self._has_body()
        marker = token.lines[0].marker or "bullet"
        spans = join_lines(self.text, token)
        finished = token.lines[-1].is_finished
        last = self._last_body()
        if last and (self._introduces(last) or (last.kind == "list" and last.marker == marker)):
            last.spans = extend(self.text, last.spans, spans)
            last.kind, last.marker, last.finished = "list", marker, finished
        else:
            self._append(Element("list", self._section, spans, finished=finished, marker=marker))

    def _take_row(self, token: Token) -> None:
        self._has_body()
        cells = split_row(token.lines[0].text)
        last = self._last_body()
        if last and last.kind == "table" and (token.gap == 0 or not last.columns or len(last.columns) == len(cells)):
            last.columns = last.columns or cells
            last.spans = extend(self.text, last.spans, [(token.start, token.end)])
        else:
            self._open_table(token, None, cells)

    def _open_table(self, token: Token, lead: str | None, columns: tuple[str, ...]) -> None:
        """A table begins with its caption or its heads, and before them the line that introduces it."""
        last = self._last_body()
        spans = [(token.start, token.end)]
        if last and self._introduces(last):
            del self.elements[self.last or 0]
            spans = extend(self.text, last.spans, spans)
        self._append(Element("table", self._section, spans, lead=lead, columns=columns))

    def _introduces(self, last: Element) -> bool:
        return last.kind == "text" and self._tail(last).endswith(("：", ":"))

    def _take_note(self, token: Token) -> None:
        spans = join_lines(self.text, token)
        span = (spans[0][0], spans[-1][1])
        self.elements.append(Element("footnote", self._section, spans, lead=self.marks.term(span)))

    # -- helpers ----------------------------------------------------------------------------------

    @property
    def _section(self) -> int:
        return self.stack[-1].section if self.stack else 0

    def _has_body(self) -> None:
        for opened in self.stack:
            opened.has_body = True

    def _leave_out(self, token: Token, reason: str) -> None:
        self.left_out += [LeftOut(line.span, reason) for line in token.lines]

    def _append(self, element: Element) -> None:
        self.last = len(self.elements)
        self.elements.append(element)

    def _tail(self, element: Element) -> str:
        """The last characters of an element: as many as one asks about."""
        spans: list[Span] = []
        length = 0
        for start, end in reversed(element.spans):
            spans.insert(0, (max(start, end - _TAIL), end))
            length += end - start
            if length >= _TAIL:
                break
        return join_spans(self.text, spans)

    def _last_body(self) -> Element | None:
        """The last element of the open section, footnotes passed over."""
        if self.last is None:
            return None
        element = self.elements[self.last]
        return element if element.section == self._section else None

    def _last_cut(self) -> Element | None:
        """The last element, if a page break may have cut its last sentence. What flows has no pages."""
        last = self._last_body()
        if self.flows or last is None or last.finished or last.kind not in ("text", "list"):
            return None
        if last.kind == "list" and len(self._tail(last).splitlines()[-1]) < _CUT_ITEM:
            return None
        return last
