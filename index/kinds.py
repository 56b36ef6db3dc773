"""What kind of answer a question asks for, and whether a sentence can hold one. Rules on words, Chinese and English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from index.segment import normalise

Kind = Literal[
    "how_many", "rank", "when", "where", "who", "definition", "list", "comparison", "yes_no", "how", "why", "what"
]

_COUNTERS = "家个所项名位座条次场届人台套种类件支批块片款篇门户"
_UNIT = rf"(亿美元|亿元|万元|亿|万|元|平方米|平米|平方公里|公里|亩|吨|年|月|天|倍|成|[{_COUNTERS}%％])?"
_HOW_MANY = re.compile(
    rf"(?:多少|(?<![过这近前])几(?![乎何率]))\s*{_UNIT}|百分之几|几成|占比|比重|比例|多高|多大|多长|多久|多快|how (?:many|much|long|large|often)|"
    r"(?:what|which) (?:share|percentage|number|proportion|rate|year)|percent",
    re.IGNORECASE,
)
_RANK = re.compile(r"第几|排名|排多少|名列|rank", re.IGNORECASE)
_WHEN = re.compile(r"什么时候|何时|哪一?年|几月|几号|哪天|哪一天|啥时候|when\b|what (?:date|year|day)", re.IGNORECASE)
_WHERE = re.compile(
    r"哪里|哪儿|哪个?(?:区|园|地方|街道|镇|城市|板块|片区)|在哪|何处|什么地方|啥地方|地址|where\b|which (?:shanghai )?(?:district|park|place|area|town)",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"谁|哪家|哪个?(?:机构|部门|公司|企业|单位|银行|大学|高校)|\bwho(?:m|se)?\b|which (?:company|bank|firm|body)",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"(?:是|叫|指的?是?)(?:什么|啥)(?:意思|东西|概念|缩写)?[？?]?$|什么是|什么叫|何谓|什么意思|缩写|全称|怎么理解|what (?:is|are|does .* mean)|stand for",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"哪些|哪[二两三四五六七八九十几\d]|有啥|都有谁|列(?:一下|举|出|个)|分别|各是|各自|逐[条一]|几(?:条|方面|大|类|种|个方面)|list\b|what .*s (?:are|were|does|do)\b|which .*(?:s|es) (?:are|were|have|do)\b|name the",
    re.IGNORECASE,
)
_COMPARISON = re.compile(
    r"区别|不一样|不同|相比|对比|比较|变化|哪个更|谁更|compar|differ|versus|\bvs\b|分别.*(?:怎么|如何)|各是?(?:怎么|如何)",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"吗|是否|是不是|有没有|能不能|会不会|可不可以|要不要|想到了|^(?:is|are|was|were|do|does|did|has|have|can|will)\b",
    re.IGNORECASE,
)
_WHY = re.compile(r"为什么|为何|为啥|原因|why\b", re.IGNORECASE)
_HOW = re.compile(r"怎么|怎样|如何|咋|how\b", re.IGNORECASE)
_ORDER: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("comparison", _COMPARISON),
    ("list", _LIST),
    ("when", _WHEN),
    ("rank", _RANK),
    ("how_many", _HOW_MANY),
    ("why", _WHY),
    ("where", _WHERE),
    ("who", _WHO),
    ("definition", _DEFINITION),
    ("how", _HOW),
    ("yes_no", _YES_NO),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; `unit` is what is counted or measured, where a figure is."""

    kind: Kind
    unit: str = ""


def wanted(question: str) -> Wanted:
    """The kind of answer that a question, or one of its clauses, asks for.

    >>> wanted("科普活动一年办多少场？")
    Wanted(kind='how_many', unit='场')
    """
    for kind, pattern in _ORDER:
        match = pattern.search(question)
        if match:
            return Wanted(kind, _unit(question, kind))
    return Wanted("what", _unit(question, "what"))


_MONEY = re.compile(
    r"(?:多少|几个?)钱|要钱|花多少|要不要钱|免费吗|(?:投资额|金额|价格|租金|学费|费用|工资|薪酬?)[^，。？]{0,6}(?:多少|几|多高)|"
    r"(?:多少|几)[^，。？]{0,4}(?:资金|租金|学费|费用|工资)|how much (?:money|does|did|do|is)|\b(?:cost|price|fee)s?\b",
    re.IGNORECASE,
)
_TERM = re.compile(
    r"(?:什么是|什么叫|何谓|啥是|啥叫)(.+)|(.+?)(?:到底|究竟)?(?:是|有)?(?:什么|啥)意思|(.+?)(?:指的?是|是指|指|意味着)(?:什么|啥)|"
    r"(.+?)是(?:什么|啥)(?:的缩写|的简称|概念)|(.+?)的(?:全称|意思)"
)
_PERCENT = re.compile(r"百分之几|几成|占比|比重|比例|利率|percent|proportion|what share|what rate", re.IGNORECASE)
_DAY = re.compile(r"几月|几号|几日|哪天|哪一天|what (?:date|day)", re.IGNORECASE)
_PERSON = re.compile(
    r"董事长|负责人|校长|院长|书记|区长|市长|主任|总经理|创始人|老板|归谁领导|发言人|who (?:is|was|heads?|leads?|runs?|founded)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"地址|几号楼|哪栋|哪幢|哪座楼|哪条路|几楼|几层|哪个场?馆|哪条路|电话|网址|邮箱|address|phone|email", re.IGNORECASE
)


