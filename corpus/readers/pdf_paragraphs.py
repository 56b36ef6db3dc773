"""Lines → paragraphs, each one line of text: by indentation, by how far lines go, by leading and by numbers."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from corpus.readers.pdf_lines import Line, is_wide, join_texts, superscript
from corpus.readers.pdf_page import Glyph
from corpus.readers.pdf_tables import Table

_INDENT = 1.2
_SHIFT = 0.5
_SHORT = 1.6
_JUSTIFIED = 0.7
_LOOSE = 1.3
_LOOSER = 1.5
_LEADING = 1.6
_RESIZED = 0.08
LARGER = 1.08
_NOTE_SIZE = 0.95
_TERMINAL = re.compile(r"[。！？；：!?;:][”’」』）)】》〉\"'¹²³⁴⁵⁶⁷⁸⁹⁰]*$")
_NOTE = re.compile(r"[¹²³⁴⁵⁶⁷⁸⁹⁰]+\s*\S")
_FIRST_WORD = re.compile(r"[“‘「『（(《〈【]*(?:[\x21-\x7e]+|.)[，。、；：！？”’」』）)》〉】…—%]*")
"""What a line break keeps together."""
_RAISED_NUMBER = re.compile(r"[¹²³⁴⁵⁶⁷⁸⁹⁰]+")
_PLAIN_NOTE = re.compile(r"(\d{1,3}|[①-⑳])\s*(?=[^\W\d_]|[“「《（])")
_RAISED = re.compile(r"[¹²³⁴⁵⁶⁷⁸⁹⁰]")
_HAN_NUMBER = "[一二三四五六七八九十百零〇]+"
_MARKER = re.compile(
    rf"第(?:{_HAN_NUMBER}|\d+)[编篇部章节条]|{_HAN_NUMBER}、|[(（](?:{_HAN_NUMBER}|\d{{1,2}})[)）]|\d{{1,2}}[.．、](?!\d)"
    r"|\d+(?:\.\d+){1,3}\s|[①-⑳]|[-*+•·●○▪◆■➢]\s|(?:图|表|附图|附表|专栏)\s*\d"
)
_LEADERS = re.compile(r"(?:[.·⋯]{3,}|…+)\s*[-–—]?\s*\d{1,4}\s*[-–—]?$")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, a heading, a footnote or a table with where it stands, in points, and how it looks.

    `full`: its last line goes to the right edge. `flush`: its first line is not indented. `continued`: it is the rest of
    the last paragraph of the page before. `glyphs` as in a Line; a table has them itself.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: float
    face: str
    lines: int
    note: bool = False
    table: Table | None = None
    full: bool = False
    flush: bool = False
    continued: bool = False
    glyphs: tuple[Glyph, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Measure:
    """What is usual in a document: the size of its body, its leading as a multiple of the size, its left and right edge.

    `justified`: most lines go to the right edge exactly. `indented`: the first lines of paragraphs stand further in.
    """

    size: float
    leading: float
    left: float
    right: float
    justified: bool
    indented: bool


def measure(blocks: Sequence[Sequence[Line | Table]]) -> Measure:
    """What is usual in these blocks."""
    sizes: Counter[float] = Counter()
    for line in (x for block in blocks for x in block if isinstance(x, Line)):
        sizes[round(line.size, 1)] += len(line.text)
    size = sizes.most_common(1)[0][0] if sizes else 10.0
    steps: Counter[float] = Counter()
    begins: Counter[int] = Counter()
    ends: Counter[int] = Counter()
    full = nearly = opening = indented = 0
    for block in blocks:
        lines = [x for x in block if isinstance(x, Line) and abs(x.size - size) <= _RESIZED * size]
        left, right = min((x.x0 for x in lines), default=0.0), max((x.x1 for x in lines), default=0.0)
        begins.update(round(x.x0) for x in lines)
        ends.update(round(x.x1) for x in lines)
        full += sum(right - x.x1 <= 0.5 * size for x in lines)
        nearly += sum(right - x.x1 <= 3 * size for x in lines)
        for a, b in itertools.pairwise(lines):
            if 0.9 <= (b.y - a.y) / size <= 4:
                steps[round((b.y - a.y) / size, 1)] += 1
            if right - a.x1 > 3 * size:
                opening += 1
                indented += b.x0 - left >= _INDENT * size
    return Measure(
        size,
        leading=_commonest(steps, _LEADING),
        left=_commonest(begins, 0.0),
        right=_commonest(ends, 0.0),
        justified=full >= 0.6 * max(1, nearly),
        indented=opening >= 3 and indented >= 0.6 * opening,
    )


def _commonest(counts: Counter[Any], otherwise: float) -> float:
    return float(counts.most_common(1)[0][0]) if counts else otherwise


def paragraphs(block: Sequence[Line | Table], usual: Measure) -> list[Paragraph]:
    """The paragraphs of one block of lines in reading order."""
    lines = [x for x in block if isinstance(x, Line)]
    frame = _Frame.of(lines, usual)
    found: list[Paragraph] = []
    run: list[Line] = []
    for item in block:
        if isinstance(item, Line) and run and frame.goes_on(run, item):
            run.append(item)
            continue
        if run:
            found.append(_paragraph(run, frame))
        run = [item] if isinstance(item, Line) else []
        if isinstance(item, Table):
            found.append(Paragraph(item.text, item.x0, item.x1, item.y, usual.size, 0, "", len(item.rows), table=item))
    return found + ([_paragraph(run, frame)] if run else [])


def join(above: Paragraph, below: Paragraph) -> Paragraph:
    """Two parts of one paragraph as one."""
    text, glyphs = join_texts((above.text, below.text)), above.glyphs + below.glyphs
    return replace(above, text=text, lines=above.lines + below.lines, full=below.full, glyphs=glyphs)


def note_marks(columns: Sequence[Sequence[Paragraph]]) -> frozenset[str]:
    """The superscript numbers within the text of a page: what its footnotes are numbered with."""
    return frozenset(x for column in columns for p in column for x in _RAISED_NUMBER.findall(p.text[1:]))


def number_note(paragraph: Paragraph, marks: frozenset[str], usual: Measure) -> Paragraph:
    """A footnote whose own number is not raised, as the number in the text is; any other paragraph as it is."""
    match = _PLAIN_NOTE.match(paragraph.text)
    if match is None or paragraph.size > _NOTE_SIZE * usual.size or paragraph.table or paragraph.note:
        return paragraph
    number = superscript(match.group(1))
    if number not in marks:
        return paragraph
    raised = len(match.group(1))
    first = tuple(x._replace(text=superscript(x.text)) for x in paragraph.glyphs[:raised])
    text = f"{number} {paragraph.text[match.end() :]}"
    return replace(paragraph, text=text, note=True, glyphs=first + paragraph.glyphs[raised:])


def runs_on(above: Paragraph, below: Paragraph, usual: Measure) -> bool:
    """Whether the end of a column or a page cuts a paragraph in these two."""
    if above.note or below.note or above.table or below.table or _MARKER.match(below.text):
        return False
    if abs(above.size - below.size) > _RESIZED * above.size or not (above.full and below.flush):
        return False
    if _LEADERS.search(above.text) or _LEADERS.search(below.text):
        return False
    if _TERMINAL.search(above.text):
        return usual.indented and above.lines >= 2
    return above.size <= LARGER * usual.size or above.lines == 1


def _paragraph(run: Sequence[Line], frame: _Frame) -> Paragraph:
    first, usual = run[0], frame.usual
    weight = sum(len(x.text) for x in run)
    bold = sum(x.bold * len(x.text) for x in run) / max(1, weight)
    note = _NOTE.match(first.text) is not None and first.size <= _NOTE_SIZE * usual.size
    faces = Counter(x.face for x in run).most_common(1)[0][0]
    x0, x1 = min(x.x0 for x in run), max(x.x1 for x in run)
    return Paragraph(
        join_texts(x.text for x in run),
        x0,
        x1,
        first.y,
        first.size,
        bold,
        faces,
        len(run),
        note,
        full=frame.right - run[-1].x1 <= _SHORT * first.size,
        flush=first.x0 <= frame.left + _SHIFT * first.size,
        glyphs=tuple(glyph for x in run for glyph in x.glyphs),
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """The left and right edge of a block's text, and what is usual in the document."""

    left: float
    right: float
    usual: Measure

    @classmethod
    def of(cls, lines: Sequence[Line], usual: Measure) -> _Frame:
        if not lines:
            return cls(0, 0, usual)
        body = [x for x in lines if abs(x.size - usual.size) <= _RESIZED * usual.size] or list(lines)
        ends = Counter(round(x.x1) for x in body)
        end, count = ends.most_common(1)[0]
        last = max(x.x1 for x in body)
        if count < 3 or count < 0.2 * len(body):
            end = round(last)
            if len(body) < 6 and last <= usual.right + usual.size and usual.right - last < 12 * usual.size:
                end = round(usual.right)  # few lines, none of which need be full
        begin = min(x.x0 for x in body)
        if len(body) < 6 and 0 < begin - usual.left < 4 * usual.size:
            begin = usual.left  # and all of them may be indented
        return cls(begin, float(end), usual)

    def goes_on(self, run: Sequence[Line], line: Line) -> bool:
        """Whether `line` continues the paragraph of the lines before it."""
        above = run[-1]
        if abs(line.size - above.size) > _RESIZED * above.size or self._is_far(above, line):
            return False
        if _LEADERS.search(above.text) or _opens_note(line, above, self.usual):
            return False
        if self._is_centred(above) and self._is_centred(line) and line.size > LARGER * self.usual.size:
            return not _MARKER.match(line.text)
        if not self._is_full(above, line):
            return False
        finished = _TERMINAL.search(above.text) is not None
        if _MARKER.match(line.text) and (finished or line.x0 >= self.left + _INDENT * line.size):
            return False
        return not self._is_indented(run, line, finished)

    def _is_far(self, above: Line, line: Line) -> bool:
        step = line.y - above.y
        raised = _RAISED.search(line.text) or _RAISED.search(above.text)
        allowed = (_LOOSER if raised else _LOOSE) * self.usual.leading * line.size
        return not 0 < step <= max(allowed, 1.25 * line.size)

    def _is_centred(self, line: Line) -> bool:
        middle = (self.left + self.right) / 2
        return abs((line.x0 + line.x1) / 2 - middle) <= line.size and line.x0 > self.left + _SHIFT * line.size

    def _is_full(self, above: Line, line: Line) -> bool:
        """It goes to the right edge, or the next word would not have had room there."""
        rest = self.right - above.x1
        word = _FIRST_WORD.match(line.text)
        room = sum(1.0 if is_wide(c) else 0.55 for c in word.group()) * line.size if word else 0.0
        if self.usual.justified and _TERMINAL.search(above.text):
            return rest <= max(_JUSTIFIED * above.size, room - line.size)
        return rest <= max(_SHORT * max(above.size, self.usual.size), room + 0.6 * line.size)

    def _is_indented(self, run: Sequence[Line], line: Line, finished: bool) -> bool:
        """The first line of a paragraph stands further in than the lines before it."""
        above = run[-1]
        shift = line.x0 - above.x0
        indented = line.x0 >= self.left + _INDENT * line.size
        if shift > _SHIFT * line.size and (indented or finished):
            hanging = len(run) == 1 and _MARKER.match(above.text) is not None and shift <= 4 * line.size
            return finished or not hanging
        return indented and finished and abs(shift) <= _SHIFT * line.size and len(run) == 1


def _opens_note(line: Line, above: Line, usual: Measure) -> bool:
    """A footnote's number opens the line; in a paragraph that goes on, a mark may stand there too."""
    small = line.size <= _NOTE_SIZE * usual.size
    return small and _NOTE.match(line.text) is not None and _TERMINAL.search(above.text) is not None
