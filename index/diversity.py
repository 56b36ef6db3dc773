"""Five hits should not be five copies: what repeats a better hit's text stands behind the others."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

_COPY = 0.8
"""Share of common pairs of characters (Jaccard) from which one text counts as a copy of another."""


def defer_copies(texts: Iterable[str], count: int, wanted: int) -> list[int]:
    """The places of `count` texts, best first, with copies of a better text moved behind all others.

    Only until `wanted` different ones are found: what follows them is not looked at, nor taken from `texts`.
    """
    first: list[int] = []
    copies: list[int] = []
    seen: list[set[tuple[str, str]]] = []
    following = iter(texts)
    for n in range(count):
        if len(first) >= wanted:
            first.append(n)
            continue
        terms = set(pairwise(next(following)))
        is_copy = any(_alike(terms, other) for other in seen)
        (copies if is_copy else first).append(n)
        seen.append(terms)
    return first + copies


def _alike(a: set[tuple[str, str]], b: set[tuple[str, str]]) -> bool:
    if not a or min(len(a), len(b)) < _COPY * max(len(a), len(b)):  # they can't have so much in common
        return False
    common = len(a & b)
    return common >= _COPY * (len(a) + len(b) - common)
