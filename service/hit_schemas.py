"""Wire models of what was found and answered; the rest are in `schemas.py`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from index.reasons import Where
from service.schemas import CitationOut, Kind, NumberedCitationOut, Offsets, ReadingOut, ReasonOut, SentenceOut

_WHERE = "text 在原文中，heading 只在标题、段首小标题或列名中，expansion 只在扩展问法（不是原文）中"


class ExpansionOut(BaseModel):
    """一条扩展问法：检索用语，由语言模型依原文撰写，不是原文，不可引用。"""

    text: str = Field(description="扩展问法")
    kind: Literal["question", "keywords", "names"] = Field(description="question 问句、keywords 检索词、names 别名")
    origin: str = Field(description="由谁、依据什么写成")


class WordOut(BaseModel):
    """问题里的一个词，这一段也有。"""

    text: str = Field(description="问题中的写法")
    weight: float = Field(description="这个词占问题的几成；问题的各词合为 1")
    where: Where = Field(description=_WHERE)
    spans: list[Offsets] = Field(description="在原文中的各处；跨页的词有两处")


class MeaningOut(BaseModel):
    """问题里的一个词，这一段没有，而有意思相近的词。"""

    asked: str = Field(description="问题中的词")
    found: str = Field(description="这一段中最相近的词")
    likeness: float = Field(description="有多相近，0 到 1")
    weight: float = Field(description="这个词占问题的几成；问题的各词合为 1")
    where: Where = Field(description=_WHERE)
    spans: list[Offsets] = Field(description="相近的词在原文中的各处")


class WhyOut(BaseModel):
    """一段为何找到，要紧的在前。"""

    words: list[WordOut] = Field(description="字词相同的")
    meanings: list[MeaningOut] = Field(description="意思相近的；只有随附的编码器能说明")


class HitOut(BaseModel):
    """一个命中的段落。"""

    rank: int = Field(description="名次，自 1 起")
    score: float = Field(description="排序分，只在同一次检索内可比")
    signals: dict[str, float] = Field(
        description="各路检索看到问题的几成，0 到 1：dense 按意思，lexical 按字词；expansion 为扩展问法加的分"
    )
    passage_id: str = Field(description="段落编号")
    kind: Kind = Field(description="段落种类")
    text: str = Field(description="原文，逐字不改")
    citation: CitationOut = Field(description="出处")
    highlights: list[Offsets] = Field(description="最能回答问题的句子在原文中的位置")
    expansion: ExpansionOut | None = Field(description="因哪条扩展问法而命中；不是原文，不可引用")
    why: WhyOut | None = Field(description="为何找到；explain 为 true 时才有")


class SearchOut(BaseModel):
    """检索结果，全部出自同一代索引。"""

    query: str = Field(description="所查的问题")
    generation: str = Field(description="索引的代号")
    took_ms: float = Field(description="用时（毫秒）")
    readings: list[ReadingOut] = Field(description="从问题里理解出的年份、地点等")
    hits: list[HitOut] = Field(description="命中的段落，按相关程度排列")


class AskOut(BaseModel):
    """答案；报告中没有依据时 abstained 为 true，hits 只是相近的段落。"""

    question: str = Field(description="所问的问题")
    resolved: str = Field(description="结合此前的问题补全后的问题")
    answer: str = Field(description="完整的答案，句末为出处编号")
    abstained: bool = Field(description="报告中没有找到依据")
    reason: ReasonOut | None = Field(description="没有答案的原因")
    confidence: float = Field(description="报告中有答案的把握，0 到 1")
    mode: Literal["extractive", "generative", "passages"] = Field(description="实际的作答方式")
    sentences: list[SentenceOut] = Field(description="答案的各句")
    citations: list[NumberedCitationOut] = Field(description="答案的出处")
    notices: list[str] = Field(description="读者须知：略去了什么，什么没有用上")
    readings: list[ReadingOut] = Field(description="从问题里理解出的年份、地点等")
    generation: str = Field(description="索引的代号")
    took_ms: float = Field(description="用时（毫秒）")
    hits: list[HitOut] = Field(description="命中的段落，按相关程度排列")
