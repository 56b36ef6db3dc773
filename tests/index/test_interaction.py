"""Late interaction against a double loop, and its files."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import interaction
from index.candidates import CandidateFinder
from index.encoders import unit_rows
from index.interaction import THRESHOLD, Bag, InteractionIndex, share
from index.tables import runs_of, whole
from index.words import Words

TEXTS = [
    "宝山区有生物医药企业449家。",
    "",
    "Medical robots in the Zhangjiang park",
    "？！",
    "宝山区有生物医药企业449家。",
    "龘靐齉 unknownword 3.14",
]


class Letters:
    """A tiny encoder: each letter is a word with a random vector of its own."""

    dim = 8

    def units(self, texts):
        return [np.array(sorted({ord(c) for c in text}), dtype=np.int64) for text in texts]

    def unit_vectors(self, units):
        rows = [np.random.default_rng(int(n)).normal(size=self.dim) for n in units]
        return unit_rows(np.array(rows, dtype=np.float32).reshape(len(units), self.dim))

    def unit_weights(self, units):
        return (1 + units % 5).astype(np.float32)


def by_loops(encoder, question: str, text: str) -> list[float]:
    """For each word of the question: its best likeness among the text's words."""
    (asked,), (found,) = encoder.units([question]), encoder.units([text])
    best = []
    for q in encoder.unit_vectors(asked):
        cosines = [float(q @ p) for p in encoder.unit_vectors(found)]
        best.append(max((max(c - THRESHOLD, 0) / (1 - THRESHOLD) for c in cosines), default=0.0))
    return best


words = st.text(alphabet="abcdefghij", max_size=6)


def in_tables(encoder, texts: list[str], cuts: list[int]) -> InteractionIndex:
    """Texts in tables that begin at `cuts`."""
    return InteractionIndex([Words.build(encoder, texts[a:b]) for a, b in itertools.pairwise([0, *cuts, len(texts)])])


@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=1, max_size=6), words, st.randoms())
def test_matches_are_those_of_a_double_loop(texts, question, random):
    encoder, rows = Letters(), list(range(len(texts)))
    random.shuffle(rows)
    bag = Bag.of(encoder, question)
    matches = InteractionIndex.build(encoder, texts).matches(bag, np.array(rows, dtype=np.int64))
    assert matches.shape == (len(bag.units), len(rows))
    for n, row in enumerate(rows):
        assert matches[:, n] == pytest.approx(by_loops(encoder, question, texts[row]), abs=0.02)
    shares = share(matches, bag.weights)
    assert ((shares >= 0) & (shares <= 1 + 1e-6)).all()


@settings(max_examples=80, deadline=None)
@given(st.lists(words, min_size=1, max_size=12), words, st.lists(st.integers(0, 12), max_size=4), st.booleans())
def test_texts_of_several_tables_are_matched_as_those_of_one(texts, question, cuts, large):
    encoder, bag = Letters(), Bag.of(Letters(), question)
    cuts = sorted(min(n, len(texts)) for n in cuts)
    rows = np.random.default_rng(len(texts)).integers(0, len(texts), 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interaction, "_AT_HAND", 0 if large else 20_000)
        patch.setattr(interaction, "_SLOTS", 4)  # words share slots
        index = in_tables(encoder, texts, cuts)
        assert index.size == len(texts)
        whole_index = InteractionIndex.build(encoder, texts)
        assert index.matches(bag, rows) == pytest.approx(whole_index.matches(bag, rows), abs=1e-6)
        for row in range(len(texts)):
            assert index.units_of(row).tolist() == encoder.units([texts[row]])[0].tolist()
        weights = [encoder.unit_weights(x.units) for x in (index, whole_index)]
        several, one = index.mutual(bag, weights[0]), whole_index.mutual(bag, weights[1])
        assert several[0] == pytest.approx(one[0], abs=1e-6)
        assert several[1] == pytest.approx(one[1], abs=1e-6)


def test_vectors_come_from_any_table_and_of_other_words_from_the_encoder():
    encoder = Letters()
    index = in_tables(encoder, ["abc", "", "bcd"], [1, 2])
    units = np.array([ord(c) for c in "dxab"], dtype=np.int64)
    assert index.unit_vectors(units, encoder) == pytest.approx(encoder.unit_vectors(units), abs=0.01)
    exact = (index.unit_vectors(units, encoder) == encoder.unit_vectors(units)).all(axis=1)
    assert exact.tolist() == [False, True, False, False]
    with pytest.raises(ValueError, match="no table"):
        InteractionIndex([])


