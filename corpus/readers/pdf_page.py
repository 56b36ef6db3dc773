"""One page of a PDF as PDFium parses it: glyphs, ruled lines and pictures, in points, `y` counted down from the top.

Numbers of the file are never trusted: what isn't finite, has no size or lies off the page is left aside.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from corpus.readers.pdf_drawings import drawings
from corpus.readers.pdf_geometry import Box, View

_SUBSET = re.compile(r"^[A-Z]{6}\+")
_BOLD = re.compile(r"bold|heavy|black|semibold|demi|黑体|粗|simhei|heiti|fzhei|fzdbs|fzxbs|stxihei", re.IGNORECASE)
_STYLE = re.compile(r"[-,_ ]?(bold|italic|oblique|regular|medium|light|mt|ps|identity.*)", re.IGNORECASE)
_BOLD_WEIGHT = 600
_FORCE_BOLD = 1 << 18
_FILL_AND_STROKE = 2
_NAME = 256


class Glyph(NamedTuple):
    """A character with its left and right edge, its baseline `y`, its height in points, and its font.

    `spaced`: white space stands before it. `face` is the font's family, empty where the file names none.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    face: str
    spaced: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on one page. `garbled` counts characters without a meaning, `turned` those that stand askew,
    `drawn` the shapes. It is shown `turns` quarter turns clockwise from how it is read."""

    width: float
    height: float
    glyphs: list[Glyph]
    rules: list[Box]
    pictures: list[Box]
    garbled: int
    turned: int
    drawn: int
    turns: int


class _Font(NamedTuple):
    size: float
    bold: bool
    face: str
    angle: int
    """Quarter turns, counterclockwise; -1 for anything else."""


def load_page(document: Any, number: int) -> Page | None:  # noqa: ANN401 - the library's classes have no types
    """Page `number`, from 0; None where PDFium can't make one of it."""
    page = pdfium.FPDF_LoadPage(document, number)
    if not page:
        return None
    try:
        return _read_page(page)
    finally:
        pdfium.FPDF_ClosePage(page)


def _read_page(page: Any) -> Page:  # noqa: ANN401
    frame = _frame(page)
    text = pdfium.FPDFText_LoadPage(page)
    try:
        raw, garbled = _characters(text, frame) if text else ([], 0)
    finally:
        if text:
            pdfium.FPDFText_ClosePage(text)
    angles = Counter(x.font.angle for x in raw if x.font.angle >= 0)
    shown = pdfium.FPDFPage_GetRotation(page) % 4
    turn = angles.most_common(1)[0][0] if angles else shown
    view = View(frame, turn)
    upright = [x for x in raw if x.font.angle == turn]
    if turn:
        glyphs = [_glyph(x, view) for x in upright]
    else:  # most pages, and most of the time that they take
        left, top = frame.x0, frame.y1
        glyphs = [Glyph(x.text, x.x0 - left, x.x1 - left, top - x.y, *x.font[:3], x.spaced) for x in upright]
    rules, pictures, drawn = drawings(page, view)
    askew = len(raw) - len(glyphs)
    return Page(view.width, view.height, glyphs, rules, pictures, garbled, askew, drawn, (shown - turn) % 4)


def _frame(page: Any) -> Box:  # noqa: ANN401
    """The visible part of the page, in the file's own coordinates (`y` upwards)."""
    rect = pdfium.FS_RECTF()
    if pdfium.FPDF_GetPageBoundingBox(page, rect):
        box = Box(rect.left, rect.bottom, rect.right, rect.top)
        if all(map(math.isfinite, box)) and 1 <= box.x1 - box.x0 <= 1e5 and 1 <= box.y1 - box.y0 <= 1e5:
            return box
    return Box(0, 0, 595, 842)


class _Raw(NamedTuple):
    text: str
    x: float
    y: float
    x0: float
    y0: float
    x1: float
    y1: float
    font: _Font
    spaced: bool


def _glyph(raw: _Raw, view: View) -> Glyph:
    box = view.box(raw.x0, raw.y0, raw.x1, raw.y1)
    _, y = view.point(raw.x, raw.y)
    return Glyph(raw.text, box.x0, box.x1, y, *raw.font[:3], raw.spaced)


