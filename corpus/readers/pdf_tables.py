"""Ruled tables of a page, by their lines."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from corpus.readers.pdf_geometry import Box
from corpus.readers.pdf_lines import join_texts, read_lines
from corpus.readers.pdf_page import Glyph

_TOUCH = 3.0
_SAME = 2.5
_MOST_PAIRS = 1_000_000
_FILLED = 0.4
_FEWEST_CELLS = 4
_REPEATED = 30


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, and where they stand. A merged cell's text stands in each row and column that it spans.

    `glyphs`, where they are kept, are those of each cell, as a Line has them.
    """

    rows: tuple[tuple[str, ...], ...]
    x0: float
    x1: float
    top: float
    bottom: float
    glyphs: tuple[tuple[tuple[Glyph, ...], ...], ...] = field(default=(), compare=False, repr=False)

    @property
    def y(self) -> float:
        return self.top

    @property
    def text(self) -> str:
        return "\n".join("\t".join(row) for row in self.rows)


def ruled_tables(glyphs: Sequence[Glyph], rules: Sequence[Box], keep: bool = False) -> tuple[list[Table], list[Glyph]]:
    """The tables that lines make, and the glyphs that stand in none. `keep`: the tables keep theirs."""
    level = [x for x in rules if x.x1 - x.x0 >= x.y1 - x.y0]
    upright = [x for x in rules if x.x1 - x.x0 < x.y1 - x.y0]
    if len(level) < 2 or not upright or len(level) * len(upright) > _MOST_PAIRS:
        return [], list(glyphs)
    tables: list[Table] = []
    rest = list(glyphs)
    for rows, columns in _connected(level, upright):
        grid = _Grid.of(rows, columns)
        table, taken = grid.table(rest, keep) if grid else (None, set())
        if table:
            tables.append(table)
            rest = [x for n, x in enumerate(rest) if n not in taken]
    return tables, rest


def _connected(level: list[Box], upright: list[Box]) -> list[tuple[list[Box], list[Box]]]:
    """Lines that touch each other, group by group."""
    parents = _Parents(len(level) + len(upright))
    for n, a in enumerate(level):
        for m, b in enumerate(upright):
            if a.x0 - _TOUCH <= b.x1 and b.x0 <= a.x1 + _TOUCH and b.y0 - _TOUCH <= a.y1 and a.y0 <= b.y1 + _TOUCH:
                parents.join(n, len(level) + m)
    groups: dict[int, tuple[list[Box], list[Box]]] = defaultdict(lambda: ([], []))
    for n, a in enumerate(level):
        groups[parents.of(n)][0].append(a)
    for m, b in enumerate(upright):
        groups[parents.of(len(level) + m)][1].append(b)
    return [x for x in groups.values() if len(x[0]) >= 2 and x[1]]


class _Parents:
    """Sets that grow together."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def of(self, n: int) -> int:
        while self._parents[n] != n:
            self._parents[n] = self._parents[self._parents[n]]
            n = self._parents[n]
        return n

    def join(self, a: int, b: int) -> None:
        self._parents[self.of(b)] = self.of(a)


@dataclass(frozen=True, slots=True)
class _Grid:
    xs: list[float]
    ys: list[float]
    level: list[Box]
    upright: list[Box]

    @classmethod
    def of(cls, level: list[Box], upright: list[Box]) -> _Grid | None:
        xs = _places([(x.x0 + x.x1) / 2 for x in upright] + [min(x.x0 for x in level), max(x.x1 for x in level)])
        ys = _places([(x.y0 + x.y1) / 2 for x in level] + [min(x.y0 for x in upright), max(x.y1 for x in upright)])
        return cls(xs, ys, level, upright) if len(xs) >= 3 and len(ys) >= 3 else None

    def table(self, glyphs: Sequence[Glyph], keep: bool) -> tuple[Table | None, set[int]]:
        """The table, and which glyphs stand in it; None where too few of its cells hold any."""
        owners = self._cells()
        held: dict[int, list[Glyph]] = defaultdict(list)
        taken: set[int] = set()
        for n, glyph in enumerate(glyphs):
            row, column = self._place(glyph)
            if row is not None and column is not None:
                held[owners[row][column]].append(glyph)
                taken.add(n)
        cells = {x for row in owners for x in row}
        if len(held) < _FEWEST_CELLS or len(held) < _FILLED * len(cells):
            return None, set()
        rows = _rows(owners, {cell: _cell(inside, keep) for cell, inside in held.items()})
        texts = tuple(tuple(x.text for x in row) for row in rows)
        kept = tuple(tuple(x.glyphs for x in row) for row in rows)
        return Table(texts, self.xs[0], self.xs[-1], self.ys[0], self.ys[-1], kept), taken

    def _place(self, glyph: Glyph) -> tuple[int | None, int | None]:
        row = bisect_right(self.ys, glyph.y - 0.35 * glyph.size) - 1
        column = bisect_right(self.xs, (glyph.x0 + glyph.x1) / 2) - 1
        inside = 0 <= row < len(self.ys) - 1 and 0 <= column < len(self.xs) - 1
        return (row, column) if inside else (None, None)

    def _cells(self) -> list[list[int]]:
        """For each place of the grid the cell that it belongs to: places without a line between are one."""
        height, width = len(self.ys) - 1, len(self.xs) - 1
        parents = _Parents(height * width)
        for r in range(height):
            y = (self.ys[r] + self.ys[r + 1]) / 2
            walls = [(x.x0 + x.x1) / 2 for x in self.upright if x.y0 - _TOUCH <= y <= x.y1 + _TOUCH]
            for c in range(1, width):
                if not _near(self.xs[c], walls):
                    parents.join(r * width + c - 1, r * width + c)
        for c in range(width):
            x = (self.xs[c] + self.xs[c + 1]) / 2
            walls = [(z.y0 + z.y1) / 2 for z in self.level if z.x0 - _TOUCH <= x <= z.x1 + _TOUCH]
            for r in range(1, height):
                if not _near(self.ys[r], walls):
                    parents.join((r - 1) * width + c, r * width + c)
        return [[parents.of(r * width + c) for c in range(width)] for r in range(height)]


def _places(values: Sequence[float]) -> list[float]:
    """Sorted, those that nearly agree taken as one."""
    places: list[float] = []
    for value in sorted(values):
        if not places or value - places[-1] > 2 * _SAME:
            places.append(value)
    return places


def _near(value: float, others: Sequence[float]) -> bool:
    return any(abs(value - x) <= 2 * _SAME for x in others)


class _Cell(NamedTuple):
    text: str
    glyphs: tuple[Glyph, ...]


_EMPTY = _Cell("", ())


def _cell(glyphs: Sequence[Glyph], keep: bool) -> _Cell:
    lines = read_lines(glyphs, keep)
    return _Cell(join_texts(x.text for x in lines), tuple(glyph for x in lines for glyph in x.glyphs))


def _rows(owners: list[list[int]], held: dict[int, _Cell]) -> list[list[_Cell]]:
    """The rows with text; a long text that spans several of them stands in the first place alone."""
    seen: set[int] = set()
    rows: list[list[_Cell]] = []
    for row in owners:
        if len(set(row)) == 1:
            cells = [held.get(row[0], _EMPTY)] if row[0] not in seen else []
        else:
            cells = []
            for owner in row:
                cell = held.get(owner, _EMPTY)
                cells.append(_EMPTY if owner in seen and len(cell.text) > _REPEATED else cell)
                seen.add(owner)
        seen |= set(row)
        if any(x.text for x in cells):
            rows.append(cells)
    return rows
