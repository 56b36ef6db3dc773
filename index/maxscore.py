"""The best passages of a question without scoring all, after MaxScore (Turtle and Flood, Query evaluation, 1995).

A term adds to a passage no more than its weight, as tf/(tf + norm) stays below 1. Rare terms come first: few passages have
them, and their postings are added up. If the frequent ones weigh less together than what the last of the best passages
scores, no passage is among the best that has none of the rare terms. So the frequent ones, which have most of the
postings, are only looked up, and only for the passages that are best by the others.

What the last of the best will score is estimated, and of the passages that could still be among them no more than `_POOL`
are looked up. Where the question has no more than `_ALWAYS` postings all are added up, and the result is exact. Among 100 thousand and
a million passages in 8 segments, made of halves of real ones, questions of `dev` got 99.9% of the 200 best, and all of
the first 20, for a tenth to a fifth of the postings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from index.postings import Lists
from index.types import Floats, Ints, Mask

_FIRST = 0.03
"""Postings by passage that are added up to estimate what the best score."""

_ALWAYS = 1 << 18
"""So many postings are added up in any case: looking some of them up would not take less time."""

_SAMPLE = 64
"""So many passages are looked up for that estimate."""

_POOL = 3072
"""The most passages in which the frequent terms are looked up."""

_LIKELY, _LIKELY_LEAST = 0.1, 1 << 16
"""Postings by passage, and in any case, that are added up where others score what is found."""

_STEP = 16
"""One of so many scores is looked at to see how high the best are."""

_AT_ONCE = 5
"""Terms looked up before half of the passages are left out; that happens twice."""

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


class _Segment:
    """The lists of one segment, one for each view."""

    def __init__(self, lists: Sequence[Lists], ranks: Sequence[Ints]) -> None:
        self.rows = lists[0].table.rows
        self.size = lists[0].table.counts.size
        self._lists = lists
        self._ranks = ranks

    def add(self, sums: Floats, first: int, last: int) -> None:
        """Add all postings of the terms `[first, last)` to the sums of the rows."""
        for lists, a, b in self._parts(first, last):
            lists.add(sums, a, b)

    def look_up(self, rows: Ints, first: int, last: int) -> _Sums:
        """What the terms `[first, last)` add to some rows, rising: float64 `[rows]`."""
        sums = np.zeros(len(rows))
        for lists, a, b in self._parts(first, last):
            sums += lists.at(rows, a, b)
        return sums

    def _parts(self, first: int, last: int) -> list[tuple[Lists, int, int]]:
        """For each view that has any its own numbers of the terms `[first, last)`."""
        spans = [ranks.searchsorted([first, last]).tolist() for ranks in self._ranks]
        return [(lists, a, b) for lists, (a, b) in zip(self._lists, spans, strict=True) if a < b]


_Found = tuple[Ints, _Sums]
"""Rows of one segment, rising, and their sums so far."""


def best_rows(lists: Sequence[Sequence[Lists]], terms: Terms, count: int, allowed: Mask | None) -> Ints:
    """The `count` rows with the largest positive sums, int64, best first, ties by row; `lists` by segment and view.

    `allowed` bool `[all rows]`: the others may not be found.
    """
    segments = [_Segment(x, terms.ranks) for x in lists]
    last = len(terms.weights)
    if not last or count < 1 or not segments:
        return np.zeros(0, dtype=np.int64)
    rests = terms.rests
    keep = max(_POOL, 4 * count)
    added, least = _added(segments, terms, rests, count, keep, allowed)
    pool = _summed(segments, added, keep if added < last else count, least, allowed)
    for n, stop in pairwise([min(added + n * _AT_ONCE, last) for n in range(3)] + [last]):
        if n == stop:
            break
        pool = [(rows, sums + x.look_up(rows, n, stop)) for x, (rows, sums) in zip(segments, pool, strict=True)]
        sums = np.concatenate([sums for _, sums in pool])
        keep = max(keep // 2, 2 * count)
        pool = _from(pool, max(_nth(sums, keep), _nth(sums, count) - rests[stop]))
    rows = np.concatenate([rows + x.rows.start for x, (rows, _) in zip(segments, pool, strict=True)])
    sums = np.concatenate([sums for _, sums in pool])
    best: Ints = rows[np.lexsort((rows, -sums))[:count]]
    return best


def likely_rows(lists: Sequence[Sequence[Lists]], terms: Terms, count: int, allowed: Mask | None) -> Ints:
    """As `best_rows`, by the rarest terms alone, whose postings are about `_LIKELY` of all passages or `_LIKELY_LEAST`."""
    segments = [_Segment(x, terms.ranks) for x in lists]
    if not len(terms.weights) or count < 1 or not segments:
        return np.zeros(0, dtype=np.int64)
    found = _summed(segments, _rarest(segments, terms), count, 0.0, allowed)
    return np.concatenate([rows + x.rows.start for x, (rows, _) in zip(segments, found, strict=True)])


class LikelySums:
    """What the terms of `likely_rows` add to each row."""

    def __init__(self, lists: Sequence[Sequence[Lists]], terms: Terms) -> None:
        self._segments = [_Segment(x, terms.ranks) for x in lists]
        self._last = _rarest(self._segments, terms) if len(terms.weights) else 0

    def add(self, sums: Floats, segment: int) -> None:
        """Add it to the sums of a segment's rows, float32 `[rows of the segment]`."""
        self._segments[segment].add(sums, 0, self._last)


