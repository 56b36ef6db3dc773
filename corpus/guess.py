"""What a document probably is: its title, year, series and kind, each with the ground for it.

The texts of reports seldom print the year they report on, so it is inferred from what is likeliest to say it, and the
reader is told from what.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath

from corpus.readers.types import Reading

_LONGEST_TITLE = 100
_FIRST_LINES = 60
_DIGITS = {c: str(n) for n, c in enumerate("〇一二三四五六七八九")} | {"○": "0", "零": "0", "Ｏ": "0", "O": "0"}
_YEAR = re.compile(r"(?<!\d)((?:19[89]|20[0-4])\d)(?!\d)")
_HAN_YEAR = re.compile(r"([二一][〇○零Ｏ九O][〇○零Ｏ一二三四O九八][〇○零Ｏ一二三四五六七八九O])年?")
# A year to come, or the end of a span: it says what is wanted, not what is reported on.
_TARGET = re.compile(r"(?:到|至|[-—–~～])\s*(?:19|20)\d\d|(?:19|20)\d\d\s*年?(?:前|底|末)")
_DATE = re.compile(
    r"[（(]?\s*(?:(\d{4})|([二一][〇○零ＯO九][〇-九○零ＯO一-龥]{2}))\s*年\s*(\d{1,2}|[一二三四五六七八九十]{1,2})\s*月.{0,8}"
)
_KIND = re.compile(
    "规划|实施方案|行动方案|方案|行动计划|计划|白皮书|蓝皮书|年报|年度报告|报告|公报|"
    "条例|办法|细则|意见|通知|公告|纪要|统计"
)
_MARKUP = re.compile(r"^[#>*\s　《]+|[*》\s　]+$")
_COPY = re.compile(r"[\s_\-—]*(?:[（(]\d+[)）]|副本|copy|最终版|定稿|终稿|v\d+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guess:
    """What is known of a document. Each basis is Chinese and says from what; None where the user gave the value."""

    title: str
    title_basis: str | None
    year: int
    year_basis: str | None
    series: str
    kind: str


def guess(file: str, reading: Reading, this_year: int) -> Guess:
    """Title, year, series and kind of what was read from a file of that name."""
    title, title_basis = _title(file, reading)
    year, year_basis = guess_year(file, title, reading, this_year)
    return Guess(title, title_basis, year, year_basis, series_of(title), kind_of(title))


def guess_year(file: str, title: str, reading: Reading, this_year: int) -> tuple[int, str]:
    """The year that a document is of, and the ground for it."""
    for text, basis in ((title, "题名"), (PurePath(file).stem, "文件名")):
        found = _years(text)
        if found:
            return found[0], f"{basis}中有“{found[0]}”"
    head = reading.text[:20_000].splitlines()[:_FIRST_LINES]
    for line in head:
        match = _DATE.fullmatch(line.strip())
        year = match and (_number(match.group(1) or match.group(2)))
        if match and year and year <= this_year + 1:
            return year, f"封面署“{' '.join(line.split())}”"
    counts = Counter(x for x in _years(_TARGET.sub(" ", reading.text)) if x <= this_year + 1)
    if counts:
        year, times = counts.most_common(1)[0]
        return year, f"正文最常述及{year}年（{times}处）"
    if reading.dated:
        return int(reading.dated[:4]), f"文件自记的日期为{reading.dated}"
    return this_year, "看不出年份，暂记加入之年，请用 kewen docs set 更正"


def series_of(title: str) -> str:
    """What reports of several years have in common: the title without its year."""
    plain = re.sub(r"[（(][^（()）]*[)）]", "", title)
    plain = re.sub(r"(?:19|20)\d\d\s*(?:[-—–~～至]\s*(?:19|20)\d\d)?\s*(?:年度|年)?", "", plain)
    return plain.strip(" 　《》-—_·") or title


def kind_of(title: str) -> str:
    """规划, 方案, 年度报告 …: the word of the title that says what it is; the last one where it has several."""
    found = _KIND.findall(re.sub(r"[（(][^（()）]*[)）]|征求意见", "", title)) or _KIND.findall(title)
    return found[-1] if found else "文件"


def clean_name(text: str) -> str:
    """A name as it is shown: one line, without what a terminal or a page would obey, at most 255 bytes."""
    shown = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    shown = "".join(c for c in " ".join(shown.split()) if unicodedata.category(c) != "Cf")
    return shown.encode("utf-8", "replace")[:255].decode("utf-8", "ignore")


def _title(file: str, reading: Reading) -> tuple[str, str]:
    if reading.title and len(_plain(reading.title)) > 1:
        return _plain(reading.title)[:_LONGEST_TITLE], reading.title_basis or "文件自记的题名"
    for line in reading.text[:5_000].splitlines():
        name = _plain(line)
        if len(name) > 3 and len(name) <= 60 and name[-1] not in "。；，,;" and not _DATE.fullmatch(name):
            return name, "正文首行"
        if len(name) > 60:
            break
    return _COPY.sub("", clean_name(PurePath(file).stem)) or "未命名", "文件名"


def _plain(text: str) -> str:
    return clean_name(_MARKUP.sub("", text.strip()))


def _years(text: str) -> list[int]:
    """The years that a text names, in its order."""
    found = [(m.start(), int(m.group(1))) for m in _YEAR.finditer(text)]
    han = ((m.start(), _number(m.group(1))) for m in _HAN_YEAR.finditer(text))
    return [year for _, year in sorted(found + [(start, year) for start, year in han if year])]


def _number(text: str) -> int | None:
    digits = "".join(_DIGITS.get(c, c) for c in text)
    return int(digits) if re.fullmatch(r"(?:19|20)\d\d", digits) else None
