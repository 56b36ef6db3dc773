"""`GET /d/{document_id}`: where a citation's link leads, the source with the quoted words marked."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from corpus.library import LibraryError
from service.assistant import Assistant
from service.errors import KewenError
from service.links import Links
from service.quoted import find_quoted
from service.source_page import page

_EXPIRED = "这个链接已经过期，或者不完整。请回到得到它的地方重新提问，会有新的链接。"
_REMOVED = "这份资料已被移除。"
_MISSING = "没有这份资料：它可能已被移除。"


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The pages over an assistant; `links` says which signatures are good."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/d/{document_id}", methods=["GET", "HEAD"])
    def source(document_id: str, request: Request) -> HTMLResponse:
        return HTMLResponse(_page(assistant, links, document_id, request))

    return routes


def _page(assistant: Assistant, links: Links, document_id: str, request: Request) -> str:
    """The whole document; behind a signature, which opens one place alone, that place.

    Raises:
        KewenError: `bad_signature`, `not_found`, `invalid_request`, or what opening the index raises.
    """
    # As the guard reads the query, so that both judge the same values where a name is given twice.
    at, digest, until, sign = (request.query_params.get(name, "") for name in ("at", "h", "until", "sign"))
    is_excerpt = "sign" in request.query_params
    if is_excerpt and not (at and links.opens(document_id, at, digest, until, sign)):
        raise KewenError("bad_signature", _EXPIRED)
    try:
        document, passages, snapshot = assistant.document(document_id)
    except KewenError as error:
        # The error's own message names the other documents, of which a signed link opens none.
        if error.code == "not_found" and (is_excerpt or digest):
            raise KewenError("not_found", _REMOVED if is_excerpt else _MISSING) from error
        raise
    text = snapshot.text(document_id)
    if not at:
        return page(document, text)
    older = assistant.documents_store.old_texts(document_id)
    earlier, place = find_quoted(document, passages, text, older, at, digest)
    if earlier is None:
        return page(document, text, place, is_excerpt)
    return page(document, earlier, place, is_excerpt, _updated(assistant, document_id))


def _updated(assistant: Assistant, document_id: str) -> str:
    """The day on which one of the user's own documents was last replaced; "" of others."""
    with suppress(LibraryError):
        record = assistant.documents_store.catalogue()[0].documents.get(document_id)
        return record.added[:10] if record else ""
    return ""
