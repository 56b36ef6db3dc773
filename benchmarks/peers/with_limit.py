"""The bare limit: what the engines beneath do without a library around them.

- `numpy`: one product with all vectors, `argpartition` for the best.
- `flat`, `hnsw`: FAISS, exact and by a graph. HNSW32 with efSearch 64 is what its guidelines name for up to a million
  vectors where memory is no concern (https://github.com/facebookresearch/faiss/wiki/Guidelines-to-choose-an-index).
- `ivf`: the inverted lists that `kewen:dense` has, made and asked by FAISS alone, whose order is not made exact.
- `bm25s`: method `lucene` with the numba backend, which its README measures as the fastest
  (https://github.com/xhluca/bm25s#numba), mapped from disk (`mmap=True`).
- `bm25s-numpy`: the same with the backend that it has by default, which compiles nothing.
- `hybrid`: the two exact arms, ten each, by reciprocal rank fusion.
"""

from __future__ import annotations

import logging
from pathlib import Path

import bm25s
import faiss
import numpy as np
from data import TOP, Passages, Question

logging.getLogger("bm25s").setLevel(logging.WARNING)


class System:
    def __init__(self, kind: str, questions: list[Question]) -> None:
        self.kind = kind
        self.dense = kind in ("numpy", "flat", "hnsw", "ivf", "hybrid")
        self.lexical = kind in ("bm25s", "bm25s-numpy", "hybrid")
        self.backend = "numpy" if kind == "bm25s-numpy" else "numba"

    def build(self, passages: Passages) -> None:
        if self.kind == "numpy":
            self.vectors = passages.vectors
        elif self.dense:
            self.index = inverted(passages.vectors) if self.kind == "ivf" else self._plain(passages.vectors.shape[1])
            self.index.add(passages.vectors)
        if self.lexical:
            self._count([x.split() for x in passages.words])

    def _plain(self, dim: int) -> faiss.Index:
        """Exact, or a graph; both by inner product."""
        if self.kind != "hnsw":
            return faiss.IndexFlatIP(dim)
        index = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = 64
        return index

    def _count(self, words: list[list[str]]) -> None:
        self.words = words
        self.bm25 = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend=self.backend)
        self.bm25.index(words, show_progress=False)

    def save(self, folder: Path) -> None:
        if self.kind == "numpy":
            np.save(folder / "vectors.npy", self.vectors)
        elif self.dense:
            faiss.write_index(self.index, str(folder / "index.faiss"))
        if self.lexical:
            self.bm25.save(folder / "bm25", corpus=[{"words": x} for x in self.words], show_progress=False)

    def load(self, folder: Path) -> None:
        if self.kind == "numpy":
            self.vectors = np.load(folder / "vectors.npy")
        elif self.dense:
            self.index = faiss.read_index(str(folder / "index.faiss"))
        if self.lexical:
            self.folder = folder
            self.bm25 = bm25s.BM25.load(folder / "bm25", mmap=True)
            if self.backend == "numba":
                self.bm25.activate_numba_scorer()

    def search(self, question: Question) -> list[int]:
        if self.kind == "numpy":
            scores = self.vectors @ question.vector
            best = np.argpartition(-scores, TOP)[:TOP]
            return best[np.argsort(-scores[best])].tolist()
        dense = self.index.search(question.vector[None], TOP)[1][0].tolist() if self.dense else []
        lexical = self._lexical(question) if self.lexical else []
        return fused(dense, lexical) if self.kind == "hybrid" else dense or lexical

    def _lexical(self, question: Question) -> list[int]:
        known = [x for x in question.words.split() if x in self.bm25.vocab_dict]
        if not known:
            return []
        found, _ = self.bm25.retrieve([known], k=TOP, show_progress=False)
        return found[0].tolist()

    def add(self, passages: Passages) -> None:
        if self.kind == "numpy":
            self.vectors = np.vstack([self.vectors, passages.vectors])
        elif self.dense:
            self.index.add(passages.vectors)
        if self.lexical:  # bm25s has no way to add: all is counted anew
            import json

            with (self.folder / "bm25" / "corpus.jsonl").open(encoding="utf-8") as file:
                old = [json.loads(line)["words"] for line in file]
            self._count([*old, *(x.split() for x in passages.words)])


def inverted(vectors: np.ndarray) -> faiss.Index:
    """Trained and empty, as `index.ann.build` makes it."""
    count, dim = vectors.shape
    lists = 1 << round(np.log2(2 * np.sqrt(count)))
    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, lists, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = 6, 32
    index.train(vectors[np.sort(np.random.default_rng(0).permutation(count)[: 32 * lists])])
    index.nprobe = lists // 16
    return index


def fused(*lists: list[int]) -> list[int]:
    """Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), k = 60."""
    scores: dict[int, float] = {}
    for rows in lists:
        for rank, row in enumerate(rows, start=1):
            scores[row] = scores.get(row, 0.0) + 1 / (60 + rank)
    return sorted(scores, key=lambda row: -scores[row])[:TOP]
