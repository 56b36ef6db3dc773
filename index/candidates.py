"""The texts that may answer a question best, found by the words that they hold.

Late interaction scores a text by all of its words. Which texts are worth that is told by the question's words and the
words nearest to them: a text gains by each that it holds what that word can add to its score, near and rare words first,
until as many places have been read as there are texts. It is PLAID's idea (Santhanam et al., CIKM 2022) with words
for centroids.

Measured over 30,000 passages (5,040 of them of reports whose places and numbers were changed, the others of public
documents) with the 126 questions of `dev`: the share of the best ten of the whole hybrid score, every passage scored,
that is among the candidates when those of the lexical arm, 200, are joined by

| | 200 more | 400 or 500 more |
|---|---|---|
| nothing | .877 | |
| the passages of the nearest pieces, exact | .910 | .919 |
| of the 1,000 or 2,000 nearest pieces | .943 | .952 |
| these, 16 words near each and a quarter as many places as passages | .973 | .987 |
| **these, 16 words and half as many places** | **.993** | **.999** |
| these, 64 words and half as many places | .963 | .983 |

In a library of one kind, as `benchmarks/texts.py` makes, more is needed: of 100,393 passages the share was .966 with half as
many places and 400 texts (32 of the questions). So what each text gains is fused with the rarest terms of the lexical arm
(`index.local`): with as many places as passages the 400 that promise most hold .979 of those of a million (24 of the questions,
the least .8; the first 300 .938, the first 600 .983), with three quarters as many .967, and with half as many .917.

Of the best ten by late interaction alone the passages of the nearest 200, 500 and 1,000 pieces hold .469, .583 and .700,
these texts, 200, 400 and 800, .939, .970 and .987: one averaged vector a sentence says too little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from index.holders import Holders
from index.interaction import THRESHOLD, Bag
from index.maxscore import reached
from index.tables import starts_of
from index.types import Floats, Ints, Mask
from index.words import Words

_NEAR = 16
_LEAST = 0.1
_SCORED = 8
_PLACES = 1.0
_LONGEST = 0.25
_FREE = 10_000
_KEPT = 8192
_NEW = 0.01
_ANY = np.finfo(np.float32).tiny


class Best:
    """The `most` rows with the largest positive scores so far: `rows` int64, best first, ties by row."""

    def __init__(self, most: int) -> None:
        self.rows = np.empty(0, dtype=np.int64)
        self._scores = np.empty(0)
        self._most = most

    def add(self, scores: np.ndarray, first: int) -> None:
        """The scores of the rows from `first` on."""
        if self._most < 1:
            return
        is_full = len(self.rows) == self._most
        found = np.flatnonzero(
            scores > self._scores[-1] if is_full else (scores >= (reached(scores, self._most) or _ANY))
        )
        if len(found) > self._most:  # sorting all of them takes several times as long
            bound = np.partition(scores[found], -self._most)[-self._most]
            found = found[scores[found] >= bound]
        rows, own = np.concatenate([self.rows, found + first]), np.concatenate([self._scores, scores[found]])
        order = np.lexsort((rows, -own))[: self._most]
        self.rows, self._scores = rows[order], own[order]


class CandidateFinder:
    """Finds texts of one or more tables, numbered through all of them. Nothing is read when it is made."""

    def __init__(self, tables: Sequence[Words]) -> None:
        self._tables = tuple(tables)
        self._firsts = starts_of([np.array([table.size for table in tables], dtype=np.int64)])
        self._holders = [x.holders or Holders.of(x.terms, x.starts, len(x.units)) for x in tables]
        self._near: dict[int, tuple[Ints, Floats]] = {}
        self._searched: list[Words] | None = None

    def find(self, bag: Bag, k: int, allowed: Mask | None = None) -> Ints:
        """At most `k` texts, int64, the most promising first.

        `allowed`: bool `[texts]`, those that may be found.
        """
        best = Best(k)
        for n, gained in enumerate(self.gains(bag)):
            first, last = int(self._firsts[n]), int(self._firsts[n + 1])
            best.add(gained if allowed is None else gained * allowed[first:last], first)
        return best.rows

    def gains(self, bag: Bag) -> Iterator[Floats]:
        """What each text gains by the words that it holds, table by table: float32 `[texts of the table]`.

        About as much as the question's words that it answers weigh.
        """
        units, worth = self._words(bag)
        for n, (places, held) in enumerate(self._chosen(units, worth)):
            size = int(self._firsts[n + 1] - self._firsts[n])
            yield self._holders[n].gains(places, worth[held], size)

    def _words(self, bag: Bag) -> tuple[Ints, Floats]:
        """The words to look up, int64, rising, and what each can add to a text's score, float32."""
        found = {unit: self._near.get(unit) for unit in bag.units.tolist()}
        new = [n for n, unit in enumerate(found) if found[unit] is None]
        if new:
            met = dict(zip(bag.units[new].tolist(), self._nearest(bag.units[new], bag.vectors[new]), strict=True))
            if len(self._near) > _KEPT:
                self._near = {}  # another thread may be reading the old one
            self._near |= met
            found |= met
        near = [x for x in found.values() if x is not None]
        units = np.concatenate([np.empty(0, dtype=np.int64), *(x for x, _ in near)])
        worth = [likeness * weight for (_, likeness), weight in zip(near, bag.weights, strict=True)]
        distinct, numbers = np.unique(units, return_inverse=True)
        summed = np.bincount(numbers, np.concatenate([np.empty(0), *worth]), minlength=len(distinct))
        return distinct, summed.astype(np.float32)

    def _vocabularies(self) -> list[Words]:
        """The tables whose words are looked through, the largest first.

        Tables of like texts have like words: one is left out where those before it have 99 of 100 of its places in texts.
        """
        if self._searched is None:
            known, searched = np.empty(0, dtype=np.int64), []
            pairs = zip(self._tables, self._holders, strict=True)
            for table, holders in sorted(pairs, key=lambda x: -len(x[0].units)):
                new = ~np.isin(table.units, known)
                if np.diff(holders.offsets)[new].sum() > _NEW * len(holders.rows):
                    known = np.concatenate([known, table.units[new]])
                    searched.append(table)
            self._searched = searched
        return self._searched

    def _nearest(self, units: Ints, vectors: Floats) -> list[tuple[Ints, Floats]]:
        """For each word: itself and the words of the tables that are nearest to it, and their likeness."""
        found: list[dict[int, float]] = [{} for _ in vectors]
        for table in self._vocabularies():
            for own, (places, cosines) in zip(found, table.nearest(vectors, _NEAR, _SCORED * _NEAR), strict=True):
                own |= dict(zip(table.units[places].tolist(), cosines.tolist(), strict=True))
        near = []
        for unit, own in zip(units.tolist(), found, strict=True):
            own[unit] = 1.0  # though a table that is not looked through holds it alone
            likeness = [(x, (cosine - THRESHOLD) / (1 - THRESHOLD)) for x, cosine in own.items()]
            kept = sorted((x for x in likeness if x[1] > _LEAST), key=lambda x: (-x[1], x[0]))[:_NEAR]
            words, values = [x for x, _ in kept], [x for _, x in kept]
            near.append((np.array(words, dtype=np.int64), np.array(values, dtype=np.float32)))
        return near

    def _chosen(self, units: Ints, worth: Floats) -> list[tuple[Ints, Ints]]:
        """The words that are read, for each table: their places in its vocabulary, and which of `units` they are.

        A word that very many texts hold costs most and tells least.
        """
        held, counts = [], np.zeros(len(units), dtype=np.int64)
        for table, holders in zip(self._tables, self._holders, strict=True):
            places = np.searchsorted(table.units, units)
            inside = np.flatnonzero(places < len(table.units))
            inside = inside[table.units[places[inside]] == units[inside]]
            places = places[inside]
            counts[inside] += holders.offsets[places + 1] - holders.offsets[places]
            held.append((places, inside))
        size = int(self._firsts[-1])
        order = np.argsort(-worth / np.sqrt(1 + counts), kind="stable")
        order = order[counts[order] <= max(_LONGEST * size, _FREE / 4)]
        read = np.zeros(len(units), dtype=np.bool_)
        read[order[np.cumsum(counts[order]) <= max(_PLACES * size, _FREE)]] = True
        return [(places[read[inside]], inside[read[inside]]) for places, inside in held]
