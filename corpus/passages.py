"""Structure → passages: units of about 80 to 400 characters that follow sections, leads and sentences."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate

from corpus.elements import Element, Structure
from corpus.headings import is_slogan
from corpus.joins import extend
from corpus.leads import Part, split_at_leads
from corpus.lines import line_range, line_starts, page_range
from corpus.sentences import clause_spans, sentence_spans
from corpus.types import Document, Kind, Passage, Section, Span, join_spans, slice_spans

SHORTEST = 80
LONGEST = 400
# Opening words that end as the first lead ends (眼科视光领域, then 生物制造领域) are a lead that lost its bold.
_TOPIC = re.compile(r"[^\s\d，。；：、*]{3,12}(?=，)")
_KIN = 2


@dataclass(slots=True)
class _Draft:
    """A passage in the making."""

    kind: Kind
    section: int
    spans: tuple[Span, ...]
    lead: str | None
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(e - s for s, e in self.spans)


def split_passages(document: Document, structure: Structure) -> list[Passage]:
    """The passages of a document in reading order; together they hold every element's text once.

    None crosses a section. None cuts a sentence, unless one alone is longer than `LONGEST`.
    """
    drafts: list[_Draft] = []
    for element in structure.elements:
        drafts += _split_element(document.text, element, structure.sections[element.section])
    drafts = _merge_short(document.text, drafts)
    starts = line_starts(document.text)
    return [_passage(document, structure, draft, starts) for draft in drafts]


def _passage(document: Document, structure: Structure, draft: _Draft, starts: list[int]) -> Passage:
    section = structure.sections[draft.section]
    return Passage(
        document_id=document.id,
        section=section.path,
        restored=section.restored,
        lead=draft.lead,
        kind=draft.kind,
        spans=draft.spans,
        text=join_spans(document.text, draft.spans),
        lines=line_range(starts, draft.spans[0][0], draft.spans[-1][1]),
        columns=draft.columns,
        pages=page_range(document.page_starts, draft.spans[0][0], draft.spans[-1][1]),
    )


def _split_element(text: str, element: Element, section: Section) -> list[_Draft]:
    joined = join_spans(text, element.spans)
    ends = list(accumulate(end - start for start, end in element.spans))
    drafts = []
    for part in _parts(joined, element, section):
        for s, e in _chunks(joined[part.start : part.end], by_line=element.kind == "table"):
            spans = _slice(element.spans, ends, part.start + s, part.start + e)
            drafts.append(_Draft(element.kind, element.section, spans, part.lead, element.columns))
    return drafts


def _slice(spans: list[Span], ends: list[int], start: int, end: int) -> tuple[Span, ...]:
    """`slice_spans`, looking only at the spans concerned; `ends` are theirs in the joined text."""
    first, last = bisect_right(ends, start), bisect_left(ends, end)
    before = ends[first - 1] if first else 0
    return slice_spans(spans[first : last + 1], start - before, end - before)


def _parts(joined: str, element: Element, section: Section) -> list[Part]:
    if element.kind in ("table", "footnote"):
        return [Part(0, len(joined), element.lead)]
    # A heading that is a slogan has said what a plain first sentence would say as a lead.
    plain = element.kind == "text" and bool(section.path) and not is_slogan(section.path[-1])
    parts = split_at_leads(joined, plain, cuts=_cuts(element.spans))
    if len(parts) == 1 or parts[0].lead is not None:
        return parts
    if parts[0].end < SHORTEST and parts[1].end <= LONGEST:
        topic = _TOPIC.match(joined)
        if topic and parts[1].lead and topic.group()[-_KIN:] == parts[1].lead[-_KIN:]:
            return [Part(0, parts[0].end, topic.group()), *parts[1:]]
        return [Part(0, parts[1].end, parts[1].lead), *parts[2:]]
    return parts


def _cuts(spans: list[Span]) -> frozenset[int]:
    """Offsets in the joined text at which one span ends and the next begins."""
    return frozenset(list(accumulate(end - start for start, end in spans))[:-1])


def _chunks(text: str, by_line: bool) -> list[Span]:
    """Runs of whole sentences (of whole rows), as equal as they come, none over `LONGEST` characters."""
    units = [m.span() for m in re.finditer(r"[^\n\r\f]*\S[^\n\r\f]*", text)] if by_line else sentence_spans(text)
    total = sum(e - s for s, e in units)
    wanted = math.ceil(total / LONGEST)
    chunks: list[Span] = []
    for start, end in units:
        room = bool(chunks) and end - chunks[-1][0] <= LONGEST
        # A unit goes where more than half of it lies within the equal share.
        share = bool(chunks) and (start + end) / 2 - chunks[-1][0] <= total / wanted
        if end - start > LONGEST:
            chunks += [(start + s, start + e) for s, e in clause_spans(text[start:end], LONGEST)]
        elif room and (share or len(chunks) == wanted):
            chunks[-1] = (chunks[-1][0], end)
        else:
            chunks.append((start, end))
    return chunks


def _merge_short(text: str, drafts: list[_Draft]) -> list[_Draft]:
    """Neighbouring paragraphs of one section without leads, one of them short, become one passage."""
    merged: list[_Draft] = []
    for draft in drafts:
        last = merged[-1] if merged else None
        between = text[last.spans[-1][1] : draft.spans[0][0]] if last else ""
        if (
            last
            and last.section == draft.section
            and last.kind == draft.kind == "text"
            and last.lead is draft.lead is None
            and min(len(last), len(draft)) < SHORTEST
            and len(last) + len(between) + len(draft) <= LONGEST
            and not between.strip()
        ):
            last.spans = tuple(extend(text, list(last.spans), list(draft.spans)))
        else:
            merged.append(draft)
    return merged
