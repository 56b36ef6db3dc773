"""The nouns of the corpus: frozen facts about a source text. No I/O.

All offsets are code points of `Document.text`, half open: `text[start:end]`. The text is kept exactly
as decoded; nothing here or later normalises it, so an offset stays valid for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Span = tuple[int, int]
Kind = Literal["text", "list", "table", "footnote"]

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
PDF = "application/pdf"
PLAIN = "text/plain"
_FLOWING = (DOCX, HTML, MARKDOWN)


@dataclass(frozen=True, slots=True)
class EditorialHeading:
    """A heading that the manifest gives, because the text lacks it or prints it in the wrong place.

    `before` is the exact text it stands before. If `printed`, the heading is a line of the text that
    stands elsewhere (a layout that put it after its own section); else it is restored, and shown as 〔…〕.
    """

    before: str
    heading: str
    printed: bool = False
    level: int | None = None
    """How deep it stands, from 1; None: as deep as printed headings of its look do."""


@dataclass(frozen=True, slots=True)
class HeadingMark:
    """A line that the file's own format marks as a heading: by a style, a tag or a font.

    `start` is the offset of the line's first character; `level` counts from 1, the outermost, to 9.
    """

    start: int
    level: int


@dataclass(frozen=True, slots=True)
class Document:
    """One source file and what is known of it.

    `page_starts` are the offsets at which its pages begin, the first page first; empty where it has none. `notes` say
    how it was read and what was left out, in Chinese, one line each; `file` is the name that its file came with.
    """

    id: str
    text: str
    title: str
    year: int
    series: str
    kind: str
    media_type: str
    sha256: str
    issuer: str | None = None
    year_basis: str | None = None
    editorial_headings: tuple[EditorialHeading, ...] = ()
    heading_marks: tuple[HeadingMark, ...] = ()
    page_starts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    file: str | None = None
    title_basis: str | None = None

    @property
    def flows(self) -> bool:
        """Its format knows paragraphs and not pages: none is ever cut, and its headings are marked as such."""
        return self.media_type in _FLOWING

    def __post_init__(self) -> None:
        if not is_document_id(self.id):
            raise ValueError(f"document id {self.id!r} must be a plain name without ':' '/' or spaces")
        if not self.title:
            raise ValueError(f"document {self.id!r} has no title")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it.

    `path` names the sections from the outermost to this one; the document's own title is no part of it,
    and the body directly under the title is the section with an empty path. `restored` says for each
    name of the path whether it is editorial.
    """

    path: tuple[str, ...]
    restored: tuple[bool, ...]
    parent: int | None
    heading: Span | None
    start: int
    end: int

    def __post_init__(self) -> None:
        if len(self.path) != len(self.restored):
            raise ValueError("path and restored differ in length")
        if not 0 <= self.start <= self.end:
            raise ValueError(f"section span [{self.start}, {self.end}) is not in order")

    @property
    def level(self) -> int:
        """1 for an outermost section, 0 for the body directly under the title."""
        return len(self.path)


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrievable unit of one section: `"".join(document.text[s:e] for s, e in spans) == text`.

    `lead` is the run-in lead, the caption of the table or the term of the footnote; `columns` are a
    table's column heads. Both are context for reading and retrieval; they are source text too. `lines` and `pages` are
    the first and the last, from 1.
    """

    document_id: str
    section: tuple[str, ...]
    restored: tuple[bool, ...]
    lead: str | None
    kind: Kind
    spans: tuple[Span, ...]
    text: str
    lines: tuple[int, int]
    columns: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_spans(self.spans)
        if sum(e - s for s, e in self.spans) != len(self.text):
            raise ValueError(f"text of {self.id} has not the length of its spans")

    @property
    def id(self) -> str:
        """`{document_id}:{start}-{end}`: anyone can check it against the source."""
        return f"{self.document_id}:{self.spans[0][0]}-{self.spans[-1][1]}"


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a quote stands. `quote` is exactly the text of `spans`, joined."""

    document_id: str
    title: str
    year: int
    section: tuple[str, ...]
    restored: tuple[str, ...]
    lead: str | None
    lines: tuple[int, int]
    spans: tuple[Span, ...]
    quote: str
    pages: tuple[int, int] | None = None


def is_document_id(name: str) -> bool:
    """A plain name of at most 100 characters and 200 bytes: it stands in passage ids, in URLs and in files' names."""
    odd = not name.isprintable() or any(c in name for c in ' :/\\"')  # no other white space is printable
    return 0 < len(name) <= 100 and not odd and not name.startswith(".") and len(name.encode("utf-8")) <= 200


def check_spans(spans: Sequence[Span]) -> None:
    """Raise ValueError unless the spans are non-empty, in order and apart."""
    if not spans:
        raise ValueError("no spans")
    previous = 0
    for start, end in spans:
        if not previous <= start < end:
            raise ValueError(f"spans {list(spans)} are not in order")
        previous = end


def join_spans(text: str, spans: Iterable[Span]) -> str:
    """The text of the spans, joined: the one rule by which a cut paragraph reads whole."""
    return "".join(text[start:end] for start, end in spans)


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, those that overlap or touch made one.

    >>> merge_spans([(5, 8), (0, 2), (2, 4)])
    ((0, 4), (5, 8))
    """
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def slice_spans(spans: Iterable[Span], start: int, end: int) -> tuple[Span, ...]:
    """The part `[start, end)` of the joined text of `spans`, as spans of the document.

    >>> slice_spans([(10, 15), (20, 30)], 3, 8)
    ((13, 15), (20, 23))
    """
    part: list[Span] = []
    offset = 0
    for s, e in spans:
        first, last = max(start - offset, 0), min(end - offset, e - s)
        if first < last:
            part.append((s + first, s + last))
        offset += e - s
    return tuple(part)
