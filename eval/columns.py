"""How well a comparison of the years holds what questions need: each question as it stands is the subject, unchanged.

A piece of evidence stands in a comparison where the cells of one document together cover at least half of it; a document
is of one year, so that is the right year's column. The same pieces are looked for in the ten best passages of a search
and in an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.types import Citation, Span, merge_spans
from eval.measures import carries, mean_with_interval
from eval.types import Question
from service.assistant import Assistant
from service.comparisons import Comparison

TYPES = ("temporal", "multi")
"""Questions about years, and those that need several places."""
_PASSAGES = 10


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one way of asking showed for a question: the spans of each document, and how many characters they are."""

    spans: Mapping[str, Sequence[Span]]
    characters: int


def measure(assistant: Assistant, questions: Sequence[Question]) -> dict[str, Any]:
    """Of answerable questions: `pieces`, `complete` and `characters` of each way, means with 95 % intervals; of the
    comparisons also `cells` a speaking column, and the share of columns that speak: `speaking` with evidence, `astray`
    without, where the question needs none of that year. Of unanswerable ones `astray` alone.
    """
    answerable = [q for q in questions if q.answerable]
    compared = {q.id: assistant.compare(q.question) for q in questions}
    ways: dict[str, dict[str, _Shown]] = {"compare": {q.id: _of_comparison(compared[q.id]) for q in answerable}}
    ways["search"] = {q.id: _of_search(assistant, q.question) for q in answerable}
    ways["ask"] = {q.id: _of_answer(assistant, q.question) for q in answerable}
    return {
        "questions": len(answerable),
        "unanswerable": len(questions) - len(answerable),
        "ways": {name: _means(answerable, shown) for name, shown in ways.items()},
        "columns": _columns(assistant, questions, compared),
    }


def _means(questions: Sequence[Question], shown: Mapping[str, _Shown]) -> dict[str, Any]:
    held = [[_holds(shown[q.id], q, n) for n in range(len(q.evidence))] for q in questions]
    complete = [any(x) if q.need == "any" else all(x) for q, x in zip(questions, held, strict=True)]
    characters = [shown[q.id].characters for q in questions]
    return {
        "pieces": list(mean_with_interval([float(np.mean(x)) for x in held])),
        "complete": list(mean_with_interval([float(x) for x in complete])),
        "characters": float(np.median(characters)) if characters else None,
    }


def _columns(assistant: Assistant, questions: Sequence[Question], compared: Mapping[str, Comparison]) -> dict[str, Any]:
    """How columns fare that hold evidence by the gold questions, and those that hold none."""
    year_of = {document.id: document.year for document, _ in assistant.documents()}
    speaking: list[float] = []
    astray: list[float] = []
    cells: list[int] = []
    for q in questions:
        years = {year_of[x.document_id] for x in q.evidence}
        for column in compared[q.id].columns:
            (speaking if column.year in years else astray).append(float(bool(column.cells)))
            cells += [len(column.cells)] if column.cells else []
    times = [x.took_ms for x in compared.values()]
    return {
        "speaking": list(mean_with_interval(speaking)) if speaking else None,
        "astray": list(mean_with_interval(astray)) if astray else None,
        "cells": float(np.mean(cells)) if cells else None,
        "latency_ms": {f"p{p}": float(np.percentile(times, p)) for p in (50, 95)},
    }


def _holds(shown: _Shown, question: Question, piece: int) -> bool:
    evidence = question.evidence[piece]
    return carries(shown.spans.get(evidence.document_id, ()), evidence.document_id, evidence)


def _shown(citations: Iterable[Citation]) -> _Shown:
    """The union of the spans of each document: two citations may overlap."""
    spans: dict[str, list[Span]] = {}
    for citation in citations:
        spans.setdefault(citation.document_id, []).extend(citation.spans)
    merged = {name: merge_spans(some) for name, some in spans.items()}
    return _Shown(merged, sum(end - start for some in merged.values() for start, end in some))


def _of_comparison(comparison: Comparison) -> _Shown:
    return _shown(x.citation for x in comparison.citations)


def _of_search(assistant: Assistant, question: str) -> _Shown:
    return _shown(hit.citation for hit in assistant.search(question, _PASSAGES).hits)


def _of_answer(assistant: Assistant, question: str) -> _Shown:
    return _shown(x.citation for x in assistant.ask(question).citations)


_WAYS = {"compare": "`kewen compare`", "search": f"search, {_PASSAGES} passages", "ask": "ask"}


def table(name: str, measured: Mapping[str, Any]) -> str:
    """What was measured, as a Markdown table; `name` is what was asked."""
    lines = [
        f"**{name}** ({measured['questions']} answerable questions)",
        "",
        "| | pieces of evidence shown | all that the question needs | characters, median |",
        "|---|--:|--:|--:|",
    ]
    for way, label in _WAYS.items():
        found = measured["ways"][way]
        lines.append(
            f"| {label} | {_interval(found['pieces'])} | {_interval(found['complete'])} | {found['characters']:g} |"
        )
    columns = measured["columns"]
    silent = "–" if columns["astray"] is None else f"{1 - columns['astray'][0]:.2f}"
    lines += [
        "",
        f"Columns with evidence that speak: {columns['speaking'][0]:.2f}; columns without that are silent: {silent}; "
        f"sentences in a column that speaks: {columns['cells']:.1f}.",
    ]
    return "\n".join(lines)


def _interval(values: Sequence[float]) -> str:
    return f"{values[0]:.2f} [{values[1]:.2f}, {values[2]:.2f}]"
