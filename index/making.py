"""Documents → segments: read, split, embedded and counted batch by batch, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from corpus.library import Entry, Library, LibraryError
from index.derive import Deriving, Vectors
from index.parts import Part, part_fingerprint, read_part
from index.segments import SEGMENT
from index.shelf import Shelf

_BATCH = 2_000
# So long may pass before what is made is put on disk: a slow encoder's work of hours must not be lost with its process.
_SECONDS = 300
_LEAST = 2_048


@dataclass(frozen=True, slots=True)
class Read:
    """How reading one document went: how many passages it has, in Chinese what is wrong with its expansions; or an error's
    `code` and message."""

    id: str
    passages: int
    message: str = ""
    code: str = ""


class Maker:
    """Makes segments of documents. `keep` is called with each that is full, `heard` with each document when it is done."""

    def __init__(self, vectors: Vectors, keep: Callable[[Shelf], object], heard: Callable[[Read], object]) -> None:
        self._vectors, self._keep, self._heard = vectors, keep, heard
        self._deriving = Deriving(vectors)
        self._batch: list[Part] = []
        self._passages = 0
        self._since = time.monotonic()

    def read(self, library: Library, entries: Sequence[Entry]) -> None:
        """Read documents and take in those that can be read."""
        for entry in entries:
            fingerprint = part_fingerprint(library, entry)  # before it is read: it may be changing just now
            try:
                part = read_part(library, entry, fingerprint)
            except LibraryError as error:
                self._heard(Read(entry.id, 0, error.message, error.code))
            else:
                self.add(part)
                self._heard(Read(entry.id, len(part.rows), part.note))

    def add(self, part: Part) -> None:
        """Take in a part."""
        if self._passages and self._passages + len(part.rows) > SEGMENT:
            self._finish()
        self._batch.append(part)
        self._passages += len(part.rows)
        if sum(len(x.rows) for x in self._batch) >= _BATCH:
            self._derive()
        if self._passages >= _LEAST and time.monotonic() - self._since > _SECONDS:
            self._finish()

    def end(self) -> None:
        """Keep what is left."""
        if self._passages:
            self._finish()

    def _derive(self) -> None:
        self._deriving.add(self._batch)
        self._batch = []

    def _finish(self) -> None:
        self._derive()
        self._keep(self._deriving.shelf())
        self._deriving, self._passages, self._since = Deriving(self._vectors), 0, time.monotonic()
