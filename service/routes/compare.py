"""`POST /v1/compare`: one subject, year by year; `GET /v1/subjects`: what to choose from."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.assistant import Assistant
from service.compare_render import comparison_json, subjects_json
from service.compare_schemas import CompareIn, CompareOut, SubjectsOut
from service.links import Links
from service.routes.answers import filters_of
from service.routes.native import FOUND, SEARCHED
from service.routes.turns import in_turn_of, rendered
from service.turnstile import Place

_LISTED = {code: response for code, response in FOUND.items() if code not in (404, 422)}


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over an assistant; `links` open what they cite."""
    routes = APIRouter(tags=["对照"])

    @routes.post("/v1/compare", summary="逐年对照", response_model=CompareOut, responses=SEARCHED)
    async def compare(body: CompareIn, request: Request) -> Response:
        """各年的报告怎样说同一个区、园区或主题：每年一列，每句带可逐字回查的出处；没有说到的年份说明原因。"""
        filters = filters_of(body.filters)

        def answer(place: Place) -> Response:
            with place:
                found = assistant.compare(body.subject, body.aspect, filters, body.per_year, body.expansion)
            return rendered(CompareOut, comparison_json(found, links.url))

        return await in_turn_of(request, answer)

    @routes.get("/v1/subjects", summary="可以对照的地方", response_model=SubjectsOut, responses=_LISTED)
    def subjects() -> Response:
        """各份报告的标题里出现的区、园区与其他地方，说到的年份多的在前。主题不必在此列。"""
        return rendered(SubjectsOut, subjects_json(assistant.subjects()))

    return routes
