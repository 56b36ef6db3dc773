"""One page of a PDF in the making: its lines and tables, or why it has none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from corpus.readers.pdf_geometry import Box
from corpus.readers.pdf_lines import Line, read_lines
from corpus.readers.pdf_page import Page
from corpus.readers.pdf_tables import Table, ruled_tables

_GARBLED = 0.3
_PICTURED = 0.5
_FEW = 20


@dataclass(slots=True)
class Sheet:
    """One page in the making. `state`: `text`, `blank`, `scan`, `garbled`, `broken` or `recognised`.

    `turns` as in a Page.
    """

    width: float
    height: float
    lines: list[Line] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Box] = field(default_factory=list)
    state: str = "text"
    turns: int = 0


def make_sheet(page: Page | None, keep: bool) -> Sheet:
    """What a page comes to; `keep`: its lines and tables keep their glyphs. None is a page that can't be parsed."""
    if page is None:
        return Sheet(595, 842, state="broken")
    sheet = Sheet(page.width, page.height, pictures=page.pictures, turns=page.turns)
    known = len(page.glyphs)
    if page.garbled > max(_FEW, _GARBLED * (known + page.garbled)):
        sheet.state = "garbled"
    elif known:
        sheet.tables, rest = ruled_tables(page.glyphs, page.rules, keep)
        sheet.lines = read_lines(rest, keep)
    elif _is_scan(page):
        sheet.state = "scan"
    else:
        sheet.state = "blank"
    return sheet


def evened(sheets: list[Sheet]) -> list[Sheet]:
    """Pages that were recognised have their type as large as the body of the others."""
    recognised = [x for x in sheets if x.state == "recognised"]
    sizes = Counter(round(x.size, 1) for sheet in sheets if sheet.state == "text" for x in sheet.lines)
    if recognised and sizes:
        from corpus.readers import ocr

        for sheet in recognised:
            sheet.lines = ocr.even_sizes(sheet.lines, sizes.most_common(1)[0][0])
    return sheets


def _is_scan(page: Page) -> bool:
    """Pictures cover much of it, or so much is drawn that the letters themselves may be."""
    covered = sum((x.x1 - x.x0) * (x.y1 - x.y0) for x in page.pictures)
    return covered >= _PICTURED * page.width * page.height or page.drawn >= 100
