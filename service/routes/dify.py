"""Dify's External Knowledge API (docs.dify.ai, langgenius/dify `external_knowledge_service.py`) over the reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, WithJsonSchema

from corpus.citations import citation_label
from index.ranking import Source
from index.types import NO_FILTERS, DocumentInfo, Filters, Hit
from service.answers import Answer
from service.assistant import Assistant
from service.checks import checked_query
from service.conditions import FIELDS, OPERATORS, Conditions, document_fields, passage_fields, read_conditions
from service.errors import KewenError, echo
from service.links import Links
from service.routes.turns import in_turn_of, rendered
from service.schemas import SAID
from service.turnstile import Place

EVERYTHING = "kewen"
"""The knowledge id of all reports."""
PREFIXES = ("/dify", "/api/dify", "/v1", "/retrieval", "")
"""What Dify's user may have typed behind the host; Dify appends `/retrieval`, to a final slash too."""

_TAGS: list[str | Enum] = ["Dify 外部知识库"]
_CONDITION = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "enum": list(FIELDS)},
        "comparison_operator": {"type": "string", "enum": list(OPERATORS)},
        "value": {"description": "empty 与 not empty 不带；in 与 not in 为列表，或以逗号分隔"},
    },
    "required": ["name", "comparison_operator"],
}
_CONDITIONS = {
    "type": ["object", "null"],
    "properties": {
        "logical_operator": {"type": "string", "enum": ["and", "or"], "default": "and"},
        "conditions": {"type": ["array", "null"], "items": _CONDITION},
    },
}


class RetrievalSetting(BaseModel):
    """取多少。"""

    top_k: int | None = Field(None, ge=1, description="至多几段，默认 5，多于 100 的按 100")
    score_threshold: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="分数低于它的不返回；0 为不限"
    )


class RetrievalIn(BaseModel):
    """Dify 的检索请求；这里没有列出的字段不起作用。"""

    knowledge_id: str = Field(
        description=f"{EVERYTHING} 为全部报告；也可以是一份报告的编号，或一个系列的名称", examples=[EVERYTHING]
    )
    query: str = Field(
        description="问题，至多 2000 字", examples=["宝山区有多少家生物医药企业？"], json_schema_extra=SAID
    )
    retrieval_setting: RetrievalSetting | None = Field(None, description="取多少")
    metadata_condition: Annotated[Any, WithJsonSchema(_CONDITIONS)] = Field(
        None, description="对报告与段落的限制；不认识的字段或运算符为 400，从不忽略"
    )


class RecordOut(BaseModel):
    """一个段落。"""

    content: str = Field(description="原文，逐字不改")
    score: float = Field(description="0 到 1：报告中有答案的把握，按名次之间的分差递减")
    title: str = Field(description="可直接引用的一行出处")
    metadata: dict[str, str | int] = Field(description="出处：报告编号、年份、章节、行号、位置（Unicode 码位）、链接等")


class RetrievalOut(BaseModel):
    """检索结果。"""

    records: list[RecordOut] = Field(description="段落，分数高的在前；没有找到时为空")


class RefusalOut(BaseModel):
    """Dify 的错误格式。"""

    error_code: int = Field(description="1001 密钥格式不对、1002 密钥不对、2001 没有这个知识库；其余为状态码乘十")
    error_msg: str = Field(description="哪里不对，该怎么办")


