"""FAISS against numpy, values and order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.dense import DenseIndex
from index.encoders import unit_rows


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(n, 16)).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5), st.floats(0, 1))
def test_search_is_exact(n, k, seed, share):
    stored, query = vectors(n, seed), vectors(1, seed + 100)[0]
    allowed = np.random.default_rng(seed).random(n) < share
    scores = stored @ query
    for mask in (None, allowed):
        rows, found = DenseIndex.build(stored).search(query, k, mask)
        candidates = np.arange(n) if mask is None else np.flatnonzero(mask)
        order = candidates[np.lexsort((candidates, -scores[candidates]))][:k]
        assert found == pytest.approx(scores[order], abs=1e-5)
        assert rows.tolist() == order.tolist()


def test_ties_are_in_the_order_of_the_rows():
    stored = np.tile(vectors(1), (5, 1))
    rows, _ = DenseIndex.build(stored).search(stored[0], 5)
    assert rows.tolist() == [0, 1, 2, 3, 4]


def test_vectors_come_back_as_they_went_in():
    stored = vectors(9)
    index = DenseIndex.load(DenseIndex.build(stored).dump())
    assert (index.vectors(np.array([3, 0, 3])) == stored[[3, 0, 3]]).all()
    assert index.vectors(np.array([], dtype=np.int64)).shape == (0, 16)
    assert (index.size, index.dim) == (9, 16)


def test_nothing_stored_finds_nothing():
    rows, scores = DenseIndex.build(np.zeros((0, 16), np.float32)).search(vectors(1)[0], 5)
    assert rows.shape == scores.shape == (0,)