@pytest.mark.parametrize("question", ["宝山有多少家药企", "which park works on robots", "449", "unknownword"])
def test_matches_of_real_words(bundled, question):
    index, bag = InteractionIndex.build(bundled, TEXTS), Bag.of(bundled, question)
    matches = index.matches(bag, np.arange(len(TEXTS)))
    for n, text in enumerate(TEXTS):
        assert matches[:, n] == pytest.approx(by_loops(bundled, question, text), abs=0.02)
    assert (matches[:, 0] == matches[:, 4]).all()


def test_a_text_answers_itself_wholly_and_nothing_answers_nothing(bundled):
    index = InteractionIndex.build(bundled, TEXTS)
    rows = np.arange(len(TEXTS))
    for n in (0, 2, 5):
        bag = Bag.of(bundled, TEXTS[n])
        shares = share(index.matches(bag, rows), bag.weights)
        assert shares[n] == pytest.approx(1, abs=0.02)
        assert shares[1] == shares[3] == 0
    nothing = Bag.of(bundled, "")
    assert share(index.matches(nothing, rows), nothing.weights).tolist() == [0] * len(TEXTS)


def test_an_unknown_word_matches_itself_and_no_other(bundled):
    index = InteractionIndex.build(bundled, ["qqzzxx", "wwyyvv", "8675309", "1234567"])
    for n, word in enumerate(["qqzzxx", "wwyyvv", "8675309", "1234567"]):
        bag = Bag.of(bundled, word)
        shares = share(index.matches(bag, np.arange(4)), bag.weights)
        assert shares[n] == pytest.approx(1, abs=0.02)
        assert np.delete(shares, n).max() < 0.9


def test_rows_may_be_any_and_none(bundled):
    index, bag = InteractionIndex.build(bundled, TEXTS), Bag.of(bundled, "宝山")
    every = index.matches(bag, np.arange(len(TEXTS)))
    assert (index.matches(bag, np.array([5, 0, 0])) == every[:, [5, 0, 0]]).all()
    assert index.matches(bag, np.array([], dtype=np.int64)).shape == (len(bag.units), 0)
    assert index.matches(bag, np.array([1, 3])).tolist() == [[0, 0]] * len(bag.units)


def contents(words: Words) -> dict[str, bytes]:
    return {name: whole(content) for name, content in words.dump().items()}


def test_loading_gives_back_what_was_dumped(bundled):
    for texts in (TEXTS, [], [""]):
        stored = Words.build(bundled, texts)
        loaded = Words.load(contents(stored))
        index, again = InteractionIndex([stored]), InteractionIndex([loaded])
        bag, rows = Bag.of(bundled, "宝山 robots 3.14"), np.arange(len(texts))
        assert again.size == index.size == len(texts)
        assert (again.matches(bag, rows) == index.matches(bag, rows)).all()
        assert contents(loaded) == contents(stored)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_texts_of_several_tables_joined_are_those_texts_read_at_once(data):
    tables = data.draw(st.lists(st.lists(words, max_size=5), min_size=1, max_size=3))
    rows = [(n, row) for n, table in enumerate(tables) for row in range(len(table))]
    chosen = data.draw(st.lists(st.sampled_from(rows), unique=True)) if rows else []
    runs = runs_of((n, row, row + 1) for n, row in chosen)
    joined = Words.joined([Words.build(Letters(), table) for table in tables], runs)
    expected = contents(Words.build(Letters(), [tables[n][row] for n, row in chosen]))
    assert {name: whole(content) for name, content in joined.items()} == expected


@pytest.mark.parametrize("broken", ["units.npy", "scales.npy", "starts.npy", "terms.npy", "offsets.npy", "rows.npy"])
def test_files_that_do_not_fit_together_are_refused(bundled, broken):
    files = contents(Words.build(bundled, TEXTS)) | {broken: contents(Words.build(bundled, TEXTS[:1]))[broken]}
    with pytest.raises(ValueError, match="differ in number"):
        Words.load(files)


