"""The best of many sums are found without going through all, and none is missed."""

from __future__ import annotations

import numpy as np
import pytest

from index.candidates import Best
from index.maxscore import reached


def sums(kind: str, size: int) -> np.ndarray:
    """Scores such as a question gives: spread, rare, all alike, rising in runs, or high only where the sample doesn't look."""
    rng = np.random.default_rng(size)
    scores = {
        "spread": rng.random(size),
        "rare": rng.random(size) * (rng.random(size) < 0.01),
        "alike": np.ones(size),
        "none": np.zeros(size),
        "runs": np.sort(rng.random(size)),
        "beside": np.where(np.arange(size) % 16 == 5, 1 + rng.random(size), rng.random(size)),
    }
    return scores[kind].astype(np.float32)


@pytest.mark.parametrize("kind", ["spread", "rare", "alike", "none", "runs", "beside"])
@pytest.mark.parametrize("size", [0, 1, 100, 5000, 40_000])
@pytest.mark.parametrize("most", [1, 3, 10, 400])
def test_the_best_of_several_segments_are_the_best_of_all(kind, size, most):
    segments = [sums(kind, size), sums("spread", size // 2), sums(kind, size + 7)]
    best, first = Best(most), 0
    for scores in segments:
        best.add(scores.copy(), first)
        first += len(scores)
    every = np.concatenate(segments)
    order = np.lexsort((np.arange(len(every)), -every))
    assert best.rows.tolist() == [row for row in order.tolist() if every[row] > 0][:most]


@pytest.mark.parametrize("kind", ["spread", "rare", "alike", "none", "runs", "beside"])
@pytest.mark.parametrize("count", [1, 10, 400, 3000])
def test_what_is_said_to_be_reached_is_reached(kind, count):
    scores = sums(kind, 40_000)
    bound = reached(scores, count)
    assert bound == 0 or np.count_nonzero(scores >= bound) >= count
    if kind == "spread":
        assert np.count_nonzero(scores >= bound) < 5 * count + 200, "else nothing is saved"
