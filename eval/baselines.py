"""The results table of the baselines, written into `eval/README.md` between two marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.measures import COMPLETE_5, WITHIN_BUDGET, mean_with_interval, relevant_units, score_questions
from eval.systems import Bm25System, LocalSystem
from eval.types import SPLITS, TYPES, Outcome, Question, System
from service.assistant import Assistant

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- baselines: begin -->", "<!-- baselines: end -->"
_SHOWN = ("Success@1", "Success@5", "Success@10", "RR@10", "nDCG@10", WITHIN_BUDGET)
_TOP_K = 10
_ANSWERABLE = tuple(name for name in TYPES if name != "unanswerable")


def systems(assistant: Assistant) -> Mapping[str, System]:
    """The baselines by the name that the table gives them."""
    return {
        "BM25, jieba words": Bm25System(assistant, "words"),
        "BM25, character unigrams and bigrams": Bm25System(assistant, "characters"),
        "both views of BM25, as the lexical arm": LocalSystem(assistant, "lexical", expansions=False, literal=True),
        "late interaction alone": LocalSystem(assistant, "dense", expansions=False, literal=True),
        "both arms": LocalSystem(assistant, "hybrid", expansions=False, literal=True),
        "both arms, question understood": LocalSystem(assistant, "hybrid", expansions=False),
        "both arms with expansions": LocalSystem(assistant, "hybrid", literal=True),
        "as shipped: both arms, question understood, expansions": LocalSystem(assistant, "hybrid"),
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
        counts = Counter(q.type for q in chosen if q.answerable)
        heads = [f"{name} ({counts[name]})" for name in _ANSWERABLE]
        by_type = [
            f"| Success@5 | {' | '.join(heads)} | multi, all evidence among 5 |",
            "|---|" + "--:|" * (len(heads) + 1),
        ]
        for name, system in systems(assistant).items():
            scores = score_split(system, chosen)
            cells = []
            for measure in _SHOWN:
                mean, low, high = mean_with_interval([x[measure] for x in scores.values()])
                interval = f" [{low:.2f}, {high:.2f}]" if measure in ("Success@5", "nDCG@10") else ""
                cells.append(f"{mean:.3f}{interval}")
            lines.append(f"| {name} | {' | '.join(cells)} |")
            by_type.append(f"| {name} | {' | '.join(_type_cells(chosen, scores))} |")
        lines += ["", *by_type, ""]
    return "\n".join(lines).rstrip()


def _type_cells(questions: Sequence[Question], scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Success@5 of each type, and what share of `multi` has all its evidence among five."""
    wanted = [(name, "Success@5") for name in _ANSWERABLE] + [("multi", COMPLETE_5)]
    values = [[scores[q.id][measure] for q in questions if q.type == name] for name, measure in wanted]
    return [f"{sum(x) / len(x):.2f}" if x else "–" for x in values]


def current_table(text: str) -> str:
    """The table that stands in the README now."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def with_table(text: str, table: str) -> str:
    """The README with another table."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"
