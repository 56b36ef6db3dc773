"""A page of a PDF as a picture, and where on it the characters of its text are printed. PDFium does it: see `pictures`."""

from __future__ import annotations

import ctypes
import io
from itertools import zip_longest
from typing import Any

import pypdfium2.raw as pdfium

from corpus.readers.pdf import Printed, opened, printed
from corpus.readers.pdf_geometry import Box, View
from corpus.readers.pdf_page import Glyph
from corpus.readers.pictures import Place, characters_of
from corpus.readers.types import ReadError, Step

_WINDOW = 7
"""Pages that are looked at about one: the heads of left and right pages are told from text by three of each."""
_MOST_PLACES = 100_000
_MOST_PIXELS = 20_000_000
_WHITE = 0xFFFFFFFF
_QUALITY = 80
_EFFORT = 1
_ABOVE = 0.9
_BELOW = 0.22
"""So far does type go above and below its baseline, in parts of its size."""
_GAP = 1.5
_OFF = 0.8


def find_places(name: str, data: bytes, number: int, sha256: str, step: Step) -> dict[str, Any]:
    """Where page `number`, from 0, has the characters of its text, whose `sha256` is that of `characters_of`.

    Gives `width` and `height` in points, and `places`: a Place for each character but for white space, in their order; None
    where the page isn't read as that text, or there are too many. Where a page and its neighbours don't give it, the whole document decides.

    Raises:
        ReadError: as reading a PDF, but for `no_text_layer`; `corrupt`, where there is no such page.
    """
    with opened(name, data) as (document, count):
        if not 0 <= number < count:
            raise ReadError("corrupt", f"{name} 没有第 {number + 1} 页。")
        first = max(0, min(number - _WINDOW // 2, count - _WINDOW))
        near = range(first, min(count, first + _WINDOW))
        for pages in (near, range(count)) if len(near) < count else (near,):
            page = printed(name, document, pages, number, step)
            is_it = characters_of("".join(x.text for x in page.glyphs)) == sha256
            if is_it or not page.glyphs:  # one that is only a picture gives none, whatever the others are
                break
    is_it = is_it and len(page.glyphs) <= _MOST_PLACES
    shown = View(Box(0, 0, page.width, page.height), page.turns)
    return {"width": shown.width, "height": shown.height, "places": _places(page, shown) if is_it else None}


def _places(page: Printed, shown: View) -> list[Place]:
    places: list[Place] = []
    line = 0
    for glyph, behind in zip_longest(page.glyphs, page.glyphs[1:]):
        follows = behind is not None and _follows(glyph, behind)
        # Punctuation that is set closer keeps the box of a whole character, which then covers the next one.
        right = behind.x0 if follows and glyph.x0 < behind.x0 < glyph.x1 else glyph.x1
        top, bottom = glyph.y - _ABOVE * glyph.size, glyph.y + _BELOW * glyph.size
        box = shown.box(glyph.x0, page.height - top, right, page.height - bottom)
        x0, y0, x1, y1 = (round(x, 2) for x in box)
        places += [(x0, y0, x1, y1, line)] * len(glyph.text)
        line += not follows
    return places


def _follows(left: Glyph, right: Glyph) -> bool:
    """Whether a glyph stands behind another one on its line; raised digits do, and two that are drawn as one."""
    size = max(left.size, right.size)
    near = left.x0 - _OFF * size <= right.x0 <= left.x1 + _GAP * size
    return near and abs(left.y - right.y) <= _OFF * size


def draw_page(name: str, data: bytes, number: int, width: int) -> bytes:
    """Page `number`, from 0, `width` pixels wide, as WebP.

    Raises:
        ReadError: as reading a PDF; `too_large`, where it would be too high; `corrupt`, where there is no such page.
    """
    with opened(name, data) as (document, _):
        page = pdfium.FPDF_LoadPage(document, number)
        if not page:
            raise ReadError("corrupt", f"{name} 的第 {number + 1} 页已损坏，画不出来。")
        try:
            return _draw(page, width, f"{name} 的第 {number + 1} 页")
        finally:
            pdfium.FPDF_ClosePage(page)


def _draw(page: Any, width: int, what: str) -> bytes:  # noqa: ANN401
    points, high = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    height = round(width * high / points) if points > 0 else 0
    if not (height >= 1 and width * height <= _MOST_PIXELS):
        raise ReadError("too_large", f"{what}宽 {points:.4g} 点、高 {high:.4g} 点，画不出来。")
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_BGRx, None, 0)
    if not bitmap:
        raise MemoryError
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, _WHITE)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return _packed(pixels, width, height, stride)


def _packed(pixels: bytes, width: int, height: int, stride: int) -> bytes:
    from PIL import Image

    picture = Image.frombuffer("RGB", (width, height), pixels, "raw", "BGRX", stride, 1)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY, method=_EFFORT)
    return out.getvalue()
