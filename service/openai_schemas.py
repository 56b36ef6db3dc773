"""What OpenAI's clients send, read liberally: fields that mean nothing here are passed over."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.answers import ANSWER_MODES
from service.schemas import FiltersIn

CHAT_MODELS = ("kewen", "kewen-plain", *(f"kewen-{mode}" for mode in ANSWER_MODES))
TAGS: list[str | Enum] = ["OpenAI 兼容接口"]


class FaultOut(BaseModel):
    """OpenAI 的错误内容。"""

    message: str = Field(description="哪里不对，该怎么办")
    type: str = Field(description="错误的类别")
    param: str | None = Field(description="哪个字段不对")
    code: str = Field(description="固定的错误代码")


class ErrorOut(BaseModel):
    """OpenAI 的错误对象。"""

    error: FaultOut = Field(description="错误的内容")


REFUSED: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorOut, "description": "请求不合要求，或缺少密钥"}}
"""FastAPI would describe a 422 of its own, which these routes never give."""


class MessageIn(BaseModel):
    """一条消息。"""

    role: str = Field(description="user 为提问；其余（system、assistant、tool…）不作问题")
    content: str | list[Any] | None = Field(None, description="文字，或 `[{type: text, text}]`；其他类型略过")

    @property
    def text(self) -> str:
        """The text of all parts; images and other parts have none."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        parts = [x.get("text") for x in self.content if isinstance(x, dict) and x.get("type") == "text"]
        return "\n".join(x for x in parts if isinstance(x, str))


class KnobsIn(BaseModel):
    """科问自己的选项。"""

    model_config = ConfigDict(extra="forbid", strict=True)

    top_k: int | None = Field(None, ge=1, le=100, description="检索几个段落，默认 5")
    mode: str | None = Field(None, description="extractive、generative 或 passages；默认依模型名")
    filters: FiltersIn | None = Field(None, description="检索范围")
    sources: bool = Field(True, description="正文末尾是否列出来源")


class ChatIn(BaseModel):
    """OpenAI Chat Completions 的请求；这里没有列出的字段不起作用。"""

    model: str = Field(
        description="模型名，见 /v1/models", examples=["kewen"], json_schema_extra={"enum": [*CHAT_MODELS]}
    )
    messages: list[MessageIn] = Field(
        description="对话；末一条 user 消息是问题",
        min_length=1,
        examples=[[{"role": "user", "content": "宝山区有多少家生物医药企业？"}]],
    )
    stream: bool | None = Field(None, description="true 则逐句返回")
    stream_options: dict[str, Any] | None = Field(None, description="`{include_usage: true}` 则末尾另发用量")
    kewen: KnobsIn | None = Field(None, description="科问自己的选项")

    @property
    def includes_usage(self) -> bool:
        return (self.stream_options or {}).get("include_usage") is True
