"""Glyphs → lines of text, by geometry: which stand on one baseline, where a gap parts them, where words are apart.

A line here goes as far as no wide gap interrupts it: the cells of a table and the columns of a page are lines apart.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from corpus.readers.pdf_page import Glyph

_SAME_BASELINE = 0.25
_SMALLER = 0.82
_RAISED = 0.15
_HIGHEST = 0.75
_NEAR = 0.6
_PARTED = 1.3
_PARTABLE = 0.35
_WORD_GAP = 0.17
_HAN_GAP = 0.8
_TWICE = 0.3
_BULLETS = "•●○▪◆■➢"
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_CIRCLED = {chr(0x2460 + n): str(n + 1).translate(_SUPERSCRIPTS) for n in range(20)}


@dataclass(frozen=True, slots=True)
class Line:
    """Characters on one baseline `y` without a wide gap. `bold` is the share of them that are, `size` and `face` what
    most of them are set in. `gaps` are narrower gaps, where it may yet be parted: the offset in `text`, from, to.
    `glyphs`, where they are kept, are what its characters but for white space were printed as, in their order."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: float
    face: str
    gaps: tuple[tuple[int, float, float], ...] = ()
    glyphs: tuple[Glyph, ...] = field(default=(), compare=False, repr=False)

    @property
    def top(self) -> float:
        return self.y - 0.85 * self.size

    @property
    def bottom(self) -> float:
        return self.y + 0.15 * self.size


def read_lines(glyphs: Sequence[Glyph], keep: bool = False) -> list[Line]:
    """The lines of a page, from the top down, and from the left where they stand beside each other.

    `keep`: they keep their glyphs.
    """
    rows = _raise(_rows(glyphs))
    lines = [_line(part, keep) for row in rows for part in _parts(row)]
    return sorted((x for x in lines if x.text), key=lambda x: (round(x.y), x.x0))


@dataclass(slots=True)
class _Row:
    """Glyphs of one baseline, and small ones that stand a little off it."""

    glyphs: list[Glyph]

    @property
    def y(self) -> float:
        return self.glyphs[0].y

    @property
    def size(self) -> float:
        return max(x.size for x in self.glyphs)


def _rows(glyphs: Sequence[Glyph]) -> list[_Row]:
    rows: list[_Row] = []
    for glyph in sorted(glyphs, key=lambda x: x.y):
        last = rows[-1] if rows else None
        if last and abs(glyph.y - last.y) <= _SAME_BASELINE * min(glyph.size, last.glyphs[0].size):
            last.glyphs.append(glyph)
        else:
            rows.append(_Row([glyph]))
    return rows


def _raise(rows: list[_Row]) -> list[_Row]:
    """Small glyphs beside a larger one, a little above or below its baseline, stand in its row."""
    for n, row in enumerate(rows):
        small: list[Glyph] = []
        for run in _parts(row) if row.glyphs else []:
            host = _host(rows, n, run)
            if host is None:
                continue
            raised = host.y - run[0].y >= _RAISED * host.size
            host.glyphs += [x._replace(text=superscript(x.text)) for x in run] if raised else run
            small += run
        if small:
            taken = set(map(id, small))
            row.glyphs = [x for x in row.glyphs if id(x) not in taken]
    return [row for row in rows if row.glyphs]


def _host(rows: list[_Row], n: int, run: list[Glyph]) -> _Row | None:
    size = max(x.size for x in run)
    for m in (*range(n + 1, min(n + 4, len(rows))), *range(n - 1, max(n - 3, -1), -1)):
        other: _Row = rows[m]
        if not other.glyphs or size > _SMALLER * max(x.size for x in other.glyphs):
            continue
        for glyph in other.glyphs:
            rise = glyph.y - run[0].y
            if size > _SMALLER * glyph.size or not -0.35 * glyph.size <= rise <= _HIGHEST * glyph.size:
                continue
            near = _NEAR * glyph.size
            if -near <= run[0].x0 - glyph.x1 <= near or -near <= glyph.x0 - run[-1].x1 <= near:
                return other
    return None


