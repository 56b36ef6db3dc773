"""Numbers in groups, as two arrays: what many lines, passages or pieces hold, without an object for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from index.types import Ints

T = TypeVar("T", bound=np.integer)


@dataclass(frozen=True, slots=True)
class Groups:
    """The numbers of group `n` are `values[starts[n]:starts[n + 1]]`; `starts` int64 `[groups + 1]`, `values` int64."""

    values: Ints
    starts: Ints

    @property
    def size(self) -> int:
        """How many groups."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> Ints:
        """How many numbers each group has, int64 `[groups]`."""
        return np.diff(self.starts)

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]] | Sequence[Ints]) -> Groups:
        """Of lists, or of arrays, of whole numbers."""
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        return cls(np.fromiter(chain.from_iterable(lists), np.int64, int(lengths.sum())), _starts(lengths))

    @classmethod
    def sorted_from(cls, owners: Ints, values: Ints, size: int) -> Groups:
        """Of numbers and the group, below `size`, that each belongs to, in the order in which they come."""
        order = np.argsort(owners, kind="stable")
        return cls(values[order], _starts(np.bincount(owners, minlength=size)))

    @classmethod
    def joined(cls, parts: Sequence[Groups]) -> Groups:
        """The groups of several, one behind the other."""
        values = np.concatenate([np.zeros(0, np.int64), *(x.values for x in parts)])
        return cls(values, _starts(np.concatenate([np.zeros(0, np.int64), *(x.lengths for x in parts)])))

    def part(self, start: int, stop: int) -> Groups:
        """Groups `[start, stop)`."""
        starts = self.starts[start : stop + 1]
        return Groups(self.values[starts[0] : starts[-1]], starts - starts[0])

    def owners(self) -> Ints:
        """The group of each number, int64 `[values]`."""
        return np.repeat(np.arange(self.size), self.lengths)

    def through(self, members: Groups) -> Groups:
        """Of groups whose numbers are groups of this: all the numbers of those, one behind the other.

        >>> lines = Groups.of([[7, 8], [], [9]])
        >>> lines.through(Groups.of([[2, 0], [1]])).values.tolist()
        [9, 7, 8]
        """
        lengths = self.lengths[members.values]
        ends = _starts(lengths)
        places = np.arange(ends[-1]) + np.repeat(self.starts[members.values] - ends[:-1], lengths)
        return Groups(self.values[places], ends[members.starts])

    def distinct(self) -> Groups:
        """Each number once in its group, rising. The numbers are below 2**32, the groups fewer than 2**31."""
        packed = distinct(self.owners() << 32 | self.values)
        return Groups(packed & 0xFFFFFFFF, _starts(np.bincount(packed >> 32, minlength=self.size)))


def distinct(values: npt.NDArray[T]) -> npt.NDArray[T]:
    """Each value once, rising: as `np.unique`, whose hash table is several times slower than sorting whole numbers."""
    rising = np.sort(values)
    return rising[first_places(rising)]


def first_places(rising: npt.NDArray[T]) -> Ints:
    """Where each value of an array comes first, int64; equal ones stand together."""
    changes = np.flatnonzero(rising[1:] != rising[:-1]) + 1
    return np.concatenate([np.zeros(min(len(rising), 1), np.int64), changes])


def _starts(lengths: Ints) -> Ints:
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts
