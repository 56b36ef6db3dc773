"""Recall of any encoder on public retrieval sets, beside BM25 and with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from index.segment import characters
from index.training.data import RetrievalSet

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

CHINESE_DENSE_SHARE, ENGLISH_DENSE_SHARE = 0.2, 0.9
_K1, _B = 1.2, 0.75


class Recall(NamedTuple):
    """Share of questions with a relevant passage among the first one and the first ten."""

    at_1: float
    at_10: float


class Measured(NamedTuple):
    """One set measured three ways: the encoder, BM25, and both with `dense_share` of the first."""

    name: str
    questions: int
    passages: int
    dense: Recall
    lexical: Recall
    fused: Recall
    dense_share: float


class Speed(NamedTuple):
    """How fast exported files load and encode."""

    load_seconds: float
    passages_per_second: float
    question_seconds: float


def measure(encode: Encode, retrieval: RetrievalSet) -> Measured:
    """Recall of `encode` on one set, alone and with BM25."""
    dense, lexical = dense_scores(encode, retrieval), bm25_scores(retrieval)
    # BM25 sees nothing of an English question but its names: the encoder then gets the larger say.
    in_chinese = any("一" <= character <= "鿿" for character in retrieval.questions[0])
    share = CHINESE_DENSE_SHARE if in_chinese else ENGLISH_DENSE_SHARE
    return Measured(
        retrieval.name,
        len(retrieval.questions),
        len(retrieval.passages),
        recall(dense, retrieval.relevant),
        recall(lexical, retrieval.relevant),
        recall(fused_scores(lexical, dense, share), retrieval.relevant),
        share,
    )


def measure_speed(load: Callable[[], Encode], retrieval: RetrievalSet) -> Speed:
    """Load and encode a few times and keep the best: other work on the machine only slows down."""
    loads, batches, singles = [], [], []
    passages = [text[:300] for text in retrieval.passages]
    for _ in range(10):
        started = perf_counter()
        encode = load()
        loads.append(perf_counter() - started)
        started = perf_counter()
        encode(passages)
        batches.append((perf_counter() - started) / len(passages))
        started = perf_counter()
        for question in retrieval.questions[:200]:
            encode([question])
        singles.append((perf_counter() - started) / 200)
    return Speed(min(loads), 1 / min(batches), min(singles))


def dense_scores(encode: Encode, retrieval: RetrievalSet) -> NDArray[np.float32]:
    """Cosine similarities, float32 `[questions, passages]`; `encode` gives unit rows."""
    scores: NDArray[np.float32] = encode(retrieval.questions) @ encode(retrieval.passages).T
    return scores


def bm25_scores(retrieval: RetrievalSet) -> NDArray[np.float32]:
    """BM25 of Han unigrams, bigrams and whole other words, float32 `[questions, passages]`.

    Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond".
    """
    vocabulary: dict[str, int] = {}
    passages = _counts(retrieval.passages, vocabulary, grow=True)
    questions = _counts(retrieval.questions, vocabulary, grow=False)
    lengths = np.asarray(passages.sum(axis=1)).ravel()
    containing = np.asarray((passages > 0).sum(axis=0)).ravel()
    idf = np.log(1 + (len(lengths) - containing + 0.5) / (containing + 0.5))
    cells = passages.tocoo()
    dampened = cells.data + _K1 * (1 - _B + _B * lengths[cells.row] / lengths.mean())
    weights = idf[cells.col] * cells.data * (_K1 + 1) / dampened
    weighted = sparse.csr_matrix((weights, (cells.row, cells.col)), shape=passages.shape)
    scores: NDArray[np.float32] = (questions @ weighted.T).toarray().astype(np.float32)
    return scores


def fused_scores(lexical: NDArray[np.float32], dense: NDArray[np.float32], dense_share: float) -> NDArray[np.float32]:
    """Weighted sum of both scores, each brought to mean 0 and deviation 1 per question."""
    return (1 - dense_share) * _standardised(lexical) + dense_share * _standardised(dense)


def recall(scores: NDArray[np.float32], relevant: Sequence[Sequence[int]]) -> Recall:
    """Recall at 1 and 10 of `scores` `[questions, passages]`; equal scores keep passage order."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    places = [np.isin(row, wanted) for row, wanted in zip(order, relevant, strict=True)]
    hits = np.array(places)
    return Recall(float(hits[:, 0].mean()), float(hits.any(axis=1).mean()))


def _counts(texts: Sequence[str], vocabulary: dict[str, int], grow: bool) -> sparse.csr_matrix:
    """Term counts, float32 `[texts, terms]`; with `grow` unseen terms join the vocabulary."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[int] = []
    for row, text in enumerate(texts):
        for term, count in Counter(characters(text)).items():
            column = vocabulary.setdefault(term, len(vocabulary)) if grow else vocabulary.get(term)
            if column is not None:
                rows.append(row)
                columns.append(column)
                values.append(count)
    shape = (len(texts), len(vocabulary))
    return sparse.csr_matrix((np.array(values, dtype=np.float32), (rows, columns)), shape=shape)


def _standardised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = scores - scores.mean(axis=1, keepdims=True)
    scaled: NDArray[np.float32] = centred / np.maximum(scores.std(axis=1, keepdims=True), 1e-9)
    return scaled
