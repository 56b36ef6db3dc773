"""Late interaction: each word of a question finds its best match among a passage's words.

Score = Σ w(q) · max over the passage's words p of relu(cos(q, p) − τ) / (1 − τ), divided by Σ w(q): the weighted
share, 0 to 1, of the question that a passage answers (Khattab and Zaharia, "ColBERT", SIGIR 2020, over static
word vectors; the threshold keeps chance likeness out).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.tables import starts_of
from index.types import Floats, Ints, LateInteraction
from index.words import Words

THRESHOLD = 0.2
"""Cosine below which two words have nothing to do with each other; the vectors were trained with it."""

_AT_HAND = 20_000
_CELLS = 4_000_000
_SLOTS = 1 << 18


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
    """Words of many texts in one or more tables, to be matched with those of a question.

    Texts are numbered through all tables. Nothing is converted when it is made: a question reads what it needs.
    """

    def __init__(self, tables: Sequence[Words]) -> None:
        """Raises ValueError where there is no table."""
        if not tables:
            raise ValueError("no table of words")
        self._tables = tuple(tables)
        self._firsts = starts_of([np.array([table.size for table in tables])])
        self._offsets = starts_of([np.array([len(table.units) for table in tables])])
        self._floats: Floats | None = None

    @classmethod
    def build(
        cls, encoder: LateInteraction, texts: Sequence[str], at_hand: InteractionIndex | None = None
    ) -> InteractionIndex:
        """As `Words.build`."""
        return cls([Words.build(encoder, texts, at_hand)])

    @property
    def size(self) -> int:
        """How many texts."""
        return int(self._firsts[-1])

    @property
    def tables(self) -> Sequence[Words]:
        """The tables, in their order."""
        return self._tables

    @property
    def units(self) -> Ints:
        """The words of each table, one table behind the other, int64; of a single table they are distinct."""
        return np.concatenate([table.units for table in self._tables])

    def units_of(self, row: int) -> Ints:
        """The words of one text, int64, rising."""
        n = self._table_of(row)
        table, local = self._tables[n], row - int(self._firsts[n])
        units: Ints = table.units[table.terms[table.starts[local] : table.starts[local + 1]]]
        return units

    def unit_vectors(self, units: Ints, encoder: LateInteraction) -> Floats:
        """The vectors of some words, float32 `[len(units), dim]`; from the encoder where no table has one."""
        vectors = np.empty((len(units), encoder.dim), dtype=np.float32)
        missing = np.arange(len(units))
        for table in self._tables:
            if not missing.size:
                return vectors
            if len(table.units):
                places = np.minimum(np.searchsorted(table.units, units[missing]), len(table.units) - 1)
                held = table.units[places] == units[missing]
                used = places[held]
                vectors[missing[held]] = table.vectors[used].astype(np.float32) * table.scales[used, None]
                missing = missing[~held]
        if missing.size:
            vectors[missing] = encoder.unit_vectors(units[missing])
        return vectors

    def matches(self, bag: Bag, rows: Ints) -> Floats:
        """How well each of the question's words is matched in texts `rows`, 0 to 1: float32 `[words, len(rows)]`."""
        found = np.zeros((len(bag.units), len(rows)), dtype=np.float32)
        order, lengths, terms = self._gathered(rows)
        filled = lengths > 0
        if not filled.any() or not len(bag.units):
            return found
        numbers, compared = self._compared(terms)
        ends = np.cumsum(lengths[filled])
        begins = ends - lengths[filled]
        block = max(1, _CELLS // len(numbers))  # a long question over long passages would need gigabytes at once
        for first in range(0, len(bag.units), block):
            cosines = compared(bag.vectors[first : first + block])
            best = np.maximum.reduceat(np.take(cosines, numbers, axis=0), begins, axis=0)
            found[first : first + block, order[filled]] = _likeness(best.T)
        return found

    def mutual(self, bag: Bag, weights: Floats) -> tuple[Floats, Floats]:
        """Of a few texts: `matches` of all, and of each text's own words the share that the question matches.

        `weights` are what each word of `units` counts, float32. float32 `[words, texts]`, `[texts]`.
        """
        matches = self.matches(bag, np.arange(self.size))
        back = np.zeros(self.size, dtype=np.float32)
        _, lengths, gathered = self._gathered(np.arange(self.size))
        terms = self._numbered(gathered)
        if len(bag.units) and len(terms):
            likeness = _likeness(bag.vectors @ self._vectors_at_hand().T).max(axis=0)
            filled = lengths > 0
            begins = (np.cumsum(lengths) - lengths)[filled]
            total = np.add.reduceat(weights[terms], begins)
            back[filled] = np.add.reduceat((weights * likeness)[terms], begins) / np.maximum(total, 1e-9)
        return matches, back

    def _table_of(self, row: int) -> int:
        return int(np.searchsorted(self._firsts, row, side="right")) - 1

    def _gathered(self, rows: Ints) -> tuple[Ints, Ints, list[npt.NDArray[np.int32]]]:
        """The rows table by table: where they stand in `rows`, how many words each has, and each table's words."""
        tables = np.searchsorted(self._firsts, rows, side="right") - 1
        order = np.argsort(tables, kind="stable")
        cuts = np.searchsorted(tables[order], np.arange(len(self._tables) + 1))
        lengths = np.zeros(len(rows), dtype=np.int64)
        terms = []
        for n, table in enumerate(self._tables):
            part = slice(cuts[n], cuts[n + 1])
            local = rows[order[part]] - self._firsts[n]
            begins = table.starts[local]
            lengths[part] = table.starts[local + 1] - begins
            ends = np.cumsum(lengths[part])
            places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - ends + lengths[part], lengths[part])
            terms.append(table.terms[places])
        return order, lengths, terms

    def _numbered(self, terms: Sequence[npt.NDArray[np.int32]]) -> Ints:
        """Each table's words numbered through all tables, int64."""
        return np.concatenate([own + offset for own, offset in zip(terms, self._offsets.tolist(), strict=False)])

    def _compared(self, terms: Sequence[npt.NDArray[np.int32]]) -> tuple[Ints, Callable[[Floats], Floats]]:
        """The number of each word, and what gives the cosines of some vectors, float32 `[numbers, vectors]`.

        The vectors of small vocabularies are kept at hand, all of them; of large ones those that occur are read, each once,
        though several tables hold the word.
        """
        if self._offsets[-1] <= _AT_HAND:
            vectors = self._vectors_at_hand()
            return self._numbered(terms), lambda asked: vectors @ asked.T
        units = [table.units[own] for table, own in zip(self._tables, terms, strict=True)]
        first, numbers = _distinct(np.concatenate(units))
        cuts = np.searchsorted(first, np.cumsum([0, *map(len, terms)])).tolist()
        together = np.concatenate(terms)[first]
        used = [together[start:end] for start, end in itertools.pairwise(cuts)]

        def cosines(asked: Floats) -> Floats:
            return np.concatenate([x.cosines(asked, own) for x, own in zip(self._tables, used, strict=True)])

        return numbers, cosines

    def _vectors_at_hand(self) -> Floats:
        """All vectors, of all tables, float32."""
        if self._floats is None:
            self._floats = np.concatenate([x.vectors * x.scales[:, None] for x in self._tables])
        return self._floats


