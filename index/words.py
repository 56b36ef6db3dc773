"""The distinct words of many texts, with their vectors, as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from index.ann import Index, build
from index.holders import Holders
from index.storage import Content, Data
from index.tables import Run, array_content, load_array, starts_of
from index.types import Floats, Ints, LateInteraction

_BATCH = 1024
_SCANNED = 8192
_AT_ONCE = 256
_NEAREST = "nearest.faiss"


class _AtHand(Protocol):
    """Who knows vectors of words already."""

    def unit_vectors(self, units: Ints, encoder: LateInteraction) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Words:
    """The distinct words of many texts as they are stored, and the vectors of all words that occur.

    `units` int64 `[vocabulary]`, rising; `vectors` int8 `[vocabulary, dim]` with `scales` float32
    `[vocabulary]`; the words of text `n` are `terms[starts[n]:starts[n + 1]]`, int32, numbers of the vocabulary.
    What was stored has two things more: `holders`, the texts of each word, and, of a large vocabulary, `near`, an index of
    its vectors.
    """

    units: Ints
    vectors: npt.NDArray[np.int8]
    scales: Floats
    starts: Ints
    terms: npt.NDArray[np.int32]
    holders: Holders | None = None
    near: Index | None = None

    @property
    def size(self) -> int:
        """How many texts."""
        return len(self.starts) - 1

    @classmethod
    def build(cls, encoder: LateInteraction, texts: Sequence[str], at_hand: _AtHand | None = None) -> Words:
        """Of texts; the vectors of words that another index holds are taken from `at_hand`, not from the encoder."""
        bags = [bag for n in range(0, len(texts), _BATCH) for bag in encoder.units(texts[n : n + _BATCH])]
        return cls.of(encoder, bags, at_hand)

    @classmethod
    def of(cls, encoder: LateInteraction, bags: Sequence[Ints], at_hand: _AtHand | None = None) -> Words:
        """Of the words of texts, as `LateInteraction.units` gives them; otherwise as `build`."""
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
    def load(cls, files: Mapping[str, Data]) -> Words:
        """Of files as `dump` made them.

        Raises:
            ValueError: they are no such files, or don't fit together.
        """
        arrays: dict[str, Any] = {
            name: load_array(files[f"{name}.npy"]) for name in ("units", "vectors", "scales", "starts", "terms")
        }
        near = Index.load(files[_NEAREST]) if _NEAREST in files else None
        words = cls(**arrays, holders=Holders.load(files), near=near)
        if len(words.terms) != (words.starts[-1] if len(words.starts) else -1):
            raise ValueError("words and texts differ in number")
        if not len(words.units) == len(words.vectors) == len(words.scales):
            raise ValueError("words and vectors differ in number")
        if words.holders is not None and words.holders.counts != (len(words.units), len(words.terms)):
            raise ValueError("words and their texts differ in number")
        if words.near is not None and words.near.size != len(words.units):
            raise ValueError("words and their index differ in number")
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
        starts = starts_of([np.diff(t.starts[run.start : run.stop + 1]) for _, t, run in chosen])
        together = np.concatenate([np.zeros(0, np.int32), *(numbers[n][terms] for n, terms in spans)])
        return {
            "units.npy": array_content(units),
            "vectors.npy": array_content(vectors),
            "scales.npy": array_content(scales),
            "starts.npy": array_content(starts),
            "terms.npy": array_content(together),
            **Holders.of(together, starts, len(units)).dump(),
            **({_NEAREST: build(vectors * scales[:, None], "bits")} if len(units) > _SCANNED else {}),
        }

    def cosines(self, vectors: Floats, places: npt.NDArray[np.integer[Any]]) -> Floats:
        """Of words of the vocabulary with some vectors `[n, dim]`: float32 `[len(places), n]`."""
        products = np.empty((len(places), len(vectors)), dtype=np.float32)
        asked = np.ascontiguousarray(vectors.T)
        floats = np.empty((min(_AT_ONCE, len(places)), self.vectors.shape[1]), dtype=np.float32)
        for start in range(0, len(places), _AT_ONCE):  # what is converted is multiplied while the cache holds it
            part = places[start : start + _AT_ONCE]
            floats[: len(part)] = self.vectors[part]
            np.matmul(floats[: len(part)], asked, out=products[start : start + len(part)])
        products *= self.scales[places, None]
        return products

    def nearest(self, vectors: Floats, k: int, scored: int) -> list[tuple[Ints, Floats]]:
        """For each of some vectors `[n, dim]`: the places of the `k` nearest words of the vocabulary, and the cosines.

        In a large vocabulary they are the nearest of the `scored` ones that its index finds.
        """
        if self.near is None:
            every = np.arange(len(self.units))
            found = [every] * len(vectors)
        else:
            found = [places[places >= 0] for places in self.near.search(vectors, scored)[1]]
        together, numbers = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *found]), return_inverse=True)
        cosines = self.cosines(vectors, together)
        nearest, start = [], 0
        for n, places in enumerate(found):
            own = cosines[numbers[start : start + len(places)], n]
            start += len(places)
            best = np.argsort(-own, kind="stable")[:k] if len(own) <= scored else np.argpartition(-own, k)[:k]
            nearest.append((places[best], own[best]))
        return nearest
