"""Late interaction: each word of a question finds its best match among a passage's words.

Score = Σ w(q) · max over the passage's words p of relu(cos(q, p) − τ) / (1 − τ), divided by Σ w(q): the weighted
share, 0 to 1, of the question that a passage answers (Khattab and Zaharia, "ColBERT", SIGIR 2020, over static
word vectors; the threshold keeps chance likeness out).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from index.storage import Content
from index.tables import Run, array_content, load_array, starts_of
from index.types import Floats, Ints, LateInteraction

THRESHOLD = 0.2
"""Cosine below which two words have nothing to do with each other; the vectors were trained with it."""

_AT_HAND = 20_000
_CELLS = 4_000_000
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Bag:
    """The words of one question: unit ids int64 `[words]`, vectors float32 `[words, dim]`, weights `[words]`."""

    units: Ints
    vectors: Floats
    weights: Floats

    @classmethod
    def of(cls, encoder: LateInteraction, text: str) -> Bag:
        units = encoder.units([text])[0]
        return cls(units, encoder.unit_vectors(units), encoder.unit_weights(units))


@dataclass(frozen=True, slots=True)
class Words:
    """The distinct words of many texts as they are stored, and the vectors of all words that occur.

    `units` int64 `[vocabulary]`, rising; `vectors` int8 `[vocabulary, dim]` with `scales` float32
    `[vocabulary]`; the words of text `n` are `terms[starts[n]:starts[n + 1]]`, int32, numbers of the vocabulary.
    """

    units: Ints
    vectors: npt.NDArray[np.int8]
    scales: Floats
    starts: Ints
    terms: npt.NDArray[np.int32]

    @property
    def size(self) -> int:
        """How many texts."""
        return len(self.starts) - 1

    @classmethod
    def build(cls, encoder: LateInteraction, texts: Sequence[str], at_hand: InteractionIndex | None = None) -> Words:
        """Of texts; the vectors of words that another index holds are taken from `at_hand`, not from the encoder."""
        bags = [bag for n in range(0, len(texts), _BATCH) for bag in encoder.units(texts[n : n + _BATCH])]
        together = np.concatenate([*bags, np.zeros(0, np.int64)])
        units = np.unique(together)
        vectors = at_hand.unit_vectors(units, encoder) if at_hand else encoder.unit_vectors(units)
        scales = np.abs(vectors).max(axis=1, initial=1e-12) / 127
        return cls(
            units=units,
            vectors=np.rint(vectors / scales[:, None]).astype(np.int8),
            scales=scales.astype(np.float32),
            starts=np.cumsum([0, *(len(bag) for bag in bags)]).astype(np.int64),
            terms=np.searchsorted(units, together).astype(np.int32),
        )

    def dump(self) -> dict[str, Content]:
        """File name → content, npy without pickle."""
        return self.joined([self], [Run(0, 0, self.size)])

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Words:
        """Of files as `dump` made them.

        Raises:
            ValueError: they are no such files, or don't fit together.
        """
        words = cls(**{x.name: load_array(files[f"{x.name}.npy"]) for x in fields(cls)})
        if len(words.terms) != (words.starts[-1] if len(words.starts) else -1):
            raise ValueError("words and texts differ in number")
        if not len(words.units) == len(words.vectors) == len(words.scales):
            raise ValueError("words and vectors differ in number")
        return words

    @classmethod
    def joined(cls, tables: Sequence[Words], runs: Sequence[Run]) -> dict[str, Content]:
        """The files of texts of several tables, one behind the other, with the words that occur in them."""
        chosen = [(run.table, tables[run.table], run) for run in runs]
        spans = [(n, t.terms[slice(*t.starts[[run.start, run.stop]].tolist())]) for n, t, run in chosen]
        used = [np.zeros(len(table.units), dtype=np.bool_) for table in tables]
        for n, terms in spans:
            used[n][terms] = True
        units = np.unique(np.concatenate([t.units[mask] for t, mask in zip(tables, used, strict=True)]))
        vectors = np.zeros((len(units), tables[-1].vectors.shape[1]), dtype=np.int8)
        scales = np.zeros(len(units), dtype=np.float32)
        numbers = []
        for table, mask in zip(tables, used, strict=True):
            places = np.searchsorted(units, table.units).astype(np.int32)
            numbers.append(places)
            vectors[places[mask]] = table.vectors[mask]
            scales[places[mask]] = table.scales[mask]
        lengths = [np.diff(t.starts[run.start : run.stop + 1]) for _, t, run in chosen]
        return {
            "units.npy": array_content(units),
            "vectors.npy": array_content(vectors),
            "scales.npy": array_content(scales),
            "starts.npy": array_content(starts_of(lengths)),
            "terms.npy": array_content(np.zeros(0, np.int32), *(numbers[n][terms] for n, terms in spans)),
        }


class InteractionIndex:
    """Words of many texts, to be matched with those of a question."""

    def __init__(self, words: Words) -> None:
        self.units, self.starts, self.terms = words.units, words.starts, words.terms
        self._vectors, self._scales = words.vectors, words.scales
        self._floats: Floats | None = None

    @classmethod
    def build(
        cls, encoder: LateInteraction, texts: Sequence[str], at_hand: InteractionIndex | None = None
    ) -> InteractionIndex:
        """As `Words.build`."""
        return cls(Words.build(encoder, texts, at_hand))

    @property
    def size(self) -> int:
        """How many texts."""
        return len(self.starts) - 1

    def unit_vectors(self, units: Ints, encoder: LateInteraction) -> Floats:
        """The vectors of some words, float32 `[len(units), dim]`; from the encoder where the vocabulary lacks one."""
        places = np.minimum(np.searchsorted(self.units, units), max(len(self.units) - 1, 0))
        held = self.units[places] == units if len(self.units) else np.zeros(len(units), dtype=np.bool_)
        vectors = np.empty((len(units), encoder.dim), dtype=np.float32)
        vectors[held] = self._vectors[places[held]].astype(np.float32) * self._scales[places[held], None]
        if not held.all():
            vectors[~held] = encoder.unit_vectors(units[~held])
        return vectors

    def matches(self, bag: Bag, rows: Ints) -> Floats:
        """How well each of the question's words is matched in texts `rows`, 0 to 1: float32 `[words, len(rows)]`."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        found = np.zeros((len(bag.units), len(rows)), dtype=np.float32)
        filled = lengths > 0
        if not filled.any() or not len(bag.units):
            return found
        ends = np.cumsum(lengths[filled])
        begins = ends - lengths[filled]
        places = np.arange(ends[-1]) + np.repeat(self.starts[rows[filled]] - begins, lengths[filled])
        terms, vectors = self._compared(self.terms[places])
        block = max(1, _CELLS // len(terms))  # a long question over long passages would need gigabytes at once
        for first in range(0, len(bag.units), block):
            cosines = bag.vectors[first : first + block] @ vectors.T
            likeness = np.clip((cosines - np.float32(THRESHOLD)) / np.float32(1 - THRESHOLD), 0, 1)
            best = np.maximum.reduceat(np.take(likeness, terms, axis=1), begins, axis=1)
            found[first : first + block, filled] = best
        return found

    def mutual(self, bag: Bag, weights: Floats) -> tuple[Floats, Floats]:
        """Of a few texts: `matches` of all, and of each text's own words the share that the question matches.

        `weights` are what each word of the vocabulary counts, float32 `[vocabulary]`. float32 `[words, texts]`, `[texts]`.
        """
        matches = self.matches(bag, np.arange(self.size))
        back = np.zeros(self.size, dtype=np.float32)
        if len(bag.units) and len(self.terms):
            cosines = bag.vectors @ self._compared(np.arange(len(self.units)))[1].T
            likeness = np.clip((cosines - np.float32(THRESHOLD)) / np.float32(1 - THRESHOLD), 0, 1).max(axis=0)
            filled = self.starts[1:] > self.starts[:-1]
            begins = self.starts[:-1][filled]
            total = np.add.reduceat(weights[self.terms], begins)
            back[filled] = np.add.reduceat((weights * likeness)[self.terms], begins) / np.maximum(total, 1e-9)
        return matches, back

    def _compared(self, terms: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.integer[Any]], Floats]:
        """The vectors that a question is compared with, float32 `[n, dim]`, and where among them each term's is.

        Those of a small vocabulary are kept at hand, all of them; of a large one, those of the terms are read.
        """
        if len(self.units) <= _AT_HAND:
            if self._floats is None:
                self._floats = self._vectors.astype(np.float32) * self._scales[:, None]
            return terms, self._floats
        used, places = np.unique(terms, return_inverse=True)
        return places, self._vectors[used].astype(np.float32) * self._scales[used, None]


def share(matches: Floats, weights: Floats) -> Floats:
    """Matches `[words, texts]` → the weighted share of the question that each text answers, float32 `[texts]`."""
    total = float(weights.sum())
    if total <= 0:
        return np.zeros(matches.shape[1], dtype=np.float32)
    shares: Floats = (weights @ matches / total).astype(np.float32)
    return shares
