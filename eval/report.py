"""One self-contained HTML page about a run: what to know in a minute, and each miss beside its evidence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.answer_runs import read_answers
from eval.gold import load_gold
from eval.measures import COMPLETE, WITHIN_BUDGET, first_rank
from eval.runs import QUESTIONS, Run
from eval.types import Evidence, Question
from service.evaluations import LONGEST_NAME

_CONTEXT = 120
_SHOWN = 3
_BINS = 5
_MISSED_BEHIND = 5
_HEADLINES = (
    ("Success@1", "首条即中"),
    ("Success@5", "前五条命中"),
    ("nDCG@10", "排序质量 nDCG@10"),
    (COMPLETE, "前十条依据齐全"),
    (WITHIN_BUDGET, "前 2000 字内命中"),
)
_ANSWER_HEADLINES = (
    ("evidence", "答案含依据"),
    ("precision", "所引切题"),
    ("correct", "要点齐全"),
    ("silent", "有答案而未答"),
)
_TYPE_NAMES = {
    "fact": "事实",
    "paraphrase": "换说法",
    "temporal": "年份",
    "list": "列举",
    "multi": "多处",
    "crosslingual": "跨语言",
    "noisy": "口误笔误",
    "unanswerable": "报告未载",
    "easy": "易",
    "medium": "中",
    "hard": "难",
}


def render_report(run: Run, texts: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """The page as HTML. Everything from documents, questions and systems is escaped by the template."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    return environment.get_template("report.html.j2").render(**_content(run, texts, titles))


def _content(run: Run, texts: Mapping[str, str], titles: Mapping[str, str]) -> dict[str, Any]:
    questions = load_gold((run.folder / QUESTIONS).read_bytes(), texts)
    answerable = [q for q in questions if q.answerable]
    ranks = {q.id: first_rank(q, run.outcomes[q.id].found) for q in answerable}
    by_type = _bars(run.summary["by"]["type"])
    return {
        "manifest": run.manifest,
        "system": system_name(run.manifest),
        "summary": run.summary,
        "headlines": [(title, name, *run.summary["overall"][name]) for name, title in _HEADLINES],
        "by_type": by_type,
        "by_difficulty": _bars(run.summary["by"]["difficulty"]),
        "worst": by_type[0] if by_type else None,
        "ranks": _rank_bars(list(ranks.values()), int(run.manifest["top_k"])),
        "reliability": _reliability(run, answerable),
        "missed": [
            _miss(run, q, texts, titles, rank)
            for q, rank in sorted(((q, ranks[q.id]) for q in answerable), key=lambda x: (-(x[1] or 999), x[0].id))
            if rank is None or rank > _MISSED_BEHIND
        ],
        "incomplete": sum(run.scores[q.id][COMPLETE] == 0 and ranks[q.id] is not None for q in answerable),
        "answers": _answers(run, questions),
        "type_names": _TYPE_NAMES,
    }


def figures(run: Run) -> dict[str, Any]:
    """What the service shows of a run, as `service.evaluations.keep` takes it: when, what, and the headlines."""
    summary, manifest = run.summary, run.manifest
    answers = summary.get("answers")
    overall = answers["overall"] if answers else {}
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": system_name(manifest)[:LONGEST_NAME],
        "split": manifest.get("split"),
        "questions": manifest["questions"],
        "answerable": summary["answerable"],
        "measures": {name: summary["overall"][name] for name, _ in _HEADLINES},
        "answers": {name: overall[name] for name, _ in _ANSWER_HEADLINES if overall.get(name)},
        "by_type": {
            name: {key: values[key] for key in ("questions", "Success@5")}
            for name, values in summary["by"]["type"].items()
        },
    }


def _answers(run: Run, questions: Sequence[Question]) -> dict[str, Any] | None:
    """What the page shows of a run's answers: the summary, and the questions that were answered or left wrongly."""
    summary = run.summary.get("answers")
    if not summary:
        return None
    answered = {x.question_id: x for x in read_answers(run.folder)}
    silent = [q for q in questions if q.answerable and answered[q.id].abstained]
    invented = [q for q in questions if not q.answerable and not answered[q.id].abstained]
    return {
        "headlines": [
            (title, *summary["overall"][name]) for name, title in _ANSWER_HEADLINES if summary["overall"].get(name)
        ],
        "quotes": summary["quotes"],
        "abstention": summary["abstention"],
        "calibration": summary["calibration"],
        "silent": [(q, answered[q.id]) for q in silent],
        "invented": [(q, answered[q.id]) for q in invented],
    }


def system_name(manifest: Mapping[str, Any]) -> str:
    """A run's system in a few words."""
    parts = [str(manifest[key]) for key in ("system", "mode", "view", "encoder", "url", "file") if manifest.get(key)]
    return " · ".join(parts)


def _bars(by: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A slice's bars, the worst first."""
    bars = [
        {
            "name": name,
            "label": _TYPE_NAMES.get(name, name),
            "questions": values["questions"],
            "success": values["Success@5"],
            "ndcg": values["nDCG@10"],
        }
        for name, values in by.items()
    ]
    return sorted(bars, key=lambda bar: bar["success"][0])


def _rank_bars(ranks: Sequence[int | None], top_k: int) -> list[dict[str, Any]]:
    counts = Counter(ranks)
    names: list[int | None] = [*range(1, top_k + 1), None]
    most = max(counts.values(), default=1)
    return [{"name": rank or "未中", "count": counts[rank], "share": counts[rank] / most} for rank in names]


def _reliability(run: Run, questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Questions by the score of their first result, lowest first, in groups of one size: how many hit."""
    scored = sorted(
        (max(x.score for x in run.outcomes[q.id].found), run.scores[q.id]["Success@1"])
        for q in questions
        if run.outcomes[q.id].found
    )
    bins = []
    for n in range(_BINS):
        group = scored[len(scored) * n // _BINS : len(scored) * (n + 1) // _BINS]
        if group:
            low, high, hit = group[0][0], group[-1][0], sum(x for _, x in group) / len(group)
            bins.append({"low": low, "high": high, "count": len(group), "hit": hit})
    return bins


def _miss(
    run: Run, question: Question, texts: Mapping[str, str], titles: Mapping[str, str], rank: int | None
) -> dict[str, Any]:
    return {
        "question": question,
        "rank": rank,
        "evidence": [
            _in_source(x, texts[x.document_id], titles.get(x.document_id, x.document_id)) for x in question.evidence
        ],
        "found": run.outcomes[question.id].found[:_SHOWN],
    }


def _in_source(evidence: Evidence, text: str, title: str) -> dict[str, Any]:
    """A piece of evidence with what stands around it."""
    start, end = evidence.span
    return {
        "title": title,
        "line": text.count("\n", 0, start) + 1,
        "before": text[max(0, start - _CONTEXT) : start],
        "quote": evidence.quote,
        "after": text[end : end + _CONTEXT],
    }


def questions_file(questions: Sequence[Question]) -> bytes:
    """The questions of a run as a gold file of its own."""
    lines = []
    for q in questions:
        record = {
            "id": q.id,
            "split": q.split,
            "question": q.question,
            "type": q.type,
            "difficulty": q.difficulty,
            "evidence": [{"document_id": x.document_id, "quote": x.quote} for x in q.evidence],
            "need": q.need,
            "answer": q.answer,
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines).encode("utf-8")
