"""Sentences, leads and bold, each by example."""

from __future__ import annotations

import pytest

from corpus.emphasis import bold_spans
from corpus.leads import split_at_leads
from corpus.sentences import clause_spans, sentence_spans


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("甲。乙！丙？", ["甲。", "乙！", "丙？"]),
        ("他说：“好。”她走了。", ["他说：“好。”", "她走了。"]),
        ("（见上。）下文。", ["（见上。）", "下文。"]),
        ("**打造基地。**高标准建设。", ["**打造基地。**", "高标准建设。"]),
        ("**启动运行**。发布办法。", ["**启动运行**。", "发布办法。"]),
        ("增长7.5%，达3.2亿元。完", ["增长7.5%，达3.2亿元。", "完"]),
        ("We grew. They left. U.S. firms", ["We grew.", "They left.", "U.S. firms"]),
        ("真的？！是。", ["真的？！", "是。"]),
        ("1. 甲\n2. 乙", ["1. 甲", "2. 乙"]),
        ("形成“宝山模式”¹。后", ["形成“宝山模式”¹。", "后"]),
        ("one line\nand the next. Done", ["one line\nand the next.", "Done"]),
        ("we went on,\nand on", ["we went on,\nand on"]),
        ("in Zhangjiang\nScience City", ["in Zhangjiang\nScience City"]),
        ("one\n\ntwo", ["one", "two"]),
        ("1. one\n2. two\na) three", ["1. one", "2. two", "a) three"]),
        ("甲区\nAI", ["甲区", "AI"]),
        ("We met Mr. Smith and Dr. Li. They left.", ["We met Mr. Smith and Dr. Li.", "They left."]),
        ("See e.g. Foo, i.e. Bar. See No. 5 too.", ["See e.g. Foo, i.e. Bar.", "See No. 5 too."]),
        ("by Dr.\nLi. Done", ["by Dr.\nLi.", "Done"]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_sentences(text, sentences):
    assert [text[s:e] for s, e in sentence_spans(text)] == sentences


def test_clauses_are_cut_within_the_limit():
    text = "一二三，四五六七，八九十"
    assert [text[s:e] for s, e in clause_spans(text, 6)] == ["一二三，", "四五六七，", "八九十"]
    assert [len(x) for x in ("甲" * 10,)]
    assert [e - s for s, e in clause_spans("甲" * 10, 4)] == [4, 4, 2]


def test_no_clause_ends_within_a_number():
    text = "一共有,1,234,567元"
    assert [text[s:e] for s, e in clause_spans(text, 8)] == ["一共有,", "1,234,56", "7元"]
    numbers = "1,234,567," * 20
    cuts = [e for _, e in clause_spans(numbers, 12)][:-1]
    assert not any(numbers[e - 1] == "," for e in cuts)


@pytest.mark.parametrize(
    ("text", "bold"),
    [
        ("**甲**乙**丙**", ["**甲**", "**丙**"]),
        ("**一直没有收尾的一句话。后面还有一句。**超碳材料**重点", ["**超碳材料**"]),
        ("没有", []),
        ("****", []),
    ],
)
def test_bold_pairs(text, bold):
    assert [text[s:e] for s, e in bold_spans(text)] == bold


@pytest.mark.parametrize(
    ("text", "plain", "leads"),
    [
        ("功能定位：建成核心区。", False, ["功能定位"]),
        ("**打造基地。**高标准。**多点布局。**推进。", False, ["打造基地", "多点布局"]),
        ("一是**甲需要提升**，不高。二是**乙需要培育**，不足。", False, ["甲需要提升", "乙需要培育"]),
        ("打造**眼科视光**等产业。", False, [None]),
        (
            "大学科技园加速起势。深化合作，引进园区。张江园稳定发展。《方案》发布，持续推进建设。",
            True,
            ["大学科技园加速起势", "张江园稳定发展"],
        ),
        ("大学科技园加速起势。深化合作。", False, [None]),
        ("全区企业达 2017 家。同比增长。", True, [None]),
        ("坚持“三区联动”3.0版的交汇。高水平推进。", True, ["坚持“三区联动”3.0版的交汇"]),
        ("只有一句。", True, [None]),
    ],
)
def test_leads(text, plain, leads):
    parts = split_at_leads(text, plain)
    assert [p.lead for p in parts] == leads
    assert "".join(text[p.start : p.end] for p in parts) == text


def test_a_lead_cut_by_a_page_break_is_read_whole():
    (part,) = split_at_leads("**多点布**局实验室。推进建设。", plain=False, cuts=[7])
    assert part.lead == "多点布局实验室"
