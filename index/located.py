"""Where the words of a text stand in it, as they are matched: folded, and cut by jieba or by the encoder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

from corpus.types import Passage, Span, slice_spans
from index.numerals import fold_numbers_at
from index.segment import fold_script, is_han, runs, segmenter
from index.types import LateInteraction

# Nothing is folded over these, and no word reaches over them.
_CLAUSE = re.compile(r"[^\s，。；：、！？（）“”‘’《》【】—…]+")
_BOLD = "**"


@runtime_checkable
class Locating(LateInteraction, Protocol):
    """Late interaction that can tell where its words stand."""

    def located(self, pieces: Sequence[str]) -> list[list[tuple[int, Span]]]:
        """The words of each run of normalised text: the ids that `units` gives, and where they stand in the run."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of characters as it is matched; its character `n` is `places[n]` of the text."""

    text: str
    places: Sequence[Span]

    def span(self, start: int, end: int) -> Span:
        return self.places[start][0], self.places[end - 1][1]


class LocatedText:
    """A text, and where in it words stand as they are matched."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._runs = _runs_of(text)

    def at(self, places: Sequence[Span], otherwise: str = "") -> str:
        """The first of the places as it is written."""
        return self.text[slice(*places[0])] if places else otherwise

    def places(self, term: str) -> list[Span]:
        """Where one of jieba's words stands."""
        holding = (run for run in self._runs if term in run.text and term in _terms(run.text))
        return [run.span(*x.span()) for run in holding for x in re.finditer(re.escape(term), run.text)]

    def units(self, late: Locating) -> dict[int, list[Span]]:
        """Where each of the encoder's words stands."""
        found: dict[int, list[Span]] = {}
        for run, located in zip(self._runs, late.located([run.text for run in self._runs]), strict=True):
            for unit, (start, end) in located:
                found.setdefault(unit, []).append(run.span(start, end))
        return found


class LocatedPassage(LocatedText):
    """A passage's text without bold marks, and where that stands in the document."""

    def __init__(self, passage: Passage) -> None:
        super().__init__(passage.text.replace(_BOLD, ""))
        self._spans: list[Span] = []
        offset = 0
        for part in passage.text.split(_BOLD):
            self._spans += slice_spans(passage.spans, offset, offset + len(part))
            offset += len(part) + len(_BOLD)

    def spans(self, places: Sequence[Span]) -> tuple[Span, ...]:
        """Places in the text as spans of the document; one that marks or a page break cut has several."""
        return tuple(span for start, end in places for span in slice_spans(self._spans, start, end))


def _runs_of(text: str) -> list[_Run]:
    clauses = list(_CLAUSE.finditer(text))
    # Folded all at once, which is quicker; nothing is folded over a line's end.
    folded = fold_script("\n".join(x.group() for x in clauses)).split("\n")
    found = []
    for clause, script in zip(clauses, folded, strict=True) if clauses else ():
        letters, places = fold_numbers_at(script, _aligned(text, *clause.span(), len(script)))
        end = 0
        for run in runs(letters):
            start = letters.index(run, end)
            end = start + len(run)
            found.append(_Run(run, places[start:end]))
    return found


def _aligned(text: str, start: int, end: int, length: int) -> Sequence[Span]:
    """For each of the `length` characters that `text[start:end]` has in one script the place that it comes from.

    That is the whole where some of its characters are one character together.
    """
    widths = [_width(c) for c in text[start:end]]
    if sum(widths) != length:
        return [(start, end)] * length
    return [(n, n + 1) for n, width in enumerate(widths, start) for _ in range(width)]


@lru_cache(maxsize=4096)
def _width(character: str) -> int:
    """How many characters one is in width and case that are matched: three for ㈠."""
    return len(unicodedata.normalize("NFKC", character).lower())


@lru_cache(maxsize=4096)
def _terms(run: str) -> frozenset[str]:
    return frozenset(segmenter()(run) if is_han(run) else [run])
