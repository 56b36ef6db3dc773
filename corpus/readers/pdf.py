"""PDF: PDFium parses it, and our own geometry makes paragraphs, headings, tables and footnotes of its glyphs."""

from __future__ import annotations

import ctypes
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pypdfium2.raw as pdfium

from corpus.readers.limits import MAX_CHARACTERS, MAX_PAGES
from corpus.readers.pdf_aligned import aligned_tables
from corpus.readers.pdf_columns import blocks
from corpus.readers.pdf_headings import heading_levels
from corpus.readers.pdf_lines import Line
from corpus.readers.pdf_page import Glyph, load_page
from corpus.readers.pdf_paragraphs import (
    Measure,
    Paragraph,
    join,
    measure,
    note_marks,
    number_note,
    paragraphs,
    runs_on,
)
from corpus.readers.pdf_running import running_lines
from corpus.readers.pdf_sheet import Sheet, evened, make_sheet
from corpus.readers.pdf_tables import Table
from corpus.readers.pdf_text import cover_title, is_title, page_ranges, write
from corpus.readers.types import ReadError, Reading, ReadOptions, Step
from corpus.types import PDF

_HEAD = 1024
_LONGEST_METADATA = 4096


def accepts(name: str, data: bytes) -> bool:
    """By its mark, which need not stand first."""
    return b"%PDF-" in data[:_HEAD]


def read(name: str, data: bytes, options: ReadOptions) -> Reading:
    """The text of a PDF: its body in reading order, page by page.

    Raises:
        ReadError: `encrypted`, `corrupt`, `too_many_pages`, `too_large` or `no_text_layer`.
    """
    with opened(name, data) as (document, count):
        return _Reader(name, document, range(count), options).read()


@contextmanager
def opened(name: str, data: bytes) -> Iterator[tuple[Any, int]]:
    """A document of PDFium until the end of the block, and how many pages it has.

    Raises:
        ReadError: `encrypted`, `corrupt` or `too_many_pages`.
    """
    pdfium.FPDF_InitLibrary()
    buffer = ctypes.create_string_buffer(data, len(data))
    document = pdfium.FPDF_LoadMemDocument64(buffer, len(data), None)
    if not document:
        raise _refusal(name, pdfium.FPDF_GetLastError())
    try:
        count = pdfium.FPDF_GetPageCount(document)
        if count <= 0:
            raise ReadError("corrupt", f"{name} 没有一页可读，文件可能已损坏。请另存后再试。")
        if count > MAX_PAGES:
            raise ReadError("too_many_pages", f"{name} 有 {count} 页，超过上限 {MAX_PAGES} 页。请拆成几份再加入。")
        yield document, count
    finally:
        pdfium.FPDF_CloseDocument(document)


@dataclass(frozen=True, slots=True)
class Printed:
    """What the characters of a page but for white space were printed as, in the order in which `read` gives them.

    `width`, `height` and `turns` as in a Page.
    """

    glyphs: tuple[Glyph, ...]
    width: float
    height: float
    turns: int


def printed(name: str, document: Any, pages: range, number: int, step: Step) -> Printed:  # noqa: ANN401
    """How page `number`, from 0, is printed, where only these `pages` are looked at.

    The fewer they are, the likelier it is that a running head is taken for text, or text for one: who knows the text of the
    page compares. `step` as in ReadOptions.

    Raises:
        ReadError: `too_large`.
    """
    return _Reader(name, document, pages, ReadOptions(step), keep=number).printed()


def _refusal(name: str, code: int) -> ReadError:
    if code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
        return ReadError("encrypted", f"{name} 有打开密码，无法读取。请先去掉密码再加入。")
    return ReadError("corrupt", f"{name} 已损坏或不是完整的 PDF，无法读取。请重新下载或另存后再试。")


