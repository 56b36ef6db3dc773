"""`GET /v1/evaluation`: the latest evaluation in figures; `GET /evaluation`: its page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from service import evaluations
from service.assistant import Assistant
from service.errors import KewenError
from service.evaluations import Headlines
from service.links import Links
from service.routes.native import SEARCHED, Responses

_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page has its style within it; whatever else could be there does nothing and leads nowhere."""
_EXPIRED = "这个链接已经过期，或者不完整。请在“评测”一栏重新打开。"
_NONE = "还没有评测报告，或它已损坏。请先运行 kewen eval run --out 文件夹，再运行 kewen eval report 文件夹。"
_ASKED: Responses = {code: SEARCHED[code] for code in (401, 403, 421, 429)}


class ReportOut(Headlines):
    """一次评测的成绩，与它的报告在哪里。"""

    url: str = Field(description="完整的报告；设有密钥时带签名，次日之后失效")


class EvaluationOut(BaseModel):
    """最近的评测。"""

    report: ReportOut | None = Field(description="还没有评测报告，或它已损坏，则为 null")


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over the home of an assistant; `links` sign the page's address."""
    routes = APIRouter(tags=["运行"])
    home = assistant.settings.home

    @routes.get("/v1/evaluation", summary="最近的评测", response_model=EvaluationOut, responses=_ASKED)
    def evaluation() -> dict[str, Any]:
        """最近一次 `kewen eval report` 的成绩，各带 95% 区间；还没有则 report 为 null。"""
        known = evaluations.figures(home)
        if known is None:
            return {"report": None}
        shown = known.model_dump(mode="json", by_alias=True, exclude={"page"})
        return {"report": {**shown, "url": links.evaluation_url()}}

    @routes.api_route("/evaluation", methods=["GET", "HEAD"], include_in_schema=False)
    def page(request: Request) -> HTMLResponse:
        if "sign" in request.query_params:
            until, sign = (request.query_params.get(name, "") for name in ("until", "sign"))
            if not links.opens_evaluation(until, sign):
                raise KewenError("bad_signature", _EXPIRED)
        found = evaluations.page(home)
        if found is None:
            raise KewenError("not_found", _NONE)
        return HTMLResponse(found, headers={"Content-Security-Policy": _POLICY})

    return routes
