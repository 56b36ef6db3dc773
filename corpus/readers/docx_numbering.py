"""Automatic numbers as Word shows them: `一、`, `（一）`, `第1章`, `1.2`. They stand nowhere in the text itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from corpus.readers.docx_package import Element, W, is_on, number, value

BULLET = "•"
_LEVELS = 9
_DIGITS = "零一二三四五六七八九"
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_LEGAL = str.maketrans("零一二三四五六七八九十百千万", "零壹贰叁肆伍陆柒捌玖拾佰仟万")
_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    )
)
_ENCLOSED = {
    "decimalEnclosedCircle": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳㉑㉒㉓㉔㉕㉖㉗㉘㉙㉚㉛㉜㉝㉞㉟㊱㊲㊳㊴㊵㊶㊷㊸㊹㊺㊻㊼㊽㊾㊿",
    "decimalEnclosedParen": "⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽⑾⑿⒀⒁⒂⒃⒄⒅⒆⒇",
    "decimalEnclosedFullstop": "⒈⒉⒊⒋⒌⒍⒎⒏⒐⒑⒒⒓⒔⒕⒖⒗⒘⒙⒚⒛",
    "ideographEnclosedCircle": "㊀㊁㊂㊃㊄㊅㊆㊇㊈㊉",
    "ideographTraditional": _STEMS,
    "ideographZodiac": _BRANCHES,
}
_ENCLOSED["decimalEnclosedCircleChinese"] = _ENCLOSED["decimalEnclosedCircle"]
_COUNTING = re.compile("(?:chinese|taiwanese|japanese)Counting(?:Thousand)?")
_LEGALS = ("chineseLegalSimplified", "ideographLegalTraditional", "japaneseLegal")
_SPELT = ("ideographDigital", "japaneseDigitalTenThousand", "taiwaneseDigital", "koreanDigital2")
_NO_SPACE = "、，。．：）)】》"


def chinese(n: int) -> str:
    """A number from 0 to 99,999,999 as it is counted in Chinese.

    >>> [chinese(n) for n in (7, 10, 12, 20, 105, 110, 3040)]
    ['七', '十', '十二', '二十', '一百零五', '一百一十', '三千零四十']
    """
    if n >= 10_000:
        rest = chinese(n % 10_000) if n % 10_000 else ""
        gap = "零" if rest and n % 10_000 < 1000 else ""
        return f"{chinese(n // 10_000)}万{gap}{_tens(rest)}"
    text = ""
    for power, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = n // power % 10
        if digit:
            text += _DIGITS[digit] + unit
        elif text and not text.endswith("零"):
            text += "零"
    text = text.rstrip("零") or "零"
    return text.removeprefix("一") if 10 <= n < 20 else text


def _tens(rest: str) -> str:
    return f"一{rest}" if rest.startswith("十") else rest


def shown(n: int, form: str) -> str:
    """A number in one of Word's forms (`w:numFmt`); one that is not known is shown in digits."""
    if form == "none":
        return ""
    if form in _ENCLOSED:
        signs = _ENCLOSED[form]
        return signs[n - 1] if 0 < n <= len(signs) else str(n)
    if _COUNTING.fullmatch(form):
        return chinese(n)
    if form in _LEGALS:
        return ("一" + chinese(n) if 10 <= n < 20 else chinese(n)).translate(_LEGAL)
    if form in _SPELT:
        return "".join("〇一二三四五六七八九"[int(x)] for x in str(n))
    if form in ("upperRoman", "lowerRoman"):
        return _roman(n) if form == "upperRoman" else _roman(n).lower()
    if form in ("upperLetter", "lowerLetter") and n > 0:
        letter = chr(ord("A") + (n - 1) % 26) * min((n - 1) // 26 + 1, 20)
        return letter if form == "upperLetter" else letter.lower()
    if form == "decimalFullWidth":
        return str(n).translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    return f"{n:02}" if form == "decimalZero" else str(n)


def _roman(n: int) -> str:
    if not 0 < n < 4000:
        return str(n)
    text = ""
    for worth, letters in _ROMAN:
        text += letters * (n // worth)
        n %= worth
    return text


@dataclass(frozen=True, slots=True)
class _Level:
    start: int = 1
    form: str = "decimal"
    text: str = ""
    restart: int | None = None
    """Begins anew behind this level (from 1); None: behind each above it; 0: never."""
    legal: bool = False
    space: bool = True
    style: str | None = None


@dataclass(slots=True)
class _List:
    """One `w:num`: its levels, and which counters it shares with others."""

    abstract: int
    levels: dict[int, _Level]
    overrides: dict[int, int] = field(default_factory=dict)
    used: bool = False


class Numbering:
    """The lists of a document, counting."""

    def __init__(self, root: Element | None) -> None:
        self._lists: dict[int, _List] = {}
        self._counts: dict[int, dict[int, int]] = {}
        self._by_style: dict[str, tuple[int, int]] = {}
        if root is None:
            return
        abstract: dict[int, dict[int, _Level]] = {}
        linked: dict[str, int] = {}
        links: dict[int, str] = {}
        for element in root.iterchildren(f"{W}abstractNum"):
            key = number(element.get(f"{W}abstractNumId")) or 0
            abstract[key] = _levels(element)
            if style := value(element, "styleLink"):
                linked[style] = key
            if style := value(element, "numStyleLink"):
                links[key] = style
        for element in root.iterchildren(f"{W}num"):
            self._add(element, abstract, {a: linked[s] for a, s in links.items() if s in linked})

    def _add(self, element: Element, abstract: dict[int, dict[int, _Level]], links: dict[int, int]) -> None:
        key = number(element.get(f"{W}numId"))
        base = number(value(element, "abstractNumId")) or 0
        base = links.get(base, base)
        if key is None:
            return
        levels = dict(abstract.get(base, {}))
        overrides: dict[int, int] = {}
        for override in element.iterchildren(f"{W}lvlOverride"):
            n = number(override.get(f"{W}ilvl")) or 0
            start = number(value(override, "startOverride"))
            levels |= _levels(override)
            if start is not None:
                overrides[n] = start
        self._lists[key] = _List(base, levels, overrides)
        for n, level in levels.items():
            if level.style:
                self._by_style.setdefault(level.style, (key, n))

    def of_style(self, style: str) -> tuple[int, int] | None:
        """The list and level that a style is tied to by the list's own account."""
        return self._by_style.get(style)

    def next(self, key: int, depth: int) -> tuple[str, bool]:
        """The mark of the next paragraph of list `key` at level `depth` (from 0), and whether it is a bullet."""
        known = self._lists.get(key)
        depth = min(max(depth, 0), _LEVELS - 1)
        level = known.levels.get(depth) if known else None
        if known is None or level is None:
            return "", False
        counts = self._count(known, depth)
        if level.form == "bullet":
            return f"{BULLET} ", True
        text = re.sub(r"%([1-9])", lambda m: self._part(known, counts, int(m.group(1)) - 1, level.legal), level.text)
        text = text.strip()
        if not text:
            return "", False
        return (text if text[-1] in _NO_SPACE or not level.space else f"{text} "), False

    def _count(self, known: _List, depth: int) -> dict[int, int]:
        counts = self._counts.setdefault(known.abstract, {})
        if not known.used:
            known.used = True
            for n, start in known.overrides.items():
                counts[n] = start - 1
        level = known.levels[depth]
        counts[depth] = counts[depth] + 1 if depth in counts else level.start
        for n in [n for n in counts if n > depth]:
            restart = known.levels.get(n, level).restart
            if restart is None or depth < restart:
                del counts[n]
        return counts

    def _part(self, known: _List, counts: dict[int, int], n: int, legal: bool) -> str:
        level = known.levels.get(n, _Level())
        form = "decimal" if legal and level.form != "decimalZero" else level.form
        return shown(counts.get(n, level.start), form) if form != "bullet" else ""


def _levels(element: Element) -> dict[int, _Level]:
    found: dict[int, _Level] = {}
    for level in element.iterchildren(f"{W}lvl"):
        start = number(value(level, "start"))
        text, form = value(level, "lvlText") or "", value(level, "numFmt") or "decimal"
        found[number(level.get(f"{W}ilvl")) or 0] = _Level(
            1 if start is None else start,
            form,
            text,
            number(value(level, "lvlRestart")),
            bool(is_on(level, "isLgl")),
            value(level, "suff") != "nothing",
            value(level, "pStyle"),
        )
    return found
