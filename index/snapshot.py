"""What a generation holds, in memory: documents, passages, vectors and postings. Never changed once loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.citations import cite_part, cite_passage
from corpus.expansions import Expansion
from corpus.types import Citation, Passage
from index.generations import Generation
from index.names import Names
from index.shelf import Shelf
from index.storage import IndexProblem
from index.types import DocumentInfo, Filters, Ints, Mask, SectionInfo
from index.views import View


@dataclass(frozen=True, slots=True)
class Row:
    """A passage as it is stored, and how people may ask for it."""

    passage: Passage
    expansions: tuple[Expansion, ...] = ()


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

    def passage(self, passage_id: str) -> Passage | None:
        """A passage by its id, or None."""
        row = self.row_of(passage_id)
        return None if row is None else self.rows[row].passage

    def citation(self, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
        """The citation of a passage, or of `[start, end)` of its text."""
        document = self.documents[passage.document_id]
        whole = cite_passage(document.title, document.year, passage)
        if (start, end) in ((0, None), (0, len(passage.text))):
            return whole
        end = len(passage.text) if end is None else end
        return cite_part(whole, self.text(passage.document_id), start, end, document.page_starts)

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
    """One line of JSON."""
    return _lines([{**_record(document), "sections": [_record(x) for x in document.sections]}])


def dump_rows(rows: Sequence[Row]) -> bytes:
    """One line of JSON a row."""
    return _lines({**_record(row.passage), "expansions": [_record(x) for x in row.expansions]} for row in rows)


def load_rows(data: bytes) -> list[Row]:
    """Of bytes as `dump_rows` gave them; raises ValueError, KeyError or TypeError where they are none."""
    return [_row(json.loads(line)) for line in data.splitlines()]


_JSON = json.JSONEncoder(ensure_ascii=False)


def _record(noun: Passage | Expansion | DocumentInfo | SectionInfo) -> dict[str, Any]:
    """Its fields. `asdict` would copy each span of each passage, which takes longer than all the rest."""
    return {name: getattr(noun, name) for name in noun.__slots__}


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(_JSON.encode(record) + "\n" for record in records).encode("utf-8")


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


def _row(record: dict[str, Any]) -> Row:
    passage = Passage(
        document_id=record["document_id"],
        section=tuple(record["section"]),
        restored=tuple(record["restored"]),
        lead=record["lead"],
        kind=record["kind"],
        spans=tuple((start, end) for start, end in record["spans"]),
        text=record["text"],
        lines=(record["lines"][0], record["lines"][1]),
        columns=tuple(record["columns"]),
        pages=(record["pages"][0], record["pages"][1]) if record["pages"] else None,
    )
    expansions = ({**x, "answers": tuple(x["answers"])} for x in record["expansions"])
    return Row(passage, tuple(Expansion(**x) for x in expansions))
