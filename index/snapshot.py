"""What a generation holds, in memory: documents, passages, vectors and postings. Never changed once loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from corpus.citations import cite_passage
from corpus.types import Citation, Passage
from index.dense import DenseIndex
from index.generations import Generation
from index.lexical import LexicalIndex
from index.storage import IndexProblem
from index.types import DocumentInfo, Filters, Mask, SectionInfo


@dataclass(frozen=True, slots=True)
class Row:
    """A passage as it is stored, and the sha256 of what the encoder read of it."""

    passage: Passage
    dense_sha256: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened generation. Row `n` of the vectors and of the postings is `passages[n]`."""

    name: str
    description: Mapping[str, Any]
    documents: Mapping[str, DocumentInfo]
    rows: Sequence[Row]
    dense: DenseIndex
    lexical: LexicalIndex
    texts: Mapping[str, bytes]

    @classmethod
    def load(cls, generation: Generation) -> Snapshot:
        """Parse a verified generation.

        Raises:
            IndexProblem: `index_damaged`, where its parts don't fit together.
        """
        files = generation.files
        try:
            documents = [_document(json.loads(line)) for line in files["documents.jsonl"].splitlines()]
            rows = [_row(json.loads(line)) for line in files["passages.jsonl"].splitlines()]
            dense = DenseIndex.load(files["vectors.faiss"])
            lexical = LexicalIndex.load({k.removeprefix("lexical/"): v for k, v in files.items() if "lexical/" in k})
            texts = {x.id: files[f"texts/{x.id}.txt"] for x in documents}
        except (KeyError, ValueError, TypeError, RuntimeError) as error:  # FAISS raises RuntimeError
            raise IndexProblem(
                "index_damaged", f"索引 {generation.name} 的内容不完整（{type(error).__name__}）"
            ) from error
        if dense.size != len(rows) or any(view.size != len(rows) for view in lexical.views.values()):
            raise IndexProblem("index_damaged", f"索引 {generation.name} 的各部分数目不符")
        return cls(generation.name, generation.manifest, {x.id: x for x in documents}, rows, dense, lexical, texts)

    def text(self, document_id: str) -> str:
        """The document's text exactly as it was indexed."""
        return self.texts[document_id].decode("utf-8")

    def citation(self, passage: Passage) -> Citation:
        """The citation of a whole passage."""
        document = self.documents[passage.document_id]
        return cite_passage(document.title, document.year, passage)

    def mask(self, filters: Filters) -> Mask | None:
        """bool `[passages]`: which may be found; None where all may."""
        if filters == Filters():
            return None
        allowed = {x.id for x in self.documents.values() if _matches(x, filters)}
        return np.array([row.passage.document_id in allowed for row in self.rows], dtype=np.bool_)


def dump_documents(documents: Sequence[DocumentInfo]) -> bytes:
    return _lines(asdict(document) for document in documents)


def dump_rows(rows: Sequence[Row]) -> bytes:
    return _lines({**asdict(row.passage), "dense_sha256": row.dense_sha256} for row in rows)


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode("utf-8")


def _matches(document: DocumentInfo, filters: Filters) -> bool:
    return (
        (filters.document_ids is None or document.id in filters.document_ids)
        and (filters.years is None or filters.years[0] <= document.year <= filters.years[1])
        and (filters.series is None or document.series in filters.series)
    )


def _document(record: dict[str, Any]) -> DocumentInfo:
    sections = tuple(
        SectionInfo(tuple(x["path"]), x["restored"], (x["span"][0], x["span"][1])) for x in record.pop("sections")
    )
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
    )
    return Row(passage, record["dense_sha256"])
