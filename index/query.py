"""What a question says beside its words: years, places, several parts, filler, names misspelt. Rules, no model.

Everything that was understood is a `Reading`, shown with the result; a user undoes it all by asking literally.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from index.names import Names
from index.segment import fold_script, is_han, normalise

ReadingKind = Literal["filler", "name", "year", "latest", "target", "place", "split"]
_MOST_PARTS = 6
_LONGEST_NAME = 6
_SHORTEST_PINYIN = 5
_SUFFIXES = "区市县园镇"
_LATIN = re.compile(r"(?<![A-Za-z])[A-Za-z]+(?![A-Za-z])")
_NEXT = re.compile(r"[\s'’-]")


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that was understood: `surface` as the question has it, `value` as it was taken."""

    kind: ReadingKind
    surface: str
    value: str

    @property
    def message(self) -> str:
        """One Chinese line for the user."""
        return _MESSAGES[self.kind].format(surface=self.surface, value=self.value)


_MESSAGES = {
    "filler": "略去“{surface}”",
    "name": "“{surface}”当作“{value}”",
    "year": "“{surface}”：优先 {value} 年的报告",
    "latest": "“{surface}”：优先最新（{value} 年）的报告",
    "target": "“{surface}”是目标年份，不限定报告",
    "place": "优先讲{value}的段落",
    "split": "分成几问分别查：{value}",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one search looks for. `years` and `places` are preferred; `year` and `place`, where given, are required."""

    text: str
    years: tuple[int, ...] = ()
    places: tuple[str, ...] = ()
    year: int | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A question as understood: one part, or several whose hits are taken in turn."""

    text: str
    parts: tuple[Part, ...]
    readings: tuple[Reading, ...] = ()

    @classmethod
    def literal(cls, text: str) -> Query:
        """The question taken by its words alone."""
        return cls(text, (Part(text),))


_POLITE = r"请问|请教一下|请教|麻烦问一下|麻烦您|麻烦|劳驾|您好|你好|想问一下|想问问|想问|想请问|问一下|帮我查一下|帮我查查|帮我查|帮忙查一下|帮忙看看"
_WANT = r"我想知道|想知道|我想了解一下|我想了解|想了解一下|想了解|我想问|有没有人知道|有谁知道|谁知道|能不能告诉我|能告诉我|可以告诉我|告诉我"
_FILLER = re.compile(rf"^(?:[\s，,。！!：:~～]*(?:{_POLITE}|{_WANT}|那个|话说|嗯+|呃+))+(?:一下|下)?[\s，,。：:]*")
_TAIL = re.compile(r"(?:呀|啊|呢|吧|哈|啦|喔|哦|嘛|谢谢|谢谢您|谢啦)+(?=[\s？?。！!~～]*$)")

_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)\s*年?\s*(?:[-–—~～至到]+\s*((?:19|20)?\d\d)\s*年?)?(?!\d)")
_SHORT_YEAR = re.compile(r"(?<![\d.—–~～至到了过近约满达共长第-])([12]\d)\s*年(?!内|间|来|以上|左右|的历史)")
_TARGET = re.compile(r"(?:到|至|截至|截止|力争|争取|不晚于|by|until)\s*(?:了\s*)?$")
_PLANS = {"十二五": (2011, 2015), "十三五": (2016, 2020), "十四五": (2021, 2025), "十五五": (2026, 2030)}
_PLAN_PERIOD = re.compile(r"(十[二三四五]五)[”\"’'』」]?\s*(?:期间|时期|以来)")
_LATEST = re.compile(r"最新(?:一期|一份|一年|的报告|报告)?|最近一(?:期|份|年)|今年|去年|前年")
_AGO = {"今年": 0, "去年": 1, "前年": 2}
_OVER_YEARS = re.compile(
    r"历年(?:来)?|这(?:几|些)年(?:来)?|近(?:几|些)年(?:来)?|前后(?:几|两|三|四|五|多)?(?:份|次|年|期)(?:的)?(?:报告)?|(?:几|各|每|多|不同)(?:份|期)(?:的)?报告|"
    r"(?:各|不同|哪几)年(?:份)?(?:的)?(?:报告)?|逐年|先后(?:几|两|三)?(?:份|期)?(?:报告)?"
)
_JOINERS = r"(?:以及|还有|对比|相比|比起|和|与|跟|及|、|，|,|;|；|/|vs\.?|and|还是|同|比|或者|或|or|to|with)"
_BETWEEN = re.compile(rf"^\s*(?:{_JOINERS}\s*)+$", re.IGNORECASE)


