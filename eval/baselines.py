"""The results table of the baselines, written into `eval/README.md` between two marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.measures import WITHIN_BUDGET, mean_with_interval, relevant_units, score_questions
from eval.systems import Bm25System, LocalSystem
from eval.types import SPLITS, Outcome, Question, System
from service.assistant import Assistant

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- baselines: begin -->", "<!-- baselines: end -->"
_SHOWN = ("Success@1", "Success@5", "Success@10", "RR@10", "nDCG@10", WITHIN_BUDGET)
_TOP_K = 10


def systems(assistant: Assistant) -> Mapping[str, System]:
    """The baselines by the name that the table gives them."""
    return {
        "BM25, jieba words": Bm25System(assistant, "words"),
        "BM25, character unigrams and bigrams": Bm25System(assistant, "characters"),
        "bundled encoder alone": LocalSystem(assistant, "dense"),
        "hybrid, as shipped": LocalSystem(assistant, "hybrid"),
    }


def score_split(system: System, questions: Sequence[Question]) -> dict[str, dict[str, float]]:
    """Question id → measure → value, without leaving anything on disk."""
    outcomes = {q.id: Outcome(q.id, system.search(q.question, _TOP_K).found) for q in questions}
    units = system.units() or []
    qrels = {q.id: relevant_units(q, units) for q in questions if q.answerable}
    return score_questions(questions, outcomes, qrels)


def baselines_table(assistant: Assistant, questions: Sequence[Question]) -> str:
    """The table as Markdown: means with 95 % bootstrap intervals where they are headlines."""
    lines = []
    for split in SPLITS:
        chosen = [q for q in questions if q.split == split]
        count = sum(q.answerable for q in chosen)
        lines += [
            f"**{split}** ({count} answerable questions)",
            "",
            f"| | {' | '.join(_SHOWN)} |",
            "|---|" + "--:|" * len(_SHOWN),
        ]
        for name, system in systems(assistant).items():
            scores = score_split(system, chosen)
            cells = []
            for measure in _SHOWN:
                mean, low, high = mean_with_interval([x[measure] for x in scores.values()])
                interval = f" [{low:.2f}, {high:.2f}]" if measure in ("Success@5", "nDCG@10") else ""
                cells.append(f"{mean:.3f}{interval}")
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def current_table(text: str) -> str:
    """The table that stands in the README now."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def with_table(text: str, table: str) -> str:
    """The README with another table."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"
