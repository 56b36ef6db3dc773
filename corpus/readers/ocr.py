"""Recognising pages that are only pictures, with RapidOCR (extra `ocr`) and the models that it brings along.

Nothing is downloaded: the models are named by their files, and where one is missing there is no recognition.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median_high
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium

from corpus.readers.pdf_lines import Line

_SCALE = 200 / 72
_LONGEST_SIDE = 4000
_CERTAIN = 0.5
_HEIGHT = 0.85
"""Of a box that is found around a line, the share that its type's size is."""
_FAR_LARGER = 1.6
_WHITE = 0xFFFFFFFF


def recognise_page(document: Any, number: int) -> list[Line]:  # noqa: ANN401 - the library's classes have no types
    """The lines on page `number`, from 0, of a document of PDFium; none where nothing is recognised."""
    page = pdfium.FPDF_LoadPage(document, number)
    if not page:
        return []
    try:
        picture, scale = _render(page)
    finally:
        pdfium.FPDF_ClosePage(page)
    return recognise(picture, scale)


def recognise(picture: npt.NDArray[np.uint8], scale: float) -> list[Line]:
    """The lines on a picture, `[height, width]` in shades of grey, of `scale` pixels a point."""
    found = _engine()(np.stack([picture] * 3, axis=2))
    if found.boxes is None or not found.txts:
        return []
    lines = []
    for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
        clean = "".join(c for c in text if unicodedata.category(c)[0] != "C").strip()
        if clean and score >= _CERTAIN:
            lines.append(_line(clean, np.asarray(box, dtype=float) / scale))
    return even_sizes(lines)


def even_sizes(lines: Sequence[Line], body: float | None = None) -> list[Line]:
    """Lines whose sizes are estimates, made even: of the size `body`, but for those that are far larger than most."""
    if not lines:
        return []
    usual = median_high(x.size for x in lines for _ in x.text)
    body = usual if body is None else body
    return [replace(x, size=body * (1 if x.size <= _FAR_LARGER * usual else round(x.size / usual))) for x in lines]


def _line(text: str, corners: npt.NDArray[np.float64]) -> Line:
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    size = max(1.0, _HEIGHT * float(y1 - y0))
    return Line(text, float(x0), float(x1), float(y0 + y1) / 2 + 0.35 * size, size, 0.0, "")


def _render(page: Any) -> tuple[npt.NDArray[np.uint8], float]:  # noqa: ANN401
    """A page in shades of grey, and its pixels a point."""
    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    scale = min(_SCALE, _LONGEST_SIDE / max(width, height, 1.0))
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    bitmap = pdfium.FPDFBitmap_CreateEx(columns, rows, pdfium.FPDFBitmap_Gray, None, 0)
    if not bitmap:
        raise MemoryError
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, columns, rows, _WHITE)
        flags = pdfium.FPDF_GRAYSCALE | pdfium.FPDF_ANNOT
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, columns, rows, 0, flags)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        address = ctypes.cast(pdfium.FPDFBitmap_GetBuffer(bitmap), ctypes.POINTER(ctypes.c_uint8))
        pixels = np.ctypeslib.as_array(address, shape=(rows, stride))[:, :columns].copy()
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return pixels, scale


@cache
def _engine() -> Any:  # noqa: ANN401
    from rapidocr import RapidOCR

    spec = find_spec("rapidocr")
    models = Path(str(spec.origin)).parent / "models" if spec else Path()
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.max_side_len": _LONGEST_SIDE,
            "Det.model_path": _model(models, "_det_"),
            "Rec.model_path": _model(models, "_rec_"),
        }
    )


def _model(folder: Path, part: str) -> str:
    """The model's file; without a name of its own the library would download one.

    Raises:
        FileNotFoundError: the package brings none.
    """
    found = sorted(folder.glob(f"*{part}*.onnx"))
    if not found:
        raise FileNotFoundError(folder / f"*{part}*.onnx")
    return str(found[0])