def test_no_pickle_is_ever_loaded(bundled):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        Words.load({**contents(Words.build(bundled, TEXTS)), "terms.npy": buffer.getvalue()})


@settings(max_examples=60, deadline=None)
@given(st.lists(words, max_size=8))
def test_each_words_texts_are_those_that_hold_it(texts):
    loaded = Words.load(contents(Words.build(Letters(), texts)))
    for n, unit in enumerate(loaded.units.tolist()):
        rows = loaded.holders.rows[loaded.holders.offsets[n] : loaded.holders.offsets[n + 1]]
        assert rows.tolist() == [row for row, text in enumerate(texts) if chr(unit) in text]


class Many(Letters):
    """Twelve thousand words: numbers, each near to those of its dozen."""

    dim = 32

    def units(self, texts):
        return [np.array(sorted({int(word) for word in text.split()}), dtype=np.int64) for text in texts]

    def unit_vectors(self, units):
        table = np.random.default_rng(1)
        dozens, own = (table.normal(size=(1001, self.dim)), table.normal(size=(12_000, self.dim)))
        return unit_rows((dozens[units // 12] + 0.7 * own[units]).astype(np.float32))


@pytest.fixture(scope="module")
def crowd():
    """Texts of thirty words each in two large tables and a small one, and what they were made of."""
    chance = np.random.default_rng(0)
    texts = [" ".join(map(str, chance.integers(0, 12_000, 30))) for _ in range(6_000)]
    parts = [texts[:3_000], texts[3_000:5_980], texts[5_980:]]
    return [contents(Words.build(Many(), part)) for part in parts]


@pytest.mark.parametrize("share", [None, 0.3])
def test_the_best_texts_are_among_the_candidates(crowd, share):
    tables = [Words.load(files) for files in crowd]
    assert [table.near is not None for table in tables] == [True, True, False]
    index, finder = InteractionIndex(tables), CandidateFinder(tables)
    chance = np.random.default_rng(2)
    allowed = None if share is None else chance.random(index.size) < share
    some = np.arange(index.size) if allowed is None else np.flatnonzero(allowed)
    hits = 0
    for _ in range(20):
        bag = Bag.of(Many(), " ".join(map(str, chance.integers(0, 12_000, 6))))
        shares = index_shares(index, bag, some)
        found = finder.find(bag, 100, allowed)
        assert len(set(found.tolist())) == len(found) == 100
        assert allowed is None or allowed[found].all()
        hits += len(set(found.tolist()) & set(some[np.argsort(-shares, kind="stable")[:10]].tolist()))
    assert hits >= 190


def index_shares(index: InteractionIndex, bag: Bag, rows: np.ndarray) -> np.ndarray:
    return share(index.matches(bag, rows), bag.weights)


@settings(max_examples=40, deadline=None)
@given(st.lists(words, min_size=1, max_size=12), words, st.lists(st.integers(0, 12), max_size=4), st.integers(1, 12))
def test_candidates_are_the_same_however_the_texts_are_put_into_tables(texts, question, cuts, k):
    encoder, bag = Letters(), Bag.of(Letters(), question)
    cuts = [0, *sorted(min(n, len(texts)) for n in cuts), len(texts)]
    several = CandidateFinder([Words.build(encoder, texts[a:b]) for a, b in itertools.pairwise(cuts)])
    found = CandidateFinder([Words.build(encoder, texts)]).find(bag, k).tolist()
    assert several.find(bag, k).tolist() == several.find(bag, k).tolist() == found


def test_no_word_and_no_place_find_nothing():
    finder = CandidateFinder([Words.build(Letters(), TEXTS), Words.build(Letters(), [])])
    bag = Bag.of(Letters(), "宝")
    assert {0, 4} <= set(finder.find(bag, 9).tolist()) <= set(range(len(TEXTS)))
    assert len(finder.find(bag, 1)) == 1
    assert finder.find(bag, 0).tolist() == []
    assert finder.find(Bag.of(Letters(), ""), 9).tolist() == []
    assert finder.find(bag, 9, np.zeros(len(TEXTS), dtype=np.bool_)).tolist() == []


def test_an_index_of_other_words_is_refused(crowd):
    with pytest.raises(ValueError, match="index differ in number"):
        Words.load(crowd[0] | {"nearest.faiss": crowd[1]["nearest.faiss"]})
