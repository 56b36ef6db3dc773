"""How often each term occurs in each passage, as it is stored: whole numbers, which other passages don't change."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from index.storage import Content
from index.tables import Array, Run, array_content, load_array, new_rows
from index.types import Ints

_TOGETHER = 1 << 18


@dataclass(frozen=True, slots=True)
class Counts:
    """One view: the term `t` occurs in passages `rows[o[t]:o[t + 1]]`, rising, as often as `frequencies` there says.

    `terms` are sorted, and each occurs; `offsets` int64 `[terms + 1]`; `rows` and `frequencies` `[postings]`, each of the
    smallest unsigned type that could hold them; `lengths` int32 `[passages]`, terms of each passage with repetitions.
    """

    terms: Sequence[str]
    offsets: Ints
    rows: Array
    frequencies: Array
    lengths: npt.NDArray[np.int32]

    @property
    def size(self) -> int:
        """How many passages."""
        return len(self.lengths)

    def dump(self) -> dict[str, Content]:
        """Ending of the file's name → content."""
        arrays = {name: array_content(getattr(self, name)) for name in _ARRAYS}
        return {"terms.txt": "\n".join(self.terms).encode("utf-8"), **{f"{k}.npy": v for k, v in arrays.items()}}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Counts:
        """Of files as `dump` made them.

        Raises:
            ValueError: they are no such files, or don't fit together.
        """
        text = files["terms.txt"].decode("utf-8")
        counts = cls(text.split("\n") if text else [], **{name: load_array(files[f"{name}.npy"]) for name in _ARRAYS})
        if len(counts.offsets) != len(counts.terms) + 1 or not (
            len(counts.rows) == len(counts.frequencies) == counts.offsets[-1]
        ):
            raise ValueError("terms and postings differ in number")
        return counts

    @classmethod
    def joined(cls, tables: Sequence[Counts], runs: Sequence[Run]) -> Counts:
        """The counts of rows of several tables, one behind the other."""
        places = [new_rows(runs, n, table.size) for n, table in enumerate(tables)]
        kept = [_occurrences(table, to) for table, to in zip(tables, places, strict=True)]
        terms, numbers = _union([_occurring(t.terms, n) for t, n in zip(tables, kept, strict=True)])
        occurrences = np.zeros(len(terms), dtype=np.int64)
        for held, count in zip(numbers, kept, strict=True):
            occurrences[held] += count[count > 0]
        sources = [_Source.of(*x) for x in zip(tables, places, numbers, kept, strict=True)]
        offsets = np.concatenate([[0], np.cumsum(occurrences)]).astype(np.int64)
        lengths = [tables[run.table].lengths[run.start : run.stop] for run in runs]
        rows, frequencies = _merge(sources, offsets, sum(map(len, lengths)))
        return cls(terms, offsets, rows, frequencies, np.concatenate([np.zeros(0, np.int32), *lengths]))


_ARRAYS = ("offsets", "rows", "frequencies", "lengths")


@dataclass(frozen=True, slots=True)
class _Source:
    """A table to be merged: where its rows and its terms come to stand.

    `partial`: rows of it are left out; `unmoved`: none moves.
    """

    table: Counts
    places: npt.NDArray[np.int32]
    numbers: Ints
    partial: bool
    unmoved: bool

    @classmethod
    def of(cls, table: Counts, places: npt.NDArray[np.int32], held: Ints, count: Ints) -> _Source:
        """`held` are the new numbers of the terms that still occur, those with a `count`."""
        # A term that is gone takes the number of the next one: it has no postings left that would use it.
        following = np.searchsorted(np.flatnonzero(count), np.arange(len(count)))
        numbers = np.append(held, held[-1:])[following] if len(held) else np.zeros(len(count), dtype=np.int64)
        unmoved = bool((places == np.arange(len(places))).all())
        return cls(table, places, numbers, bool((places < 0).any()), unmoved)

    def postings(self, start: int, stop: int, bits: int) -> _Postings:
        """Those of the new terms `[start, stop)`."""
        first, last = np.searchsorted(self.numbers, [start, stop])
        offsets = self.table.offsets[first : last + 1]
        some = slice(int(offsets[0]), int(offsets[-1]))
        rows, frequencies = self.table.rows[some], self.table.frequencies[some]
        if not self.unmoved:
            rows = self.places[rows]
        heads: Ints = self.numbers[first:last] << bits
        found = _Postings(np.repeat(heads, np.diff(offsets)) + rows, rows, frequencies)
        return found.chosen(rows >= 0) if self.partial else found


@dataclass(frozen=True, slots=True)
class _Postings:
    """Some postings, int64 `keys`: the number of the term above that of the row."""

    keys: Ints
    rows: Array
    frequencies: Array

    def chosen(self, some: Array) -> _Postings:
        """Those of a mask, or in an order."""
        return _Postings(self.keys[some], self.rows[some], self.frequencies[some])

    def with_others(self, other: _Postings) -> _Postings:
        """Both together; the keys of each rise."""
        if not len(other.keys) or not len(self.keys):
            return other if len(other.keys) else self
        places = np.searchsorted(self.keys, other.keys) + np.arange(len(other.keys))
        own = np.ones(len(self.keys) + len(other.keys), dtype=np.bool_)
        own[places] = False

        def merged(mine: Array, others: Array) -> Array:
            both = np.empty(len(own), dtype=np.result_type(mine, others))
            both[own], both[places] = mine, others
            return both

        return _Postings(*(merged(getattr(self, x), getattr(other, x)) for x in ("keys", "rows", "frequencies")))


