"""What a question says beside its words: years, places, several parts, filler, names misspelt. Rules, no model.

Everything that was understood is a `Reading`, shown with the result; a user undoes one by its id, or all by asking
literally.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from index.names import Names
from index.spelling import corrected, plain, without_filler
from index.years import AskedYears, asked_years

ReadingKind = Literal["filler", "name", "year", "latest", "target", "place", "split"]
_MOST_PARTS = 5
NO_PLANS: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that was understood: `surface` as the question has it, `value` as it was taken."""

    kind: ReadingKind
    surface: str
    value: str

    @property
    def id(self) -> str:
        """Names it among the readings of its question, however many of the others are undone."""
        return _id(self.kind, self.surface)

    @property
    def message(self) -> str:
        """One Chinese line for the user."""
        return _MESSAGES[self.kind].format(surface=self.surface.replace("“", "").replace("”", ""), value=self.value)


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


_OVER_YEARS = re.compile(
    r"历年(?:来)?|这(?:几|些)年(?:来)?|近(?:几|些)年(?:来)?|前后(?:几|两|三|四|五|多)?(?:份|次|年|期)的?(?:报告)?|(?:几|各|每|多|不同)(?:份|期)的?报告|"
    r"(?:各|不同)年(?![龄级代轻])份?的?(?:报告)?|先后(?:几|两|三)?(?:份|期)?(?:报告)?"
)
# What holds the letters of a place and names none.
_NO_PLACE = re.compile(r"黄浦江|金山银山|增长宁")
_JOINERS = r"(?:以及|还有|对比|相比|比起|和|与|跟|及|、|，|,|;|；|/|vs\.?|and|还是|同|比|或者|或|or|to|with)"
_BETWEEN = re.compile(rf"^\s*(?:{_JOINERS}\s*)+$", re.IGNORECASE)
_JOINED_AFTER = re.compile(r"\s*(?:和|与|跟|及|、|and)\s*", re.IGNORECASE)
_JOINED_BEFORE = re.compile(r"(?:和|与|跟|及|、|\band)\s*$", re.IGNORECASE)


def understand(
    question: str,
    names: Names,
    reported: Callable[[Sequence[str]], Sequence[int]],
    today: int,
    plans: Mapping[str, int] = NO_PLANS,
    ignored: Collection[str] = frozenset(),
) -> Query:
    """Read a question against the corpus's names.

    `reported(places)` gives the years of the reports that speak of all the places, rising; `today` is this year;
    `plans` are the years of the reports that are a plan, by its name; `ignored` are readings to leave aside, each by its
    id or its surface: their words stay in the text and mean no more than other words.
    """

    def is_ignored(kind: ReadingKind, surface: str = "") -> bool:
        return _id(kind, surface) in ignored or (surface != "" and surface in ignored)

    text, left_out = without_filler(plain(question), lambda x: is_ignored("filler", x))
    text, changed = corrected(text, names, lambda x: is_ignored("name", x))
    places = _places(text, names)
    kept = [place for place in places if is_ignored("place", place.value)]
    named = tuple(dict.fromkeys(place.value for place in places if place not in kept))
    years = asked_years(text, reported(()), reported(named), today, plans)
    left = [span for span in years if is_ignored((x := _year_reading(text, span)).kind, x.surface)]
    asked = tuple(dict.fromkeys(year for span in years if span not in left for year in span.years))
    whole = Part(text, asked, () if _names_others(text, places) else named)
    readings = [Reading("filler", x, "") for x in left_out] + [Reading("name", was, name) for was, name in changed]
    readings += [_year_reading(text, span) for span in years if span not in left]
    readings += [Reading("place", x, x) for x in whole.places]
    years = [span for span in years if span.years]
    parts: list[Part] = []
    if not is_ignored("split"):
        parts = _split_places(text, places, kept, whole) or _split_years(text, years, left, whole, reported)
    if len(parts) > 1:
        readings.append(Reading("split", question, "；".join(map(_part_name, parts))))
        parts = [*parts, whole]
    else:
        parts = [whole]
    return Query(question, tuple(parts), tuple(dict.fromkeys(readings)))


