"""A citation in the forms that people paste into their own documents. Pure.

The footnote follows GB/T 7714—2025, in force since 2026-07-01 in the place of GB/T 7714—2015: a report in the numeric
system, `责任者. 题名[R/OL]. 发布日期：引文页码. 获取和访问路径.`

- §7.1.3: where nobody is known to be responsible, the entry begins with its title.
- §7.5.4.3: a year that is only estimated stands in square brackets. The year of a report here is the one that it is
  about; when it was published is not known.
- §7.7: the page of the quote. Where there are no pages it is a place in words, as the standard's own `第1版自序`.
- §7.5 and §8.8: a report needs a date, and neither place nor publisher, so that there is no `[出版地不详]`.
- §7.8 and §8.8: `/OL` and the address, where others can open it. The date of access, which the edition of 2015 wanted,
  is for web pages, data and preprints alone.
- §6, and the standard's own examples: a full stop ends the entry, and ranges have a hyphen.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from corpus.citations import citation_label, range_text, section_text
from corpus.types import Citation
from service.markdown import escaped
from service.settings import LOOPBACK_NAMES

_UNSEEN = re.compile("[\0-\x08\x0e-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What nobody sees, and what turns round the text beside it (UAX #9). What joins an emoji's parts is none of it."""
_BREAKS = re.compile("[\t-\r\x85\u2028\u2029]+")


def plain_text(citation: Citation) -> str:
    """`“quote”（label）`: the quote's own words and lines, without bold marks."""
    return f"“{_readable(citation.quote).strip()}”（{_in_a_line(citation_label(citation))}）"


def footnote(citation: Citation, issuer: str | None, url: str) -> str:
    """An entry by GB/T 7714—2025; `url` stands in it where it leads to more than this machine alone."""
    is_online = urlsplit(url).hostname not in LOOPBACK_NAMES
    parts = [
        _in_a_line(issuer or ""),
        f"{_in_a_line(citation.title)}[{'R/OL' if is_online else 'R'}]",
        f"[{citation.year}]：{_place(citation)}",
        url if is_online else "",
    ]
    return ". ".join(x for x in parts if x) + "."


def markdown(citation: Citation, url: str) -> str:
    """The quote as a block of its own, a paragraph each of its lines; under it the label, which leads to it."""
    lines = [escaped(line.strip()) for line in _readable(citation.quote).splitlines() if line.strip()]
    source = f"—— [{escaped(_in_a_line(citation_label(citation)))}]({url})"
    return "\n>\n".join(f"> {line}" for line in [*lines, source])


def _place(citation: Citation) -> str:
    if citation.pages:
        return range_text(citation.pages, "-")
    section = _in_a_line(section_text(citation.section, citation.restored))
    lines = f"第{range_text(citation.lines, '-')}行"
    return f"{section}，{lines}" if section else lines


def _readable(text: str) -> str:
    return _UNSEEN.sub("", text.replace("**", ""))


def _in_a_line(text: str) -> str:
    return _BREAKS.sub(" ", _readable(text)).strip()
