"""Rerank by the convention that Jina and Cohere share: any texts, ordered by how well they answer a query."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, WithJsonSchema

from index.relevance import relevance
from service.assistant import Assistant
from service.checks import checked_query
from service.errors import KewenError, echo
from service.links import Links
from service.openai_schemas import REFUSED, TAGS
from service.routes.embeddings import whole_characters
from service.routes.turns import in_turn_of
from service.schemas import SAID
from service.tokens import count
from service.turnstile import Place

MODEL = "kewen-rerank"
PATHS = ("/v1/rerank", "/rerank", "/v2/rerank")
"""Clients put the path behind an address of their user's, with the version or without."""

_MOST = 1000
_DOCUMENTS = {
    "type": "array",
    "minItems": 1,
    "maxItems": _MOST,
    "items": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        ]
    },
}


class RerankIn(BaseModel):
    """重排的请求（Jina、Cohere 的格式）；这里没有列出的字段不起作用。"""

    model: str = Field(MODEL, description=f"总是 {MODEL}", json_schema_extra={"enum": [MODEL]})
    query: str = Field(description="问题，至多 2000 字", examples=["研发投入强度是多少？"], json_schema_extra=SAID)
    documents: Annotated[Any, WithJsonSchema(_DOCUMENTS)] = Field(
        description=f"要排序的文字，至多 {_MOST} 段；每段为文字，或 `{{text}}`",
        examples=[["研发投入强度达4.4%。", {"text": "科普讲座走进社区。"}]],
    )
    top_n: int | None = Field(None, ge=1, description="返回前几段，默认全部")
    return_documents: bool | None = Field(None, strict=True, description="true 则结果带上原文")


class TextOut(BaseModel):
    """一段文字。"""

    text: str = Field(description="原文")


class RankedOut(BaseModel):
    """一段文字的名次。"""

    index: int = Field(description="在请求的 documents 中的位置，自 0 起")
    relevance_score: float = Field(description="与问题相关的程度，0 到 1；只在同一次请求内可比")
    document: TextOut | None = Field(None, description="原文；仅当 return_documents 为 true")


class TotalOut(BaseModel):
    """用量。"""

    total_tokens: int = Field(description="约数：汉字逐字计，字母与数字每串计一，其他符号逐个计")


class RerankOut(BaseModel):
    """重排的结果，最相关的在前。"""

    id: str = Field(description="这次请求的编号")
    model: str = Field(description="所用的模型")
    results: list[RankedOut] = Field(description="恰为 top_n 段，除非 documents 更少")
    usage: TotalOut = Field(description="用量")


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over an assistant's encoder; what is ranked is the caller's own, so `links` stay unused."""
    routes = APIRouter(tags=TAGS, responses=REFUSED)

    async def rerank(body: RerankIn, request: Request) -> JSONResponse:
        """把任意文字按与问题相关的程度排列：按意思与按字词两路合并，与检索用的是同一套算法。"""

        def ranked(place: Place) -> JSONResponse:
            with place:
                return _ranked(assistant, body)

        return await in_turn_of(request, ranked)

    for n, path in enumerate(PATHS):
        routes.post(
            path,
            summary="重排",
            operation_id="rerank" if n == 0 else None,
            response_model=RerankOut,
            response_model_exclude_none=True,
            include_in_schema=n == 0,
        )(rerank)
    return routes


def _ranked(assistant: Assistant, body: RerankIn) -> JSONResponse:
    """The answer to a request.

    Raises:
        KewenError: `model_not_found`, `invalid_request`, or as loading the encoder.
    """
    if body.model != MODEL:
        raise KewenError("model_not_found", f"没有重排模型 {echo(body.model, 60)}。可用：{MODEL}。", {"param": "model"})
    query = _query(body.query, assistant.settings.max_question)
    texts = _texts(body.documents)
    scores = [round(float(score), 6) for score in relevance(assistant.encoder(), query, texts)]
    best = sorted(range(len(texts)), key=lambda n: (-scores[n], n))[: body.top_n]
    results: list[dict[str, Any]] = [{"index": n, "relevance_score": scores[n]} for n in best]
    if body.return_documents:
        results = [{**x, "document": {"text": texts[x["index"]]}} for x in results]
    tokens = count(query) + sum(map(count, texts))
    head = {"id": f"rr-{uuid.uuid4().hex}", "model": MODEL}
    return JSONResponse({**head, "results": results, "usage": {"total_tokens": tokens}})


def _query(given: str, longest: int) -> str:
    try:
        return checked_query(given, longest)
    except KewenError as error:
        raise KewenError(error.code, error.message, {"param": "query"}) from error


def _texts(given: object) -> list[str]:
    """The texts to rank. An empty one is no fault: it ranks last.

    Raises:
        KewenError: `invalid_request` with the `param` documents.
    """
    if not isinstance(given, list) or not given:
        raise _refused("documents 应为文字的列表，至少一段。")
    if len(given) > _MOST:
        raise _refused(f"documents 至多 {_MOST} 段（现为 {len(given)} 段）。请先筛选。")
    texts = []
    for n, document in enumerate(given, start=1):
        text = document.get("text") if isinstance(document, dict) else document
        if not isinstance(text, str):
            raise _refused(f"documents 的第 {n} 段应为文字，或带文字字段 text 的对象。")
        texts.append(whole_characters(text))
    return texts


def _refused(message: str) -> KewenError:
    return KewenError("invalid_request", message, {"param": "documents"})
