"""The place that a citation's link names: in the present text or, where that has changed since, in an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from corpus.citations import cite_spans
from corpus.types import Citation, Passage, Span, check_spans, merge_spans
from index.types import DocumentInfo
from service.errors import KewenError, echo
from service.links import quote_hash

_MOST_SPANS = 50
_CONTEXT = 300
"""So many characters before and after a passage stand in an excerpt."""
_SPAN = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is quoted. `windows` are the passages there with what surrounds them.

    `is_changed`: what stands there is no longer what was quoted.
    """

    citation: Citation
    windows: tuple[Span, ...]
    is_changed: bool


def find_place(document: DocumentInfo, passages: Sequence[Passage], text: str, at: str, digest: str) -> Place:
    """The place that a link names: `at` as `1203-1498,1511-1544`; `digest` as the link has it, "" for none.

    Raises:
        KewenError: `invalid_request`, where `at` isn't spans of this text, in order and apart.
    """
    spans = _read_spans(at, len(text))
    held = [x for x in passages if any(s < end and start < e for start, end in spans for s, e in x.spans)]
    path, restored = _section(document, held, spans[0][0])
    found = cite_spans(document.id, document.title, document.year, text, spans, document.page_starts)
    lead = held[0].lead if len(held) == 1 else None
    return Place(
        replace(found, section=tuple(path), restored=tuple(restored), lead=lead),
        _windows([*spans, *(span for passage in held for span in passage.spans)], len(text)),
        bool(digest) and digest != quote_hash(found.quote),
    )


def find_quoted(
    document: DocumentInfo, passages: Sequence[Passage], text: str, older: Iterable[str], at: str, digest: str
) -> tuple[str | None, Place]:
    """The place that a link names, and the one of the `older` texts that has it; None for the present text.

    Where none has the quoted words any more it is the place in the present text, `is_changed`.

    Raises:
        KewenError: as `find_place`, where no earlier text has the words either.
    """
    fault: KewenError | None = None
    try:
        place = find_place(document, passages, text, at, digest)
    except KewenError as error:
        fault = error
    else:
        if not place.is_changed:
            return None, place
    if digest:
        with suppress(OSError):  # it is being removed
            earlier = _find_earlier(document, older, at, digest)
            if earlier:
                return earlier
    if fault:
        raise fault
    return None, place


def _find_earlier(document: DocumentInfo, texts: Iterable[str], at: str, digest: str) -> tuple[str, Place] | None:
    """The first of a document's earlier texts that has the quoted words at their place, and that place; None, if none.

    Of an earlier text neither sections nor pages are known.
    """
    plain = replace(document, sections=(), page_starts=())
    for text in texts:
        try:
            place = find_place(plain, (), text, at, digest)
        except KewenError:  # it is shorter
            continue
        if not place.is_changed:
            return text, place
    return None


def _read_spans(at: str, length: int) -> tuple[Span, ...]:
    pieces = at.split(",", _MOST_SPANS)
    found = [_SPAN.fullmatch(piece) for piece in pieces]
    if len(pieces) > _MOST_SPANS:
        raise KewenError("invalid_request", f"位置 at 至多 {_MOST_SPANS} 处。", {"param": "at"})
    spans = tuple((int(x[1]), int(x[2])) for x in found if x)
    try:
        check_spans(spans)
    except ValueError:
        spans = ()
    if len(spans) < len(pieces):
        message = f"位置 at={echo(at, 60)} 读不懂。应为依次排列、互不重叠的起止位置，如 at=1203-1498,1511-1544。"
        raise KewenError("invalid_request", message, {"param": "at"})
    if spans[-1][1] > length:
        message = f"位置 at={echo(at, 60)} 超出了这份报告（共 {length} 字）。报告在引用之后可能有过改动。"
        raise KewenError("invalid_request", message, {"param": "at"})
    return spans


def _section(document: DocumentInfo, held: Sequence[Passage], start: int) -> tuple[Sequence[str], Sequence[str]]:
    """The section path and its editorial names: the passage's, else those of the innermost section."""
    if held:
        first = held[0]
        return first.section, [x for x, restored in zip(first.section, first.restored, strict=True) if restored]
    around = [x for x in document.sections if x.span[0] <= start < x.span[1]]
    path = max((x.path for x in around), key=len, default=())
    return path, [x.path[-1] for x in around if x.restored and x.path == path[: len(x.path)]]


def _windows(spans: Sequence[Span], length: int) -> tuple[Span, ...]:
    """The spans with their surroundings; those that touch become one."""
    return merge_spans((max(start - _CONTEXT, 0), min(end + _CONTEXT, length)) for start, end in spans)
