"""BM25 against another implementation, and its files."""

from __future__ import annotations

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.lexical import K1, B, LexicalIndex, build_postings, inverse_frequency

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


def test_shares_are_what_the_terms_weigh():
    postings = build_postings([["甲", "乙"], ["甲"], ["丙"]])
    most = float(postings.scores(["乙"])[0]) / postings.weight("乙")
    assert postings.shares(["乙"])[0] == pytest.approx(most)
    unknown = float(inverse_frequency(np.zeros(1), 3)[0])
    weights = postings.weight("甲") + postings.weight("乙") + unknown
    assert postings.shares(["甲", "乙", "丁", "甲"]) == pytest.approx(postings.scores(["甲", "乙"]) / weights, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(term, max_size=8), max_size=8),
    st.lists(st.sampled_from("甲乙丙丁未知"), max_size=5),
)
def test_shares_are_shares(texts, query):
    shares = build_postings(texts).shares(query)
    assert shares.shape == (len(texts),)
    assert ((shares >= 0) & (shares <= 1)).all()


def test_a_foreign_question_has_no_share():
    index = LexicalIndex.build(["宝山区生物医药企业", "杨浦区大学科技园"])
    assert index.shares("medical robots").tolist() == [0, 0]
    assert index.shares("？").tolist() == [0, 0]
    assert index.shares("生物医药")[0] > index.shares("生物医药 robots")[0] > 0


def test_holding_wants_all_of_a_name():
    index = LexicalIndex.build(["宝山区的企业", "山区里的宝", "G60科创走廊", ""])
    assert index.holding("宝山").tolist() == [True, False, False, False]
    assert index.holding("寶山區").tolist() == [True, False, False, False]
    assert index.holding("宝").tolist() == [True, True, False, False]
    assert index.holding("g60").tolist() == [False, False, True, False]
    assert not index.holding("").any()
    assert not index.holding("？").any()


def test_loading_gives_back_what_was_dumped():
    index = LexicalIndex.build(["宝山区有449家企业", "G60 科创走廊", ""])
    again = LexicalIndex.load(index.dump())
    for query in ("宝山", "g60", "没有"):
        assert (again.scores(query) == index.scores(query)).all()
        assert (again.shares(query) == index.shares(query)).all()
        assert (again.holding(query) == index.holding(query)).all()


def test_no_pickle_is_ever_loaded():
    import io

    dumped = LexicalIndex.build(["宝山"]).dump()
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        LexicalIndex.load({**dumped, "words.rows.npy": buffer.getvalue()})
