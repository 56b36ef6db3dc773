"""Why a passage was found: the question's words that stand in it, and its own words that mean much the same as others.

Looked up only when a user asks. Shares and likeness are those that the search computed with; see `index/lexical.py` and
`index/interaction.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from corpus.types import Passage, Span, slice_spans
from index.context import passage_context
from index.interaction import THRESHOLD, Bag
from index.lexical import Postings, inverse_frequency
from index.segment import is_han, normalise, runs, segmenter, words
from index.snapshot import Snapshot
from index.spelling import fold_letters
from index.types import Floats, Ints, LateInteraction, Mode

LIKE = 0.5
"""Likeness from which on a match is given as a reason: below it, most pairs on `dev` were chance to a reader's eye."""

# Nothing is folded over these, and no word reaches over them.
_CLAUSE = re.compile(r"[^\s，。；：、！？（）“”‘’《》【】—…]+")
_BOLD = "**"

Where = Literal["text", "heading", "expansion"]
"""In a passage's own text; above it: title, headings, lead, column heads; or in its expansions, which are no source."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the question that the passage has.

    `weight` is the word's share of the question as BM25 weighs words: those of all its words, found or not, sum to 1.
    `spans` are all its places in the document; none where it stands elsewhere.
    """

    text: str
    weight: float
    where: Where
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """A word of the question that is not in the passage, and the passage's word that is nearest to it.

    `weight` is the word's share of the question as late interaction weighs words, `likeness` from 0 to 1; their
    product is what the match adds to the share that the passage's text answers by meaning.
    """

    asked: str
    found: str
    likeness: float
    weight: float
    where: Where
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """Why one passage was found: words and meanings, each with those first that count most."""

    words: tuple[Word, ...] = ()
    meanings: tuple[Meaning, ...] = ()


@runtime_checkable
class Locating(LateInteraction, Protocol):
    """Late interaction that can tell where its words stand."""

    def located(self, pieces: Sequence[str]) -> list[list[tuple[int, Span]]]:
        """The words of each run of normalised text: the ids that `units` gives, and where they stand in the run."""


class Reasons:
    """Why passages are found for one question, searched by `mode` and with expansions or without."""

    def __init__(self, snapshot: Snapshot, encoder: object, text: str, mode: Mode, expansions: bool) -> None:
        self._snapshot = snapshot
        self._question = _Text(text)
        self._plain = snapshot.plain.lexical.views["words"]
        self._all = snapshot.expanded.lexical.views["words"] if expansions else self._plain
        self._is_alone = mode == "dense"  # what stands there word for word is told by this arm or by nobody
        self._weights = _shares(text, self._all) if not self._is_alone else {}
        self._places = {term: self._question.places(term) for term in self._weights}
        self._late = encoder if isinstance(encoder, Locating) and mode != "lexical" else None
        if self._late is not None:
            self._bag = Bag.of(self._late, text)
            self._units = self._question.units(self._late)
            self._parts = self._bag.weights / self._bag.weights.sum()

    def why(self, row: int) -> Why:
        """Why the passage in a row was found."""
        passage = self._snapshot.rows[row].passage
        document = self._snapshot.documents[passage.document_id]
        above = _Text("\n".join([passage_context(document.title, document.year, passage), *passage.columns]))
        source = _Source(passage)
        own = {term for term in self._weights if _holds(self._plain, term, row)}
        meanings = self._meanings(self._late, row, source, above, own) if self._late is not None else ()
        return Why(self._words(row, source, above, own), meanings)

    def _words(self, row: int, source: _Source, above: _Text, own: Collection[str]) -> tuple[Word, ...]:
        """The words of the question that the passage has: its `own`, and those of its expansions."""
        found = []
        for term, weight in self._weights.items():
            if not _holds(self._all, term, row):
                continue
            where: Where = "expansion"
            spans: tuple[Span, ...] = ()
            if term in own:
                spans = source.spans(source.places(term))
                where = "text" if spans or not above.places(term) else "heading"
            found.append(Word(self._question.at(self._places[term], term), weight, where, spans))
        return tuple(sorted(found, key=lambda x: -x.weight))

    def _meanings(
        self, late: Locating, row: int, source: _Source, above: _Text, own: Collection[str]
    ) -> tuple[Meaning, ...]:
        """For words of the question that are not among the passage's `own` its nearest word, where that is near enough."""
        likeness, nearest = self._nearest(late, row)
        said = {n for term in own for span in self._places[term] for n in range(*span)}
        in_text, in_headings = source.units(late), above.units(late)
        found = []
        for n in np.flatnonzero(likeness >= LIKE).tolist():
            word, unit = int(self._bag.units[n]), int(nearest[n])
            places = self._units.get(word, [])
            asked = self._question.at(places)
            is_in_text = unit in in_text
            name = source.at(in_text[unit]) if is_in_text else above.at(in_headings.get(unit, []))
            is_said = any(said.issuperset(range(*span)) for span in places)
            if is_said or not (self._is_alone if unit == word else _is_telling(asked, name)):
                continue
            spans = source.spans(in_text[unit]) if is_in_text else ()
            where: Where = "text" if is_in_text else "heading"
            found.append(Meaning(asked, name, float(likeness[n]), float(self._parts[n]), where, spans))
        return tuple(sorted(found, key=lambda x: -x.weight * x.likeness))

    def _nearest(self, late: Locating, row: int) -> tuple[Floats, Ints]:
        """For each word of the question the nearest of the passage: how like it is, `[words]`, and its id, `[words]`."""
        none = np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
        table = self._snapshot.plain.words
        if table is None:
            return none
        units: Ints = table.units[table.terms[table.starts[row] : table.starts[row + 1]]]
        if not len(units):
            return none
        cosines = self._bag.vectors @ table.unit_vectors(units, late).T
        likeness = np.clip((cosines.max(axis=1) - THRESHOLD) / (1 - THRESHOLD), 0, 1)
        return likeness, units[cosines.argmax(axis=1)]