def _union(lists: Sequence[Sequence[str]]) -> tuple[list[str], list[Ints]]:
    """The terms of sorted lists, each once and sorted, and the numbers that each list's terms have there.

    Linear in the first list, which may be long, where the others are short.
    """
    terms: list[str] = list(lists[0])
    numbers: list[Ints] = [np.arange(len(terms))]
    for other in lists[1:]:
        at = np.array([bisect_left(terms, t) for t in other], dtype=np.int64)
        is_new = np.array([n == len(terms) or terms[n] != t for n, t in zip(at.tolist(), other, strict=True)], np.bool_)
        moved = np.arange(len(terms)) + np.searchsorted(at[is_new], np.arange(len(terms)), side="right")
        before: Ints = np.cumsum(is_new) - is_new
        numbers = [*(moved[x] for x in numbers), at + before]
        terms = sorted([*terms, *(t for t, new in zip(other, is_new.tolist(), strict=True) if new)])
    return terms, numbers


def _occurrences(table: Counts, places: npt.NDArray[np.int32]) -> Ints:
    """In how many of the rows that are kept each term occurs, int64 `[terms]`."""
    if not len(table.terms) or (places >= 0).all():
        return np.diff(table.offsets)
    return np.add.reduceat(places[table.rows] >= 0, table.offsets[:-1], dtype=np.int64)


def _occurring(terms: Sequence[str], count: Ints) -> Sequence[str]:
    return terms if count.all() else [terms[n] for n in np.flatnonzero(count).tolist()]


def _merge(sources: Sequence[_Source], offsets: Ints, size: int) -> tuple[Array, Array]:
    """The rows, rising within each term, and the frequencies of all postings, so many terms at a time as fit a cache."""
    rows = np.empty(offsets[-1], dtype=_row_type(size))
    frequencies = np.empty(offsets[-1], dtype=np.result_type(*(x.table.frequencies for x in sources)))
    start = 0
    while start < len(offsets) - 1:
        stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + _TOGETHER, side="right")) - 1)
        found = [source.postings(start, stop, size.bit_length()) for source in sources]
        # The rows of a table whose documents changed places no longer rise.
        rising = [x if (x.keys[1:] > x.keys[:-1]).all() else x.chosen(np.argsort(x.keys)) for x in found]
        together = reduce(_Postings.with_others, rising)
        some = slice(int(offsets[start]), int(offsets[stop]))
        rows[some], frequencies[some] = together.rows, together.frequencies
        start = stop
    return rows, _smallest(frequencies)


def _row_type(size: int) -> np.dtype[Any]:
    return np.min_scalar_type(max(size - 1, 0))


def _smallest(frequencies: Array) -> Array:
    return frequencies.astype(np.min_scalar_type(int(frequencies.max(initial=0))), copy=False)


class Counting:
    """Counts terms passage by passage."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__
        self._terms, self._frequencies, self._distinct, self._lengths = (array("q") for _ in range(4))

    def add(self, terms: Sequence[str]) -> None:
        """One more passage."""
        count = Counter(terms)
        self._terms.extend(map(self._numbers.__getitem__, count))
        self._frequencies.extend(count.values())
        self._distinct.append(len(count))
        self._lengths.append(len(terms))

    def counts(self) -> Counts:
        """All that was added."""
        terms = sorted(self._numbers)
        places = np.empty(len(terms), dtype=np.int64)
        places[[self._numbers[t] for t in terms]] = np.arange(len(terms))
        numbers, lengths = places[np.array(self._terms)], np.array(self._lengths)
        rows = np.repeat(np.arange(len(lengths)), np.array(self._distinct))
        order = np.argsort(numbers * max(len(lengths), 1) + rows)
        occurrences = np.bincount(numbers, minlength=len(terms))
        return Counts(
            terms=terms,
            offsets=np.concatenate([[0], np.cumsum(occurrences)]).astype(np.int64),
            rows=rows[order].astype(_row_type(len(lengths))),
            frequencies=_smallest(np.array(self._frequencies)[order]),
            lengths=lengths.astype(np.int32),
        )


def dump_views(views: Mapping[str, Counts]) -> dict[str, Content]:
    """File name → content."""
    return {f"{view}.{name}": data for view, counts in views.items() for name, data in counts.dump().items()}


def load_views(files: Mapping[str, bytes], names: Sequence[str]) -> dict[str, Counts]:
    """Of files as `dump_views` made them; raises as `Counts.load`."""
    return {
        view: Counts.load({k.removeprefix(f"{view}."): v for k, v in files.items() if k.startswith(f"{view}.")})
        for view in names
    }
