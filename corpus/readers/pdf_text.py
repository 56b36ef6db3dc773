"""Pages of paragraphs → one text with its heading marks and page starts; and what the title is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from corpus.lines import Line
from corpus.readers.pdf_lines import join_texts
from corpus.readers.pdf_page import Glyph
from corpus.readers.pdf_paragraphs import Measure, Paragraph
from corpus.types import HeadingMark

_TITLE_LARGER = 1.15
_LONGEST_TITLE = 80
_LETTERS = re.compile(r"[^\W\d_]")
_JUNK = re.compile(
    r"microsoft (?:word|powerpoint|excel).*|.*\.(?:docx?|pptx?|xlsx?|pdf|wps|indd|qxd|html?|txt)|untitled.*|无标题.*|未命名.*"
    r"|(?:新建|new) ?.*(?:文档|document).*|文档\s*\d*|document\s*\d*|幻灯片\s*\d*|slide\s*\d*|about:blank|[\W\d_]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Written:
    """The text; the marks of the paragraphs that have a level; where each page begins.

    `glyphs`, of pages that keep them, are what the characters but for white space were printed as, in their order.
    """

    text: str
    marks: tuple[HeadingMark, ...]
    starts: tuple[int, ...]
    glyphs: tuple[tuple[Glyph, ...], ...]


def write(pages: Sequence[Sequence[Paragraph]], levels: Mapping[tuple[int, int], int]) -> Written:
    """The pages as one text; `levels` are those of headings, by page and place."""
    parts: list[str] = []
    glyphs: list[tuple[Glyph, ...]] = []
    marks: list[HeadingMark] = []
    starts: list[int] = []
    length = 0
    above: Paragraph | None = None
    for n, page in enumerate(pages):
        opened = False
        kept: list[Glyph] = []
        for m, paragraph in enumerate(page):
            text, printed = _text(paragraph, above if m == 0 else None)
            if not text:
                continue
            level = levels.get((n, m))
            gap = _gap(above, paragraph, opened and not level) if parts else ""
            start = length + len(gap)
            if not opened:
                starts.append(start)
                opened = True
            if level:
                marks.append(HeadingMark(start, level))
            parts += [gap, text]
            kept += printed
            length = start + len(text)
            above = above if paragraph.note else paragraph
        if not opened:
            starts.append(-1)
        glyphs.append(tuple(kept))
    return Written("".join(parts) + "\n", tuple(marks), tuple(_filled(starts, length)), tuple(glyphs))


def _gap(above: Paragraph | None, paragraph: Paragraph, may_list: bool) -> str:
    """What stands before a paragraph; nothing within one that the page break cut, unless Latin words meet there."""
    if paragraph.continued and above:
        return join_texts((above.text[-1:], paragraph.text[:1]))[1:-1]
    return "\n" if may_list and _is_listed(above, paragraph) else "\n\n"


def _filled(starts: Sequence[int], end: int) -> list[int]:
    """An empty page begins where the next one does."""
    filled = list(starts)
    for n in range(len(filled) - 1, -1, -1):
        if filled[n] < 0:
            filled[n] = filled[n + 1] if n + 1 < len(filled) else end
    return [0, *filled[1:]]


def _text(paragraph: Paragraph, above: Paragraph | None) -> tuple[str, Iterable[Glyph]]:
    """The text and its glyphs. A table that goes on from the page before doesn't repeat its heads."""
    table = paragraph.table
    if table is None:
        return paragraph.text, paragraph.glyphs
    rows = table.rows
    repeated = 0
    if above and above.table and len(above.table.rows[0]) == len(rows[0]):
        for a, b in zip(above.table.rows, rows, strict=False):
            if a != b:
                break
            repeated += 1
    glyphs = (glyph for row in table.glyphs[repeated:] for cell in row for glyph in cell)
    return "\n".join("\t".join(row) for row in rows[repeated:]), glyphs


def _is_listed(above: Paragraph | None, paragraph: Paragraph) -> bool:
    """Two items with numbers or bullets of one kind stand directly below each other."""
    if above is None or above.table or paragraph.table or paragraph.note:
        return False
    a, b = (Line(0, len(x.text), x.text, 0) for x in (above, paragraph))
    return (a.is_bullet and b.is_bullet) or (a.marker is not None and a.marker == b.marker)


def cover_title(pages: Sequence[Sequence[Paragraph]], usual: Measure) -> str | None:
    """What is set largest on the first page, where that is clearly larger than the body."""
    lines = [x for x in pages[0] if x.table is None and _LETTERS.search(x.text)] if pages else []
    largest = max((x.size for x in lines), default=0.0)
    if largest < _TITLE_LARGER * usual.size:
        return None
    runs = itertools.groupby(lines, key=lambda x: x.size >= 0.97 * largest)
    title = next("".join(x.text for x in run) for large, run in runs if large)
    return title if len(title) <= _LONGEST_TITLE else None


def is_title(title: str, name: str) -> bool:
    """Whether a title of the metadata says anything: the names of files and programs don't."""
    return bool(title) and len(title) <= _LONGEST_TITLE and title != name and not _JUNK.fullmatch(title)


def page_ranges(pages: Iterable[int]) -> str:
    """Numbers of pages, rising, in few words: `3、15–18`."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][1] + 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return "、".join(f"{a}–{b}" if b > a + 1 else f"{a}、{b}" if b > a else str(a) for a, b in runs)
