"""Documents → a generation. The only writer of the index.

Each document is a part of the index. One whose fingerprint is that of the last generation is copied from there; only
the others are read, split, embedded and counted. What comes of it is what a build of all of them would have made.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from corpus.library import Library, LibraryError
from index.derive import Progress, Vectors, derive
from index.generations import GenerationStore
from index.parts import Part, code_fingerprint, document_part, part_fingerprint, read_part
from index.rows import load_rows
from index.segment import domain_words
from index.shelf import Shelf, join
from index.snapshot import load_document
from index.storage import IndexProblem, storage_errors
from index.types import Encoder, LateInteraction

__all__ = [
    "BuildReport",
    "DocumentStatus",
    "Progress",
    "build_index",
    "document_part",
    "index_fingerprint",
    "write_index",
]

Archive = Callable[[str, bytes], None]
"""Called with the id of a document whose text is about to change, and its old text in UTF-8."""


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """How one document fared. `kept`: it could not be read anew, and its last indexed version stays.

    `reused`: nothing of it has changed, and its part was copied.
    """

    id: str
    status: Literal["ok", "kept", "failed"]
    passages: int
    code: str = ""
    message: str = ""
    reused: bool = False


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
        """Every document is in the index as it is now."""
        return all(x.status == "ok" for x in self.documents)


def index_fingerprint(encoder: Encoder) -> dict[str, object]:
    """What an index depends on beside its documents: it may only be searched with the same."""
    terms = hashlib.sha256("\n".join(domain_words()).encode("utf-8")).hexdigest()
    return {
        "encoder": {"name": encoder.name, "dim": encoder.dim, "fingerprint": encoder.fingerprint},
        "terms": terms,
    }


def build_index(
    library: Library,
    store: GenerationStore,
    encoder: Encoder,
    progress: Progress = lambda done, total: None,
    fresh: bool = False,
    archive: Archive | None = None,
) -> BuildReport:
    """Index the documents of the library and publish the result.

    A document that can't be read keeps its last indexed version, if there is one; the report says so. `fresh` reads
    every document anew, whatever its fingerprint says; vectors of unchanged pieces are reused all the same. `archive`
    is called before anything is published.

    Raises:
        IndexProblem: `no_documents`, `index_locked`, `insufficient_storage` or `storage_error`.
    """
    with store.writer():
        return write_index(library, store, encoder, progress, fresh, archive)


def write_index(
    library: Library,
    store: GenerationStore,
    encoder: Encoder,
    progress: Progress = lambda done, total: None,
    fresh: bool = False,
    archive: Archive | None = None,
) -> BuildReport:
    """As `build_index`, for one that holds the writer's place already."""
    started = time.perf_counter()
    store.check_space()
    last = _last(store, encoder, fresh)
    reading = _read(library, last)
    if not reading.picks:
        raise IndexProblem(
            "no_documents", "没有一份可用的报告，未建索引：" + "；".join(x.message for x in reading.statuses)
        )
    if last and archive:
        _archive(last, reading.parts, archive)
    known = [last.shelf.plain.pieces, last.shelf.expanded.pieces] if last and last.same_encoder else []
    vectors = Vectors(encoder, known, progress, _pieces_of(last, reading.picks))
    shelves = {_OLD: last.shelf} if last and last.reusable else {}
    if reading.parts:
        shelves[_NEW] = derive(reading.parts, vectors)
    numbers = {shelf: n for n, shelf in enumerate(shelves)}
    picks = [(numbers[shelf], n) for shelf, n in reading.picks]
    description = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **index_fingerprint(encoder),
        "code": code_fingerprint(),
        "library": library.state,
        "documents": len(picks),
        "passages": sum(shelves[shelf].shares[n].passages for shelf, n in reading.picks),
    }
    name = store.publish(join(list(shelves.values()), picks), description, keep=last.name if last else None)
    return BuildReport(name, tuple(reading.statuses), vectors.embedded, vectors.reused, time.perf_counter() - started)


