"""Wire models of the HTTP API, at the boundary only; their descriptions are the API's documentation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from index.types import MODES
from service.answers import ANSWER_MODES

LONGEST_TEXT = 500
"""Characters of a title, a series, a kind or an issuer."""
SAID: dict[str, JsonValue] = {"minLength": 1, "maxLength": 2000, "pattern": "\\S"}
"""What is described of a question. It is checked where all doors check it, and refused with a code of its own."""

Ids = Annotated[
    list[str], Field(max_length=20, description="不要当真的理解（readings 里的 id 或 surface），它们的字句照字面检索")
]
Offsets = Annotated[list[int], Field(min_length=2, max_length=2)]
Kind = Literal["text", "list", "table", "footnote"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FiltersIn(_Request):
    """检索范围；省略的不限。"""

    document_ids: list[str] | None = Field(None, description="只查这些报告（编号）", min_length=1, max_length=1000)
    years: list[Annotated[int, Field(ge=0, le=9999)]] | None = Field(
        None, description="年份的首尾，含两端，如 [2022, 2025]", min_length=2, max_length=2
    )
    series: str | None = Field(None, description="只查这个系列", min_length=1)


class SearchIn(_Request):
    """一次检索。"""

    query: str = Field(
        description="问题或关键词，至多 2000 字", examples=["宝山区有多少家生物医药企业？"], json_schema_extra=SAID
    )
    top_k: int | None = Field(None, ge=1, le=100, description="返回几个段落，默认 5")
    mode: str = Field(
        "hybrid",
        description="hybrid（混合）、dense（向量）或 lexical（词面）",
        json_schema_extra={"enum": [*MODES]},
    )
    filters: FiltersIn | None = Field(None, description="检索范围")
    expansion: bool = Field(True, description="是否也按段落的扩展问法检索；false 则只按原文")
    literal: bool = Field(False, description="true 则按字面检索，不理解年份、地点、拼音等")
    ignore: Ids = []
    explain: bool = Field(False, description="true 则说明每段为何找到")


class AskIn(_Request):
    """一次提问。"""

    question: str = Field(
        description="问题，至多 2000 字", examples=["宝山一年办多少场科普活动？"], json_schema_extra=SAID
    )
    top_k: int | None = Field(None, ge=1, le=100, description="返回几个段落，默认 5")
    mode: str | None = Field(
        None,
        description="extractive（摘录原文）、generative（大语言模型）或 passages（只给段落）；默认依设置",
        json_schema_extra={"enum": [*ANSWER_MODES, None]},
    )
    filters: FiltersIn | None = Field(None, description="检索范围")
    history: list[str] = Field([], description="此前的问题，先问的在前；追问据此补全", max_length=100)
    stream: bool = Field(False, description="true 则以 server-sent events 逐句返回")
    expansion: bool = Field(True, description="是否也按段落的扩展问法检索；false 则只按原文")
    literal: bool = Field(False, description="true 则按字面检索，不理解年份、地点、拼音等")
    ignore: Ids = []


class CitationOut(BaseModel):
    """一处出处：可逐字回查原文。"""

    document_id: str = Field(description="报告编号")
    title: str = Field(description="报告标题")
    year: int = Field(description="报告所述年份")
    section: list[str] = Field(description="章节路径，由外到内")
    lead: str | None = Field(description="段首小标题、表题或注释的词条")
    restored: list[str] = Field(description="章节路径中由编者补上、原文没有的标题，显示为〔…〕")
    pages: Offsets | None = Field(description="首尾页码；无页码的报告为 null")
    lines: Offsets = Field(description="首尾行号，自 1 起")
    spans: list[Offsets] = Field(description="在原文中的位置 [起, 止)，按 Unicode 码位计")
    label: str = Field(description="可直接引用的一行出处")
    url: str = Field(description="打开原文并定位到所引文字的链接；有密钥时带签名，30 天内有效")


class PassageOut(BaseModel):
    """一个段落。"""

    passage_id: str = Field(description="段落编号：报告编号:起-止")
    kind: Kind = Field(description="text 正文、list 列举、table 表格、footnote 脚注")
    text: str = Field(description="原文，逐字不改")
    columns: list[str] = Field(description="表格的列名")
    citation: CitationOut = Field(description="出处")


class ReadingOut(BaseModel):
    """从问题里理解出的一点；literal 为 true 时没有，ignore 里的也没有。"""

    id: str = Field(description="在这个问题里的编号，放进 ignore 即不再这样理解")
    kind: Literal["filler", "name", "year", "latest", "target", "place", "split"] = Field(description="种类")
    surface: str = Field(description="问题中的原话")
    value: str = Field(description="理解成什么")
    message: str = Field(description="给用户看的一行说明")


class SentenceOut(BaseModel):
    """答案的一句。"""

    text: str = Field(description="摘录时为所引原文，逐字不改；生成时为模型的话，已逐句核对")
    citations: list[int] = Field(description="所依据的出处的编号")
    marks: list[Offsets] = Field(description="作答的字词在 text 中的位置")
    label: str | None = Field(description="比较时这一句说的是哪一方，如 2022年；不是原文")


class NumberedCitationOut(CitationOut):
    """答案的一处出处。"""

    number: int = Field(description="编号，自 1 起")
    quote: str = Field(description="所引原文，逐字不改")
    passage_id: str = Field(description="所在段落的编号")


class ReasonOut(BaseModel):
    """为什么没有答案。"""

    code: Literal["no_passage", "no_place_year", "no_figure", "not_covered"] = Field(description="固定的代码")
    message: str = Field(description="给用户看的一句话")


class DocumentOut(BaseModel):
    """一份报告。"""

    id: str = Field(description="报告编号")
    title: str = Field(description="标题")
    title_basis: str | None = Field(description="标题的依据；写明的没有依据")
    year: int = Field(description="报告所述年份")
    year_basis: str | None = Field(description="年份的依据")
    series: str = Field(description="系列")
    kind: str = Field(description="类别")
    issuer: str | None = Field(description="发布机构")
    file: str | None = Field(description="文件名")
    media_type: str = Field(description="文件类型")
    pages: int | None = Field(description="页数；没有页的格式为 null")
    notes: list[str] = Field(description="怎样读的，略去了什么")
    sha256: str = Field(description="文件的 sha256")
    characters: int = Field(description="字数（Unicode 码位）")
    passages: int = Field(description="段落数")
    own: bool = Field(description="自有的资料，可以更正；否则在报告文件夹中，移除只是不再检索")


class RemovedOut(BaseModel):
    """报告文件夹中一份已移除的报告。"""

    id: str = Field(description="报告编号")
    title: str = Field(description="标题")
    year: int = Field(description="报告所述年份")


class DocumentsOut(BaseModel):
    """全部报告。"""

    documents: list[DocumentOut] = Field(description="报告，按清单的次序")
    removed: list[RemovedOut] = Field(description="报告文件夹中已移除、可以恢复的报告")


class AboutIn(_Request):
    """对一份资料的更正；省略的不变。"""

    title: str | None = Field(None, description="题名", min_length=1, max_length=LONGEST_TEXT)
    year: int | None = Field(None, description="所述年份", ge=1900, le=2100)
    series: str | None = Field(None, description="系列", min_length=1, max_length=LONGEST_TEXT)
    kind: str | None = Field(None, description="类别", min_length=1, max_length=LONGEST_TEXT)
    issuer: str | None = Field(None, description="发布机构", min_length=1, max_length=LONGEST_TEXT)


class ChangedOut(BaseModel):
    """一份文件或资料的结果。"""

    file: str = Field(description="文件名")
    status: str = Field(
        description="成功：ok、replaced、updated、unchanged、duplicate_of、removed；其余为没有加入的缘由，如 encrypted"
    )
    message: str = Field(description="另须知道的")
    id: str | None = Field(description="资料的编号；没有加入的为 null")
    document: DocumentOut | None = Field(description="资料现在的样子")


class LibraryReportOut(BaseModel):
    """对资料的一次改动的结果。"""

    documents: list[ChangedOut] = Field(description="每份文件一项，次序与请求相同")
    generation: str = Field(description="含有这次改动的索引的代号")
    seconds: float = Field(description="用时（秒）")


class SectionOut(BaseModel):
    """一个章节。"""

    path: list[str] = Field(description="章节路径，由外到内")
    level: int = Field(description="层级，自 1 起")
    restored: bool = Field(description="标题由编者补上，原文没有")
    span: Offsets = Field(description="在原文中的位置 [起, 止)")


class OutlineOut(BaseModel):
    """一份报告的章节与段落。"""

    document: DocumentOut = Field(description="报告")
    sections: list[SectionOut] = Field(description="章节，按原文的次序")
    passages: list[PassageOut] | None = Field(description="段落，按原文的次序；请求时 passages 为 false 的为 null")


class HealthOut(BaseModel):
    """服务在运行。"""

    status: Literal["ok"] = Field(description="总是 ok")
    version: str = Field(description="程序版本")


class ReadyOut(BaseModel):
    """索引已就绪。"""

    status: Literal["ready"] = Field(description="总是 ready")
    generation: str = Field(description="索引的代号")
    documents: int = Field(description="报告数")
    passages: int = Field(description="段落数")


class ErrorBody(BaseModel):
    """错误的内容。"""

    code: str = Field(description="固定的错误代码")
    message: str = Field(description="哪里不对，该怎么办")
    detail: dict[str, Any] = Field(description="补充信息")
    request_id: str = Field(description="请求编号，与响应头 X-Request-ID 相同")


class ErrorOut(BaseModel):
    """出错时的响应。"""

    error: ErrorBody = Field(description="错误的内容")
