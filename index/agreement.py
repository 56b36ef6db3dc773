"""Whether a passage is of the year, the place and the names that a question speaks of. Rules, no model."""

from __future__ import annotations

import re

from index.query import Part
from index.segment import normalise

_YEAR = re.compile(r"(?<![\d.])((?:19|20)\d\d)\s*年")
_PLAN = re.compile(r"十[二三四五]五")
# Where people ask about that these reports are not of; one that is named must stand in the passage.
_ELSEWHERE = re.compile(
    "北京|天津|重庆|深圳|广州|南京|苏州|无锡|常州|南通|杭州|宁波|嘉兴|温州|合肥|武汉|成都|西安|长沙|郑州|济南|青岛|厦门|福州|大连|沈阳|哈尔滨|长春|"
    "昆明|贵阳|南宁|海南|海口|东莞|佛山|珠海|香港|澳门|台湾|台北|广东|江苏|浙江|安徽|山东|河南|四川|湖北|湖南|福建|河北|山西|陕西|"
    "新加坡|东京|首尔|伦敦|纽约|巴黎|硅谷(?!”)|日本|韩国|德国|英国|法国|印度|美国|以色列|Beijing|Shenzhen|Hangzhou|Suzhou|Singapore"
)
_NAME = re.compile(
    r"[“「『《]([^”」』》]{2,20})[”」』》]|(?<![A-Za-z])([A-Z][A-Za-z0-9]+(?:[ -][A-Z][A-Za-z0-9]+)*)(?![A-Za-z])"
)
# Words that questions begin with, in capitals too.
_BEGINNING = re.compile(
    r"(?:how|what|which|who|whose|where|when|why|is|are|was|were|do|does|did|ha[sd]|have|can|could|will|would|should|the|an?|in|at|"
    r"on|of|for|we|i|our|list|name|tell|please|and|or)",
    re.IGNORECASE,
)
_HALF, _NO = 0.5, 0.0


def agreement(part: Part, reported: int, places: frozenset[str], read: str) -> tuple[float, float, bool]:
    """How far a passage is of the year and of the place asked for, 0 to 1 (one half where it may be), and whether the
    question is of somewhere or some time else: a place that is none of the corpus's, or a past year that no report
    has, and the passage does not speak of it.

    `reported` is the year of its report, `places` those it names, `read` its text with what stands above it.
    """
    year = place = 1.0
    others = [int(x) for x in _YEAR.findall(part.text)]
    if part.years and reported not in (*part.years, *others) and not any(x in read for x in _PLAN.findall(part.text)):
        year = _HALF if any(_stands(x, read) for x in part.years) else _NO
    unsaid = [x for x in others if x not in (*part.years, reported) and not _stands(x, read)]
    if unsaid:
        year = min(year, _HALF if min(unsaid) > reported else _NO)
    if part.places and not places.issuperset(part.places):
        place = _HALF if not places or places.intersection(part.places) else _NO
    is_abroad = any(x not in read for x in _ELSEWHERE.findall(part.text))
    return year, _NO if is_abroad else place, is_abroad or any(x < reported for x in unsaid)


def names_in(question: str) -> list[str]:
    """The names in a question: what stands in quotation marks, and words in Latin capitals that begin no question."""
    found = [x for groups in _NAME.findall(question) for x in groups if x]
    return [x for x in dict.fromkeys(found) if not _BEGINNING.fullmatch(x)]


def names_held(question: str, read: str) -> float:
    """The share of the question's names that a text holds; 1 where it has none, or is in English: 宝山 is no Baoshan."""
    names = names_in(question) if any("一" <= c <= "鿿" for c in question) else []
    folded = normalise(read)
    return sum(normalise(x) in folded for x in names) / len(names) if names else 1.0


def _stands(year: int, read: str) -> bool:
    return re.search(rf"(?<!\d){year}\s*(?:年|[-—–~～至])", read) is not None
