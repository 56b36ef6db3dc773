"""The one Retriever that users call: both arms over a snapshot, fused, and the best sentences marked."""

from __future__ import annotations

import numpy as np

from corpus.types import slice_spans
from index.fusion import lexical_weight, weighted_sum
from index.highlight import best_sentences, query_weights
from index.snapshot import Snapshot
from index.types import MODES, NO_FILTERS, Encoder, Filters, Floats, Hit, Ints, Mask, Mode

_CANDIDATES = 100


class HybridRetriever:
    """Dense and lexical search over one snapshot; see `index.types.Retriever` for the contract."""

    def __init__(self, snapshot: Snapshot, encoder: Encoder) -> None:
        self.snapshot = snapshot
        self.encoder = encoder

    def search(self, query: str, top_k: int = 5, mode: Mode = "hybrid", filters: Filters = NO_FILTERS) -> list[Hit]:
        """At most `top_k` hits, best first.

        Raises:
            ValueError: `top_k` is below 1 or `mode` is none of `MODES`.
        """
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        if mode not in MODES:
            raise ValueError(f"mode must be one of {MODES}, not {mode!r}")
        allowed = self.snapshot.mask(filters)
        count = max(_CANDIDATES, top_k)
        lexical = self._lexical(query, allowed) if mode != "dense" else np.zeros(len(self.snapshot.rows), np.float32)
        dense = self._dense(query, count, allowed) if mode != "lexical" else {}
        rows, scores = self._fuse(query, mode, lexical, dense, count)
        best = np.lexsort((rows, -scores))[:top_k]
        weights = query_weights(query, self.snapshot.lexical.views["characters"].weight)
        hits = []
        for rank, n in enumerate(best, start=1):
            row = int(rows[n])
            passage = self.snapshot.rows[row].passage
            signals = {"dense": dense.get(row, 0.0), "lexical": float(lexical[row])}
            signals = {arm: round(score, 4) for arm, score in signals.items() if score}
            marked = [slice_spans(passage.spans, *x) for x in best_sentences(passage.text, weights, query)]
            highlights = tuple(span for spans in marked for span in spans)
            citation = self.snapshot.citation(passage)
            hits.append(Hit(rank, round(float(scores[n]), 4), signals, passage, citation, highlights))
        return hits

    def _lexical(self, query: str, allowed: Mask | None) -> Floats:
        """float32 `[passages]`, 0 for one that may not be found."""
        scores = self.snapshot.lexical.scores(query)
        return scores if allowed is None else np.where(allowed, scores, np.float32(0))

    def _dense(self, query: str, count: int, allowed: Mask | None) -> dict[int, float]:
        """Row → inner product of the nearest passages; none where the encoder knows nothing of the query."""
        vector = self.encoder.encode_queries([query])[0]
        if not vector.any():
            return {}
        rows, scores = self.snapshot.dense.search(vector, count, allowed)
        return {int(row): float(score) for row, score in zip(rows, scores, strict=True)}

    def _fuse(
        self, query: str, mode: Mode, lexical: Floats, dense: dict[int, float], count: int
    ) -> tuple[Ints, Floats]:
        """The arms' candidate rows, int64 `[n]`, and their scores, float32 `[n]`."""
        rows = np.union1d(_best_rows(lexical, count), np.array(sorted(dense), dtype=np.int64))
        # A passage outside the nearest is at most as near as the last of them.
        floor = min(dense.values(), default=0.0)
        similarity = np.array([dense.get(int(row), floor) for row in rows], dtype=np.float32)
        if mode == "lexical" or not dense:
            return rows, lexical[rows]
        if mode == "dense":
            return rows, similarity
        return rows, weighted_sum(lexical[rows], similarity, lexical_weight(self.snapshot.lexical.coverage(query)))


def _best_rows(scores: Floats, count: int) -> Ints:
    """The rows of the `count` best positive scores, ties by row."""
    rows = np.flatnonzero(scores > 0)
    best: Ints = rows[np.lexsort((rows, -scores[rows]))[:count]]
    return best
