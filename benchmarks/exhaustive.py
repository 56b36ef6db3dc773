"""What a search would find that looked at every passage with both arms: what recall is measured against.

The arms' own code says what each passage has of a question, a block of passages after the other; all of them are then
ranked at once. That takes the memory of one block, and far more time than any other stage of `scale.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.encoders import BundledEncoder
from index.interaction import Bag
from index.local import LocalArms
from index.query import Part
from index.ranking import Candidates, Ranked, rank
from index.search import HybridRetriever
from index.snapshot import Snapshot
from index.types import MODES, NO_FILTERS, Mode

TOP = 10
_BLOCK = 20_000
_COUNT = 200
"""Candidates of each arm, as `index.search` asks for."""


def recall(retriever: HybridRetriever, questions: Sequence[str]) -> dict[str, dict[str, float]]:
    """By mode the mean and the least share of the best ten that a search finds, of the last part of each question.

    Passages that score as much as the tenth are as good as it. Copies are not put back yet, on either side.
    """
    snapshot, encoder = retriever.snapshot, retriever.encoder
    if not isinstance(snapshot, Snapshot) or not isinstance(encoder, BundledEncoder):
        raise TypeError("recall is of an index on this machine, by the bundled encoder")
    arms = LocalArms(snapshot, encoder)
    shares: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    for question in questions:
        part = retriever.understand(question).parts[-1]
        all_of_it = _everything(arms, snapshot, encoder, part)
        for mode, found in shares.items():
            best = rank(part.text, mode, all_of_it)
            if len(best.rows):
                ours = rank(part.text, mode, arms.candidates(part, mode, NO_FILTERS, True, _COUNT))
                found.append(_share(best, ours))
    return {mode: {"mean": float(np.mean(x)), "least": min(x), "of": len(x)} for mode, x in shares.items() if x}


def _share(best: Ranked, ours: Ranked) -> float:
    wanted = min(TOP, len(best.rows))
    good = best.rows[best.scores >= best.scores[wanted - 1] - 1e-6]
    return min(len(np.intersect1d(good, ours.rows[:TOP])), wanted) / wanted


def _everything(arms: LocalArms, snapshot: Snapshot, encoder: BundledEncoder, part: Part) -> Candidates:
    """What both arms say of every passage that may be found."""
    bag = Bag.of(encoder, part.text)
    views = [snapshot.plain, *([snapshot.expanded] if snapshot.has_expansions.any() else [])]
    asked = [view.lexical.prepare(part.text) for view in views]
    allowed = arms._required(part, None)
    every = np.arange(len(snapshot.rows)) if allowed is None else np.flatnonzero(allowed)
    blocks = []
    for first in range(0, max(len(every), 1), _BLOCK):
        rows = every[first : first + _BLOCK]
        has = snapshot.has_expansions[rows]
        dense, lexical = arms._dense(views, bag, rows, has), arms._lexical(views, asked, rows, has)
        blocks.append((np.array([dense[0], dense[-1], lexical[0], lexical[-1]]), arms._bonus(part, rows)))
    said = np.concatenate([x for x, _ in blocks], axis=1)
    return Candidates(
        rows=every,
        dense=said[:2],
        lexical=said[2:],
        coverage=asked[-1].coverage,
        has_expansions=snapshot.has_expansions[every],
        bonus=np.concatenate([x for _, x in blocks]),
    )
