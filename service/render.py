"""Hits and documents as text for people and as JSON for programs; every door shares it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from corpus.catalogue import Record
from corpus.citations import citation_label
from corpus.expansions import Expansion
from corpus.types import Citation, Passage, Span
from index.query import Reading
from index.ranking import Source
from index.reasons import Meaning, Why, Word
from index.types import DocumentInfo, Hit
from service.assistant import SearchResult
from service.links import Link

_ARMS = {"dense": "按意思 {:.2f}", "lexical": "按字词 {:.2f}", "expansion": "扩展问法 +{:.2f}"}
_PLACES = {"text": "", "heading": "（标题）", "expansion": "（扩展问法）"}
# A word of a smaller share of the question, 的 say, is no reason.
_SMALL = 0.02

Mark = Callable[[str], str]
"""Makes a piece of text stand out."""


def bracket(text: str) -> str:
    """Highlight where there is no colour."""
    return f"【{text}】"


def colour(text: str) -> str:
    """Highlight on a terminal."""
    return f"\x1b[1;33m{text}\x1b[0m"


# -- JSON (DESIGN: `search --json`) ---------------------------------------------------------------


def result_json(result: SearchResult, link: Link) -> dict[str, Any]:
    """`{"query", "generation", "took_ms", "readings", "hits"}`."""
    return {
        "query": result.query,
        "generation": result.generation,
        "took_ms": result.took_ms,
        "readings": readings_json(result.readings),
        "hits": [hit_json(hit, link, why) for hit, why in _explained(result)],
    }


def _explained(result: SearchResult) -> Iterator[tuple[Hit, Why | None]]:
    """The hits, each with why it was found where that was asked for."""
    whys: Sequence[Why | None] = result.whys if result.whys is not None else [None] * len(result.hits)
    return zip(result.hits, whys, strict=True)


def readings_json(readings: Sequence[Reading]) -> list[dict[str, str]]:
    """What was understood of a question, one object each."""
    return [
        {"id": x.id, "kind": x.kind, "surface": x.surface, "value": x.value, "message": x.message} for x in readings
    ]


def hit_json(hit: Hit, link: Link, why: Why | None = None) -> dict[str, Any]:
    """One hit; spans and highlights are in code points of the document's text. `why` is None where nobody asked."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        "signals": dict(hit.signals),
        "passage_id": hit.passage.id,
        "kind": hit.passage.kind,
        "text": hit.passage.text,
        "citation": citation_json(hit.citation, link),
        "highlights": [list(span) for span in hit.highlights],
        "expansion": expansion_json(hit.expansion),
        "why": why_json(why) if why else None,
    }


def why_json(why: Why) -> dict[str, Any]:
    """Why a passage was found; shares and likeness to four places, spans in code points of the document's text."""

    def rounded(reason: Word | Meaning) -> dict[str, Any]:
        record = {name: round(x, 4) if isinstance(x, float) else x for name, x in asdict(reason).items()}
        return {**record, "spans": [list(span) for span in reason.spans]}

    return {"words": [rounded(x) for x in why.words], "meanings": [rounded(x) for x in why.meanings]}


def expansion_json(expansion: Expansion | None) -> dict[str, Any] | None:
    """Why a passage was found, where an expansion did it; never a quote."""
    if expansion is None:
        return None
    return {"text": expansion.text, "kind": expansion.kind, "origin": expansion.origin}


def citation_json(citation: Citation, link: Link) -> dict[str, Any]:
    """A citation with its label, and the URL that opens it in its source."""
    return {
        "document_id": citation.document_id,
        "title": citation.title,
        "year": citation.year,
        "section": list(citation.section),
        "lead": citation.lead,
        "restored": list(citation.restored),
        "pages": list(citation.pages) if citation.pages else None,
        "lines": list(citation.lines),
        "spans": [list(span) for span in citation.spans],
        "label": citation_label(citation),
        "url": link(citation),
    }


def passage_json(passage: Passage, citation: Citation, link: Link) -> dict[str, Any]:
    """A passage as a hit has it, without rank and score."""
    return {
        "passage_id": passage.id,
        "kind": passage.kind,
        "text": passage.text,
        "columns": list(passage.columns),
        "citation": citation_json(citation, link),
    }


def document_json(document: DocumentInfo, passages: int, own: bool) -> dict[str, Any]:
    """What is known of a document. `own`: it is the user's, and not of the reports folder."""
    return {
        "id": document.id,
        "title": document.title,
        "title_basis": document.title_basis,
        "year": document.year,
        "year_basis": document.year_basis,
        "series": document.series,
        "kind": document.kind,
        "issuer": document.issuer,
        "file": document.file,
        "media_type": document.media_type,
        "pages": len(document.page_starts) or None,
        "notes": list(document.notes),
        "sha256": document.sha256,
        "characters": document.characters,
        "passages": passages,
        "own": own,
    }


def outline_json(
    document: DocumentInfo,
    passages: Sequence[Passage],
    snapshot: Source,
    link: Link,
    own: bool,
    with_passages: bool = True,
) -> dict[str, Any]:
    """`{"document", "sections", "passages"}`; `passages` are None where they are left out."""
    listed = (
        [passage_json(passage, snapshot.citation(passage), link) for passage in passages] if with_passages else None
    )
    return {
        "document": document_json(document, len(passages), own),
        "sections": [
            {"path": list(x.path), "level": len(x.path), "restored": x.restored, "span": list(x.span)}
            for x in document.sections
        ],
        "passages": listed,
    }


# -- text for people ------------------------------------------------------------------------------


