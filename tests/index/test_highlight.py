"""Highlights: the sentence that answers."""

from __future__ import annotations

import pytest

from index.context import reading
from index.highlight import best_sentences, query_weights

TEXT = "生物医药产业势头良好。生物医药企业 449 家，其中规上企业 74 家。首家特色园区有序建设，入选 TOP30。"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("有多少家生物医药企业？", "生物医药企业 449 家，其中规上企业 74 家。"),
        ("哪里是特色园区", "首家特色园区有序建设，入选 TOP30。"),
        ("top30", "首家特色园区有序建设，入选 TOP30。"),
    ],
)
def test_best_sentence(query, sentence):
    weights = query_weights(query, lambda terms: {x: float(len(x)) for x in terms})
    assert [TEXT[s:e] for s, e in best_sentences(TEXT, weights, query)] == [sentence]


@pytest.mark.parametrize("query", ["robots", "？", ""])
def test_no_sentence_where_no_word_occurs(query):
    assert best_sentences(TEXT, query_weights(query, lambda terms: dict.fromkeys(terms, 1.0)), query) == []


def test_a_row_reads_with_its_column_heads(passages):
    (table,) = [p for p in passages["baoshan-2026-innovation-plan"] if p.kind == "table"]
    assert "序号：6；指标名称：技术合同成交额；2030 年 目标值：年均增长 7%" in reading(table)
