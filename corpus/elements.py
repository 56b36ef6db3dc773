"""What a structure is made of: the elements between headings, and what is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from corpus.types import Kind, Section, Span


@dataclass(slots=True)
class Element:
    """A paragraph, list, table or footnote of section number `section`; the rest as in `Passage`.

    `finished`: its last sentence is complete. `marker`: the kind of number or bullet of a list's items.
    """

    kind: Kind
    section: int
    spans: list[Span]
    lead: str | None = None
    columns: tuple[str, ...] = ()
    finished: bool = True
    marker: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A span that is in no passage, and why: title, contents, heading, caption, page number, table rule."""

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Structure:
    """`sections[0]` is the body directly under the title; elements are in reading order."""

    sections: tuple[Section, ...]
    elements: tuple[Element, ...]
    left_out: tuple[LeftOut, ...]


def split_row(text: str) -> tuple[str, ...]:
    """The cells of a table row, tab-separated or between Markdown's pipes."""
    if "\t" in text and not text.startswith("|"):
        return tuple(cell.strip() for cell in text.split("\t"))
    cells = re.split(r"(?<!\\)\|", text.removeprefix("|"))
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return tuple(cell.strip().replace("\\|", "|") for cell in cells)
