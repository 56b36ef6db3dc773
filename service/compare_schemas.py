"""Wire models of the comparison of years; their descriptions are the API's documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.comparisons import MOST_PER_YEAR
from service.schemas import SAID, FiltersIn, NumberedCitationOut, ReasonOut, SentenceOut


class CompareIn(BaseModel):
    """一次对照。"""

    model_config = ConfigDict(extra="forbid", strict=True)

    subject: str = Field(
        description="对照什么：一个区、一个园区，或一个主题", examples=["嘉定区"], json_schema_extra=SAID
    )
    aspect: str | None = Field(None, description="只看哪一方面；省略则凡说到的都算", examples=["集成电路"])
    filters: FiltersIn | None = Field(None, description="只对照这些报告")
    per_year: int = Field(4, ge=1, le=MOST_PER_YEAR, description="每年至多几句")
    expansion: bool = Field(True, description="是否也按段落的扩展问法检索；false 则只按原文")


class ComparedDocumentOut(BaseModel):
    """一份报告。"""

    id: str = Field(description="报告编号")
    title: str = Field(description="标题")


class CellOut(SentenceOut):
    """某一年的一句：text 就是所引原文，逐字不改。"""

    document_id: str = Field(description="报告编号")
    label: str | None = Field(description="对照一个地方时，上文或句中对它的全称，如 嘉定园；不是原文")
    section: list[str] = Field(description="章节路径，由外到内")


class ColumnOut(BaseModel):
    """一年。没有说到的，cells 为空，reason 说明原因；没有报告的年份不列。"""

    year: int = Field(description="报告所述年份")
    documents: list[ComparedDocumentOut] = Field(description="这一年的报告")
    mentioned: int = Field(description="有几个段落说到：对照一个地方时为全部，否则为最相近的几段之中")
    cells: list[CellOut] = Field(description="这一年说了什么：最相关的段落在前，同一段落内依原文的次序")
    reason: ReasonOut | None = Field(description="这一年没有可列的，是什么原因")


class CompareOut(BaseModel):
    """同一事项，逐年对照，全部出自同一代索引。"""

    subject: str = Field(description="对照的是什么")
    aspect: str | None = Field(description="只看的方面")
    place: str | None = Field(description="对照的是一个地方时，它的简称；是主题时为 null")
    generation: str = Field(description="索引的代号")
    took_ms: float = Field(description="用时（毫秒）")
    notices: list[str] = Field(description="读者须知：对所写的字是怎样理解的")
    columns: list[ColumnOut] = Field(description="各年，由早到晚")
    citations: list[NumberedCitationOut] = Field(description="各句的出处，编号连贯")


class SubjectOut(BaseModel):
    """一个可以对照的地方。"""

    name: str = Field(description="名称；简称与各种全称（嘉定、嘉定区、嘉定园）是同一个")
    kind: Literal["district", "park", "place"] = Field(description="district 区、park 园区、place 其他")
    years: list[int] = Field(description="哪些年的报告说到它")
    passages: int = Field(description="有几个段落说到它")


class SubjectsOut(BaseModel):
    """可以对照的地方。"""

    subjects: list[SubjectOut] = Field(description="说到的年份多的在前")
