"""Running heads and feet, and page numbers: what a page repeats at its edges."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from corpus.readers.pdf_lines import Line

_EDGE = 0.12
_DRIFT = 8.0
_OFTEN = 0.5
_MOSTLY = 0.8
_SPACES = re.compile(r"\s+")
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"\d{1,5}")
_FINISHED = re.compile(r"[。；！？]$")
_MARKED_NUMBER = re.compile(
    r"[-–—―~·•|]+\s*\d{1,4}\s*[-–—―~·•|]+|第\s*\d{1,4}\s*页.{0,12}|\d{1,4}\s*/\s*\d{1,4}|P(?:age|\.)\s*\d{1,4}.*"
)
_BARE_NUMBER = re.compile(r"(\d{1,4})|([ivxlc]{1,8}|[IVXLC]{1,8})")


@dataclass(frozen=True, slots=True)
class _Row:
    """The lines on one height at the edge of a page; the `depth` outermost of them has depth 0."""

    page: int
    upper: bool
    y: float
    text: str
    lines: tuple[Line, ...]
    depth: int


def running_lines(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[set[Line]]:
    """For each page, its lines that are running heads, feet or page numbers."""
    rows = [row for n, lines in enumerate(pages) for row in _edge_rows(n, lines, heights[n])]
    found: list[set[Line]] = [set() for _ in pages]
    for row in _numbers(rows, len(pages)) + _repeated(rows, len(pages)):
        found[row.page] |= set(row.lines)
    return found


def _edge_rows(page: int, lines: Sequence[Line], height: float) -> list[_Row]:
    """The rows in the upper and the lower part of a page, each with how many stand further out."""
    rows: list[_Row] = []
    for upper in (True, False):
        inside = [x for x in lines if (x.bottom < _EDGE * height if upper else x.top > (1 - _EDGE) * height)]
        groups: list[list[Line]] = []
        for line in sorted(inside, key=lambda x: x.y if upper else -x.y):
            if groups and abs(line.y - groups[-1][0].y) < 0.5 * line.size:
                groups[-1].append(line)
            else:
                groups.append([line])
        for depth, group in enumerate(groups):
            text = " ".join(x.text for x in sorted(group, key=lambda x: x.x0))
            rows.append(_Row(page, upper, group[0].y, text, tuple(group), depth))
    return rows


def _repeated(rows: Sequence[_Row], pages: int) -> list[_Row]:
    """Rows whose text, digits aside, stands at one height on many pages, or on some where most have one there."""
    if pages < 2:
        return []
    groups = _alike(rows)
    often = max(2 if pages <= 3 else 3, _OFTEN * pages)
    found: list[_Row] = []
    outermost = Counter(x.upper for x in rows if x.depth == 0)
    for group in groups:
        upper = group[0].upper
        middle = median_low(x.y for x in group)
        level = [x for x in group if abs(x.y - middle) <= _DRIFT]
        count = len({x.page for x in level})
        a_chapters = count >= 3 and outermost[upper] >= _OFTEN * pages and all(x.depth == 0 for x in level)
        if count >= often or a_chapters:
            found += level
    return found


def _alike(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Rows at the same edge with the same text; numbers in it may differ as those of the pages do."""
    folded: dict[tuple[bool, str], list[_Row]] = defaultdict(list)
    for row in rows:
        folded[row.upper, _DIGITS.sub("#", _SPACES.sub("", row.text))].append(row)
    groups: list[list[_Row]] = []
    for group in folded.values():
        if _count_with_pages(group):
            groups.append(group)
            continue
        exact: dict[str, list[_Row]] = defaultdict(list)
        for row in group:
            exact[_SPACES.sub("", row.text)].append(row)
        groups += exact.values()
    return groups


def _count_with_pages(rows: Sequence[_Row]) -> bool:
    """Whether one of the numbers in rows of one form grows as the pages do."""
    numbers = [[int(x) for x in _NUMBER.findall(row.text)] for row in rows]
    for place in range(min(map(len, numbers))):
        shifts = Counter(found[place] - row.page for row, found in zip(rows, numbers, strict=True))
        if shifts.most_common(1)[0][1] >= _MOSTLY * len(rows):
            return not _FINISHED.search(rows[0].text)
    return False


def _numbers(rows: Sequence[_Row], pages: int) -> list[_Row]:
    """Page numbers: by their form, or bare ones that count with the pages."""
    found = [x for x in rows if _MARKED_NUMBER.fullmatch(x.text) and x.depth <= 1]
    bare = [(x, match) for x in rows if x.depth <= 1 and (match := _BARE_NUMBER.fullmatch(x.text))]
    roman = [x for x, match in bare if match.group(2)]
    shifts = Counter(int(match.group(1)) - x.page for x, match in bare if match.group(1))
    for x, match in bare:
        if match.group(1) and shifts[int(match.group(1)) - x.page] >= min(3, max(2, pages)):
            found.append(x)
    return found + (roman if len(roman) >= 2 else [])
