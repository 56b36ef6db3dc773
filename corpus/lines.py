"""Lines and blocks of a text, by offset, and what a line looks like on its own."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from corpus.types import Span

_TERMINAL = "。！？!?；;：:…."
_CLOSERS = "”’」』）)】》〉\"'*¹²³⁴⁵⁶⁷⁸⁹⁰"
_BARE_LEAD = re.compile(r"\*\*[^*。！？]{2,40}(?:\*\*[。：:]|[。：:]\*\*)$")
_NOTE = re.compile(r"[¹²³⁴⁵⁶⁷⁸⁹⁰]+\s*\S|\[\^[^\]]+\]:")
_BULLET = re.compile(r"[-*+•·●○▪][ \t　]+\S")
_NUMBERED = re.compile(r"(\d{1,3}[.．、](?!\d)|[(（]\d{1,2}[)）]|[①-⑳])\s*\S")
_PIPE_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `[start, end)` without its line break and outer white space; `text` is that slice."""

    start: int
    end: int
    text: str
    gap: int
    """Blank lines directly before it."""

    @property
    def span(self) -> Span:
        return (self.start, self.end)

    @property
    def is_note(self) -> bool:
        """A footnote: a superscript number that opens the line, or Markdown's `[^1]:`."""
        return _NOTE.match(self.text) is not None

    @property
    def is_row(self) -> bool:
        """A table row: tab-separated cells, or Markdown's pipes."""
        return "\t" in self.text or (self.text.startswith("|") and self.text.count("|") > 1)

    @property
    def is_rule(self) -> bool:
        """Markdown's line between a table's head and its body."""
        return "-" in self.text and _PIPE_RULE.fullmatch(self.text) is not None

    @property
    def is_bullet(self) -> bool:
        return _BULLET.match(self.text) is not None

    @property
    def marker(self) -> str | None:
        """The number that opens an item, digits folded to `1`, so that items of one list agree."""
        match = _NUMBERED.match(self.text)
        if match is None:
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
        stripped = raw.strip()
        if not stripped:
            gap += 1
            continue
        start = match.start() + len(raw) - len(raw.lstrip())
        lines.append(Line(start, start + len(stripped), stripped, gap))
        gap = 0
    return lines


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


def line_range(starts: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """First and last line (from 1) of `[start, end)`."""
    return bisect_right(starts, start), bisect_right(starts, end - 1)
