"""BM25 against another implementation and the definition; the best of several segments against scoring all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.counting import count
from index.counts import Counts
from index.lexical import K1, VIEWS, B, LexicalIndex, TermView, build_postings, inverse_frequency
from index.postings import Lists
from index.segment import characters, words
from index.types import Floats, Ints, Mask

term = st.sampled_from("甲乙丙丁戊己庚辛")
text = st.text("甲乙丙丁宝山区科", max_size=8)


def counts_of(texts: Sequence[str]) -> dict[str, Counts]:
    return {name: count([terms(x) for x in texts]) for name, terms in VIEWS.items()}


def in_segments(segments: Sequence[Sequence[str]]) -> LexicalIndex:
    return LexicalIndex.of([counts_of(texts) for texts in segments])


def all_shares(index: LexicalIndex, query: str) -> Floats:
    return index.shares(index.prepare(query), np.arange(index.size))


def expected_best(shares: Floats, count: int, allowed: Mask | None = None) -> Ints:
    if allowed is not None:
        shares = np.where(allowed, shares, np.float32(0))
    order = np.lexsort((np.arange(len(shares)), -shares))[:count]
    return order[shares[order] > 0]


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


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.lists(term, min_size=1, max_size=8), max_size=5), max_size=3), st.lists(term, max_size=5))
def test_scores_are_those_of_the_definition_over_all_segments(segments, query):
    texts = [text for segment in segments for text in segment]
    found = TermView.of([[(count(segment), None)] for segment in segments]).scores(query)
    assert found.shape == (len(texts),)
    mean = np.mean([len(text) for text in texts]) if texts else 1
    for row, text in enumerate(texts):
        total = 0.0
        for t in set(query):
            frequency, holding = text.count(t), sum(t in other for other in texts)
            idf = np.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            total += idf * frequency / (frequency + K1 * (1 - B + B * len(text) / mean))
        assert found[row] == pytest.approx(total, rel=1e-6)


def test_a_repeated_query_term_counts_once():
    postings = build_postings([["甲", "乙"], ["丙"]])
    assert (postings.scores(["甲", "甲"]) == postings.scores(["甲"])).all()


def test_empty_and_unknown():
    assert build_postings([]).scores(["甲"]).shape == (0,)
    postings = build_postings([["甲"], []])
    assert postings.scores(["乙"]).tolist() == [0, 0]
    assert postings.scores([]).tolist() == [0, 0]
    assert postings.weight("乙") == 0
    assert postings.weight("乙", 7.5) == 7.5
    assert [postings.holds("甲", 0), postings.holds("甲", 1), postings.holds("乙", 0)] == [True, False, False]


@settings(max_examples=100, deadline=None)
@given(st.lists(text, min_size=1, max_size=8), st.text("甲乙丙未知宝山", max_size=6))
def test_shares_are_the_mean_of_what_the_views_score_of_what_the_terms_weigh(texts, query):
    index = LexicalIndex.build(texts)
    unknown = float(inverse_frequency(np.zeros(1), index.size)[0])
    expected = np.zeros(len(texts))
    for name, view in index.views.items():
        terms = set(VIEWS[name](query))
        most = sum(view.weight(t, unknown) for t in terms)
        expected += view.scores(terms) / most / len(VIEWS) if most else 0
    shares = all_shares(index, query)
    assert shares == pytest.approx(expected, abs=1e-6)
    assert ((shares >= 0) & (shares <= 1)).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(text, max_size=4), min_size=1, max_size=4), text, st.data())
def test_where_segments_end_makes_no_difference(segments, query, data):
    apart, one = in_segments(segments), LexicalIndex.build([x for segment in segments for x in segment])
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, one.size - 1)))) if one.size else [], dtype=np.int64)
    there, here = apart.prepare(query), one.prepare(query)
    assert apart.shares(there, rows) == pytest.approx(one.shares(here, rows), abs=1e-7)
    assert apart.shares(there, rows).tolist() == all_shares(apart, query)[rows].tolist()
    assert there.coverage == here.coverage
    assert apart.holding(query).tolist() == one.holding(query).tolist()
    assert apart.holds(query, rows).tolist() == np.isin(rows, one.holding(query)).tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(text, max_size=6), max_size=4), text, st.integers(0, 12), st.booleans(), st.data())
def test_the_best_are_those_of_all(segments, query, count, is_masked, data):
    index = in_segments(segments)
    mask = st.lists(st.booleans(), min_size=index.size, max_size=index.size)
    allowed = np.array(data.draw(mask), dtype=np.bool_) if is_masked else None
    prepared = index.prepare(query)
    shares = all_shares(index, query)
    expected = expected_best(shares, count, allowed)
    few = index.best(prepared, count, allowed)
    assert few.tolist() == expected.tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.lexical._FEW", -1)  # masks of more than a few passages
        many = index.best(prepared, count, allowed)
    assert shares[many] == pytest.approx(shares[expected], abs=1e-6)
    assert len(set(many.tolist())) == len(many)
    assert allowed is None or allowed[many].all()


def test_passages_with_one_text_are_found_in_the_order_of_their_rows():
    index = in_segments([["宝山区", "科技"], [], ["宝山区"] * 3, ["宝山区", "宝山"]])
    assert index.best(index.prepare("宝山区"), 4).tolist() == [0, 2, 3, 4]


def zipf(size: int, seed: int) -> list[str]:
    """Texts of a vocabulary with frequent and rare characters."""
    chance = np.random.default_rng(seed)
    alphabet = [chr(0x4E00 + n) for n in range(3000)]
    shares = 1 / np.arange(1, len(alphabet) + 1)
    drawn = chance.choice(alphabet, (size, 40), p=shares / shares.sum())
    return ["".join(x[: chance.integers(5, 40)]) for x in drawn]


@pytest.mark.parametrize("is_masked", [False, True])
def test_few_of_the_best_are_missed_where_frequent_terms_are_only_looked_up(monkeypatch, is_masked):
    texts = zipf(2000, 0)
    index = in_segments([texts[:900], texts[900:1000], texts[1000:]])
    for name, value in {"_ALWAYS": 0, "_POOL": 100, "_SAMPLE": 8}.items():
        monkeypatch.setattr(f"index.maxscore.{name}", value)
    monkeypatch.setattr("index.lexical._FEW", 0)
    allowed = np.arange(2000) % 3 > 0 if is_masked else None
    looked_up: list[int] = []
    at = Lists.at

    def watched(lists: Lists, rows: Ints, first: int, last: int) -> Floats:
        looked_up.append(last - first)
        return at(lists, rows, first, last)

    monkeypatch.setattr(Lists, "at", watched)
    held = used = 0
    for query in zipf(50, 1):
        looked_up.clear()
        found = index.best(index.prepare(query), 10, allowed)
        used += bool(looked_up)
        shares = all_shares(index, query)
        expected = expected_best(shares, 10, allowed)
        assert (np.diff(shares[found]) <= 1e-6).all()
        held += len(set(found.tolist()) & set(expected.tolist()))
    assert used > 40
    assert held >= 0.99 * 500


def test_a_mask_that_leaves_few_passages_is_searched_among_these(monkeypatch):
    index = in_segments([zipf(60, 0), zipf(60, 2)])
    monkeypatch.setattr("index.lexical.best_rows", None)
    allowed = np.arange(120) % 7 == 0
    query = zipf(1, 0)[0]
    expected = expected_best(all_shares(index, query), 5, allowed)
    assert index.best(index.prepare(query), 5, allowed).tolist() == expected.tolist()


def test_nothing_is_best_where_nothing_is_known_or_wanted():
    index = in_segments([["宝山区"], []])
    assert index.best(index.prepare("？"), 5).tolist() == []
    assert index.best(index.prepare("丁"), 5).tolist() == []
    assert index.best(index.prepare("宝山"), 0).tolist() == []
    assert LexicalIndex.of([]).size == 0
    empty = LexicalIndex.of([])
    assert empty.best(empty.prepare("宝山"), 5).tolist() == []
    assert empty.holding("宝山").tolist() == []


def test_a_foreign_question_has_no_share():
    index = LexicalIndex.build(["宝山区生物医药企业", "杨浦区大学科技园"])
    assert all_shares(index, "medical robots").tolist() == [0, 0]
    assert all_shares(index, "？").tolist() == [0, 0]
    assert all_shares(index, "生物医药")[0] > all_shares(index, "生物医药 robots")[0] > 0
    assert index.prepare("medical robots").coverage == 0
    assert 0 < index.prepare("生物医药 robots").coverage < index.prepare("生物医药").coverage == 1
    assert index.prepare("？").coverage == 0


def test_holding_wants_all_of_a_name():
    index = in_segments([["宝山区的企业", "山区里的宝"], ["G60科创走廊", "", "宝山"]])
    assert index.holding("宝山").tolist() == [0, 4]
    assert index.holding("寶山區").tolist() == [0]
    assert index.holding("宝").tolist() == [0, 1, 4]
    assert index.holding("g60").tolist() == [2]
    assert index.holding("").tolist() == []
    assert index.holding("？").tolist() == []
    rows = np.array([0, 1, 3, 4])
    assert index.holds("宝山", rows).tolist() == [True, False, False, True]
    assert index.holds("？", rows).tolist() == [False] * 4
    assert index.holds("宝山", rows[:0]).tolist() == []


def test_an_index_of_many_postings_is_scored_block_by_block(monkeypatch):
    texts = [[f"{n % 7}", f"{n % 11}", "甲"] for n in range(60)]
    expected = build_postings(texts).scores(["1", "2", "3", "甲"])
    monkeypatch.setattr("index.postings._TOGETHER", 5)
    assert (build_postings(texts).scores(["1", "2", "3", "甲"]) == expected).all()


# -- with expansions --------------------------------------------------------------------------------

Pair = tuple[str, str]
"""A passage's own text, and its expansions."""

