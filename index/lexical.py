"""BM25 over two views of a passage: jieba words, and Han characters as unigrams and bigrams.

Scores are Lucene's BM25: idf·tf/(tf + k1·(1 − b + b·dl/avgdl)), idf = ln(1 + (N − df + ½)/(df + ½))
(Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; the variant as in Kamphuis et al.,
ECIR 2020). What is stored counts terms, so that adding passages changes no count of the others; the scores are computed
once, when the index is opened, and a query only adds up the postings of its terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.counts import Counting, Counts
from index.segment import characters, words
from index.tables import Array
from index.types import Floats, Ints, Mask

K1 = 1.2
B = 0.75
_TOGETHER = 1 << 18
VIEWS: Mapping[str, Callable[[str], list[str]]] = {"characters": characters, "words": words}


@dataclass(frozen=True, slots=True)
class Postings:
    """One view: for the term `t`, passages `rows[o[t]:o[t + 1]]` with impacts of the same slice.

    `vocabulary` numbers the terms in their sorted order; `offsets` int64 `[terms + 1]`, `rows` whole numbers
    and `impacts` float32 `[postings]`, rows rising within a term; `idf` float32 `[terms]`; `size` passages.
    """

    vocabulary: Mapping[str, int]
    offsets: Ints
    rows: Array
    impacts: Floats
    idf: Floats
    size: int

    @classmethod
    def of(cls, counts: Counts) -> Postings:
        """The scores of terms that were counted."""
        lengths = counts.lengths.astype(np.float64)
        mean = lengths.mean() if lengths.size and lengths.any() else 1.0
        norms = K1 * (1 - B + B * lengths / mean)
        document_frequency = np.diff(counts.offsets)
        idf = inverse_frequency(document_frequency, counts.size)
        weights = np.repeat(idf, document_frequency)
        impacts = np.empty(len(counts.rows), dtype=np.float32)
        for first in range(0, len(impacts), _TOGETHER):  # double precision of all at once would take gigabytes
            some = slice(first, first + _TOGETHER)
            frequency = counts.frequencies[some].astype(np.float64)
            impacts[some] = weights[some] * frequency / (frequency + norms[counts.rows[some]])
        vocabulary = {term: n for n, term in enumerate(counts.terms)}
        return cls(vocabulary, counts.offsets, counts.rows, impacts, idf, counts.size)

    def scores(self, terms: Iterable[str]) -> Floats:
        """float32 `[size]`: each passage's BM25 score for the distinct terms; 0 where it has none."""
        numbers = [self.vocabulary[t] for t in sorted(set(terms)) if t in self.vocabulary]
        if not numbers:
            return np.zeros(self.size, dtype=np.float32)
        slices = [slice(self.offsets[n], self.offsets[n + 1]) for n in numbers]
        rows = np.concatenate([self.rows[s] for s in slices], dtype=np.intp)
        impacts = np.concatenate([self.impacts[s] for s in slices])
        return np.bincount(rows, weights=impacts, minlength=self.size).astype(np.float32)

    def shares(self, terms: Iterable[str]) -> Floats:
        """float32 `[size]`: each passage's score as a share of what the terms weigh; an unknown one weighs most."""
        distinct = set(terms)
        unknown = float(inverse_frequency(np.zeros(1), self.size)[0])
        total = sum(self.weight(term, unknown) for term in sorted(distinct))
        shares: Floats = self.scores(distinct) / np.float32(total) if total else self.scores(())
        return shares

    def coverage(self, terms: Iterable[str]) -> float:
        """The share, 0 to 1, of what the terms weigh that the view knows at all; an unknown one weighs most."""
        unknown = float(inverse_frequency(np.zeros(1), self.size)[0])
        weights = [(term in self.vocabulary, self.weight(term, unknown)) for term in sorted(set(terms))]
        total = sum(weight for _, weight in weights)
        return sum(weight for known, weight in weights if known) / total if total else 0.0

    def holding(self, terms: Iterable[str]) -> Mask:
        """bool `[size]`: the passages that have all of the terms; none where there are no terms."""
        counts = np.zeros(self.size, dtype=np.int64)
        wanted = set(terms)
        for term in wanted:
            n = self.vocabulary.get(term)
            if n is not None:
                counts[self.rows[self.offsets[n] : self.offsets[n + 1]]] += 1
        held: Mask = (counts == len(wanted)) & bool(wanted)
        return held

    def weight(self, term: str, unknown: float = 0.0) -> float:
        """A term's idf, or `unknown` for one that no passage has."""
        number = self.vocabulary.get(term)
        return float(self.idf[number]) if number is not None else float(unknown)


def inverse_frequency(document_frequency: np.ndarray, size: int) -> Floats:
    """Lucene's idf, float32, of the shape given."""
    idf: Floats = np.log(1 + (size - document_frequency + 0.5) / (document_frequency + 0.5)).astype(np.float32)
    return idf


def build_postings(texts: Sequence[Sequence[str]]) -> Postings:
    """The postings of one view; `texts` are the terms of each passage."""
    counting = Counting()
    for terms in texts:
        counting.add(terms)
    return Postings.of(counting.counts())


class LexicalIndex:
    """Both views of all passages; a passage's score is the sum of its two BM25 scores."""

    def __init__(self, views: Mapping[str, Postings]) -> None:
        self.views = views

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        return cls({name: build_postings([terms(text) for text in texts]) for name, terms in VIEWS.items()})

    @property
    def size(self) -> int:
        """How many passages."""
        return self.views["characters"].size

    def scores(self, query: str) -> Floats:
        """float32 `[passages]`: BM25; 0 where no term of the query occurs."""
        parts = [postings.scores(VIEWS[name](query)) for name, postings in self.views.items()]
        total: Floats = np.sum(parts, axis=0, dtype=np.float32)
        return total

    def shares(self, query: str) -> Floats:
        """float32 `[passages]`, 0 to 1: how much of the query each passage has, by weight, in the mean of both views.

        BM25 divided by the most that a passage could score, so that arms and corpora can be compared.
        """
        parts = [postings.shares(VIEWS[name](query)) for name, postings in self.views.items()]
        mean: Floats = np.mean(parts, axis=0, dtype=np.float32)
        return mean

    def coverage(self, query: str) -> float:
        """How much of the query this index can see at all, 0 (another language) to 1."""
        return self.views["characters"].coverage(characters(query))

    def holding(self, name: str) -> Mask:
        """bool `[passages]`: those that have all characters of a name, two by two."""
        terms = characters(name)
        return self.views["characters"].holding([t for t in terms if len(t) > 1] or terms)

    @classmethod
    def of(cls, views: Mapping[str, Counts]) -> LexicalIndex:
        """The index of each view's counts."""
        return cls({name: Postings.of(counts) for name, counts in views.items()})
