"""How well any text answers any question: the arms of a search, over texts that no index knows.

The inverse document frequency of a handful of texts says nothing, so terms weigh what the encoder says that they weigh in
a question: BM25's saturation and length norm (see `index.lexical`), with these weights in place of idf and the length of
a usual passage in place of the mean. By meaning, question and text must match each other: the geometric mean of the share
of the question that the text matches and of the share of the text that the question matches. One share alone would prefer
long texts, which have a word for everything. Long texts are read in windows, and the best one counts (MaxP: Dai and
Callan, "Deeper Text Understanding for IR", SIGIR 2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from index.fusion import fuse, spread
from index.interaction import Bag, InteractionIndex, share
from index.lexical import K1, VIEWS, B
from index.types import Encoder, Floats, LateInteraction

_WINDOW = 1000
_STEP = 500
# So many windows are compared at once: a long question over all of a large request would need gigabytes.
_TOGETHER = 32
# How many terms of each view a passage of about 300 characters has.
_USUAL: Mapping[str, float] = {"characters": 300.0, "words": 100.0}
# What a term weighs that the encoder does not know: as much as its rarest words.
_UNKNOWN = 2.8


def relevance(encoder: Encoder, query: str, texts: Sequence[str]) -> Floats:
    """How well each text answers the query, float32 `[len(texts)]`, 0 (not at all) to 1; a text without words has 0.

    Scores order the texts of one call: how words count against meaning depends on what the texts have of the question's
    words. With an encoder without late interaction a score also says how far its text stands out among them.
    """
    windows, owners = _windows(texts)
    scores = np.zeros(len(texts), dtype=np.float32)
    if not windows:
        return scores
    weights = {view: _weights(encoder, sorted(set(terms(query)))) for view, terms in VIEWS.items()}
    counts = {view: [Counter(terms(window)) for window in windows] for view, terms in VIEWS.items()}
    shares = [_lexical(counts[view], weights[view], _USUAL[view]) for view in VIEWS]
    lexical: Floats = np.mean(shares, axis=0, dtype=np.float32)
    late = encoder if isinstance(encoder, LateInteraction) else None
    semantic = _mutual(late, query, windows) if late else _likeness(encoder, query, windows)
    fused = fuse(semantic, lexical, _coverage(counts["characters"], weights["characters"]))
    np.maximum.at(scores, owners, np.clip(fused, 0, 1))
    return scores


def _windows(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """The pieces that texts are read in, and the number of the text of each; blank texts have none."""
    windows: list[str] = []
    owners: list[int] = []
    for n, text in enumerate(texts):
        if text.strip():
            starts = range(0, max(len(text) - _WINDOW, 0) + _STEP, _STEP)
            windows += [text[start : start + _WINDOW] for start in starts]
            owners += [n] * len(starts)
    return windows, owners


def _weights(encoder: Encoder, terms: Sequence[str]) -> dict[str, float]:
    """What each term of the question counts: the mean of its words' weights; all the same where the encoder has none."""
    if not isinstance(encoder, LateInteraction):
        return dict.fromkeys(terms, 1.0)
    found = {}
    for term, units in zip(terms, encoder.units(terms), strict=True):
        found[term] = float(encoder.unit_weights(units).mean()) if units.size else _UNKNOWN
    return found


def _lexical(counts: Sequence[Counter[str]], weights: Mapping[str, float], usual: float) -> Floats:
    """The share of the question that each window has, by its terms and how often, float32 `[windows]`, 0 to 1."""
    shares = np.zeros(len(counts), dtype=np.float32)
    total = sum(weights.values())
    for n, found in enumerate(counts):
        norm = K1 * (1 - B + B * found.total() / usual)
        if total:
            shares[n] = sum(w * found[t] / (found[t] + norm) for t, w in weights.items() if found[t]) / total
    return shares


def _coverage(counts: Sequence[Counter[str]], weights: Mapping[str, float]) -> float:
    """The share of the question's characters that occur in any of the texts, 0 (another language) to 1."""
    known = set().union(*counts)
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in known) / total if total else 0.0


def _mutual(encoder: LateInteraction, query: str, windows: Sequence[str]) -> Floats:
    """How much question and window match of each other by late interaction, float32 `[windows]`, 0 to 1."""
    bag = Bag.of(encoder, query)
    found = []
    for first in range(0, len(windows), _TOGETHER):
        index = InteractionIndex.build(encoder, windows[first : first + _TOGETHER])
        matches, back = index.mutual(bag, encoder.unit_weights(index.units))
        found.append(np.sqrt(share(matches, bag.weights) * back))
    both: Floats = np.concatenate(found)
    return both


def _likeness(encoder: Encoder, query: str, windows: Sequence[str]) -> Floats:
    """How far each window's cosine stands out, float32 `[windows]`, 0 to 1; the cosine itself where all are alike."""
    cosines: Floats = encoder.encode_passages(windows) @ encoder.encode_queries([query])[0]
    shares = spread(cosines)
    return shares if shares.any() else np.clip(cosines, 0, 1)
