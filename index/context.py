"""What an index reads of a passage: its text, what a reader sees around it, and how people ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from corpus.elements import split_row
from corpus.expansions import Expansion
from corpus.sentences import sentence_spans
from corpus.types import Passage


def passage_text(title: str, year: int, passage: Passage) -> str:
    """All the words by which a passage may be asked for: report, year, headings, lead, text."""
    return "\n".join([passage_context(title, year, passage), reading(passage)])


def passage_context(title: str, year: int, passage: Passage) -> str:
    """What a reader sees above a passage: report, year, headings, lead."""
    return "\n".join([f"{title} {year}年", *passage.section, passage.lead or ""])


def passage_pieces(passage: Passage) -> list[str]:
    """The passage sentence by sentence, each under its nearest heading and lead: what one averaged vector can hold."""
    above = [*passage.section[-1:], *([passage.lead] if passage.lead else [])]
    sentences = [passage.text[start:end].replace("**", "") for start, end in sentence_spans(passage.text)]
    return ["\n".join([*above, sentence]) for sentence in sentences] or ["\n".join([*above, passage.text])]


def expansion_text(expansions: Sequence[Expansion]) -> str:
    """All expansions of a passage."""
    return "\n".join(x.text for x in expansions)


def reading(passage: Passage) -> str:
    """The text as one reads it: without bold marks, and each row of a table with its column heads."""
    text = passage.text.replace("**", "")
    if passage.kind != "table" or not passage.columns:
        return text
    rows = []
    for line in text.splitlines():
        cells = split_row(line)
        heads = passage.columns
        whole = len(cells) == len(heads) and cells != heads
        rows.append("；".join(f"{h}：{c}" for h, c in zip(heads, cells, strict=True)) if whole else line)
    return "\n".join(rows)
