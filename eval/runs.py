"""A run: a folder with what a system returned for each question, and what came of it.

`manifest.json` says what was run, `results.jsonl` grows by one line a question, `summary.json` is written
last: a folder without it is half a run and is never reported. A run that was interrupted goes on where it
stopped, if it is the same run.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.storage import storage_errors, write_synced
from eval.answer_runs import ANSWER_SCORES, ask_all
from eval.answers import score_answers, summarise_answers
from eval.exports import write_beir, write_trec
from eval.measures import (
    MEASURES,
    auroc,
    exactness,
    mean_with_interval,
    relevant_units,
    score_questions,
    slices,
)
from eval.types import Answered, AnsweringSystem, Found, Outcome, Question, System, Unit
from service.errors import KewenError

MANIFEST, RESULTS, SUMMARY, QUESTIONS = "manifest.json", "results.jsonl", "summary.json", "questions.jsonl"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, read back from its folder."""

    folder: Path
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    outcomes: Mapping[str, Outcome]
    scores: Mapping[str, Mapping[str, float]]


def run_system(
    system: System,
    questions: Sequence[Question],
    texts: Mapping[str, str],
    folder: Path,
    manifest: Mapping[str, Any],
    top_k: int,
    progress: Progress,
    answering: AnsweringSystem | None = None,
) -> Run:
    """Ask a system all questions, write the folder, and return the run; with its answers where `answering` gives any.

    Raises:
        KewenError: `invalid_request`, where the folder holds another run; or what the system raises.
    """
    described = {**manifest, "top_k": top_k, "questions": len(questions), **system.describe()}
    described |= {"answers": True} if answering else {}
    steps = len(questions) * (2 if answering else 1)
    with storage_errors("写入评测结果"):
        outcomes = _resume(folder, described)
        with (folder / RESULTS).open("a", encoding="utf-8", newline="\n") as file:
            for n, question in enumerate(questions, start=1):
                if question.id not in outcomes:
                    outcome = system.search(question.question, top_k)
                    outcomes[question.id] = Outcome(question.id, outcome.found, outcome.took_ms)
                    file.write(json.dumps(_outcome_json(outcomes[question.id]), ensure_ascii=False) + "\n")
                    file.flush()
                progress(n, steps)
        answered = {}
        if answering:
            answered = ask_all(answering, questions, folder, lambda n, _: progress(len(questions) + n, steps))
        _finish(system, questions, texts, folder, outcomes, answered)
    return read_run(folder)


