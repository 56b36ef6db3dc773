"""Texts unlike the shipped reports: nothing that a reader could look for gets lost."""

from __future__ import annotations

import gc
import time

import pytest

from corpus.elements import Structure
from corpus.passages import split_passages
from corpus.structure import parse
from corpus.types import Document

MARKDOWN = "text/markdown"
WRAPPED = "这是一个在固定宽度处换行的段落每一行都有二十多字"


def left_out(document: Document, structure: Structure) -> list[tuple[str, str]]:
    return [(x.reason, document.text[slice(*x.span)]) for x in structure.left_out]


def bodies(document: Document) -> list[str]:
    return [x.text for x in split_passages(document, parse(document))]


def paths(structure: Structure) -> list[tuple[str, ...]]:
    return [x.path for x in structure.sections]


@pytest.mark.parametrize("media_type", ["text/plain", MARKDOWN])
@pytest.mark.parametrize(
    "text", ["正文一句。\n---\n重要的一行。", "正文一句。\n\n--------\n重要的一行。", "---\n重要的一行。\n---\n后文。"]
)
def test_a_rule_takes_nothing_with_it(make_document, text, media_type):
    document = make_document(text, media_type=media_type)
    assert any("重要的一行。" in x for x in bodies(document))
    assert {x for _, x in left_out(document, parse(document))} <= {"---", "--------"}


def test_front_matter_is_text(make_document):
    document = make_document("---\ntitle: 某报告\nauthor: 科委\n---\n\n# 一\n\n正文。", media_type=MARKDOWN)
    assert "某报告" in bodies(document)[0]
    assert "科委" in bodies(document)[0]


def test_headings_with_nothing_under_them_are_text(make_document):
    assert bodies(make_document("一、加强组织领导\n二、加大财政投入\n三、强化监督考核")) == [
        "一、加强组织领导\n二、加大财政投入\n三、强化监督考核"
    ]
    assert bodies(make_document("## 宝山区有449家企业", media_type=MARKDOWN)) == ["## 宝山区有449家企业"]


def test_an_empty_heading_belongs_to_the_section_above(make_document):
    structure = parse(make_document("一、甲\n\n正文。\n\n二、乙\n\n三、丙\n（一）丁\n（二）戊"))
    assert paths(structure) == [(), ("一、甲",), ("三、丙",)]
    assert [structure.sections[x.section].path for x in structure.elements] == [
        ("一、甲",),
        (),
        ("三、丙",),
        ("三、丙",),
    ]
    assert [(x.parent, x.level) for x in structure.sections] == [(None, 0), (0, 1), (0, 1)]


@pytest.mark.parametrize("last", ["嘉定区企业300家", "资料来源：区统计局", "区统计局"])
def test_a_last_short_line_is_text(make_document, last):
    assert last in "\n".join(bodies(make_document(f"正文一句。\n\n\n{last}")))


@pytest.mark.parametrize("fact", ["嘉定区企业300家", "资料来源：区统计局"])
def test_a_fact_is_no_caption_however_far_it_stands_apart(make_document, fact):
    assert fact in "\n".join(bodies(make_document(f"正文一句。\n\n\n\n\n{fact}")))


def test_a_short_line_between_large_gaps_is_a_caption(make_document):
    document = make_document("正文一句。\n\n\n科创集聚带\n\n\n一、后\n\n一句。\n\n二句。\n\n三句。")
    assert ("caption", "科创集聚带") in left_out(document, parse(document))


def test_in_a_text_of_large_gaps_a_short_line_is_text(make_document):
    document = make_document("\n\n\n".join(["正文一句。", "正文二句。", "短行一条", "一、后", "三句。"]))
    assert any("短行一条" in x for x in bodies(document))


@pytest.mark.parametrize(
    "text", ["年份\n\n2021\n2022\n2023\n\n正文。", "甲。\n2021\n乙。\n2022\n丙。\n2023\n丁。", "甲。\n5\n6\n7\n乙。"]
)
def test_years_and_numbers_in_a_row_are_no_page_numbers(make_document, text):
    document = make_document(text)
    found = "\n".join(bodies(document))
    assert all(x in found for x in text.split() if x.isdigit())


def test_page_numbers_are_left_out(make_document):
    document = make_document("甲。\n1\n乙。\n2\n丙。\n3\n丁。")
    assert left_out(document, parse(document)) == [("page number", x) for x in "123"]


@pytest.mark.parametrize(
    "text",
    [
        "本章要点如下：\n1. 第一点，这是比较长的内容\n续在第二行的内容。\n2. 第二点。",
        "本章要点如下：\n\n1. 第一点，这是比较长的内容\n续在第二行的内容。\n\n2. 第二点。",
        "本章的要点。\n\n（1）第一点，这是比较长的内容\n续在第二行的内容。\n（2）第二点。",
        "任务如下：\n\n1. 甲事\n\n2. 乙事\n\n3. 丙事",
    ],
)
def test_a_wrapped_item_is_no_heading(make_document, text):
    document = make_document(text)
    structure = parse(document)
    assert paths(structure) == [()]
    assert structure.elements[-1].kind == "list"


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_numbered_heading_above_its_body_stays_one(make_document, gap):
    lines = [
        "任务如下：",
        "1. 加强领导",
        "各区要成立领导小组，明确责任。",
        "2. 加大投入",
        "各区要投入更多的经费，落实到人。",
    ]
    assert paths(parse(make_document(gap.join(lines)))) == [(), ("1. 加强领导",), ("2. 加大投入",)]


