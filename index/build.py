"""Documents → a generation. The only writer of the index."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corpus.elements import Structure
from corpus.library import Entry, Library, LibraryError
from corpus.passages import split_passages
from corpus.structure import parse
from corpus.tokens import ManifestMismatch
from corpus.types import Document
from index.context import dense_text, lexical_text
from index.dense import DenseIndex
from index.generations import GenerationStore
from index.lexical import LexicalIndex
from index.segment import domain_words
from index.snapshot import Row, Snapshot, dump_documents, dump_rows
from index.storage import IndexProblem
from index.types import DocumentInfo, Encoder, Floats, SectionInfo

Progress = Callable[[int, int], None]
"""Called with how many passages are embedded so far, and of how many."""

_BATCH = 256


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """How one document fared. `kept`: it could not be read anew, and its last indexed version stays."""

    id: str
    status: Literal["ok", "kept", "failed"]
    passages: int
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `embedded` and `reused` count passages."""

    generation: str
    documents: tuple[DocumentStatus, ...]
    embedded: int
    reused: int
    seconds: float

    @property
    def complete(self) -> bool:
        """Every document was read anew."""
        return all(x.status == "ok" for x in self.documents)


@dataclass(slots=True)
class _Part:
    """One document's share of the index."""

    document: DocumentInfo
    text: bytes
    rows: list[Row]


def index_fingerprint(encoder: Encoder) -> dict[str, object]:
    """What an index depends on beside its documents: it may only be searched with the same."""
    terms = hashlib.sha256("\n".join(domain_words()).encode("utf-8")).hexdigest()
    return {
        "encoder": {"name": encoder.name, "dim": encoder.dim, "fingerprint": encoder.fingerprint},
        "terms": terms,
    }


def build_index(
    library: Library, store: GenerationStore, encoder: Encoder, progress: Progress = lambda done, total: None
) -> BuildReport:
    """Index all documents of the library and publish the result.

    Vectors of unchanged passages are reused from the current generation. A document that can't be read
    keeps its last indexed version, if there is one; the report says so.

    Raises:
        IndexProblem: `no_documents`, `index_locked`, `insufficient_storage` or `storage_error`.
    """
    started = time.perf_counter()
    with store.writer():
        previous = _previous(store)
        parts, statuses = _read_all(library, previous)
        if not parts:
            raise IndexProblem(
                "no_documents", "没有一份可用的报告，未建索引：" + "；".join(x.message for x in statuses)
            )
        rows = [row for part in parts for row in part.rows]
        vectors, reused = _embed(rows, encoder, previous, progress)
        documents = {part.document.id: part.document for part in parts}
        passages = [row.passage for row in rows]
        texts = [lexical_text(documents[p.document_id].title, documents[p.document_id].year, p) for p in passages]
        files = {
            "documents.jsonl": dump_documents([part.document for part in parts]),
            "passages.jsonl": dump_rows(rows),
            "vectors.faiss": DenseIndex.build(vectors).dump(),
            **{f"lexical/{name}": data for name, data in LexicalIndex.build(texts).dump().items()},
            **{f"texts/{part.document.id}.txt": part.text for part in parts},
        }
        description = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **index_fingerprint(encoder),
            "documents": len(parts),
            "passages": len(rows),
        }
        name = store.publish(files, description, keep=previous.name if previous else None)
    return BuildReport(name, tuple(statuses), len(rows) - reused, reused, time.perf_counter() - started)


def document_part(document: Document) -> tuple[DocumentInfo, list[Row]]:
    """A document and its passages as the index keeps them.

    Raises:
        corpus.tokens.ManifestMismatch: the manifest and the text don't fit.
    """
    structure = parse(document)
    rows = [
        Row(passage, hashlib.sha256(dense_text(passage).encode("utf-8")).hexdigest())
        for passage in split_passages(document, structure)
    ]
    return _describe(document, structure), rows


def _read_all(library: Library, previous: Snapshot | None) -> tuple[list[_Part], list[DocumentStatus]]:
    parts: list[_Part] = []
    statuses: list[DocumentStatus] = []
    for entry in library:
        try:
            part = _read(library, entry)
        except LibraryError as error:
            kept = _kept(previous, entry.id)
            if kept:
                parts.append(kept)
            status: Literal["kept", "failed"] = "kept" if kept else "failed"
            count = len(kept.rows) if kept else 0
            statuses.append(DocumentStatus(entry.id, status, count, error.code, error.message))
        else:
            parts.append(part)
            statuses.append(DocumentStatus(entry.id, "ok", len(part.rows)))
    return parts, statuses


def _read(library: Library, entry: Entry) -> _Part:
    document = library.read(entry)
    try:
        info, rows = document_part(document)
    except ManifestMismatch as error:
        raise LibraryError(
            "manifest_invalid", f"报告 {entry.id} 与清单中的标题说明不符：{error}。", entry.id
        ) from error
    return _Part(info, document.text.encode("utf-8"), rows)


def _previous(store: GenerationStore) -> Snapshot | None:
    """The newest sound generation: what can't be read anew is kept from it."""
    try:
        return Snapshot.load(store.newest_sound()[0])
    except IndexProblem:
        return None


def _kept(previous: Snapshot | None, document_id: str) -> _Part | None:
    if previous is None or document_id not in previous.documents:
        return None
    rows = [row for row in previous.rows if row.passage.document_id == document_id]
    return _Part(previous.documents[document_id], previous.texts[document_id], rows)


def _embed(rows: Sequence[Row], encoder: Encoder, previous: Snapshot | None, progress: Progress) -> tuple[Floats, int]:
    """float32 `[len(rows), dim]`, and how many rows were taken over from the previous generation."""
    known: dict[str, int] = {}
    if previous and previous.description["encoder"]["fingerprint"] == encoder.fingerprint:
        known = {row.dense_sha256: n for n, row in enumerate(previous.rows)}
    vectors = np.zeros((len(rows), encoder.dim), dtype=np.float32)
    old = [n for n, row in enumerate(rows) if row.dense_sha256 in known]
    new = [n for n, row in enumerate(rows) if row.dense_sha256 not in known]
    if previous and old:
        vectors[old] = previous.dense.vectors(np.array([known[rows[n].dense_sha256] for n in old]))
    for batch in _batches(new, _BATCH):
        vectors[batch] = encoder.encode_passages([dense_text(rows[n].passage) for n in batch])
        progress(min(len(new), batch[-1] + 1), len(new))
    return vectors, len(old)


def _batches(items: Sequence[int], size: int) -> Iterable[list[int]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))


def _describe(document: Document, structure: Structure) -> DocumentInfo:
    return DocumentInfo(
        id=document.id,
        title=document.title,
        year=document.year,
        series=document.series,
        kind=document.kind,
        media_type=document.media_type,
        sha256=document.sha256,
        characters=len(document.text),
        issuer=document.issuer,
        year_basis=document.year_basis,
        sections=tuple(
            SectionInfo(section.path, section.restored[-1], (section.start, section.end))
            for section in structure.sections
            if section.path
        ),
    )
