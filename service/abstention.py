"""Why there is no answer: said as exactly as the evidence allows."""

from __future__ import annotations

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
