"""Fusion: the formula itself."""

from __future__ import annotations

import numpy as np
import pytest

from index.fusion import LEXICAL_SHARE, lexical_weight, standardise, weighted_sum


def test_z_scores():
    assert standardise(np.array([1, 2, 3], np.float32)) == pytest.approx([-1.2247, 0, 1.2247], abs=1e-3)
    assert standardise(np.array([2, 2], np.float32)).tolist() == [0, 0]
    assert standardise(np.array([], np.float32)).shape == (0,)


def test_weighted_sum():
    lexical, dense = np.array([3, 1], np.float32), np.array([0.2, 0.8], np.float32)
    assert weighted_sum(lexical, dense, 0.75) == pytest.approx([0.5, -0.5], abs=1e-5)


def test_weight_follows_what_the_lexical_arm_sees():
    assert lexical_weight(0) == 0
    assert lexical_weight(1) == pytest.approx(LEXICAL_SHARE)
    assert 0 < lexical_weight(0.3) < lexical_weight(0.6) < LEXICAL_SHARE
