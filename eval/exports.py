"""Runs and judgements in the formats that other tools read: TREC, and BEIR's folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus.storage import write_synced
from corpus.types import join_spans
from eval.types import Outcome, Question, Unit

_TAG = "kewen"


def write_trec(folder: Path, outcomes: Mapping[str, Outcome], qrels: Mapping[str, set[str]]) -> None:
    """`run.trec` (`qid Q0 docid rank score tag`) and `qrels.trec` (`qid 0 docid rel`)."""
    lines = [
        f"{question_id} Q0 {unit} {rank} {score:.6f} {_TAG}"
        for question_id, outcome in outcomes.items()
        for rank, (unit, score) in enumerate(_decreasing(outcome), start=1)
    ]
    judged = [f"{question_id} 0 {unit} 1" for question_id, units in qrels.items() for unit in sorted(units)]
    write_synced(folder / "run.trec", _text(lines))
    write_synced(folder / "qrels.trec", _text(judged))


def write_beir(
    folder: Path,
    questions: Sequence[Question],
    units: Sequence[Unit],
    qrels: Mapping[str, set[str]],
    texts: Mapping[str, str],
) -> None:
    """`corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv` with its header, as BEIR loads them.

    Only answerable questions are in it: BEIR's evaluator has no place for the others.
    """
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    corpus = ({"_id": unit.id, "title": "", "text": join_spans(texts[unit.document_id], unit.spans)} for unit in units)
    answerable = [q for q in questions if q.answerable]
    write_synced(folder / "corpus.jsonl", _json_lines(corpus))
    write_synced(folder / "queries.jsonl", _json_lines({"_id": q.id, "text": q.question} for q in answerable))
    for split in sorted({q.split for q in answerable}):
        rows = [f"{q.id}\t{unit}\t1" for q in answerable if q.split == split for unit in sorted(qrels[q.id])]
        write_synced(folder / "qrels" / f"{split}.tsv", _text(["query-id\tcorpus-id\tscore", *rows]))


def _decreasing(outcome: Outcome) -> list[tuple[str, float]]:
    """Scores that strictly decrease at six decimals: tools sort by score and ignore the rank."""
    lowest = float("inf")
    pairs = []
    for x in outcome.found:
        lowest = min(round(x.score, 6), lowest - 1e-6)
        pairs.append((x.unit.id, lowest))
    return pairs


def _json_lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return _text([json.dumps(record, ensure_ascii=False) for record in records])


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8")
