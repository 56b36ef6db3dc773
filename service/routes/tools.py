"""The tools as an OpenAPI tool server (Open WebUI): a description of their own at `/tools/openapi.json`."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi

from service import tools
from service.assistant import Assistant
from service.links import Links
from service.routes.native import VERSION
from service.routes.turns import in_turn_of
from service.schemas import ErrorOut
from service.turnstile import Place

_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "没有这个段落"},
    422: {"model": ErrorOut, "description": "请求不合要求"},
}


def router(assistant: Assistant, links: Links) -> APIRouter:
    """`POST /tools/search`, `/tools/fetch`, `/tools/ask`, and their description.

    Open WebUI puts a path of the description behind the address that its user typed, `…/tools`, and looks at no
    `servers` (open-webui, `execute_tool_server`): so the paths in it begin there.
    """
    over = tools.Tools(assistant, links)
    calls = APIRouter(responses=_REFUSED)

    @calls.post("/search", operation_id="search", summary="检索段落", description=tools.SEARCH)
    async def search(body: tools.SearchArguments, request: Request) -> tools.Found:
        def found(place: Place) -> tools.Found:
            with place:
                return over.search(body)

        return await in_turn_of(request, found)

    @calls.post("/fetch", operation_id="fetch", summary="取原文", description=tools.FETCH)
    def fetch(body: tools.FetchArguments) -> tools.Fetched:
        return over.fetch(body)

    @calls.post("/ask", operation_id="ask", summary="提问", description=tools.ASK)
    async def ask(body: tools.AskArguments, request: Request) -> tools.Asked:
        return await in_turn_of(request, lambda place: over.ask(body, place.check, place))

    @cache  # it takes a fifth of the application's start, and only other programs' settings ask for it
    def described() -> dict[str, Any]:
        return get_openapi(
            title="科问 kewen",
            version=VERSION,
            description=tools.INSTRUCTIONS,
            routes=calls.routes,
            servers=[{"url": f"{assistant.settings.base_url}/tools"}],
        )

    routes = APIRouter(prefix="/tools", include_in_schema=False)
    routes.include_router(calls)

    @routes.get("/openapi.json")
    def description() -> dict[str, Any]:
        return described()

    return routes
