"""The nouns of comparing: a subject has a column for each year, and a column has cells with citations, or a reason."""

from __future__ import annotations

from dataclasses import dataclass

from index.types import NO_FILTERS, DocumentInfo, Filters
from service.answers import NumberedCitation, Reason, Sentence

MOST_PER_YEAR = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """One sentence of a report about the subject: its text is exactly the quote of its one citation.

    The sentence's `label` is what its place is called there: 嘉定园 where 嘉定 was asked for.
    """

    document_id: str
    sentence: Sentence
    section: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A year: its reports, in how many of the passages looked at it was found, and the sentences; or why there is none."""

    year: int
    documents: tuple[DocumentInfo, ...]
    mentioned: int
    cells: tuple[Cell, ...]
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the reports of each year say about a subject, the years rising; all from one generation.

    `place` is the short name of the place that the subject is, None where it is a topic.
    """

    subject: str
    aspect: str | None
    place: str | None
    columns: tuple[Column, ...]
    citations: tuple[NumberedCitation, ...]
    generation: str
    took_ms: float
    notices: tuple[str, ...] = ()

    @property
    def is_silent(self) -> bool:
        """No year says anything."""
        return not self.citations


@dataclass(frozen=True, slots=True)
class Comparing:
    """How years are compared: at most `per_year` sentences a year."""

    per_year: int = 4
    filters: Filters = NO_FILTERS
    expansions: bool = True
