"""Vectors of pieces, searched with FAISS by inner product, which for unit vectors is the cosine.

A passage has several pieces: itself or its parts, or the ways people ask for it. Its similarity is that of its
nearest piece. Many pieces have an approximate index beside them; what it finds is scored anew by the vectors themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.ann import Index, build
from index.storage import Content, Data
from index.tables import Run, array_content, buffer_of, load_array, starts_of
from index.types import Floats, Ints, Mask

Halves = npt.NDArray[np.float16]

_KEY_BYTES = 32
_FLAT = 32_768
_FEW = 16_384
_HANDFUL = 1024
_ANN = "ann.faiss"


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of passages as they are stored: those of row `n` are `[starts[n], starts[n + 1])`.

    `vectors` float16 `[pieces, dim]`, rows of length 1 or 0; `starts` int64 `[passages + 1]`; `keys` uint8
    `[pieces, 32]`, the sha256 of what the encoder read of each piece. `ann` finds the nearest where there are many.
    """

    vectors: Halves
    starts: Ints
    keys: npt.NDArray[np.uint8]
    ann: Index | None = None

    @property
    def size(self) -> int:
        """How many passages."""
        return len(self.starts) - 1

    def dump(self) -> dict[str, Content]:
        """File name → content."""
        return self.joined([self], [Run(0, 0, self.size)])

    @classmethod
    def load(cls, files: Mapping[str, Data]) -> Pieces:
        """Of files as `dump` made them, checked by the caller.

        Raises:
            ValueError: they don't fit together.
        """
        vectors, starts = load_array(files["vectors.npy"]), load_array(files["starts.npy"])
        keys = np.frombuffer(files["keys.bin"], dtype=np.uint8).reshape(-1, _KEY_BYTES)
        ann = Index.load(files[_ANN]) if _ANN in files else None
        if not len(keys) == len(vectors) == (starts[-1] if len(starts) else -1):
            raise ValueError("pieces, vectors and keys differ in number")
        if vectors.dtype != np.float16:
            raise ValueError(f"vectors of type {vectors.dtype}, not float16")
        if ann is not None and ann.size != len(vectors):
            raise ValueError("pieces and their index differ in number")
        return cls(vectors, starts, keys, ann)

    @classmethod
    def joined(cls, tables: Sequence[Pieces], runs: Sequence[Run], has_ann: bool = True) -> dict[str, Content]:
        """The files of rows of several tables, one behind the other.

        No vector is copied in memory, unless there are so many that they get an index, which they do with `has_ann`.
        """
        chosen = [tables[run.table] for run in runs]
        spans = [slice(*t.starts[[run.start, run.stop]].tolist()) for t, run in zip(chosen, runs, strict=True)]
        lengths = [np.diff(t.starts[run.start : run.stop + 1]) for t, run in zip(chosen, runs, strict=True)]
        vectors = [t.vectors[span] for t, span in zip(chosen, spans, strict=True)]
        many = has_ann and sum(map(len, vectors)) > _FLAT
        return {
            "vectors.npy": array_content(tables[-1].vectors[:0], *vectors),
            "starts.npy": array_content(starts_of(lengths)),
            "keys.bin": [buffer_of(t.keys[span]) for t, span in zip(chosen, spans, strict=True)],
            **({_ANN: build(vectors[0] if len(vectors) == 1 else np.concatenate(vectors))} if many else {}),
        }


@dataclass(frozen=True, slots=True)
class _Searched:
    """Pieces `[first, last)` that one index of FAISS knows."""

    first: int
    last: int
    index: Index


