"""The last touches to a structure: where notes belong, where sections end, which headings are none."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence, Set
from dataclasses import replace

from corpus.elements import Element, LeftOut
from corpus.notes import NoteMarks
from corpus.types import Section


def attach_notes(elements: Sequence[Element], marks: NoteMarks) -> None:
    """A footnote stands in the section of the term that it explains."""
    owned = sorted((start, end, n) for n, x in enumerate(elements) for start, end in x.spans)
    starts = [start for start, _, _ in owned]
    for note in elements:
        anchor = marks.anchor(note.spans[0][0]) if note.kind == "footnote" else None
        if anchor is not None and starts[0] <= anchor:
            _, end, n = owned[bisect_right(starts, anchor) - 1]
            if anchor < end:
                note.section = elements[n].section


def close_sections(sections: Sequence[Section], length: int) -> list[Section]:
    """A section ends where the next one of its own or a higher level starts, the last at the text's `length`."""
    open_sections: list[int] = []
    ends = [length] * len(sections)
    for n, section in enumerate(sections[1:], start=1):
        while open_sections and sections[open_sections[-1]].level >= section.level:
            ends[open_sections.pop()] = section.start
        open_sections.append(n)
    return [replace(x, end=ends[n]) for n, x in enumerate(sections)]


def demote_empty(
    sections: list[Section], elements: list[Element], left_out: list[LeftOut], given: Set[int]
) -> tuple[list[Section], list[Element], list[LeftOut]]:
    """A heading with nothing under it is text of the section above: only bodies are passages.

    Sections in `given` have their heading from the manifest and stay.
    """
    headings = {x.span for x in left_out if x.reason == "heading"}
    used = {x.section for x in elements} | {x.parent for x in sections} | given
    empty = {n: x.heading for n, x in enumerate(sections) if n not in used and x.heading in headings}
    if not empty:
        return sections, elements, left_out
    demoted = set(empty.values())
    texts = [Element("text", sections[n].parent or 0, [span]) for n, span in empty.items() if span is not None]
    elements = sorted([*elements, *texts], key=lambda x: x.spans[0][0])
    kept = [n for n in range(len(sections)) if n not in empty]
    number = {old: new for new, old in enumerate(kept)}
    for element in elements:
        element.section = number[element.section]
    sections = [replace(x, parent=None if x.parent is None else number[x.parent]) for x in (sections[n] for n in kept)]
    return sections, elements, [x for x in left_out if x.reason != "heading" or x.span not in demoted]