def _is_telling(asked: str, found: str) -> bool:
    """Whether a pair of words tells a reader anything: to the encoder numbers are alike, and so are small words."""
    return max(len(asked), len(found)) > 1 and not (asked[:1].isdecimal() or found[:1].isdecimal()) and bool(found)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of characters as it is matched; its character `n` is `places[n]` of the text."""

    text: str
    places: Sequence[Span]

    def span(self, start: int, end: int) -> Span:
        return self.places[start][0], self.places[end - 1][1]


class _Text:
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


class _Source(_Text):
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
    folded = normalise("\n".join(x.group() for x in clauses)).split("\n")
    found = []
    for clause, letters in zip(clauses, folded, strict=True) if clauses else ():
        places = _aligned(text, *clause.span(), letters)
        end = 0
        for run in runs(letters):
            start = letters.index(run, end)
            end = start + len(run)
            found.append(_Run(run, places[start:end]))
    return found


def _aligned(text: str, start: int, end: int, folded: str) -> Sequence[Span]:
    """For each character of what `text[start:end]` folds to the place that it comes from: 二十五家 → 25家, both digits
    from 二十五."""
    single = [(n, n + 1) for n in range(start, end)]
    letters = "".join(x if len(x := c.lower()) == 1 else c for c in fold_letters(text[start:end]))
    if letters == folded:
        return single
    places: list[Span] = []
    for _, a, b, c, d in SequenceMatcher(None, letters, folded, autojunk=False).get_opcodes():
        places += single[a:b] if b - a == d - c else [(start + a, start + b)] * (d - c)
    return places


@lru_cache(maxsize=4096)
def _terms(run: str) -> frozenset[str]:
    return frozenset(segmenter()(run) if is_han(run) else [run])


def _shares(text: str, postings: Postings) -> dict[str, float]:
    """Each word of the question → its share of the question, as `Postings.shares` weighs it."""
    unknown = float(inverse_frequency(np.zeros(1), postings.size)[0])
    weights = {term: postings.weight(term, unknown) for term in dict.fromkeys(words(text))}
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}


def _holds(postings: Postings, term: str, row: int) -> bool:
    number = postings.vocabulary.get(term)
    if number is None:
        return False
    rows: Ints = postings.rows[postings.offsets[number] : postings.offsets[number + 1]]
    place = int(np.searchsorted(rows, row))
    return place < len(rows) and int(rows[place]) == row