class PieceIndex:
    """Pieces of passages in one or more tables, to be searched. Never changed once made.

    Passages and pieces are numbered through all tables. Nothing is read when it is made: small tables are put together
    for FAISS when they are searched first.
    """

    def __init__(self, tables: Sequence[Pieces]) -> None:
        """Raises ValueError where there is no table."""
        if not tables:
            raise ValueError("no table of pieces")
        self._tables = tuple(tables)
        self._rows = starts_of([np.array([table.size for table in tables])])
        self._pieces = starts_of([np.array([len(table.vectors) for table in tables])])
        self._searched: list[_Searched] | None = None
        self._passages: Ints | None = None

    @property
    def size(self) -> int:
        """How many passages."""
        return int(self._rows[-1])

    @property
    def dim(self) -> int:
        return int(self._tables[0].vectors.shape[1])

    def search(self, vector: Floats, k: int, allowed: Mask | None = None) -> Ints:
        """The passages of the `k` nearest pieces for a vector `[dim]`, int64, nearest first, each once.

        Exact where pieces are few, or few are allowed; else of the nearest that FAISS finds. `allowed`: bool `[size]`,
        the passages that may be found.
        """
        pieces = self._nearest_of_all(vector, k, None) if allowed is None else self._allowed(vector, k, allowed)
        if not pieces.size or k < 1:
            return np.empty(0, dtype=np.int64)
        pieces, scores = self._best(pieces, vector, k)
        owners = self._owners(pieces)
        ordered = owners[np.lexsort((owners, -scores))[:k]].tolist()
        return np.array(list(dict.fromkeys(ordered)), dtype=np.int64)

    def _best(self, pieces: Ints, vector: Floats, k: int) -> tuple[Ints, Floats]:
        """The `k` nearest of some pieces, or all where they are few, and the exact inner product of each, float32."""
        if len(pieces) > _HANDFUL:
            scores, numbers = Index.flat(self._halves(pieces)).search(vector.reshape(1, -1), k)
            return pieces[numbers[0]], scores[0]
        # It adds up each row alike, so that copies have the same score; a product by BLAS may not.
        return pieces, np.einsum("ij,j->i", self.vectors(pieces), vector.astype(np.float32))

    def nearest(self, vector: Floats, rows: Ints) -> tuple[Floats, Ints]:
        """For passages `rows`: the cosine of the nearest piece, float32, and which of its pieces it is, int64.

        A passage without pieces has cosine 0 and piece -1.
        """
        cosines = np.zeros(len(rows), dtype=np.float32)
        which = np.full(len(rows), -1, dtype=np.int64)
        pieces, lengths = self.pieces_of(rows)
        filled = np.flatnonzero(lengths > 0)
        if filled.size:
            ends = np.cumsum(lengths[filled])
            begins = ends - lengths[filled]
            scores = self.vectors(pieces) @ vector.astype(np.float32)
            cosines[filled] = np.maximum.reduceat(scores, begins)
            for n, begin, end in zip(filled, begins, ends, strict=True):
                which[n] = int(np.argmax(scores[begin:end]))
        return cosines, which

    def vectors(self, pieces: Ints) -> Floats:
        """The stored vectors of some pieces, float32 `[len(pieces), dim]`."""
        return self._halves(pieces).astype(np.float32)

    def _halves(self, pieces: Ints) -> Halves:
        if len(self._tables) == 1:
            return self._tables[0].vectors[pieces]
        halves = np.empty((len(pieces), self.dim), dtype=np.float16)
        for n, own in self._by_table(self._pieces, pieces):
            halves[own] = self._tables[n].vectors[pieces[own] - self._pieces[n]]
        return halves

    def _by_table(self, firsts: Ints, numbers: Ints) -> list[tuple[int, Mask | slice]]:
        """The tables that some passages or pieces stand in, and which of them stand there."""
        if len(self._tables) == 1:
            return [(0, slice(None))]
        tables = np.searchsorted(firsts, numbers, side="right") - 1
        return [(n, tables == n) for n in np.unique(tables).tolist()]

    def pieces_of(self, rows: Ints) -> tuple[Ints, Ints]:
        """The pieces of passages, those of one behind those of another, and how many each has; both int64."""
        begins, lengths = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
        for n, own in self._by_table(self._rows, rows):
            local, starts = rows[own] - self._rows[n], self._tables[n].starts
            begins[own] = starts[local] + self._pieces[n]
            lengths[own] = starts[local + 1] - starts[local]
        ends = np.cumsum(lengths)
        return np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - ends + lengths, lengths), lengths

    def _owners(self, pieces: Ints) -> Ints:
        """The passages that pieces belong to."""
        if self._passages is None:  # looked up and not searched for: each step of a search is a page that nobody holds
            lengths = np.concatenate([np.diff(table.starts) for table in self._tables])
            self._passages = np.repeat(np.arange(self.size), lengths)
        return self._passages.take(pieces)

    def _allowed(self, vector: Floats, k: int, allowed: Mask) -> Ints:
        """Pieces of allowed passages, the nearest among them: all, where they are few."""
        rows = np.flatnonzero(allowed)
        if len(rows) <= _FEW:
            pieces, _ = self.pieces_of(rows)
            if len(pieces) <= _FEW:
                return pieces
        bounds = itertools.pairwise(self._rows.tolist())
        mask = np.concatenate(
            [np.repeat(allowed[a:b], np.diff(x.starts)) for (a, b), x in zip(bounds, self._tables, strict=True)]
        )
        return self._nearest_of_all(vector, k, mask)

    def _nearest_of_all(self, vector: Floats, k: int, allowed: Mask | None) -> Ints:
        """The `k` nearest pieces that each index of FAISS finds among the allowed ones, bool `[pieces]`."""
        found = [np.empty(0, dtype=np.int64)]
        for searched in self._indexes():
            own = None if allowed is None else allowed[searched.first : searched.last]
            pieces = searched.index.search(vector.reshape(1, -1), k, own)[1][0]
            found.append(pieces[pieces >= 0] + searched.first)
        return np.concatenate(found)

    def _indexes(self) -> list[_Searched]:
        """What FAISS searches: the index of each large table, and one of neighbouring small ones."""
        if self._searched is None:
            searched: list[_Searched] = []
            small: list[int] = []
            for n, table in enumerate(self._tables):
                if table.ann is None:
                    small.append(n)
                if small and (table.ann is not None or n + 1 == len(self._tables)):
                    halves = np.concatenate([self._tables[x].vectors for x in small])
                    first = int(self._pieces[small[0]])
                    searched.append(_Searched(first, first + len(halves), Index.flat(halves)))
                    small = []
                if table.ann is not None:
                    searched.append(_Searched(int(self._pieces[n]), int(self._pieces[n + 1]), table.ann))
            self._searched = [x for x in searched if x.index.size]
        return self._searched