def understand(question: str, names: Names, reported: Callable[[Sequence[str]], Sequence[int]], today: int) -> Query:
    """Read a question against the corpus's names.

    `reported(places)` gives the years of the reports that speak of all the places, rising; `today` is this year.
    """
    text, readings = _strip(question)
    text, found = _correct(text, names)
    places = _places(text, names)
    named = tuple(dict.fromkeys(place.value for place in places))
    years, years_read = _years(text, reported(()), reported(named), today)
    readings += [*found, *years_read, *(Reading("place", name, name) for name in named)]
    whole = Part(text, years=tuple(dict.fromkeys(year for span in years for year in span.years)), places=named)
    parts = _split_places(text, places, whole) or _split_years(text, years, whole, reported)
    if len(parts) < 2:
        return Query(question, (whole,), tuple(readings))
    readings.append(Reading("split", question, "；".join(_part_name(part) for part in parts)))
    return Query(question, (*parts, whole), tuple(readings))


def _strip(question: str) -> tuple[str, list[Reading]]:
    """The question without politeness at its ends; never nothing."""
    readings = []
    text = question
    for pattern in (_FILLER, _TAIL):
        match = pattern.search(text)
        rest = text[: match.start()] + text[match.end() :] if match else ""
        if match and len(normalise(rest).strip("？?。！! ")) > 1:
            readings.append(Reading("filler", match.group().strip(), ""))
            text = rest
    return text, readings


def _correct(text: str, names: Names) -> tuple[str, list[Reading]]:
    """Names in pinyin, or with a wrong character of the same sound, in their own characters."""
    readings: list[Reading] = []

    words = list(_LATIN.finditer(text))
    pieces: list[tuple[int, int, str]] = []
    n = 0
    while n < len(words):
        size, name = _spelt(text, words[n : n + _LONGEST_NAME], names)
        if name is not None:
            pieces.append((words[n].start(), words[n + size - 1].end(), name))
        n += size
    for start, end, name in reversed(pieces):
        readings.insert(0, Reading("name", text[start:end], name))
        text = text[:start] + name + text[end:]
    for length in range(_LONGEST_NAME, 2, -1):
        start = 0
        while start + length <= len(text):
            piece = normalise(text[start : start + length])
            name = _same_sound(piece, names) if len(piece) == length and is_han(piece) else None
            if name is not None:
                readings.append(Reading("name", piece, name))
                text = text[:start] + name + text[start + length :]
            start += 1
    return text, readings


def _spelt(text: str, words: Sequence[re.Match[str]], names: Names) -> tuple[int, str | None]:
    """How many of `words`, from the first, spell a name in pinyin, as many as can, and the name; (1, None) if none."""
    for size in range(len(words), 0, -1):
        between = (text[a.end() : b.start()] for a, b in pairwise(words[:size]))
        letters = "".join(word.group() for word in words[:size]).lower()
        if len(letters) >= _SHORTEST_PINYIN and all(_NEXT.fullmatch(gap) for gap in between):
            name = names.sounds.get(letters)
            if name is not None:
                return size, name
    return 1, None


def _same_sound(piece: str, names: Names) -> str | None:
    """The name of at least three characters that differs from `piece` in one character, of the same sound."""
    if piece in names.places or len(piece) < 3:
        return None
    sounds = [names.readings.get(c, "?") for c in piece]
    name = names.sounds.get("".join(sounds))
    if name is None or len(name) != len(piece) or sum(a != b for a, b in zip(name, piece, strict=True)) != 1:
        return None
    # 宝山去年 is no 宝山区年: what follows a short name may be any word.
    return None if name[-1] in _SUFFIXES and piece[:-1] == name[:-1] else name


@dataclass(frozen=True, slots=True)
class _Years:
    """The reports' years that `text[start:end]` asks for."""

    start: int
    end: int
    years: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """`text[start:end]` names a place; `value` is its short name."""

    start: int
    end: int
    value: str


