"""Both arms searched in Milvus; what they say of the candidates is computed as on this machine.

The server proposes: the nearest pieces, the best of BM25, and those that hold words near to the question's, each in both
views. Its products of sparse vectors are the
lexical shares, because the weights in them are ours; late interaction is computed here, from the words of the candidates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from index.fusion import PLACE_BONUS, YEAR_BONUS, spread
from index.interaction import Bag, InteractionIndex, share
from index.lexical import VIEWS
from index.milvus_rows import unpacked
from index.milvus_schema import HEADS, QUESTIONS, TEXT, word_dimension
from index.milvus_source import MilvusSource, holding
from index.query import Part
from index.ranking import Candidates
from index.snapshot import matches
from index.types import Encoder, Filters, Floats, Ints, LateInteraction, Mode
from index.words import Words

# So few passages are all candidates, as on this machine.
_ALL = 500
_VIEWS = ("plain", "expanded")
_PIECES: Sequence[Sequence[str]] = (TEXT, (QUESTIONS,))
_FACTS = ("row", "places", "enriched")
_Result = TypeVar("_Result")
# For all retrievers: its threads only wait, and there are none before the first question.
_POOL = ThreadPoolExecutor(max_workers=32, thread_name_prefix="milvus")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A part of a question as both arms take it: its vector, its words, and for each view the weights of its terms.

    `near` are words near to its own, as dimensions, and what each can add to a passage's share by late interaction. `where` is the filter that holds for what may be found.
    """

    where: str
    vector: Floats | None
    bag: Bag | None
    terms: Sequence[Mapping[int, float]]
    near: Mapping[int, float]
    preferred: str
    """The filter of what is of a preferred year or place, whose best are candidates too; empty where none is."""


