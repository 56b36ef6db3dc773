"""Citations: made from a passage, checked against the source, rendered as a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from corpus.lines import line_range, line_starts, page_range
from corpus.types import Citation, Document, Passage, Span, check_spans, join_spans, slice_spans


class CitationMismatch(ValueError):
    """A quote isn't what stands in the source at its spans."""


def cite_passage(title: str, year: int, passage: Passage) -> Citation:
    """The citation of a whole passage of the report of that title and year."""
    return Citation(
        document_id=passage.document_id,
        title=title,
        year=year,
        section=passage.section,
        restored=tuple(name for name, restored in zip(passage.section, passage.restored, strict=True) if restored),
        lead=passage.lead,
        lines=passage.lines,
        spans=passage.spans,
        quote=passage.text,
        pages=passage.pages,
    )


def cite(document: Document, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
    """The citation of `[start, end)` of a passage's text; of the whole passage by default.

    Raises:
        ValueError: the range is empty or outside the passage.
    """
    end = len(passage.text) if end is None else end
    whole = cite_passage(document.title, document.year, passage)
    return cite_part(whole, document.text, start, end, document.page_starts)


def cite_part(whole: Citation, text: str, start: int, end: int, page_starts: Sequence[int] = ()) -> Citation:
    """The citation of `[start, end)` of the quote of another; `text` is the whole document's, as are `page_starts`.

    Raises:
        ValueError: the range is empty or outside the quote.
    """
    if not 0 <= start < end <= len(whole.quote):
        raise ValueError(f"[{start}, {end}) is not within the passage's {len(whole.quote)} characters")
    spans = slice_spans(whole.spans, start, end)
    lines = line_range(line_starts(text), spans[0][0], spans[-1][1])
    pages = page_range(page_starts, spans[0][0], spans[-1][1])
    return replace(whole, lines=lines, pages=pages, spans=spans, quote=join_spans(text, spans))


def cite_spans(
    document_id: str, title: str, year: int, text: str, spans: Sequence[Span], page_starts: Sequence[int] = ()
) -> Citation:
    """The citation of any spans of a document's `text`: a reader's own choice, of no section yet.

    Raises:
        ValueError: the spans are none, not in order, or outside the text.
    """
    check_spans(spans)
    if spans[-1][1] > len(text):
        raise ValueError(f"{spans[-1]} lies outside the text's {len(text)} characters")
    start, end = spans[0][0], spans[-1][1]
    return Citation(
        document_id=document_id,
        title=title,
        year=year,
        section=(),
        restored=(),
        lead=None,
        lines=line_range(line_starts(text), start, end),
        spans=tuple(spans),
        quote=join_spans(text, spans),
        pages=page_range(page_starts, start, end),
    )


def line_of(text: str, offset: int) -> int:
    """The line (from 1) in which an offset lies, as `line_starts` counts them, without listing them all.

    >>> [line_of("甲\\r\\n乙\\n丙", offset) for offset in range(5)]
    [1, 1, 1, 2, 2]
    """
    breaks = text.count("\n", 0, offset) + text.count("\r", 0, offset) - text.count("\r\n", 0, offset)
    return breaks + 1 - (text[offset - 1 : offset + 1] == "\r\n")


def verify(document: Document, citation: Citation) -> None:
    """Check a citation against the document, byte for byte.

    Raises:
        CitationMismatch: another document, spans outside the text, another text there, or other lines.
    """
    if citation.document_id != document.id:
        raise CitationMismatch(f"the citation is of {citation.document_id!r}, not of {document.id!r}")
    verify_text(document.text, line_starts(document.text), citation)


def verify_text(text: str, starts: Sequence[int], citation: Citation) -> None:
    """`verify` against the text alone; `starts` are its `line_starts`.

    Raises:
        CitationMismatch: as `verify`.
    """
    check_spans(citation.spans)
    if citation.spans[-1][1] > len(text):
        raise CitationMismatch("spans lie outside the document")
    found = join_spans(text, citation.spans)
    if found.encode("utf-8") != citation.quote.encode("utf-8"):
        raise CitationMismatch(f"the source reads {found[:60]!r}…")
    if line_range(starts, citation.spans[0][0], citation.spans[-1][1]) != citation.lines:
        raise CitationMismatch("the quote stands on other lines")


def citation_label(citation: Citation) -> str:
    """The one-line label of a citation."""
    c = citation
    return label(c.title, c.year, c.section, c.restored, c.lines, c.pages)


def label(
    title: str,
    year: int,
    section: Sequence[str],
    restored: Sequence[str],
    lines: Span,
    pages: Span | None = None,
) -> str:
    """`《…》（2026）一、发展基础 › （一）…，第65–69行`; editorial headings stand in 〔…〕.

    >>> label("规划", 2026, ["一、基础"], [], (3, 3))
    '《规划》（2026）一、基础，第3行'
    """
    place = f"第{range_text(pages)}页" if pages else f"第{range_text(lines)}行"
    return f"《{title}》（{year}）{section_text(section, restored)}，{place}"


def section_text(section: Sequence[str], restored: Sequence[str]) -> str:
    """A section path in a line; editorial headings stand in 〔…〕."""
    return " › ".join(f"〔{name}〕" if name in restored else name for name in section)


def range_text(ends: Span, dash: str = "–") -> str:
    """`65–69`, or `65` where both ends are one."""
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]}{dash}{ends[1]}"
