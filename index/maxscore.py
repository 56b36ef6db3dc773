"""The best passages of a question without scoring all: MaxScore (Turtle and Flood, Query evaluation, IP&M 31(6), 1995).

A term adds to a passage no more than its weight, as tf/(tf + norm) stays below 1. Rare terms come first. Once some passages
are known to score as much as a threshold, one that has none of the rare terms can't reach it if all the frequent ones
together weigh less; these are then only looked up, where the passage could still get in. The result is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.postings import Lists
from index.types import Floats, Ints, Mask

_FIRST = 0.1
"""Postings by passage that are added up before there is a threshold."""

_LOOKED_UP = 8
"""So many postings are added up in the time in which one passage is looked up in a term's list (measured: 7)."""

_AT_ONCE = 4
"""Terms looked up between two looks at who can still get in."""

_SLACK = 1e-5
"""More than what float32 sums of all terms are wrong by; sums are at most 1."""

_Sums = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a question in all its views, rarest first.

    `occurrences` int64 `[terms]`: in how many passages each occurs; `weights` float32 `[terms]`: the most that each adds.
    `ranks`: for each view the places of its own terms in that order, int64, rising.
    """

    occurrences: Ints
    weights: Floats
    ranks: Sequence[Ints]

    @property
    def rests(self) -> _Sums:
        """float64 `[terms + 1]`: what the terms from each one on can add together."""
        return np.append(np.cumsum(self.weights[::-1], dtype=np.float64)[::-1], 0.0)


class Segment:
    """The lists of one segment, one for each view, and the sums so far."""

    def __init__(self, lists: Sequence[Lists], ranks: Sequence[Ints], allowed: Mask | None) -> None:
        self.rows = lists[0].table.rows
        self._lists = lists
        self._ranks = ranks
        self._sums = np.zeros(lists[0].table.counts.size, dtype=np.float32)
        if allowed is not None:
            self._sums[~allowed[self.rows]] = -np.inf

    def add(self, first: int, last: int) -> None:
        """Add up all postings of the terms `[first, last)`."""
        for lists, (a, b) in self._parts(first, last):
            lists.add(self._sums, a, b)

    def above(self, least: float) -> tuple[Ints, Floats]:
        """The rows, int64, rising, with a sum above `least` and above 0, and these sums."""
        rows = np.flatnonzero(self._sums > max(least, 0.0))
        return rows, self._sums.take(rows)

    def look_up(self, rows: Ints, first: int, last: int) -> _Sums:
        """What the terms `[first, last)` add to some rows, rising: float64 `[rows]`."""
        sums = np.zeros(len(rows))
        for lists, (a, b) in self._parts(first, last):
            sums += lists.at(rows, a, b)
        return sums

    def finish(self, terms: Terms, rests: _Sums, first: int, threshold: float) -> tuple[Ints, _Sums]:
        """All rows with a sum of `threshold` or more, int64, rising, and their sums; terms before `first` are in."""
        rows, sums = self.above(threshold - rests[first])
        while first < len(terms.weights) and len(rows) * _LOOKED_UP > self._length(first):
            self.add(first, first + 1)
            first += 1
            rows, sums = self.above(threshold - rests[first])
        found = sums.astype(np.float64)
        for n in range(first, len(terms.weights), _AT_ONCE):
            last = min(n + _AT_ONCE, len(terms.weights))
            found += self.look_up(rows, n, last)
            kept = found >= threshold - rests[last]
            rows, found = rows[kept], found[kept]
        return rows, found

    def _length(self, term: int) -> int:
        return sum(lists.length(a, b) for lists, (a, b) in self._parts(term, term + 1))

    def _parts(self, first: int, last: int) -> list[tuple[Lists, tuple[int, int]]]:
        """For each view that has any its own numbers of the terms `[first, last)`."""
        spans = [tuple(ranks.searchsorted([first, last]).tolist()) for ranks in self._ranks]
        return [(lists, (a, b)) for lists, (a, b) in zip(self._lists, spans, strict=True) if a < b]


def best_rows(lists: Sequence[Sequence[Lists]], terms: Terms, count: int, allowed: Mask | None) -> Ints:
    """Rows, int64, rising, among which are the `count` best of those with a positive sum; `lists` by segment and view."""
    segments = [Segment(x, terms.ranks, allowed) for x in lists]
    if not len(terms.weights) or count < 1 or not segments:
        return np.zeros(0, dtype=np.int64)
    size = sum(x.rows.stop - x.rows.start for x in segments)
    first = 1 + int(np.cumsum(terms.occurrences)[1:].searchsorted(_FIRST * size))
    for segment in segments:
        segment.add(0, first)
    threshold = _threshold(segments, first, len(terms.weights), count)
    rests = terms.rests
    essential = max(first, int((-rests).searchsorted(-threshold, side="right"))) if threshold > 0 else len(rests) - 1
    found: list[Ints] = []
    reached = np.zeros(0)
    for segment in segments:
        segment.add(first, essential)
        rows, sums = segment.finish(terms, rests, essential, threshold)
        found.append(rows + segment.rows.start)
        reached = np.append(reached, sums)
        if len(reached) > count:
            reached = np.partition(reached, -count)[-count:]
            threshold = max(threshold, float(reached[0]) - _SLACK)
    return np.concatenate(found)


def _threshold(segments: Sequence[Segment], first: int, last: int, count: int) -> float:
    """What `count` passages score at least: those that are best by the terms before `first`; 0 where there are fewer."""
    found: list[tuple[Ints, Floats]] = []
    least, sums = 0.0, np.zeros(0, dtype=np.float32)
    for segment in segments:
        rows, own = segment.above(least)
        found.append((rows, own))
        sums = np.append(sums, own)
        if len(sums) >= count:
            sums = np.partition(sums, -count)[-count:]
            least = float(sums[0])
    if len(sums) < count:
        return 0.0
    whole = []
    for segment, (rows, own) in zip(segments, found, strict=True):
        kept = own >= least
        whole.append(own[kept] + segment.look_up(rows[kept], first, last))
    totals = np.concatenate(whole)
    return max(float(np.partition(totals, -count)[-count]) - _SLACK, 0.0)
