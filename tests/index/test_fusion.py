"""Fusion: the formulas themselves, and fairness to what was never enriched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from index.fusion import EXPANSION_SHARE, SEMANTIC_SHARE, fuse, spread, with_expansions

shares = arrays(np.float32, st.integers(1, 30), elements=st.floats(0, 1, width=32))


def floats(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def test_fuse_is_the_weighted_sum():
    fused = fuse(floats(0.2, 0.8, 0), floats(1, 0, 0), coverage=1.0)
    assert fused == pytest.approx([0.2 * SEMANTIC_SHARE + 1 - SEMANTIC_SHARE, 0.8 * SEMANTIC_SHARE, 0])
    assert fused.dtype == np.float32


def test_the_lexical_arm_counts_by_what_it_can_see():
    assert fuse(floats(0.5, 0.4), floats(0, 1), coverage=0.0) == pytest.approx([0.5, 0.4])
    half = fuse(floats(0.5), floats(0.1), coverage=0.5)[0]
    assert fuse(floats(0.5), floats(0.1), coverage=1.0)[0] < half < 0.5


def test_expansions_add_a_share_of_their_gain_and_never_take():
    mixed = with_expansions(floats(0.5, 0.5, 0), floats(0.9, 0.1, 0.2), np.ones(3, bool))
    assert mixed == pytest.approx([0.5 + 0.4 * EXPANSION_SHARE, 0.5, 0.2 * EXPANSION_SHARE])


@settings(max_examples=100, deadline=None)
@given(shares)
def test_where_nothing_is_enriched_nothing_changes(plain):
    assert (with_expansions(plain, plain, np.zeros(len(plain), bool)) == plain).all()


def test_what_was_never_enriched_is_credited_with_the_usual_gain():
    plain, expanded = floats(0.5, 0.4, 0.5), floats(0.7, 0.8, 0.5)
    mixed = with_expansions(plain, expanded, np.array([True, True, False]))
    assert mixed[2] == pytest.approx(0.5 + EXPANSION_SHARE * (0.2 + 0.4) / 2)
    assert mixed[:2] == pytest.approx([0.5 + 0.2 * EXPANSION_SHARE, 0.4 + 0.4 * EXPANSION_SHARE])


def test_a_passage_that_no_arm_sees_is_credited_with_nothing():
    mixed = with_expansions(floats(0.5, 0), floats(0.7, 0), np.array([True, False]))
    assert mixed[1] == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), max_size=40))
def test_spread_keeps_the_order_and_stays_a_share(cosines):
    found = spread(floats(*cosines))
    assert found.shape == (len(cosines),)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found[np.argsort(cosines, kind="stable")]) >= 0).all()


def test_spread_is_the_same_for_a_narrow_band_and_a_wide_one():
    wide = np.linspace(-0.5, 0.5, 9, dtype=np.float32)
    assert spread(wide * np.float32(0.1) + np.float32(0.8)) == pytest.approx(spread(wide), abs=1e-3)
    assert spread(floats(0.7, 0.7)).tolist() == [0, 0]