def _id(kind: ReadingKind, surface: str = "") -> str:
    """A question is split once, and its words may be another model's: `split` alone says enough."""
    return kind if kind == "split" else f"{kind}:{surface}"


def _year_reading(text: str, span: AskedYears) -> Reading:
    surface = text[span.start : span.end].strip()
    if not span.years:
        return Reading("target", surface, surface)
    return Reading("latest" if span.is_latest else "year", surface, "、".join(map(str, span.years)))


@dataclass(frozen=True, slots=True)
class _Place:
    """`text[start:end]` names a place; `value` is its short name."""

    start: int
    end: int
    value: str


_Span = AskedYears | _Place


def _places(text: str, names: Names) -> list[_Place]:
    """The places that the text names, in its order; of names that touch (张江宝山园) the last one, over both."""
    forms = {form: short for short, longer in names.places.items() for form in (short, *longer)}
    if not forms:
        return []
    others = [match.span() for match in _NO_PLACE.finditer(text)]
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    found: list[_Place] = []
    for match in re.finditer(pattern, text):
        if any(start < match.end() and match.start() < end for start, end in others):
            continue
        start = match.start()
        if found and found[-1].end == start:
            start = found.pop().start
        found.append(_Place(start, match.end(), forms[match.group()]))
    return found


def named_places(text: str, names: Names) -> frozenset[str]:
    """The short names of all places that a text names."""
    return frozenset(place.value for place in _places(text, names))


def _names_others(text: str, places: Sequence[_Place]) -> bool:
    """Whether the text lists a place together with a name that is none here: 张江和临港. Then none is preferred."""
    known = {offset for place in places for offset in range(place.start, place.end)}
    for place in places:
        after = _JOINED_AFTER.match(text, place.end)
        before = _JOINED_BEFORE.search(text[: place.start])
        if (after and after.end() not in known and after.end() < len(text)) or (
            before and before.start() - 1 not in known and before.start() > 0
        ):
            return True
    return False


def _split_places(text: str, places: Sequence[_Place], kept: Sequence[_Place], whole: Part) -> list[Part]:
    """One part a place, where the text lists several: 徐汇和长宁. Those `kept` stay words of each."""
    pairs = pairwise(places)
    joined = [(a, b) for a, b in pairs if a.value != b.value and _BETWEEN.match(text[a.end : b.start])]
    named = list(dict.fromkeys(place.value for pair in joined for place in pair if place not in kept))
    if not 1 < len(named) <= _MOST_PARTS:
        return []
    own = {name: [*kept, *(place for place in places if place.value == name)] for name in named}
    return [Part(_without(text, places, own[name]), whole.years, (name,), place=name) for name in named]


def _split_years(
    text: str,
    years: Sequence[AskedYears],
    kept: Sequence[AskedYears],
    whole: Part,
    reported: Callable[[Sequence[str]], Sequence[int]],
) -> list[Part]:
    """One part a year, where the text lists several or asks for them all: 2015年和2022年, 历年, 前后几份报告.

    Those `kept` stay words of each.
    """
    place = whole.places[0] if len(whole.places) == 1 else None
    over = _OVER_YEARS.search(text)
    listed = [span for span in years if span not in kept]
    if len(listed) > 1:
        asked, rest = [year for span in listed for year in span.years], _without(text, years, kept)
    elif over and not listed:
        asked, rest = list(reported(whole.places)), text[: over.start()] + text[over.end() :]
    else:
        return []
    asked = list(dict.fromkeys(asked))[-_MOST_PARTS:]
    return [Part(rest if len(rest.strip()) > 1 else text, (year,), whole.places, year, place) for year in asked]


def _without(text: str, spans: Sequence[_Span], kept: Sequence[_Span] = ()) -> str:
    """The text without the spans, those that are `kept` excepted, and without what joined them."""
    ordered = sorted(spans, key=lambda span: span.start)
    cut: list[tuple[int, int]] = []
    is_first = True
    for n, span in enumerate(ordered):
        if span in kept:
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