pairs = st.lists(st.tuples(text, text | st.just("")), max_size=5)


def both(segments: Sequence[Sequence[Pair]]) -> tuple[list[Mapping[str, Counts]], list[Mapping[str, Counts]]]:
    """The plain counts of each segment, and those of the passages that have expansions."""
    plain = [counts_of([own for own, _ in x]) for x in segments]
    expanded = [counts_of([f"{own}\n{more}" if more else "" for own, more in x]) for x in segments]
    shared = [{n: a[n].shared_with(b[n]) for n in VIEWS} for a, b in zip(plain, expanded, strict=True)]
    return shared, expanded


@settings(max_examples=200, deadline=None)
@given(st.lists(pairs, max_size=4), text, st.integers(0, 6))
def test_an_index_with_expansions_scores_all_passages_and_finds_those_that_have_some(segments, query, count):
    index = LexicalIndex.with_expansions(*both(segments))
    passages = [pair for segment in segments for pair in segment]
    simple = LexicalIndex.build([f"{own}\n{more}" if more else own for own, more in passages])
    shares = all_shares(index, query)
    assert shares == pytest.approx(all_shares(simple, query), abs=1e-6)
    has = np.array([bool(more) for _, more in passages], dtype=np.bool_)
    for few in (-1, 4096):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("index.lexical._FEW", few)
            for allowed in (None, np.ones(index.size, dtype=np.bool_)):
                found = index.best(index.prepare(query), count, allowed)
                assert has[found].all()
                assert shares[found] == pytest.approx(shares[expected_best(shares, count, has)], abs=1e-6)
    assert index.holding(query).tolist() == simple.holding(query).tolist()
    for name, view in index.views.items():
        terms = VIEWS[name](query)
        assert view.scores(terms) == pytest.approx(simple.views[name].scores(terms), abs=1e-5)
        assert [view.weight(t) for t in terms] == [simple.views[name].weight(t) for t in terms]


def test_an_index_that_does_not_know_what_is_shared_is_refused():
    plain, expanded = counts_of(["宝山", "山区"]), counts_of(["宝山科", ""])
    with pytest.raises(ValueError, match="share"):
        LexicalIndex.with_expansions([plain], [expanded])


def test_a_text_and_its_expansions_have_the_terms_of_both(opened):
    """What the build counts apart is what the two texts joined would have given."""
    from index.context import expansion_text, passage_text

    snapshot = opened.retriever().snapshot
    for row in [*snapshot.rows[::7], *snapshot.rows[-5:]]:
        document = snapshot.documents[row.passage.document_id]
        own, more = passage_text(document.title, document.year, row.passage), expansion_text(row.expansions)
        for terms in (characters, words):
            assert terms(own) + terms(more) == terms(f"{own}\n{more}")
