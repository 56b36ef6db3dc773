"""Chinese numerals → Arabic digits, for matching: 六家 = 6家, 百分之二点五 = 2.5%, 二〇二五年 = 2025年.

Only where a number is counted or measured, so that names keep their words: 三区联动, 十四五, 一体化.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from corpus.types import Span

_DIGITS = {c: str(n) for n, c in enumerate("零一二三四五六七八九")} | {"〇": "0", "两": "2"}
_UNITS = {"十": 10, "百": 100, "千": 1000}
# What a number is followed by where it counts: measure words and units.
_MEASURES = "家个项名位所座条次场届年月日天人元亩米吨台套辆艘架栋幢层支种类款批块片件门户本篇份平公里倍成%余多"
_NUMERAL = "[零〇一二两三四五六七八九十百千]"
_DIGIT = "[零〇一二三四五六七八九]"
# Each pattern begins with one character of a set, by which a text is searched several times as fast. A numeral is taken
# whole; whether something is counted is asked behind it.
_COUNTED = re.compile(rf"({_NUMERAL}{_NUMERAL}*+)((?:点({_DIGIT}+))?(?=[万亿]*(?:[{_MEASURES}]|[万亿])))?")
_PERCENT = re.compile(rf"百分之({_NUMERAL}+)(?:点({_DIGIT}+))?")
_YEAR = re.compile(rf"({_DIGIT}{_DIGIT}{{3}})(?=年)")
_GROUPED = re.compile(r"\d(?<![\d,]\d)\d{0,2}(?:,\d{3})+(?![\d,])")
_ANY = re.compile("[零〇一二两三四五六七八九十]")
# 一 alone is an article more often than a number (一批, 一家), and 零 begins words (零件, 零门槛).
_FIXED = re.compile(r"[一零](?![一二三四五六七八九十百千万亿零点])")


def fold_numbers(text: str) -> str:
    """`text` with its counted numerals as digits.

    >>> fold_numbers("六家企业增长百分之二点五，二〇二五年超过一千二百个，三区联动")
    '6家企业增长2.5%，2025年超过1200个，三区联动'
    """
    for pattern, digits in _steps(text):
        text = pattern.sub(digits, text)
    return text


def fold_numbers_at(text: str, places: Sequence[Span]) -> tuple[str, Sequence[Span]]:
    """As `fold_numbers`, of a text whose character `n` comes from `places[n]`: each digit comes from its whole numeral.

    >>> fold_numbers_at("满二十五家", [(n, n + 1) for n in range(5)])
    ('满25家', [(0, 1), (1, 4), (1, 4), (4, 5)])
    """
    for pattern, digits in _steps(text):
        pieces: list[str] = []
        known: list[Span] = []
        end = 0
        for match in pattern.finditer(text):
            said = digits(match)
            if said != match.group():
                pieces += [text[end : match.start()], said]
                whole = places[match.start()][0], places[match.end() - 1][1]
                known += [*places[end : match.start()], *[whole] * len(said)]
                end = match.end()
        text, places = "".join([*pieces, text[end:]]), [*known, *places[end:]]
    return text, places


def value(numeral: str) -> int | None:
    """The value of a numeral below ten thousand, or None where it is none: 十四五, 一二.

    >>> value("一千零二十"), value("两百"), value("十四五")
    (1020, 200, None)
    """
    total, digit, last = 0, None, 10**4
    for c in numeral:
        if c in "零〇":
            if digit is not None:
                return None
        elif c in _UNITS:
            unit = _UNITS[c]
            if unit >= last or (digit is None and unit != 10):
                return None
            total, digit, last = total + (1 if digit is None else digit) * unit, None, unit
        elif digit is not None:
            return None
        else:
            digit = int(_DIGITS[c])
    return total + (digit or 0)


def _arabic(match: re.Match[str], decimals: str | None, after: str) -> str:
    whole = value(match.group(1))
    if whole is None:
        return match.group()
    fraction = "".join(_DIGITS[c] for c in decimals) if decimals else ""
    return f"{whole}{'.' + fraction if fraction else ''}{after}"


def _ungrouped(match: re.Match[str]) -> str:
    return match.group().replace(",", "")


def _counted(match: re.Match[str]) -> str:
    if match.group(2) is None or _FIXED.match(match.string, match.start()):
        return match.group()
    return _arabic(match, match.group(3), "")


_NUMERALS: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = (
    (_PERCENT, lambda m: _arabic(m, m.group(2), "%")),
    (_YEAR, lambda m: "".join(_DIGITS[c] for c in m.group(1))),
    (_COUNTED, _counted),
)


def _steps(text: str) -> Iterator[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """What is replaced by what, one after the other."""
    yield _GROUPED, _ungrouped
    if _ANY.search(text):
        yield from _NUMERALS
        yield _GROUPED, _ungrouped
