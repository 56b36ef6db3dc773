"""Paragraphs, items, rows and notes of a flowing format → one text, and which of its lines are headings.

What `corpus/structure.py` expects: a blank line between paragraphs; the items of a list and the rows of a table on
lines that follow each other; cells separated by tabs; a heading on one line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from corpus.headings import RANK_NUMBERED, heading_of
from corpus.lines import Line
from corpus.types import HeadingMark

BOLD_ON, BOLD_OFF = "\x1c", "\x1d"
"""Stand about bold words while a paragraph is put together."""
_LEAD = re.compile(r"\x1c([^\x1c\x1d]*)\x1d")
_OPENS = re.compile(
    r"(?:^|[。！？；!?;])[\s”」）]*(?:[一二三四五六七八九十]是|[（(]?[一二三四五六七八九十\d]{1,3}[)）.、])?\s*$"
)
_LONGEST_LEAD = 58
_NEVER = re.compile("[\0-\x08\x0b-\x1f\x7f\u00ad\ufeff\ufffe\uffff\ud800-\udfff]")
_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DEEPEST = 9
_WIDEST = 100
"""Columns of a table that spanning cells can make."""
_EMPTY = "—"
_RANK_OPENING, _RANK_UNNUMBERED = 70, 71
_LONGEST_REPEATED = 40
_LONGEST_HEADING = 60


def clean(text: str) -> str:
    """`text` without characters that never are text: controls but tab and newline, soft hyphens,
    lone surrogates and what Unicode calls no character.
    """
    return _NEVER.sub("", text)


def superscript(text: str) -> str:
    """A footnote's mark: `3` or `[3]` → `³`. What is no number stays as it is."""
    number = re.fullmatch(r"\s*[\[【〔(（]?(\d{1,4})[\]】〕)）]?\s*", text)
    return number.group(1).translate(_DIGITS) if number else text


def could_be_heading(text: str) -> bool:
    """Short, and no sentence: what stands alone in bold or larger letters may be a heading."""
    return 2 <= len(text) <= _LONGEST_HEADING and text[-1] not in "。；！？：，、.;!?:," and "。" not in text


def mark_leads(text: str) -> str:
    """Bold words that open a sentence get Markdown's marks, as in the reports: they name what the part is about.

    Other bold is left without. A paragraph in bold throughout has no lead.

    >>> mark_leads("\x1c成果转化。\x1d建成3家。又\x1c一\x1d家。")
    '**成果转化。**建成3家。又一家。'
    """
    if BOLD_ON not in text:
        return text
    parts: list[str] = []
    last = 0
    for match in _LEAD.finditer(text := re.sub(r"\x1d(\s*)\x1c", r"\1", text)):
        before, bold = text[last : match.start()], match.group(1)
        parts.append(before)
        last = match.end()
        lead = bold.strip()
        opens = _OPENS.search("".join(parts)[-12:].replace("*", "")) if parts else None
        is_lead = (
            2 <= len(lead) <= _LONGEST_LEAD and opens and text[last:].strip() and not re.search(r"[。！？；\n].", lead)
        )
        parts.append(f"**{lead}**" if is_lead else bold)
    return "".join([*parts, text[last:]])


def split_breaks(text: str) -> list[str]:
    """A paragraph with line breaks as paragraphs, unless its lines are those of one: all as long as each other, or
    cut at a comma."""
    lines = [x.strip() for x in text.split("\n")]
    lengths = [len(x) for x in lines[:-1] if x]
    if lengths and min(lengths) >= 20 and max(lengths) - min(lengths) <= 2 and len(lengths) > 1:
        return [text]
    parts: list[str] = []
    for line in lines:
        if parts and parts[-1].endswith(("，", "、", "（", "“")) and line:
            parts[-1] += f"\n{line}"
        else:
            parts.append(line)
    return [x for x in parts if x]


@dataclass(frozen=True, slots=True)
class _Block:
    """Text between blank lines, or one line of a run: blocks of the same `run` follow each other without blank line.

    `level` is a heading's. `size` is given for what only looks like a heading: the larger, the higher.
    """

    text: str
    run: int = 0
    level: int = 0
    size: float | None = None


