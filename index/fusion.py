"""Scores of several arms → one. Pure functions.

Both arms speak in shares of the question, 0 to 1: how much of it, by weight, a passage answers. So an arm that
sees nothing of a question adds nothing, whatever the other's scale, and a score means the same in a corpus of any
size. Reciprocal rank fusion and z-scores were tried and left (docs/decisions/0001-ranking.md).
"""

from __future__ import annotations

import numpy as np

from index.types import Floats

SEMANTIC_SHARE = 0.35
"""The semantic arm's share against the lexical arm's, chosen on `dev` and public sets."""

EXPANSION_SHARE = 0.65
"""How much expansions count beside the passage's own text, chosen on `dev`."""


YEAR_BONUS = 0.05
"""What a passage of a report of the year asked for gains."""

PLACE_BONUS = 0.05
"""What a passage gains that names the place asked for, in its text or above it."""


def fuse(semantic: Floats, lexical: Floats, coverage: float) -> Floats:
    """Shares of the question that the arms see in each passage, float32 `[passages]` each → one score.

    The lexical arm counts by `coverage`, the share of the question that it can see at all: what an English question has
    in common with Chinese text, a number say, must not outvote its meaning.
    """
    weight = (1 - SEMANTIC_SHARE) * coverage
    fused: Floats = ((SEMANTIC_SHARE * semantic + weight * lexical) / (SEMANTIC_SHARE + weight)).astype(np.float32)
    return fused


def with_expansions(plain: Floats, expanded: Floats, has_expansions: np.ndarray) -> Floats:
    """Scores of the text alone and of the text with its expansions → one score, float32 `[passages]`.

    Expansions only add words, so passages that have some would outrank those of a document that was never enriched:
    these are credited with the mean gain of the best ten that have them.
    """
    gain = np.where(has_expansions, np.maximum(expanded - plain, 0), 0)
    if has_expansions.any() and not has_expansions.all():
        best = np.argsort(-np.where(has_expansions, plain, -np.inf), kind="stable")[:10]
        gain = np.where(has_expansions | (plain <= 0), gain, gain[best[has_expansions[best]]].mean())
    mixed: Floats = (plain + EXPANSION_SHARE * gain).astype(np.float32)
    return mixed


def spread(cosines: Floats) -> Floats:
    """Cosines of an encoder without late interaction as shares, 0 to 1, float32 of the same shape.

    Each encoder has its own narrow band of cosines: what counts is how far a passage stands out among the candidates.
    """
    if cosines.size == 0:
        return cosines
    deviation = float(cosines.std())
    if deviation < 1e-6:
        return np.zeros_like(cosines)
    shares: Floats = np.clip((cosines - cosines.mean()) / (6 * deviation) + 0.2, 0, 1).astype(np.float32)
    return shares
