"""SQuAD-style question sets (CMRC 2018, DRCD, XQuAD): paragraphs as documents, answers as evidence.

The format: `{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers":
[{"text", "answer_start"}]}]}]}]}` (Rajpurkar et al., EMNLP 2016). The evidence of a question is the
sentence that its first answer stands in; offsets that don't fit are searched for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.sentences import sentence_spans
from eval.types import Evidence, Question
from service.errors import KewenError, echo


@dataclass(frozen=True, slots=True)
class SquadSet:
    """`texts`: document id → paragraph. Equal paragraphs are one document."""

    texts: Mapping[str, str]
    questions: tuple[Question, ...]


def read_squad(path: Path) -> SquadSet:
    """A question set from a file.

    Raises:
        KewenError: `invalid_request`: it can't be read or has another form.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        paragraphs = [p for article in data["data"] for p in article["paragraphs"]]
        ids = {text: f"p{n:05d}" for n, text in enumerate(dict.fromkeys(str(p["context"]) for p in paragraphs))}
        questions = tuple(_questions(paragraphs, ids))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise KewenError(
            "invalid_request", f"{echo(str(path))} 不是 SQuAD 格式的文件（{type(error).__name__}）。"
        ) from error
    if not questions:
        raise KewenError("invalid_request", f"{echo(str(path))} 中没有带答案的问题。")
    return SquadSet({name: text for text, name in ids.items()}, questions)


def write_library(squad: SquadSet, folder: Path) -> None:
    """The paragraphs as a folder of documents with its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, text in squad.texts.items():
        (folder / f"{name}.txt").write_bytes(text.encode("utf-8"))
        fields = {"id": name, "file": f"{name}.txt", "title": "段落", "year": 2000, "series": "问答集", "kind": "段落"}
        lines += ["[[document]]", *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in fields.items()), ""]
    (folder / "reports.toml").write_text("\n".join(lines), encoding="utf-8")


def _questions(paragraphs: list[Mapping[str, Any]], ids: Mapping[str, str]) -> Iterator[Question]:
    used: set[str] = set()
    for paragraph in paragraphs:
        context = str(paragraph["context"])
        for qa in paragraph["qas"]:
            evidence = _evidence(qa, context, ids[context])
            if evidence is None:
                continue
            name = "".join(str(qa["id"]).split()) or f"q{len(used)}"
            if name in used:
                name = f"{name}-{len(used)}"
            used.add(name)
            answer = str(qa["answers"][0]["text"])
            yield Question(name, "test", str(qa["question"]), "fact", "medium", (evidence,), "any", answer)


def _evidence(qa: Mapping[str, Any], context: str, document_id: str) -> Evidence | None:
    if not qa.get("answers"):
        return None
    answer = str(qa["answers"][0]["text"])
    start = int(qa["answers"][0].get("answer_start", -1))
    if start < 0 or context[start : start + len(answer)] != answer:
        start = context.find(answer)
    if start < 0:
        return None
    sentence = next((s, e) for s, e in sentence_spans(context) if s <= start < e)
    return Evidence(document_id, context[slice(*sentence)], sentence)
