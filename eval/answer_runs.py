"""The answers of a run: asked, kept line by line, read back. A run that was interrupted goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.types import Answered, AnsweringSystem, Cited, Question, Said
from service.errors import KewenError

ANSWERS, ANSWER_SCORES = "answers.jsonl", "answer_scores.json"
Progress = Callable[[int, int], None]


def ask_all(
    system: AnsweringSystem, questions: Sequence[Question], folder: Path, progress: Progress
) -> dict[str, Answered]:
    """Question id → what the system answered; each line is on disk before the next question is asked."""
    path = folder / ANSWERS
    known = {x.question_id: x for x in read_answers(folder)}
    path.write_bytes(b"".join(_line(x) for x in known.values()))  # without a half line that was cut off
    with path.open("ab") as file:
        for n, question in enumerate(questions, start=1):
            if question.id not in known:
                given = system.ask(question.question)
                known[question.id] = Answered(question.id, given.abstained, given.confidence, given.said, given.took_ms)
                file.write(_line(known[question.id]))
                file.flush()
            progress(n, len(questions))
    return known


def read_answers(folder: Path) -> list[Answered]:
    """The whole lines of a run's answers; none where it asked for none.

    Raises:
        KewenError: `invalid_request`, where they can't be read.
    """
    path = folder / ANSWERS
    lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
    try:
        return [_answered(json.loads(line)) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise KewenError("invalid_request", f"{path} 已损坏（{type(error).__name__}）。") from error


def of_record(record: Mapping[str, Any]) -> Answered:
    """What `ask --json` or `POST /v1/ask` gave; KeyError, TypeError or ValueError where it is no such thing."""
    cited = {
        int(x["number"]): Cited(str(x["document_id"]), tuple((int(s), int(e)) for s, e in x["spans"]), str(x["quote"]))
        for x in record["citations"]
    }
    said = tuple(Said(str(x["text"]), tuple(cited[n] for n in x["citations"])) for x in record["sentences"])
    confidence = record["confidence"]
    took = record.get("took_ms")
    return Answered(
        "",
        bool(record["abstained"]),
        None if confidence is None else float(confidence),
        said,
        None if took is None else float(took),
    )


def _line(answered: Answered) -> bytes:
    record = {
        "id": answered.question_id,
        "abstained": answered.abstained,
        "confidence": answered.confidence,
        "took_ms": answered.took_ms,
        "said": [
            {
                "text": x.text,
                "cited": [{"document_id": c.document_id, "spans": c.spans, "quote": c.quote} for c in x.cited],
            }
            for x in answered.said
        ],
    }
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")


def _answered(record: Mapping[str, Any]) -> Answered:
    said = tuple(
        Said(
            x["text"],
            tuple(Cited(c["document_id"], tuple((s, e) for s, e in c["spans"]), c["quote"]) for c in x["cited"]),
        )
        for x in record["said"]
    )
    return Answered(record["id"], record["abstained"], record["confidence"], said, record["took_ms"])