def _likeness(cosines: Floats) -> Floats:
    likeness: Floats = np.clip((cosines - np.float32(THRESHOLD)) / np.float32(1 - THRESHOLD), 0, 1)
    return likeness


def _distinct(units: Ints) -> tuple[Ints, Ints]:
    """Where each distinct word stands first, rising, and for each word which of these it is; both int64.

    Words go by the last bits of their numbers into slots that need not be cleared, which takes half as long as sorting
    them. Of two words in one slot the later one is not found, and told apart as often as it occurs: that costs a little
    and changes nothing.
    """
    every = np.arange(len(units))
    slots = units & (_SLOTS - 1)
    first = np.empty(_SLOTS, dtype=np.int64)
    first[slots[::-1]] = every[::-1]
    first = first[slots]
    first = np.where(units[first] == units, first, every)
    distinct = np.flatnonzero(first == every)
    numbers = np.empty(len(units), dtype=np.int64)
    numbers[distinct] = np.arange(len(distinct))
    return distinct, numbers[first]


def share(matches: Floats, weights: Floats) -> Floats:
    """Matches `[words, texts]` → the weighted share of the question that each text answers, float32 `[texts]`."""
    total = float(weights.sum())
    if total <= 0:
        return np.zeros(matches.shape[1], dtype=np.float32)
    shares: Floats = (weights @ matches / total).astype(np.float32)
    return shares
