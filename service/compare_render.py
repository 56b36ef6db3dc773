"""Comparisons of the years as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from corpus.citations import citation_label
from index.subjects import Subject
from service.answer_render import numbered_json, said_text, sentence_json
from service.comparisons import Cell, Column, Comparison
from service.links import Link
from service.render import Mark, clean


def comparison_json(comparison: Comparison, link: Link) -> dict[str, Any]:
    """`{"subject", "aspect", "place", "generation", "took_ms", "notices", "columns", "citations"}`."""
    return {
        "subject": comparison.subject,
        "aspect": comparison.aspect,
        "place": comparison.place,
        "generation": comparison.generation,
        "took_ms": comparison.took_ms,
        "notices": list(comparison.notices),
        "columns": [_column_json(x) for x in comparison.columns],
        "citations": [numbered_json(x, link) for x in comparison.citations],
    }


def _column_json(column: Column) -> dict[str, Any]:
    return {
        "year": column.year,
        "documents": [{"id": x.id, "title": x.title} for x in column.documents],
        "mentioned": column.mentioned,
        "cells": [_cell_json(x) for x in column.cells],
        "reason": {"code": column.reason.code, "message": column.reason.message} if column.reason else None,
    }


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {"document_id": cell.document_id, **sentence_json(cell.sentence), "section": list(cell.section)}


def subjects_json(subjects: Sequence[Subject]) -> dict[str, Any]:
    """`{"subjects"}`."""
    return {
        "subjects": [{"name": x.name, "kind": x.kind, "years": list(x.years), "passages": x.passages} for x in subjects]
    }


def comparison_text(comparison: Comparison, mark: Mark) -> str:
    """Year by year the sentences with their numbers, then what they rest on."""
    blocks = [f"注意：{clean(notice)}" for notice in comparison.notices]
    blocks += [_column_text(x, mark) for x in comparison.columns]
    if comparison.citations:
        sources = (f"[{x.number}] {clean(citation_label(x.citation))}" for x in comparison.citations)
        blocks += ["依据：\n" + "\n".join(sources)]
    return "\n\n".join(blocks)


def _column_text(column: Column, mark: Mark) -> str:
    titles = "、".join(f"《{clean(x.title)}》" for x in column.documents)
    head = f"{column.year}　{titles}"
    if column.reason is not None:
        return f"{head}\n    {clean(column.reason.message)}"
    return "\n".join([head, *(f"    {said_text(x.sentence, mark)}" for x in column.cells)])
