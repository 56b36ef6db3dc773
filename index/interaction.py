"""Late interaction: each word of a question finds its best match among a passage's words.

Score = Σ w(q) · max over the passage's words p of relu(cos(q, p) − τ) / (1 − τ), divided by Σ w(q): the weighted
share, 0 to 1, of the question that a passage answers (Khattab and Zaharia, "ColBERT", SIGIR 2020, over static
word vectors; the threshold keeps chance likeness out).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Floats, Ints, LateInteraction

THRESHOLD = 0.2
"""Cosine below which two words have nothing to do with each other; the vectors were trained with it."""

_AT_HAND = 20_000
_CELLS = 4_000_000
_ARRAYS = ("units", "vectors", "scales", "starts", "terms")


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


class InteractionIndex:
    """The distinct words of many texts, and the vectors of all words that occur.

    `units` int64 `[vocabulary]`, rising; `vectors` int8 `[vocabulary, dim]` with `scales` float32
    `[vocabulary]`; the words of text `n` are `terms[starts[n]:starts[n + 1]]`, numbers of the vocabulary.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._arrays = dict(arrays)
        self.units: Ints = arrays["units"].astype(np.int64)
        self._vectors = arrays["vectors"]
        self._scales: Floats = arrays["scales"]
        self.starts: Ints = arrays["starts"].astype(np.int64)
        self.terms: Ints = arrays["terms"].astype(np.int64)
        self._floats: Floats | None = None

    @classmethod
    def build(
        cls, encoder: LateInteraction, texts: Sequence[str], at_hand: InteractionIndex | None = None
    ) -> InteractionIndex:
        """Of texts; the vectors of words that another index holds are taken from `at_hand`, not from the encoder."""
        bags = encoder.units(texts)
        units = np.unique(np.concatenate([*bags, np.zeros(0, np.int64)]))
        vectors = at_hand.unit_vectors(units, encoder) if at_hand else encoder.unit_vectors(units)
        scales = np.abs(vectors).max(axis=1, initial=1e-12) / 127
        arrays = {
            "units": units,
            "vectors": np.rint(vectors / scales[:, None]).astype(np.int8),
            "scales": scales.astype(np.float32),
            "starts": np.cumsum([0, *(len(bag) for bag in bags)]).astype(np.int64),
            "terms": np.searchsorted(units, np.concatenate([*bags, np.zeros(0, np.int64)])).astype(np.int32),
        }
        return cls(arrays)

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

    def _compared(self, terms: Ints) -> tuple[Ints, Floats]:
        """The vectors that a question is compared with, float32 `[n, dim]`, and where among them each term's is.

        Those of a small vocabulary are kept at hand, all of them; of a large one, those of the terms are read.
        """
        if len(self.units) <= _AT_HAND:
            if self._floats is None:
                self._floats = self._vectors.astype(np.float32) * self._scales[:, None]
            return terms, self._floats
        used, places = np.unique(terms, return_inverse=True)
        return places, self._vectors[used].astype(np.float32) * self._scales[used, None]

    def dump(self) -> dict[str, bytes]:
        """File name → content, npy without pickle."""
        dumped = {}
        for name in _ARRAYS:
            buffer = io.BytesIO()
            np.save(buffer, self._arrays[name], allow_pickle=False)
            dumped[f"{name}.npy"] = buffer.getvalue()
        return dumped

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> InteractionIndex:
        """Of files as `dump` made them."""
        return cls({name: np.load(io.BytesIO(files[f"{name}.npy"]), allow_pickle=False) for name in _ARRAYS})


def share(matches: Floats, weights: Floats) -> Floats:
    """Matches `[words, texts]` → the weighted share of the question that each text answers, float32 `[texts]`."""
    total = float(weights.sum())
    if total <= 0:
        return np.zeros(matches.shape[1], dtype=np.float32)
    shares: Floats = (weights @ matches / total).astype(np.float32)
    return shares
