"""OpenAI's Embeddings over kewen's encoder: any tool that keeps vectors of its own can use the same."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, WithJsonSchema

from index.types import Encoder, Floats
from service.assistant import Assistant
from service.errors import KewenError, echo
from service.links import Links
from service.openai_schemas import REFUSED, TAGS
from service.routes.turns import in_turn_of
from service.tokens import count
from service.turnstile import Place

QUERY, PASSAGE = "kewen-embedding-query", "kewen-embedding-passage"
MODELS: Mapping[str, str] = {
    QUERY: "问题的向量：拿去与段落的向量比较",
    PASSAGE: "段落的向量：存入向量库",
}
"""Model ids, and what each is for. Two, because many encoders read a question and a passage differently."""

_MOST = 2048
# An input may be a passage, or a whole page: so many times as long as a question.
_LONGER = 10
_STRINGS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": _MOST}]}


class EmbeddingsIn(BaseModel):
    """OpenAI Embeddings 的请求；这里没有列出的字段不起作用。"""

    model: str = Field(
        description=f"{QUERY}（问题）或 {PASSAGE}（段落）",
        examples=[PASSAGE],
        json_schema_extra={"enum": [QUERY, PASSAGE]},
    )
    input: Annotated[Any, WithJsonSchema(_STRINGS)] = Field(
        description=f"一段文字，或至多 {_MOST} 段；不接受 token 编号", examples=[["宝山区有多少家生物医药企业？"]]
    )
    dimensions: int | None = Field(None, description="只能是编码器本身的维数，或省略")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="float（默认）为数组，base64 为小端 float32 的字节"
    )


class EmbeddingOut(BaseModel):
    """一段文字的向量。"""

    object: Literal["embedding"] = Field(description="总是 embedding")
    index: int = Field(description="第几段文字，自 0 起")
    embedding: list[float] | str = Field(description="向量，长度为 1；没有编码器认得的字词时全为 0")


class UsageOut(BaseModel):
    """用量。"""

    prompt_tokens: int = Field(description="约数：汉字逐字计，字母与数字每串计一，其他符号逐个计")
    total_tokens: int = Field(description="同上")


class EmbeddingsOut(BaseModel):
    """各段文字的向量，次序与请求相同。"""

    object: Literal["list"] = Field(description="总是 list")
    data: list[EmbeddingOut] = Field(description="向量")
    model: str = Field(description="所用的模型")
    usage: UsageOut = Field(description="用量")


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The route over an assistant's encoder; embeddings cite nothing, so `links` stay unused."""
    routes = APIRouter(tags=TAGS, responses=REFUSED)

    @routes.post("/v1/embeddings", summary="嵌入", operation_id="create_embedding", response_model=EmbeddingsOut)
    async def embeddings(body: EmbeddingsIn, request: Request) -> JSONResponse:
        """以 OpenAI Embeddings 的格式取向量，出自检索所用的同一编码器。

        问题用 `kewen-embedding-query`，段落用 `kewen-embedding-passage`；两者的内积即余弦。
        """

        def encoded(place: Place) -> JSONResponse:
            with place:
                return _embeddings(assistant, body)

        return await in_turn_of(request, encoded)

    return routes


def _embeddings(assistant: Assistant, body: EmbeddingsIn) -> JSONResponse:
    """The answer to a request.

    Raises:
        KewenError: `model_not_found`, `invalid_request`, or as loading the encoder.
    """
    if body.model not in MODELS:
        known = "、".join(MODELS)
        raise KewenError("model_not_found", f"没有嵌入模型 {echo(body.model, 60)}。可用：{known}。", {"param": "model"})
    texts = _texts(body.input, assistant.settings.max_question * _LONGER)
    vectors = _encode(assistant.encoder(), body, texts)
    tokens = sum(map(count, texts))
    # Half a million numbers: rendered as they are, without a model's check of each.
    return JSONResponse(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": n, "embedding": _rendered(vector, body.encoding_format)}
                for n, vector in enumerate(vectors)
            ],
            "model": body.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def whole_characters(text: str) -> str:
    """The text without halves of surrogate pairs, each a replacement character: clients cut text within an emoji."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _texts(given: object, longest: int) -> list[str]:
    """The inputs.

    Raises:
        KewenError: `invalid_request` with the `param` input.
    """
    inputs: Sequence[object] = given if isinstance(given, list) else [given]
    if not inputs:
        raise _refused("input 是空的。请给出至少一段文字。")
    if len(inputs) > _MOST:
        raise _refused(f"input 至多 {_MOST} 段（现为 {len(inputs)} 段）。请分批。")
    texts = []
    for n, text in enumerate(inputs, start=1):
        if isinstance(text, int | list) and not isinstance(text, bool):
            raise _refused("input 应为文字。token 编号出自别的分词器，这里无从还原。")
        if not isinstance(text, str):
            raise _refused("input 应为一段文字，或文字的列表。")
        if not text.strip():
            raise _refused(f"input 的第 {n} 段是空的。")
        if len(text) > longest:
            raise _refused(f"input 的第 {n} 段超过 {longest} 字（现为 {len(text)} 字）。请切分后再取向量。")
        texts.append(whole_characters(text))
    return texts


def _encode(encoder: Encoder, body: EmbeddingsIn, texts: Sequence[str]) -> Floats:
    """float32 `[texts, dim]`.

    Raises:
        KewenError: `invalid_request` with the `param` dimensions.
    """
    if body.dimensions not in (None, encoder.dim):
        raise KewenError(
            "invalid_request",
            f"编码器的向量为 {encoder.dim} 维，不能截短。请省略 dimensions，或设为 {encoder.dim}。",
            {"param": "dimensions"},
        )
    return encoder.encode_queries(texts) if body.model == QUERY else encoder.encode_passages(texts)


def _rendered(vector: Floats, encoding: str | None) -> list[float] | str:
    """As an array, or as the base64 of little-endian float32 (openai-python asks for it unless told otherwise)."""
    if encoding != "base64":
        numbers: list[float] = vector.tolist()
        return numbers
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def _refused(message: str) -> KewenError:
    return KewenError("invalid_request", message, {"param": "input"})
