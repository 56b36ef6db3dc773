"""What a generation holds, ready to be searched: documents, passages, both views, names. Never changed once loaded.

Nothing is parsed but what a search asks of all documents; a passage or a document is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.citations import cite_part, cite_passage
from corpus.types import Citation, Passage
from index.generations import Generation
from index.interaction import InteractionIndex
from index.names import Names
from index.opened import Documents, Rows, Wrong
from index.rows import Row
from index.segments import load_segments
from index.shelf import Share
from index.storage import IndexProblem
from index.types import DocumentInfo, Filters, Floats, Ints, Mask
from index.views import View


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened generation. Row `n` of every index is `rows[n]`; a document's rows stand together."""

    name: str
    description: Mapping[str, Any]
    documents: Documents
    rows: Rows
    plain: View
    expanded: View
    names: Names
    years: Ints
    """The report's year of each passage, int16 `[passages]`."""
    has_expansions: Mask
    ranges: Mapping[str, range]
    """The rows of each document."""
    all_years: Sequence[int]
    """Those of the documents that have passages, rising."""
    is_mapped: bool
    """Whether its tables were not checked as a whole when it was opened."""

    @classmethod
    def load(cls, generation: Generation, wrong: Wrong = lambda problem: problem) -> Snapshot:
        """Of a verified generation; `wrong` is raised by its rows and documents where one is damaged.

        Raises:
            IndexProblem: `index_damaged`, where its parts don't fit together.
        """
        shelves = load_segments(generation)
        try:
            names = Names.load(bytes(generation.files["names.json"]))
            tables = [x.plain for x in shelves]
            plain, expanded = View.plain(tables), View.expanded(tables, [x.expanded for x in shelves])
            has_expansions = [np.diff(x.expanded.pieces.starts) > 0 for x in shelves]
        except (KeyError, ValueError, TypeError, RuntimeError) as error:  # FAISS raises RuntimeError
            raise IndexProblem(
                "index_damaged", f"索引 {generation.name} 的内容不完整（{type(error).__name__}）"
            ) from error
        shares = [share for shelf in shelves for share in shelf.shares]
        sizes = np.array([share.passages for share in shares], dtype=np.int64)
        starts = [0, *np.cumsum(sizes).tolist()]
        return cls(
            name=generation.name,
            description=generation.manifest,
            documents=Documents(shelves, wrong),
            rows=Rows(shelves, wrong),
            plain=plain,
            expanded=expanded,
            names=names,
            years=np.repeat(np.array([x.year for x in shares], dtype=np.int16), sizes),
            has_expansions=np.concatenate([np.zeros(0, np.bool_), *has_expansions]),
            ranges={x.id: range(starts[n], starts[n + 1]) for n, x in enumerate(shares)},
            all_years=sorted({x.year for x in shares if x.passages}),
            is_mapped=generation.mapped,
        )

    def text(self, document_id: str) -> str:
        """The document's text exactly as it was indexed."""
        return self.documents.text(document_id)

    def rows_of(self, document_id: str) -> range:
        """The rows of a document's passages; none of one that is not here."""
        return self.ranges.get(document_id, range(0))

    def row_of(self, passage_id: str) -> int | None:
        """The row of a passage by its id, or None."""
        document_id, _, bounds = passage_id.rpartition(":")
        start, _, end = bounds.partition("-")
        if not (start.isdecimal() and end.isdecimal()):
            return None
        rows = self.rows_of(document_id)
        found = self.rows.bounded(rows, int(start), int(end))
        return next((n for n in found if self.rows[n].passage.id == passage_id), None)

    def row(self, number: int) -> Row:
        """A passage with its expansions, by its number."""
        return self.rows[number]

    def ready(self, rows: Ints) -> None:
        """Passages are at hand."""

    def found(self, passage_id: str) -> Row | None:
        """A passage with its expansions, by its id; None where there is none."""
        number = self.row_of(passage_id)
        return None if number is None else self.rows[number]

    def passage(self, passage_id: str) -> Passage | None:
        """A passage by its id, or None."""
        row = self.found(passage_id)
        return row.passage if row else None

    def citation(self, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
        """The citation of a passage, or of `[start, end)` of its text."""
        share = self.documents.share(passage.document_id)
        whole = cite_passage(share.title, share.year, passage)
        if (start, end) in ((0, None), (0, len(passage.text))):
            return whole
        end = len(passage.text) if end is None else end
        page_starts = self.documents[passage.document_id].page_starts
        return cite_part(whole, self.text(passage.document_id), start, end, page_starts)

    def reports(self) -> Iterable[tuple[str, int]]:
        """The title and the year of each document."""
        return ((share.title, share.year) for share in self.documents.shares())

    def series(self) -> Set[str]:
        """The series that the documents belong to."""
        return {share.series for share in self.documents.shares()}

    def weights(self, terms: Collection[str]) -> Mapping[str, float]:
        """The inverse document frequency of terms of the view `characters` in the passages' own text; 0 where it has none."""
        return self.plain.lexical.views["characters"].weights(terms)

    def coverage(self, text: str) -> float:
        """How much of a text the passages' own words can see at all, 0 (another language) to 1."""
        return self.plain.lexical.prepare(text).coverage

    @property
    def words(self) -> InteractionIndex | None:
        """Words whose vectors are at hand as the index was built with them."""
        return self.expanded.words

    def holding(self, place: str) -> Ints:
        """The passages that hold all characters of a place's name, two by two: int64, rising."""
        return self.plain.lexical.holding(place)

    def years_of(self, places: Collection[str]) -> list[int]:
        """The years of the reports with a passage that holds all the places, rising."""
        if not places:
            return list(self.all_years)
        held = np.ones(0, dtype=np.int64)
        for n, place in enumerate(places):
            rows = self.plain.lexical.holding(place)
            held = rows if n == 0 else np.intersect1d(held, rows, assume_unique=True)
        return [int(year) for year in np.unique(self.years[held])]

    def nearest_expansions(self, vector: Floats, rows: Ints) -> Ints:
        """Which expansion of each passage is nearest to a vector `[dim]`, int64 `[rows]`; -1 for one that has none."""
        return self.expanded.pieces.nearest(vector, rows)[1]

    def mask(self, filters: Filters) -> Mask | None:
        """bool `[passages]`: which may be found; None where all may."""
        if filters == Filters():
            return None
        mask = np.zeros(len(self.rows), dtype=np.bool_)
        for share in self.documents.shares():
            if matches(share, filters):
                rows = self.ranges[share.id]
                mask[rows.start : rows.stop] = True
        if filters.passage_ids is not None:
            named = np.zeros(len(mask), dtype=np.bool_)
            for passage_id in filters.passage_ids:
                row = self.row_of(passage_id)
                if row is not None:
                    named[row] = True
            mask &= named
        return mask


def matches(share: Share | DocumentInfo, filters: Filters) -> bool:
    """Whether passages of a document may be found, whatever the filters say of passages."""
    return (
        (filters.document_ids is None or share.id in filters.document_ids)
        and (filters.years is None or filters.years[0] <= share.year <= filters.years[1])
        and (filters.series is None or share.series in filters.series)
    )
