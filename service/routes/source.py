"""`GET /d/{document_id}`: where a citation's link leads, the source with the quoted words marked."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from service import web
from service.assistant import Assistant
from service.errors import KewenError
from service.links import Links
from service.source_page import HEADERS, STYLE, find_place, page

_EXPIRED = "这个链接已经过期，或者不完整。请回到得到它的地方重新提问，会有新的链接。"

_GONE = "这份报告已经不在库中。"


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The pages over an assistant; `links` says which signatures are good."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/d/{document_id}", methods=["GET", "HEAD"])
    def source(document_id: str, request: Request) -> HTMLResponse:
        return HTMLResponse(_page(assistant, links, document_id, request), headers=dict(HEADERS))

    @routes.get(f"/web/{STYLE}")
    def style() -> Response:
        return Response(web.read(STYLE), media_type="text/css", headers={"Cache-Control": "max-age=3600"})

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
        if is_excerpt and error.code == "not_found":
            # Its message names the other documents, which this link opens none of.
            raise KewenError("not_found", _GONE) from error
        raise
    text = snapshot.text(document_id)
    place = find_place(document, passages, text, at, digest) if at else None
    return page(document, text, place, is_excerpt)
