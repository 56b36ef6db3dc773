"""Scores of several arms → one order. Pure functions.

Reciprocal rank fusion is not used: where one arm is much weaker it drags the other down
(measured on four public sets: the table in `bundled/README.md`).
"""

from __future__ import annotations

import numpy as np

from index.types import Floats

# The lexical arm's share where it sees the whole question, chosen on public sets, not on gold questions.
LEXICAL_SHARE = 0.8


def standardise(scores: Floats) -> Floats:
    """z-scores: mean 0, deviation 1; all 0 where the scores are equal."""
    if scores.size == 0:
        return scores
    deviation = float(scores.std())
    if deviation < 1e-9:
        return np.zeros_like(scores)
    standard: Floats = ((scores - scores.mean()) / deviation).astype(np.float32)
    return standard


def lexical_weight(coverage: float) -> float:
    """The lexical arm's weight, 0 to 1; the dense arm has the rest.

    An arm counts by what it sees: with a question in another language the lexical arm sees nothing.

    >>> lexical_weight(0.0), round(lexical_weight(1.0), 2)
    (0.0, 0.8)
    """
    seen = LEXICAL_SHARE * coverage
    return seen / (seen + (1 - LEXICAL_SHARE))


def weighted_sum(lexical: Floats, dense: Floats, weight: float) -> Floats:
    """`weight` · z(lexical) + (1 − `weight`) · z(dense), for the same candidates."""
    fused: Floats = (weight * standardise(lexical) + (1 - weight) * standardise(dense)).astype(np.float32)
    return fused