def _unit(question: str, kind: Kind) -> str:
    """What the answer must hold: a counted unit, 元, %, 日, 谁 (a person's title), 因 (a cause) or 址 (an address)."""
    for unit, pattern in (("日", _DAY), ("址", _ADDRESS), ("%", _PERCENT), ("元", _MONEY)):
        if pattern.search(question):
            return unit
    if kind == "how_many":
        for match in _HOW_MANY.finditer(question):
            if match.group(1):
                return {"％": "%"}.get(match.group(1), match.group(1))
    if kind == "why":
        return "因"
    if kind == "definition":
        return _term(question)
    return "谁" if kind in ("who", "what", "list", "where") and _PERSON.search(question) else ""


def _term(question: str) -> str:
    """The term whose meaning is asked for, short and plain; empty where it is none."""
    match = _TERM.match(question)
    whole = next((x for x in match.groups() if x), "") if match else ""
    quoted = _QUOTED.search(whole)
    term = normalise(quoted.group(1) if quoted else whole).strip(" ？?。，,、的：:")
    return term if 1 < len(term) <= _LONGEST_TERM else ""


_QUOTED = re.compile(r"[“\"「『《]([^”\"」』》]+)[”\"」』》]")
_LONGEST_TERM = 12
_NUMBER = r"(?<![\d.,A-Za-z])\d[\d.,]*\s*[余多来几]*\s*[千百万亿]*\s*[余多]*\s*"
_FIGURE = re.compile(r"(?<![\d.A-Za-z])\d[\d.,]*(?![\dA-Za-z])")
_PATTERNS = {
    "元": re.compile(_NUMBER + "(?:美元|欧元|元)"),
    "万": re.compile(r"\d[\d.]*\s*[余多]?\s*[万亿]"),
    "亿": re.compile(r"\d[\d.]*\s*[余多]?\s*[万亿]"),
    "亿元": re.compile(_NUMBER + "(?:美元|元)"),
    "万元": re.compile(_NUMBER + "(?:美元|元)"),
    "%": re.compile(
        _NUMBER + r"%|[百十千万]?分之[一二三四五六七八九十\d]+|[一二三四五六七八九两\d]成(?![为立功员果长绩熟])"
    ),
    "日": re.compile(r"(?<!\d)\d+\s*[日号]"),
    "年": re.compile(r"(?<!\d)\d+\s*年"),
    "rank": re.compile(r"第\s*\d|第[一二三四五六七八九十]|首位|首|位居|居全|排名|前列|唯一"),
    "when": re.compile(r"\d\s*[年月日]|年底|期间|年初|年前"),
    "因": re.compile(r"因|由于|为了?|旨在|以便|从而|面临|原因|不足|不够"),
    "谁": re.compile(r"董事长|负责人|校长|院长|书记|区长|市长|主任|总经理|创始人|院士|教授|先生|女士"),
    "址": re.compile(r"\d\s*[号弄楼层]|[路街]\d|电话|网址|邮箱|@"),
}


def fits(wants: Wanted, text: str) -> float:
    """How well a sentence can hold the answer: 1 yes, 0 no, between where its figures are of another unit."""
    folded = normalise(text)
    if wants.kind == "rank":
        return float(_PATTERNS["rank"].search(text) is not None)
    if wants.unit in _PATTERNS:
        return float(_PATTERNS[wants.unit].search(folded) is not None)
    if wants.kind == "definition":
        return float(wants.unit in folded)
    if wants.kind == "when":
        return float(_PATTERNS["when"].search(folded) is not None)
    if wants.kind != "how_many":
        return 1.0
    return _counted(wants.unit, folded) if _FIGURE.search(folded) else 0.0


def _counted(unit: str, folded: str) -> float:
    if not unit:
        return 1.0
    if re.search(_NUMBER + re.escape(unit), folded):
        return 1.0
    return 0.7 if unit in _COUNTERS and re.search(f"{_NUMBER}[{_COUNTERS}]", folded) else 0.4


def figure_span(wants: Wanted, text: str) -> tuple[int, int] | None:
    """Where the figure asked for stands in a sentence, its unit included."""
    pattern = _PATTERNS.get(wants.unit) or re.compile(_NUMBER + (re.escape(wants.unit) or "%?"))
    # The first cell of a row is its number more often than its figure.
    match = pattern.search(text, text.rfind("\t") + 1)
    return match.span() if match else None


_ASKS = re.compile(
    r"多少|百分之几|几|什么|啥|哪|谁|怎|如何|何|吗|是否|有没有|是不是|能不能|会不会|呢|why|how|what|which|who|where|when",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"[？?；;！!。]+|(?<!\d)[，,]|[，,](?!\d)|(?:\band\b|\bor\b)(?= (?:what|which|who|how|where|when))", re.IGNORECASE
)
_FOCUS = 9


def sub_questions(question: str) -> list[str]:
    """The clauses that each ask something, where several do: 有几家，占多少？ — else none.

    >>> sub_questions("宝山有多少家孵化载体，数量在上海排第几？")
    ['宝山有多少家孵化载体', '数量在上海排第几']
    """
    clauses = [clause.strip() for clause in _CLAUSES.split(question) if clause.strip()]
    asking = [clause for clause in clauses if _ASKS.search(clause)]
    return asking if len(asking) > 1 else []


def focus(question: str) -> str:
    """The words about the word that asks, within its clause: what is asked of the thing that is asked about.

    >>> focus("松江2025年成立的仪创港公司，董事长是谁？")
    '董事长是 '
    """
    asks = [match for match in _ASKS.finditer(question) if match.group() not in ("吗", "呢")]
    if not asks:
        return question
    start, end = asks[0].span()
    before = _CLAUSES.split(question[max(0, start - _FOCUS) : start])[-1]
    after = _CLAUSES.split(question[end : end + _FOCUS])[0]
    return f"{before} {after}" if (before + after).strip() else question
