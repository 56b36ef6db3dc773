"""What a generation holds, in memory: documents, passages, vectors and postings. Never changed once loaded."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from corpus.citations import cite_part, cite_passage
from corpus.types import Citation, Passage
from index.generations import Generation
from index.names import Names
from index.rows import Row, load_rows
from index.shelf import Shelf
from index.storage import IndexProblem
from index.types import DocumentInfo, Filters, Floats, Ints, Mask, SectionInfo
from index.views import View


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened generation. Row `n` of every index is `rows[n]`; a document's rows stand together."""

    name: str
    description: Mapping[str, Any]
    documents: Mapping[str, DocumentInfo]
    rows: Sequence[Row]
    plain: View
    expanded: View
    names: Names
    years: Ints
    """The report's year of each passage, int64 `[passages]`."""
    has_expansions: Mask
    texts: Mapping[str, memoryview]
    ranges: Mapping[str, range]
    """The rows of each document."""

    @classmethod
    def load(cls, generation: Generation) -> Snapshot:
        """Parse a verified generation.

        Raises:
            IndexProblem: `index_damaged`, where its parts don't fit together.
        """
        shelf = Shelf.load(generation)
        try:
            found = [load_document(line) for line in shelf.documents]
            rows = load_rows(shelf.passages)
            names = Names.load(generation.files["names.json"])
            plain, expanded = View.of(shelf.plain), View.of(shelf.expanded)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:  # FAISS raises RuntimeError
            raise IndexProblem(
                "index_damaged", f"索引 {generation.name} 的内容不完整（{type(error).__name__}）"
            ) from error
        starts = shelf.starts[:, 0].tolist()
        if len(rows) != starts[-1]:
            raise IndexProblem("index_damaged", f"索引 {generation.name} 的各部分数目不符")
        return cls(
            name=generation.name,
            description=generation.manifest,
            documents={x.id: x for x in found},
            rows=rows,
            plain=plain,
            expanded=expanded,
            names=names,
            years=np.repeat(np.array([x.year for x in found], dtype=np.int64), np.diff(starts)),
            has_expansions=np.array([bool(row.expansions) for row in rows], dtype=np.bool_),
            texts={x.id: shelf.text(n) for n, x in enumerate(found)},
            ranges={x.id: range(starts[n], starts[n + 1]) for n, x in enumerate(found)},
        )

    def text(self, document_id: str) -> str:
        """The document's text exactly as it was indexed."""
        return str(self.texts[document_id], "utf-8")

    def rows_of(self, document_id: str) -> range:
        """The rows of a document's passages; none of one that is not here."""
        return self.ranges.get(document_id, range(0))

    def row_of(self, passage_id: str) -> int | None:
        """The row of a passage by its id, or None."""
        rows = self.rows_of(passage_id.rpartition(":")[0])
        return next((n for n in rows if self.rows[n].passage.id == passage_id), None)

    def row(self, number: int) -> Row:
        """A passage with its expansions, by its number."""
        return self.rows[number]

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
        document = self.documents[passage.document_id]
        whole = cite_passage(document.title, document.year, passage)
        if (start, end) in ((0, None), (0, len(passage.text))):
            return whole
        end = len(passage.text) if end is None else end
        return cite_part(whole, self.text(passage.document_id), start, end, document.page_starts)

    def weight(self, character: str) -> float:
        """The inverse document frequency of a term of the view `characters` in the passages' own text; 0 if it has none."""
        return self.plain.lexical.views["characters"].weight(character)

    def coverage(self, text: str) -> float:
        """How much of a text the passages' own words can see at all, 0 (another language) to 1."""
        return self.plain.lexical.coverage(text)

    def years_of(self, places: Collection[str]) -> list[int]:
        """The years of the reports with a passage that holds all the places, rising."""
        held = np.ones(len(self.rows), dtype=np.bool_)
        for place in places:
            held &= self.plain.lexical.holding(place)
        return [int(year) for year in np.unique(self.years[held])]

    def nearest_expansions(self, vector: Floats, rows: Ints) -> Ints:
        """Which expansion of each passage is nearest to a vector `[dim]`, int64 `[rows]`; -1 for one that has none."""
        return self.expanded.pieces.nearest(vector, rows)[1]

    def mask(self, filters: Filters) -> Mask | None:
        """bool `[passages]`: which may be found; None where all may."""
        if filters == Filters():
            return None
        allowed = [_matches(x, filters) for x in self.documents.values()]
        mask = np.repeat(np.array(allowed, dtype=np.bool_), [len(self.ranges[x]) for x in self.documents])
        if filters.passage_ids is not None:
            named = np.zeros(len(mask), dtype=np.bool_)
            for document_id in {x.rpartition(":")[0] for x in filters.passage_ids}:
                for n in self.rows_of(document_id):
                    named[n] = self.rows[n].passage.id in filters.passage_ids
            mask &= named
        return mask


def dump_document(document: DocumentInfo) -> bytes:
    """A line of `documents.jsonl`."""
    return (json.dumps(asdict(document), ensure_ascii=False) + "\n").encode("utf-8")


def _matches(document: DocumentInfo, filters: Filters) -> bool:
    return (
        (filters.document_ids is None or document.id in filters.document_ids)
        and (filters.years is None or filters.years[0] <= document.year <= filters.years[1])
        and (filters.series is None or document.series in filters.series)
    )


def load_document(line: bytes) -> DocumentInfo:
    """Of a line as `dump_document` gave it; raises ValueError, KeyError or TypeError where it is none."""
    record = json.loads(line)
    sections = tuple(
        SectionInfo(tuple(x["path"]), x["restored"], (x["span"][0], x["span"][1])) for x in record.pop("sections")
    )
    record |= {name: tuple(record[name]) for name in ("notes", "page_starts")}
    return DocumentInfo(**record, sections=sections)
