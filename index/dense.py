"""FAISS over unit vectors of pieces: exact inner product, which for them is the cosine.

A passage has several pieces: itself or its parts, or the ways people ask for it. Its similarity is that of its
nearest piece.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import faiss
import numpy as np

from index.types import Floats, Ints, Mask

_KEY_BYTES = 32


class PieceIndex:
    """Pieces of passages, in the order of the passages: those of row `n` are `[starts[n], starts[n + 1])`.

    `keys` are the sha256 of what the encoder read of each piece. Never changed once made.
    """

    def __init__(self, index: faiss.Index, starts: Ints, keys: Sequence[bytes]) -> None:
        self._index = index
        self.starts = starts
        self.keys = keys
        self._owners: Ints = np.repeat(np.arange(len(starts) - 1), np.diff(starts))

    @classmethod
    def build(cls, vectors: Floats, starts: Ints, keys: Sequence[bytes]) -> PieceIndex:
        """Of float32 `[pieces, dim]`, rows of length 1 or 0, and int64 `[passages + 1]`."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index, starts, keys)

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

    def dump(self) -> dict[str, bytes]:
        """File name → content. FAISS's own serialisation; the caller writes it: FAISS's writer misses a full disk."""
        buffer = io.BytesIO()
        np.save(buffer, self.starts, allow_pickle=False)
        return {
            "vectors.faiss": faiss.serialize_index(self._index).tobytes(),
            "starts.npy": buffer.getvalue(),
            "keys.bin": b"".join(self.keys),
        }

    @classmethod
    def load(cls, files: dict[str, bytes]) -> PieceIndex:
        """Of files as `dump` made them, checked by the caller.

        Raises:
            ValueError: they don't fit together.
        """
        index = faiss.deserialize_index(np.frombuffer(files["vectors.faiss"], dtype=np.uint8))
        starts = np.load(io.BytesIO(files["starts.npy"]), allow_pickle=False)
        data = files["keys.bin"]
        keys = [data[n : n + _KEY_BYTES] for n in range(0, len(data), _KEY_BYTES)]
        if len(keys) != index.ntotal or (starts[-1] if len(starts) else -1) != index.ntotal:
            raise ValueError("pieces, vectors and keys differ in number")
        return cls(index, starts, keys)
