"""What both arms say of the candidates of one part of a question → the candidates in order. One scale, one code, wherever
the arms were searched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from corpus.types import Citation, Passage
from index.fusion import fuse, with_expansions
from index.interaction import InteractionIndex
from index.names import Names
from index.query import Part
from index.rows import Row
from index.types import DocumentInfo, Filters, Floats, Ints, Mask, Mode


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that may be hits of one part, each once, their numbers rising: `rows`, int64 `[n]`.

    `dense` and `lexical` are the shares of the question that each answers by meaning and by words, float32 `[n]`: by the
    passage's own text and, where expansions are asked for, by both together. `coverage` is the share of the question that
    the lexical arm can see at all; `bonus`, float32 `[n]`, what preferred years and places add.
    """

    rows: Ints
    dense: Sequence[Floats]
    lexical: Sequence[Floats]
    coverage: float
    has_expansions: Mask
    bonus: Floats


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates of one part, best first: rows int64, and what each arm said, float32, all `[n]`.

    `text` is what was looked for.
    """

    text: str
    rows: Ints
    scores: Floats
    dense: Floats
    lexical: Floats
    gains: Floats


class Arms(Protocol):
    """Where the arms are searched."""

    def candidates(self, part: Part, mode: Mode, filters: Filters, expansions: bool, count: int) -> Candidates:
        """The best `count` passages of each arm in each view, and what both arms say of all of them."""


class Source(Protocol):
    """What a search reads of a generation beside its arms; `index.snapshot.Snapshot` is the one on this machine."""

    @property
    def name(self) -> str:
        """The generation's."""

    @property
    def description(self) -> Mapping[str, Any]:
        """The generation's manifest."""

    @property
    def documents(self) -> Mapping[str, DocumentInfo]: ...

    @property
    def names(self) -> Names: ...

    @property
    def rows(self) -> Sequence[Row]:
        """All passages with their expansions, by their numbers."""

    @property
    def years(self) -> Ints:
        """The report's year of each passage, whole numbers `[passages]`."""

    @property
    def words(self) -> InteractionIndex | None:
        """Words whose vectors are at hand as the index was built with them; None where none are."""

    def row(self, number: int) -> Row:
        """A passage with its expansions, by its number."""

    def ready(self, rows: Ints) -> None:
        """Have passages at hand that are about to be asked for one by one."""

    def rows_of(self, document_id: str) -> range:
        """The numbers of a document's passages; none of one that is not here."""

    def found(self, passage_id: str) -> Row | None:
        """A passage with its expansions, by its id; None where there is none."""

    def passage(self, passage_id: str) -> Passage | None:
        """A passage by its id, or None."""

    def text(self, document_id: str) -> str:
        """The document's text exactly as it was indexed."""

    def citation(self, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
        """The citation of a passage, or of `[start, end)` of its text."""

    def reports(self) -> Iterable[tuple[str, int]]:
        """The title and the year of each document."""

    def series(self) -> Set[str]:
        """The series that the documents belong to."""

    def weights(self, terms: Collection[str]) -> Mapping[str, float]:
        """The inverse document frequency of terms of the view `characters` in the passages' own text; 0 where it has none."""

    def coverage(self, text: str) -> float:
        """How much of a text the passages' own words can see at all, 0 (another language) to 1."""

    def holding(self, place: str) -> Ints:
        """The passages that hold all characters of one of `names.places`, two by two: int64, rising."""

    def mask(self, filters: Filters) -> Mask | None:
        """bool `[passages]`: which may be found; None where all may."""

    def years_of(self, places: Collection[str]) -> list[int]:
        """The years of the reports with a passage that holds all the places, rising."""

    def nearest_expansions(self, vector: Floats, rows: Ints) -> Ints:
        """Which expansion of each passage is nearest to a vector `[dim]`, int64 `[rows]`; -1 for one that has none."""


def rank(text: str, mode: Mode, found: Candidates) -> Ranked:
    """The candidates that any arm sees something in, in order; ties by row."""
    scores = [_score(mode, d, x, found.coverage) for d, x in zip(found.dense, found.lexical, strict=True)]
    total, gains = scores[0], np.zeros(len(found.rows), dtype=np.float32)
    if len(scores) > 1:
        total = with_expansions(scores[0], scores[1], found.has_expansions)
        gains = np.where(found.has_expansions, total - scores[0], 0).astype(np.float32)
    seen = total > 0
    rows, total = found.rows[seen], (total + found.bonus)[seen]
    order = np.lexsort((rows, -total))
    columns = (x[seen][order] for x in (found.dense[-1], found.lexical[-1], gains))
    return Ranked(text, rows[order], total[order], *columns)


def _score(mode: Mode, dense: Floats, lexical: Floats, coverage: float) -> Floats:
    if mode == "hybrid":
        return fuse(dense, lexical, coverage)
    return dense if mode == "dense" else lexical
