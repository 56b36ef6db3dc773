"""FAISS against numpy, values and order; passages by their nearest piece."""

from __future__ import annotations

import hashlib
import itertools

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.dense import PieceIndex, Pieces
from index.encoders import unit_rows
from index.tables import array_content, runs_of, whole


def vectors(n: int, seed: int = 0) -> np.ndarray:
    """Unit vectors whose numbers are those of half precision."""
    drawn = unit_rows(np.random.default_rng(seed).normal(size=(n, 16)).astype(np.float32))
    return drawn.astype(np.float16).astype(np.float32)


def pieces(stored: np.ndarray, lengths: list[int]) -> Pieces:
    keys = b"".join(hashlib.sha256(row.tobytes()).digest() for row in stored)
    starts = np.cumsum([0, *lengths]).astype(np.int64)
    return Pieces(stored.astype(np.float16), starts, np.frombuffer(keys, dtype=np.uint8).reshape(-1, 32))


def build(stored: np.ndarray, lengths: list[int], cuts: tuple[int, ...] = ()) -> PieceIndex:
    """Of passages in one table, or in several that begin at `cuts`."""
    tables, starts = [], np.cumsum([0, *lengths])
    for first, last in itertools.pairwise((0, *cuts, len(lengths))):
        tables.append(pieces(stored[starts[first] : starts[last]], lengths[first:last]))
    return PieceIndex(tables)


def cut(lengths: list[int], seed: int) -> tuple[int, ...]:
    return tuple(sorted(np.random.default_rng(seed).integers(0, len(lengths) + 1, size=seed % 4).tolist()))


def contents(table: Pieces) -> dict[str, bytes]:
    return {name: whole(content) for name, content in table.dump().items()}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(1, 50), st.integers(0, 5), st.floats(0, 1))
def test_search_is_exact(lengths, k, seed, share):
    stored, query = vectors(sum(lengths), seed), vectors(1, seed + 100)[0]
    allowed = np.random.default_rng(seed).random(len(lengths)) < share
    index, owners = build(stored, lengths, cut(lengths, seed)), np.repeat(np.arange(len(lengths)), lengths)
    for mask in (None, allowed):
        some = np.arange(len(owners)) if mask is None else np.flatnonzero(mask[owners])
        nearest = some[np.argsort(-(stored[some] @ query), kind="stable")][:k]
        assert index.search(query, k, mask).tolist() == list(dict.fromkeys(owners[nearest].tolist()))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(0, 5))
def test_nearest_is_the_best_of_a_passages_pieces(lengths, seed):
    stored, query = vectors(sum(lengths), seed), vectors(1, seed + 100)[0]
    rows = np.random.default_rng(seed).permutation(len(lengths))
    cosines, which = build(stored, lengths, cut(lengths, seed)).nearest(query, rows)
    starts = np.cumsum([0, *lengths])
    for row, cosine, n in zip(rows, cosines, which, strict=True):
        own = stored[starts[row] : starts[row + 1]] @ query
        assert cosine == pytest.approx(own.max() if len(own) else 0, abs=1e-5)
        assert n == (int(own.argmax()) if len(own) else -1)


def test_ties_are_in_the_order_of_the_passages():
    stored = np.tile(vectors(1), (6, 1))
    for cuts in ((), (1, 3)):
        assert build(stored, [2, 1, 1, 2], cuts).search(stored[0], 6).tolist() == [0, 1, 2, 3]


def test_what_is_dumped_comes_back():
    stored = vectors(9)
    table = pieces(stored, [3, 0, 6])
    loaded = Pieces.load(contents(table))
    again = PieceIndex([loaded])
    assert (again.vectors(np.array([3, 0, 3])) == stored[[3, 0, 3]]).all()
    assert again.vectors(np.array([], dtype=np.int64)).shape == (0, 16)
    assert (again.size, again.dim) == (3, 16)
    assert (loaded.keys == table.keys).all()
    assert loaded.starts.tolist() == [0, 3, 3, 9]
    assert loaded.vectors.dtype == np.float16


