"""The one Retriever that users call: what was understood of a question, both arms, fused, over one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest

import numpy as np

from corpus.expansions import Expansion
from corpus.types import slice_spans
from index.diversity import defer_copies
from index.fusion import PLACE_BONUS, YEAR_BONUS, fuse, spread, with_expansions
from index.highlight import best_sentences, query_weights
from index.interaction import Bag, share
from index.query import Part, Query, understand
from index.reasons import Reasons, Why
from index.snapshot import Snapshot
from index.types import MODES, NO_FILTERS, Encoder, Filters, Floats, Hit, Ints, LateInteraction, Mask, Mode
from index.views import View
from index.years import plan_of

_CANDIDATES = 200
# So few passages are all candidates: each arm could miss one that both together rank high.
_ALL = 500
# Among so many of the best, copies are looked for.
_WINDOW = 50
# An expansion is named as a reason only where it raised the passage by as much.
_REASON = 0.02


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Candidates of one part, best first: rows int64, and what each arm said, float32, all `[n]`.

    `text` is what was looked for.
    """

    text: str
    rows: Ints
    scores: Floats
    dense: Floats
    lexical: Floats
    gains: Floats


_Chosen = Sequence[tuple[_Ranked, int]]


class HybridRetriever:
    """Search over one snapshot; see `index.types.Retriever` for the contract."""

    def __init__(self, snapshot: Snapshot, encoder: Encoder) -> None:
        self.snapshot = snapshot
        self.encoder = encoder
        self._late = encoder if isinstance(encoder, LateInteraction) else None
        plans = ((plan_of(x.title), x.year) for x in snapshot.documents.values())
        self._plans = {name: year for name, year in plans if name}

    def understand(self, question: str, today: date | None = None, ignored: Collection[str] = frozenset()) -> Query:
        """The question read against this corpus: its years, places, parts, and names misspelt.

        `ignored` are readings to leave aside, by id or surface.
        """
        year = (today or date.today()).year
        return understand(question, self.snapshot.names, self._years_of, year, self._plans, ignored)

    def search(
        self,
        query: str | Query,
        top_k: int = 5,
        mode: Mode = "hybrid",
        filters: Filters = NO_FILTERS,
        expansions: bool = True,
    ) -> list[Hit]:
        """At most `top_k` hits, best first; `expansions=False` leaves the expansions of passages aside.

        A `str` is taken literally.

        Raises:
            ValueError: `top_k` is below 1 or `mode` is none of `MODES`.
        """
        question = Query.literal(query) if isinstance(query, str) else query
        return self._hits(question, self._found(question, top_k, mode, filters, expansions), mode, expansions)

    def explained(
        self,
        query: Query,
        top_k: int = 5,
        mode: Mode = "hybrid",
        filters: Filters = NO_FILTERS,
        expansions: bool = True,
    ) -> tuple[list[Hit], list[Why]]:
        """As `search`, and why each of the hits was found, by the part of the question that found it."""
        chosen = self._found(query, top_k, mode, filters, expansions)
        texts = {part.text for part, _ in chosen}
        reasons = {text: Reasons(self.snapshot, self.encoder, text, mode, expansions) for text in texts}
        whys = [reasons[part.text].why(int(part.rows[n])) for part, n in chosen]
        return self._hits(query, chosen, mode, expansions), whys

    def _found(self, query: Query, top_k: int, mode: Mode, filters: Filters, expansions: bool) -> _Chosen:
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        if mode not in MODES:
            raise ValueError(f"mode must be one of {MODES}, not {mode!r}")
        allowed = self.snapshot.mask(filters)
        ranked = [self._rank(part, mode, allowed, expansions, max(_CANDIDATES, top_k)) for part in query.parts]
        return self._choose(ranked, top_k)

    # -- one part ---------------------------------------------------------------------------------

    def _rank(self, part: Part, mode: Mode, allowed: Mask | None, expansions: bool, count: int) -> _Ranked:
        allowed = self._required(part, allowed)
        vector = self.encoder.encode_queries([part.text])[0] if mode != "lexical" else None
        views = [self.snapshot.plain, *([self.snapshot.expanded] if expansions else [])]
        lexical = [self._lexical(view, part.text, mode, allowed) for view in views]
        rows = self._candidates(views, lexical, vector, allowed, count)
        dense = self._dense(views, part.text, vector, rows)
        seen = [x[rows] for x in lexical]
        covered = views[-1].lexical.coverage(part.text)
        scores = [self._score(mode, d, x, covered) for d, x in zip(dense, seen, strict=True)]
        total, gains = scores[0], np.zeros(len(rows), dtype=np.float32)
        if expansions:
            total = with_expansions(scores[0], scores[1], self.snapshot.has_expansions[rows])
            gains = np.where(self.snapshot.has_expansions[rows], total - scores[0], 0).astype(np.float32)
        found = total > 0
        total = (total + self._bonus(part, rows))[found]
        order = np.lexsort((rows[found], -total))
        columns = (x[found][order] for x in (dense[-1], seen[-1], gains))
        return _Ranked(part.text, rows[found][order], total[order], *columns)

    def _candidates(
        self, views: Sequence[View], lexical: Sequence[Floats], vector: Floats | None, allowed: Mask | None, count: int
    ) -> Ints:
        """The best rows of each arm in each view, int64, rising; all that may be found, where there are few."""
        if len(self.snapshot.rows) <= _ALL:
            return np.arange(len(self.snapshot.rows)) if allowed is None else np.flatnonzero(allowed)
        found = [_best_rows(scores, count) for scores in lexical]
        if vector is not None and vector.any():
            found += [view.pieces.search(vector, count, allowed) for view in views]
        return np.unique(np.concatenate(found))

    def _lexical(self, view: View, text: str, mode: Mode, allowed: Mask | None) -> Floats:
        """The share of the question that each passage has, float32 `[passages]`; 0 for one that may not be found."""
        if mode == "dense":
            return np.zeros(len(self.snapshot.rows), dtype=np.float32)
        shares = view.lexical.shares(text)
        return shares if allowed is None else np.where(allowed, shares, np.float32(0))

    def _dense(self, views: Sequence[View], text: str, vector: Floats | None, rows: Ints) -> list[Floats]:
        """The share of the question that each candidate answers by meaning, one array float32 `[rows]` a view."""
        if vector is None:
            return [np.zeros(len(rows), dtype=np.float32) for _ in views]
        if self._late is None:
            cosines = [view.pieces.nearest(vector, rows)[0] for view in views]
            plain = spread(cosines[0])
            return [plain, *(np.maximum(plain, spread((cosines[0] + x) * np.float32(0.5))) for x in cosines[1:])]
        bag = Bag.of(self._late, text)
        matches = np.zeros((len(bag.units), len(rows)), dtype=np.float32)
        shares = []
        for view in views:
            if view.words is not None:
                matches = np.maximum(matches, view.words.matches(bag, rows))
            shares.append(share(matches, bag.weights))
        return shares

    @staticmethod
    def _score(mode: Mode, dense: Floats, lexical: Floats, coverage: float) -> Floats:
        if mode == "hybrid":
            return fuse(dense, lexical, coverage)
        return dense if mode == "dense" else lexical

    # -- what the question asks for beside its words ------------------------------------------------

    def _required(self, part: Part, allowed: Mask | None) -> Mask | None:
        """bool `[passages]`: the passages of the part's year and place, where it requires them."""
        for wanted in (
            self.snapshot.years == part.year if part.year is not None else None,
            self.snapshot.plain.lexical.holding(part.place) if part.place is not None else None,
        ):
            if wanted is not None:
                allowed = wanted if allowed is None else allowed & wanted
        return allowed

    def _bonus(self, part: Part, rows: Ints) -> Floats:
        """What preferred years and places add to each candidate, float32 `[rows]`."""
        bonus = np.zeros(len(rows), dtype=np.float32)
        if part.years:
            bonus += YEAR_BONUS * np.isin(self.snapshot.years[rows], part.years)
        for place in part.places:
            held = self.snapshot.plain.lexical.holding(place)[rows]
            bonus += np.float32(PLACE_BONUS / len(part.places)) * held
        return bonus

    def _years_of(self, places: Sequence[str]) -> list[int]:
        """The years of the reports with a passage that holds all the places, rising."""
        held = np.ones(len(self.snapshot.rows), dtype=np.bool_)
        for place in places:
            held &= self.snapshot.plain.lexical.holding(place)
        return sorted({int(year) for year in self.snapshot.years[held]})

    # -- hits -------------------------------------------------------------------------------------

    def _choose(self, ranked: Sequence[_Ranked], top_k: int) -> _Chosen:
        """The best of the parts in turn, each passage once, copies of one text behind the others."""
        lists = [[(part, n) for n in self._deferred(part.rows, top_k)] for part in ranked]
        taken: dict[int, tuple[_Ranked, int]] = {}
        for turn in zip_longest(*lists):
            for place in turn:
                if place is not None:
                    taken.setdefault(int(place[0].rows[place[1]]), place)
        return list(taken.values())[:top_k]

    def _deferred(self, rows: Ints, top_k: int) -> list[int]:
        """Places in `rows`, copies of a better passage behind the others."""
        texts = [self.snapshot.rows[int(row)].passage.text for row in rows[: max(_WINDOW, top_k)]]
        return defer_copies(texts, top_k)

    def _hits(self, query: Query, chosen: _Chosen, mode: Mode, expansions: bool) -> list[Hit]:
        text = query.parts[-1].text
        weights = query_weights(text, self.snapshot.plain.lexical.views["characters"].weight)
        rows = np.array([part.rows[n] for part, n in chosen], dtype=np.int64)
        reasons = self._reasons(text, rows) if expansions and mode != "lexical" else [None] * len(rows)
        hits = []
        for rank, ((part, n), reason) in enumerate(zip(chosen, reasons, strict=True), start=1):
            passage = self.snapshot.rows[int(part.rows[n])].passage
            said = {"dense": part.dense[n], "lexical": part.lexical[n], "expansion": part.gains[n]}
            signals = {arm: round(float(score), 4) for arm, score in said.items() if score}
            marked = [slice_spans(passage.spans, *x) for x in best_sentences(passage.text, weights, text)]
            hits.append(
                Hit(
                    rank,
                    round(float(part.scores[n]), 4),
                    signals,
                    passage,
                    self.snapshot.citation(passage),
                    tuple(span for spans in marked for span in spans),
                    reason if part.gains[n] >= _REASON else None,
                )
            )
        return hits

    def _reasons(self, text: str, rows: Ints) -> list[Expansion | None]:
        """The expansion of each passage that is nearest to the question."""
        vector = self.encoder.encode_queries([text])[0]
        _, which = self.snapshot.expanded.pieces.nearest(vector, rows)
        return [
            self.snapshot.rows[int(row)].expansions[int(n)] if n >= 0 else None
            for row, n in zip(rows, which, strict=True)
        ]


def _best_rows(scores: Floats, count: int) -> Ints:
    """The rows of the `count` best positive scores, ties by row."""
    rows = np.flatnonzero(scores > 0)
    best: Ints = rows[np.lexsort((rows, -scores[rows]))[:count]]
    return best
