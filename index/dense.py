"""FAISS over unit vectors of pieces: exact inner product, which for them is the cosine.

A passage has several pieces: itself or its parts, or the ways people ask for it. Its similarity is that of its
nearest piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from index.storage import Content
from index.tables import Run, array_content, buffer_of, load_array, starts_of
from index.types import Floats, Ints, Mask

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of passages as they are stored: those of row `n` are `[starts[n], starts[n + 1])`.

    `vectors` float32 `[pieces, dim]`, rows of length 1 or 0; `starts` int64 `[passages + 1]`; `keys` uint8
    `[pieces, 32]`, the sha256 of what the encoder read of each piece.
    """

    vectors: Floats
    starts: Ints
    keys: npt.NDArray[np.uint8]

    @property
    def size(self) -> int:
        """How many passages."""
        return len(self.starts) - 1

    def dump(self) -> dict[str, Content]:
        """File name → content."""
        return self.joined([self], [Run(0, 0, self.size)])

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Pieces:
        """Of files as `dump` made them, checked by the caller.

        Raises:
            ValueError: they don't fit together.
        """
        vectors, starts = load_array(files["vectors.npy"]), load_array(files["starts.npy"])
        keys = np.frombuffer(files["keys.bin"], dtype=np.uint8).reshape(-1, _KEY_BYTES)
        if not len(keys) == len(vectors) == (starts[-1] if len(starts) else -1):
            raise ValueError("pieces, vectors and keys differ in number")
        return cls(vectors, starts, keys)

    @classmethod
    def joined(cls, tables: Sequence[Pieces], runs: Sequence[Run]) -> dict[str, Content]:
        """The files of rows of several tables, one behind the other; no vector is copied in memory."""
        chosen = [tables[run.table] for run in runs]
        spans = [slice(*t.starts[[run.start, run.stop]].tolist()) for t, run in zip(chosen, runs, strict=True)]
        lengths = [np.diff(t.starts[run.start : run.stop + 1]) for t, run in zip(chosen, runs, strict=True)]
        vectors = [t.vectors[span] for t, span in zip(chosen, spans, strict=True)]
        return {
            "vectors.npy": array_content(tables[-1].vectors[:0], *vectors),
            "starts.npy": array_content(starts_of(lengths)),
            "keys.bin": [buffer_of(t.keys[span]) for t, span in zip(chosen, spans, strict=True)],
        }


class PieceIndex:
    """Pieces of passages, in the order of the passages, to be searched. Never changed once made."""

    def __init__(self, pieces: Pieces) -> None:
        self._index = faiss.IndexFlatIP(pieces.vectors.shape[1])
        self._index.add(np.ascontiguousarray(pieces.vectors, dtype=np.float32))
        self.starts = pieces.starts
        self._owners: Ints = np.repeat(np.arange(pieces.size), np.diff(pieces.starts))

    @property
    def size(self) -> int:
        """How many passages."""
        return len(self.starts) - 1

    @property
    def dim(self) -> int:
        return int(self._index.d)

    def search(self, vector: Floats, k: int, allowed: Mask | None = None) -> Ints:
        """The passages of the `k` nearest pieces for a vector `[dim]`, int64, nearest first, each once.

        `allowed`: bool `[size]`, the passages that may be found.
        """
        k = min(k, int(self._index.ntotal))
        if k == 0:
            return np.empty(0, dtype=np.int64)
        parameters = None
        if allowed is not None:
            bitmap = np.packbits(allowed[self._owners], bitorder="little")
            selector = faiss.IDSelectorBitmap(len(self._owners), faiss.swig_ptr(bitmap))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        query = np.ascontiguousarray(vector.reshape(1, -1), dtype=np.float32)
        scores, pieces = self._index.search(query, k, params=parameters)
        found = pieces[0] >= 0
        owners, scores = self._owners[pieces[0][found]], scores[0][found]
        ordered = owners[np.lexsort((owners, -scores))]
        _, first = np.unique(ordered, return_index=True)
        nearest: Ints = ordered[np.sort(first)]
        return nearest

    def nearest(self, vector: Floats, rows: Ints) -> tuple[Floats, Ints]:
        """For passages `rows`: the cosine of the nearest piece, float32, and which of its pieces it is, int64.

        A passage without pieces has cosine 0 and piece -1.
        """
        cosines = np.zeros(len(rows), dtype=np.float32)
        which = np.full(len(rows), -1, dtype=np.int64)
        lengths = self.starts[rows + 1] - self.starts[rows]
        filled = np.flatnonzero(lengths > 0)
        if filled.size:
            ends = np.cumsum(lengths[filled])
            begins = ends - lengths[filled]
            pieces = np.arange(ends[-1]) + np.repeat(self.starts[rows[filled]] - begins, lengths[filled])
            scores = self.vectors(pieces) @ vector.astype(np.float32)
            cosines[filled] = np.maximum.reduceat(scores, begins)
            for n, begin, end in zip(filled, begins, ends, strict=True):
                which[n] = int(np.argmax(scores[begin:end]))
        return cosines, which

    def vectors(self, pieces: Ints) -> Floats:
        """The stored vectors of some pieces, float32 `[len(pieces), dim]`."""
        if len(pieces) == 0:
            return np.empty((0, self.dim), dtype=np.float32)
        stored: Floats = self._index.reconstruct_batch(np.ascontiguousarray(pieces, dtype=np.int64))
        return stored
