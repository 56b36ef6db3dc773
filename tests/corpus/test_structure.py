"""Section paths, leads and kinds at places where a parser goes wrong; written by hand from the reports."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from corpus.elements import split_row
from corpus.passages import split_passages
from corpus.structure import parse
from corpus.types import Document, EditorialHeading, Passage, join_spans

PLACES = [
    json.loads(line) for line in (Path(__file__).parent / "hard_places.jsonl").read_text(encoding="utf-8").splitlines()
]


def folded(text: str) -> str:
    """Without white space, bold and note marks: places are written as one reads them."""
    return re.sub(r"\s+|\*\*|[¹²³⁴]", "", text)


@pytest.mark.parametrize("place", PLACES, ids=[f"{p['why']}-{p['quote'][:12]}" for p in PLACES])
def test_hard_place(place: dict, passages: dict[str, list[Passage]]):
    found = [
        p
        for p in passages[place["document_id"]]
        if folded(place["quote"]) in folded(p.text) and (p.kind == "footnote") == (place["kind"] == "footnote")
    ]
    assert len(found) == 1
    assert list(found[0].section) == place["section"]
    assert found[0].kind == place["kind"]
    if "lead" in place:
        assert folded(found[0].lead or "") == folded(place["lead"] or "")


def test_there_are_enough_hard_places_of_each_sort():
    assert len(PLACES) >= 60
    for why in ("page break", "footnote", "table", "restored heading", "lead", "caption"):
        assert any(place["why"] == why for place in PLACES)


def test_restored_headings_are_marked_and_no_other(passages):
    restored = {
        name for p in passages["shanghai-2025-districts"] for name, r in zip(p.section, p.restored, strict=True) if r
    }
    assert len(restored) == 12
    assert "长宁区" in restored
    assert "浦东新区" not in restored
    assert not any(any(p.restored) for p in passages["baoshan-2026-innovation-plan"])


def test_a_misplaced_heading_is_source_text(passages):
    moved = [p for p in passages["shanghai-2024-zhangjiang-parks"] if p.section == ("跨区域协同创新持续推进",)]
    assert len(moved) == 2
    assert not any(any(p.restored) for p in moved)


def test_table_rows_have_their_column_heads(passages):
    (table,) = [p for p in passages["baoshan-2026-innovation-plan"] if p.kind == "table"]
    assert table.columns == ("序号", "指标名称", "2030 年 目标值")
    assert table.lead == "表 1 宝山区科技创新“十五五”规划主要指标"
    assert table.text.startswith("主要指标如下：")
    assert "11\t公民科学素质水平达标率\t30%" in table.text


def test_footnotes_stand_with_their_terms(passages):
    notes = [p for p in passages["baoshan-2026-innovation-plan"] if p.kind == "footnote"]
    assert [p.lead for p in notes] == ["先租后股", "先服务后股", "咨募投服", "0-1-10-100"]
    assert notes[3].section[-1] == "（二）成果转化链条更趋完善"


def test_nothing_is_left_out_without_a_reason(structures):
    reasons = {x.reason for structure in structures.values() for x in structure.left_out}
    assert reasons == {"title", "contents", "heading", "caption"}
    captions = [
        document_id
        for document_id, structure in structures.items()
        for x in structure.left_out
        if x.reason == "caption"
    ]
    assert len(captions) == 6


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (
            "第一章 总则\n\n第一节 目的\n\n为了发展。\n\n第二章 附则\n\n自发布之日起施行。",
            [("第一章 总则", "第一节 目的"), ("第二章 附则",)],
        ),
        ("一、甲\n\n（一）乙\n\n1. 丙\n\n（1）丁\n\n正文一句。", [("一、甲", "（一）乙", "1. 丙", "（1）丁")]),
        (
            "2.1 甲\n\n一句。\n\n2.1.1 乙\n\n二句。\n\n2.2 丙\n\n三句。",
            [("2.1 甲",), ("2.1 甲", "2.1.1 乙"), ("2.2 丙",)],
        ),
        ("嘉定区\n聚焦汽车。\n\n金山区\n聚焦化工。", [("嘉定区",), ("金山区",)]),
    ],
)
def test_numbering_of_other_documents(make_document, text, paths):
    structure = parse(make_document(text))
    assert [structure.sections[x.section].path for x in structure.elements] == paths


def test_markdown_paragraphs_lists_and_tables(make_document):
    text = "# 标题\n\n## 甲\n\n一句话\n接着说。\n\n- 一\n- 二\n\n| 区 | 数 |\n|---|---|\n| 宝山 | 3 |\n\n### 乙\n\n短语无句号\n\n## 丙\n\n末。"
    structure = parse(make_document(text, media_type="text/markdown"))
    kinds = [(x.kind, structure.sections[x.section].path) for x in structure.elements]
    assert kinds == [
        ("text", ("甲",)),
        ("list", ("甲",)),
        ("table", ("甲",)),
        ("text", ("甲", "乙")),
        ("text", ("丙",)),
    ]
    assert structure.elements[2].columns == ("区", "数")


def test_a_numbered_list_is_no_row_of_headings(make_document):
    structure = parse(make_document("任务如下：\n1. 甲事\n2. 乙事\n3. 丙事\n\n一、后\n\n一句。"))
    assert [x.kind for x in structure.elements] == ["list", "text"]
    assert len(structure.elements[0].spans) == 1


def test_hard_wrapped_text_is_one_paragraph(make_document):
    line = "这是一段在固定宽度处换行的正文因此每一行都一样长"
    text = "\n".join([line] * 12) + "完。"
    structure = parse(make_document(text))
    assert len(structure.elements) == 1
    assert len(structure.elements[0].spans) == 12


def test_a_manifest_that_does_not_fit_is_named(make_document):
    from corpus.tokens import ManifestMismatch

    document: Document = make_document("甲。\n\n乙。", editorial_headings=(EditorialHeading("丙", "丁"),))
    with pytest.raises(ManifestMismatch, match="丙"):
        parse(document)


def test_a_row_keeps_its_empty_cells(make_document):
    document = make_document("表1 名单\n\n　\t2024年\t2025年\n企业\t\t12\n\t8\t9\n")
    (table,) = [x for x in parse(document).elements if x.kind == "table"]
    rows = [x for x in join_spans(document.text, table.spans).splitlines()[1:] if x]
    assert [split_row(row) for row in rows] == [("", "2024年", "2025年"), ("企业", "", "12"), ("", "8", "9")]


REGULATION = """第一章 总则

第一节 一般规定

第一条 为了促进科技创新，制定本办法。
第二条 本市的科技创新活动，适用本办法。

第三条 市科学技术部门履行下列职责：

（一）组织编制科技创新规划；

（二）推动科技成果转化。

区科学技术部门负责本行政区域内的工作。

第二章 转化

第四条（作价入股） 高等学校可以先投后股。

“第一条生产线”投产，第一条 是谁。
"""


@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown"])
def test_an_article_of_a_regulation_is_a_section_that_its_number_opens(make_document, media_type):
    document = make_document(REGULATION, media_type=media_type)
    passages = split_passages(document, parse(document))
    assert [(x.section[-1], x.text.splitlines()[0][:12]) for x in passages] == [
        ("第一条", "第一条 为了促进科技创新"),
        ("第二条", "第二条 本市的科技创新活"),
        ("第三条", "第三条 市科学技术部门履"),
        ("第四条（作价入股）", "第四条（作价入股） 高等"),
    ]
    assert passages[0].section == ("第一章 总则", "第一节 一般规定", "第一条")
    assert passages[2].text.endswith("区科学技术部门负责本行政区域内的工作。")
