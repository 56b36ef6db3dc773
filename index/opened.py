"""Passages and documents of opened segments, each read when it is asked for.

What a large generation holds is mapped and not checked as a whole, so each line and each text is, before it is shown:
whatever a disk did to it, no damaged word is quoted.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Generic, TypeVar, overload

import numpy as np

from index.described import load_document
from index.rows import Row, load_row
from index.shelf import Share, Shelf
from index.storage import IndexProblem
from index.types import DocumentInfo

_AT_HAND = 4096
Wrong = Callable[[IndexProblem], Exception]
"""What is raised where something is found to be damaged while it is shown."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class _Recent(Generic[_K, _V]):
    """The values that were used last."""

    def __init__(self, most: int = _AT_HAND) -> None:
        self._most = most
        self._held: OrderedDict[_K, _V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _K, make: Callable[[], _V]) -> _V:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        value = make()
        with self._lock:
            self._held[key] = value
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        return value


class Rows(Sequence[Row]):
    """The passages of all segments, numbered through."""

    def __init__(self, shelves: Sequence[Shelf], wrong: Wrong = lambda problem: problem) -> None:
        self._shelves, self._wrong = shelves, wrong
        self._firsts = [0, *np.cumsum([shelf.size for shelf in shelves]).tolist()]
        self._recent: _Recent[int, Row] = _Recent()

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @overload
    def __getitem__(self, number: int) -> Row: ...
    @overload
    def __getitem__(self, number: slice) -> list[Row]: ...
    def __getitem__(self, number: int | slice) -> Row | list[Row]:
        """Raises `wrong`, by default an IndexProblem `index_damaged`, where it is not what was written."""
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        place = number % len(self)
        return self._recent.get(place, lambda: load_row(self.line(place)))

    def __iter__(self) -> Iterator[Row]:
        return (load_row(self.line(n)) for n in range(len(self)))  # all of them: none is kept

    def line(self, number: int) -> bytes:
        """The passage as it is stored; raises as to get it."""
        shelf, n = self._place(number)
        line = bytes(shelf.passages[int(shelf.lines[n]) : int(shelf.lines[n + 1])])
        if zlib.crc32(line) != shelf.sums[n]:
            raise self._wrong(_damaged(f"第 {number} 段"))
        return line

    def bounded(self, rows: range, start: int, end: int) -> list[int]:
        """Those of a document's rows whose passages begin and end there."""
        if not rows:
            return []
        shelf, first = self._place(rows.start)
        bounds = shelf.bounds[first : first + len(rows)]
        return [rows.start + int(n) for n in np.flatnonzero((bounds == [start, end]).all(axis=1))]

    def _place(self, number: int) -> tuple[Shelf, int]:
        segment = bisect_right(self._firsts, number) - 1
        return self._shelves[segment], number - self._firsts[segment]


class Documents(Mapping[str, DocumentInfo]):
    """The documents of all segments by their ids."""

    def __init__(self, shelves: Sequence[Shelf], wrong: Wrong = lambda problem: problem) -> None:
        self._wrong = wrong
        self._places = {share.id: (shelf, n) for shelf in shelves for n, share in enumerate(shelf.shares)}
        self._recent: _Recent[str, DocumentInfo] = _Recent()

    def __getitem__(self, document_id: str) -> DocumentInfo:
        """Raises KeyError where there is none; as to get a passage, where it is not what was written."""
        shelf, n = self._places[document_id]
        return self._recent.get(document_id, lambda: self._about(shelf, n))

    def __contains__(self, document_id: object) -> bool:
        return document_id in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def share(self, document_id: str) -> Share:
        """What is known of a document before it is read; raises KeyError where there is none."""
        shelf, n = self._places[document_id]
        return shelf.shares[n]

    def shares(self) -> Iterator[Share]:
        """Those of all documents, in their order."""
        return (shelf.shares[n] for shelf, n in self._places.values())

    def text(self, document_id: str) -> str:
        """The document's text exactly as it was indexed; raises as to get its description."""
        shelf, n = self._places[document_id]
        text = shelf.text(n)
        if zlib.crc32(text) != shelf.shares[n].text_sum:
            raise self._wrong(_damaged(f"{document_id} 的原文"))
        return str(text, "utf-8")

    def _about(self, shelf: Shelf, n: int) -> DocumentInfo:
        line = shelf.about(n)
        if zlib.crc32(line) != shelf.shares[n].about_sum:
            raise self._wrong(_damaged(f"{shelf.shares[n].id} 的说明"))
        return load_document(line)


def _damaged(what: str) -> IndexProblem:
    return IndexProblem("index_damaged", f"索引中{what}已损坏。请运行 kewen index build 重建。")