def test_a_small_wrapped_paragraph_is_one(make_document):
    structure = parse(make_document(f"{WRAPPED}\n{WRAPPED}\n完了。\n\n另一段。"))
    assert [(x.kind, len(x.spans)) for x in structure.elements] == [("text", 3), ("text", 1)]


def test_lines_of_different_lengths_are_a_list(make_document):
    structure = parse(make_document(f"{WRAPPED}\n{WRAPPED}而且这一行长得多了\n完了。"))
    assert [x.kind for x in structure.elements] == ["list"]


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_fenced_code_is_text(make_document, fence):
    code = f"{fence}\n# 不是标题\n- 不是条目\n---\n1. 不是\n{fence}"
    document = make_document(f"# 甲\n\n正文。\n{code}\n\n# 乙\n\n后文。", media_type=MARKDOWN)
    structure = parse(document)
    assert paths(structure) == [(), ("甲",), ("乙",)]
    assert [x.kind for x in structure.elements] == ["text"] * 3
    assert code in "\n".join(bodies(document))


def test_a_fence_that_is_not_closed_hides_no_heading(make_document):
    assert paths(parse(make_document("```\n正文。\n\n# 甲\n\n正文。", media_type=MARKDOWN))) == [(), ("甲",)]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("区 | 数\n--- | ---\n宝山 | 3\n嘉定 | 4", ("区", "数")),
        ("区 | 数\n- | -\n宝山 | 3\n嘉定 | 4", ("区", "数")),
        ("| 区 | 数 |\n|-|-|\n| 宝山 | 3 |\n| 嘉定 | 4 |", ("区", "数")),
        ("| 区\\|县 | 数 |\n|---|---|\n| 宝\\|山 | 3 |\n| 嘉定 | 4 |", ("区|县", "数")),
        ("| 区 | 数 |\n|---|---|\n| 宝山 |\n| 嘉定 | 4 | 5 |", ("区", "数")),
        ("|  | 数 |\n|---|---|\n| 宝山 | 3 |\n| 嘉定 | |", ("", "数")),
    ],
)
def test_markdown_tables(make_document, text, columns):
    document = make_document(f"# 甲\n\n{text}\n\n后文。", media_type=MARKDOWN)
    structure = parse(document)
    assert [x.kind for x in structure.elements] == ["table", "text"]
    assert structure.elements[0].columns == columns
    assert "嘉定" in bodies(document)[0]


def test_a_wrapped_contents_entry(make_document):
    entries = "一、加快建设具有全球影响力的科技创新中心的\n重要承载区 …… 3\n- 2 -\n二、其他……5"
    document = make_document(f"目录\n{entries}\n\n一、加快建设\n\n正文。")
    structure = parse(document)
    assert [x for reason, x in left_out(document, structure) if reason in ("contents", "page number")] == [
        "目录",
        *entries.split("\n"),
    ]
    assert paths(structure) == [(), ("一、加快建设",)]


@pytest.mark.parametrize("line", ["二、其他……5", "二、其他........5", "其他 ··· - 12 -", "# 其他....12"])
def test_a_line_with_leaders_is_no_heading(make_document, line):
    assert paths(parse(make_document(f"{line}\n\n正文。"))) == [()]


def test_a_first_part_that_names_its_topic_stands_alone(passages):
    (passage,) = [p for p in passages["baoshan-2026-innovation-plan"] if p.text.startswith("眼科视光领域")]
    assert passage.lead == "眼科视光领域"
    assert passage.text.endswith("国产化。")


SIZES = {
    "paragraphs": lambda n: "\n\n".join([WRAPPED + "所以它不会被当成标题或图注"] * n),
    "short lines": lambda n: "\n\n\n".join(f"短行甲乙{i}" for i in range(n)),
    "footnotes": lambda n: "\n".join(
        [f"提到概念[^{i}]。" for i in range(n)] + [f"[^{i}]: 概念：说明。" for i in range(n)]
    ),
    "notes between": lambda n: "\n\n".join(["提到概念¹。\n\n¹ 概念：说明。"] * n),
    "tables": lambda n: "\n\n".join(["数据如下：\n\n甲\t乙\n1\t2"] * n),
    "one wrapped paragraph": lambda n: "\n".join([WRAPPED + "第二句。没有完"] * n),
    "empty headings": lambda n: "\n".join(f"一、标题{i}" for i in range(n)),
}


@pytest.mark.parametrize("size", SIZES)
def test_time_grows_with_the_length(make_document, size):
    def seconds(n: int) -> float:
        document = make_document(SIZES[size](n))
        gc.collect()
        start = time.process_time()
        split_passages(document, parse(document))
        return time.process_time() - start

    few, many = min(seconds(1000) for _ in range(2)), min(seconds(4000) for _ in range(2))
    assert many / few < 10