def _characters(page: Any, frame: Box) -> tuple[list[_Raw], int]:  # noqa: ANN401
    """The characters of a text page, and how many more have no meaning."""
    found: list[_Raw] = []
    garbled = 0
    spaced = False
    rect, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    fonts = _Fonts(page)
    for n in range(pdfium.FPDFText_CountChars(page)):
        code = pdfium.FPDFText_GetUnicode(page, n)
        if code in _SPACES:
            spaced = True
            continue
        target = pdfium.FPDFText_GetTextObject(page, n)
        if code in _HYPHENS and pdfium.FPDFText_IsHyphen(page, n) == 1:
            code = 0x2D
        code = _BULLETS.get(code, code)
        if not target or code in _IGNORED or 0xF000 <= code <= 0xF0FF:
            continue  # the last of these are signs of symbol fonts
        if _is_garbled(code) or pdfium.FPDFText_HasUnicodeMapError(page, n) == 1:
            garbled += 1
            continue
        known = pdfium.FPDFText_GetLooseCharBox(page, n, rect) and pdfium.FPDFText_GetCharOrigin(page, n, x, y)
        font = fonts.of(n, target) if known else None
        if font is None or not _on_page(x.value, y.value, frame):
            continue
        raw = _Raw(chr(code), x.value, y.value, rect.left, rect.bottom, rect.right, rect.top, font, spaced)
        if all(map(math.isfinite, raw[3:7])):
            found.append(raw)
            spaced = False
    return found, garbled


_SPACES = frozenset((0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x2003, 0x2002, 0x2009, 0x3000))
_BULLETS = dict.fromkeys((0xF06C, 0xF06E, 0xF071, 0xF075, 0xF0A7, 0xF0B2, 0xF0B7, 0xF0D8, 0xF0E0, 0xF0FC), 0x2022)
"""Of Wingdings and Symbol, as Word sets them."""
_HYPHENS = frozenset((0x02, 0xAD, 0xFFFE))
_IGNORED = frozenset((0x02, 0xAD, 0xFEFF, 0x200B, 0x200C, 0x200D))


def _is_garbled(code: int) -> bool:
    """No character at all, a surrogate, a private one, or the mark of one that was lost."""
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xF900 or code >= 0xF0000 or code in (0xFFFD, 0xFFFE)


def _on_page(x: float, y: float, frame: Box) -> bool:
    """Comparisons with NaN are false, so that it is never on the page."""
    return frame.x0 - 1 <= x <= frame.x1 + 1 and frame.y0 - 1 <= y <= frame.y1 + 1


class _Fonts:
    """What the text objects of one page are set in, each asked once."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401
        self._page = page
        self._objects: dict[int, _Font | None] = {}
        self._names: dict[int, tuple[bool, str]] = {}
        self._matrix = pdfium.FS_MATRIX()
        self._buffer = ctypes.create_string_buffer(_NAME)
        self._flags = ctypes.c_int()

    def of(self, n: int, target: Any) -> _Font | None:  # noqa: ANN401
        """The font of character `n` of text object `target`; None where it has no size."""
        address = ctypes.addressof(target.contents)
        if address not in self._objects:
            self._objects[address] = self._ask(n, target)
        return self._objects[address]

    def _ask(self, n: int, target: Any) -> _Font | None:  # noqa: ANN401
        matrix = self._matrix
        if not pdfium.FPDFText_GetMatrix(self._page, n, matrix):
            return None
        size = pdfium.FPDFText_GetFontSize(self._page, n) * math.hypot(matrix.c, matrix.d)
        if not 0.5 <= size <= 2000:
            return None
        bold, face = self._name(n, target)
        bold = bold or pdfium.FPDFTextObj_GetTextRenderMode(target) == _FILL_AND_STROKE
        return _Font(size, bold, face, _quarters(matrix.a, matrix.b))

    def _name(self, n: int, target: Any) -> tuple[bool, str]:  # noqa: ANN401
        font = pdfium.FPDFTextObj_GetFont(target)
        address = ctypes.addressof(font.contents) if font else 0
        if address not in self._names:
            length = pdfium.FPDFText_GetFontInfo(self._page, n, self._buffer, _NAME, self._flags)
            name = self._buffer.raw[: max(0, length - 1)].decode("utf-8", "replace") if 0 < length <= _NAME else ""
            name = _SUBSET.sub("", name)
            heavy = pdfium.FPDFText_GetFontWeight(self._page, n) >= _BOLD_WEIGHT
            bold = heavy or _BOLD.search(name) is not None or (length > 0 and self._flags.value & _FORCE_BOLD != 0)
            self._names[address] = bold, _STYLE.sub("", name)
        return self._names[address]


@lru_cache(maxsize=1024)
def _quarters(a: float, b: float) -> int:
    """Of a matrix that turns by a multiple of 90 degrees: how many; else -1."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return -1
    turn = math.atan2(b, a) / (math.pi / 2)
    return round(turn) % 4 if abs(turn - round(turn)) < 0.03 else -1
