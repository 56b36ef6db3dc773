"""Wire models of pages as pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

BoxOut = Annotated[list[float], Field(min_length=4, max_length=4)]


class PageOut(BaseModel):
    """PDF 的一页，和所引文字在页面上的位置。"""

    page: int = Field(description="页码，自 1 起")
    pages: int = Field(description="共几页")
    width: float = Field(description="页宽（点，1/72 英寸）")
    height: float = Field(description="页高（点）")
    boxes: list[BoxOut] = Field(
        description="所引文字在这一页上的方框，每行一个：[左, 上, 宽, 高]，单位为点，自页面左上角起；文字不在这一页时为空"
    )
    is_exact: bool = Field(
        description="方框恰好框住所引文字在这一页上的各个字；false 则在图上定不出位置（如扫描页，或资料已更新），没有方框"
    )
