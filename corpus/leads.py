"""Run-in leads: the words that open a part of a paragraph and name its topic."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from corpus.emphasis import bold_spans
from corpus.sentences import sentence_spans

_ORDINAL = re.compile(r"(?:[一二三四五六七八九十]是|[（(][一二三四五六七八九十\d]+[）)]|\d+[.、])\s*$")
_FIELD = re.compile(r"([一-鿿]{2,8})[：:](?=\s*\S|$)")
_SLOGAN_LONGEST = 30
_PHRASE_LONGEST = 24
# What stands in quotes is a name, whatever it holds; a version (3.0版) is no figure.
_NAMES = re.compile(r"“[^”]*”|\d+\.\d+版")
# A sentence with a year, a figure, a title of a document or an aside states a fact; it is no lead.
_NOT_IN_PLAIN = re.compile(r"[\d《》：:；;（(、*]")
_CUT_REST = re.compile(r"[^。！？；：，、]{1,20}(?=[。：，])")
_STRIP = "。！？：:，, *"


@dataclass(frozen=True, slots=True)
class Part:
    """`[start, end)` of a paragraph's text, and the lead that names its topic, if it has one."""

    start: int
    end: int
    lead: str | None


def split_at_leads(text: str, plain: bool, cuts: Collection[int] = ()) -> list[Part]:
    """Cut a paragraph before each of its leads; the parts tile the text.

    A lead is bold words that open a sentence (after `一是`, too), a field name before a colon at the very
    start (`功能定位：`) and, if `plain`, short sentences without facts that others follow. `cuts` are the
    offsets at which a page break was joined: bold that ends there goes on to the next mark.

    >>> [p.lead for p in split_at_leads("引言。**甲。**乙乙。**丙**，丁。", plain=False)]
    [None, '甲', '丙']
    """
    leads: dict[int, str | None] = dict(_bold_leads(text, cuts))
    if 0 not in leads and (name := _FIELD.match(text)):
        leads[0] = name.group(1)
    elif plain:
        leads |= _plain_leads(text, leads)
    starts = sorted({0, *leads})
    ends = [*starts[1:], len(text)]
    return [Part(start, end, leads.get(start)) for start, end in zip(starts, ends, strict=True)]


def _bold_leads(text: str, cuts: Collection[int]) -> list[tuple[int, str | None]]:
    bold = bold_spans(text)
    if not bold:
        return []
    sentence_starts = {start for start, _ in sentence_spans(text)} | {0}
    leads: list[tuple[int, str | None]] = []
    for start, end in bold:
        ordinal = _ORDINAL.search(text, max(0, start - 6), start)
        opening = ordinal.start() if ordinal else start
        if opening in sentence_starts:
            lead: str | None = text[start + 2 : end - 2]
            if end in cuts:
                rest = _CUT_REST.match(text, end)
                lead = f"{lead}{rest.group()}" if rest else None
            leads.append((opening, lead.strip(_STRIP) if lead else None))
    return leads


def _plain_leads(text: str, bold: Mapping[int, str | None]) -> dict[int, str]:
    """Short sentences that state no fact and that others follow: a slogan first, a bare phrase later on."""
    sentences = sentence_spans(text)
    leads: dict[int, str] = {}
    for n in range(len(sentences) - 2, -1, -1):
        start, end = sentences[n]
        sentence = _NAMES.sub("", text[start:end]).replace(", ", "，")
        following = sentences[n + 1][0]
        longest, commas = (_SLOGAN_LONGEST, 1) if n == 0 else (_PHRASE_LONGEST, 0)
        if (
            start not in bold
            and following not in bold
            and following not in leads
            and end - start <= longest
            and sentence.endswith("。")
            and sentence.count("，") <= commas
            and not _NOT_IN_PLAIN.search(sentence)
        ):
            leads[start] = text[start:end].strip(_STRIP)
    return leads
