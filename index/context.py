"""What an index reads of a passage: its text, and what a reader sees around it."""

from __future__ import annotations

from corpus.elements import split_row
from corpus.types import Passage


def lexical_text(title: str, year: int, passage: Passage) -> str:
    """All the words by which a passage may be asked for: report, year, headings, lead, text."""
    return "\n".join([f"{title} {year}年", *passage.section, passage.lead or "", reading(passage)])


def dense_text(passage: Passage) -> str:
    """What the passage says, with its headings; the report's title, which all share, would drown it."""
    return "\n".join([*passage.section[-2:], reading(passage)])


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
