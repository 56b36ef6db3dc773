"""Answers as text for people and as JSON for programs; every door shares it."""

from __future__ import annotations

import re
from typing import Any

from corpus.citations import citation_label
from service.answers import NO_ANSWER, Answer, NumberedCitation, Said, Sentence
from service.links import Link
from service.render import Mark, citation_json, clean, hit_json, hits_text, marked_text, readings_json, readings_text

_NEAREST = 3
_WITH_PASSAGES = 3
_ITEM = re.compile(r"^\s*[-•■»]\s*")


# -- JSON (DESIGN: `ask --json`) ------------------------------------------------------------------


def answer_json(answer: Answer, link: Link) -> dict[str, Any]:
    """`{"question", "resolved", "answer", "abstained", "reason", "confidence", …, "citations", "hits"}`."""
    return {
        "question": answer.question,
        "resolved": answer.resolved,
        "answer": answer.text,
        "abstained": answer.abstained,
        "reason": {"code": answer.reason.code, "message": answer.reason.message} if answer.reason else None,
        "confidence": answer.confidence,
        "mode": answer.mode,
        "sentences": [sentence_json(x) for x in answer.sentences],
        "citations": [numbered_json(x, link) for x in answer.citations],
        "notices": list(answer.notices),
        "readings": readings_json(answer.readings),
        "generation": answer.generation,
        "took_ms": answer.took_ms,
        "hits": [hit_json(hit, link) for hit in answer.hits],
    }


def sentence_json(sentence: Sentence) -> dict[str, Any]:
    """A sentence; marks are offsets in its text, in code points."""
    return {
        "text": sentence.text,
        "citations": list(sentence.citations),
        "marks": [list(span) for span in sentence.marks],
        "label": sentence.label,
    }


def numbered_json(cited: NumberedCitation, link: Link) -> dict[str, Any]:
    """A citation with its number, its quote and the passage that it is of."""
    return {
        **citation_json(cited.citation, link),
        "number": cited.number,
        "quote": cited.citation.quote,
        "passage_id": cited.passage_id,
    }


def said_json(said: Said, link: Link) -> dict[str, Any]:
    """A sentence as it is streamed, with those of its citations that are new."""
    return {**sentence_json(said.sentence), "new_citations": [numbered_json(x, link) for x in said.citations]}


# -- text for people ------------------------------------------------------------------------------


def answer_text(answer: Answer, mark: Mark) -> str:
    """The answer first, then what it rests on; where there is none, why, and the nearest passages."""
    blocks = []
    if answer.resolved != answer.question:
        blocks.append(f"问的是：{clean(answer.resolved)}")
    if answer.readings:
        blocks.append(readings_text(answer.readings))
    blocks += [f"注意：{clean(notice)}" for notice in answer.notices]
    if answer.mode == "passages":
        blocks.append(hits_text(answer.hits, mark))
    elif answer.reason is not None:
        blocks.append(f"{NO_ANSWER}。{clean(answer.reason.message)}（把握 {answer.confidence:.0%}）")
        if answer.hits:
            blocks += ["以下只是相近的段落，不是答案：", hits_text(answer.hits[:_NEAREST], mark)]
    else:
        said = [said_text(sentence, mark) for sentence in answer.sentences]
        blocks.append("\n".join([*said, f"（把握 {answer.confidence:.0%}）"]))
        blocks += ["依据：", "\n\n".join(_evidence_text(answer, x, mark) for x in answer.citations)]
    return "\n\n".join(blocks)


def said_text(sentence: Sentence, mark: Mark) -> str:
    """`2022年：……【约 200 场】……[1]`."""
    pieces, end = [], 0
    for start, stop in sentence.marks:
        pieces += [tidy(sentence.text[end:start]), mark(tidy(sentence.text[start:stop]))]
        end = stop
    pieces.append(tidy(sentence.text[end:]))
    numbers = "".join(f"[{n}]" for n in sentence.citations)
    label = f"{clean(sentence.label)}：" if sentence.label else ""
    return f"{label}{_ITEM.sub('', ''.join(pieces)).strip()} {numbers}"


def _evidence_text(answer: Answer, cited: NumberedCitation, mark: Mark) -> str:
    """The citation's label, and the quote within its passage; within itself alone where there are many."""
    head = f"[{cited.number}] {clean(citation_label(cited.citation))}"
    passage = next((hit.passage for hit in answer.hits if hit.passage.id == cited.passage_id), None)
    if passage is None or len(answer.citations) > _WITH_PASSAGES:
        return f"{head}\n    {_ITEM.sub('', tidy(cited.citation.quote)).strip()}"
    body = marked_text(passage, cited.citation.spans, mark)
    return "\n".join([head, *(f"    {line}" for line in body.splitlines() if line.strip())])


def tidy(text: str) -> str:
    """Source text as one reads it in a line: no bold marks, tabs or breaks of lines, nothing a terminal would obey."""
    return clean(text.replace("**", "")).replace("\n", " ").replace("\t", "　")
