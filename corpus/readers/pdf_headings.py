"""Headings by how they are set: larger, bolder or in another face than the body, alone, and no sentence."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from corpus.headings import RANK_BULLET, RANK_NUMBERED, RANK_PLACE, heading_of
from corpus.lines import Line
from corpus.readers.pdf_geometry import Box
from corpus.readers.pdf_paragraphs import Measure, Paragraph

_LARGER = 1.08
_BOLD = 0.9
_LONGEST = 60
_MOST_LINES = 3
_PROSE = 40
_DEEPEST = 9
_FINISHED = re.compile(r"[。！？；!?;，,、：:][”’」』）)】》\"']*$")
_CAPTION = re.compile(r"(?:图|表|附图|附表|专栏)\s*[\d一二三四五六七八九十]|(?:资料|数据)?来源|注[：:]|单位[：:]")
_LEADERS = re.compile(r"(?:[.·⋯]{3,}|…+)\s*\d{1,4}\s*$|\t")
_LETTERS = re.compile(r"[^\W\d_]")


class _Style(NamedTuple):
    size: float
    bold: bool


class Face(NamedTuple):
    """What the body is set in."""

    bold: bool
    face: str


def body_face(pages: Sequence[Sequence[Paragraph]], usual: Measure) -> Face:
    """The weight and the face of most of the body's text."""
    weights: Counter[Face] = Counter()
    for x in (x for page in pages for x in page):
        if x.table is None and abs(x.size - usual.size) <= (_LARGER - 1) * usual.size:
            weights[Face(x.bold >= _BOLD, x.face)] += len(x.text)
    return weights.most_common(1)[0][0] if weights else Face(False, "")


def heading_levels(
    pages: Sequence[Sequence[Paragraph]], pictures: Sequence[Sequence[Box]], usual: Measure, title: str | None
) -> dict[tuple[int, int], int]:
    """The level of each paragraph that is a heading, by its page and its place on it, both from 0."""
    body = body_face(pages, usual)
    found: dict[tuple[int, int], Paragraph] = {}
    for n, page in enumerate(pages):
        prose = any(x.table or len(x.text) >= _PROSE for x in page)
        for m, paragraph in enumerate(page):
            if not _is_set_apart(paragraph, usual, body) or _in_picture(paragraph, pictures[n]):
                continue
            if title and paragraph.text in title:
                continue
            if prose or _number(paragraph.text):
                found[n, m] = paragraph
    return _levels(found)


def _is_set_apart(paragraph: Paragraph, usual: Measure, body: Face) -> bool:
    text = paragraph.text
    if (
        paragraph.table
        or paragraph.note
        or paragraph.continued
        or paragraph.lines > _MOST_LINES
        or len(text) > _LONGEST
    ):
        return False
    if _FINISHED.search(text) or _CAPTION.match(text) or _LEADERS.search(text) or not _LETTERS.search(text):
        return False
    if paragraph.size >= _LARGER * usual.size:
        return True
    if paragraph.size < 0.95 * usual.size:
        return False
    other = paragraph.face != body.face and bool(paragraph.face) and bool(body.face)
    return (paragraph.bold >= _BOLD and not body.bold) or (other and _number(text) > 0)


def _in_picture(paragraph: Paragraph, pictures: Sequence[Box]) -> bool:
    x, y = (paragraph.x0 + paragraph.x1) / 2, paragraph.y - paragraph.size / 2
    return any(p.x0 <= x <= p.x1 and p.y0 <= y <= p.y1 and p.y1 - p.y0 > 4 * paragraph.size for p in pictures)


def _number(text: str) -> int:
    """The rank of the kind of number that it bears, or 0."""
    heading = heading_of(Line(0, len(text), text, 0))
    ranked = heading is not None and heading.rank >= RANK_NUMBERED and heading.rank not in (RANK_BULLET, RANK_PLACE)
    return heading.rank if heading and ranked else 0


def _levels(found: dict[tuple[int, int], Paragraph]) -> dict[tuple[int, int], int]:
    """One level for each kind of number, outermost first; headings without one go by their size and weight."""
    styles = {place: _Style(round(x.size * 2) / 2, x.bold >= _BOLD) for place, x in found.items()}
    numbers = {place: _number(x.text) for place, x in found.items()}
    by_number: dict[int, Counter[_Style]] = defaultdict(Counter)
    for place, rank in numbers.items():
        by_number[rank][styles[place]] += 1
    plain = by_number.pop(0, Counter())
    tiers: list[tuple[int, _Style]] = [(rank, by_number[rank].most_common(1)[0][0]) for rank in sorted(by_number)]
    for style in sorted(plain, reverse=True):
        if style not in (x for _, x in tiers):
            n = next((n for n, (_, x) in enumerate(tiers) if x < style), len(tiers))
            tiers.insert(n, (0, style))
    level_of_style = {style: n + 1 for n, (_, style) in reversed(list(enumerate(tiers)))}
    level_of_rank = {rank: n + 1 for n, (rank, _) in enumerate(tiers) if rank}
    return {
        place: min(_DEEPEST, level_of_rank[numbers[place]] if numbers[place] else level_of_style[styles[place]])
        for place in found
    }
