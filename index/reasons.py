"""Why a passage was found: the question's words that stand in it, and its own words that mean much the same as others.

Looked up only when a user asks. Shares and likeness are those that the search computed with; see `index/lexical.py` and
`index/interaction.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corpus.types import Span
from index.context import passage_context
from index.interaction import THRESHOLD, Bag
from index.lexical import TermView, inverse_frequency
from index.located import LocatedPassage, LocatedText, Locating
from index.segment import words
from index.snapshot import Snapshot
from index.types import Floats, Ints, Mode

LIKE = 0.5
"""Likeness from which on a match is given as a reason: below it, most pairs on `dev` were chance to a reader's eye."""

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


class Reasons:
    """Why passages are found for one question, searched by `mode` and with expansions or without."""

    def __init__(self, snapshot: Snapshot, encoder: object, text: str, mode: Mode, expansions: bool) -> None:
        self._snapshot = snapshot
        self._question = LocatedText(text)
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
        above = LocatedText("\n".join([passage_context(document.title, document.year, passage), *passage.columns]))
        source = LocatedPassage(passage)
        own = {term for term in self._weights if self._plain.holds(term, row)}
        meanings = self._meanings(self._late, row, source, above, own) if self._late is not None else ()
        return Why(self._words(row, source, above, own), meanings)

    def _words(self, row: int, source: LocatedPassage, above: LocatedText, own: Collection[str]) -> tuple[Word, ...]:
        """The words of the question that the passage has: its `own`, and those of its expansions."""
        found = []
        for term, weight in self._weights.items():
            if not self._all.holds(term, row):
                continue
            where: Where = "expansion"
            spans: tuple[Span, ...] = ()
            if term in own:
                spans = source.spans(source.places(term))
                where = "text" if spans or not above.places(term) else "heading"
            found.append(Word(self._question.at(self._places[term], term), weight, where, spans))
        return tuple(sorted(found, key=lambda x: -x.weight))

    def _meanings(
        self, late: Locating, row: int, source: LocatedPassage, above: LocatedText, own: Collection[str]
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
        units = table.units_of(row)
        if not len(units):
            return none
        cosines = self._bag.vectors @ table.unit_vectors(units, late).T
        likeness = np.clip((cosines.max(axis=1) - THRESHOLD) / (1 - THRESHOLD), 0, 1)
        return likeness, units[cosines.argmax(axis=1)]


def _is_telling(asked: str, found: str) -> bool:
    """Whether a pair of words tells a reader anything: to the encoder numbers are alike, and so are small words."""
    return max(len(asked), len(found)) > 1 and not (asked[:1].isdecimal() or found[:1].isdecimal()) and bool(found)


def _shares(text: str, view: TermView) -> dict[str, float]:
    """Each word of the question → its share of the question, as `LexicalIndex.shares` weighs it."""
    unknown = float(inverse_frequency(np.zeros(1), view.size)[0])
    weights = {term: view.weight(term, unknown) for term in dict.fromkeys(words(text))}
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}