_REFUSED: dict[int | str, dict[str, Any]] = {"4XX": {"model": RefusalOut, "description": "请求不合要求，或密钥不对"}}


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over an assistant; `links` open what they cite."""
    routes = APIRouter(tags=_TAGS, responses=_REFUSED)

    async def retrieve(body: RetrievalIn, request: Request) -> Response:
        """按 Dify 外部知识库 API 检索段落。在 Dify 中填到 `/dify` 为止的地址即可。

        分数是校准过的：把握（报告中有答案的概率）乘以该段与最佳一段的分数之比，可与 `score_threshold` 相比。
        """

        def found(place: Place) -> Response:
            with place:
                return rendered(RetrievalOut, _found(assistant, links, body))

        return await in_turn_of(request, found)

    for n, path in enumerate(f"{prefix}{slash}retrieval" for prefix in PREFIXES for slash in ("/", "//")):
        routes.post(
            path,
            summary="检索（Dify 外部知识库）",
            operation_id="dify_retrieval" if n == 0 else None,
            response_model=RetrievalOut,
            include_in_schema=n == 0,
        )(retrieve)
    return routes


def _found(assistant: Assistant, links: Links, body: RetrievalIn) -> dict[str, Any]:
    """The records of a request, the best first.

    Raises:
        KewenError: `unknown_knowledge`, `unknown_field`, `unknown_operator`, or as `Assistant.ask`.
    """
    setting = body.retrieval_setting or RetrievalSetting.model_validate({})
    settings = assistant.settings
    top_k = min(setting.top_k or settings.top_k, settings.max_top_k)
    query = checked_query(body.query, settings.max_question)
    conditions = read_conditions(body.metadata_condition)
    snapshot = assistant.retriever().snapshot
    allowed = conditions.documents(_knowledge(snapshot, body.knowledge_id))
    if not allowed:
        return {"records": []}
    filters = NO_FILTERS if len(allowed) == len(snapshot.documents) else Filters(document_ids=allowed)
    if conditions.concerns_passages:
        filters = replace(filters, passage_ids=_passages(snapshot, conditions, allowed))
    answer = assistant.ask(query, top_k, "passages", filters)
    least = setting.score_threshold or 0
    records = [_record(hit, score, snapshot, links) for hit, score in _scored(answer) if score >= least]
    return {"records": sorted(records, key=lambda x: -x["score"])}


def _knowledge(snapshot: Source, knowledge_id: str) -> Iterable[DocumentInfo]:
    """The documents of a knowledge id.

    Raises:
        KewenError: `unknown_knowledge`.
    """
    documents = snapshot.documents.values()
    if knowledge_id == EVERYTHING:
        return documents
    found = [x for x in documents if knowledge_id in (x.id, x.series)]
    if not found:
        names = dict.fromkeys([EVERYTHING, *snapshot.documents, *(x.series for x in documents)])
        raise KewenError("unknown_knowledge", f"没有知识库 {echo(knowledge_id, 60)}。可用：{'、'.join(names)}。")
    return found


def _passages(snapshot: Source, conditions: Conditions, documents: frozenset[str]) -> frozenset[str]:
    """The passages of these documents that the conditions hold of."""
    known = {name: document_fields(snapshot.documents[name]) for name in documents}
    found = (x.passage for x in snapshot.rows if x.passage.document_id in documents)
    return frozenset(
        x.id for x in found if conditions.holds({**known[x.document_id], **passage_fields(x.id, snapshot.citation(x))})
    )


def _scored(answer: Answer) -> list[tuple[Hit, float]]:
    """The hits, each with its calibrated score, 0 to 1, of 4 digits.

    The score of a search orders its own hits and means little beside another's. The confidence is the calibrated chance
    that the hits hold the answer: the best hit has it, and the others as much less as their scores are less.
    """
    best = max((hit.score for hit in answer.hits), default=0.0)
    if best <= 0:
        return [(hit, 0.0) for hit in answer.hits]
    return [(hit, round(min(max(answer.confidence * hit.score / best, 0), 1), 4)) for hit in answer.hits]


def _record(hit: Hit, score: float, snapshot: Source, links: Links) -> dict[str, Any]:
    """A record as Dify reads it: all four keys, and metadata without any null, which Dify does not bear."""
    citation = hit.citation
    first, last = citation.lines
    metadata = {
        **document_fields(snapshot.documents[hit.passage.document_id]),
        **passage_fields(hit.passage.id, citation),
        "path": links.document_url(citation.document_id),
        "lines": str(first) if first == last else f"{first}–{last}",
        "char_start": citation.spans[0][0],
        "char_end": citation.spans[-1][1],
        "url": links.url(citation),
    }
    return {
        "content": hit.passage.text,
        "score": score,
        "title": citation_label(citation),
        "metadata": {name: value for name, value in metadata.items() if value not in (None, "")},
    }
