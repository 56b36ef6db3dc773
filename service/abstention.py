"""Why there is no answer: said as exactly as the evidence allows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.agreement import names_in
from index.evidence import Candidate, Evidence
from index.kinds import Wanted
from index.query import Part
from index.segment import normalise
from index.types import Hit
from service.answers import Reason

_UNSAID = {"谁": "人名或职务", "因": "原因", "日": "日期", "址": "地址或联系方式", "元": "金额", "%": "百分比"}
_MOST_TERMS = 3


_SMALL_TALK = re.compile(
    r"(?:(?:你|您|大家)?好[呀啊吗]?|(?:早上|上午|中午|下午|晚上)好|早安?|晚安|哈喽|嗨|在[吗么]|多?谢+(?:[你您]|啦|了)?|感谢(?:[你您])?|辛苦[了啦]?|"
    r"不客气|好[的了吧嘞]?|行[的了吧]?|嗯+|哦+|收到|明白[了啦]?|知道[了啦]?|再见|拜拜|测试(?:一下)?|你是谁[呀啊]?|你叫什么(?:名字)?|你能(?:做|干)(?:什么|啥|嘛)|"
    r"hi|hello|hey|thanks?(?: you)?|thx|ok(?:ay)?|bye|test|help|who are you)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[\s,，。.!！?？~～、…]+")


def is_small_talk(question: str) -> bool:
    """Whether nothing is asked: greetings, thanks and the like alone.

    >>> is_small_talk("好的，谢谢！"), is_small_talk("谢谢你，那徐汇呢？")
    (True, False)
    """
    words = [x for x in _BETWEEN.split(question) if x]
    return bool(words) and all(_SMALL_TALK.fullmatch(x) for x in words)


def small_talk() -> Reason:
    """What to say where nothing is asked."""
    return Reason("not_covered", "这不像是对报告的提问。请写出要查的内容，如“宝山区有多少家生物医药企业？”")


def no_passage() -> Reason:
    """Nothing was found at all."""
    return Reason("no_passage", "没有找到相关的段落。可以换一种说法，或放宽年份与报告的限制。")


def reason(part: Part, evidence: Evidence, best: Candidate, hits: Sequence[Hit]) -> Reason:
    """Why the hits hold no answer: none of this place and year; no such figure; not what is asked."""
    where = "、".join([*part.places, *(f"{year} 年" for year in part.years)])
    if best.elsewhere:
        return Reason("no_place_year", "相近的段落说的不是所问的地方或年份。")
    if where and not (best.year and best.place):
        return Reason("no_place_year", f"没有关于{where}的段落说到这件事。")
    if best.fits < 0.5 and evidence.wants.kind != "definition":
        return Reason("no_figure", f"有相近的段落，但其中没有所问的{_unsaid(evidence.wants)}。")
    missing = _missing(part.text, hits)
    about = "、".join(f"“{term}”" for term in missing) if missing else "所问的内容"
    return Reason("not_covered", f"有相近的段落，但没有说到{about}。")


def _unsaid(wants: Wanted) -> str:
    if wants.unit in _UNSAID:
        return _UNSAID[wants.unit]
    return "时间" if wants.kind == "when" else "数字"


def _missing(question: str, hits: Sequence[Hit]) -> list[str]:
    """The names in the question, quoted or in Latin letters, that stand in none of the hits."""
    read = normalise("\n".join("\n".join([*x.passage.section, x.passage.text, x.citation.title]) for x in hits))
    return [x for x in names_in(question) if normalise(x) not in read][:_MOST_TERMS]
