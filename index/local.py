"""Both arms searched on this machine, over one snapshot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.candidates import Best
from index.fusion import PLACE_BONUS, YEAR_BONUS, fuse, spread
from index.interaction import Bag, share
from index.lexical import LexicalQuery
from index.query import Part
from index.ranking import Candidates
from index.snapshot import Snapshot
from index.types import Encoder, Filters, Floats, Ints, LateInteraction, Mask, Mode
from index.views import View

# So few passages are all candidates: each arm could miss one that both together rank high.
_ALL = 500
# So many that both arms together expect most of are then scored in full, which takes longer than to find them.
_MATCHED = 400
# The whole question answered by meaning alone, and by words alone.
_UNITS = tuple((np.array([x], np.float32), np.array([1 - x], np.float32)) for x in (1, 0))


class LocalArms:
    """See `index.ranking.Arms` for the contract."""

    def __init__(self, snapshot: Snapshot, encoder: Encoder) -> None:
        self._snapshot = snapshot
        self._encoder = encoder
        self._late = encoder if isinstance(encoder, LateInteraction) else None
        self._expanded = bool(snapshot.has_expansions.any())

    def candidates(self, part: Part, mode: Mode, filters: Filters, expansions: bool, count: int) -> Candidates:
        """The best `count` passages of each arm in each view, and what both arms say of all of them."""
        snapshot = self._snapshot
        allowed = self._required(part, snapshot.mask(filters))
        meaning = self._meaning(part.text) if mode != "lexical" else None
        views = [snapshot.plain, *([snapshot.expanded] if expansions and self._expanded else [])]
        asked = [view.lexical.prepare(part.text) for view in views]
        rows = self._rows(part, views, asked if mode != "dense" else [], meaning, allowed, count)
        has_expansions = snapshot.has_expansions[rows]
        lexical = self._lexical(views, asked, rows, has_expansions) if mode != "dense" else [_nothing(rows)]
        dense = self._dense(views, meaning, rows, has_expansions) if meaning is not None else [_nothing(rows)]
        both = 1 + expansions
        return Candidates(
            rows=rows,
            dense=[dense[0], dense[-1]][:both],
            lexical=[lexical[0], lexical[-1]][:both],
            coverage=asked[-1].coverage,
            has_expansions=has_expansions,
            bonus=self._bonus(part, rows),
        )

    def _meaning(self, text: str) -> Bag | Floats:
        """A question as the arm of meaning looks for it: its words, or one vector `[dim]`."""
        return Bag.of(self._late, text) if self._late else self._encoder.encode_queries([text])[0]

    def _rows(
        self,
        part: Part,
        views: Sequence[View],
        asked: Sequence[LexicalQuery],
        meaning: Bag | Floats | None,
        allowed: Mask | None,
        count: int,
    ) -> Ints:
        """The best rows of each arm in each view, int64, rising; all that may be found, where there are few."""
        size = len(self._snapshot.rows)
        if size <= _ALL:
            return np.arange(size) if allowed is None else np.flatnonzero(allowed)
        found = [np.zeros(0, dtype=np.int64)]
        if isinstance(meaning, Bag):
            found.append(self._promising(part, meaning, asked[:1], allowed, max(_MATCHED, count)))
            for view in views[1:]:
                found += [view.lexical.likely(query, count, allowed) for query in asked[1:]]
                found += [view.finder.find(meaning, count, allowed)] if view.finder else []
            return np.unique(np.concatenate(found))
        for mask in (allowed, *self._preferred(part, allowed)):
            for view, query in zip(views, asked, strict=False):
                # What words alone must find is found exactly.
                find = view.lexical.best if meaning is None else view.lexical.likely
                found.append(find(query, count, mask))
            if meaning is not None and meaning.any():
                found += [view.pieces.search(meaning, count, mask) for view in views]
        return np.unique(np.concatenate(found))

    def _promising(self, part: Part, bag: Bag, asked: Sequence[LexicalQuery], allowed: Mask | None, count: int) -> Ints:
        """The passages whose own text promises most, int64: by both arms' estimates of all, and what is preferred."""
        view, years = self._snapshot.plain, self._snapshot.years
        if view.finder is None:
            return np.zeros(0, dtype=np.int64)
        best, first = Best(count), 0
        total = np.float32(bag.weights.sum() or 1)
        # As `fuse` does, in units of the words' share and in place: each time that a million numbers are gone through shows.
        by_meaning, by_words = (fuse(*x, asked[0].coverage) if asked else x[0] for x in _UNITS)
        unit = by_words or np.ones(1, np.float32)
        words = view.lexical.rough_shares(asked[0]) if asked and by_words else None
        named = [view.lexical.holding(place) for place in part.places]
        for n, scores in enumerate(view.finder.gains(bag)):
            last = first + len(scores)
            np.minimum(scores, total, out=scores)
            scores *= by_meaning / (total * unit)
            if words is not None:
                words.add(scores, n)
            for year in part.years:
                np.add(scores, YEAR_BONUS / unit, out=scores, where=years[first:last] == year)
            for rows in named:
                own = rows[slice(*rows.searchsorted([first, last]))] - first
                np.add.at(scores, own, (PLACE_BONUS / len(named) / unit)[0])
            if allowed is not None:
                scores *= allowed[first:last]
            best.add(scores, first)
            first = last
        return best.rows

    def _lexical(
        self, views: Sequence[View], asked: Sequence[LexicalQuery], rows: Ints, has_expansions: Mask
    ) -> list[Floats]:
        """The share of the question that each candidate has by words, float32 `[rows]` a view.

        A passage without expansions has the same in both.
        """
        shares = [views[0].lexical.shares(asked[0], rows)]
        for view, query in zip(views[1:], asked[1:], strict=True):
            shares.append(shares[0].copy())
            shares[-1][has_expansions] = view.lexical.shares(query, rows[has_expansions])
        return shares

    def _dense(self, views: Sequence[View], meaning: Bag | Floats, rows: Ints, has_expansions: Mask) -> list[Floats]:
        """The share of the question that each candidate answers by meaning, float32 `[rows]` a view."""
        if not isinstance(meaning, Bag):
            cosines = [view.pieces.nearest(meaning, rows)[0] for view in views]
            plain = spread(cosines[0])
            return [plain, *(np.maximum(plain, spread((cosines[0] + x) * np.float32(0.5))) for x in cosines[1:])]
        words, weights = views[0].words, meaning.weights
        matches = words.matches(meaning, rows) if words else np.zeros((len(weights), len(rows)), np.float32)
        shares = [share(matches, weights)]
        for view in views[1:]:
            some = matches[:, has_expansions]
            if view.words is not None:
                some = np.maximum(some, view.words.matches(meaning, rows[has_expansions]))
            shares.append(shares[0].copy())
            shares[-1][has_expansions] = share(some, weights)
        return shares

    # -- what the question asks for beside its words ------------------------------------------------

    def _required(self, part: Part, allowed: Mask | None) -> Mask | None:
        """bool `[passages]`: the passages of the part's year and place, where it requires them."""
        wanted = []
        if part.year is not None:
            wanted.append(self._snapshot.years == part.year)
        if part.place is not None:
            named = np.zeros(len(self._snapshot.rows), dtype=np.bool_)
            named[self._snapshot.plain.lexical.holding(part.place)] = True
            wanted.append(named)
        for mask in wanted:
            allowed = mask if allowed is None else allowed & mask
        return allowed

    def _preferred(self, part: Part, allowed: Mask | None) -> list[Mask]:
        """What may be found and is of a preferred year or place, whose best are candidates too; nothing where none is."""
        if not (part.years or part.places):
            return []
        mask = np.isin(self._snapshot.years, part.years)
        for place in part.places:
            mask[self._snapshot.plain.lexical.holding(place)] = True
        return [mask if allowed is None else mask & allowed]

    def _bonus(self, part: Part, rows: Ints) -> Floats:
        """What preferred years and places add to each candidate, float32 `[rows]`."""
        bonus = np.zeros(len(rows), dtype=np.float32)
        if part.years:
            bonus += YEAR_BONUS * np.isin(self._snapshot.years[rows], part.years)
        for place in part.places:
            held = self._snapshot.plain.lexical.holds(place, rows)
            bonus += np.float32(PLACE_BONUS / len(part.places)) * held
        return bonus


def _nothing(rows: Ints) -> Floats:
    """What an arm that is not asked says."""
    return np.zeros(len(rows), dtype=np.float32)