def result_text(result: SearchResult, mark: Mark) -> str:
    """What was understood, then the hits, numbered: citation, the passage with its best sentences marked, and why."""
    found = _blocks([_hit_text(hit, mark, why) for hit, why in _explained(result)])
    return f"{readings_text(result.readings)}\n\n{found}" if result.readings else found


def hits_text(hits: Sequence[Hit], mark: Mark) -> str:
    """The hits, numbered; where there are none, what one can do."""
    return _blocks([_hit_text(hit, mark) for hit in hits])


def _blocks(blocks: Sequence[str]) -> str:
    return "\n\n".join(blocks or ["没有找到相关段落。可以换一种说法，或放宽年份与报告的限制。"])


def readings_text(readings: Sequence[Reading]) -> str:
    """One line: what was understood of the question beside its words, and how to undo it."""
    understood = "；".join(dict.fromkeys(clean(x.message) for x in readings))
    word = next((clean(x.surface) for x in reversed(readings) if x.kind != "split"), "split")
    return f"理解：{understood}。（加 --ignore {word} 可去掉一条，加 --literal 则按字面检索）"


def documents_text(documents: Sequence[tuple[DocumentInfo, int]]) -> str:
    """One line a document."""
    width = max((display_width(document.id) for document, _ in documents), default=0)
    return "\n".join(
        f"{pad(x.id, width)}  {x.year}  {count:>4} 段  《{clean(x.title)}》　{clean(x.series)}"
        for x, count in documents
    )


def outline_text(document: DocumentInfo, passages: Sequence[Passage], record: Record | None = None) -> str:
    """A document's particulars, its headings and how many passages stand directly under each.

    `record` is what the library knows of one of the user's own.
    """
    lines = [
        f"《{clean(document.title)}》（{document.year}）",
        f"编号：{document.id}",
        f"系列：{clean(document.series)}",
    ]
    lines += [f"类别：{clean(document.kind)}"]
    if document.issuer:
        lines.append(f"发布：{clean(document.issuer)}")
    if document.file:
        lines.append(f"文件：{clean(document.file)}")
    if document.title_basis:
        lines.append(f"题名依据：{clean(document.title_basis)}")
    if document.year_basis:
        lines.append(f"年份依据：{clean(document.year_basis)}")
    if record:
        earlier = "，此前 " + "、".join(x.added[:10] for x in record.versions) if record.versions else ""
        lines.append(f"版本：第 {len(record.versions) + 1} 版，{record.added[:10]} 加入{earlier}")
        lines += [f"来自：{clean(record.source)}"] if record.source else []
    lines += [f"读取：{clean(note)}" for note in document.notes]
    pages = f"页数：{len(document.page_starts)}　" if document.page_starts else ""
    lines += [f"{pages}字数：{document.characters}　段落：{len(passages)}", "", "章节（直属段落数）："]
    counts = Counter(passage.section for passage in passages)
    for section in document.sections:
        count = counts[section.path]
        name = f"〔{section.path[-1]}〕" if section.restored else section.path[-1]
        lines.append(f"{'　' * (len(section.path) - 1)}{clean(name)}" + (f"（{count}）" if count else ""))
    return "\n".join(lines)


def clean(text: str) -> str:
    """Text of a document for a terminal: no control or direction marks that it might obey."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def display_width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two (UAX #11)."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int) -> str:
    """`text`, filled up to `width` columns."""
    return text + " " * (width - display_width(text))


def _hit_text(hit: Hit, mark: Mark, why: Why | None = None) -> str:
    head = f"[{hit.rank}] {clean(citation_label(hit.citation))}"
    body = marked_text(hit.passage, hit.highlights, mark)
    lines = [head, *(f"    {line}" for line in body.splitlines() if line.strip())]
    if hit.expansion:
        lines.append(f"    〔扩展问法，非原文〕{' '.join(clean(hit.expansion.text).split())}")
    if why:
        lines.append(f"    〔为何找到〕{_why_text(hit, why)}")
    return "\n".join(lines)


def _why_text(hit: Hit, why: Why) -> str:
    """One line: what each arm saw, and by which words."""
    arms = [_ARMS[name].format(score) for name, score in hit.signals.items()]
    words = [f"{x.text}{_PLACES[x.where]}" for x in why.words if x.weight >= _SMALL]
    pairs = [(x.asked if x.asked == x.found else f"{x.asked}≈{x.found}", x.where) for x in why.meanings]
    meanings = [f"{pair}{_PLACES[where]}" for pair, where in pairs]
    parts = ["，".join(arms), *_listed("字词", words), *_listed("意思", meanings)]
    return clean("；".join(part for part in parts if part))


def _listed(name: str, items: Sequence[str]) -> list[str]:
    return [f"{name}：{'、'.join(items)}"] if items else []


def marked_text(passage: Passage, highlights: Sequence[Span], mark: Mark) -> str:
    """The passage's text as one reads it, without bold marks, the highlighted spans marked."""
    inside = {offset for start, end in highlights for offset in range(start, end)}
    offsets = [offset for start, end in passage.spans for offset in range(start, end)]
    pieces: list[str] = []
    run, marked = "", False
    for offset, character in zip(offsets, passage.text, strict=True):
        if (offset in inside) != marked:
            pieces.append(_piece(run, marked, mark))
            run, marked = "", not marked
        run += character
    pieces.append(_piece(run, marked, mark))
    return "".join(pieces)


def _piece(text: str, marked: bool, mark: Mark) -> str:
    plain = clean(re.sub(r"\*\*", "", text)).replace("\t", "　")
    if not marked or not plain.strip():
        return plain
    return "\n".join(mark(line) if line.strip() else line for line in plain.split("\n"))
