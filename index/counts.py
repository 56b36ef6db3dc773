"""How often each term occurs in each passage, as it is stored: whole numbers, which other passages don't change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from index.storage import Content, Data
from index.tables import Array, Run, array_content, load_array, new_rows, starts_of
from index.types import Ints, Mask

Keys = npt.NDArray[np.uint64]
MOST = 255
"""A term that occurs more often in a passage counts so often: BM25 hardly tells such numbers apart."""

_TOGETHER = 1 << 21


@dataclass(frozen=True, slots=True)
class Counts:
    """One view: the term `keys[t]` occurs in passages `rows[o[t]:o[t + 1]]` as often as `frequencies` there says.

    `keys` uint64 `[terms]`, rising (see `index.terms`), and each occurs; `offsets` int64 `[terms + 1]`; `rows`
    `[postings]`, rising within a term, of the smallest unsigned type that could hold them; `frequencies` uint8
    `[postings]`, at most `MOST`; `lengths` int32 `[passages]`, terms of each passage with repetitions.

    `shared` int32 `[terms]`: in how many of the passages that have expansions each term occurs; None where none has, or
    all have. The arrays may be read-only views of mapped files.
    """

    keys: Keys
    offsets: Ints
    rows: Array
    frequencies: npt.NDArray[np.uint8]
    lengths: npt.NDArray[np.int32]
    shared: npt.NDArray[np.int32] | None = None

    @property
    def size(self) -> int:
        """How many passages."""
        return len(self.lengths)

    def dump(self) -> dict[str, Content]:
        """Name of the file → content."""
        arrays = {name: getattr(self, name) for name in _TYPES}
        return {f"{name}.npy": array_content(x) for name, x in arrays.items() if x is not None}

    @classmethod
    def load(cls, files: Mapping[str, Data]) -> Counts:
        """Of files as `dump` made them; nothing but their ends is looked at.

        Raises:
            KeyError or ValueError: they are no such files, or don't fit together.
        """
        names = [name for name in _TYPES if name != "shared" or "shared.npy" in files]
        arrays: dict[str, Any] = {name: load_array(files[f"{name}.npy"]) for name in names}
        for name, array_ in arrays.items():
            if array_.ndim != 1 or not np.issubdtype(array_.dtype, _TYPES[name]):
                raise ValueError(f"{name} are {array_.dtype} of shape {array_.shape}")
        counts = cls(**arrays)
        terms, postings = len(counts.keys), len(counts.rows)
        if len(counts.offsets) != terms + 1 or len(counts.frequencies) != postings or counts.offsets[-1] != postings:
            raise ValueError("terms and postings differ in number")
        if counts.shared is not None and len(counts.shared) != terms:
            raise ValueError("terms and what is shared differ in number")
        return counts

    @classmethod
    def joined(cls, tables: Sequence[Counts], runs: Sequence[Run]) -> Counts:
        """The counts of rows of several tables, one behind the other; `shared` is not known of them."""
        places = [new_rows(runs, n, table.size) for n, table in enumerate(tables)]
        kept = [_occurrences(table, to >= 0) for table, to in zip(tables, places, strict=True)]
        keys = _union([table.keys[count > 0] for table, count in zip(tables, kept, strict=True)])
        numbers = [np.searchsorted(keys, table.keys) for table in tables]
        occurrences = np.zeros(len(keys), dtype=np.int64)
        for number, count in zip(numbers, kept, strict=True):
            occurrences[number[count > 0]] += count[count > 0]
        lengths = [np.zeros(0, np.int32), *(tables[run.table].lengths[run.start : run.stop] for run in runs)]
        size = sum(map(len, lengths))
        sources = [_Source(*x) for x in zip(tables, places, numbers, strict=True)]
        offsets = starts_of([occurrences])
        return cls(keys, offsets, *_merge(sources, offsets, size), np.concatenate(lengths, dtype=np.int32))

    def shared_with(self, expanded: Counts) -> Counts:
        """Plain counts with `shared`, where some passages have expansions and some have none.

        `expanded` are the same passages' counts with their expansions: who has none has no terms there.
        """
        has = expanded.lengths > 0
        if not has.any() or has[self.lengths > 0].all():
            return replace(self, shared=None)
        return replace(self, shared=_occurrences(self, has).astype(np.int32))


_TYPES: Mapping[str, Any] = {
    "keys": np.uint64,
    "offsets": np.int64,
    "rows": np.unsignedinteger,
    "frequencies": np.uint8,
    "lengths": np.int32,
    "shared": np.int32,
}


@dataclass(frozen=True, slots=True)
class _Source:
    """A table to be merged: where its rows come to stand, -1 for those left out, and the new numbers of its terms."""

    table: Counts
    places: npt.NDArray[np.int32]
    numbers: Ints

    def postings(self, start: int, stop: int) -> Keys:
        """Those of the new terms `[start, stop)`, each as one number: the term, the row, the frequency."""
        first, last = np.searchsorted(self.numbers, [start, stop])
        offsets = self.table.offsets[first : last + 1]
        some = slice(int(offsets[0]), int(offsets[-1]))
        rows = self.places[self.table.rows[some]]
        terms = np.repeat((self.numbers[first:last] - start).astype(np.uint64) << np.uint64(40), np.diff(offsets))
        packed: Keys = terms | rows.astype(np.uint64) << np.uint64(8) | self.table.frequencies[some]
        return packed if rows.min(initial=0) >= 0 else packed[rows >= 0]


def _merge(sources: Sequence[_Source], offsets: Ints, size: int) -> tuple[Array, npt.NDArray[np.uint8]]:
    """The rows, rising within each term, and the frequencies of all postings, so many terms at a time as fit a cache.

    A term's number, a row and a frequency are one number of 64 bits, and one sort brings all of them in order.
    """
    rows = np.empty(offsets[-1], dtype=row_type(size))
    frequencies = np.empty(offsets[-1], dtype=np.uint8)
    start = 0
    while start < len(offsets) - 1:
        stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + _TOGETHER, side="right")) - 1)
        # Stable: made for what is in order already, as the postings of each table are where documents keep theirs.
        packed = np.sort(np.concatenate([source.postings(start, stop) for source in sources]), kind="stable")
        some = slice(int(offsets[start]), int(offsets[stop]))
        frequencies[some] = packed & np.uint64(MOST)
        rows[some] = packed >> np.uint64(8) & np.uint64((1 << 32) - 1)
        start = stop
    return rows, frequencies


def _union(lists: Sequence[Keys]) -> Keys:
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *lists]))


def _occurrences(table: Counts, chosen: Mask) -> Ints:
    """In how many of the chosen rows each term occurs, int64 `[terms]`."""
    if chosen.all():
        return np.diff(table.offsets)
    found = np.zeros(len(table.keys), dtype=np.int64)
    start = 0
    while start < len(found):
        stop = max(start + 1, int(np.searchsorted(table.offsets, table.offsets[start] + _TOGETHER, side="right")) - 1)
        offsets = table.offsets[start : stop + 1]
        held = chosen[table.rows[int(offsets[0]) : int(offsets[-1])]]
        found[start:stop] = np.add.reduceat(held, offsets[:-1] - offsets[0], dtype=np.int64)
        start = stop
    return found


def row_type(size: int) -> np.dtype[Any]:
    """The smallest unsigned type of a row among so many."""
    return np.min_scalar_type(max(size - 1, 0))


def dump_views(views: Mapping[str, Counts]) -> dict[str, Content]:
    """File name → content."""
    return {f"{view}.{name}": data for view, counts in views.items() for name, data in counts.dump().items()}


def load_views(files: Mapping[str, Data], names: Sequence[str]) -> dict[str, Counts]:
    """Of files as `dump_views` made them; raises as `Counts.load`."""
    return {
        view: Counts.load({k.removeprefix(f"{view}."): v for k, v in files.items() if k.startswith(f"{view}.")})
        for view in names
    }