@dataclass(slots=True)
class _Reader:
    """The steps of reading one document, and what is counted on the way."""

    name: str
    document: Any
    pages: range
    options: ReadOptions
    keep: int = -1
    """The page whose glyphs are kept."""
    turned: list[int] = field(default_factory=list)
    pictured: int = 0
    characters: int = 0

    def read(self) -> Reading:
        sheets = self._sheets()
        missing = tuple(n + 1 for n, x in enumerate(sheets) if x.state in ("scan", "garbled", "broken"))
        if not any(x.lines or x.tables for x in sheets):
            raise self._no_text(sheets, missing)
        running = _running(sheets)
        pages, usual = self._paged(sheets, running)
        title, basis = self._title(pages, usual)
        levels = heading_levels(pages, [x.pictures for x in sheets], usual, title)
        written = write(pages, levels)
        return Reading(
            written.text,
            PDF,
            heading_marks=written.marks,
            page_starts=written.starts,
            title=title,
            title_basis=basis,
            dated=_day(self._metadata("CreationDate")),
            notes=tuple(self._notes(sheets, any(running))),
            pages_without_text=missing,
        )

    def printed(self) -> Printed:
        """How the page that keeps its glyphs is printed."""
        sheets = self._sheets()
        pages, _ = self._paged(sheets, _running(sheets))
        place = self.pages.index(self.keep)
        sheet = sheets[place]
        return Printed(write(pages, {}).glyphs[place], sheet.width, sheet.height, sheet.turns)

    def _sheets(self) -> list[Sheet]:
        return evened([self._sheet(n) for n in self.pages])

    def _paged(self, sheets: Sequence[Sheet], running: Sequence[set[Line]]) -> tuple[list[list[Paragraph]], Measure]:
        """The paragraphs of each page, and what is usual in all of them."""
        blocks_of = [self._blocks(sheet, lines) for sheet, lines in zip(sheets, running, strict=True)]
        usual = measure([block for page in blocks_of for block in page])
        return _whole([self._paragraphs(page, usual) for page in blocks_of], usual), usual

    def _sheet(self, number: int) -> Sheet:
        page = load_page(self.document, number)
        sheet = make_sheet(page, number == self.keep)
        if page and page.turned:
            self.turned.append(number + 1)
        if sheet.state in ("scan", "garbled") and self.options.ocr:
            self._recognise(sheet, number)
        self.pictured += len(sheet.pictures) if sheet.state == "text" else 0
        self.characters += sum(len(x.text) for x in sheet.lines) + sum(len(x.text) for x in sheet.tables)
        if self.characters > MAX_CHARACTERS:
            raise ReadError("too_large", f"{self.name} 的文字超过 {MAX_CHARACTERS // 10_000} 万字。请拆成几份再加入。")
        self.options.step(number + 1, self.pages.stop)
        return sheet

    def _recognise(self, sheet: Sheet, number: int) -> None:
        from corpus.readers import ocr

        lines = ocr.recognise_page(self.document, number)
        if lines:
            sheet.lines, sheet.tables, sheet.state = lines, [], "recognised"

    def _paragraphs(self, columns: Sequence[Sequence[Line | Table]], usual: Measure) -> list[Paragraph]:
        self._step()
        return _page([paragraphs(x, usual) for x in columns], usual)

    def _blocks(self, sheet: Sheet, running: set[Line]) -> list[list[Line | Table]]:
        self._step()
        body: list[Line | Table] = [x for x in sheet.lines if x not in running]
        return [aligned_tables(block) for block in blocks([*body, *sheet.tables])]

    def _step(self) -> None:
        """A sign of life: a thousand pages take seconds once they are loaded, too."""
        self.options.step(self.pages.stop, self.pages.stop)

    def _title(self, pages: Sequence[Sequence[Paragraph]], usual: Measure) -> tuple[str | None, str | None]:
        title = cover_title(pages, usual)
        if title:
            return title, "封面最大的字"
        title = self._metadata("Title")
        return (title, "PDF 的“标题”属性") if is_title(title, self.name) else (None, None)

    def _metadata(self, key: str) -> str:
        length = pdfium.FPDF_GetMetaText(self.document, key.encode(), None, 0)
        if not 2 < length <= _LONGEST_METADATA:
            return ""
        buffer = ctypes.create_string_buffer(length)
        pdfium.FPDF_GetMetaText(self.document, key.encode(), buffer, length)
        text = buffer.raw[: length - 2].decode("utf-16-le", "ignore")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    def _no_text(self, sheets: Sequence[Sheet], missing: Sequence[int]) -> ReadError:
        if all(x.state == "broken" for x in sheets):
            return ReadError("corrupt", f"{self.name} 的每一页都已损坏，无法读取。请重新下载或另存后再试。")
        if not missing:
            return ReadError("no_text_layer", f"{self.name} 的各页没有文字。请换一份有文字的文件。")
        how = "也未能识别出文字" if self.options.ocr else '装上文字识别后可读：python -m pip install "kewen[ocr]"'
        return ReadError("no_text_layer", f"{self.name} 没有文字层，第{page_ranges(missing)}页是图片或乱码；{how}。")

    def _notes(self, sheets: Sequence[Sheet], running: bool) -> list[str]:
        def pages(state: str) -> str:
            return page_ranges([n + 1 for n, x in enumerate(sheets) if x.state == state])

        notes = ["略去各页的页眉、页脚与页码"] if running else []
        for state, note in (
            ("scan", "第{}页为扫描件，未识别"),
            ("recognised", "第{}页为扫描件，文字由识别得出，可能有误"),
            ("garbled", "第{}页的字体没有文字对照，读出来是乱码，已略去"),
            ("broken", "第{}页已损坏，未读"),
        ):
            if pages(state):
                notes.append(note.format(pages(state)))
        if self.turned:
            notes.append(f"略去第{page_ranges(self.turned)}页中旋转的文字（如水印）")
        if self.pictured:
            notes.append(f"略去 {self.pictured} 张图片")
        return notes


def _running(sheets: Sequence[Sheet]) -> list[set[Line]]:
    return running_lines([x.lines for x in sheets], [x.height for x in sheets])


def _page(columns: Sequence[Sequence[Paragraph]], usual: Measure) -> list[Paragraph]:
    """The paragraphs of a page: those that a column cut are whole again, and the footnotes stand last."""
    body: list[Paragraph] = []
    notes: list[Paragraph] = []
    marks = note_marks(columns)
    for column in columns:
        column = [number_note(x, marks, usual) for x in column]
        end = len(column)
        while end and column[end - 1].note:
            end -= 1
        notes += column[end:]
        if body and end and runs_on(body[-1], column[0], usual):
            body[-1] = join(body[-1], column[0])
            body += column[1:end]
        else:
            body += column[:end]
    return body + notes


def _whole(pages: Sequence[list[Paragraph]], usual: Measure) -> list[list[Paragraph]]:
    """The pages; what goes on directly on the next one is marked. Over footnotes it is left as it stands."""
    for above, below in itertools.pairwise(pages):
        if above and below and runs_on(above[-1], below[0], usual):
            below[0] = replace(below[0], continued=True)
    return list(pages)


def _day(date: str) -> str | None:
    """`D:20260211093000+08'00'` → `2026-02-11`."""
    match = re.match(r"(?:D:)?((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", date)
    return "-".join(match.groups()) if match else None
