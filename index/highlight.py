"""Which sentences of a passage answer best. Pure functions over its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from corpus.sentences import sentence_spans
from corpus.types import Span
from index.segment import LATIN, characters, is_han, normalise_lines

_ASKS_FIGURE = re.compile(r"(?:多少|几)\s*([一-鿿]?)|占比|比例|how (?:many|much)", re.IGNORECASE)
_FIGURE = r"\d[\d.,]*\s*[余多千百万亿]*\s*"
_FIGURE_BONUS = 0.25
_ALSO = 0.95


def query_weights(query: str, weights: Callable[[Collection[str]], Mapping[str, float]]) -> Mapping[str, float]:
    """The query's character terms and names, each with its rarity in the index."""
    return weights(set(characters(query)))


def best_sentences(text: str, weights: Mapping[str, float], query: str) -> list[Span]:
    """The best sentence of a passage and any that come close to it; none where no term of the query occurs.

    A sentence scores the share of the query's weight that its terms carry; where the query asks for a
    figure, one that holds a figure scores more (after `多少家`, a figure of that unit).
    """
    total = sum(weights.values())
    if not total:
        return []
    asked = _ASKS_FIGURE.search(query)
    figure = re.compile(_FIGURE + (asked.group(1) or "")) if asked else None
    terms = [(term, weight, is_han(term)) for term, weight in weights.items()]
    has_names = not all(in_han for _, _, in_han in terms)
    scored: list[tuple[float, Span]] = []
    spans = sentence_spans(text)
    for (start, end), line in zip(spans, normalise_lines([text[a:b] for a, b in spans]), strict=True):
        # A Han character or two stand in a line where its terms have them; a name in Latin letters must be a whole one.
        names = set(LATIN.findall(line)) if has_names else ()
        score = sum(w for term, w, in_han in terms if term in (line if in_han else names)) / total
        if score and figure and figure.search(text, start, end):
            score += _FIGURE_BONUS
        scored.append((score, (start, end)))
    best = max((score for score, _ in scored), default=0.0)
    return [span for score, span in scored if best and score >= _ALSO * best]
