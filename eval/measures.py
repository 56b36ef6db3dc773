"""Measures: the field's own through ir-measures, and those on the source text that no chunking changes.

Definitions: a result *carries* a piece of evidence when its spans cover at least half of the quote. The
relevant units of a question are those that carry any of its pieces. Success, recall, reciprocal rank and
nDCG are computed on units by ir-measures (MacAvaney et al., ECIR 2022) with binary relevance; a question
without results counts as 0. Unanswerable questions have no relevant units and are scored apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from corpus.types import Span, slice_spans
from eval.types import Evidence, Found, Outcome, Question, Unit

RANKED = ("Success@1", "Success@3", "Success@5", "Success@10", "R@5", "R@10", "RR@10", "nDCG@10")
BUDGET = 2000
WITHIN_BUDGET = f"Success@{BUDGET}chars"
COMPLETE_5, COMPLETE = "Complete@5", "Complete@10"
MEASURES = (*RANKED, COMPLETE_5, COMPLETE, WITHIN_BUDGET)
"""In the order in which tables show them."""

_RESAMPLES = 2000


def carries(spans: Sequence[Span], document_id: str, evidence: Evidence) -> bool:
    """Whether spans of a document cover at least half of a piece of evidence.

    >>> carries([(0, 5)], "d", Evidence("d", "x" * 10, (0, 10)))
    True
    """
    if document_id != evidence.document_id:
        return False
    start, end = evidence.span
    covered = sum(max(0, min(e, end) - max(s, start)) for s, e in spans)
    return 2 * covered >= end - start


def relevant_units(question: Question, units: Sequence[Unit]) -> set[str]:
    """The ids of the units that carry any evidence; a piece that no unit carries counts as one never found."""
    relevant: set[str] = set()
    for n, evidence in enumerate(question.evidence):
        carriers = {unit.id for unit in units if carries(unit.spans, unit.document_id, evidence)}
        relevant |= carriers or {f"{question.id}-evidence-{n}-in-no-unit"}
    return relevant


def score_questions(
    questions: Sequence[Question], outcomes: Mapping[str, Outcome], qrels: Mapping[str, set[str]]
) -> dict[str, dict[str, float]]:
    """Question id → measure → value, for the answerable questions, all of them."""
    import ir_measures

    answerable = [q for q in questions if q.answerable]
    run = [
        ir_measures.ScoredDoc(q.id, found.unit.id, -rank)
        for q in answerable
        for rank, found in enumerate(_found(outcomes, q), start=1)
    ]
    judged = [ir_measures.Qrel(q.id, unit, 1) for q in answerable for unit in sorted(qrels[q.id])]
    measures = [ir_measures.parse_measure(name) for name in RANKED]
    scores = {q.id: dict.fromkeys(MEASURES, 0.0) for q in answerable}
    for metric in ir_measures.iter_calc(measures, judged, run):
        scores[metric.query_id][str(metric.measure)] = float(metric.value)
    for q in answerable:
        found = _found(outcomes, q)
        scores[q.id][COMPLETE_5] = float(is_complete(q, found[:5]))
        scores[q.id][COMPLETE] = float(is_complete(q, found[:10]))
        scores[q.id][WITHIN_BUDGET] = float(is_complete(q, within_budget(found, BUDGET), need="any"))
    return scores


def is_complete(question: Question, found: Sequence[Found], need: str | None = None) -> bool:
    """Whether the results together carry what the question needs: any piece, or all of them."""
    carried = [any(carries(x.unit.spans, x.unit.document_id, piece) for x in found) for piece in question.evidence]
    return any(carried) if (need or question.need) == "any" else all(carried)


def first_rank(question: Question, found: Sequence[Found]) -> int | None:
    """The rank, from 1, of the first result that carries any evidence."""
    ranks = (rank for rank, x in enumerate(found, start=1) if is_complete(question, [x], need="any"))
    return next(ranks, None)


def within_budget(found: Sequence[Found], budget: int) -> list[Found]:
    """The results that fit into `budget` characters, the last one cut where the budget ends."""
    kept: list[Found] = []
    for x in found:
        if budget <= 0:
            break
        spans = slice_spans(x.unit.spans, 0, budget)
        kept.append(Found(Unit(x.unit.id, x.unit.document_id, spans), x.score, x.text[:budget], x.label))
        budget -= sum(end - start for start, end in x.unit.spans)
    return kept


def exactness(outcomes: Sequence[Outcome], texts: Mapping[str, str]) -> float | None:
    """The share of results whose text is the source's at their spans, byte for byte; None without texts."""
    shown = [x for outcome in outcomes for x in outcome.found if x.text]
    if not shown:
        return None
    exact = sum("".join(texts.get(x.unit.document_id, "")[s:e] for s, e in x.unit.spans) == x.text for x in shown)
    return exact / len(shown)


def mean_with_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean and its 95 % interval by the percentile bootstrap over questions (Efron, 1979)."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return math.nan, math.nan, math.nan
    draws = np.random.default_rng(seed).integers(0, array.size, (_RESAMPLES, array.size))
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return float(array.mean()), float(low), float(high)


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """The chance that a positive scores above a negative, ties counting half (Mann and Whitney, 1947)."""
    if not positive or not negative:
        return None
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def slices(questions: Sequence[Question]) -> dict[str, Callable[[Question], str]]:
    """The ways in which results are broken down."""
    return {"type": lambda q: q.type, "difficulty": lambda q: q.difficulty}


def _found(outcomes: Mapping[str, Outcome], question: Question) -> tuple[Found, ...]:
    outcome = outcomes.get(question.id)
    return outcome.found if outcome else ()