class MilvusArms:
    """See `index.ranking.Arms` for the contract."""

    def __init__(self, source: MilvusSource, encoder: Encoder) -> None:
        self._source = source
        self._encoder = encoder
        self._late = encoder if isinstance(encoder, LateInteraction) else None

    def candidates(self, part: Part, mode: Mode, filters: Filters, expansions: bool, count: int) -> Candidates:
        """The best `count` passages of each arm in each view, and what both arms say of all of them."""
        views = range(1 + expansions)
        where = self._where(part, filters)
        if where is None:
            return _nothing(len(views))
        vector = self._encoder.encode_queries([part.text])[0] if mode != "lexical" else None
        terms = [self._terms(part.text, view) if mode != "dense" else {} for view in views]
        bag = Bag.of(self._late, part.text) if self._late is not None and vector is not None else None
        near = self._source.near_words(bag) if bag is not None and self._source.size > _ALL else {}
        asked = _Asked(
            where, vector, bag, terms, {word_dimension(x): y for x, y in near.items()}, _preferred(part, where)
        )
        rows, known = self._rows(asked, max(count, _ALL) if self._source.size <= _ALL else count)
        fields = [*_FACTS, *(("units", "asked")[: len(views)] if bag is not None else ())]
        lexical = self._together([partial(self._shares, n, asked, rows, known[n]) for n in views])
        facts = self._facts(rows, fields)
        has = np.array([x["enriched"] for x in facts], dtype=np.bool_)
        lexical = [np.where(has, x, lexical[0]).astype(np.float32) if n else x for n, x in enumerate(lexical)]
        return Candidates(
            rows=rows,
            dense=self._dense(asked, rows, facts),
            lexical=lexical,
            coverage=self._source.coverage(part.text, expanded=expansions),
            has_expansions=has,
            bonus=self._bonus(part, rows, facts),
        )

    # -- candidates -------------------------------------------------------------------------------

    def _where(self, part: Part, filters: Filters) -> str | None:
        """The filter that holds for what may be found; None where nothing may."""
        terms = []
        if filters.years is not None:
            terms.append(f"year >= {filters.years[0]} and year <= {filters.years[1]}")
        if filters.document_ids is not None or filters.series is not None:
            named = [x.id for x in self._source.documents.values() if matches(x, filters)]
            terms.append(f"document in {json.dumps(named, ensure_ascii=False)}")
            if not named:
                return None
        if filters.passage_ids is not None:
            rows = self._source.numbers(filters.passage_ids)
            terms.append(f"row in {rows}")
            if not rows:
                return None
        if part.year is not None:
            terms.append(f"year == {part.year}")
        if part.place is not None:
            terms.append(holding([part.place]))
        return " and ".join(terms)

    def _terms(self, text: str, view: int) -> dict[int, float]:
        """The question's half of BM25, as shares of what its terms weigh in the mean of both views of lexical search."""
        found: dict[int, float] = {}
        for name, terms in VIEWS.items():
            weights = self._source.terms(name, set(terms(text)))
            known = {x.dimension: (x.plain, x.expanded)[view] for x in weights.values() if x}
            total = sum(y or self._source.unknown[view][name] for y in known.values())
            total += (len(weights) - len(known)) * self._source.unknown[view][name]
            found |= {x: y / total / len(VIEWS) for x, y in known.items() if y}
        return found

    def _rows(self, asked: _Asked, count: int) -> tuple[Ints, list[dict[int, float]]]:
        """The candidates, rising, and of each view what the lexical arm found; a share that it lacks is not known yet."""
        jobs = self._searches(asked, asked.where, count)
        if self._source.size <= _ALL:
            jobs.append(partial(self._every, asked.where))
        elif asked.preferred:
            jobs += self._searches(asked, asked.preferred, count)
        found = self._together(jobs)
        known = found[: len(asked.terms)]
        rows = np.array(sorted(set().union(*found)), dtype=np.int64)
        # Where fewer came than were asked for, the others have no term of the question.
        complete = [{**dict.fromkeys(rows.tolist(), 0.0), **x} if len(x) < count else x for x in known]
        return rows, complete

    def _searches(self, asked: _Asked, where: str, count: int) -> list[Callable[[], dict[int, float]]]:
        """What proposes candidates among those of a filter, the lexical arm of each view first."""
        views = range(len(asked.terms))
        # Of passages without expansions the plain view says all.
        wheres = (where, " and ".join(filter(None, [where, "enriched == true"])))
        jobs: list[Callable[[], dict[int, float]]] = [
            partial(self._best, _VIEWS[n], asked.terms[n], count, wheres[n], [HEADS]) for n in views
        ]
        if self._source.size > _ALL and asked.vector is not None and asked.vector.any():
            jobs += [partial(self._best, "dense", asked.vector, count, where, _PIECES[n]) for n in views]
            jobs += [partial(self._best, _VIEWS[n], asked.near, count, wheres[n], [HEADS]) for n in views]
        return jobs

    def _best(
        self,
        field: str,
        vector: Any,  # noqa: ANN401 - as `Milvus.search` takes it
        count: int,
        where: str,
        partitions: Sequence[str],
    ) -> dict[int, float]:
        """The best passages by one field, and their products."""
        if isinstance(vector, dict) and not vector:
            return {}
        hits = self._source.milvus.search(self._source.name, field, vector, count, ["row"], where, partitions)
        return {x["row"]: product for x, product in hits}

    def _every(self, where: str) -> dict[int, float]:
        found = self._source.milvus.query(self._source.name, where or "row >= 0", ["row"], [HEADS], limit=_ALL)
        return dict.fromkeys((x["row"] for x in found), 0.0)

    def _facts(self, rows: Ints, fields: Sequence[str]) -> list[dict[str, Any]]:
        """What is stored of the candidates, in their order."""
        if not len(rows):
            return []
        found = self._source.milvus.query(self._source.name, f"row in {rows.tolist()}", fields, [HEADS])
        facts = {x["row"]: x for x in found}
        return [facts[row] for row in rows.tolist()]

    # -- what the arms say ------------------------------------------------------------------------

    def _shares(self, view: int, asked: _Asked, rows: Ints, known: Mapping[int, float]) -> Floats:
        """The share of the question that each candidate has, float32 `[rows]`; asked for where it isn't known."""
        missing = [row for row in rows.tolist() if row not in known]
        more = (
            self._best(_VIEWS[view], asked.terms[view], len(missing), f"row in {missing}", [HEADS]) if missing else {}
        )
        return np.array([known.get(row, more.get(row, 0.0)) for row in rows.tolist()], dtype=np.float32)

    def _dense(self, asked: _Asked, rows: Ints, facts: Sequence[Mapping[str, Any]]) -> list[Floats]:
        """The share of the question that each candidate answers by meaning, one array float32 `[rows]` a view."""
        views = range(len(asked.terms))
        if asked.vector is None:
            return [np.zeros(len(rows), dtype=np.float32) for _ in views]
        if self._late is None or asked.bag is None:
            return self._cosines(asked.vector, rows, len(views))
        bag = asked.bag
        matches = np.zeros((len(bag.units), len(rows)), dtype=np.float32)
        shares = []
        for n in views:
            words = Words.of(self._late, [unpacked(x[("units", "asked")[n]]) for x in facts])
            matches = np.maximum(matches, InteractionIndex([words]).matches(bag, np.arange(len(rows))))
            shares.append(share(matches, bag.weights))
        return shares

    def _cosines(self, vector: Floats, rows: Ints, views: int) -> list[Floats]:
        found = self._together([partial(self._source.nearest, vector, rows, _PIECES[n]) for n in range(views)])
        cosines = [np.array([x.get(row, (0.0, -1))[0] for row in rows.tolist()], dtype=np.float32) for x in found]
        plain = spread(cosines[0])
        return [plain, *(np.maximum(plain, spread((cosines[0] + x) * np.float32(0.5))) for x in cosines[1:])]

    def _bonus(self, part: Part, rows: Ints, facts: Sequence[Mapping[str, Any]]) -> Floats:
        """What preferred years and places add to each candidate, float32 `[rows]`."""
        bonus = np.zeros(len(rows), dtype=np.float32)
        if part.years:
            bonus += YEAR_BONUS * np.isin(self._source.years[rows], part.years)
        for place in part.places:
            held = np.array([place in x["places"] for x in facts], dtype=np.bool_)
            bonus += np.float32(PLACE_BONUS / len(part.places)) * held
        return bonus

    def _together(self, jobs: Sequence[Callable[[], _Result]]) -> list[_Result]:
        """What calls give that wait for the server side by side."""
        return list(_POOL.map(lambda job: job(), jobs))


def _preferred(part: Part, where: str) -> str:
    """The filter of what may be found and is of a year or place that a part prefers; empty where it prefers none."""
    terms = [f"year in {list(part.years)}"] if part.years else []
    terms += [holding([place]) for place in part.places]
    return " and ".join(filter(None, [where, f"({' or '.join(terms)})"])) if terms else ""


def _nothing(views: int) -> Candidates:
    none = np.zeros(0, dtype=np.float32)
    rows, mask = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    return Candidates(rows, [none] * views, [none] * views, 0.0, mask, none)
