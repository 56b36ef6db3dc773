"""Approximate nearest vectors with FAISS, where scanning all of them takes too long: inverted lists of k-means cells.

Jégou et al., "Product Quantization for Nearest Neighbor Search", PAMI 2011, for the lists; a list holds what `Codes`
says. Measured with vectors of 256 dimensions, one core, times of the processor beside other work (idle, about half):

| | lists looked at | found of the nearest 25 / 200 | a query | build, size |
|---|---|---|---|---|
| `bytes`, 285,000 sentences of public documents | 32 of 1,024 | .941 / .889 | 1.0 ms | 4.0 s, 76 MB |
| | **64** | **.984 / .963** | 1.8 ms | |
| | 128 | .997 / .993 | 3.5 ms | |
| `bytes`, 130,733 sentences of reports varied 239 times | 16 of 512 | .987 / .978 | 0.4 ms | 1.0 s, 35 MB |
| | **32** | **.994 / .989** | 0.7 ms | |
| `bits`, 51,568 words, the best 16 of 128 that are scored anew | 32 of 512 | .927 | 0.14 ms | 0.6 s, 3 MB |
| | **64** | **.955** | 0.24 ms | |

Sentences of averaged word vectors lie close together: 72% of their length is one common direction. So product
quantisation (64 or 128 times 4 bits, the best 400 of which are scored anew) found .54 and .83 of the nearest 50, and one
bit a dimension .94, but of the varied reports .21 of the nearest 200. HNSW takes longer to build than a segment may.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import faiss
import numpy as np
import numpy.typing as npt

from index.types import Floats, Ints, Mask

Codes = Literal["bytes", "bits"]
"""`bytes`: 8 bits a dimension, whose order is nearly exact. `bits`: one bit a dimension (Gao and Long, "RaBitQ", SIGMOD
2024), several times as fast; what it finds must be scored anew, and vectors that all but repeat each other share an
error, so that a wrong one brings its copies."""

_SEED = 1234
_SAMPLE = 32
_ROUNDS = 6
_BLOCK = 16_384
_PROBED = {"bytes": 16, "bits": 8}


def build(vectors: npt.NDArray[np.floating[Any]], codes: Codes = "bytes") -> bytes:
    """An index of vectors `[n, dim]` of any float type, n ≥ 1, by inner product: the same bytes for the same vectors.

    The share of its lists that a search looks at is written into it.
    """
    count, dim = vectors.shape
    lists = 1 << max(0, round(np.log2(2 * np.sqrt(count))) if count >= 64 else 0)
    quantizer = faiss.IndexFlatIP(dim)
    index: Any
    if codes == "bits":
        index = faiss.IndexIVFRaBitQFastScan(quantizer, dim, lists, faiss.METRIC_INNER_PRODUCT)
    else:
        kind = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(quantizer, dim, lists, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter = _SEED, _ROUNDS
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _SAMPLE
    sample = np.random.default_rng(_SEED).permutation(count)[: _SAMPLE * lists]
    with _alone():
        index.train(np.ascontiguousarray(vectors[np.sort(sample)], dtype=np.float32))
        for start in range(0, count, _BLOCK):
            index.add(np.ascontiguousarray(vectors[start : start + _BLOCK], dtype=np.float32))
    index.nprobe = max(1, lists // _PROBED[codes])
    return bytes(faiss.serialize_index(index))


@dataclass(frozen=True, slots=True)
class Index:
    """Vectors that can be searched; `data` are the bytes that they lie in, whose address alone FAISS knows."""

    inner: Any
    data: object = None

    @classmethod
    def load(cls, data: bytes | memoryview) -> Index:
        """Of bytes that `build` gave and the caller has checked; they are used where they lie, not copied.

        Raises:
            ValueError: they are no such index.
        """
        view = np.frombuffer(data, dtype=np.uint8)
        try:
            reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(view), len(view))  # type: ignore[attr-defined]
            inner = faiss.read_index(reader, faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise ValueError("no index of FAISS") from error
        return cls(inner, view)

    @classmethod
    def flat(cls, halves: npt.NDArray[np.float16]) -> Index:
        """An exact index of vectors `[n, dim]`: they are copied, and searched as they are."""
        inner = faiss.IndexScalarQuantizer(halves.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        inner.add_sa_codes(np.ascontiguousarray(halves).view(np.uint8))
        return cls(inner)

    @property
    def size(self) -> int:
        """How many vectors."""
        return int(self.inner.ntotal)

    def search(self, queries: Floats, k: int, allowed: Mask | None = None) -> tuple[Floats, Ints]:
        """The `k` nearest vectors for each query: inner products float32 and numbers int64, `[queries, k]`; -1 for none.

        `allowed`: bool `[size]`; the fewer it leaves, the more lists are looked at.
        """
        parameters: Any = None
        if allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(bitmap), faiss.swig_ptr(bitmap))
            if isinstance(self.inner, faiss.IndexIVF):
                share = max(np.count_nonzero(allowed) / len(allowed), 1e-9)
                probes = min(self.inner.nlist, int(np.ceil(self.inner.nprobe / np.sqrt(share))))
                parameters = faiss.IVFSearchParameters(sel=selector, nprobe=probes)  # type: ignore[call-arg]
            else:
                parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        with _alone():
            asked = np.ascontiguousarray(queries, dtype=np.float32)
            scores, numbers = self.inner.search(asked, min(k, self.size), params=parameters)
        return scores, numbers


@contextmanager
def _alone() -> Iterator[None]:
    """FAISS in one thread: for one small query its threads wait for each other longer than they work.

    The setting is the calling thread's own (OpenMP's nthreads-var), and given back.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
