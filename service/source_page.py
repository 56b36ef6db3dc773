"""A document as a page to read, with the quoted words marked: HTML without any script. No I/O."""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from corpus.citations import citation_label
from corpus.lines import line_starts
from corpus.types import Span
from index.types import DocumentInfo
from service.errors import KewenError
from service.quoted import Place
from service.render import clean

STYLE = "source.css"

_ODD = re.compile("[\0\r\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CHANGED = "这份报告在引用之后有过改动，标出的位置可能不是当时所引的原文。"


def page(
    document: DocumentInfo, text: str, place: Place | None = None, is_excerpt: bool = False, until: str | None = None
) -> str:
    """The page of a document; of an excerpt, nothing but the windows of its place.

    `until` is given with an earlier text: the day on which a newer one took its place, "" where it isn't known.

    The text within `<main>` is the source's, character by character, but that NUL, which HTML has no way to write,
    is U+FFFD. Line numbers are attributes, so that what is copied is the source alone.
    """
    title = f"《{clean(document.title)}》"
    known = [f"{document.year}年", document.issuer or "", document.series, document.kind]
    windows = place.windows if is_excerpt and place else ((0, len(text)),)
    cited = clean(citation_label(place.citation)) if place else f"{title}（{document.year}）"
    body = [
        f'<header><h1 class="document">{_escaped(title)}</h1>',
        f'<p class="known">{_escaped(" · ".join(clean(x) for x in known if x))}</p></header>',
        *([_old_note(document, until, is_excerpt)] if until is not None else []),
        *_notes(place, is_excerpt),
        f'<div class="cite"><span>出处</span><p title="点一下即全选">{_escaped(cited)}</p></div>',
        "<main>",
        *_windows_html(text, windows, place.citation.spans if place and not place.is_changed else ()),
        "</main>",
    ]
    return _html(f"{title} · 科问", "".join(body))


def error_page(error: KewenError, what: str = "原文") -> str:
    """The same words as the JSON error has, for people who wanted to open `what`."""
    return _html(f"打不开{what} · 科问", f"<header><h1>打不开{what}</h1></header><p>{_escaped(error.message)}</p>")


def _notes(place: Place | None, is_excerpt: bool) -> Iterator[str]:
    """What the reader should know before the text. Where nothing can be marked, the warning is what the link opens."""
    if place and place.is_changed:
        yield f'<p class="changed" id="quote" role="alert">{_CHANGED}</p>'
    if is_excerpt:
        yield '<p class="note">这里只显示所引的段落和它的前后文。</p>'
    elif place and not place.is_changed:
        yield '<p class="note"><a href="#quote">转到所引的原文</a></p>'


def _old_note(document: DocumentInfo, until: str, is_excerpt: bool) -> str:
    """That this is an earlier text, and where the present one is, for who may read it."""
    day = f"（已于 {until} 更新）" if until else ""
    present = "要看现行版本，请重新提问" if is_excerpt else f'<a href="{quote(document.id, safe="")}">看现行版本</a>'
    return f'<p class="changed" role="alert">这是旧版原文{_escaped(day)}；{present}。</p>'


def _windows_html(text: str, windows: Sequence[Span], marks: Sequence[Span]) -> Iterator[str]:
    starts = line_starts(text)
    ends = [end for _, end in marks]
    first = marks[0][0] if marks else -1
    for start, end in windows:
        if start:
            yield _CUT
        yield "<section>"
        number = bisect_right(starts, start)
        while start < end:
            stop = min(starts[number] if number < len(starts) else len(text), end)
            # A mark is cut at the end of each line: a block can't stand in it.
            nearby = marks[bisect_right(ends, start) : bisect_left(marks, (stop, 0))]
            yield _line(text, (start, stop), number, nearby, first)
            start, number = stop, number + 1
        yield "</section>"
    if windows and windows[-1][1] < len(text):
        yield _CUT


_CUT = '<hr title="此处有省略">'


def _line(text: str, span: Span, number: int, marks: Sequence[Span], first: int) -> str:
    """One line of the source with its number; blank lines bear none."""
    start, end = span
    pieces = []
    for left, right in marks:
        left, right = max(left, start), min(right, end)
        pieces.append(_escaped(text[start:left]))
        tag = '<mark id="quote">' if left == first else "<mark>"
        pieces.append(f"{tag}{_escaped(text[left:right])}</mark>")
        start = right
    pieces.append(_escaped(text[start:end]))
    name = f'data-n="{number}"' if text[span[0] : end].strip() else 'class="blank"'
    return f"<div {name}>{''.join(pieces)}</div>"


def _escaped(text: str) -> str:
    """Text as HTML that reads back as the same text."""
    return _ODD.sub(_shown, html.escape(text))


def _shown(match: re.Match[str]) -> str:
    character = match.group()
    if character == "\0":
        return "\ufffd"
    if character == "\r":  # else the parser would read a line feed (WHATWG HTML, 13.2.3.5)
        return "&#13;"
    # Within an element of its own a direction mark turns nothing round but itself (UAX #9, isolates).
    return f'<bdi data-mark="U+{ord(character):04X}">{character}</bdi>'


def _html(title: str, body: str) -> str:
    # The style's address is relative: a proxy may serve all of this under a path of its own.
    return (
        '<!DOCTYPE html><html lang="zh-Hans"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{html.escape(title)}</title>'
        f'<link rel="icon" href="data:,"><link rel="stylesheet" href="../web/{STYLE}"></head>'
        f"<body>{body}</body></html>"
    )
