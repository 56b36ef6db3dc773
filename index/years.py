"""The years that a question asks for: 2022年, 2015年至今, 去年, 十四五期间; and target years, which no report has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# Without 年, a number counts only where nothing is counted: 2024家 is no year.
_YEAR = re.compile(
    r"(?<![\d.A-Za-z])((?:19|20)\d\d)(?:\s*年|(?!\d|\.\d|\s*[家个项名万亿元人件条座所位次台套平米公里%％]))"
    r"(?:\s*[-–—~～至到]+\s*((?:19|20)\d\d)(?:\s*年)?(?!\d)|\s*[-–—~～至到]+\s*(\d\d)\s*年|\s*(以来|至今|起))?"
)
_SHORT_YEARS = re.compile(r"(?<![\d.])([12]\d)\s*年?\s*[-–—~～至到]+\s*([12]\d)\s*年(?!内|间)")
_SHORT_YEAR = re.compile(
    r"(?<![\d.—–~～至到了过近约满达共长第历时经-])(?<!成立)(?<!建设)(?<!为期)([12]\d)\s*年"
    r"(?!内|间|来|以上|左右|前|后|期|规划|的?(?:历史|成果|历程|发展|建设))"
)
_TARGET = re.compile(r"(?<![提谈说讲想得])(?<!一直)(?:到|至|截至|截止|力争|争取|不晚于|by|until)\s*了?\s*$")
_PLANS = {"十二五": (2011, 2015), "十三五": (2016, 2020), "十四五": (2021, 2025), "十五五": (2026, 2030)}
_PLAN_PERIOD = re.compile(
    r"(十[二三四五]五)(?=[”\"’'』」]?(?:[和与、及]?[“\"]?十[二三四五]五[”\"]?)*\s*(?:期间|时期|以来))"
)
# A plan by its name: the year of the report that is it.
_PLAN = re.compile(r"[“\"「『]?(十[二三四五六]五)[”\"」』]?(?:科技|科创|创新|科技创新)?(?:发展)?规划")
_LATEST = re.compile(r"最新(?:一期|一份|一年|的报告|报告)?|最近一(?:期|份|年)")
_AGO = re.compile(r"(今年|(?<!过)去年(?!均)|(?<![目以此之])前年)")
_YEARS_AGO = {"今年": 0, "去年": 1, "前年": 2}


@dataclass(frozen=True, slots=True)
class AskedYears:
    """The reports' years that `text[start:end]` asks for; none where it is a target. `is_latest`: the newest report."""

    start: int
    end: int
    years: tuple[int, ...]
    is_latest: bool = False


def plan_of(title: str) -> str | None:
    """The name of the plan that a report with this title is: 《宝山区科技创新“十五五”规划》 is 十五五."""
    match = _PLAN.search(title)
    return match.group(1) if match else None


def asked_years(
    text: str, reported: Sequence[int], here: Sequence[int], today: int, plans: Mapping[str, int]
) -> list[AskedYears]:
    """In the text's order. `reported` are the years of all reports, `here` of those that the text is about.

    `plans` are the years of the reports that are a plan, by its name: 十五五.

    What names a year that no report has is left out, unless it lies in the future: that is a target.
    """
    newest = max(reported, default=0)
    found: list[AskedYears] = []
    for match, first, last in _mentions(text, newest, today, plans):
        is_target = _TARGET.search(text[: match.start()]) is not None
        years = () if is_target else tuple(year for year in reported if first <= year <= last)
        apart = all(match.end() <= x.start or x.end <= match.start() for x in found)
        if apart and (years or (first > newest and len(match.group(1)) == 4) or (is_target and match.re is _YEAR)):
            found.append(AskedYears(match.start(), match.end(), years))
    latest = None if any(x.years for x in found) or not here else _LATEST.search(text)
    if latest:
        found.append(AskedYears(latest.start(), latest.end(), (max(here),), is_latest=True))
    return sorted(found, key=lambda x: x.start)


def _mentions(text: str, newest: int, today: int, plans: Mapping[str, int]) -> Iterator[tuple[re.Match[str], int, int]]:
    """Every mention of years with the first and the last of them; group 1 is the first as it is written."""
    for match in _YEAR.finditer(text):
        first = int(match.group(1))
        if match.group(4):
            last = newest
        else:
            last = int(match.group(2) or match.group(1)[:2] + (match.group(3) or match.group(1)[2:]))
        yield match, first, max(first, last)
    for match in _SHORT_YEARS.finditer(text):
        yield match, 2000 + int(match.group(1)), 2000 + int(match.group(2))
    for match in _SHORT_YEAR.finditer(text):
        yield match, 2000 + int(match.group(1)), 2000 + int(match.group(1))
    for match in _PLAN_PERIOD.finditer(text):
        yield match, *_PLANS[match.group(1)]
    for match in _PLAN.finditer(text):
        if match.group(1) in plans:
            yield match, *(plans[match.group(1)],) * 2
    for match in _AGO.finditer(text):
        yield match, *(today - _YEARS_AGO[match.group(1)],) * 2
