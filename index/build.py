"""Documents → a generation. The only writer of the index."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corpus.elements import Structure
from corpus.library import Entry, Library, LibraryError
from corpus.passages import split_passages
from corpus.structure import parse
from corpus.tokens import ManifestMismatch
from corpus.types import Document, Passage
from index.context import expansion_text, passage_pieces, passage_text
from index.dense import PieceIndex
from index.generations import GenerationStore
from index.interaction import InteractionIndex
from index.lexical import LexicalIndex
from index.names import learn_names
from index.segment import domain_words
from index.snapshot import Row, Snapshot, View, dump_documents, dump_rows
from index.storage import IndexProblem
from index.types import DocumentInfo, Encoder, Floats, LateInteraction, SectionInfo

Progress = Callable[[int, int], None]
"""Called with how many pieces are done so far, and of how many."""

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
    """What a build did. `embedded` and `reused` count pieces of passages, and expansions."""

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
        documents = {part.document.id: part.document for part in parts}
        read = [_text(documents[row.passage.document_id], row.passage) for row in rows]
        late = isinstance(encoder, LateInteraction)
        pieces = [passage_pieces(row.passage) if late else [text] for row, text in zip(rows, read, strict=True)]
        asked = [[x.text for x in row.expansions] for row in rows]
        vectors = _Vectors(encoder, previous, progress, sum(map(len, pieces)) + sum(map(len, asked)))
        plain = _view(read, pieces, vectors, read)
        joined = [expansion_text(row.expansions) for row in rows]
        both = ["\n".join(x for x in texts if x) for texts in zip(read, joined, strict=True)]
        expanded = _view(both, asked, vectors, joined)
        files = {
            "documents.jsonl": dump_documents([part.document for part in parts]),
            "passages.jsonl": dump_rows(rows),
            "names.json": learn_names([row.passage for row in rows], read).dump(),
            **{f"plain/{name}": data for name, data in plain.dump().items()},
            **{f"expanded/{name}": data for name, data in expanded.dump().items()},
            **{f"texts/{part.document.id}.txt": part.text for part in parts},
        }
        description = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **index_fingerprint(encoder),
            "documents": len(parts),
            "passages": len(rows),
        }
        name = store.publish(files, description, keep=previous.name if previous else None)
    return BuildReport(name, tuple(statuses), vectors.embedded, vectors.reused, time.perf_counter() - started)


def document_part(document: Document) -> tuple[DocumentInfo, list[Passage]]:
    """A document as the index keeps it, and its passages.

    Raises:
        LibraryError: `manifest_invalid`, where the manifest and the text don't fit.
    """
    try:
        structure = parse(document)
    except ManifestMismatch as error:
        raise LibraryError(
            "manifest_invalid", f"报告 {document.id} 与清单中的标题说明不符：{error}。", document.id
        ) from error
    return _describe(document, structure), split_passages(document, structure)


def _read_all(library: Library, previous: Snapshot | None) -> tuple[list[_Part], list[DocumentStatus]]:
    parts: list[_Part] = []
    statuses: list[DocumentStatus] = []
    for entry in library:
        try:
            part, note = _read(library, entry)
        except LibraryError as error:
            kept = _kept(previous, entry.id)
            if kept:
                parts.append(kept)
            status: Literal["kept", "failed"] = "kept" if kept else "failed"
            count = len(kept.rows) if kept else 0
            statuses.append(DocumentStatus(entry.id, status, count, error.code, error.message))
        else:
            parts.append(part)
            statuses.append(DocumentStatus(entry.id, "ok", len(part.rows), message=note))
    return parts, statuses


def _read(library: Library, entry: Entry) -> tuple[_Part, str]:
    """One document's share, and what the user should know of its expansions."""
    document = library.read(entry)
    info, passages = document_part(document)
    expansions, note = library.expansions(entry, passages)
    rows = [Row(passage, texts) for passage, texts in zip(passages, expansions, strict=True)]
    return _Part(info, document.text.encode("utf-8"), rows), note


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


def _text(document: DocumentInfo, passage: Passage) -> str:
    return passage_text(document.title, document.year, passage)


def _view(lexical: Sequence[str], pieces: Sequence[Sequence[str]], vectors: _Vectors, words: Sequence[str]) -> View:
    """The view of texts: `lexical` for BM25, `pieces` for FAISS, `words` for late interaction."""
    keys = [hashlib.sha256(piece.encode("utf-8")).digest() for group in pieces for piece in group]
    starts = np.cumsum([0, *map(len, pieces)]).astype(np.int64)
    dense = PieceIndex.build(vectors.of([piece for group in pieces for piece in group], keys), starts, keys)
    late = vectors.encoder if isinstance(vectors.encoder, LateInteraction) else None
    return View(dense, LexicalIndex.build(lexical), InteractionIndex.build(late, words) if late else None)


class _Vectors:
    """Vectors of texts: those of the previous generation where it has them, else new ones."""

    def __init__(self, encoder: Encoder, previous: Snapshot | None, progress: Progress, total: int) -> None:
        self.encoder = encoder
        self.embedded = self.reused = 0
        self._progress, self._total = progress, total
        self._known: dict[bytes, tuple[PieceIndex, int]] = {}
        if previous and previous.description["encoder"]["fingerprint"] == encoder.fingerprint:
            for index in (previous.plain.pieces, previous.expanded.pieces):
                self._known |= {key: (index, n) for n, key in enumerate(index.keys)}

    def of(self, texts: Sequence[str], keys: Sequence[bytes]) -> Floats:
        """float32 `[len(texts), dim]`."""
        vectors = np.zeros((len(texts), self.encoder.dim), dtype=np.float32)
        new = []
        for n, key in enumerate(keys):
            if key in self._known:
                index, piece = self._known[key]
                vectors[n] = index.vectors(np.array([piece]))[0]
            else:
                new.append(n)
        self.reused += len(texts) - len(new)
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            vectors[batch] = self.encoder.encode_passages([texts[n] for n in batch])
            self.embedded += len(batch)
            self._progress(self.embedded + self.reused, self._total)
        return vectors


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
        title_basis=document.title_basis,
        file=document.file,
        notes=document.notes,
        page_starts=document.page_starts,
        sections=tuple(
            SectionInfo(section.path, section.restored[-1], (section.start, section.end))
            for section in structure.sections
            if section.path
        ),
    )
