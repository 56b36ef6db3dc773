"""`GET /widget.js`: the ask box that any page may hold. The file is the same for all, and open."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from service import web
from service.assistant import Assistant
from service.links import Links

_HEADERS = {"Cache-Control": "max-age=3600", "Cross-Origin-Resource-Policy": "cross-origin"}


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The one route; it needs neither."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/widget.js")
    def widget() -> Response:
        return Response(web.read("widget.js"), media_type="text/javascript", headers=_HEADERS)

    return routes
