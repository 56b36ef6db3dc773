"""What holds for every text: spans resolve, nothing is lost or given twice, nothing crosses a section."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.citations import cite, verify
from corpus.passages import LONGEST, split_passages
from corpus.sentences import sentence_spans
from corpus.structure import parse
from corpus.types import Document, join_spans

REPORTS = (
    "shanghai-2015-districts",
    "shanghai-2022-districts",
    "shanghai-2024-zhangjiang-parks",
    "shanghai-2025-districts",
    "baoshan-2026-innovation-plan",
)
WORDS = (
    "宝山区",
    "发展",
    "“先投后股”",
    "449 家",
    "𠮷野家",
    "㈠",
    "AI",
    "，",
    "、",
    "。",
    "！”",
    "；",
    "：",
    "（",
    "）",
    "**",
    "¹",
    "*",
)
LINES = (
    "# 6.1", "第一条 为了", "第二条（甲）　乙。", "## 标题", "一、发展基础", "（一）改革", "1. 甲", "（1）乙", "■ 丙", "浦东新区", "杨浦区：新城", "前 言", "目 录",
    "一、发展基础\t1", "¹ 先租后股：一种做法。", "序号\t指标\t值", "1\t成交额\t7%", "| 甲 | 乙 |", "|---|---|", "- 条目", "- 12 -",
    "第 3 页", "7", "**重点。**接着说。", "功能定位：建成。", "图 1 示意图", "表 1 指标", "\t",
    "---", "|-|-|", "- | -", "--------", "甲 | 乙", "```", "~~~", "2021", "一、发展……3", "本章如下：", "Mr. Li paid 1,234", "续在下一行", "　　", "\f",
)  # fmt: skip

sentence = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
line = st.one_of(st.sampled_from(LINES), sentence, st.text(max_size=30))
texts = st.lists(line, max_size=25).flatmap(
    lambda lines: st.sampled_from(["\n", "\n\n", "\r\n", "\n\n\n", "\r"]).map(lambda gap: gap.join(lines))
)


def check(document: Document) -> None:
    structure = parse(document)
    passages = split_passages(document, structure)
    owned: Counter[int] = Counter()
    for element in structure.left_out:
        owned.update(range(*element.span))
        if element.reason == "table rule":
            assert not document.text[slice(*element.span)].strip("-|: \t\u3000\u00a0")
    for passage in passages:
        assert passage.text == join_spans(document.text, passage.spans)
        assert passage.text.strip() == passage.text
        verify(document, cite(document, passage))
        for start, end in passage.spans:
            owned.update(range(start, end))
    for offset, character in enumerate(document.text):
        assert owned[offset] <= 1, f"{character!r} at {offset} stands in two places"
        assert owned[offset] == 1 or character.isspace(), f"{character!r} at {offset} is lost"
    assert len({passage.id for passage in passages}) == len(passages)


@pytest.mark.parametrize("name", REPORTS)
def test_reports(name, reports):
    check(reports[name])


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from(["text/plain", "text/markdown"]))
def test_generated_texts(text, media_type):
    check(Document("d", text, "标题", 2025, "s", "k", media_type, "0" * 64))


@pytest.mark.parametrize("name", REPORTS)
def test_no_passage_crosses_a_section(name, reports, structures, passages):
    headings = [s.heading for s in structures[name].sections if s.heading]
    moved = [h for h in headings if reports[name].text[slice(*h)] == "跨区域协同创新持续推进"]
    for passage in passages[name]:
        if passage.kind != "footnote":
            first, last = passage.spans[0][0], passage.spans[-1][1]
            assert not any(first < start < last for start, _ in headings if (start, _) not in moved)


@pytest.mark.parametrize("name", REPORTS)
def test_no_passage_cuts_a_sentence(name, reports, structures, passages):
    text = reports[name].text
    for element in structures[name].elements:
        joined = join_spans(text, element.spans)
        ends = {0}
        for start, end in sentence_spans(joined):
            ends |= {start, end}
            assert end - start <= LONGEST
        offsets = [offset for start, end in element.spans for offset in range(start, end)]
        first_of = {offset: n for n, offset in enumerate(offsets)}
        for passage in passages[name]:
            if passage.spans[0][0] in first_of and passage.kind != "table":
                assert first_of[passage.spans[0][0]] in ends
                last = first_of.get(passage.spans[-1][1] - 1)
                assert last is None or last + 1 in ends


@pytest.mark.parametrize("name", REPORTS)
def test_passages_have_a_readable_length(name, passages):
    assert all(len(passage.text) <= LONGEST for passage in passages[name])


def test_one_endless_sentence_is_cut_at_its_clauses(make_document):
    document = make_document("一二三四五六七八九，" * 100 + "完。")
    passages = split_passages(document, parse(document))
    assert all(len(p.text) <= LONGEST and p.text.endswith(("，", "。")) for p in passages)
    check(document)


@pytest.mark.parametrize(
    "text",
    [
        "一、基础\n\n" + "甲" * 70 + "。" + "\n" * 10 + "乙" * 320 + "。",
        "一、基础\n\n" + "甲" * 399 + "\u2003" + "乙" * 300 + "。",
        "一、基础\n\n" + "甲" * 300 + "　" * 900 + "乙。",
        "序号\t值\r" + "1\t七七八八九九\r" * 60,
        "序号\t值\r\n" + "1\t七七八八九九\r\n" * 60,
        "一、基础\n\n■ **\n\n甲。\n\n**■ **\n\n乙。",
    ],
)
def test_passages_are_in_bounds_and_named(text, make_document):
    document = make_document(text)
    check(document)
    for passage in split_passages(document, parse(document)):
        assert len(passage.text) <= LONGEST
        assert all(passage.section)


@settings(max_examples=300, deadline=None)
@given(st.one_of(sentence, st.text(max_size=60)))
def test_sentences_hold_every_character_in_order(text):
    spans = sentence_spans(text)
    assert "".join(text[s:e] for s, e in spans).split() == text.split() or [
        c for s, e in spans for c in text[s:e] if not c.isspace()
    ] == [c for c in text if not c.isspace()]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
