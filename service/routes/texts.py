"""The texts themselves, a piece at a time, and citations of any words of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from corpus.citations import line_of
from corpus.types import Citation, Passage
from index.types import DocumentInfo
from service.assistant import Assistant
from service.errors import KewenError
from service.links import Links
from service.quoted import find_quoted
from service.references import footnote, markdown, plain_text
from service.render import citation_json
from service.routes.turns import rendered
from service.source_schemas import ReferenceOut, TextOut

_AT = "原文中的位置 [起, 止)，按 Unicode 码位计，依次排列，如 120-140,150-160"


def add(routes: APIRouter, assistant: Assistant, links: Links, responses: dict[int | str, dict[str, Any]]) -> None:
    """Their routes; `responses` are those that may be wrong."""

    @routes.get(
        "/v1/documents/{document_id}/text", tags=["报告"], summary="原文", response_model=TextOut, responses=responses
    )
    def text(
        document_id: str,
        start: int = Query(0, ge=0, description="起始位置，按 Unicode 码位计"),
        end: int | None = Query(None, ge=0, description="结束位置（不含）；省略则到文末"),
    ) -> Response:
        """报告原文的一段，与编入索引时逐字相同；连同它从哪一行、哪一页开始。"""
        document, _, snapshot = assistant.document(document_id)
        whole = snapshot.text(document_id)
        end = len(whole) if end is None else end
        if not start <= end <= len(whole):
            raise KewenError("invalid_request", f"位置应满足 0 ≤ start ≤ end ≤ {len(whole)}。")
        found = {
            "document_id": document_id,
            "sha256": document.sha256,
            "start": start,
            "end": end,
            "text": whole[start:end],
            "line": line_of(whole, start),
            "pages": _pages(document.page_starts, start, end),
        }
        return rendered(TextOut, found)

    @routes.get(
        "/v1/documents/{document_id}/citation",
        tags=["报告"],
        summary="引用原文",
        response_model=ReferenceOut,
        responses=responses,
    )
    def citation(
        document_id: str,
        at: str = Query(description=_AT),
        h: str = Query("", description="出处链接中的 h，即所引原文 sha256 的前 8 位；据此可知报告是否已有改动"),
    ) -> dict[str, Any]:
        """任意几处原文的出处，以及可以直接粘贴的文字、脚注（GB/T 7714—2025）和 Markdown。"""
        document, passages, snapshot = assistant.document(document_id)
        return _reference(assistant, links, document, passages, snapshot.text(document_id), at, h)


def _pages(page_starts: Sequence[int], start: int, end: int) -> list[list[int]] | None:
    """`[page, where it begins]` of the page at `start` and of those that begin behind it and before `end`."""
    if not page_starts:
        return None
    first = bisect_right(page_starts, start)
    last = max(bisect_left(page_starts, end), first)
    return [[n, page_starts[n - 1]] for n in range(first, last + 1)]


def _reference(
    assistant: Assistant,
    links: Links,
    document: DocumentInfo,
    passages: Sequence[Passage],
    text: str,
    at: str,
    digest: str,
) -> dict[str, Any]:
    """The citation of what was quoted: of the present text or, where that has changed since, of the earlier one.

    Raises:
        KewenError: `invalid_request`, where `at` isn't spans of the present text, nor of an earlier one.
    """
    older = assistant.documents_store.old_texts(document.id)
    earlier, place = find_quoted(document, passages, text, older, at, digest)
    if not place.is_changed:
        return _forms(place.citation, document.issuer, links, earlier is not None)
    nothing = dict.fromkeys(("quote", "text", "footnote", "markdown"))
    return {**citation_json(place.citation, lambda x: links.document_url(x.document_id)), "is_changed": True, **nothing}


def _forms(citation: Citation, issuer: str | None, links: Links, is_changed: bool) -> dict[str, Any]:
    cited = citation_json(citation, links.url)
    return {
        **cited,
        "is_changed": is_changed,
        "quote": citation.quote,
        "text": plain_text(citation),
        "footnote": footnote(citation, issuer, cited["url"]),
        "markdown": markdown(citation, cited["url"]),
    }
