"""What kind of answer a question asks for, and whether a sentence can hold one."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.kinds import Kind, Wanted, figure_span, fits, focus, sub_questions, wanted

KINDS = get_args(Kind)
# What questions are made of, so that generated ones meet the rules often.
PIECES = [
    "多少",
    "几",
    "家",
    "个",
    "亿元",
    "哪些",
    "哪年",
    "谁",
    "吗",
    "为什么",
    "怎么",
    "是什么意思",
    "排第几",
    "占比",
    "how",
    "many",
    "what",
    "who",
    "2022年",
    "宝山",
    "，",
    "？",
    "；",
    ".",
    "1,200",
    "35%",
    "第三",
    "分之",
]
questions = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=8).map(" ".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("question", "kind", "unit"),
    [
        ("科普活动一年办多少场？", "how_many", "场"),
        ("宝山有几家概念验证中心", "how_many", "家"),
        ("面积多少平方米", "how_many", "平方米"),
        ("规模要做到多少亿？", "how_many", "亿"),
        ("研发投入占比是多少", "how_many", "%"),
        ("占全市百分之几", "how_many", "%"),
        ("租房补贴每个月多少钱", "how_many", "元"),
        ("How many incubators does Baoshan have?", "how_many", ""),
        ("What percentage of firms grew?", "how_many", "%"),
        ("数量在上海排第几？", "rank", ""),
        ("全市排名如何", "rank", ""),
        ("上海吴淞材料实验室是哪年启用的？", "when", ""),
        ("什么时候启用", "when", ""),
        ("启用是几月几日", "when", "日"),
        ("When was it opened?", "when", ""),
        ("“中央科创区”放在哪里", "where", ""),
        ("哪个区在给它们盖房子", "where", ""),
        ("Which district is home to it?", "where", ""),
        ("园区地址在哪", "where", "址"),
        ("跟哪家银行签了合作", "who", ""),
        ("宝山区区长是谁", "who", "谁"),
        ("“先租后股”是什么意思", "definition", "先租后股"),
        ("什么叫先投后股", "definition", "先投后股"),
        ("“咨募投服”是什么的缩写", "definition", "咨募投服"),
        ("什么是VPP？", "definition", "vpp"),
        ("VPP是什么意思", "definition", "vpp"),
        ("四大阵地是哪四个", "list", ""),
        ("有哪些众创空间", "list", ""),
        ("请列出基本原则", "list", ""),
        ("2022年和2025年的提法有什么不一样", "comparison", ""),
        ("徐汇和长宁有什么区别", "comparison", ""),
        ("宝山支持绿色债券吗", "yes_no", ""),
        ("Does Baoshan support green bonds?", "yes_no", ""),
        ("为什么要转型", "why", "因"),
        ("Why does it change?", "why", "因"),
        ("怎么申请", "how", ""),
        ("How does Baoshan plan it?", "how", ""),
        ("宝山的主导产业", "what", ""),
    ],
)
def test_kind_and_unit(question, kind, unit):
    assert wanted(question) == Wanted(kind, unit)


@pytest.mark.parametrize("question", ["过几年敲钟", "近几年怎么做", "这几家公司做什么", "前几名公司做什么"])
def test_a_vague_few_asks_for_no_figure(question):
    assert wanted(question).kind != "how_many"


@pytest.mark.parametrize("question", ["企业几乎都在园区吗", "为什么几乎没有", "几何结构怎么设计"])
def test_a_word_with_few_in_it_asks_for_no_figure(question):
    assert wanted(question).kind != "how_many"


def test_a_definition_that_names_a_share_asks_for_no_percentage():
    assert wanted("What is a share-for-rent scheme?").unit == ""


@pytest.mark.parametrize(
    ("question", "text", "fit"),
    [
        ("有多少家", "企业 449 家。", 1.0),
        ("有多少家", "企业 ４４９ 家。", 1.0),
        ("有多少家", "五家企业。", 1.0),
        ("有多少家", "200多家企业。", 1.0),
        ("有多少家", "项目 34 个。", 0.7),
        ("有多少家", "长 449 米。", 0.4),
        ("有多少家", "企业很多。", 0.0),
        ("有多少", "五家。", 1.0),
        ("规模多少亿", "突破 200 亿元。", 1.0),
        ("规模多少亿", "突破 200 元。", 0.0),
        ("投资额多少亿元", "2亿美元", 1.0),
        ("补贴多少钱", "补贴500元", 1.0),
        ("补贴多少钱", "补贴500项", 0.0),
        ("占比多少", "占 3%", 1.0),
        ("占比多少", "占十分之一", 1.0),
        ("占比多少", "占三项", 0.0),
        ("排第几", "全市第三", 1.0),
        ("排第几", "共三家", 0.0),
        ("什么时候启用", "2022年启用", 1.0),
        ("什么时候启用", "已启用", 0.0),
        ("哪天启用", "5月3日启用", 1.0),
        ("哪天启用", "5月启用", 0.0),
        ("区长是谁", "区长张三", 1.0),
        ("区长是谁", "区里说", 0.0),
        ("为什么转型", "由于产能不足", 1.0),
        ("为什么转型", "转型很快", 0.0),
        ("“先租后股”是什么意思", "¹ 先租后股：以租金作价入股", 1.0),
        ("“先租后股”是什么意思", "先投后股", 0.0),
        ("什么是VPP？", "虚拟电厂（VPP）", 1.0),
        ("什么是VPP？", "虚拟电厂", 0.0),
        ("有哪些园区", "任何一句", 1.0),
    ],
)
def test_what_a_sentence_can_hold(question, text, fit):
    assert fits(wanted(question), text) == fit


@pytest.mark.parametrize("text", ["建成一批平台", "完成投资"])
def test_a_finished_thing_is_no_percentage(text):
    assert fits(wanted("占比多少"), text) == 0


@pytest.mark.parametrize(
    ("question", "text", "figure"),
    [
        ("有多少家", "项目 3 个，企业 449 家，其中规上 74 家。", "449 家"),
        ("有多少家", "已有200多家企业", "200多家"),
        ("有多少平方米", "核心区56万平方米载体", "56万平方米"),
        ("规模多少亿", "共 3 个，突破 200 亿元", "200 亿"),
        ("补贴多少钱", "3 年补贴500元", "500元"),
        ("有多少家", "企业很多", None),
        ("有多少家", "项目 3 个", None),
    ],
)
def test_the_figure_asked_for(question, text, figure):
    span = figure_span(wanted(question), text)
    assert (text[slice(*span)] if span else None) == figure


@pytest.mark.parametrize(
    ("question", "text", "figure"),
    [
        ("有多少家", "共有1,200家企业", "1,200家"),
        ("占比多少", "占比达35%", "35%"),
        ("占比多少", "完成投资，占比达6%", "6%"),
        ("用了多少年", "历时15年", "15年"),
    ],
)
def test_the_figure_asked_for_is_whole(question, text, figure):
    span = figure_span(wanted(question), text)
    assert span is not None
    assert text[slice(*span)] == figure


@pytest.mark.parametrize(
    ("question", "clauses"),
    [
        (
            "宝山有多少家孵化载体，数量在上海排第几？",
            ["宝山有多少家孵化载体", "数量在上海排第几"],
        ),
        ("有几家，占多少？在哪里？", ["有几家", "占多少", "在哪里"]),
        ("Who runs it and what does it cost?", ["Who runs it", "what does it cost"]),
        ("有多少家？", []),
        ("2025年，宝山有多少家？", []),
        ("宝山的定位，很好。", []),
        ("产值超过1,200亿元的有几家？", []),
        ("", []),
    ],
)
def test_clauses_that_ask(question, clauses):
    assert sub_questions(question) == clauses


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("松江2025年成立的仪创港公司，董事长是谁？", "董事长是 "),
        ("宝山有几家概念验证中心", "宝山有 家概念验证中心"),
        ("数量在上海排第几？", "数量在上海排第 "),
        ("宝山支持绿色债券吗", "宝山支持绿色债券吗"),
        ("宝山的主导产业", "宝山的主导产业"),
    ],
)
def test_the_words_about_the_word_that_asks(question, words):
    assert focus(question) == words


@settings(max_examples=100, deadline=None)
@given(questions, questions)
def test_any_text_has_a_kind_and_a_share(question, text):
    wants = wanted(question)
    assert wants.kind in KINDS
    assert 0 <= fits(wants, text) <= 1
    span = figure_span(wants, text)
    assert span is None or 0 <= span[0] < span[1] <= len(text)


@settings(max_examples=100, deadline=None)
@given(questions)
def test_clauses_and_focus_are_of_the_question(question):
    clauses = sub_questions(question)
    assert len(clauses) != 1
    assert all(clause.strip() == clause and clause in question for clause in clauses)
    assert all(part in question for part in focus(question).split())


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**7), st.sampled_from("家个所项名座条次场届人台套种类件"))
def test_a_counted_figure_always_fits_and_is_found(number, counter):
    wants, text = wanted(f"有多少{counter}？"), f"目前共有{number}{counter}，成效很好。"
    assert wants == Wanted("how_many", counter)
    assert fits(wants, text) == 1
    assert text[slice(*figure_span(wants, text))] == f"{number}{counter}"
