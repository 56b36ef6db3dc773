"""Many lines of text → their terms, all at once: each line is folded and cut once, whatever is then made of it.

What it gives is what `words`, `characters` and `runs` of `index.segment` give of each line. Folding never looks past
a line's end, and no term does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from index.counting import Numbers
from index.groups import Groups
from index.segment import HAN_RANGES, LATIN, LINE_END, normalise_lines, segmenter
from index.terms import BITS
from index.types import Floats, Ints, LateInteraction, Mask

_BREAK = "\n"
_TOGETHER = 1 << 18


@dataclass(frozen=True, slots=True)
class Split:
    """Lines, cut. `folded` are the lines normalised; `han` each one's runs of Han characters, with breaks between.

    `latin` are the runs of letters and digits of all lines, and `latin_lines` the lines in which they stand, int64
    rising. `characters` and `words` are each line's terms as `Numbers` gives them.
    """

    folded: Sequence[str]
    han: Sequence[str]
    latin: Sequence[str]
    latin_lines: Ints
    characters: Groups
    words: Groups

    @classmethod
    def of(cls, lines: Sequence[str], numbers: Numbers) -> Split:
        """Of lines; `numbers` number their terms."""
        parts = [_split(lines[start:stop], numbers) for start, stop in _blocks(lines)]
        before = np.cumsum([0, *(len(x.folded) for x in parts)]).tolist()
        return cls(
            folded=[line for x in parts for line in x.folded],
            han=[line for x in parts for line in x.han],
            latin=[run for x in parts for run in x.latin],
            latin_lines=np.concatenate(
                [np.zeros(0, np.int64), *(x.latin_lines + n for x, n in zip(parts, before, strict=False))]
            ),
            characters=Groups.joined([x.characters for x in parts]),
            words=Groups.joined([x.words for x in parts]),
        )


@runtime_checkable
class LineEncoder(LateInteraction, Protocol):
    """What an encoder may offer beside, if it reads a text line by line: the words of a text are those of its lines, and
    its vector is made of its distinct words alone. Then no line need be read twice.
    """

    def line_units(self, han: Sequence[str], latin: Sequence[str], lines: Ints) -> Groups:
        """The words of lines as ids, one group a line, in any order and with repetitions; the lines as in `Split`."""

    def means(self, bags: Groups) -> Floats:
        """float32 `[bags, dim]`: as `encode_passages` of texts that have these distinct words."""


def _blocks(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Lines `[start, stop)` of about `_TOGETHER` characters: a batch's arrays stay in the cache, and are bounded."""
    blocks: list[tuple[int, int]] = []
    start = length = 0
    for n, line in enumerate(lines):
        length += len(line)
        if length >= _TOGETHER or n == len(lines) - 1:
            blocks.append((start, n + 1))
            start, length = n + 1, 0
    return blocks


def _split(lines: Sequence[str], numbers: Numbers) -> Split:
    folded = LINE_END.join([*normalise_lines(lines), ""])
    codes = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    is_end, is_han = codes == ord(LINE_END), _is_han(codes)
    owners: Ints = np.cumsum(is_end) - is_end
    han = _han_runs(codes, is_han, is_end)
    latin, latin_owners = _with_lines(LATIN.findall(folded))
    known = _numbered(latin, numbers)
    pairs = np.flatnonzero(is_han[:-1] & is_han[1:])
    wide: Ints = codes.astype(np.int64)
    characters = Groups.sorted_from(
        np.concatenate([owners[is_han], owners[pairs], latin_owners]),
        np.concatenate([wide[is_han], wide[pairs] << BITS | wide[pairs + 1], known]),
        len(lines),
    )
    cut, cut_owners = _cut(segmenter(), han, numbers)
    words = Groups.sorted_from(np.concatenate([cut_owners, latin_owners]), np.concatenate([cut, known]), len(lines))
    return Split(folded.split(LINE_END)[:-1], han.split(LINE_END)[:-1], latin, latin_owners, characters, words)


def _is_han(codes: npt.NDArray[np.uint32]) -> Mask:
    found = np.zeros(len(codes), dtype=np.bool_)
    for first, last in HAN_RANGES:
        found |= (codes >= first) & (codes <= last)
    return found


def _han_runs(codes: npt.NDArray[np.uint32], is_han: Mask, is_end: Mask) -> str:
    """The text with one break for whatever stands between two runs of Han characters; lines keep their ends."""
    kept = is_han | is_end
    kept[1:] |= is_han[:-1]
    runs = np.where(is_han | is_end, codes, np.uint32(ord(_BREAK)))[kept]
    return runs.astype("<u4").tobytes().decode("utf-32-le")


def _with_lines(found: Sequence[str]) -> tuple[list[str], Ints]:
    """Runs among which the ends of lines stand: the runs, and the line of each."""
    is_end = np.fromiter((run == LINE_END for run in found), np.bool_, len(found))
    owners: Ints = np.cumsum(is_end)[~is_end].astype(np.int64)
    return [run for run in found if run != LINE_END], owners


def _numbered(terms: Sequence[str], numbers: Numbers) -> Ints:
    return np.fromiter(map(numbers.__getitem__, terms), np.int64, len(terms))


def _cut(cut: Callable[[str], list[str]], han: str, numbers: Numbers) -> tuple[Ints, Ints]:
    """The words of runs of Han characters, by number, and the line of each."""
    found = _numbered(cut(han), numbers)
    ends = np.cumsum(found == ord(LINE_END))
    is_word = (found != ord(LINE_END)) & (found != ord(_BREAK))
    return found[is_word], ends[is_word].astype(np.int64)
