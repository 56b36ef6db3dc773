"""What is drawn on a page of a PDF beside its text: ruled lines, and the frames of pictures."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pypdfium2.raw as pdfium

from corpus.readers.pdf_geometry import IDENTITY, Box, Matrix, Point, View, apply, product

_DEPTH = 8
_MOST_OBJECTS = 20_000
_MOST_POINTS = 64
_THIN = 3.0


def drawings(page: Any, view: View) -> tuple[list[Box], list[Box], int]:  # noqa: ANN401
    """Thin lines, level or upright; the frames of pictures; how many shapes there are.

    A page with too many of them (a map) gives no lines.
    """
    rules: list[Box] = []
    pictures: list[Box] = []
    drawn = 0
    for target, kind, matrix in islice(_objects(page), _MOST_OBJECTS):
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            drawn += 1
            rules += _rules(target, matrix, view)
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            box = _bounds(target, matrix, view)
            pictures += [box] if box else []
    return rules if drawn < _MOST_OBJECTS else [], pictures, drawn


def _objects(page: Any) -> Iterator[tuple[Any, int, Matrix]]:  # noqa: ANN401
    """The page's drawings and pictures with their place, those within form objects too. Texts are passed over."""
    for n in range(min(pdfium.FPDFPage_CountObjects(page), 10 * _MOST_OBJECTS)):
        yield from _within(pdfium.FPDFPage_GetObject(page, n), IDENTITY, 0)


def _within(target: Any, matrix: Matrix, depth: int) -> Iterator[tuple[Any, int, Matrix]]:  # noqa: ANN401
    kind = pdfium.FPDFPageObj_GetType(target)
    if kind != pdfium.FPDF_PAGEOBJ_FORM:
        if kind != pdfium.FPDF_PAGEOBJ_TEXT:
            yield target, kind, matrix
    elif depth < _DEPTH:
        inner = product(_matrix(target), matrix)
        for n in range(min(pdfium.FPDFFormObj_CountObjects(target), _MOST_OBJECTS)):
            yield from _within(pdfium.FPDFFormObj_GetObject(target, n), inner, depth + 1)


def _matrix(target: Any) -> Matrix:  # noqa: ANN401
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(target, matrix):
        return IDENTITY
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _bounds(target: Any, matrix: Matrix, view: View) -> Box | None:  # noqa: ANN401
    edges = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(target, *edges):
        return None
    left, bottom, right, top = (x.value for x in edges)
    box = view.box(*apply(matrix, left, bottom), *apply(matrix, right, top))
    return box if all(map(math.isfinite, box)) else None


def _rules(target: Any, matrix: Matrix, view: View) -> list[Box]:  # noqa: ANN401
    """The level and upright lines of a path: a thin filled shape is one, a stroked one has one for each side."""
    box = _bounds(target, matrix, view)
    if box is None or max(box.x1 - box.x0, box.y1 - box.y0) < _THIN:
        return []
    if min(box.x1 - box.x0, box.y1 - box.y0) < _THIN:
        return [box]
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(target, fill, stroke) or not stroke.value:
        return []
    points = _points(target, product(_matrix(target), matrix), view)
    sides = [Box(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in points]
    return [x for x in sides if min(x.x1 - x.x0, x.y1 - x.y0) < 1 and max(x.x1 - x.x0, x.y1 - x.y0) >= _THIN]


def _points(target: Any, matrix: Matrix, view: View) -> list[tuple[Point, Point]]:  # noqa: ANN401
    """The straight parts of a path, from point to point."""
    parts: list[tuple[Point, Point]] = []
    first = last = (0.0, 0.0)
    x, y = ctypes.c_float(), ctypes.c_float()
    count = pdfium.FPDFPath_CountSegments(target)
    for n in range(count if count <= _MOST_POINTS else 0):
        segment = pdfium.FPDFPath_GetPathSegment(target, n)
        if not pdfium.FPDFPathSegment_GetPoint(segment, x, y):
            return []
        point = view.point(*apply(matrix, x.value, y.value))
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_LINETO:
            parts.append((last, point))
        elif kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = point
        last = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            parts.append((last, first))
    return [(a, b) for a, b in parts if all(map(math.isfinite, (*a, *b)))]
