"""The order in which the parts of a page are read: columns one after the other, band by band between what spans them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from corpus.readers.pdf_lines import Line, cut
from corpus.readers.pdf_tables import Table

_SIDE = 0.15
_FULL = 0.6
_FEWEST = 6
_MOST = 2_000
_GUTTER = 5.0
_LONG = 8
_DEPTH = 3
_NARROWEST = 110.0
_LEVEL = 4.0
_ALIGNED = 1.5
_OFTEN = 4

Item = Line | Table


class _Band(NamedTuple):
    """Items below each other that all leave the gutter free, or all span it."""

    items: list[Item]
    free: bool


def blocks(items: Sequence[Item], depth: int = 0) -> list[list[Item]]:
    """The items of a page in reading order, parted where a column ends."""
    ordered = sorted(items, key=lambda x: (x.y, x.x0))
    edge = _edge(ordered) if _FEWEST <= len(ordered) <= _MOST and depth < _DEPTH else None
    if edge is None:
        return [ordered] if ordered else []
    found: list[list[Item]] = []
    whole: list[Item] = []
    bands = _bands(_parted(ordered, edge), edge)
    for n, band in enumerate(bands):
        if not _is_columnar(band, edge):
            whole += band.items
            continue
        if whole:
            found.append(whole)
        left, right = _sides(band.items, edge)
        # Columns end level above what spans them: what stands lower, at the left, is a heading of the latter.
        lowest = max(x.y for x in right) + _LEVEL
        whole = [x for x in left if x.y > lowest] if n + 1 < len(bands) else []
        found += blocks(left[: len(left) - len(whole)], depth + 1) + blocks(right, depth + 1)
    return found + ([whole] if whole else [])


def _edge(items: Sequence[Item]) -> float | None:
    """The left edge of a column that stands right of another one: that which most of the text keeps to."""
    first, last = min(x.x0 for x in items), max(x.x1 for x in items)
    width = last - first
    best: tuple[int, float] | None = None
    narrow = Counter(round(gap[2], 1) for x in items if isinstance(x, Line) for gap in x.gaps)
    for edge in sorted({round(x.x0, 1) for x in items} | {x for x, count in narrow.items() if count >= _OFTEN}):
        if first + _SIDE * width < edge < last - _SIDE * width:
            bands = _bands(_parted(items, edge), edge)
            columnar = sum(len(band.items) for band in bands if _is_columnar(band, edge))
            if columnar >= _FEWEST and (best is None or columnar > best[0]):
                best = columnar, edge
    return best[1] if best else None


def _parted(items: Sequence[Item], edge: float) -> list[Item]:
    """Lines that a narrow gap just before the edge parts are two: the columns stand close to each other."""
    parted: list[Item] = []
    for item in items:
        gaps = item.gaps if isinstance(item, Line) else ()
        n = next((n for n, (_, _, right) in enumerate(gaps) if abs(right - edge) <= _ALIGNED), None)
        parted += [item] if n is None or not isinstance(item, Line) else cut(item, n)
    return parted


def _bands(items: Sequence[Item], edge: float) -> list[_Band]:
    """From the top down."""
    bands: list[_Band] = []
    for item in items:
        free = item.x0 >= edge - _ALIGNED or item.x1 <= edge + _ALIGNED
        if bands and bands[-1].free == free:
            bands[-1].items.append(item)
        else:
            bands.append(_Band([item], free))
    return bands


def _sides(items: Sequence[Item], edge: float) -> tuple[list[Item], list[Item]]:
    return [x for x in items if x.x0 < edge - _ALIGNED], [x for x in items if x.x0 >= edge - _ALIGNED]


def _is_columnar(band: _Band, edge: float) -> bool:
    """Two columns of text stand there, not two of a table: both are broad, and their lines go far."""
    if not band.free:
        return False
    left, right = _sides(band.items, edge)
    if len(left) < 2 or len(right) < 2 or not (_is_column(left) and _is_column(right)):
        return False
    # Punctuation may hang into the gutter, and the last line above the columns may end there.
    ends = sorted(x.x1 for x in left)
    hanging = max(1, len(ends) // 10) if len(ends) >= 4 else 0
    return edge - ends[-1 - hanging] >= _GUTTER


def _is_column(side: Sequence[Item]) -> bool:
    """A third of its lines, at least, are long and go far; the others are headings, items and last lines."""
    width = max(x.x1 for x in side) - min(x.x0 for x in side)
    long = sum(x.x1 - x.x0 >= _FULL * width and len(x.text) >= _LONG for x in side)
    return width >= _NARROWEST and long >= len(side) / 3
