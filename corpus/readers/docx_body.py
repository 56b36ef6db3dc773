"""The body of a DOCX → paragraphs, headings, lists, tables and notes, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from corpus.readers.docx_inline import Found, Inline, InlineReader
from corpus.readers.docx_numbering import BULLET, Numbering
from corpus.readers.docx_package import Element, W, is_on, number, value
from corpus.readers.docx_styles import Style, Styles, numbering_of, outline_level
from corpus.readers.flow import Flow, could_be_heading, mark_leads, split_breaks, spread
from corpus.readers.types import Step

_WRAPPERS = frozenset(f"{W}{x}" for x in ("sdtContent", "customXml", "ins", "moveTo"))
_LONGEST_CELL = 1000
_LONGEST_HEADING = 120
_ALIVE = 2_000
_LARGER = 1.0
"""Points by which letters must be larger than those of the text to look like a heading's."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph as it is shown: `mark` is its automatic number."""

    text: str
    mark: str
    style: Style
    level: int
    inline: Inline
    list: int | None
    centred: bool
    in_table: bool = False

    @property
    def shown(self) -> str:
        return f"{self.mark}{self.text}"


@dataclass(frozen=True, slots=True)
class Table:
    rows: list[list[str]]


Block = Paragraph | Table


class BodyReader:
    """Reads the body, block by block."""

    def __init__(self, styles: Styles, numbering: Numbering, notes: dict[str, Element | None], step: Step) -> None:
        self.styles = styles
        self.numbering = numbering
        self.found = Found()
        self.step = step
        self._inline = InlineReader(styles, self.found)
        self._notes = {
            kind: {x.get(f"{W}id") or "": x for x in root} if root is not None else {} for kind, root in notes.items()
        }
        self._read = 0

    def blocks(self, parent: Element) -> Iterator[Block]:
        """The blocks of the body, of a cell or of a text box."""
        for child in parent:
            tag = child.tag
            if tag == f"{W}p":
                yield from self._paragraph(child)
            elif tag == f"{W}tbl":
                yield from self._table(child)
            elif tag == f"{W}sdt":
                gallery = value(child.find(f"{W}sdtPr/{W}docPartObj"), "docPartGallery")
                if gallery and "Contents" in gallery:
                    self.found.contents = True
                else:
                    yield from self.blocks(child)
            elif tag in _WRAPPERS:
                yield from self.blocks(child)

    def _paragraph(self, element: Element) -> Iterator[Block]:
        self._read += 1
        if self._read % _ALIVE == 0:
            self.step(self._read, self._read)
        properties = element.find(f"{W}pPr")
        name = value(properties, "pStyle")
        style = self.styles.of(name)
        inline = self._inline.read(element, style.look.over(self.styles.base))
        own = mark_leads(inline.text).strip()
        if style.contents:
            self.found.contents = self.found.contents or bool(own)
            return
        outline = outline_level(properties)
        level = (style.level or 0) if outline is None else outline
        key, mark = self._mark(properties, name, style) if own else (None, "")
        centred = value(properties, "jc")
        is_centred = bool(style.centred) if centred is None else centred == "center"
        if own:
            yield Paragraph(own, mark, style, level, inline, key, is_centred)
        yield from self._behind(inline)

    def _behind(self, inline: Inline) -> Iterator[Block]:
        """The notes that a paragraph refers to, and the text boxes that hang on it."""
        for kind, key, mark in inline.notes:
            note = self._notes[kind].get(key)
            text = " ".join(self._texts(note)) if note is not None else ""
            if text:
                yield Paragraph(f"{mark} {text}", "", Style(), 0, Inline(), None, False)
        for box in inline.boxes:
            yield from self.blocks(box)

    def _mark(self, properties: Element | None, name: str | None, style: Style) -> tuple[int | None, str]:
        """The list that a paragraph is in, and its number there."""
        key, depth = numbering_of(properties)
        tied = self.numbering.of_style(name) if name else None
        if key is None:
            key = style.numbering[0]
            if key is None:
                return None, ""
            depth = depth if depth is not None else tied[1] if tied and tied[0] == key else style.numbering[1]
        if key == 0:
            return None, ""
        mark, _ = self.numbering.next(key, depth or 0)
        return key, mark

    def _table(self, table: Element) -> Iterator[Block]:
        rows = [x for x in _rows(table) if is_on(x.find(f"{W}trPr"), "del") is None]
        cells = [list(_cells(row)) for row in rows]
        if all(len(row) <= 1 for row in cells) or any(_is_article(cell) for row in cells for cell in row):
            # A frame about paragraphs, or a layout.
            for row in cells:
                for cell in row:
                    yield from self.blocks(cell)
            return
        behind: list[Block] = []
        grid: list[list[tuple[str, int, int]]] = []
        above: dict[int, str] = {}
        for row, members in zip(rows, cells, strict=True):
            line = [("", 1, 1)] * min(number(value(row.find(f"{W}trPr"), "gridBefore")) or 0, 50)
            column = len(line)
            for cell in members:
                properties = cell.find(f"{W}tcPr")
                columns = max(1, number(value(properties, "gridSpan")) or 1)
                text = " ".join(self._texts(cell, behind))
                merged = None if properties is None else properties.find(f"{W}vMerge")
                if merged is not None and merged.get(f"{W}val") != "restart":
                    text = above.get(column, "") if len(above.get(column, "")) <= 40 else ""
                above[column] = text
                line.append((text, columns, 1))
                column += columns
            grid.append(line)
        yield Table(spread(grid))
        yield from behind

    def _texts(self, parent: Element, behind: list[Block] | None = None) -> list[str]:
        """The texts of a cell's or a note's paragraphs; what hangs on them goes into `behind`."""
        texts: list[str] = []
        for block in self.blocks(parent):
            if isinstance(block, Table):
                texts += [" ".join(cell for cell in row if cell) for row in block.rows]
            elif behind is not None and not block.inline.length and block.text[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹":
                behind.append(block)
            else:
                texts.append(block.shown.replace("**", ""))
        return [x for x in texts if x]


def write(blocks: Iterable[Block], flow: Flow) -> None:
    """Put the blocks into `flow`. Letters larger than the text's, or bold, look like a heading's."""
    known = list(blocks)
    body = _body_size(known)
    run, last = 0, None
    for block in known:
        if isinstance(block, Table):
            flow.table(block.rows)
            last = None
        elif block.level and len(block.shown) <= _LONGEST_HEADING:
            flow.heading(block.shown, block.level)
            last = None
        elif block.list is not None and _is_item(block.mark):
            if block.list != last:
                run, last = flow.new_run(), block.list
            flow.item(block.shown, run)
        else:
            last = None
            _write_paragraph(block, body, flow)


def _write_paragraph(block: Paragraph, body: float, flow: Flow) -> None:
    size = block.inline.size
    looks = block.inline.is_bold or size >= body + _LARGER
    if looks and could_be_heading(block.shown.replace("\n", "")):
        flow.paragraph(block.shown, size=size)
        return
    for part in split_breaks(block.shown):
        flow.paragraph(part)


def _is_item(mark: str) -> bool:
    """`一、` and `第一章` number parts of a text; bullets, `1.`, `（1）`, `①` and `a)` the items of a list."""
    return mark.startswith(BULLET) or not any(x in mark for x in "一二三四五六七八九十第")


def _body_size(blocks: list[Block]) -> float:
    """The commonest size of letters, in points."""
    sizes: Counter[float] = Counter()
    for block in blocks:
        if isinstance(block, Paragraph):
            sizes.update(block.inline.sizes)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _rows(table: Element) -> Iterator[Element]:
    for child in table:
        if child.tag == f"{W}tr":
            yield child
        elif child.tag in _WRAPPERS or child.tag == f"{W}sdt":
            yield from _rows(child)


def _cells(row: Element) -> Iterator[Element]:
    for child in row:
        if child.tag == f"{W}tc":
            yield child
        elif child.tag in _WRAPPERS or child.tag == f"{W}sdt":
            yield from _cells(child)


def _is_article(cell: Element) -> bool:
    return sum(len(x.text or "") for x in cell.iter(f"{W}t")) > _LONGEST_CELL and len(list(cell.iter(f"{W}p"))) > 3