def _parts(row: _Row) -> list[list[Glyph]]:
    """The glyphs of a row from left to right, parted at wide gaps; what is printed twice is taken once."""
    parts: list[list[Glyph]] = []
    for glyph in sorted(row.glyphs, key=lambda x: x.x0):
        last = parts[-1][-1] if parts else None
        if last is None:
            parts.append([glyph])
        elif last.text == glyph.text and 0 < glyph.x0 - last.x0 < _TWICE * glyph.size and glyph.x0 < last.x1:
            continue  # a bold made by printing twice; what one glyph stands for has one place
        elif glyph.x0 - last.x1 > _PARTED * max(glyph.size, last.size):
            parts.append([glyph])
        else:
            parts[-1].append(glyph)
    return parts


def superscript(text: str) -> str:
    """Digits, and numbers in circles, as superscript digits."""
    return _CIRCLED.get(text) or text.translate(_SUPERSCRIPTS)


def _line(glyphs: Sequence[Glyph], keep: bool) -> Line:
    text = ""
    gaps: list[tuple[int, float, float]] = []
    last: Glyph | None = None
    for glyph in glyphs:
        if last and glyph.x0 - last.x1 > _PARTABLE * glyph.size:
            gaps.append((len(text), last.x1, glyph.x0))
        if last and _apart(last, glyph):
            text += " "
        text += glyph.text
        last = glyph
    sizes = Counter(round(x.size, 1) for x in glyphs)
    faces = Counter(x.face for x in glyphs)
    size = max(sizes, key=lambda x: (sizes[x], x))
    main = [x for x in glyphs if round(x.size, 1) == size]
    bold = sum(x.bold for x in glyphs) / len(glyphs)
    x1 = max(x.x1 for x in glyphs)
    face = faces.most_common(1)[0][0]
    kept = tuple(x for x in glyphs if not x.text.isspace()) if keep else ()
    return Line(text, glyphs[0].x0, x1, main[0].y, size, bold, face, tuple(gaps), kept)


def cut(line: Line, place: int) -> tuple[Line, Line]:
    """The line as two, parted at one of its gaps."""
    offset, left, right = line.gaps[place]
    before = tuple(line.gaps[:place])
    behind = tuple((n - offset, a, b) for n, a, b in line.gaps[place + 1 :])
    text = line.text[offset:]
    shift = len(text) - len(text.lstrip())
    gaps = tuple((n - shift, a, b) for n, a, b in behind)
    n = _count(line.glyphs, len("".join(line.text[:offset].split())))
    return (
        replace(line, text=line.text[:offset].rstrip(), x1=left, gaps=before, glyphs=line.glyphs[:n]),
        replace(line, text=text.lstrip(), x0=right, gaps=gaps, glyphs=line.glyphs[n:]),
    )


def _count(glyphs: Sequence[Glyph], characters: int) -> int:
    """How many glyphs stand for so many characters: a raised number in a circle is one, for two digits."""
    return sum(end <= characters for end in itertools.accumulate(len(x.text) for x in glyphs))


def _apart(left: Glyph, right: Glyph) -> bool:
    """Whether a space stands between two glyphs of a line."""
    gap = (right.x0 - left.x1) / max(left.size, right.size)
    if left.text in _BULLETS:
        return gap > 0.05
    if is_wide(left.text) and is_wide(right.text):
        return (
            gap > _HAN_GAP and unicodedata.category(left.text[-1])[0] == unicodedata.category(right.text[0])[0] == "L"
        )
    if is_wide(left.text) or is_wide(right.text):
        return right.spaced and gap > 0.1
    return gap > _WORD_GAP if not right.spaced else gap > 0.05


def is_wide(text: str) -> bool:
    """Whether it is written without spaces between words: Han characters and their punctuation."""
    return unicodedata.east_asian_width(text[-1]) in ("W", "F") or text[-1] in "“”‘’—…·"


def join_texts(texts: Iterable[str]) -> str:
    """Lines as one text: words are kept apart, Han characters are not; a hyphen stays as it was printed."""
    joined = ""
    for text in texts:
        latin = joined and text and not is_wide(joined[-1]) and not is_wide(text[0])
        joined += (" " if latin and joined[-1] != "-" else "") + text
    return joined