@dataclass(slots=True)
class Flow:
    """A document in the making."""

    blocks: list[_Block] = field(default_factory=list)
    runs: int = 0

    def new_run(self) -> int:
        """The number of a new list or table."""
        self.runs += 1
        return self.runs

    def paragraph(self, text: str, size: float | None = None) -> None:
        """A paragraph of one line, or of several that make up one."""
        self._add(_one_line(text) if size is not None else _lines(text), size=size)

    def heading(self, text: str, level: int) -> None:
        """A line that the format marks as a heading, from level 1."""
        self._add(_one_line(text), level=min(level, _DEEPEST))

    def item(self, text: str, run: int) -> None:
        """One item of list number `run`, its mark included."""
        self._add(_one_line(text), run)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows of cells. A row of one cell is wider than the columns: before and behind the table it is a paragraph."""
        rows = [row for row in ([_one_line(cell) for cell in row] for row in rows) if any(row)]
        first, last = 0, len(rows)
        while first < last and len(rows[first]) == 1:
            first += 1
        while last > first and len(rows[last - 1]) == 1:
            last -= 1
        for row in rows[:first]:
            self._add(row[0])
        run = self.new_run()
        for row in rows[first:last]:
            self._add(_row(row), run)
        for row in rows[last:]:
            self._add(row[0])

    def text_and_marks(self) -> tuple[str, tuple[HeadingMark, ...]]:
        """The text, and its headings. Those that only look like one count where the format marks none."""
        marked = any(x.level for x in self.blocks)
        levels = {} if marked else self._levels_by_look()
        parts: list[str] = []
        marks: list[HeadingMark] = []
        offset = 0
        for n, block in enumerate(self.blocks):
            if n:
                gap = "\n" if block.run and block.run == self.blocks[n - 1].run else "\n\n"
                parts.append(gap)
                offset += len(gap)
            if level := block.level or levels.get(n, 0):
                marks.append(HeadingMark(offset, level))
            parts.append(block.text)
            offset += len(block.text)
        return "".join([*parts, "\n"]) if parts else "", tuple(marks)

    def _levels_by_look(self) -> dict[int, int]:
        behind = [*(x.size is not None for x in self.blocks[1:]), False]
        looks = [(n, x.text, x.size) for n, x in enumerate(self.blocks) if x.size is not None]
        levels = levels_by_look([(text, size, behind[n]) for n, text, size in looks])
        return {n: level for (n, _, _), level in zip(looks, levels, strict=True)}

    def _add(self, text: str, run: int = 0, level: int = 0, size: float | None = None) -> None:
        if text.strip():
            self.blocks.append(_Block(text, run, level, size))


def levels_by_look(headings: Sequence[tuple[str, float, bool]]) -> list[int]:
    """Levels from 1 for headings (text, size of its letters, whether a heading follows directly).

    Larger letters outrank, then the kind of number; of those without number, one that another follows is above it.

    >>> levels_by_look([("一、甲", 12, False), ("（一）乙", 12, False), ("丙", 12, False), ("二、丁", 12, False)])
    [1, 2, 3, 1]
    >>> levels_by_look([("甲", 12, True), ("乙", 12, False), ("丙", 12, False), ("丁", 14, False)])
    [2, 3, 3, 1]
    """
    ranks = [_rank(text, opens) for text, _, opens in headings]
    sizes = [size for _, size, _ in headings]
    numbered = {r for r in ranks if r < _RANK_OPENING}
    # A kind of number has one level, and is no smaller than the kinds below it.
    largest = {r: max(s for s, x in zip(sizes, ranks, strict=True) if x >= r and x in numbered) for r in numbered}
    keys = [(-largest.get(r, s), r) for s, r in zip(sizes, ranks, strict=True)]
    order = {key: min(n, _DEEPEST) for n, key in enumerate(sorted(set(keys)), start=1)}
    return [order[key] for key in keys]


def spread(rows: Sequence[Sequence[tuple[str, int, int]]]) -> list[list[str]]:
    """Cells (text, columns, rows that it spans) laid out on the grid.

    A cell that spans columns stands once, and leaves the others empty; one that spans rows is the short name of each of
    them, and is repeated there, because a row is read alone. A row of one cell is one that spans all columns.
    """
    width = max((sum(min(c, _WIDEST) for _, c, _ in row) for row in rows), default=0)
    below: dict[int, tuple[str, int]] = {}  # column → text and how many rows it still spans
    laid: list[list[str]] = []
    for row in rows:
        line: list[str] = []
        for text, columns, height in row:
            _fill(line, below)
            start, text = len(line), _one_line(text)
            if start >= _WIDEST:
                columns, height = 1, 1
            line += [text] + [""] * (min(columns, _WIDEST) - 1)
            if height > 1:
                kept = text if len(text) <= _LONGEST_REPEATED else ""
                below |= {start: (kept, height - 1)} | {n: ("", height - 1) for n in range(start + 1, len(line))}
        _fill(line, below)
        whole = len(row) == 1 and min(row[0][1], _WIDEST) >= width
        laid.append(line[-width:][:1] if whole else line)
    return laid


def _fill(line: list[str], below: dict[int, tuple[str, int]]) -> None:
    """Put in what reaches down from the rows above at this column."""
    while (n := len(line)) in below:
        text, left = below.pop(n)
        line.append(text)
        if left > 1:
            below[n] = (text, left - 1)


def _row(cells: Sequence[str]) -> str:
    """A line that is a row by its looks: it needs a tab between two cells, so beside a lone one stands a dash.

    A group's name that fills all columns is said of two of them.
    """
    cells = [*cells] if len(cells) > 1 else [*cells] * 2
    filled = [n for n, cell in enumerate(cells) if cell]
    if len(filled) == 1:
        cells[0 if filled[0] else 1] = _EMPTY
    return "\t".join(cells).rstrip("\t")


def _rank(text: str, opens: bool) -> int:
    heading = heading_of(Line(0, len(text), text, 0))
    if heading and heading.rank >= RANK_NUMBERED:
        return heading.rank
    return _RANK_OPENING if opens else _RANK_UNNUMBERED


def _one_line(text: str) -> str:
    """Without line breaks and tabs: a line that has one is a row."""
    return re.sub(r"[ \t\n]*[\t\n][ \t\n]*", " ", clean(text).strip())


def _lines(text: str) -> str:
    return "\n".join(x.strip() for x in clean(text).replace("\t", " ").split("\n") if x.strip())