def _years(text: str, reported: Sequence[int], here: Sequence[int], today: int) -> tuple[list[_Years], list[Reading]]:
    """`reported` are the years of all reports, `here` of those that speak of the places asked for."""
    found: list[_Years] = []
    readings: list[Reading] = []

    def take(match: re.Match[str], first: int, last: int) -> None:
        known = tuple(year for year in reported if first <= year <= last)
        if known:
            found.append(_Years(match.start(), match.end(), known))
            readings.append(Reading("year", match.group().strip(), "、".join(map(str, known))))

    for match in _YEAR.finditer(text):
        first = int(match.group(1))
        last = int(match.group(1)[: -len(match.group(2))] + match.group(2)) if match.group(2) else first
        if _TARGET.search(text[: match.start()]) or not reported or first > reported[-1]:
            readings.append(Reading("target", match.group().strip(), str(last)))
        else:
            take(match, first, last)
    for match in _SHORT_YEAR.finditer(text):
        if not _TARGET.search(text[: match.start()]):
            take(match, 2000 + int(match.group(1)), 2000 + int(match.group(1)))
    for match in _PLAN_PERIOD.finditer(text):
        take(match, *_PLANS[match.group(1)])
    latest = None if found or not here else _LATEST.search(text)
    if latest and latest.group() in _AGO:
        take(latest, today - _AGO[latest.group()], today - _AGO[latest.group()])
    elif latest:
        found.append(_Years(latest.start(), latest.end(), (here[-1],)))
        readings.append(Reading("latest", latest.group(), str(here[-1])))
    return found, readings


def _places(text: str, names: Names) -> list[_Place]:
    """The places that the text names, in its order."""
    forms = {form: short for short, longer in names.places.items() for form in (short, *longer)}
    folded = fold_script(text)
    if len(folded) != len(text):  # offsets would be wrong
        folded = text
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    found = re.finditer(pattern, folded) if forms else ()
    return [_Place(match.start(), match.end(), forms[match.group()]) for match in found]


def _split_places(text: str, places: Sequence[_Place], whole: Part) -> list[Part]:
    """One part a place, where the text lists several: 徐汇和长宁."""
    pairs = pairwise(places)
    joined = [(a, b) for a, b in pairs if a.value != b.value and _BETWEEN.match(text[a.end : b.start])]
    named = list(dict.fromkeys(place.value for pair in joined for place in pair))
    if len(named) > _MOST_PARTS:
        return []
    return [Part(_without(text, places, name), whole.years, (name,), place=name) for name in named]


def _split_years(
    text: str, years: Sequence[_Years], whole: Part, reported: Callable[[Sequence[str]], Sequence[int]]
) -> list[Part]:
    """One part a year, where the text lists several or asks for them all: 2015年和2022年, 历年, 前后几份报告."""
    place = whole.places[0] if len(whole.places) == 1 else None
    over = _OVER_YEARS.search(text)
    if len(years) > 1:
        asked, rest = [year for span in years for year in span.years], _without(text, years)
    elif over and not years:
        asked, rest = list(reported(whole.places)), text[: over.start()] + text[over.end() :]
    else:
        return []
    asked = list(dict.fromkeys(asked))[-_MOST_PARTS:]
    return [Part(rest if len(rest) > 1 else text, (year,), whole.places, year, place) for year in asked]


def _without(text: str, spans: Sequence[_Years] | Sequence[_Place], kept: str | None = None) -> str:
    """The text without the spans, those of the place `kept` excepted, and without what joined them."""
    ordered: list[_Years | _Place] = sorted(spans, key=lambda span: span.start)
    cut: list[tuple[int, int]] = []
    is_first = True
    for n, span in enumerate(ordered):
        if isinstance(span, _Place) and span.value == kept:
            is_first = False
            continue
        start, end = span.start, span.end
        if n and _BETWEEN.match(text[ordered[n - 1].end : start]):
            start = ordered[n - 1].end
        if is_first and n + 1 < len(ordered) and _BETWEEN.match(text[end : ordered[n + 1].start]):
            end = ordered[n + 1].start
        cut.append((max(start, cut[-1][1] if cut else 0), end))
    for start, end in reversed(cut):
        text = text[:start] + text[end:]
    return text


def _part_name(part: Part) -> str:
    return part.place if part.place and not part.year else f"{part.year} 年"
