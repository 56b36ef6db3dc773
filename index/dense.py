"""FAISS over unit vectors: exact inner product, which for them is the cosine."""

from __future__ import annotations

import faiss
import numpy as np

from index.types import Floats, Ints, Mask


class DenseIndex:
    """One vector a passage, in the order of the passages. Never changed once made."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: Floats) -> DenseIndex:
        """Of float32 `[n, dim]`, rows of length 1 or 0."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    @property
    def size(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    def search(self, vector: Floats, k: int, allowed: Mask | None = None) -> tuple[Ints, Floats]:
        """The `k` best rows for a vector `[dim]` and their inner products, best first, ties by row.

        `allowed`: bool `[size]`, the rows that may be found. Fewer than `k` where fewer are allowed.
        """
        k = min(k, self.size)
        if k == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        query = np.ascontiguousarray(vector.reshape(1, -1), dtype=np.float32)
        parameters = None
        if allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bitmap))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, rows = self._index.search(query, k, params=parameters)
        found = rows[0] >= 0
        scores, rows = scores[0][found], rows[0][found]
        order = np.lexsort((rows, -scores))
        return rows[order], scores[order]

    def vectors(self, rows: Ints) -> Floats:
        """The stored vectors of some rows, float32 `[len(rows), dim]`."""
        if len(rows) == 0:
            return np.empty((0, self.dim), dtype=np.float32)
        stored: Floats = self._index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64))
        return stored

    def dump(self) -> bytes:
        """FAISS's own serialisation; the caller writes it, since FAISS's writer misses a full disk."""
        return faiss.serialize_index(self._index).tobytes()

    @classmethod
    def load(cls, data: bytes) -> DenseIndex:
        """Of bytes as `dump` gave them, checked by the caller."""
        return cls(faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8)))
