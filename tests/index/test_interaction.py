"""Late interaction against a double loop, and its files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.encoders import unit_rows
from index.interaction import THRESHOLD, Bag, InteractionIndex, Words, share
from index.tables import runs_of, whole

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
        index, again = InteractionIndex(stored), InteractionIndex(loaded)
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


@pytest.mark.parametrize("broken", ["units.npy", "scales.npy", "starts.npy", "terms.npy"])
def test_files_that_do_not_fit_together_are_refused(bundled, broken):
    files = contents(Words.build(bundled, TEXTS)) | {broken: contents(Words.build(bundled, TEXTS[:1]))[broken]}
    with pytest.raises(ValueError, match="differ in number"):
        Words.load(files)


def test_no_pickle_is_ever_loaded(bundled):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        Words.load({**contents(Words.build(bundled, TEXTS)), "terms.npy": buffer.getvalue()})
