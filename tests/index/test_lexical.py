"""BM25 against another implementation, and its files."""

from __future__ import annotations

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.lexical import K1, B, LexicalIndex, build_postings

term = st.sampled_from("甲乙丙丁戊己庚辛")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(term, min_size=1, max_size=8), min_size=2, max_size=8),
    st.lists(term, min_size=1, max_size=5, unique=True),
)
def test_scores_are_those_of_bm25s(texts, query):
    other = bm25s.BM25(method="lucene", k1=K1, b=B)
    other.index(texts, show_progress=False)
    known = [t for t in query if any(t in text for text in texts)]
    expected = other.get_scores(known) if known else np.zeros(len(texts))
    assert build_postings(texts).scores(query) == pytest.approx(expected, abs=1e-4)


def test_a_repeated_query_term_counts_once():
    postings = build_postings([["甲", "乙"], ["丙"]])
    assert (postings.scores(["甲", "甲"]) == postings.scores(["甲"])).all()


def test_empty_and_unknown():
    assert build_postings([]).scores(["甲"]).shape == (0,)
    postings = build_postings([["甲"], []])
    assert postings.scores(["乙"]).tolist() == [0, 0]
    assert postings.scores([]).tolist() == [0, 0]


def test_coverage_is_one_for_known_and_none_for_foreign_words():
    index = LexicalIndex.build(["宝山区生物医药企业", "杨浦区大学科技园"])
    assert index.coverage("生物医药") == 1
    assert index.coverage("medical robots") == 0
    assert 0 < index.coverage("宝山 robots") < 1
    assert index.coverage("？") == 0


def test_loading_gives_back_what_was_dumped():
    index = LexicalIndex.build(["宝山区有449家企业", "G60 科创走廊", ""])
    again = LexicalIndex.load(index.dump())
    for query in ("宝山", "g60", "没有"):
        assert (again.scores(query) == index.scores(query)).all()
        assert again.coverage(query) == index.coverage(query)


def test_no_pickle_is_ever_loaded():
    import io

    dumped = LexicalIndex.build(["宝山"]).dump()
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        LexicalIndex.load({**dumped, "words.rows.npy": buffer.getvalue()})