def read_run(folder: Path) -> Run:
    """A finished run.

    Raises:
        KewenError: `invalid_request`: no run, or half a one.
    """
    if not (folder / SUMMARY).is_file():
        half = (folder / MANIFEST).is_file()
        reason = "评测中断了，请用同样的参数再运行一次以接着做完" if half else "不是评测结果的文件夹"
        raise KewenError("invalid_request", f"{folder} {reason}。")
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        summary = json.loads((folder / SUMMARY).read_bytes())
        outcomes = {x.question_id: x for x in _outcomes(folder)}
        scores = json.loads((folder / "scores.json").read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KewenError("invalid_request", f"{folder} 中的评测结果已损坏（{type(error).__name__}）。") from error
    return Run(folder, manifest, summary, outcomes, scores)


def summarise(
    questions: Sequence[Question],
    outcomes: Mapping[str, Outcome],
    scores: Mapping[str, Mapping[str, float]],
    texts: Mapping[str, str],
) -> dict[str, Any]:
    """All measures over all answerable questions and by slice, each `[mean, low, high]`; the rest apart."""
    answerable = [q for q in questions if q.answerable]
    times = [x.took_ms for x in outcomes.values() if x.took_ms is not None]
    best = {q.id: max((x.score for x in outcomes[q.id].found), default=float("-inf")) for q in questions}
    return {
        "answerable": len(answerable),
        "unanswerable": len(questions) - len(answerable),
        "overall": _means(answerable, scores),
        "by": {
            name: {
                value: _means([q for q in answerable if key(q) == value], scores) for value in _values(answerable, key)
            }
            for name, key in slices(questions).items()
        },
        "citation_exactness": exactness(list(outcomes.values()), texts),
        "unanswerable_auroc": auroc(
            [best[q.id] for q in answerable], [best[q.id] for q in questions if not q.answerable]
        ),
        "latency_ms": _latency(times),
    }


def _finish(
    system: System,
    questions: Sequence[Question],
    texts: Mapping[str, str],
    folder: Path,
    outcomes: dict[str, Outcome],
    answered: Mapping[str, Answered],
) -> None:
    units = system.units()
    listed = units is not None
    known = list(units) if units is not None else _returned(outcomes)
    qrels = {q.id: relevant_units(q, known) for q in questions if q.answerable}
    scores = score_questions(questions, outcomes, qrels)
    write_trec(folder, outcomes, qrels)
    if listed:
        write_beir(folder / "beir", questions, known, qrels, texts)
    summary = summarise(questions, outcomes, scores, texts)
    contents: list[tuple[str, Any]] = [("scores.json", scores)]
    if answered:
        answer_scores = score_answers(questions, answered, texts)
        summary["answers"] = summarise_answers(questions, answered, answer_scores, texts)
        contents.append((ANSWER_SCORES, answer_scores))
    for name, content in (*contents, (SUMMARY, summary)):  # last: it says that the run is whole
        write_synced(folder / name, json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8"))


def _resume(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Outcome]:
    """What an interrupted run of the same manifest has already, or nothing in a new folder."""
    path = folder / MANIFEST
    if path.is_file():
        try:
            same = json.loads(path.read_bytes()) == json.loads(json.dumps(manifest))
        except ValueError:
            same = False
        if not same:
            raise KewenError("invalid_request", f"{folder} 中已有另一次评测的结果。请另指一个文件夹。")
        outcomes = {x.question_id: x for x in _outcomes(folder)}
        lines = "".join(json.dumps(_outcome_json(x), ensure_ascii=False) + "\n" for x in outcomes.values())
        write_synced(folder / RESULTS, lines.encode("utf-8"))
        return outcomes
    if folder.exists() and any(folder.iterdir()):
        raise KewenError("invalid_request", f"{folder} 不是空的，也不是评测结果。请另指一个文件夹。")
    folder.mkdir(parents=True, exist_ok=True)
    write_synced(path, json.dumps(manifest, ensure_ascii=False, indent=1).encode("utf-8"))
    return {}


def _outcomes(folder: Path) -> list[Outcome]:
    """The whole lines of the results; a last line that was cut off by an interruption is dropped."""
    path = folder / RESULTS
    lines = path.read_bytes().split(b"\n") if path.is_file() else []
    return [_outcome(json.loads(line)) for line in lines[:-1]]


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.question_id,
        "took_ms": outcome.took_ms,
        "found": [
            {
                "id": x.unit.id,
                "document_id": x.unit.document_id,
                "spans": [list(span) for span in x.unit.spans],
                "score": x.score,
                "text": x.text,
                "label": x.label,
            }
            for x in outcome.found
        ],
    }


def _outcome(record: Mapping[str, Any]) -> Outcome:
    found = tuple(
        Found(
            Unit(x["id"], x["document_id"], tuple((start, end) for start, end in x["spans"])),
            x["score"],
            x["text"],
            x["label"],
        )
        for x in record["found"]
    )
    return Outcome(record["id"], found, record["took_ms"])


def _returned(outcomes: Mapping[str, Outcome]) -> list[Unit]:
    """Every unit that came back, once: all that is known of a system that can't list its units."""
    return list({x.unit.id: x.unit for outcome in outcomes.values() for x in outcome.found}.values())


def _means(questions: Sequence[Question], scores: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    rounded = {
        name: [round(x, 4) for x in mean_with_interval([scores[q.id][name] for q in questions])] for name in MEASURES
    }
    return {"questions": len(questions), **rounded}


def _values(questions: Sequence[Question], key: Callable[[Question], str]) -> list[str]:
    return sorted({key(q) for q in questions})


def _latency(times: Sequence[float]) -> dict[str, float] | None:
    if len(times) < 2:
        return None
    return {"p50": round(statistics.median(times), 2), "p95": round(statistics.quantiles(times, n=20)[-1], 2)}
