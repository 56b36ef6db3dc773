"""Tables without lines: rows whose cells stand in columns that are evident."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from corpus.readers.pdf_lines import Line, cut, join_texts
from corpus.readers.pdf_tables import Table

_FEWEST_ROWS = 3
_MOST_COLUMNS = 15
_FAR = 4.0
_WRAPPED = 2.0
_ALIGNED = 0.6
_MARKER = re.compile(r"(?:[-*+•·●○▪◆■➢]|\d{1,3}[.．、]?|[(（]\d{1,2}[)）]|[①-⑳]|[一二三四五六七八九十]+、)")

_Row = list[Line]
_Columns = list[tuple[float, float]]
_Cells = dict[int, list[Line]]
"""The cells of a row by their column: the lines of each."""


def aligned_tables(block: Sequence[Line | Table]) -> list[Line | Table]:
    """The lines of a block; runs of rows whose cells stand in columns as tables, other rows as one line each."""
    found: list[Line | Table] = []
    for ruled, items in itertools.groupby(sorted(block, key=lambda x: x.y), key=lambda x: isinstance(x, Table)):
        group = list(items)
        found += group if ruled else _of_lines([x for x in group if isinstance(x, Line)])
    return found


def _of_lines(lines: Sequence[Line]) -> list[Line | Table]:
    rows = _rows(lines)
    found: list[Line | Table] = []
    i = 0
    while i < len(rows):
        table, end = _table(rows, i)
        found.append(table or _joined(rows[i]))
        i = end
    return found


def _rows(lines: Sequence[Line]) -> list[_Row]:
    """The lines of each height, from the left."""
    rows: list[_Row] = []
    for line in sorted(lines, key=lambda x: (x.y, x.x0)):
        if rows and abs(line.y - rows[-1][0].y) < 0.4 * min(line.size, rows[-1][0].size):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda x: x.x0) for row in rows]


def _table(rows: Sequence[_Row], first: int) -> tuple[Table | None, int]:
    """The table that begins with row `first`, if any, and where what follows begins."""
    end = first
    while end < len(rows) and (len(rows[end]) >= 2 or (end > first and _continues(rows, end))):
        if end > first and rows[end][0].y - rows[end - 1][0].y > _FAR * rows[end][0].size:
            break
        end += 1
    while end - first >= _FEWEST_ROWS:
        columns = _columns(rows[first:end])
        fitted = [_fitted(row, columns) for row in rows[first:end]]
        wrong = next((n for n, row in enumerate(fitted) if row is None), len(fitted))
        if wrong == len(fitted):
            table = _filled([row for row in fitted if row], columns, rows[first][0].top, rows[end - 1][0].bottom)
            return table, end if table else first + 1
        end = first + wrong
    return None, first + 1


def _continues(rows: Sequence[_Row], n: int) -> bool:
    """Row `n` has one cell alone, close below: the second line of a cell that isn't the first of its row."""
    line, above = rows[n][0], rows[n - 1]
    return line.y - above[0].y <= _WRAPPED * line.size and len(above) >= 2 and line.x0 >= above[1].x0 - line.size


def _columns(rows: Sequence[_Row]) -> _Columns:
    """The strips of the rows that have the most cells, as far as those agree."""
    most = max(len(row) for row in rows)
    spans = sorted((x.x0, x.x1) for row in rows if len(row) == most for x in row)
    columns: _Columns = []
    for x0, x1 in spans:
        if columns and x0 <= columns[-1][1]:
            columns[-1] = (columns[-1][0], max(x1, columns[-1][1]))
        else:
            columns.append((x0, x1))
    return columns


def _fitted(row: _Row, columns: _Columns) -> _Cells | None:
    """The cells of a row by their column; one that reaches over a column's begin is parted there, if it has a gap."""
    if not 2 <= len(columns) <= _MOST_COLUMNS:
        return None
    cells: _Cells = {}
    queue = list(row)
    while queue:
        line = queue.pop(0)
        parted = _part(line, columns)
        if parted:
            queue = [*parted, *queue]
            continue
        n = _nearest(line, columns)
        if n in cells or any(n != m and line.x0 < b and a < line.x1 for m, (a, b) in enumerate(columns)):
            return None
        cells[n] = [line]
    return cells


def _part(line: Line, columns: _Columns) -> tuple[Line, Line] | None:
    for n, (_, _, right) in enumerate(line.gaps):
        if any(abs(right - x0) <= _ALIGNED * line.size for x0, _ in columns[1:]):
            return cut(line, n)
    return None


def _nearest(line: Line, columns: _Columns) -> int:
    """The column that it overlaps most, or the nearest."""
    return max(range(len(columns)), key=lambda n: min(line.x1, columns[n][1]) - max(line.x0, columns[n][0]))


def _filled(rows: Sequence[_Cells], columns: _Columns, top: float, bottom: float) -> Table | None:
    """The table; None where the first column holds but the numbers of items."""
    cells: list[list[list[Line]]] = []
    for row in rows:
        if cells and len(row) == 1 and 0 not in row:
            n, lines = next(iter(row.items()))
            cells[-1][n] += lines
        else:
            cells.append([row.get(n, []) for n in range(len(columns))])
    texts = tuple(tuple(join_texts(x.text for x in cell) for cell in row) for row in cells)
    if len(texts) < _FEWEST_ROWS or (len(columns) == 2 and all(_MARKER.fullmatch(row[0]) for row in texts)):
        return None
    glyphs = tuple(tuple(tuple(glyph for x in cell for glyph in x.glyphs) for cell in row) for row in cells)
    return Table(texts, columns[0][0], columns[-1][1], top, bottom, glyphs)


def _joined(row: _Row) -> Line:
    """The lines of one height as one."""
    if len(row) == 1:
        return row[0]
    first = max(row, key=lambda x: len(x.text))
    text = " ".join(x.text for x in row)
    x1, glyphs = max(x.x1 for x in row), tuple(glyph for x in row for glyph in x.glyphs)
    return Line(text, row[0].x0, x1, first.y, first.size, first.bold, first.face, glyphs=glyphs)