_OLD, _NEW = 0, 1


@dataclass(frozen=True, slots=True)
class _Last:
    """The last sound generation: what can't be read anew is kept from it.

    `reusable`: what has not changed is copied. Otherwise what is kept is derived anew.
    """

    name: str
    shelf: Shelf
    places: Mapping[str, int]
    same_encoder: bool
    reusable: bool

    def part(self, number: int) -> Part:
        """A document as it was indexed, to be derived anew."""
        document, rows = load_document(self.shelf.documents[number]), load_rows(self.shelf.lines(number))
        return Part(document, bytes(self.shelf.text(number)), rows, self.shelf.shares[number].note)


@dataclass(slots=True)
class _Reading:
    """What becomes of each document of the library: `picks` are the places of those that are indexed, old or new."""

    picks: list[tuple[int, int]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    statuses: list[DocumentStatus] = field(default_factory=list)

    def add(self, part: Part) -> None:
        self.picks.append((_NEW, len(self.parts)))
        self.parts.append(part)


def _last(store: GenerationStore, encoder: Encoder, fresh: bool) -> _Last | None:
    try:
        generation = store.newest_sound()[0]
        shelf = Shelf.load(generation)
    except IndexProblem:
        return None
    built = generation.manifest.get("encoder", {}).get("fingerprint")
    same_code = generation.manifest.get("code") == code_fingerprint()
    same_words = (shelf.plain.words is not None) == isinstance(encoder, LateInteraction)
    same_encoder = built == encoder.fingerprint
    return _Last(
        name=generation.name,
        shelf=shelf,
        places={share.id: n for n, share in enumerate(shelf.shares)},
        same_encoder=same_encoder,
        reusable=same_encoder and same_code and same_words and not fresh,
    )


def _read(library: Library, last: _Last | None) -> _Reading:
    reading = _Reading()
    for entry in library:
        fingerprint = part_fingerprint(library, entry)  # before the document is read: it may be changing just now
        number = last.places.get(entry.id) if last else None
        share = last.shelf.shares[number] if last and last.reusable and number is not None else None
        if number is not None and share and share.part == fingerprint != "":
            reading.picks.append((_OLD, number))
            reading.statuses.append(DocumentStatus(entry.id, "ok", share.passages, message=share.note, reused=True))
            continue
        try:
            part = read_part(library, entry, fingerprint)
        except LibraryError as error:
            reading.statuses.append(_keep(reading, last, number, error, entry.id))
        else:
            reading.add(part)
            reading.statuses.append(DocumentStatus(entry.id, "ok", len(part.rows), message=part.note))
    return reading


def _keep(
    reading: _Reading, last: _Last | None, number: int | None, error: LibraryError, document_id: str
) -> DocumentStatus:
    """The last version of a document that can't be read."""
    if last is None or number is None:
        return DocumentStatus(document_id, "failed", 0, error.code, error.message)
    if last.reusable:
        reading.picks.append((_OLD, number))
    else:
        reading.add(last.part(number))
    return DocumentStatus(document_id, "kept", last.shelf.shares[number].passages, error.code, error.message)


def _archive(last: _Last, parts: Sequence[Part], archive: Archive) -> None:
    for part in parts:
        number = last.places.get(part.document.id)
        if number is not None and last.shelf.text(number) != part.text:
            with storage_errors("保存报告的旧文"):
                archive(part.document.id, bytes(last.shelf.text(number)))


def _pieces_of(last: _Last | None, picks: Sequence[tuple[int, int]]) -> int:
    """How many pieces are copied with their documents."""
    if last is None:
        return 0
    bounds = last.shelf.starts[:, 0]
    counts = np.diff(last.shelf.plain.pieces.starts[bounds] + last.shelf.expanded.pieces.starts[bounds])
    return int(counts[[n for shelf, n in picks if shelf == _OLD]].sum())
