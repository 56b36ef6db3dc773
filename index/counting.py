"""Counts the terms of passages, many passages at once: numbers are sorted, and no object is made for a term's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.counts import MOST, Counts, row_type
from index.groups import Groups, distinct, first_places
from index.tables import Array
from index.terms import BITS, HASHED, term_key
from index.types import Ints

LONG = 1 << 2 * BITS
"""Numbers of terms begin here that are longer than two characters; a shorter term's number is its key."""

_ROW_BITS = 13
_HELD = 1 << 17


class Numbers(dict[str, int]):
    """Term → a number below 2**43, for as long as one index is built: small enough to be sorted together with a row."""

    def __init__(self) -> None:
        super().__init__()
        self._longer: dict[int, int] = {}

    def __missing__(self, term: str) -> int:
        key = term_key(term)
        number = LONG + self._longer.setdefault(key, len(self._longer)) if key >= HASHED else key
        if len(self) >= _HELD:  # it would grow with the corpus; what is common is soon here again
            self.clear()
        self[term] = number
        return number

    def keys_of(self, numbers: Ints) -> npt.NDArray[np.uint64]:
        """Their keys (`index.terms`), uint64."""
        longer = np.fromiter(self._longer, np.uint64, len(self._longer))
        keys = numbers.astype(np.uint64)
        is_long = numbers >= LONG
        keys[is_long] = longer[numbers[is_long] - LONG]
        return keys


@dataclass(frozen=True, slots=True)
class _Batch:
    """Postings of some passages, term by term: `rows` count from `first`. What is kept of them until the end."""

    first: int
    keys: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.uint16]
    rows: npt.NDArray[np.uint16]
    frequencies: npt.NDArray[np.uint8]


def count(texts: Sequence[Sequence[str]]) -> Counts:
    """The counts of one view; `texts` are the terms of each passage."""
    numbers = Numbers()
    counting = Counting(numbers)
    counting.add(
        Groups.of([[numbers[term] for term in text] for text in texts]), Groups.of([[n] for n in range(len(texts))])
    )
    return counting.counts()


class Counting:
    """Counts terms, batch by batch; what it holds meanwhile is 3 bytes a posting and 10 for each term of a batch."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._batches: list[_Batch] = []
        self._lengths: list[npt.NDArray[np.int32]] = []
        self._size = 0

    def add(self, terms: Groups, passages: Groups) -> None:
        """More passages: the terms of lines, by number, and the lines of each passage.

        A passage without terms has no postings and the length 0.
        """
        for start in range(0, passages.size, 1 << _ROW_BITS):
            some = terms.through(passages.part(start, min(start + (1 << _ROW_BITS), passages.size)))
            if len(some.values):
                self._batches.append(self._count(some))
            self._lengths.append(some.lengths.astype(np.int32))
            self._size += some.size

    def _count(self, terms: Groups) -> _Batch:
        packed = np.sort(terms.values << _ROW_BITS | terms.owners())
        places = first_places(packed)
        frequencies = np.minimum(np.diff(places, append=len(packed)), MOST).astype(np.uint8)
        packed = packed[places]
        numbers = packed >> _ROW_BITS
        heads = first_places(numbers)
        return _Batch(
            first=self._size,
            keys=self._numbers.keys_of(numbers[heads]),
            sizes=np.diff(heads, append=len(numbers)).astype(np.uint16),
            rows=(packed & ((1 << _ROW_BITS) - 1)).astype(np.uint16),
            frequencies=frequencies,
        )

    def counts(self) -> Counts:
        """All that was added, which is then no longer here."""
        batches, self._batches = self._batches, []
        keys = distinct(np.concatenate([np.zeros(0, np.uint64), *(x.keys for x in batches)]))
        offsets = np.zeros(len(keys) + 1, dtype=np.int64)
        for batch in batches:
            offsets[1 + np.searchsorted(keys, batch.keys)] += batch.sizes
        np.cumsum(offsets, out=offsets)
        lengths = np.concatenate([np.zeros(0, np.int32), *self._lengths])
        rows, frequencies = self._merge(batches, keys, offsets)
        return Counts(keys=keys, offsets=offsets, rows=rows, frequencies=frequencies, lengths=lengths)

    def _merge(self, batches: Sequence[_Batch], keys: npt.NDArray[np.uint64], offsets: Ints) -> tuple[Array, Array]:
        """Rows and frequencies, each batch's behind those of the last one, whose rows are lower."""
        rows = np.empty(offsets[-1], dtype=row_type(self._size))
        frequencies = np.empty(offsets[-1], dtype=np.uint8)
        free = offsets[:-1].copy()
        for batch in batches:
            terms = np.searchsorted(keys, batch.keys)
            sizes = batch.sizes.astype(np.int64)
            places = np.arange(len(batch.rows)) + np.repeat(free[terms] - (np.cumsum(sizes) - sizes), sizes)
            rows[places] = batch.first + batch.rows.astype(np.int64)
            frequencies[places] = batch.frequencies
            free[terms] += sizes
        return rows, frequencies