def _rarest(segments: Sequence[_Segment], terms: Terms) -> int:
    """How many of the terms, rarest first, have as many postings."""
    most = max(_LIKELY_LEAST, int(_LIKELY * sum(x.size for x in segments)))
    return max(1, int(np.cumsum(terms.occurrences).searchsorted(most, side="right")))


def _added(
    segments: Sequence[_Segment], terms: Terms, rests: _Sums, count: int, keep: int, allowed: Mask | None
) -> tuple[int, float]:
    """How many of the terms are added up: the others can't make a passage one of the `count` best, as is estimated.

    The best by the rarest terms score what these give them, and what the others give to some of the very best. Also a
    sum that `keep` passages reach for certain; 0 where that is not known.
    """
    postings = np.cumsum(terms.occurrences)
    size, last = sum(x.size for x in segments), len(rests) - 1
    first = 1 + int(postings[1:].searchsorted(_FIRST * size))
    always = int(postings.searchsorted(_ALWAYS, side="right"))
    if first >= last or always >= last:
        return last, 0.0
    best = _summed(segments, first, keep, 0.0, allowed)
    sums = np.concatenate([sums for _, sums in best])
    if len(sums) < count:
        return last, 0.0
    sample = _from(best, _nth(sums, min(_SAMPLE, count)))
    gains = [x.look_up(rows[:_SAMPLE], first, last) for x, (rows, _) in zip(segments, sample, strict=True)]
    threshold = _nth(sums, count) + float(np.median(np.concatenate(gains)))
    return max(first, always, int((-rests).searchsorted(-threshold, side="right"))), _nth(sums, keep)


def _summed(segments: Sequence[_Segment], last: int, count: int, least: float, allowed: Mask | None) -> list[_Found]:
    """The best `count` rows by the terms before `last`, by segment; sums are positive, and `least` or more."""
    buffer = np.empty(max(x.size for x in segments), dtype=np.float32)
    found: list[_Found] = []
    best = np.zeros(0)
    for segment in segments:
        sums = buffer[: segment.size]
        sums.fill(0)
        segment.add(sums, 0, last)
        if allowed is not None:
            sums[~allowed[segment.rows]] = 0
        least = max(least, reached(sums, count))
        rows = np.flatnonzero(sums >= least if least > 0 else sums > 0)
        found.append((rows, sums.take(rows).astype(np.float64)))
        best = np.append(best, found[-1][1])
        if len(best) > count:
            best = np.partition(best, -count)[-count:]
            least = float(best.min())
    return _from(found, least)


def reached(scores: Floats, count: int) -> float:
    """A score that at least `count` of all reach for certain, and not many more; 0 where none is told by a sample.

    Then most need not be gone through: that takes longer than all the rest.
    """
    some = scores[::_STEP]
    nth = 2 * (count // _STEP + 1)
    if nth > len(some):
        return 0.0
    bound = float(np.partition(some, -nth)[-nth])
    return bound if bound > 0 and np.count_nonzero(scores >= bound) >= count else 0.0


def _from(found: Sequence[_Found], least: float) -> list[_Found]:
    """Those with a sum of at least `least`."""
    kept = [sums >= least for _, sums in found]
    return [(rows[some], sums[some]) for (rows, sums), some in zip(found, kept, strict=True)]


def _nth(sums: _Sums, count: int) -> float:
    """The sum that `count` of all reach; 0 where there are fewer."""
    return float(np.partition(sums, -count)[-count]) if len(sums) >= count else 0.0
