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
