"""Web pages: the main text of a saved page, without what surrounds it. Nothing is ever fetched.

The main text is chosen by our own rules on libxml2's events. Of the five reports as pages, trafilatura 2.3 lost
footnotes' marks, paragraphs and headings, and gave nothing from 255 nested elements on.
"""

from __future__ import annotations

import re

from corpus.readers.encodings import decode_page
from corpus.readers.flow import Flow, clean
from corpus.readers.html_text import write
from corpus.readers.html_tree import Element, main_text, parse
from corpus.readers.types import ReadError, Reading, ReadOptions
from corpus.types import HTML

SUFFIXES = (".html", ".htm", ".xhtml")
_OPENING = re.compile(rb"(?:<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL)
_SUBSET = re.compile(r"<!DOCTYPE[^>\[]{0,500}\[[^\]]{0,10000}\]\s*>", re.IGNORECASE)
_SITE = re.compile(r"(?:网|网站|政府|委员会|委|局|厅|办|部|院|会|中心|门户|频道|平台|协会|研究所|大学)$")
_DAY = re.compile(r"((?:19|20)\d\d)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")
_DATED = re.compile(r"(?:发布日期|发布时间|发文日期|成文日期|公开日期|^\s*日期|^\s*时间)\s*[：:]?")
_DATES = ("pubdate", "publishdate", "article:published_time", "publish_date", "dc.date", "date")
_LONGEST_TITLE = 200


def accepts(name: str, data: bytes) -> bool:
    """A page says what it is, whatever its name; Markdown may hold tags."""
    lowered = name.lower()
    if lowered.endswith((".md", ".markdown")):
        return False
    return _says_html(data) or (lowered.endswith(SUFFIXES) and not _is_binary(data))


def read(name: str, data: bytes, options: ReadOptions) -> Reading:
    """The page's main text.

    Raises:
        ReadError: `empty`, `decode_error`, `corrupt`, `too_large`.
    """
    text, encoding = decode_page(data)
    root = parse(name, _SUBSET.sub("", clean(text), count=1), options.step)
    known = _metadata(root)
    title, basis = _title(root, known)
    dated = _dated(root, known)
    flow = Flow()
    pictures = write(main_text(root), flow, options.step)
    body = "".join(x.text for x in flow.blocks[:8])
    if title and _fold(title) not in _fold(body):
        first = Flow()
        first.paragraph(title)
        flow.blocks[:0] = first.blocks
    content, marks = flow.text_and_marks()
    if not content.strip():
        raise ReadError(
            "empty", f"{name} 里没有正文（可能由脚本生成，或只有图片）。请在浏览器中打开后另存，或复制正文为文本。"
        )
    notes = ["略去导航、页脚等正文以外的内容"]
    if pictures:
        notes.append(f"略去 {pictures} 张图片")
    return Reading(content, HTML, encoding, marks, (), title, basis, dated, tuple(notes))


def _says_html(data: bytes) -> bool:
    head = data[:4096].lstrip(b"\xef\xbb\xbf")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:8]:
        head = head.replace(b"\0", b"").lstrip(b"\xff\xfe")
    return _OPENING.match(head) is not None


def _is_binary(data: bytes) -> bool:
    return data[:4] in (b"PK\x03\x04", b"\x7fELF", b"%PDF", b"\xd0\xcf\x11\xe0")


def _metadata(root: Element) -> dict[str, str]:
    """`<meta>` by name in small letters, the first of each, and `title`."""
    known: dict[str, str] = {}
    for meta in root.iter("meta"):
        key = (meta.get("name") or meta.get("property") or "").strip().lower()
        value = (meta.get("content") or "").strip()
        if key and value:
            known.setdefault(key, value)
    for element in root.iter("title"):
        known["<title>"] = _one_line("".join(element.itertext()))
        break
    return known


def _title(root: Element, known: dict[str, str]) -> tuple[str | None, str | None]:
    """What the page calls itself, and where it says so."""
    given, page = known.get("articletitle", ""), known.get("<title>", "")
    headlines = [_one_line("".join(x.itertext())) for x in root.iter("h1")]
    headlines = [x for x in headlines if 0 < len(x) <= _LONGEST_TITLE]
    for headline in headlines:
        if _fold(headline) == _fold(given) if given else _fold(page).startswith(_fold(headline)):
            return headline, "网页的 h1"
    if given:
        return _one_line(given)[:_LONGEST_TITLE], "网页的 ArticleTitle"
    own = without_site(page)
    # The only headline may be the site's name, which the page's title ends with.
    if headlines and not (own and own != page and _fold(page).endswith(_fold(headlines[0]))):
        return headlines[0], "网页的 h1"
    return (own[:_LONGEST_TITLE], "网页的 title") if own else (None, None)


def without_site(title: str) -> str:
    """A page's title without the site's name behind it.

    >>> without_site("科技创新规划_科技政策_上海市人民政府")
    '科技创新规划'
    >>> without_site("上海科创中心-新民网")
    '上海科创中心'
    """
    own = re.split(r"\s*[_|｜]\s*", title)[0]
    while match := re.match(r"(.+\S)\s*(?:[-–—]{1,2}|\s[-–—·]\s)\s*([^-–—]{2,30})$", own):
        if not _SITE.search(match.group(2)):
            break
        own = match.group(1)
    return own.strip() or title.strip()


def _dated(root: Element, known: dict[str, str]) -> str | None:
    for name in _DATES:
        day = _day(_DAY.search(known.get(name, "")))
        if day:
            return day
    texts = (str(x) for x in root.itertext() if x.strip())
    for text in texts:
        label = _DATED.search(text)
        if label:
            # The day may stand in an element of its own behind the label.
            day = _day(_DAY.match(text[label.end() :].strip() or next(texts, "").strip()))
            if day:
                return day
    return None


def _day(match: re.Match[str] | None) -> str | None:
    if match is None:
        return None
    year, month, day = (int(x) for x in match.groups())
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 else None


def _fold(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", clean(text)).strip()
