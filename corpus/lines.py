"""Lines and blocks of a text, by offset, and what a line looks like on its own."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from corpus.types import Span

_TERMINAL = "。！？!?；;：:…."
_CLOSERS = "”’」』）)】》〉\"'*¹²³⁴⁵⁶⁷⁸⁹⁰"
_BARE_LEAD = re.compile(r"\*\*[^*。！？]{2,40}(?:\*\*[。：:]|[。：:]\*\*)$")
_NOTE = re.compile(r"[¹²³⁴⁵⁶⁷⁸⁹⁰]+\s*\S|\[\^[^\]]+\]:")
_ARTICLE = re.compile(
    r"(?:\*\*)?(第(?:[一二三四五六七八九十百零〇]+|\d+)条(?:之[一二三四五六七八九十])?(?:[（(][^（()）]{1,20}[)）])?)(?:\*\*)?[\s　]+\S"
)
_BULLET = re.compile(r"[-*+•·●○▪][ \t　]+\S")
_NUMBERED = re.compile(r"(\d{1,3}[.．、](?!\d)|[(（]\d{1,2}[)）]|[①-⑳])\s*\S")
_PIPE_RULE = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")
_OUTER = " \u3000\xa0\v"
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `[start, end)` without its line break and outer white space; `text` is that slice."""

    start: int
    end: int
    text: str
    gap: int
    """Blank lines directly before it."""
    literal: bool = False
    """It stands in fenced code: nothing in it is a mark."""
    in_table: bool = False
    """It stands in a Markdown table without outer pipes."""

    @property
    def span(self) -> Span:
        return (self.start, self.end)

    @property
    def is_note(self) -> bool:
        """A footnote: a superscript number that opens the line, or Markdown's `[^1]:`."""
        return not self.literal and _NOTE.match(self.text) is not None

    @property
    def is_row(self) -> bool:
        """A table row: tab-separated cells, or Markdown's pipes."""
        if self.literal:
            return False
        return self.in_table or "\t" in self.text or (self.text.startswith("|") and self.text.count("|") > 1)

    @property
    def is_rule(self) -> bool:
        """Markdown's line between a table's head and its body, or between two parts of a text."""
        dashes = not self.literal and ("--" in self.text or "|" in self.text)
        return dashes and _PIPE_RULE.fullmatch(self.text) is not None

    @property
    def is_bullet(self) -> bool:
        return not self.literal and _BULLET.match(self.text) is not None

    @property
    def article(self) -> str | None:
        """The name of the article of a regulation that the line opens: `第三条`, `第四条（作价入股）`."""
        match = None if self.literal else _ARTICLE.match(self.text)
        return match.group(1) if match else None

    @property
    def marker(self) -> str | None:
        """The number that opens an item, digits folded to `1`, so that items of one list agree."""
        match = _NUMBERED.match(self.text)
        if match is None or self.literal:
            return None
        return re.sub(r"\d+|[①-⑳]", "1", match.group(1))

    @property
    def is_finished(self) -> bool:
        """It ends as a sentence or an introduction ends; else a page break may have cut it.

        A bold lead at the very end has nothing yet to lead: the page broke behind it.
        """
        return self.text.rstrip(_CLOSERS + " ")[-1:] in _TERMINAL and not _BARE_LEAD.search(self.text)


def read_lines(text: str) -> list[Line]:
    """The non-blank lines of `text` in order. Line ends: LF, CRLF, CR and form feed."""
    lines: list[Line] = []
    gap = 0
    for match in re.finditer(r"[^\n\r\f]*(?:\r\n|[\n\r\f]|$)", text):
        raw = match.group().rstrip("\n\r\f")
        if not match.group():
            break
        # A row keeps its empty cells at either end.
        outer = _OUTER if "\t" in raw.strip() else None
        stripped = raw.strip(outer)
        if not stripped:
            gap += 1
            continue
        start = match.start() + len(raw) - len(raw.lstrip(outer))
        lines.append(Line(start, start + len(stripped), stripped, gap))
        gap = 0
    return _mark_tables(_mark_code(lines))


def _mark_code(lines: list[Line]) -> list[Line]:
    """Lines from a fence of ``` or ~~~ to the one that closes it. A fence that nothing closes is text."""
    marked = list(lines)
    fence, first = "", 0
    for i, line in enumerate(lines):
        match = _FENCE.fullmatch(line.text)
        if match is None:
            continue
        if not fence:
            fence, first = match.group(1) or match.group(2), i
        elif line.text.startswith(fence) and not line.text.strip(fence[0]):
            marked[first : i + 1] = [replace(x, literal=True) for x in lines[first : i + 1]]
            fence = ""
    return marked


def _mark_tables(lines: list[Line]) -> list[Line]:
    """Rows without outer pipes, known by the rule below the first of them."""
    marked = list(lines)
    inside = False
    for i, line in enumerate(lines[1:], start=1):
        piped = line.gap == 0 and "|" in line.text and not line.literal
        if piped and line.is_rule:
            head = lines[i - 1]
            inside = "|" in head.text and not head.literal
            marked[i - 1] = replace(head, in_table=inside and not head.is_rule)
        elif inside and piped:
            marked[i] = replace(line, in_table=True)
        else:
            inside = False
    return marked


def wrap_width(lines: list[Line]) -> int | None:
    """The width at which a hard-wrapped text breaks its lines, or None where it doesn't.

    A text is hard-wrapped when most unfinished lines that run on into the next have one length.
    """
    lengths = [len(a.text) for a, b in itertools.pairwise(lines) if b.gap == 0 and not a.is_finished and not a.is_row]
    if len(lengths) < 8:
        return None
    width, _ = Counter(lengths).most_common(1)[0]
    near = sum(abs(n - width) <= 2 for n in lengths)
    return width if width >= 15 and near >= 0.6 * len(lengths) else None


def line_starts(text: str) -> list[int]:
    """Offsets at which lines begin, as an editor counts them (LF, CRLF, CR)."""
    return [0] + [m.end() for m in re.finditer(r"\r\n|\n|\r", text)]


def page_range(starts: Sequence[int], start: int, end: int) -> tuple[int, int] | None:
    """First and last page (from 1) of `[start, end)`; None where there are no pages."""
    return line_range(starts, start, end) if starts else None


def line_range(starts: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """First and last line (from 1) of `[start, end)`."""
    return bisect_right(starts, start), bisect_right(starts, end - 1)
