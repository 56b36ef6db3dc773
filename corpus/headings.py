"""Which lines are headings, and how deep: the numbering habits of Chinese official documents.

A rank orders kinds of heading from the outermost (small) to the innermost; the tree follows from the
ranks alone, so a report may start at any of them and skip others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from corpus.lines import Line

_HAN_NUMBER = "[一二三四五六七八九十百零〇]+"
_LONGEST = 60
_LONGEST_LABEL = 32
_LONGEST_ENTRY = 200
_PLACE = re.compile(r"[一-鿿]{1,5}(?:新区|区|县|市|园|镇|街道|开发区)")
_PLACE_SLOGAN = re.compile(r"[一-鿿]{1,6}(?:新区|区|县|市|园)[：:]\s*\S.{3,}")
_MARKDOWN = re.compile(r"(#{1,6})\s+(?=\S)")
_DECORATION = re.compile(r"[■◆▲●»›➢►]+\s*|\*\*")
_LEADERS = re.compile(r"(?:[.·⋯]{3,}|…+)\s*(?:[-–—]\s*)?\d{1,4}\s*[-–—]?$")
_LETTER = re.compile(r"[^\W\d_]")
_SPECIAL = re.compile(r"前\s*言|引\s*言|序\s*言|导\s*言|目\s*录|附\s*录.{0,20}|附件.{0,20}|结\s*语|后\s*记|编制说明")

RANK_NUMBERED = 10
"""The outermost numbered rank; above it are Markdown's and a format's own levels."""
RANK_ARTICLE = 13
RANK_BULLET = 25
RANK_PLACE = 60
_RANKS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(rf"第(?:{_HAN_NUMBER}|\d+)[编篇部](?:分)?(?:\s|　|$)"), 10),
    (re.compile(rf"第(?:{_HAN_NUMBER}|\d+)章"), 11),
    (re.compile(rf"第(?:{_HAN_NUMBER}|\d+)节"), 12),
    (re.compile(r"\d+\.\d+(?!\.?\d)[\s　]+(?=\D)"), 14),
    (re.compile(r"\d+\.\d+\.\d+(?!\.?\d)[\s　]+(?=\D)"), 15),
    (re.compile(r"\d+\.\d+\.\d+\.\d+[\s　]+(?=\D)"), 16),
    (re.compile(rf"{_HAN_NUMBER}、"), 20),
    (re.compile(rf"[(（]{_HAN_NUMBER}[)）]"), 30),
    (re.compile(r"\d{1,2}[.．、](?!\d)\s*"), 40),
    (re.compile(r"[(（]\d{1,2}[)）]"), 50),
)
_ITEM_RANKS = (40, 50)


@dataclass(frozen=True, slots=True)
class Heading:
    """A line taken as a heading. `name` is its text without decoration; `rank` how deep it stands."""

    name: str
    rank: int
    place: bool = False
    label: bool = False
    """It carries no number or mark: only its place among the other lines says that it is a heading."""


def heading_of(line: Line) -> Heading | None:
    """What the line is as a heading by its own look, or None. Labels without a mark: `is_label`."""
    text = line.text
    if line.literal or line.in_table or not _may_be_heading(text):
        return None
    markdown = _MARKDOWN.match(text)
    if markdown:
        name = plain_name(text[markdown.end() :].rstrip("# "))
        return Heading(name, len(markdown.group(1)), place=_PLACE.fullmatch(name) is not None) if name else None
    if len(text) > _LONGEST or line.is_row or line.is_note or line.is_finished:
        return None
    name = plain_name(text)
    if not name:  # nothing but decoration
        return None
    if _SPECIAL.fullmatch(name):
        return Heading(name, 20)
    for pattern, rank in _RANKS:
        if pattern.match(name):
            return Heading(name, rank)
    if name != text.strip("*") and _DECORATION.match(text) and not text.startswith("**"):
        return Heading(name, RANK_BULLET)
    if _PLACE.fullmatch(name) or _PLACE_SLOGAN.fullmatch(name):
        return Heading(name, RANK_PLACE, place=_PLACE.fullmatch(name) is not None)
    return None


def _may_be_heading(text: str) -> bool:
    """It is short or marked, and no entry of a contents page."""
    short = len(text) <= _LONGEST or text.startswith("#")
    return short and not _LEADERS.search(text, max(0, len(text) - 24))


def named_heading(text: str, level: int) -> Heading:
    """A heading that the file's format marks as one of that level."""
    name = plain_name(text)
    return Heading(name or text, level, place=_PLACE.fullmatch(name) is not None)


def editorial_heading(name: str) -> Heading:
    """A heading from the manifest: ranked as a printed one of the same look."""
    if _PLACE.fullmatch(name):
        return Heading(name, RANK_PLACE, place=True)
    return Heading(name, RANK_BULLET, label=True)


def is_slogan(name: str) -> bool:
    """A heading without number that is no place's name: `深化“上海硅巷”建设`."""
    numbered = any(pattern.match(name) for pattern, _ in _RANKS)
    return not (numbered or _PLACE.fullmatch(name) or _SPECIAL.fullmatch(name))


def is_item_rank(rank: int) -> bool:
    """Numbers that open both headings and list items: `1.` and `（1）`."""
    return rank in _ITEM_RANKS


def is_label(lines: list[Line]) -> bool:
    """A block without number or full stop, so short that it can only be a label or a caption."""
    if not _is_short(lines) or not _balanced("".join(x.text for x in lines)):
        return False
    if any(x.literal or x.is_row or x.is_note or x.is_bullet or x.marker or x.is_finished for x in lines):
        return False
    if _LEADERS.search(lines[-1].text) or not all(_LETTER.search(x.text) for x in lines):
        return False
    return not any(mark in x.text for x in lines for mark in "。；！？") and lines[-1].text[-1] not in "，,、"


def _is_short(lines: list[Line]) -> bool:
    if len(lines) == 1:
        return len(lines[0].text) <= _LONGEST_LABEL and not lines[0].text.startswith("**")
    return all(len(x.text) <= 8 for x in lines) and sum(len(x.text) for x in lines) <= 16


def _balanced(text: str) -> bool:
    """An open quote or bracket says that a page break cut the line."""
    return all(text.count(a) == text.count(b) for a, b in ("“”", "「」", "『』", "《》", "（）", "()", "【】"))


def is_contents_line(line: Line) -> bool:
    """An entry of a contents page: a text, then a tab, dots or wide gap, then a page number."""
    if len(line.text) > _LONGEST_ENTRY:
        return False
    return re.fullmatch(r".*\S(?:\t+|\s*[.·…⋯]{2,}\s*|\s{3,})[-–—]?\d{1,4}[-–—]?", line.text) is not None


def plain_name(text: str) -> str:
    """The heading without its decoration: `» 各具特色` → `各具特色`. Numbers are kept."""
    return _DECORATION.sub("", text).strip()
