"""What an index reads of a passage: its text, what a reader sees around it, and how people ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corpus.elements import split_row
from corpus.expansions import Expansion
from corpus.sentences import sentence_spans
from corpus.types import Passage, Span


def passage_text(title: str, year: int, passage: Passage) -> str:
    """All the words by which a passage may be asked for: report, year, headings, lead, text."""
    return "\n".join([passage_context(title, year, passage), reading(passage)])


def passage_context(title: str, year: int, passage: Passage) -> str:
    """What a reader sees above a passage: report, year, headings, lead."""
    return "\n".join([f"{title} {year}年", *passage.section, passage.lead or ""])


def passage_pieces(passage: Passage) -> list[str]:
    """The passage sentence by sentence, each under its nearest heading and lead: what one averaged vector can hold."""
    return ["\n".join(piece) for piece in passage_lines("", 0, passage).pieces]


@dataclass(frozen=True, slots=True)
class Lines:
    """A passage in lines that are read one by one: no word stands across two of them.

    `whole` are the lines that have the words of `passage_text`; `pieces` those of each of `passage_pieces`, which are
    mostly the same lines once more.
    """

    whole: Sequence[str]
    pieces: Sequence[Sequence[str]]


def passage_lines(title: str, year: int, passage: Passage) -> Lines:
    """The lines of a passage."""
    spans = sentence_spans(passage.text)
    sentences = [passage.text[start:end].replace("**", "") for start, end in spans]
    lead = [passage.lead] if passage.lead else []
    above = [*passage.section[-1:], *lead]
    if passage.kind == "table" and passage.columns:
        body = reading(passage).split("\n")
    elif _run_together(spans, sentences):
        body = [reading(passage)]
    else:
        body = sentences
    whole = [f"{title} {year}年", *passage.section, *lead, *body]
    return Lines(whole, [[*above, sentence] for sentence in sentences or [passage.text]])


def _run_together(spans: Sequence[Span], sentences: Sequence[str]) -> bool:
    """Whether a word may stand across two sentences: a raised number closes one, and a figure opens the next (。¹2025年)."""
    return any(
        end == start and sentence[-1:].isalnum()
        for (_, end), (start, _), sentence in zip(spans, spans[1:], sentences, strict=False)
    )


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
