"""The one Retriever that users call: what was understood of a question, both arms, fused, over one generation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from itertools import zip_longest

import numpy as np

from corpus.expansions import Expansion
from corpus.types import slice_spans
from index.diversity import defer_copies
from index.highlight import best_sentences, query_weights
from index.local import LocalArms
from index.query import Part, Query, understand
from index.ranking import Arms, Ranked, Source, rank
from index.reasons import Reasons, Why
from index.snapshot import Snapshot
from index.storage import IndexProblem
from index.types import MODES, NO_FILTERS, Encoder, Filters, Hit, Ints, Mode
from index.years import plan_of

_CANDIDATES = 200
# Among so many of the best, copies are looked for.
_WINDOW = 50
# An expansion is named as a reason only where it raised the passage by as much.
_REASON = 0.02

_Chosen = Sequence[tuple[Ranked, int]]


class HybridRetriever:
    """Search over one generation; see `index.types.Retriever` for the contract."""

    def __init__(self, snapshot: Source, encoder: Encoder, arms: Arms | None = None) -> None:
        """`arms`: where they are searched, over the snapshot by default."""
        self.snapshot = snapshot
        self.encoder = encoder
        if arms is None:
            if not isinstance(snapshot, Snapshot):
                raise TypeError("only a snapshot on this machine has arms of its own")
            arms = LocalArms(snapshot, encoder)
        self._arms = arms
        plans = ((plan_of(title), year) for title, year in snapshot.reports())
        self._plans = {name: year for name, year in plans if name}

    def understand(self, question: str, today: date | None = None, ignored: Collection[str] = frozenset()) -> Query:
        """The question read against this corpus: its years, places, parts, and names misspelt.

        `ignored` are readings to leave aside, by id or surface.
        """
        year = (today or date.today()).year
        return understand(question, self.snapshot.names, self.snapshot.years_of, year, self._plans, ignored)

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
        if not isinstance(self.snapshot, Snapshot):
            raise IndexProblem(
                "backend_unsupported", "说明段落为何找到（explain），须用本机的索引（--backend local）。"
            )
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
        count = max(_CANDIDATES, top_k)
        return self._choose([self._ranked(x, mode, filters, expansions, count) for x in query.parts], top_k)

    def _ranked(self, part: Part, mode: Mode, filters: Filters, expansions: bool, count: int) -> Ranked:
        return rank(part.text, mode, self._arms.candidates(part, mode, filters, expansions, count))

    # -- hits -------------------------------------------------------------------------------------

    def _choose(self, ranked: Sequence[Ranked], top_k: int) -> _Chosen:
        """The best of the parts in turn, each passage once, copies of one text behind the others."""
        lists = [[(part, n) for n in self._deferred(part.rows, top_k)] for part in ranked]
        taken: dict[int, tuple[Ranked, int]] = {}
        for turn in zip_longest(*lists):
            for place in turn:
                if place is not None:
                    taken.setdefault(int(place[0].rows[place[1]]), place)
        return list(taken.values())[:top_k]

    def _deferred(self, rows: Ints, top_k: int) -> list[int]:
        """Places in `rows`, copies of a better passage behind the others."""
        best = rows[: max(_WINDOW, top_k)]
        self.snapshot.ready(best)
        texts = (self.snapshot.row(int(row)).passage.text for row in best)
        return defer_copies(texts, len(best), top_k)

    def _hits(self, query: Query, chosen: _Chosen, mode: Mode, expansions: bool) -> list[Hit]:
        text = query.parts[-1].text
        weights = query_weights(text, self.snapshot.weights)
        raised = [int(part.rows[n]) for part, n in chosen if part.gains[n] >= _REASON]
        reasons = self._reasons(text, raised) if raised and mode != "lexical" else {}
        hits = []
        for place, (part, n) in enumerate(chosen, start=1):
            row = int(part.rows[n])
            passage = self.snapshot.row(row).passage
            said = {"dense": part.dense[n], "lexical": part.lexical[n], "expansion": part.gains[n]}
            signals = {arm: round(float(score), 4) for arm, score in said.items() if score}
            marked = [slice_spans(passage.spans, *x) for x in best_sentences(passage.text, weights, text)]
            hits.append(
                Hit(
                    place,
                    round(float(part.scores[n]), 4),
                    signals,
                    passage,
                    self.snapshot.citation(passage),
                    tuple(span for spans in marked for span in spans),
                    reasons.get(row),
                )
            )
        return hits

    def _reasons(self, text: str, rows: Sequence[int]) -> dict[int, Expansion]:
        """The expansion of each passage that is nearest to the question, by row."""
        vector = self.encoder.encode_queries([text])[0]
        which = self.snapshot.nearest_expansions(vector, np.array(rows, dtype=np.int64))
        return {
            row: self.snapshot.row(row).expansions[n] for row, n in zip(rows, which.tolist(), strict=True) if n >= 0
        }
