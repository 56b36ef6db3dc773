"""Pages of PDF documents: as pictures, and where the quoted words stand on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from service.assistant import Assistant
from service.links import Links
from service.picture_schemas import PageOut
from service.pictures import Pictures
from service.routes.native import FOUND, Responses
from service.schemas import ErrorOut
from service.threads import in_thread

_AT_ONCE = 2
"""So many pages are drawn at a time, and as many read: each in a process of its own. Others wait."""
_REFUSED: Responses = {
    404: {"model": ErrorOut, "description": "没有这份报告或这一页，或它不是 PDF，或原文件已不在"},
    422: {
        "model": ErrorOut,
        "description": "请求不合要求；document_rejected：这一页读不出或画不出，缘由在 detail.reason",
    },
}
_PAGE: Responses = {**FOUND, **_REFUSED}
_PICTURE: Responses = {200: {"description": "这一页的图", "content": {"image/webp": {}}}, **FOUND, **_REFUSED}
_Number = Annotated[int, Path(description="页码，自 1 起")]
_Version = Annotated[
    str, Query(description="只要这一版：文件的 sha256，与 /v1/documents 所列相同；已换成别的版本时为 404")
]


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over an assistant; they cite nothing, so `links` stay unused."""
    routes = APIRouter(tags=["报告"])
    pictures = Pictures(assistant)
    read, drawn = anyio.CapacityLimiter(_AT_ONCE), anyio.CapacityLimiter(_AT_ONCE)

    @routes.get(
        "/v1/documents/{document_id}/pages/{page}",
        summary="PDF 的一页",
        operation_id="get_page",
        response_model=PageOut,
        responses=_PAGE,
    )
    async def page(
        document_id: str,
        page: _Number,
        at: str = Query("", description="所引文字的位置，同出处链接中的 at，如 120-140,150-160"),
        h: str = Query("", description="所引文字的校验值，同出处链接中的 h；对不上时不给方框"),
        sha256: _Version = "",
    ) -> dict[str, Any]:
        """一页的尺寸，和所引文字在这一页上的方框。方框要么恰好框住所引的字，要么没有。"""
        return asdict(await in_thread(lambda: pictures.page(document_id, page, at, h, sha256), read))

    @routes.get(
        "/v1/documents/{document_id}/pages/{page}/image",
        summary="PDF 的一页的图",
        operation_id="get_page_image",
        response_class=Response,
        responses=_PICTURE,
    )
    async def image(
        document_id: str,
        page: _Number,
        width: int = Query(1200, ge=200, le=2000, description="图宽（像素）"),
        sha256: _Version = "",
    ) -> Response:
        """一页的图，WebP 格式；只画编入索引的那一版。"""
        data = await in_thread(lambda: pictures.picture(document_id, page, width, sha256), drawn)
        return Response(data, media_type="image/webp")

    return routes
