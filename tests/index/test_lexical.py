"""BM25 against another implementation, and its files."""

from __future__ import annotations

import io

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.counts import Counting, Counts, dump_views, load_views
from index.lexical import K1, VIEWS, B, LexicalIndex, Postings, build_postings, inverse_frequency
from index.segment import characters, words
from index.tables import runs_of, whole

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


def counted(texts: list[list[str]]) -> Counts:
    counting = Counting()
    for text in texts:
        counting.add(text)
    return counting.counts()


def contents(counts: Counts) -> dict[str, bytes]:
    return {name: whole(content) for name, content in counts.dump().items()}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(term, min_size=1, max_size=8), min_size=1, max_size=8), st.lists(term, max_size=5))
def test_scores_are_those_of_the_definition(texts, query):
    found = build_postings(texts).scores(query)
    mean = np.mean([len(text) for text in texts])
    for row, text in enumerate(texts):
        total = 0.0
        for t in set(query):
            frequency, holding = text.count(t), sum(t in other for other in texts)
            idf = np.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            total += idf * frequency / (frequency + K1 * (1 - B + B * len(text) / mean))
        assert found[row] == pytest.approx(total, rel=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_rows_of_several_tables_joined_are_those_rows_counted_at_once(data):
    text = st.lists(term, max_size=5) | st.just(["甲"] * 300)
    tables = data.draw(st.lists(st.lists(text, max_size=6), min_size=1, max_size=3))
    rows = [(n, row) for n, table in enumerate(tables) for row in range(len(table))]
    chosen = data.draw(st.lists(st.sampled_from(rows), unique=True)) if rows else []
    runs = runs_of((n, row, row + 1) for n, row in chosen)
    joined = Counts.joined([counted(table) for table in tables], runs)
    expected = contents(counted([tables[n][row] for n, row in chosen]))
    assert contents(joined) == expected
    assert contents(Counts.load(expected)) == expected


def test_a_text_and_its_expansions_have_the_terms_of_both(opened):
    """What the build counts apart is what the two texts joined would have given."""
    from index.context import expansion_text, passage_text

    snapshot = opened.retriever().snapshot
    for row in [*snapshot.rows[::7], *snapshot.rows[-5:]]:
        document = snapshot.documents[row.passage.document_id]
        own, more = passage_text(document.title, document.year, row.passage), expansion_text(row.expansions)
        for terms in (characters, words):
            assert terms(own) + terms(more) == terms(f"{own}\n{more}")


def views(*texts: str) -> dict[str, Counts]:
    return {name: counted([terms(text) for text in texts]) for name, terms in VIEWS.items()}


def stored(*texts: str) -> dict[str, bytes]:
    return {name: whole(content) for name, content in dump_views(views(*texts)).items()}


def test_loading_gives_back_what_was_dumped():
    texts = ["宝山区有449家企业", "G60 科创走廊", ""]
    index = LexicalIndex.build(texts)
    again = LexicalIndex.of(load_views(stored(*texts), tuple(VIEWS)))
    for query in ("宝山", "g60", "没有"):
        assert (again.scores(query) == index.scores(query)).all()
        assert (again.shares(query) == index.shares(query)).all()
        assert (again.holding(query) == index.holding(query)).all()


def test_no_pickle_is_ever_loaded():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        load_views({**stored("宝山"), "words.rows.npy": buffer.getvalue()}, tuple(VIEWS))


@pytest.mark.parametrize("broken", ["terms.txt", "offsets.npy", "rows.npy", "frequencies.npy"])
def test_files_that_do_not_fit_together_are_refused(broken):
    files = contents(counted([["甲", "乙"], ["丙"]])) | {broken: contents(counted([["甲"]]))[broken]}
    with pytest.raises(ValueError, match="differ in number"):
        Counts.load(files)


def test_an_index_of_many_postings_is_scored_block_by_block(monkeypatch):
    texts = [[f"{n % 7}", f"{n % 11}", "甲"] for n in range(60)]
    expected = build_postings(texts)
    for module in ("index.lexical", "index.counts"):
        monkeypatch.setattr(f"{module}._TOGETHER", 5)
    table = counted(texts)
    joined = Counts.joined([counted(texts[:20]), counted(texts[20:])], runs_of([(0, 0, 20), (1, 0, 40)]))
    assert contents(joined) == contents(table)
    assert (Postings.of(table).impacts == expected.impacts).all()
