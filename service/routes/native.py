"""kewen's own HTTP API."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from service import render
from service.assistant import Assistant
from service.hit_schemas import SearchOut
from service.links import Links
from service.routes import answers, texts
from service.routes.answers import filters_of
from service.routes.turns import in_turn_of, rendered
from service.schemas import (
    DocumentsOut,
    ErrorOut,
    HealthOut,
    OutlineOut,
    PassageOut,
    ReadyOut,
    SearchIn,
)
from service.turnstile import Place

VERSION = version("kewen")
TAGS = [
    {"name": "提问", "description": "问题 → 答案与出处"},
    {"name": "检索", "description": "问题 → 段落与出处"},
    {"name": "对照", "description": "区、园区或主题 → 逐年的原文与出处"},
    {"name": "报告", "description": "已编入索引的报告、它们的章节、段落与原文"},
    {"name": "OpenAI 兼容接口", "description": "任何 OpenAI 客户端：对话、模型、嵌入、重排"},
    {"name": "Dify 外部知识库", "description": "Dify 的 External Knowledge API"},
    {"name": "运行", "description": "服务是否在运行、是否就绪"},
]
Responses = dict[int | str, dict[str, Any]]
SEARCHED: Responses = {
    400: {"model": ErrorOut, "description": "请求体不是有效的 JSON"},
    401: {"model": ErrorOut, "description": "缺少密钥或密钥不对"},
    403: {"model": ErrorOut, "description": "网页的来源（Origin）不在 allowed_origins 之列"},
    408: {"model": ErrorOut, "description": "请求体迟迟没有发完"},
    409: {"model": ErrorOut, "description": "索引由另一编码器建立"},
    413: {"model": ErrorOut, "description": "请求体过大"},
    415: {"model": ErrorOut, "description": "Content-Type 不是 application/json"},
    421: {"model": ErrorOut, "description": "Host 不在允许之列"},
    422: {"model": ErrorOut, "description": "请求不合要求"},
    429: {"model": ErrorOut, "description": "请求过于频繁；Retry-After 为须等的秒数"},
    503: {"model": ErrorOut, "description": "索引不可用；或提问的人太多（busy），Retry-After 为须等的秒数"},
}
_ASKED: Responses = {
    200: {"description": "答案；stream 为 true 时为 text/event-stream", "content": {"text/event-stream": {}}},
    **SEARCHED,
}
_LISTED: Responses = {code: SEARCHED[code] for code in (401, 403, 409, 421, 429, 503)}
CHANGED: Responses = {
    403: {"model": ErrorOut, "description": "密钥只能读，或由别的网页发来"},
    409: {"model": ErrorOut, "description": "另一个程序正在写索引，或索引由另一编码器建立"},
    507: {"model": ErrorOut, "description": "磁盘空间不够，或写不进去；原来的资料与索引不变"},
}
"""What else a change of the library may meet."""
FOUND: Responses = {
    404: {"model": ErrorOut, "description": "没有这份报告或段落"},
    422: SEARCHED[422],
    **_LISTED,
}


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over an assistant; `links` open what they cite."""
    routes = APIRouter()

    @routes.post("/v1/search", tags=["检索"], summary="检索段落", response_model=SearchOut, responses=SEARCHED)
    async def search(body: SearchIn, request: Request) -> Response:
        """返回最相关的段落，按相关程度排列；每段带出处、各路分数，以及最能回答问题的句子的位置。

        `explain` 为 true 时每段另有 `why`：问题的哪些词在段中，哪些词与段中的词意思相近。
        """
        return await in_turn_of(request, lambda place: _found(assistant, links, body, place))

    answers.add(routes, assistant, links, _ASKED)

    @routes.get("/v1/documents", tags=["报告"], summary="列出报告", response_model=DocumentsOut, responses=_LISTED)
    def documents() -> Response:
        """已编入索引的全部报告。"""
        own = assistant.own_documents()
        removed = [{"id": x.id, "title": x.title, "year": x.year} for x in assistant.removed_reports()]
        known = [render.document_json(x, count, x.id in own) for x, count in assistant.documents()]
        return rendered(DocumentsOut, {"documents": known, "removed": removed})

    @routes.get(
        "/v1/documents/{document_id}", tags=["报告"], summary="一份报告", response_model=OutlineOut, responses=FOUND
    )
    def document(document_id: str, passages: bool = Query(True, description="false 则不列出段落")) -> Response:
        """一份报告的说明、章节与全部段落。"""
        own = document_id in assistant.own_documents()
        return rendered(OutlineOut, render.outline_json(*assistant.document(document_id), links.url, own, passages))

    texts.add(routes, assistant, links, FOUND)

    @routes.get(
        "/v1/passages/{passage_id}", tags=["报告"], summary="一个段落", response_model=PassageOut, responses=FOUND
    )
    def passage(passage_id: str) -> dict[str, Any]:
        """按编号取一个段落及其出处。"""
        found, snapshot = assistant.passage(passage_id)
        return render.passage_json(found, snapshot.citation(found), links.url)

    _running(routes, assistant)
    return routes


def _found(assistant: Assistant, links: Links, body: SearchIn, place: Place) -> Response:
    """The answer to a search, in its turn.

    Raises:
        KewenError: `busy`, or as `Assistant.search`.
    """
    filters = filters_of(body.filters)
    understood = body.expansion, body.literal, body.ignore
    with place:
        result = assistant.search(body.query, body.top_k, body.mode, filters, *understood, body.explain)
    return rendered(SearchOut, render.result_json(result, links.url))


def _running(routes: APIRouter, assistant: Assistant) -> None:
    """Liveness and readiness."""

    # In the event loop: it answers though every thread waits for something.
    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz", tags=["运行"], summary="是否在运行", response_model=HealthOut)
    async def health() -> dict[str, Any]:
        """服务在运行即返回 200，不论索引如何。"""
        return {"status": "ok", "version": VERSION}

    @routes.get("/readyz", tags=["运行"], summary="是否就绪", response_model=ReadyOut, responses=_LISTED)
    def ready() -> dict[str, Any]:
        """索引可用时返回 200，否则 503。"""
        snapshot = assistant.retriever().snapshot
        return {
            "status": "ready",
            "generation": snapshot.name,
            "documents": len(snapshot.documents),
            "passages": len(snapshot.rows),
        }
