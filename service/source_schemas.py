"""Wire models of the source: its text, and a citation of any words of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from service.schemas import CitationOut

Page = Annotated[list[int], Field(min_length=2, max_length=2)]


class TextOut(BaseModel):
    """一段原文。"""

    document_id: str = Field(description="报告编号")
    sha256: str = Field(description="文件的 sha256；与先前的不同，即报告已换成新版")
    start: int = Field(description="起始位置")
    end: int = Field(description="结束位置（不含）")
    text: str = Field(description="原文，逐字不改")
    line: int = Field(description="起始位置所在的行号，自 1 起")
    pages: list[Page] | None = Field(
        description="起始位置所在的页和其后在这一段中开始的页，各为 [页码, 该页开始的位置]；没有页的格式为 null"
    )


class ReferenceOut(CitationOut):
    """任意几处原文的出处，和可以直接粘贴的几种写法。"""

    is_changed: bool = Field(
        description="报告在引用之后有过改动。此时出处与各种写法依当时的原文；没有留下当时的原文的，quote 与各种写法为 null"
    )
    quote: str | None = Field(description="所引的原文，逐字不改")
    text: str | None = Field(description="文字：“所引原文”（出处）")
    footnote: str | None = Field(description="脚注，依 GB/T 7714—2025")
    markdown: str | None = Field(description="Markdown：引用块，下接出处的链接")
