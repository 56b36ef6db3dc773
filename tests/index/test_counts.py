"""Counts of terms: as counted, as joined, as files."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.counting import count
from index.counts import MOST, Counts, dump_views, load_views
from index.lexical import VIEWS
from index.tables import runs_of, whole
from index.terms import term_key

term = st.sampled_from(["甲", "乙", "丙丁", "戊己", "庚辛壬", "g60", "3.0", "丙"])


def contents(counts: Counts) -> dict[str, bytes]:
    return {name: whole(content) for name, content in counts.dump().items()}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(term, max_size=8), max_size=8))
def test_each_term_of_each_passage_is_count(texts):
    counts = count(texts)
    found: dict[tuple[int, int], int] = {}
    for n, key in enumerate(counts.keys.tolist()):
        some = slice(counts.offsets[n], counts.offsets[n + 1])
        rows = counts.rows[some].tolist()
        assert rows == sorted(set(rows))
        assert rows
        found |= {(key, row): times for row, times in zip(rows, counts.frequencies[some].tolist(), strict=True)}
    assert counts.keys.tolist() == sorted(set(counts.keys.tolist()))
    assert found == {(term_key(t), n): times for n, text in enumerate(texts) for t, times in Counter(text).items()}
    assert counts.lengths.tolist() == [len(text) for text in texts]
    types = (counts.keys.dtype, counts.offsets.dtype, counts.frequencies.dtype, counts.lengths.dtype)
    assert types == (np.uint64, np.int64, np.uint8, np.int32)


def test_a_term_of_more_than_255_times_counts_255_times():
    counts = count([["甲"] * 300, ["甲"]])
    assert counts.frequencies.tolist() == [MOST, 1]
    assert counts.lengths.tolist() == [300, 1]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_rows_of_several_tables_joined_are_those_rows_counted_at_once(data):
    text = st.lists(term, max_size=5) | st.just(["甲"] * 300)
    tables = data.draw(st.lists(st.lists(text, max_size=6), min_size=1, max_size=3))
    rows = [(n, row) for n, table in enumerate(tables) for row in range(len(table))]
    chosen = data.draw(st.lists(st.sampled_from(rows), unique=True)) if rows else []
    runs = runs_of((n, row, row + 1) for n, row in chosen)
    joined = Counts.joined([count(table) for table in tables], runs)
    expected = contents(count([tables[n][row] for n, row in chosen]))
    assert contents(joined) == expected
    assert contents(Counts.load(expected)) == expected


def test_many_postings_are_joined_block_by_block(monkeypatch):
    texts = [[f"{n % 7}", f"{n % 11}", "甲"] for n in range(300)]
    expected = contents(count(texts))
    monkeypatch.setattr("index.counts._TOGETHER", 5)
    joined = Counts.joined([count(texts[:20]), count(texts[20:])], runs_of([(0, 0, 20), (1, 0, 280)]))
    assert contents(joined) == expected
    assert joined.rows.dtype == np.uint16


def test_tables_of_mapped_files_are_joined(tmp_path):
    for name, content in count([["甲", "乙"], ["甲"]]).dump().items():
        (tmp_path / name).write_bytes(whole(content))
    mapped = Counts(**{x.stem: np.load(x, mmap_mode="r") for x in tmp_path.iterdir()})
    assert contents(Counts.joined([mapped, mapped], runs_of([(0, 1, 2), (1, 0, 1)]))) == contents(
        count([["甲"], ["甲", "乙"]])
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.lists(term, max_size=5), st.lists(term, max_size=3)), max_size=8))
def test_shared_says_in_how_many_passages_with_expansions_a_plain_term_occurs(texts):
    plain = count([own for own, _ in texts])
    expanded = count([own + more if more else [] for own, more in texts])
    shared = plain.shared_with(expanded).shared
    having = [set(own) for own, more in texts if more]
    expected = Counter(term_key(t) for own in having for t in own)
    if not having or len(having) == sum(bool(own) for own, _ in texts) == len(texts):
        assert shared is None
    elif shared is not None:
        assert shared.tolist() == [expected[key] for key in plain.keys.tolist()]
        assert shared.dtype == np.int32
    else:  # who has none has no terms either
        assert not any(own for own, more in texts if not more)


def test_what_is_shared_is_stored():
    plain = count([["甲", "乙"], ["甲"]]).shared_with(count([[], ["甲", "丙"]]))
    assert plain.shared is not None
    again = Counts.load(contents(plain))
    assert again.shared is not None
    assert again.shared.tolist() == plain.shared.tolist() == [0, 1]
    assert Counts.load(contents(count([["甲"]]))).shared is None


def stored() -> dict[str, bytes]:
    views = {name: count([terms("宝山"), terms("山区")]) for name, terms in VIEWS.items()}
    return {name: whole(content) for name, content in dump_views(views).items()}


def test_loading_gives_back_what_was_dumped():
    files = stored()
    assert {name: whole(x) for name, x in dump_views(load_views(files, tuple(VIEWS))).items()} == files


def test_no_pickle_is_ever_loaded():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        load_views({**stored(), "words.rows.npy": buffer.getvalue()}, tuple(VIEWS))


@pytest.mark.parametrize("broken", ["keys.npy", "offsets.npy", "rows.npy", "frequencies.npy"])
def test_files_that_do_not_fit_together_are_refused(broken):
    files = contents(count([["甲", "乙"], ["丙"]])) | {broken: contents(count([["甲"]]))[broken]}
    with pytest.raises(ValueError, match="differ in number"):
        Counts.load(files)


@pytest.mark.parametrize(("name", "other"), [("keys", "offsets"), ("frequencies", "lengths"), ("rows", "lengths")])
def test_files_of_another_type_are_refused(name, other):
    files = contents(count([["甲", "乙"], ["丙"]]))
    with pytest.raises(ValueError, match=name):
        Counts.load(files | {f"{name}.npy": files[f"{other}.npy"]})


def test_a_file_that_is_missing_is_told():
    files = contents(count([["甲"]]))
    del files["rows.npy"]
    with pytest.raises(KeyError, match="rows"):
        Counts.load(files)
