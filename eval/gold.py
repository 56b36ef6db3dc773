"""Gold questions from JSON Lines, every fault named by line and field, all at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.types import DIFFICULTIES, NEEDS, SPLITS, TYPES, Evidence, Question

SHIPPED = Path(__file__).parent / "gold" / "questions.jsonl"
_CHOICES: Mapping[str, Sequence[str]] = {"split": SPLITS, "type": TYPES, "difficulty": DIFFICULTIES, "need": NEEDS}
_TEXTS = ("id", "question", "answer")
_FIELDS = {*_CHOICES, *_TEXTS, "evidence"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: `line` counts from 1; `field` is empty where the whole line is at fault."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"第 {self.line} 行{f' {self.field}' if self.field else ''}：{self.message}"


class GoldFaults(ValueError):
    """A gold file can't be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("；".join(str(x) for x in faults[:3]))
        self.faults = tuple(faults)


def load_gold(data: bytes, texts: Mapping[str, str]) -> list[Question]:
    """The questions of a gold file, their evidence placed in the documents' `texts` (by id).

    Raises:
        GoldFaults: anything is wrong with the file.
    """
    faults: list[Fault] = []
    questions: list[Question] = []
    first_line: dict[str, int] = {}
    if data.startswith(b"\xef\xbb\xbf"):
        faults.append(Fault(1, "", "文件开头有字节序标记（BOM），请另存为不带 BOM 的 UTF-8。"))
        data = data[3:]
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if raw.endswith(b"\r"):
            faults.append(Fault(number, "", "行尾是 CRLF，请改为 LF。"))
        if not raw.strip():
            continue
        question, found = _read_line(raw, number, texts)
        faults += found
        if question is None:
            continue
        if question.id in first_line:
            faults.append(Fault(number, "id", f"{question.id} 与第 {first_line[question.id]} 行重复。"))
        first_line.setdefault(question.id, number)
        questions.append(question)
    if not questions and not faults:
        faults.append(Fault(1, "", "文件中没有问题。"))
    if faults:
        raise GoldFaults(sorted(faults, key=lambda x: x.line))
    return questions


def _read_line(raw: bytes, number: int, texts: Mapping[str, str]) -> tuple[Question | None, list[Fault]]:
    try:
        record = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        return None, [Fault(number, "", "不是有效的 UTF-8 JSON。")]
    if not isinstance(record, dict):
        return None, [Fault(number, "", "应为 JSON 对象。")]
    faults = _field_faults(record, number)
    if faults:
        return None, faults
    evidence, faults = _place(record, number, texts)
    question = Question(
        id=record["id"],
        split=record["split"],
        question=record["question"],
        type=record["type"],
        difficulty=record["difficulty"],
        evidence=tuple(evidence),
        need=record["need"],
        answer=record["answer"],
    )
    return question, faults


def _field_faults(record: Mapping[str, Any], number: int) -> list[Fault]:
    faults = [Fault(number, name, "缺少这个字段。") for name in sorted(_FIELDS - record.keys())]
    faults += [Fault(number, name, "不认识这个字段。") for name in sorted(record.keys() - _FIELDS)]
    for name in _TEXTS:
        if name in record and (not isinstance(record[name], str) or not record[name].strip()):
            faults.append(Fault(number, name, "应为非空的文字。"))
    if isinstance(record.get("id"), str) and any(c.isspace() for c in record["id"]):
        faults.append(Fault(number, "id", "不能含空白。"))
    for name, choices in _CHOICES.items():
        if name in record and record[name] not in choices:
            faults.append(Fault(number, name, f"应为 {'、'.join(choices)} 之一。"))
    evidence = record.get("evidence")
    if "evidence" in record and not isinstance(evidence, list):
        faults.append(Fault(number, "evidence", "应为列表。"))
    elif isinstance(evidence, list) and "type" in record and bool(evidence) == (record["type"] == "unanswerable"):
        wanted = "应为空" if evidence else "不能为空"
        faults.append(Fault(number, "evidence", f"{wanted}：只有 unanswerable 的问题没有依据。"))
    return faults


def _place(record: Mapping[str, Any], number: int, texts: Mapping[str, str]) -> tuple[list[Evidence], list[Fault]]:
    placed: list[Evidence] = []
    faults: list[Fault] = []
    for n, piece in enumerate(record["evidence"]):
        name = f"evidence[{n}]"
        if not isinstance(piece, dict) or not all(isinstance(piece.get(k), str) for k in ("document_id", "quote")):
            faults.append(Fault(number, name, "应有文字字段 document_id 和 quote。"))
            continue
        document_id, quote = piece["document_id"], piece["quote"]
        if document_id not in texts:
            faults.append(Fault(number, f"{name}.document_id", f"没有编号为 {document_id[:80]} 的报告。"))
            continue
        count = texts[document_id].count(quote) if quote else 0
        if count != 1:
            reason = "在报告中找不到" if not count else f"在报告中出现 {count} 次，应恰好一次"
            faults.append(Fault(number, f"{name}.quote", f"{reason}：{quote[:40]!r}"))
            continue
        start = texts[document_id].index(quote)
        placed.append(Evidence(document_id, quote, (start, start + len(quote))))
    return placed, faults