def test_rows_of_several_tables_joined_stand_one_behind_the_other():
    one, two = pieces(vectors(9), [3, 0, 6]), pieces(vectors(4, seed=1), [1, 3])
    runs = runs_of([(1, 1, 2), (0, 2, 3), (0, 0, 2)])
    joined = Pieces.load({name: whole(content) for name, content in Pieces.joined([one, two], runs).items()})
    order = [two.vectors[1:], one.vectors[3:], one.vectors[:3]]
    assert (joined.vectors == np.concatenate(order)).all()
    assert joined.ann is None
    assert joined.starts.tolist() == [0, 3, 9, 12, 12]
    assert (joined.keys == np.concatenate([two.keys[1:], one.keys[3:], one.keys[:3]])).all()
    assert Pieces.load({name: whole(content) for name, content in Pieces.joined([one], []).items()}).size == 0


@pytest.mark.parametrize("broken", ["keys.bin", "starts.npy", "vectors.npy"])
def test_files_that_do_not_fit_together_are_refused(broken):
    files = contents(pieces(vectors(9), [3, 0, 6])) | {broken: contents(pieces(vectors(4), [3, 1]))[broken]}
    with pytest.raises(ValueError, match="differ in number"):
        Pieces.load(files)


def test_nothing_stored_finds_nothing():
    index = build(np.zeros((0, 16), np.float32), [0, 0])
    assert index.search(vectors(1)[0], 5).shape == (0,)
    cosines, which = index.nearest(vectors(1)[0], np.array([0, 1]))
    assert (cosines.tolist(), which.tolist()) == ([0, 0], [-1, -1])
    assert index.nearest(vectors(1)[0], np.array([], dtype=np.int64))[0].shape == (0,)
    with pytest.raises(ValueError, match="no table"):
        PieceIndex([])


def test_vectors_of_another_type_are_refused():
    files = contents(pieces(vectors(4), [3, 1]))
    files["vectors.npy"] = whole(array_content(vectors(4)))
    with pytest.raises(ValueError, match="float32, not float16"):
        Pieces.load(files)


@pytest.fixture(scope="module")
def many() -> list[dict[str, bytes]]:
    """Three tables: one with more pieces than are scanned, a small one, and one more large one."""
    tables = []
    for n, (passages, seed) in enumerate([(20_000, 1), (300, 2), (17_000, 3)]):
        centres = vectors(400, seed=seed + 10)
        chance = np.random.default_rng(seed)
        stored = unit_rows(centres[chance.integers(0, 400, passages * 2)] + vectors(passages * 2, seed=n) * 0.6)
        tables.append(contents(pieces(stored, [2] * passages)))
    return tables


def test_many_pieces_are_stored_with_an_index_and_few_without(many):
    assert ["ann.faiss" in files for files in many] == [True, False, True]
    assert many[0]["ann.faiss"] == whole(Pieces.load(many[0]).dump()["ann.faiss"]), "the same pieces, the same bytes"


@pytest.mark.parametrize("share", [None, 0.5, 0.25, 0.01, 0.0005])
def test_most_of_the_nearest_are_found_among_many(many, share):
    tables = [Pieces.load(files) for files in many]
    index = PieceIndex(tables)
    allowed = None if share is None else np.random.default_rng(5).random(index.size) < share
    stored = np.concatenate([table.vectors for table in tables]).astype(np.float32)
    some = np.arange(len(stored)) if allowed is None else np.flatnonzero(np.repeat(allowed, 2))
    recalls = []
    for query in stored[::2500]:
        best = some[np.argsort(-(stored[some] @ query), kind="stable")[:40]]
        found = index.search(query, 40, allowed)
        assert len(set(found.tolist())) == len(found) <= 40
        assert allowed is None or allowed[found].all()
        cosines = index.nearest(query, found)[0]
        assert (np.diff(cosines) <= 1e-6).all(), "nearest first"
        recalls.append(len(set(found.tolist()) & set((best // 2).tolist())) / len(set((best // 2).tolist())))
    assert np.mean(recalls) >= (1 if share is not None and share < 0.1 else 0.9)


def test_an_index_of_other_pieces_or_none_at_all_is_refused(many):
    with pytest.raises(ValueError, match="differ in number"):
        Pieces.load(many[1] | {"ann.faiss": many[0]["ann.faiss"]})
    with pytest.raises(ValueError, match="no index"):
        Pieces.load(many[0] | {"ann.faiss": b"IxFI and nothing more"})


def test_searching_leaves_the_threads_of_faiss_as_they_were(many):
    before = faiss.omp_get_max_threads()
    PieceIndex([Pieces.load(many[0])]).search(vectors(1)[0], 5)
    assert faiss.omp_get_max_threads() == before
