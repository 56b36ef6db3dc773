"""Where the terms of a question occur: counts with what BM25 makes of a passage's length, and their parts by term.

Nothing here is computed over all terms or postings: a question reads the postings of its own terms, and of the terms that
are only looked up no more than what a binary search touches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.counts import Counts, Keys
from index.types import Floats, Ints, Mask

_TOGETHER = 1 << 14


@dataclass(frozen=True, slots=True)
class Table:
    """One view of one segment, whose rows begin at `first`; `norms` float32 `[rows]` are k1·(1 − b + b·dl/avgdl), infinite
    in rows that don't count.

    `only`, bool `[rows]`: postings of other rows don't count, nor do the passages that are `shared` (see `Counts`).
    """

    counts: Counts
    first: int
    norms: Floats
    only: Mask | None = None

    @classmethod
    def of(cls, counts: Counts, first: int, norms: Floats, only: Mask | None) -> Table:
        """`norms` are of all rows."""
        return cls(counts, first, norms if only is None else np.where(only, norms, np.float32(np.inf)), only)

    @property
    def rows(self) -> slice:
        """All rows of the segment."""
        return slice(self.first, self.first + self.counts.size)

    def spans(self, keys: Keys) -> tuple[Ints, Ints, Ints]:
        """Where the postings of each term begin and end, and how many of them count; int64 `[keys]` each."""
        counts = self.counts
        if not len(counts.keys):
            none = np.zeros(len(keys), dtype=np.int64)
            return none, none, none
        places = np.minimum(counts.keys.searchsorted(keys), len(counts.keys) - 1)
        is_known = counts.keys[places] == keys
        starts = np.where(is_known, counts.offsets[places], 0)
        stops = np.where(is_known, counts.offsets[places + 1], 0)
        number = stops - starts
        if self.only is not None and counts.shared is not None:
            number = number - np.where(is_known, counts.shared[places], 0)
        return starts, stops, number

    def held(self, start: int, stop: int, rows: Ints) -> Mask:
        """bool `[rows]`: which rows of the table, rising, are among the postings `[start, stop)`."""
        postings = self.counts.rows[start:stop]
        if start == stop:
            return np.zeros(len(rows), dtype=np.bool_)
        wanted = rows.astype(postings.dtype)
        held: Mask = postings.take(np.minimum(postings.searchsorted(wanted), stop - start - 1)) == wanted
        return held if self.only is None else held & self.only.take(rows)


@dataclass(frozen=True, slots=True)
class Lists:
    """The postings of some terms in one table: those of term `n` are `[starts[n], stops[n])`, int64 `[terms]`.

    What a posting adds to its passage is `weights[n]`, float32 `[terms]`, times tf/(tf + norm).
    """

    table: Table
    starts: Ints
    stops: Ints
    weights: Floats

    def length(self, first: int, last: int) -> int:
        """How many postings the terms `[first, last)` have."""
        return int((self.stops[first:last] - self.starts[first:last]).sum())

    def add(self, totals: npt.NDArray[np.floating], first: int, last: int) -> None:
        """Add what all postings of the terms `[first, last)` say to `totals` `[rows of the table]`."""
        counts, norms = self.table.counts, self.table.norms
        for n, stop in self._blocks(first, last):
            spans = [
                slice(a, b) for a, b in zip(self.starts[n:stop].tolist(), self.stops[n:stop].tolist(), strict=True)
            ]
            # One cast saves several: numpy indexes by this type alone.
            rows = _together([counts.rows[x] for x in spans]).astype(np.intp)
            impacts = _together([counts.frequencies[x] for x in spans]).astype(np.float32)
            sums = norms.take(rows)
            sums += impacts
            impacts /= sums
            if stop == n + 1:
                impacts *= self.weights[n]
            else:
                impacts *= np.repeat(self.weights[n:stop], self.stops[n:stop] - self.starts[n:stop])
            np.add.at(totals, rows, impacts.astype(totals.dtype, copy=False))

    def at(self, rows: Ints, first: int, last: int) -> npt.NDArray[np.float64]:
        """What the terms `[first, last)` say of some rows of the table, rising: float64 `[rows]`."""
        counts = self.table.counts
        if first == last or not len(rows) or not len(counts.rows):
            return np.zeros(len(rows))
        wanted = rows.astype(counts.rows.dtype)
        places = np.empty((last - first, len(rows)), dtype=np.intp)
        for n, (a, b) in enumerate(zip(self.starts[first:last].tolist(), self.stops[first:last].tolist(), strict=True)):
            places[n] = counts.rows[a:b].searchsorted(wanted)
        places += self.starts[first:last, None]
        np.minimum(places, np.maximum(self.stops[first:last, None] - 1, 0), out=places)
        frequencies = counts.frequencies.take(places).astype(np.float32)
        frequencies *= counts.rows.take(places) == wanted
        frequencies *= self.stops[first:last, None] > self.starts[first:last, None]
        impacts = self.weights[first:last, None] * (frequencies / (frequencies + self.table.norms.take(rows)))
        return np.asarray(impacts.sum(axis=0, dtype=np.float64))

    def _blocks(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The terms `[first, last)` in turn, so many at a time as have few enough postings."""
        ends = np.cumsum(self.stops[first:last] - self.starts[first:last])
        start = 0
        while start < len(ends):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(ends.searchsorted(before + _TOGETHER, side="right")))
            yield first + start, first + stop
            start = stop


def _together(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Arrays one behind the other; a single one as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
